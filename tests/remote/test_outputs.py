"""Outputs of generators that place atoms freely: the `.pt` of the DiffCSP family, and MatterGen's extxyz and zip."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Composition, Element, Lattice, Structure

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'generators'
if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import crystal_arrays  # noqa: E402
import outputs  # noqa: E402
import safe_pickle  # noqa: E402
from crystal_text import UnusableError  # noqa: E402

torch = pytest.importorskip('torch')
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason='the shared data folder is not beside the checkout')


def pt(**changes) -> bytes:
    """Return a `.pt` of two crystals, MgO in an oblique cell and a cube of Cs."""
    tables = {
        'frac_coords': torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.25, -0.5], [1.5, 0.0, 0.0]]),
        'num_atoms': torch.tensor([2, 1]), 'atom_types': torch.tensor([12, 8, 55]),
        'lengths': torch.tensor([[3.0, 4.0, 5.0], [6.0, 6.0, 6.0]]),
        'angles': torch.tensor([[80.0, 95.0, 110.0], [90.0, 90.0, 90.0]]), **changes,
    }  # fmt: skip
    buffer = io.BytesIO()
    torch.save({name: value for name, value in tables.items() if value is not None}, buffer)
    return buffer.getvalue()


def structures(items) -> list[Structure]:
    """Return the crystals of items."""
    crystals = [crystal_arrays.crystal(content) for _, kind, content, _ in items if kind == 'arrays']
    return [Structure(c['cell'], c['numbers'], c['positions'], coords_are_cartesian=True) for c in crystals]


def fault(item) -> str:
    """Return the word with which an item is refused."""
    with pytest.raises(UnusableError) as caught:
        crystal_arrays.crystal(item[2])
    return caught.value.reason


def check_mgo_and_caesium(items):
    """Check the crystals of `pt`."""
    first, second = structures(items)
    np.testing.assert_allclose(first.lattice.parameters, (3, 4, 5, 80, 95, 110), atol=1e-5)
    np.testing.assert_allclose(first.frac_coords, [[0, 0, 0], [0.5, 0.25, -0.5]], atol=1e-9)
    assert (first.formula, second.formula) == ('Mg1 O1', 'Cs1')
    np.testing.assert_allclose(second.lattice.parameters, (6, 6, 6, 90, 90, 90), atol=1e-5)


def test_elements_as_numbers_and_as_scores():
    """Both layouts of `atom_types` give the same crystals, whatever the type of the numbers."""
    scores = torch.full((3, 100), -2.0)
    scores[[0, 1, 2], [11, 7, 54]] = 3.5
    for types in (None, scores, torch.tensor([12.0, 8.0, 55.0]), torch.tensor([[12], [8], [55]])):
        check_mgo_and_caesium(outputs.crystals_of_pt(pt(**({} if types is None else {'atom_types': types}))))


@pytest.mark.parametrize('setting', [argparse.Namespace(label='run0', num_evals=1), 'text', None, {'a': [1]}])
def test_settings_of_any_form(setting):
    """What the tool wrote of its settings does not matter."""
    check_mgo_and_caesium(outputs.crystals_of_pt(pt(eval_setting=setting, time=3.5, all_frac_coords_stack=[])))


def test_leading_axis_of_evaluations():
    """The layout of CDVAE and CrysBFN: one evaluation gives the same crystals, two give each twice, with a label."""
    two = outputs.crystals_of_pt(pt())
    # Said explicitly: MACE, once imported in this process, changes the default by an environment variable.
    true = torch.load(io.BytesIO(pt()), weights_only=True)
    base = {name: true[name] for name in ('frac_coords', 'atom_types', 'num_atoms', 'lengths', 'angles')}
    one = outputs.crystals_of_pt(pt(**{name: value.unsqueeze(0) for name, value in base.items()}))
    check_mgo_and_caesium(one)
    assert [item[0] for item in one] == [item[0] for item in two] == ['', '']
    both = outputs.crystals_of_pt(pt(**{name: torch.stack([value, value]) for name, value in base.items()}))
    assert [item[0] for item in both] == ['evaluation 0'] * 2 + ['evaluation 1'] * 2
    check_mgo_and_caesium(both[2:])
    listed = outputs.crystals_of_pt(pt(**{name: [value, value] for name, value in base.items()}))
    check_mgo_and_caesium(listed[2:])
    shared = outputs.crystals_of_pt(
        pt(**{name: value.unsqueeze(0) for name, value in base.items() if name != 'num_atoms'})
    )
    check_mgo_and_caesium(shared)


def test_cells_as_matrices_and_columns_of_the_tool():
    """Lattice matrices do where there are no lengths; what the tool says of each crystal stands beside it."""
    cells = torch.tensor([[[0.0, 2, 2], [2, 0, 2], [2, 2, 0]], [[3.0, 0, 0], [0, 3, 0], [0, 0, 3]]])
    items = outputs.crystals_of_pt(pt(lengths=None, angles=None, lattices=cells, spacegroups=torch.tensor([225, 221])))
    np.testing.assert_allclose([s.lattice.matrix for s in structures(items)], cells.numpy())
    assert [item[3] for item in items] == [{'spacegroups': 225}, {'spacegroups': 221}]


def test_faulty_crystals_are_items_with_a_reason():
    """A crystal that is none does not cost the others."""
    nan = float('nan')
    lengths = torch.tensor([[nan, 4.0, 5.0], [6.0, 6.0, 6.0]])
    assert [fault(outputs.crystals_of_pt(pt(lengths=lengths))[0])] == ['non_finite']
    assert fault(outputs.crystals_of_pt(pt(lengths=-lengths))[1]) == 'zero_volume'
    flat = torch.tensor([[10.0, 10.0, 170.0], [90.0, 90.0, 90.0]])
    assert fault(outputs.crystals_of_pt(pt(angles=flat))[0]) == 'zero_volume'
    assert fault(outputs.crystals_of_pt(pt(atom_types=torch.tensor([12, 8, 0])))[1]) == 'unknown_element'
    assert fault(outputs.crystals_of_pt(pt(atom_types=torch.tensor([12, 8, 119])))[1]) == 'unknown_element'
    assert fault(outputs.crystals_of_pt(pt(atom_types=torch.full((3, 100), nan)))[0]) == 'non_finite'
    empty = outputs.crystals_of_pt(pt(num_atoms=torch.tensor([3, 0])))
    assert fault(empty[1]) == 'unreadable'
    assert len(structures(empty[:1])[0]) == 3


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'frac_coords': None}, '`frac_coords`'),
        ({'angles': None}, '`lattices`'),
        ({'num_atoms': torch.tensor([2, 2])}, '4 atoms are announced'),
        ({'num_atoms': torch.tensor([-1, 4])}, 'not whole'),
        ({'lengths': torch.ones(3, 3), 'angles': torch.ones(3, 3)}, '3 cells'),
        ({'atom_types': torch.ones(3, 7)}, 'neither numbers nor scores'),
        ({'atom_types': torch.tensor([12.5, 8, 55])}, 'fractions'),
        ({'frac_coords': torch.ones(3, 2)}, 'not fit together'),
        ({'frac_coords': torch.ones(2, 3, 3)}, 'numbers of evaluations'),
        ({'num_atoms': 'x'}, 'not fit together'),
    ],
)
def test_files_that_are_not_whole(changes, words):
    """Tables that are missing or do not fit are refused with a sentence, never read in part."""
    with pytest.raises(UnusableError, match=words):
        outputs.crystals_of_pt(pt(**changes))


def test_other_pt_files():
    """A `.pt` of other things, or an unsafe one, is refused with a sentence."""
    buffer = io.BytesIO()
    torch.save([torch.ones(2)], buffer)
    with pytest.raises(UnusableError, match='generated crystals'):
        outputs.crystals_of_pt(buffer.getvalue())
    with pytest.raises(safe_pickle.UnreadableError, match='no zip'):
        outputs.crystals_of_pt(b'text')


@pytest.mark.parametrize(
    ('base', 'text', 'count'),
    [
        ('gen_0.cif', 'data_x\n', None),
        ('a.csv', 'material_id,cif\nx,y\n', None),
        ('output_221_struct.csv', 'cif\n"{}"\n', 1),
        ('a.json', '[{"lattice": {}, "sites": []}]', None),
        ('genes.json', '[{"group": 1, "sites": [["1a"]], "species": ["Mg"], "numIons": [1]}]', 1),
        ('seed-1.res', 'TITL x\nEND\n', 1),
        ('gatheredposcars', 'EA1\nEA2\n', 2),
        ('pso_opt_3', '1\nx\nDirect\n', 1),
        ('output_221.csv', 'L,X,A,W,M\n"[]","[]","[]","[]","[]"\n', 1),
    ],
)
def test_files_by_name(base, text, count):
    """Each kind of file goes to its reader; what others read is left to them."""
    items = outputs.items_of(base, text.encode())
    assert (None if items is None else len(items)) == count
    check_mgo_and_caesium(outputs.items_of('eval_gen.pt', pt()))


def test_genes_are_rows_with_a_reason():
    """A gene among imported files is no crystal, and says why."""
    text = '[{"group": 1, "sites": [["1a"]], "species": ["Mg"], "numIons": [1]}]'
    assert fault(outputs.items_of('genes.json', text.encode())[0]) == 'no_coordinates'


@needs_data
@pytest.mark.filterwarnings('ignore:No Pauling electronegativity')
def test_published_diffcsp():
    """All 10,000 crystals of DiffCSP: counts, elements and cells as torch and pymatgen read them, in seconds."""
    path = DATA / 'diffcsp' / 'published' / 'DiffCSP_mp_20.pt'
    start = time.process_time()
    items = outputs.crystals_of_pt(path.read_bytes())
    crystals = [crystal_arrays.crystal(content) for _, _, content, _ in items]
    assert time.process_time() - start < 10
    true = torch.load(path, weights_only=False)
    stops = torch.cumsum(true['num_atoms'], 0).tolist()
    assert (len(crystals), sum(len(c['numbers']) for c in crystals)) == (10_000, 104_337)
    assert [number for c in crystals for number in c['numbers']] == true['atom_types'].tolist()
    volumes = []
    for i, found in enumerate(crystals):
        lattice = Lattice.from_parameters(*true['lengths'][i].tolist(), *true['angles'][i].tolist())
        cell = np.array(found['cell'])
        np.testing.assert_allclose(cell @ cell.T, lattice.metric_tensor, atol=1e-6 * lattice.metric_tensor.max())
        volumes.append((np.linalg.det(cell), lattice.volume))
        places = true['frac_coords'][stops[i] - len(found['numbers']) : stops[i]].numpy()
        np.testing.assert_allclose(np.array(found['positions']) @ np.linalg.inv(cell), places, atol=1e-6)
    np.testing.assert_allclose(*np.transpose(volumes), rtol=1e-6)
    with gzip.open(path.with_name('DiffCSP_mp_20.ehull.csv.gz'), 'rt') as stream:
        for row in csv.DictReader(stream):
            symbols = [Element.from_Z(number).symbol for number in crystals[int(row['str_ind'])]['numbers']]
            # The table was made with standardised cells.
            assert Composition(row['formula']).reduced_formula == Composition(''.join(symbols)).reduced_formula


@needs_data
@pytest.mark.parametrize('folder', ['tiny_run', 'tiny_checkpoint_gen'])
def test_own_diffcsp_runs(folder):
    """The layout of DiffCSP's present code, with scores and a namespace, is read whole."""
    path = DATA / 'diffcsp' / folder / 'eval_gen_run0.pt'
    found = structures(outputs.crystals_of_pt(path.read_bytes()))
    true = torch.load(path, weights_only=False)
    assert [len(structure) for structure in found] == true['num_atoms'].tolist() == [6, 10, 6, 20]
    numbers = [number for structure in found for number in structure.atomic_numbers]
    assert numbers == (true['atom_types'].argmax(dim=1) + 1).tolist()
    for structure, lengths, angles in zip(found, true['lengths'].tolist(), true['angles'].tolist(), strict=True):
        np.testing.assert_allclose(structure.lattice.parameters, lengths + angles, rtol=1e-6)


