"""Tests of the priority."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.priority import desirability, priority, share_known, terms

VALUES = st.none() | st.floats(-1e6, 1e6)
SCALES = st.tuples(st.floats(-100, 100), st.floats(-100, 100)).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-6)


def test_the_mean_of_the_desirabilities_by_weight():
    """Worked by hand: 0.05 of 0.1 eV/atom is half, stable is one, weights two and one."""
    full = terms({'e_hull': 2, 'phonon_verdict': 1})
    row = {'e_hull': 0.05, 'phonon_verdict': 'stable'}
    assert priority(row, full) == pytest.approx((2 * 0.5 + 1 * 1.0) / 3)
    assert priority({**row, 'e_hull': -0.2}, full) == 1.0
    assert priority({**row, 'e_hull': 0.3, 'phonon_verdict': 'unstable'}, full) == 0.0


def test_an_unknown_value_counts_as_the_worst_unless_told_otherwise():
    """Ignorance is never rewarded by default; null makes the priority unknown, and the share that is known is told."""
    row = {'e_hull': 0.0, 'phonon_verdict': None}
    weights = {'e_hull': 3, 'phonon_verdict': 1}
    assert priority(row, terms(weights)) == pytest.approx(0.75)
    assert priority(row, terms({**weights, 'phonon_verdict': {'weight': 1, 'unknown': 0.5}})) == pytest.approx(0.875)
    assert priority(row, terms({**weights, 'phonon_verdict': {'weight': 1, 'unknown': None}})) is None
    assert share_known(row, weights) == pytest.approx(0.75)


@given(scale=SCALES, first=st.floats(-1e3, 1e3), second=st.floats(-1e3, 1e3), weight=st.floats(0.1, 10))
def test_a_better_value_never_has_a_lower_priority(scale, first, second, weight):
    """Every transform is monotone from worst to best, and stays between 0 and 1."""
    best, worst = scale
    full = terms({'x': {'weight': weight, 'best': best, 'worst': worst}, 'e_hull': 1})
    better, other = (min, max) if best < worst else (max, min)
    high = priority({'x': better(first, second), 'e_hull': 0.02}, full)
    low = priority({'x': other(first, second), 'e_hull': 0.02}, full)
    assert 0 <= low <= high <= 1


def test_a_flag_is_best_when_true():
    """Columns of truth values need no scale."""
    full = terms({'novel_known': 1}, frozenset({'novel_known'}))
    assert [desirability(value, full['novel_known']) for value in (True, False, None)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ('weight', 'text'),
    [
        (-1, 'no number from 0 on'),
        (float('inf'), 'no number from 0 on'),
        (1, 'needs its `best` and `worst`'),
        ({'best': 1}, 'needs its `best` and `worst`'),
        ({'best': 1, 'worst': 1}, 'are the same'),
        ({'best': 1, 'worst': 0, 'values': {'a': 1}}, 'not both'),
        ({'values': {'a': 2}}, 'between 0 and 1'),
        ({'best': 1, 'worst': 0, 'unknown': 2}, 'between 0 and 1'),
        ({'best': 1, 'worst': 0, 'goal': 'min'}, 'no key `goal`'),
    ],
)
def test_a_term_that_means_nothing_is_refused(weight, text):
    """With a sentence that names the column."""
    with pytest.raises(ValueError, match=text) as error:
        terms({'hardness': weight})
    assert '`hardness`' in str(error.value)
