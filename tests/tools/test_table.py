"""Tests of tables as text."""

import pytest

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.table import as_csv, as_json, column_values, records, shown_columns, table_columns
from tests.handmade import METAS, TEXT, relaxed_rows


@pytest.fixture
def crystals():
    """Return six rows."""
    return Crystals.from_rows(relaxed_rows(), METAS)


def test_csv_is_the_same_every_time(crystals):
    """Equal rows give equal bytes, unknown values are empty, truth is a word."""
    names = ['id', 'formula', 'e_hull', 'novel_known']
    text = as_csv(records(crystals, names), names)
    assert text == as_csv(records(Crystals.from_rows(relaxed_rows(), METAS), names), names)
    lines = text.splitlines()
    assert lines[0] == 'id,formula,e_hull,novel_known'
    assert lines[1].endswith('-0,Al3Cu,0.02,true')
    assert lines[3].endswith(',')


def test_last_bits_do_not_show(crystals):
    """Noise far below any model's accuracy does not change the bytes."""
    rows = [{'x': 0.1 + 0.2}, {'x': 0.3}, {'x': -0.0}]
    assert as_csv(rows, ['x']) == 'x\n0.3\n0.3\n0\n'


def test_text_with_commas_is_quoted():
    """Text keeps its commas, quotes and line breaks."""
    assert as_csv([{'x': 'a, "b"'}], ['x']) == 'x\n"a, ""b"""\n'


def test_json_has_nulls(crystals):
    """Unknown values are null in JSON."""
    assert '"novel_known": null' in as_json(records(crystals, ['novel_known']))


def test_columns_start_with_what_people_look_at(crystals):
    """Id, formula and size come first, the rest is in alphabetical order."""
    names = table_columns(crystals)
    assert names[:3] == ['id', 'formula', 'n_sites']
    assert names[3:] == sorted(names[3:])


def test_columns_without_a_value_are_not_shown(crystals):
    """A column of unknowns takes no room on the screen."""
    rows = [{**row, 'columns': {'formula': 'X', 'generator': None}} for row in relaxed_rows()]
    empty = Crystals.from_rows(rows, {'formula': TEXT, 'generator': TEXT})
    assert shown_columns(empty) == ['id', 'formula', 'n_sites']


def test_unknown_column_is_named(crystals):
    """A column that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match='no column `nothing`; there are: id, formula'):
        column_values(crystals, 'nothing')


def test_formula_of_no_atoms_is_unknown():
    """A crystal that could not be made has no formula."""
    assert column_values(Crystals.empty(['a-0']), 'formula') == [None]
