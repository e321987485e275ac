"""Tests of uniqueness."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_crystalgen.science import uniqueness
from aiida_crystalgen.science.crystal import Crystal
from tests.science.examples import caesium_chloride, crystal, rocksalt, simple_cubic

POOL = [
    rocksalt('a', enthalpy=-5.0),
    rocksalt('b', edge=4.3, enthalpy=-5.2),
    rocksalt('c', edge=4.1, enthalpy=None),
    rocksalt('d', edge=4.2, enthalpy=-5.2),
    caesium_chloride('e', enthalpy=-4.0),
    simple_cubic(29, 'f'),
    crystal([], [], [1, 1, 1], 'g'),
]


def evaluate(crystals: list[Crystal], **parameters: object) -> dict[str, tuple[object, ...]]:
    """Return the columns of each crystal by id."""
    columns = uniqueness.evaluate(crystals, parameters, {})
    rows = zip(*(columns[name] for name in ('unique', 'duplicate_of', 'n_duplicates')), strict=True)
    return {one.id: row for one, row in zip(crystals, rows, strict=True)}


def test_smallest_id_represents_by_default() -> None:
    """Without a preference the smallest id of a group is its representative."""
    found = evaluate(POOL)
    assert found['a'] == (True, None, 4)
    assert found['b'] == (False, 'a', 4)
    assert found['e'] == (True, None, 1)
    assert found['g'] == (None, None, None)


def test_lowest_value_represents_with_ties_by_id_and_unknown_last() -> None:
    """The lowest enthalpy wins, of two equal ones the smaller id, and an unknown one never."""
    found = evaluate(POOL, prefer='enthalpy')
    assert {name for name, row in found.items() if row[0]} == {'b', 'e', 'f'}
    assert found['c'] == (False, 'b', 4)


def test_too_large_crystals_are_unknown_unless_alone_in_their_formula() -> None:
    """What cannot be compared is unknown, but a formula of its own makes a crystal unique at once."""
    found = evaluate(POOL, max_sites=1)
    assert found['a'] == (None, None, None)
    assert found['f'] == (True, None, 1)
    alone = evaluate([rocksalt('a')], max_sites=1)
    assert alone['a'] == (True, None, 1)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(POOL), prefer=st.sampled_from([None, 'enthalpy']))
def test_permuting_the_input_permutes_the_output(order: list[Crystal], prefer: str | None) -> None:
    """The verdict on a crystal does not depend on where it stands."""
    assert evaluate(order, prefer=prefer) == evaluate(POOL, prefer=prefer)
