"""Round trips through other packages and formats."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings

from aiida_crystalgen.data.convert import (
    CrystalLossWarning,
    from_ase,
    from_cif,
    from_extxyz,
    from_pymatgen,
    losses,
    to_ase,
    to_cif,
    to_extxyz,
    to_pymatgen,
)
from aiida_crystalgen.data.crystals import Crystals, make_column

from .strategies import batches

PARAMETERS = ('lengths', 'angles')


def assert_same(first: Crystals, second: Crystals, tolerance: float) -> None:
    """Assert equal columns, bit by bit, and equal geometry within the tolerance [Å]."""
    assert first.meta() == second.meta()
    assert [row['columns'] for row in first.rows()] == [row['columns'] for row in second.rows()]
    assert first.ids == second.ids
    for name in ('offsets', 'numbers', 'pbc'):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    for name in ('positions', 'cells'):
        assert np.allclose(getattr(first, name), getattr(second, name), rtol=0, atol=tolerance)


@given(batches())
def test_extxyz_round_trip(crystals):
    """Text keeps geometry bit by bit and every column, unknown values and zero-atom rows included."""
    assert_same(from_extxyz(to_extxyz(crystals)), _as_read(crystals), 0)


@given(batches())
def test_ase_round_trip(crystals):
    """Atoms keep geometry bit by bit and every column."""
    assert_same(from_ase(to_ase(crystals)), _as_read(crystals), 0)


@given(batches(min_sites=1))
def test_pymatgen_round_trip(crystals):
    """Structures keep geometry to 1e-10 and every column."""
    assert_same(from_pymatgen(to_pymatgen(crystals)), _as_read(crystals), 1e-10)


@settings(max_examples=30)
@given(batches(min_sites=1, columns=False))
def test_cif_round_trip(crystals):
    """A CIF keeps cell parameters and places in the cell to 1e-6 Å."""
    from pymatgen.core import Lattice

    assume(len(crystals))
    with pytest.warns(CrystalLossWarning, match='orientation'):
        texts = to_cif(crystals)
    again = from_cif(texts)
    assert again.ids == crystals.ids
    for old, new in zip(crystals.rows(), again.rows(), strict=True):
        before, after = Lattice(old['cell']), Lattice(new['cell'])
        for name in PARAMETERS:
            assert getattr(before, name) == pytest.approx(getattr(after, name), abs=1e-8)
        first = before.get_fractional_coords(old['positions'])
        second = after.get_fractional_coords(new['positions'])
        numbers, found = old['numbers'], new['numbers']
        shift = first[:, None] - second[None]
        distances = np.linalg.norm((shift - np.rint(shift)) @ before.matrix, axis=2)
        same = distances.argmin(axis=1)
        assert sorted(same) == list(range(len(numbers)))
        assert np.array_equal(found[same], numbers)
        assert distances.min(axis=1).max() < 1e-6


def test_ase_itself_reads_our_columns():
    """Plain values arrive in ASE as numbers, words and truth values; the energy a crystal has per atom is not ASE's."""
    from ase.io.extxyz import read_xyz

    crystals = _one(energy=-1.5, converged=True, n_steps=12, formula='MgO')
    atoms = next(read_xyz(_file(to_extxyz(crystals)), index=slice(0, 1)))
    assert atoms.calc is None
    assert atoms.info['crystalgen_energy'] == -1.5
    assert atoms.info['converged'] is True
    assert atoms.info['n_steps'] == 12
    assert atoms.info['formula'] == 'MgO'
    assert atoms.get_chemical_formula() == 'MgO'


def test_frames_without_our_description_keep_their_values():
    """An extended XYZ file of another program: kinds follow from the values, ids from the content."""
    text = (
        '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:load:R:1 gap=1.5 name=rocksalt ok=T\n'
        'Mg 0 0 0 0.5\nO 2 2 2 -0.5\n'
        '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 gap=nan name="a b" n=3\nMg 0 0 0\n'
    )
    crystals = from_extxyz(text)
    assert {name: crystals.values(name) for name in crystals.columns if name != 'id'} == {
        'gap': [1.5, None],
        'load': [[0.5, -0.5], None],
        'n': [None, 3],
        'name': ['rocksalt', 'a b'],
        'ok': [True, None],
    }
    assert crystals.ids == from_extxyz(text).ids
    assert crystals.ids[1].endswith('-1')


def test_foreign_energies_are_not_taken_for_ours():
    """A total energy of another program never becomes the column `energy` (per atom); the loss is warned about."""
    text = '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 energy=-7.5\nMg 0 0 0\n'
    with pytest.warns(CrystalLossWarning, match='calculator results'):
        crystals = from_extxyz(text)
    assert list(crystals.columns) == ['id']


