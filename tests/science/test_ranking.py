"""Tests of the ranking."""

from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.ranking import judge, order, rank, shortlist

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


COLUMNS = st.fixed_dictionaries(
    {
        'id': st.text('abcdef', min_size=1),
        'e_hull': ENERGIES,
        'enthalpy': ENERGIES,
        'hardness': st.none() | st.integers(0, 3),
        'formula': st.none() | st.sampled_from(['MgO', 'CaO', 'BaO']),
        'prototype': st.none() | st.sampled_from(['p', 'q']),
    }
)
TABLES = st.lists(COLUMNS, unique_by=lambda row: row['id'], max_size=12)
RULES = st.sampled_from(
    [
        {},
        {'objectives': {'e_hull': 'min', 'hardness': 'max'}},
        {'weights': {'hardness': {'best': 3, 'worst': 0}, 'e_hull': 1.0}},
        {'weights': {'hardness': {'best': 3, 'worst': 0, 'unknown': None}}, 'objectives': {'e_hull': 'min'}},
    ]
)


@given(rows=TABLES, rules=RULES, seed=st.randoms(), size=st.integers(0, 5))
def test_rules_and_short_list_do_not_depend_on_the_order(rows, rules, seed, size):
    """Any permutation gives every crystal the same front, priority and rank, and the same short list."""
    shuffled = list(rows)
    seed.shuffle(shuffled)
    results = []
    for table in (rows, shuffled):
        judged = {row['id']: entry for row, entry in zip(table, judge(table, rules), strict=True)}
        best_first = sorted(table, key=lambda row: judged[row['id']]['rank'])
        results.append((judged, shortlist(best_first, size, {'max_per_formula': 1, 'max_per_prototype': 2})))
    assert results[0] == results[1]
    assert sorted(entry['rank'] for entry in results[0][0].values()) == list(range(1, len(rows) + 1))


def test_without_rules_the_order_is_that_of_the_energy():
    """The default is what it was."""
    rows = [{'id': 'a', 'e_hull': 0.1}, {'id': 'b', 'e_hull': 0.0}, {'id': 'c', 'e_hull': None}]
    assert judge(rows, {}) == [{'rank': 2}, {'rank': 1}, {'rank': 3}]


def test_fronts_come_in_order_and_weights_go_before_them():
    """The second front is behind the first, however low its energy; with weights the priority decides."""
    rows = [
        {'id': 'a', 'e_hull': 0.00, 'hardness': 1},
        {'id': 'b', 'e_hull': 0.01, 'hardness': 1},
        {'id': 'c', 'e_hull': 0.09, 'hardness': 9},
        {'id': 'd', 'e_hull': -1.0, 'hardness': None},
    ]
    rules = {'objectives': {'e_hull': 'min', 'hardness': 'max'}}
    assert [(entry['pareto_front'], entry['rank']) for entry in judge(rows, rules)] == [
        (1, 1),
        (2, 3),
        (1, 2),
        (None, 4),
    ]
    weighted = judge(rows, {**rules, 'weights': {'hardness': {'best': 9, 'worst': 0}}})
    assert [entry['rank'] for entry in weighted] == [2, 3, 1, 4]
    assert [entry['priority_known'] for entry in weighted] == [1.0, 1.0, 1.0, 0.0]


def test_columns_that_are_not_there_yet_are_left_out():
    """Before the phonons the same rules order by what there is, and say how much of the weight that is."""
    rows = [{'id': 'a', 'e_hull': 0.05}, {'id': 'b', 'e_hull': 0.0}]
    rules = {'weights': {'e_hull': 1.0, 'phonon_verdict': 1.0}, 'objectives': {'phonon_lowest_frequency': 'max'}}
    assert [entry['priority'] for entry in judge(rows, rules)] == [0.5, 1.0]
    assert [(entry['priority_known'], entry['pareto_front']) for entry in judge(rows, rules)] == [(0.5, None)] * 2


def test_a_short_list_holds_no_more_of_a_kind_than_allowed():
    """The next best takes the place; where too few are left the list is shorter, and unknown kinds are not limited."""
    kinds = ['p', 'p', 'p', 'q', None, None]
    rows = [{'id': str(place), 'prototype': kind} for place, kind in enumerate(kinds)]
    assert shortlist(rows, 4) == ['0', '1', '2', '3']
    assert shortlist(rows, 4, {'max_per_prototype': 2}) == ['0', '1', '3', '4']
    assert shortlist(rows, 9, {'max_per_prototype': 1}) == ['0', '3', '4', '5']
