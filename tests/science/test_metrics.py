"""Tests of the rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.metrics import cost, funnel, rate, sun, wilson


def survivor(**columns: object) -> dict[str, object]:
    """Return a row that reached the hull."""
    return {'valid_relaxed': True, 'unique': True, 'e_hull': 0.0, 'novel_known': True, 'smact_valid': True, **columns}


@pytest.mark.parametrize(
    ('k', 'n', 'low', 'high'),
    [(395, 1024, 0.356, 0.416), (386, 1000, 0.3563, 0.4166), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_wilson_intervals_of_published_numbers(k: int, n: int, low: float, high: float) -> None:
    """The intervals agree with tables of the Wilson score."""
    assert wilson(k, n) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3))


@given(n=st.integers(1, 10**5), share=st.floats(0, 1))
def test_wilson_interval_holds_the_rate(n: int, share: float) -> None:
    """The interval lies in [0, 1] and holds the observed rate."""
    k = round(share * n)
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1


@pytest.mark.parametrize(('k', 'n'), [(2, 1), (-1, 1), (0, 0)])
def test_wilson_refuses_impossible_counts(k: int, n: int) -> None:
    """Counts that cannot be are an error."""
    with pytest.raises(ValueError, match='have no interval'):
        wilson(k, n)


def test_sun_counts_over_all_requested_at_each_limit() -> None:
    """The denominator is what was requested; duplicates and invalid rows never count."""
    rows = [
        survivor(),
        survivor(e_hull=0.03),
        survivor(e_hull=0.07, rejected_stage='filter'),
        survivor(e_hull=-0.2, unique=False),
        survivor(e_hull=-0.2, valid_relaxed=False),
        survivor(novel_known=False),
        {'rejected_stage': 'prescreen'},
    ]
    rates = sun(rows, 20, level='mlip:abc')
    assert [entry['sun']['count'] for entry in rates] == [1, 2, 3]
    assert [entry['stable']['count'] for entry in rates] == [2, 3, 4]
    assert rates[2]['sun']['rate'] == 3 / 20
    assert (rates[2]['sun']['low'], rates[2]['sun']['high']) == wilson(3, 20)
    assert rates[2]['label'] == 'SUN@0.1[mlip:abc]'


def test_untested_novelty_is_counted_both_ways() -> None:
    """Not tested is once not novel and once, as the literature has it, novel."""
    rows = [survivor(), survivor(novel_known=None), survivor(novel_known=False)]
    at_zero = sun(rows, 10)[0]
    assert (at_zero['sun']['count'], at_zero['sun_untested_novel']['count']) == (1, 2)
    assert at_zero['n_novelty_untested'] == 1


def test_unknown_is_none_and_never_zero() -> None:
    """Without energies there is no rate of stability, without any test of novelty no strict S.U.N. rate."""
    no_energy = sun([survivor(e_hull=None)], 10)[0]
    assert (no_energy['stable']['count'], no_energy['sun']['rate']) == (None, None)
    no_test = sun([survivor(novel_known=None)], 10)[0]
    assert (no_test['stable']['count'], no_test['sun']['count'], no_test['sun_untested_novel']['count']) == (1, None, 1)


@pytest.mark.parametrize('test', ['valid_relaxed', 'unique'])
def test_a_test_that_was_left_out_makes_the_count_unknown(test: str) -> None:
    """A screen without validity after relaxation, say of crystals that are not relaxed, counts nothing as zero."""
    assert sun([survivor(**{test: None})], 10)[0]['sun']['count'] is None


def test_nothing_survived_is_zero() -> None:
    """A campaign whose rows all failed before the hull has a rate of zero."""
    assert sun([{'rejected_stage': 'relax'}] * 5, 5)[0]['sun']['count'] == 0


def test_v_sun_asks_the_composition_as_well() -> None:
    """Of two S.U.N. crystals one has a composition that SMACT accepts."""
    assert sun([survivor(), survivor(smact_valid=False)], 2)[0]['v_sun']['count'] == 1


def test_funnel_adds_up() -> None:
    """What entered a stage is what the stage before kept; missing rows are lost where they are made."""
    rows = [
        {'rejected_stage': 'generate', 'rejected_reason': 'adapter_error'},
        {'rejected_stage': 'prescreen', 'rejected_reason': 'atoms_too_close'},
        {'rejected_stage': 'prescreen', 'rejected_reason': 'atoms_too_close'},
        {'rejected_stage': 'prescreen', 'rejected_reason': 'duplicate'},
        {'rejected_stage': None},
        {},
    ]
    table = funnel(rows, requested=8)
    assert [(row['stage'], row['entered'], row['kept']) for row in table] == [
        ('generate', 8, 5),
        ('prescreen', 5, 2),
        ('relax', 2, 2),
        ('postscreen', 2, 2),
        ('filter', 2, 2),
    ]
    assert table[0]['reasons'] == {'missing': 2, 'adapter_error': 1}
    assert table[1]['reasons'] == {'atoms_too_close': 2, 'duplicate': 1}


def test_cost_per_crystal_and_per_sun_crystal() -> None:
    """Seconds and evaluations are summed over jobs; per nothing, they are unknown."""
    jobs = [
        {'seconds': {'rows': 10.0, 'wall': 6.0}, 'evaluations': 400, 'counts': {'finished': 5}, 'device': 'cpu'},
        {'seconds': {'rows': 2.0, 'wall': 2.0}, 'evaluations': 80, 'counts': {'finished': 1}, 'device': 'cpu'},
    ]
    figures = cost({'relax': jobs}, n_sun=2)
    assert figures['stages']['relax']['seconds_per_crystal'] == 2.0
    assert figures['stages']['relax']['evaluations_per_crystal'] == 80
    assert (figures['seconds_per_sun'], figures['evaluations_per_sun']) == (6.0, 240)
    assert cost({'relax': jobs}, n_sun=0)['seconds_per_sun'] is None
    assert cost({'relax': [{}]})['seconds'] is None


def test_rate_of_an_unknown_count_is_unknown() -> None:
    """No count, no rate."""
    assert rate(None, 10) == {'count': None, 'rate': None, 'low': None, 'high': None}
