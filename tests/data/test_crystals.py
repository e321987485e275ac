"""The columnar layout: construction, selection, joining, files."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.data.columns import Column
from aiida_crystalgen.data.crystals import Crystals, make_column

from .strategies import batches

ENERGY = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'EMT'}
COUNT = {'kind': 'row', 'dtype': 'int', 'shape': []}
FORCES = {'kind': 'site', 'dtype': 'float', 'shape': [3]}
TEXT = {'kind': 'text'}


def pair() -> Crystals:
    """Return a crystal of one atom and one of two."""
    cell, pbc = np.eye(3) * 4, [True, True, True]
    rows = [
        {'id': 'd-0', 'numbers': [12], 'positions': [[0, 0, 0]], 'cell': cell, 'pbc': pbc},
        {'id': 'd-1', 'numbers': [12, 8], 'positions': [[0, 0, 0], [2, 2, 2]], 'cell': cell, 'pbc': pbc},
    ]
    return Crystals.from_rows(rows, {})


def npz(crystals: Crystals) -> bytes:
    """Return the bytes of the file."""
    stream = io.BytesIO()
    crystals.to_npz(stream)
    return stream.getvalue()


@given(batches())
def test_npz_round_trip(crystals):
    """A file gives back the same crystals, and these the same bytes."""
    content = npz(crystals)
    again = Crystals.from_npz(io.BytesIO(content), crystals.meta())
    assert again.equals(crystals)
    assert npz(again) == content


@given(batches())
def test_rows_round_trip(crystals):
    """A batch made of its own rows is the same batch."""
    assert Crystals.from_rows(list(crystals.rows()), crystals.meta()).equals(crystals)


@given(batches(), st.data())
def test_select_is_like_a_list(crystals, data):
    """Rows of a selection are the selected rows, in the order asked for."""
    order = data.draw(st.lists(st.sampled_from(range(len(crystals))), unique=True) if len(crystals) else st.just([]))
    chosen = crystals.select(order)
    rows = list(crystals.rows())
    for place, row in zip(order, chosen.rows(), strict=True):
        assert row['columns'] == rows[place]['columns']
        assert np.array_equal(row['positions'], rows[place]['positions'])
        assert row['id'] == rows[place]['id']


@given(batches(), st.integers(0, 4))
def test_concatenate_joins_what_select_parted(crystals, cut):
    """Two parts of a batch join to the batch."""
    places = np.arange(len(crystals))
    assert Crystals.concatenate([crystals.select(places < cut), crystals.select(places >= cut)]).equals(crystals)


@given(batches())
def test_absent_columns_are_unknown_after_joining(crystals):
    """Where one part lacks a column, its rows are unknown."""
    joined = Crystals.concatenate([Crystals.empty(['x-0', 'x-1']), crystals])
    for name in crystals.columns.keys() - {'id'}:
        assert joined.values(name) == [None, None, *crystals.values(name)]


@pytest.mark.parametrize('key', ['unit', 'level'])
def test_concatenate_refuses_two_meanings_of_a_column(key):
    """Energies of two levels or units never share a column."""
    first = pair().with_columns({'energy': make_column([1.0, 2.0], ENERGY)})
    second = Crystals.empty(['x-0']).with_columns({'energy': make_column([1.0], {**ENERGY, key: 'other'})})
    with pytest.raises(ValueError, match=f'column `energy` has two values of `{key}`'):
        Crystals.concatenate([first, second])


def test_file_holds_no_time_and_no_pickle():
    """Every member of the file has the same fixed date."""
    with zipfile.ZipFile(io.BytesIO(npz(pair()))) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_types_are_fixed():
    """Every array has the little-endian type of the layout, whatever came in."""
    crystals = pair().with_columns({'n': make_column([1, None], COUNT), 'energy': make_column([1, 2], ENERGY)})
    arrays, _ = crystals.to_arrays()
    assert {name: array.dtype.str for name, array in arrays.items()} == {
        'offsets': '<i8', 'numbers': '<i2', 'positions': '<f8', 'cells': '<f8', 'pbc': '|b1', 'c_energy': '<f8',
        'c_id': '|u1', 'o_id': '<i8', 'c_n': '<i8', 'm_n': '|b1',
    }  # fmt: skip


def test_masked_values_are_zeroed():
    """What lies under a mask does not reach the file."""
    energy = Column('row', np.array([3.0, 4.0]), np.array([True, False]))
    forces = Column('site', np.ones((3, 3)), np.array([False, True]))
    crystals = pair().with_columns({'energy': energy, 'forces': forces})
    arrays, _ = crystals.to_arrays()
    assert arrays['c_energy'].tolist() == [0, 4]
    assert arrays['c_forces'].sum(axis=1).tolist() == [3, 0, 0]
    assert crystals.values('energy') == [None, 4]


def test_mask_that_masks_nothing_is_dropped():
    """Equal content has one form only."""
    crystals = pair().with_columns({'energy': Column('row', np.zeros(2), np.zeros(2, bool))})
    assert 'm_energy' not in crystals.to_arrays()[0]


def test_masked_nan_is_unknown_and_not_refused():
    """A mask makes NaN harmless."""
    crystals = pair().with_columns({'energy': Column('row', np.array([np.nan, 1]), np.array([True, False]))})
    assert crystals.values('energy') == [None, 1]


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_non_finite_value_is_refused(value):
    """The sentence names column and row."""
    with pytest.raises(ValueError, match='column `energy` is not finite in row 1'):
        pair().with_columns({'energy': make_column([0.0, value], ENERGY)})


@pytest.mark.parametrize(
    ('values', 'meta', 'sentence'),
    [
        ([1.5, 'a'], ENERGY, 'column `c`, row 1, holds a value that is no float'),
        ([1, 2.5], COUNT, 'column `c`, row 1, holds a value that is no int'),
        ([1, 2**70], COUNT, 'column `c`, row 1, holds a value that is no int'),
        ([1, True], {**COUNT, 'dtype': 'bool'}, 'column `c`, row 0, holds a value that is no bool'),
        ([[1, 2], [1]], {**COUNT, 'shape': [2]}, r'column `c`, row 1, has shape \[1\] where \[2\] is declared'),
        ([[[0, 0, 0]], [[0, 0, 0]]], FORCES, 'column `c`, row 1, has 1 values for 2 sites'),
        (['a', 5], TEXT, 'column `c`, row 1, holds 5, which is no text'),
        (['a', '\ud800'], TEXT, 'column `c`, row 1, holds text that is not valid Unicode'),
        ([1, 2], {'kind': 'table'}, 'column `c`: kind `table` with dtype `float` does not exist'),
    ],
)
def test_wrong_values_are_refused(values, meta, sentence):
    """The sentence names column and row."""
    with pytest.raises(ValueError, match=sentence):
        make_column(values, meta, pair().offsets, 'c')


@pytest.mark.parametrize('name', ['', 'a b', 'é', 'a-b', '../x', 'a\n'])
def test_odd_column_names_are_refused(name):
    """Only letters, digits and underscores make a name."""
    with pytest.raises(ValueError, match='is not a column name'):
        pair().with_columns({name: make_column([1.0, 2.0], ENERGY)})


def test_columns_are_never_overwritten():
    """A second value of a column needs a second name."""
    crystals = pair().with_columns({'energy': make_column([1.0, 2.0], ENERGY)})
    with pytest.raises(ValueError, match='column `energy` exists already'):
        crystals.with_columns({'energy': make_column([1.0, 2.0], ENERGY)})


def test_arrays_are_read_only():
    """Nobody changes a value in place."""
    with pytest.raises(ValueError, match='read-only'):
        pair().positions[0, 0] = 1


def test_ids_are_unique():
    """A row cannot be in a batch twice."""
    with pytest.raises(ValueError, match='the id `d-0` occurs more than once'):
        pair().select([0, 0])


def test_empty_rows_are_filled():
    """A generator gives its zero-atom rows their content."""
    full = pair()
    blank = Crystals.empty(full.ids)
    assert blank.offsets.tolist() == [0, 0, 0]
    filled = blank.with_geometry(full.numbers, full.positions, full.cells, full.pbc, full.offsets)
    assert filled.equals(full)


def test_site_columns_bind_the_number_of_sites():
    """A geometry with other sites would leave site columns without meaning."""
    full = pair().with_columns({'forces': make_column([[[0, 0, 0]], None], FORCES, pair().offsets)})
    with pytest.raises(ValueError, match='the number of sites cannot change'):
        full.with_geometry(full.numbers, full.positions, full.cells, full.pbc, np.array([0, 2, 3]))


@pytest.mark.parametrize('number', [0, 119, -3])
def test_unknown_elements_are_refused(number):
    """The sentence names the row."""
    full = pair()
    with pytest.raises(ValueError, match=f'row 1 holds the atomic number {number}'):
        full.with_geometry(np.array([12, 12, number]), full.positions, full.cells, full.pbc)


def test_rows_whose_parts_disagree_are_refused():
    """Atoms never slip from one crystal into the next."""
    rows = [dict(row) for row in pair().rows()]
    rows[0]['positions'], rows[1]['positions'] = rows[1]['positions'], rows[0]['positions']
    with pytest.raises(ValueError, match='crystal `d-0`: numbers, positions, cell and pbc must have the shapes'):
        Crystals.from_rows(rows, {})


def test_index_is_that_of_the_draw():
    """A row's index follows from its id, not from its place."""
    assert pair().select([1]).row(0)['index'] == 1


@pytest.mark.parametrize('content', [b'', b'no zip', b'PK\x03\x04 cut'])
def test_damaged_file_is_a_sentence(content):
    """Whatever the bytes, the error is one sentence."""
    with pytest.raises(ValueError, match='the arrays cannot be read'):
        Crystals.from_npz(io.BytesIO(content), {})


def test_pickled_file_is_refused():
    """Objects are never unpickled."""
    stream = io.BytesIO()
    np.savez(stream, offsets=np.array([{}], dtype=object))
    stream.seek(0)
    with pytest.raises(ValueError, match='the arrays cannot be read'):
        Crystals.from_npz(stream, {})


def test_text_offsets_never_cut_a_character():
    """Offsets inside a character are refused when the file is read."""
    arrays, meta = pair().to_arrays()
    arrays |= {'c_t': np.frombuffer('éé'.encode(), 'u1'), 'o_t': np.array([0, 1, 4])}
    with pytest.raises(ValueError, match='cut a character in two'):
        Crystals.from_arrays(arrays, {**meta, 't': TEXT})