def test_joined_lists_may_describe_different_columns():
    """Images of two batches make one batch."""
    images = [*to_ase(_one(gap=1.0)), *to_ase(Crystals.empty(['x-0']))]
    crystals = from_ase(images)
    assert crystals.values('gap') == [1.0, None]
    assert crystals.columns['gap'].unit == 'made up'


@pytest.mark.parametrize('text', ['no number\n', '2\nLattice="1 2"\nMg 0 0 0\n', '1\n\nQq 0 0 0\n'])
def test_damaged_extxyz_is_a_sentence(text):
    """Whatever the text, the error is one sentence."""
    with pytest.raises(ValueError, match='is no extended XYZ file'):
        from_extxyz(text)


def test_losses_are_named():
    """What a format cannot hold is said before it happens."""
    crystals = Crystals.concatenate([_one(gap=1.0), Crystals.empty(['x-0'])])
    assert losses(crystals, 'extxyz') == losses(crystals, 'ase') == []
    assert losses(crystals, 'pymatgen') == ['crystal `x-0` (no atoms, or a cell without volume)']
    assert losses(crystals, 'structure_data')[1] == 'the columns gap'
    mirrored = crystals.with_geometry(crystals.numbers, crystals.positions, -crystals.cells, ~crystals.pbc)
    assert losses(mirrored, 'cif')[2:4] == ['the open directions of crystal `d-0`', 'the handedness of crystal `d-0`']
    with pytest.raises(ValueError, match='`pdf` is no format'):
        losses(crystals, 'pdf')


def test_rows_that_do_not_fit_are_left_out_with_a_warning():
    """The list of structures is shorter, and says so."""
    with pytest.warns(CrystalLossWarning, match='`x-0`'):
        structures = to_pymatgen(Crystals.concatenate([_one(), Crystals.empty(['x-0'])]))
    assert [structure.properties['id'] for structure in structures] == ['d-0']


def test_nothing_is_warned_about_where_nothing_is_lost():
    """A warning means a loss."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        from_extxyz(to_extxyz(_one(gap=1.0)))


def test_disordered_structures_are_refused():
    """A site of two elements is no crystal of ours."""
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4), [{'Mg': 0.5, 'Zn': 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match='not one atom of one element'):
        from_pymatgen([structure])


def test_oxidation_states_are_lost_with_a_warning():
    """Only the element of a site is kept."""
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4), ['Mg2+', 'O2-'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.warns(CrystalLossWarning, match='oxidation states'):
        crystals = from_pymatgen([structure])
    assert crystals.numbers.tolist() == [12, 8]


def test_foreign_structures_give_their_properties():
    """Properties and site properties of a structure become columns."""
    from pymatgen.core import Lattice, Structure

    sites = {'load': [0.1, 0.2]}
    structure = Structure(Lattice.cubic(4), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]], site_properties=sites)
    structure.properties['label of it'] = 'a'
    crystals = from_pymatgen([structure], ids=['mp-1'])
    assert crystals.row(0)['columns'] == {'label_of_it': 'a', 'load': [0.1, 0.2]}


def test_damaged_cif_is_a_sentence():
    """Whatever the text, the error is one sentence."""
    with pytest.raises(ValueError, match='the CIF of `a` cannot be read'):
        from_cif({'a': 'data_nothing'})


def test_cif_of_close_sites_is_not_merged():
    """Sites that nearly coincide stay two sites: judging them is the criteria's work."""
    crystals = _one()
    close = crystals.with_geometry(crystals.numbers, crystals.positions * 1e-5, crystals.cells, crystals.pbc)
    with pytest.warns(CrystalLossWarning):
        assert len(from_cif(to_cif(close)).numbers) == 2


def _one(**columns) -> Crystals:
    kinds = {str: ('text', 'text'), bool: ('row', 'bool'), int: ('row', 'int'), float: ('row', 'float')}
    metas = {name: kinds[type(value)] for name, value in columns.items()}
    made = {
        name: make_column([columns[name]], {'kind': kind, 'dtype': dtype, 'unit': 'made up'})
        for name, (kind, dtype) in metas.items()
    }
    geometry = {'numbers': [12, 8], 'positions': [[0, 0, 0], [2, 2, 2]], 'cell': np.eye(3) * 4, 'pbc': [True] * 3}
    return Crystals.from_rows([{'id': 'd-0', **geometry}], {}).with_columns(made)


def _file(text):
    import io

    return io.StringIO(text)


def _as_read(crystals: Crystals) -> Crystals:
    """Return what an empty list tells: a file without frames has no columns."""
    return crystals if len(crystals) else Crystals.empty([])
