"""Tests of the ranking."""

from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.ranking import order, rank

ENERGIES = st.none() | st.floats(-10, 10)
ROWS = st.lists(
    st.fixed_dictionaries({'id': st.text('abc', min_size=1), 'e_hull': ENERGIES, 'enthalpy': ENERGIES}),
    unique_by=lambda row: row['id'],
)


def test_energy_above_hull_then_enthalpy_then_id() -> None:
    """Ties go down to the id, and unknown values come last."""
    rows = [
        {'id': 'e', 'e_hull': None, 'enthalpy': -9.0},
        {'id': 'd', 'e_hull': 0.0, 'enthalpy': None},
        {'id': 'c', 'e_hull': 0.0, 'enthalpy': -1.0},
        {'id': 'b', 'e_hull': 0.0, 'enthalpy': -1.0},
        {'id': 'a', 'e_hull': 0.1, 'enthalpy': -5.0},
        {'id': 'f'},
    ]
    assert order(rows) == ['b', 'c', 'd', 'a', 'e', 'f']
    assert rank(rows)['b'] == 1


@given(rows=ROWS, seed=st.randoms())
def test_order_of_the_input_does_not_matter(rows, seed) -> None:
    """Any permutation of the rows is ranked alike."""
    shuffled = list(rows)
    seed.shuffle(shuffled)
    assert order(shuffled) == order(rows)
