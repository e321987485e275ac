"""CrystalFormer's tables and WyFormer's genes: orbits, repeated rows, and every true output."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Composition, Structure

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'generators'
if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import crystal_arrays  # noqa: E402
import crystal_text  # noqa: E402
import wyckoff_outputs  # noqa: E402
from crystal_text import UnusableError  # noqa: E402

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason='the shared data folder is not beside the checkout')
HEADER = 'L,X,A,W,M,logp_w,logp_xyz,logp_a,logp_l,logp\n'


def row(cell, places, elements, sizes, logp=-1.5, size=5) -> str:
    """Return a line of CrystalFormer's CSV, filled up with zeros."""
    more = size - len(elements)
    lists = (cell, places + [[0.0] * 3] * more, elements + [0] * more, [1] * size, sizes + [0] * more)
    return ','.join(f'"{one}"' for one in lists) + f',0.0,0.0,0.0,0.0,{logp}\n'


CUBE = [4.0, 4.0, 4.0, 90.0, 90.0, 90.0]
PEROVSKITE = row(CUBE, [[0.0] * 3, [0.5] * 3, [0.5, 0.5, 0.0]], [56, 22, 8], [1, 1, 3])


def structure(item) -> Structure:
    """Return the crystal of an item."""
    found = crystal_arrays.crystal(item[2])
    return Structure(found['cell'], found['numbers'], found['positions'], coords_are_cartesian=True)


def fault(item) -> tuple[str, str]:
    """Return the word and the sentence with which an item is refused."""
    with pytest.raises(UnusableError) as caught:
        crystal_arrays.crystal(item[2])
    return caught.value.reason, str(caught.value)


@pytest.mark.filterwarnings('ignore:.*OLD_ERROR_HANDLING:DeprecationWarning')
def test_perovskite():
    """Sites become their images, padding is left out, likelihoods stand beside."""
    (item,) = wyckoff_outputs.crystals_of_crystalformer(HEADER + PEROVSKITE, 221)
    found = structure(item)
    assert found.formula == 'Ba1 Ti1 O3'
    assert found.get_space_group_info() == ('Pm-3m', 221)
    assert item[3] == {'space_group': 221, 'logp': -1.5, 'logp_w': 0.0, 'logp_xyz': 0.0, 'logp_a': 0.0, 'logp_l': 0.0}


def test_group_from_name_and_column():
    """The space group comes from the name of the file or from column `G`."""
    assert wyckoff_outputs.group_of_name('runs/output_221.csv') == 221
    assert wyckoff_outputs.group_of_name('output_62.csv.gz') == 62
    assert wyckoff_outputs.group_of_name('output.csv') is None
    (item,) = wyckoff_outputs.crystals_of_crystalformer(f'G,{HEADER}221,{PEROVSKITE}')
    assert len(structure(item)) == 5
    with pytest.raises(UnusableError, match='output_<group>'):
        wyckoff_outputs.crystals_of_crystalformer(HEADER + PEROVSKITE)
    with pytest.raises(UnusableError, match='columns of CrystalFormer'):
        wyckoff_outputs.crystals_of_crystalformer('cif\nx\n', 221)


@pytest.mark.parametrize('group', [14, 62, 70, 88, 141, 146, 166, 193, 206, 217, 224, 227, 228])
def test_orbits_are_those_of_pyxtal(group):
    """Every Wyckoff position has the images that PyXtal's tables (and CrystalFormer's) give, in the same setting."""
    symmetry = pytest.importorskip('pyxtal.symmetry')
    general = np.array([0.1234, 0.2871, 0.4129])
    for position in symmetry.Group(group).Wyckoff_positions:
        place = position.ops[0].operate(general)
        images = np.array([operation.operate(place) for operation in position.ops])
        # As a generator writes it: with the error of single precision, and not the first of the images.
        orbit = wyckoff_outputs._orbit(group, (images[-1] % 1).astype('float32').tolist())
        assert len(orbit) == position.multiplicity
        apart = orbit[:, None] - images
        assert (np.abs(apart - np.round(apart)).max(axis=2).min(axis=0) < 1e-6).all()


def test_faulty_rows_are_items_with_a_reason():
    """Negative lengths, sites that do not fit, damaged rows and unknown groups do not cost the others."""
    rows = [
        row([-4.0, *CUBE[1:]], [[0.0] * 3], [29], [1]),
        row(CUBE, [[0.1] * 3], [29], [1]),
        row(CUBE, [[float('nan')] * 3], [29], [1]),
        row(CUBE, [], [], []),
        '"[4.0, 4.0","[]",,,,0,0,0,0,0\n',
        PEROVSKITE,
    ]
    items = wyckoff_outputs.crystals_of_crystalformer(HEADER + ''.join(rows), 221)
    words = ['zero_volume', 'wyckoff_mismatch', 'non_finite', 'unreadable', 'unreadable']
    assert [fault(item)[0] for item in items[:5]] == words
    assert len(structure(items[5])) == 5
    assert 'has 8 images in space group 221' in fault(items[1])[1]
    (item,) = wyckoff_outputs.crystals_of_crystalformer(HEADER + PEROVSKITE, 231)
    assert 'no space group' in fault(item)[1]