EXTXYZ = """2
Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"
Na 0 0 0
Cl 1.5 1.5 1.5
1
Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"
Cu 0 0 0
"""


def cif_zip(*formulas: str) -> bytes:
    """Return a zip as MatterGen writes it, with little more than formulas."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for number, formula in enumerate(formulas):
            if formula:
                archive.writestr(f'gen_{number}.cif', f'data_image0\n_chemical_formula_sum  "{formula}"\n')
    return buffer.getvalue()


def test_mattergens_zip_is_compared():
    """A zip that lacks crystals, holds another one, or is cut short is noticed; a good one is not."""
    assert outputs.mattergen_difference(EXTXYZ, cif_zip('Na1 Cl1', 'Cu1')) == ''
    assert 'gen_1.cif is missing' in outputs.mattergen_difference(EXTXYZ, cif_zip('Na1 Cl1'))
    assert 'holds 3 CIFs' in outputs.mattergen_difference(EXTXYZ, cif_zip('Na1 Cl1', 'Cu1', 'Cu1'))
    assert 'gen_1.cif' in outputs.mattergen_difference(EXTXYZ, cif_zip('Na1 Cl1', 'Cu2'))
    assert 'cannot be opened' in outputs.mattergen_difference(EXTXYZ, cif_zip('Na1 Cl1', 'Cu1')[:-30])


@needs_data
def test_true_mattergen_runs():
    """Of the true runs only the one whose temporary file was blocked has a zip that is not the extxyz."""
    words = {}
    for folder in sorted((DATA / 'mattergen').glob('*/generated_crystals.extxyz')):
        archive = folder.with_name('generated_crystals_cif.zip').read_bytes()
        words[folder.parent.name] = outputs.mattergen_difference(folder.read_text(), archive)
    assert len(words) == 6
    assert words.pop('tmpclash') == 'the zip holds 1 CIFs and the extxyz 4 crystals (gen_1.cif is missing)'
    assert set(words.values()) == {''}
