"""DiffCSP++ with a tiny untrained checkpoint, its templates from words, files and the crystals of another generator."""

from __future__ import annotations

import gzip
import json
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from diffcsp_job import ToolJob, tiny, tool
from generator_job import ABOUT_KEYS, REMOTE, data, literal_about, load

if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import site_templates

pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves

ROCK_SALT = {'group': 225, 'sites': [['4a'], ['4b']], 'species': ['Mg', 'O'], 'numIons': [4, 4]}
RUTILE = {'spacegroup_number': 136, 'wyckoff_letters': ['2a', '4f'], 'atom_types': ['Ti', 'O']}


def test_about_is_complete():
    """`ABOUT` is a literal with every key; that there is no licence is said."""
    about = literal_about('diffcsp_pp')
    assert set(about) >= ABOUT_KEYS
    assert 'no licence' in about['licence']
    assert (about['asset'], about['table'], about['asset_optional']) == ('templates', 'templates', True)
    for form in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert form['help']
        assert 'unit' in form


def test_missing_clone_is_told(monkeypatch):
    """Without the clone `versions` says what to do."""
    monkeypatch.delenv('DIFFCSP_PP_HOME', raising=False)
    with pytest.raises(RuntimeError, match='export DIFFCSP_PP_HOME='):
        load('diffcsp_pp').versions()


@pytest.mark.parametrize(
    ('group', 'text', 'label', 'atoms'),
    [
        (225, 'Mg:4a O:4b', 'Mg:4a O:4b', 8),
        (58, '2a,2d,4g', '2a 2d 4g', 8),
        (136, 'Ti:a O:f', 'Ti:2a O:4f', 6),
        (47, 'Mg:8A', 'Mg:8A', 8),
    ],
)
def test_words(group, text, label, atoms):
    """Sites are understood with and without multiplicities and elements."""
    made = site_templates.from_words(group, text)
    assert (made.fault, made.label, made.atoms) == ('', label, atoms)


@pytest.mark.parametrize(
    ('group', 'text', 'fault'),
    [
        (231, 'Mg:4a', '231 is no space group'),
        (None, 'Mg:4a', 'None is no space group'),
        (225, 'Mg:4a O:8b', 'the site b of space group 225 has multiplicity 4, not 8'),
        (225, 'Mg:4z', 'space group 225 has no Wyckoff site z'),
        (225, 'Mg:4a O:4a', 'one place and cannot be taken twice'),
        (225, 'Mg:4a 4b', 'there are 2 sites, and elements for 1'),
        (225, 'Xx:4a', 'no chemical element'),
        (225, 'rock salt', 'no Wyckoff site'),
        (225, '', 'no Wyckoff site'),
    ],
)
def test_faults(group, text, fault):
    """What cannot be a template says why."""
    assert fault in site_templates.from_words(group, text).fault


def test_files(tmp_path):
    """Genes of WyFormer and queries of DiffCSP++ are templates; a faulty one says why, other JSON is refused."""
    genes = tmp_path / 'genes.json.gz'
    genes.write_bytes(gzip.compress(json.dumps([ROCK_SALT, {**ROCK_SALT, 'group': 300}]).encode()))
    found = site_templates.from_file(str(genes))
    assert [one.label for one in found if not one.fault] == ['Mg:4a O:4b']
    assert [one.fault for one in found] == ['', '300 is no space group']
    queries = tmp_path / 'queries.json'
    queries.write_text(json.dumps([RUTILE, {'spacegroup_number': 194, 'wyckoff_letters': 'abf'}]))
    assert [one.label for one in site_templates.from_file(str(queries))] == ['Ti:2a O:4f', '2a 2b 4f']
    for wrong in ('{}', '[]', '[1]', 'no'):
        queries.write_text(wrong)
        with pytest.raises(ValueError, match='the file of templates'):
            site_templates.from_file(str(queries))


def test_published_genes():
    """A thousand genes of a trained WyFormer are templates of as many atoms as the genes say."""
    path = data('generators/wyformer/wyformer_ioi8tycx.json.gz')
    found = site_templates.from_file(str(path))
    genes = json.loads(gzip.decompress(path.read_bytes()))
    good = [(one, gene) for one, gene in zip(found, genes, strict=True) if not one.fault]
    assert len(good) > 990
    assert all(one.atoms == sum(gene['numIons']) for one, gene in good)


def test_crystals_of_another_generator():
    """The column `wyckoff` of a batch is a template for each crystal; a batch without one is refused."""
    rows = [{'id': 'a-0', 'columns': {'wyckoff': 'Mg:4a O:4b', 'space_group_requested': 225}}]
    (made,) = site_templates.from_table(rows)
    assert (made.group, made.letters, made.elements, made.source) == (225, ['a', 'b'], ['Mg', 'O'], 'a-0')
    with pytest.raises(ValueError, match='tells no Wyckoff sites'):
        site_templates.from_table([{'id': 'a-0', 'columns': {}}])


