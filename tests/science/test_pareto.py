"""Tests of the Pareto fronts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.pareto import front_numbers, pareto_fronts

# Few values, so that ties are frequent; a column may be anything where none is.
POINTS = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(-2, 3) | st.floats(-1, 1), min_size=m, max_size=m), max_size=25)
)


def by_definition(points):
    """Return fronts by removing what nothing dominates, again and again."""
    fronts, left, number = {}, set(range(len(points))), 1
    while left:
        best = {
            i
            for i in left
            if not any(
                all(a <= b for a, b in zip(points[j], points[i], strict=True)) and points[j] != points[i] for j in left
            )
        }
        fronts.update(dict.fromkeys(best, number))
        left, number = left - best, number + 1
    return [fronts[i] for i in range(len(points))]


@given(points=POINTS)
def test_fronts_are_those_of_the_definition(points):
    """Any number of objectives, ties and equal points among them."""
    width = len(points[0]) if points else 2
    assert front_numbers(np.array(points, dtype=float).reshape(len(points), width)) == by_definition(points)


@given(points=POINTS, seed=st.randoms())
def test_order_of_the_rows_does_not_matter(points, seed):
    """Any permutation has the same fronts."""
    rows = [{'id': str(i), **{f'c{k}': value for k, value in enumerate(point)}} for i, point in enumerate(points)]
    objectives = {f'c{k}': 'max' if k % 2 else 'min' for k in range(len(points[0]) if points else 1)}
    shuffled = list(rows)
    seed.shuffle(shuffled)
    found = dict(zip([row['id'] for row in shuffled], pareto_fronts(shuffled, objectives), strict=True))
    assert [found[row['id']] for row in rows] == pareto_fronts(rows, objectives)


def test_an_unknown_objective_is_in_no_front_and_changes_none():
    """A row that is unknown in one objective neither dominates nor is dominated, however good the other one is."""
    rows = [
        {'e': 0.0, 'f': 1.0},
        {'e': -9.0, 'f': None},
        {'e': 0.1, 'f': 0.5},
        {'e': 0.1, 'f': 2.0},
        {'e': 0.0, 'f': 1.0},
    ]
    assert pareto_fronts(rows, {'e': 'min', 'f': 'max'}) == [1, None, 2, 1, 1]


def test_truth_is_better_than_falsehood():
    """A column of truth values is an objective."""
    assert pareto_fronts([{'novel': False}, {'novel': True}], {'novel': 'max'}) == [2, 1]


@pytest.mark.parametrize(
    ('rows', 'objectives', 'text'),
    [
        ([], {}, 'at least one objective'),
        ([], {'e': 'low'}, '`min` or `max`'),
        ([{'e': 'Mg-O'}], {'e': 'min'}, 'no number'),
        ([{'e': float('nan')}], {'e': 'min'}, 'no number'),
    ],
)
def test_what_means_nothing_is_refused(rows, objectives, text):
    """With a sentence."""
    with pytest.raises(ValueError, match=text):
        pareto_fronts(rows, objectives)