def test_rows_that_were_appended_again():
    """A second run with the same seed doubles the file; its rows are told from the first ones."""
    other = PEROVSKITE.replace('-1.5', '-1.25')
    items = wyckoff_outputs.crystals_of_crystalformer(HEADER + (PEROVSKITE + other) * 2, 221)
    assert [len(structure(item)) for item in items[:2]] == [5, 5]
    assert [fault(item)[0] for item in items[2:]] == ['appended_again'] * 2
    assert 'repeats row 1' in fault(items[3])[1]


def test_structures_that_were_appended_again():
    """The same of the table of structures, whose header stands again in its middle."""
    texts = [f"\"{{'lattice': {number}, 'pbc': (True, True, True)}}\"\n" for number in range(3)]
    items = wyckoff_outputs.crystals_of_crystalformer_struct('cif\n' + ''.join(texts[:2]) + 'cif\n' + ''.join(texts))
    assert [kind for _, kind, _, _ in items] == ['cell', 'cell', 'arrays', 'arrays', 'cell']
    assert fault(items[3]) == ('appended_again', fault(items[3])[1])
    with pytest.raises(UnusableError, match='column `cif`'):
        wyckoff_outputs.crystals_of_crystalformer_struct('a,b\n1,2\n')


@needs_data
def test_own_crystalformer_run():
    """The 8 samples and the 8 structures that CrystalFormer's own script makes of them are the same crystals."""
    folder = DATA / 'crystalformer' / 'tiny_run'
    raw = wyckoff_outputs.crystals_of_crystalformer((folder / 'output_221.csv').read_text(), 221)
    made = wyckoff_outputs.crystals_of_crystalformer_struct((folder / 'output_221_struct.csv').read_text())
    assert len(raw) == len(made) == 8
    with (folder / 'output_221.csv').open() as stream:
        logp = [float(line['logp']) for line in csv.DictReader(stream)]
    assert [item[3]['logp'] for item in raw] == logp
    for one, other in zip(raw, made, strict=True):
        true = Structure.from_dict(ast.literal_eval(other[2]))
        found = structure(one)
        np.testing.assert_allclose(found.lattice.parameters, true.lattice.parameters, atol=1e-6)
        assert found.atomic_numbers == true.atomic_numbers
        for site in found:
            assert min(site.distance(image) for image in true if image.species == site.species) < 1e-5


@needs_data
def test_published_crystalformer():
    """All 999 structures: none repeated, each as pymatgen reads it, with the compositions of the table beside."""
    folder = DATA / 'crystalformer' / 'published'
    text = gzip.decompress((folder / 'CrystalFormer_mp_20.csv.gz').read_bytes()).decode()
    items = wyckoff_outputs.crystals_of_crystalformer_struct(text)
    assert [kind for _, kind, _, _ in items] == ['cell'] * 999
    formulas = []
    for item in items:
        found = crystal_text.parse('cell', item[2])
        true = Structure.from_dict(ast.literal_eval(item[2]))
        np.testing.assert_allclose(found['cell'], true.lattice.matrix, atol=1e-6)
        np.testing.assert_allclose(found['positions'], true.cart_coords, atol=1e-6)
        assert tuple(found['numbers']) == true.atomic_numbers
        formulas.append(true.composition)
    table = gzip.decompress((folder / 'CrystalFormer_mp_20.ehull.csv.gz').read_bytes()).decode()
    for line in csv.DictReader(table.splitlines()):
        assert formulas[int(line['str_ind'])].reduced_formula == Composition(line['formula']).reduced_formula


GENE = {'group': 139, 'sites': [['2a'], ['4d'], ['2b']], 'species': ['Ti', 'Pb', 'Nd'], 'numIons': [2, 4, 2]}


def test_genes():
    """A gene keeps its four parts; each fault has its sentence."""
    changes = [
        {}, {'group': 231}, {'group': True}, {'species': ['Ti', 'Pb', 'Xx']}, {'numIons': [2, 4, 4]},
        {'sites': [['2a']]}, {'sites': [['2a'], ['4d'], ['b']]}, {'species': None},
    ]  # fmt: skip
    items = wyckoff_outputs.genes_of_wyformer(json.dumps([{**GENE, **change} for change in changes]))
    assert items[0] == ('', 'gene', GENE, {})
    sentences = [fault(item)[1] for item in items[1:]]
    for sentence, word in zip(
        sentences, ['231', 'True', '`Xx`', '4 atoms', 'numbers of', '2 atoms', 'damaged'], strict=True
    ):
        assert word in sentence
    for text in ('[]', '{', '[{"a": 1}]', json.dumps(GENE)):
        with pytest.raises(UnusableError):
            wyckoff_outputs.genes_of_wyformer(text)
    assert wyckoff_outputs.are_genes([GENE])
    assert not wyckoff_outputs.are_genes([{'sites': []}])


@needs_data
@pytest.mark.parametrize(
    ('name', 'count'), [('published/WyckoffTransformer_mp_20.json.gz', 10_000), ('wyformer_ioi8tycx.json.gz', 1_000)]
)
def test_true_genes(name, count):
    """All genes are good and are what the JSON holds."""
    text = gzip.decompress((DATA / 'wyformer' / name).read_bytes()).decode()
    items = wyckoff_outputs.genes_of_wyformer(text)
    assert len(items) == count
    assert [content for _, _, content, _ in items] == json.loads(text)
    assert {kind for _, kind, _, _ in items} == {'gene'}