@pytest.mark.parametrize('number', [1, 5, 12, 38, 43, 79, 139, 146, 160, 166, 167, 196, 216, 225, 227, 230])
def test_primitive_cells(number):
    """General orbits of every kind of centring are cut down to a primitive cell of the same space group."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
    from pyxtal.symmetry import Group

    group = Group(number)
    lattice = {
        'triclinic': Lattice.from_parameters(5, 6, 7, 80, 85, 95), 'monoclinic': Lattice.monoclinic(5, 6, 7, 100),
        'orthorhombic': Lattice.orthorhombic(5, 6, 7), 'tetragonal': Lattice.tetragonal(5, 7),
        'hexagonal': Lattice.hexagonal(5, 7), 'trigonal': Lattice.hexagonal(5, 7), 'cubic': Lattice.cubic(9),
    }[group.lattice_type]  # fmt: skip
    # Three orbits: one or two would have more symmetry in a polar group.
    orbits = [(29, [0.137, 0.211, 0.068]), (47, [0.31, 0.42, 0.173]), (79, [0.09, 0.36, 0.447])]
    places = np.array([op.operate(place) for _, place in orbits for op in group[0].ops]) % 1
    numbers = [element for element, _ in orbits for _ in group[0].ops]
    conventional = Structure(lattice, numbers, places)
    crystal = {'numbers': numbers, 'positions': conventional.cart_coords.tolist(), 'cell': lattice.matrix.tolist()}
    made = site_templates.primitive(crystal, number)
    small = Structure(made['cell'], made['numbers'], made['positions'], coords_are_cartesian=True)
    lattice_points = sum(np.allclose(op.rotation_matrix, np.eye(3)) for op in group[0].ops)
    assert len(small) * lattice_points == len(conventional)
    assert small.volume / len(small) == pytest.approx(conventional.volume / len(conventional))
    assert SpacegroupAnalyzer(small).get_space_group_number() == number


def given(tmp_path: Path, parameters: dict, table=None, path: str | None = None):
    """Return the settings and the job of a check that needs no clone."""
    form = literal_about('diffcsp_pp')
    defaults = {name: one['default'] for name, one in {**form['parameters'], **form['conditions']}.items()}
    tables = {} if table is None else {'templates': table}
    job = types.SimpleNamespace(tables=tables, assets={} if path is None else {'templates': path}, device='cpu')
    return types.SimpleNamespace(settings={**defaults, **parameters}, job=job)


def test_templates_come_from_one_place(tmp_path):
    """None, and two at once, are refused; a space group chooses among those of a file."""
    gathered = load('diffcsp_pp').DiffCSPPP.gathered
    path = tmp_path / 'queries.json'
    path.write_text(json.dumps([RUTILE, {**RUTILE, 'spacegroup_number': 225, 'wyckoff_letters': 'ac'}]))
    for parameters, where in (({}, None), ({'space_group': 225, 'wyckoff': 'Mg:4a'}, str(path))):
        with pytest.raises(ValueError, match='templates come from one place'):
            gathered(given(tmp_path, parameters, path=where))
    assert [one.group for one in gathered(given(tmp_path, {'space_group': 225}, path=str(path)))] == [225]
    with pytest.raises(ValueError, match='none of the 2 templates has the space group 1'):
        gathered(given(tmp_path, {'space_group': 1}, path=str(path)))
    with pytest.raises(ValueError, match='has no Wyckoff site z'):
        gathered(given(tmp_path, {'space_group': 225, 'wyckoff': 'Mg:4z'}))


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> tuple[str, Path]:
    """Return the Python of DiffCSP++ and a tiny checkpoint that takes elements as given."""
    python, home = tool('DIFFCSP_PP_HOME')
    return python, tiny('diffcsp_pp', home, python, tmp_path_factory.mktemp('models') / 'csp')


def sites_of(row: dict):
    """Return the space group that the fractional coordinates of a row have, in a cell of a sensible size."""
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    cell = np.array(row['structure']['cell'])
    scale = (20 * len(row['structure']['numbers']) / abs(np.linalg.det(cell))) ** (1 / 3)
    places = np.array(row['structure']['positions']) * scale
    crystal = Structure(cell * scale, row['structure']['numbers'], places, coords_are_cartesian=True)
    return SpacegroupAnalyzer(crystal, 0.01).get_space_group_number()


def test_templates_of_a_file(model, tmp_path):
    """Rows take the templates in turn; a faulty one rejects its rows and shifts no other; the seed repeats them."""
    python, checkpoint = model
    wrong = {'spacegroup_number': 225, 'wyckoff_letters': ['4z'], 'atom_types': ['Mg']}
    queries = [RUTILE, wrong, {'spacegroup_number': 62, 'wyckoff_letters': 'cca', 'atom_types': ['Ca', 'O', 'Ti']}]
    path = tmp_path / 'templates.json'
    path.write_text(json.dumps(queries))
    options = {'parameters': {'batch_size': 4}, 'assets': {'templates': str(path)}}
    drawn = ToolJob(tmp_path / 'a', 'diffcsp_pp', python, checkpoint, [0, 1, 2, 3], **options)
    assert drawn.report['status'] == 'finished', drawn.log
    rows = drawn.rows
    assert rows[1]['rejected']['reason'] == 'unfit_template'
    labels = [rows[index]['columns']['wyckoff'] for index in (0, 2, 3)]
    assert labels == ['Ti:2a O:4f', 'Ca:4c O:4c Ti:4a', 'Ti:2a O:4f']
    kept = {index: row for index, row in rows.items() if 'structure' in row}
    atoms = {0: {22: 2, 8: 4}, 2: {20: 4, 8: 4, 22: 4}, 3: {22: 2, 8: 4}}
    assert all(Counter(row['structure']['numbers']) == atoms[index] for index, row in kept.items())
    assert {rows[index]['rejected']['reason'] for index in {0, 2, 3} - set(kept)} <= {'zero_volume', 'no_crystal'}
    again = ToolJob(tmp_path / 'b', 'diffcsp_pp', python, checkpoint, [2], **options)
    assert again.rows == {2: rows[2]}


def test_second_stage(model, tmp_path):
    """Templates of another generator's crystals: each crystal has the space group and names what it was born from."""
    python, checkpoint = model
    job = {'parameters': {'batch_size': 2}, 'tables': {'templates': 'templates.npz'}}
    columns = {'id': {'kind': 'text'}, 'wyckoff': {'kind': 'text'}, 'space_group_requested': {'kind': 'row'}}
    texts = {'id': ['aaaa-0', 'aaaa-1'], 'wyckoff': ['Ca:1a Ti:1b O:3c', 'Mg:4a O:4b']}
    arrays = {'offsets': np.zeros(3, int), 'numbers': np.zeros(0, np.int16), 'positions': np.zeros((0, 3))}
    for name, values in texts.items():
        encoded = [value.encode() for value in values]
        arrays[f'c_{name}'] = np.frombuffer(b''.join(encoded), np.uint8)
        arrays[f'o_{name}'] = np.cumsum([0, *map(len, encoded)])
    arrays['c_space_group_requested'] = np.array([221, 225])
    np.savez(tmp_path / 'templates.npz', cells=np.zeros((2, 3, 3)), pbc=np.ones((2, 3), bool), **arrays)
    job['tables'] = {'templates': str(tmp_path / 'templates.npz')}
    drawn = ToolJob(
        tmp_path / 'a', 'diffcsp_pp', python, checkpoint, [0, 1], table_columns={'templates': columns}, **job
    )
    assert drawn.report['status'] == 'finished', drawn.log
    assert drawn.report['versions']['pyxtal']
    rows = drawn.rows
    assert [row['columns']['born_from'] for row in rows.values()] == ['aaaa-0', 'aaaa-1']
    assert [row['columns']['space_group_requested'] for row in rows.values()] == [221, 225]
    for row in rows.values():
        if 'structure' in row:
            assert sites_of(row) == row['columns']['space_group_requested']


def test_a_model_that_draws_the_elements(tmp_path):
    """It puts one element on each site; elements that a template names are not dropped in silence."""
    python, home = tool('DIFFCSP_PP_HOME')
    checkpoint = tiny('diffcsp_pp_open', home, python, tmp_path / 'open')
    parameters = {'batch_size': 2, 'space_group': 136, 'wyckoff': '2a 4f'}
    drawn = ToolJob(tmp_path / 'a', 'diffcsp_pp', python, checkpoint, [0, 1], parameters=parameters)
    assert drawn.report['status'] == 'finished', drawn.log
    for row in drawn.rows.values():
        numbers = row.get('structure', {}).get('numbers', [])
        assert len(set(numbers[:2])) == len(set(numbers[2:])) == bool(numbers)
    parameters['wyckoff'] = 'Ti:2a O:4f'
    refused = ToolJob(tmp_path / 'b', 'diffcsp_pp', python, checkpoint, [0, 1], parameters=parameters)
    assert (refused.report['status'], refused.rows) == ('unfit_model', {})
    assert 'drop_elements: true' in refused.report['error']


def test_no_template_ends_the_job(model, tmp_path):
    """Without templates the job ends with a sentence before anything is drawn."""
    ended = ToolJob(tmp_path / 'a', 'diffcsp_pp', model[0], model[1], [0], parameters={'batch_size': 1})
    assert 'templates come from one place' in ended.report['error']
    assert ended.rows == {}
