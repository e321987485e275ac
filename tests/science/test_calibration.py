"""Tests of the comparison of a potential with DFT."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.calibration import (
    FEWEST,
    bootstrap,
    calibrate,
    confusion,
    corrected_sun,
    errors_of,
    margin,
)
from aiida_crystalgen.science.metrics import TAUS, sun, wilson

distances = st.one_of(st.none(), st.floats(-0.3, 0.3))
rows_of_all_kinds = st.lists(
    st.fixed_dictionaries(
        {
            'e_hull': distances,
            'dft_e_hull': distances,
            'valid_relaxed': st.sampled_from([True, True, False, None]),
            'unique': st.sampled_from([True, True, False, None]),
            'novel_known': st.sampled_from([True, True, False, None]),
        }
    ),
    max_size=30,
)


def checked(e_hull: float | None, dft: float | None, **columns: object) -> dict[str, object]:
    """Return a valid, unique and novel row with both energies above the hull."""
    known = {'valid_relaxed': True, 'unique': True, 'novel_known': True}
    status = 'failed' if dft is None else 'finished'
    return {**known, 'e_hull': e_hull, 'dft_e_hull': dft, 'dft_status': status, **columns}


def test_confusion_tells_the_four_cases_apart() -> None:
    """The limit itself is stable; shares have Wilson intervals."""
    rows = [checked(0.0, 0.05), checked(0.05, 0.2), checked(0.2, 0.01), checked(0.2, 0.2), checked(0.01, 0.0)]
    found = confusion(rows, 0.05)
    assert [found[name] for name in ('both', 'potential_only', 'dft_only', 'neither')] == [2, 1, 1, 1]
    assert found['precision'] == {'count': 2, 'rate': 2 / 3, 'low': wilson(2, 3)[0], 'high': wilson(2, 3)[1]}
    assert found['agreement']['rate'] == 3 / 5


def test_nothing_checked_is_unknown_and_not_zero() -> None:
    """Without rows that both judged, every share, error and margin is unknown."""
    found = calibrate([checked(0.0, None)], 10, seed=1)
    assert (found['tried'], found['finished'], found['compared']) == (1, 0, 0)
    assert found['confusion']['0']['precision']['rate'] is None
    assert found['errors']['e_hull']['mae'] == {'value': None, 'low': None, 'high': None}
    assert found['margin']['value'] is None
    assert found['sun']['0']['count'] is None
    assert (found['sun']['0']['low'], found['sun']['0']['high']) == (0, 1)


@given(rows=rows_of_all_kinds, tau=st.sampled_from(TAUS))
def test_every_row_that_both_judged_is_in_one_cell(rows: list[dict[str, object]], tau: float) -> None:
    """The four cells add up to the rows that both judged."""
    both = [row for row in rows if row['e_hull'] is not None and row['dft_e_hull'] is not None]
    found = confusion(both, tau)
    assert sum(found[name] for name in ('both', 'potential_only', 'dft_only', 'neither')) == len(both)


@given(rows=rows_of_all_kinds)
def test_sun_of_the_potential_is_that_of_the_funnel(rows: list[dict[str, object]]) -> None:
    """The count that is corrected is the one of the funnel, and the correction never adds to it."""
    requested = len(rows) + 1
    for entry in sun(rows, requested):
        found = corrected_sun(rows, requested, entry['tau'])
        assert found['potential'] == (entry['sun']['count'] or 0)
        assert found['confirmed'] <= found['low'] + 1e-9
        assert found['low'] <= found['high'] + 1e-9
        assert found['high'] <= found['potential'] + 1e-9
        if found['count'] is not None:
            assert found['low'] - 1e-9 <= found['count'] <= found['high'] + 1e-9


def test_sun_is_exact_where_dft_judged_all() -> None:
    """With nothing left to guess the interval has no width."""
    found = corrected_sun([checked(0.0, 0.0), checked(0.0, 0.3)], 10, 0.0)
    assert (found['count'], found['low'], found['high'], found['rate']) == (1, 1, 1, 0.1)


def test_sun_extends_the_share_to_what_was_not_judged() -> None:
    """Half of the judged hold, so half of the others are expected to."""
    rows = [checked(0.0, 0.0), checked(0.0, 0.3), *(checked(0.0, None) for _ in range(4))]
    found = corrected_sun(rows, 100, 0.0)
    low, high = wilson(1, 2)
    assert (found['count'], found['rate']) == (3.0, 0.03)
    assert (found['low'], found['high']) == (1 + 4 * low, 1 + 4 * high)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.integers(0, 2**32 - 1))
def test_bootstrap_depends_on_its_seed_alone(values: list[float], seed: int) -> None:
    """The same seed makes the same interval, within the values."""
    array = np.array(values)
    low, high = bootstrap(array, lambda x: x.mean(axis=-1), seed)
    assert (low, high) == bootstrap(array, lambda x: x.mean(axis=-1), seed)
    assert array.min() - 1e-9 <= low <= high <= array.max() + 1e-9


def test_bootstrap_has_the_width_of_the_normal_approximation() -> None:
    """For many values the interval of the mean is that of the standard error."""
    values = np.random.default_rng(3).normal(0.02, 0.05, 400)
    low, high = bootstrap(values, lambda x: x.mean(axis=-1), 7)
    error = values.std() / 20
    assert (low, high) == (
        pytest.approx(values.mean() - 1.96 * error, abs=0.001),
        pytest.approx(values.mean() + 1.96 * error, abs=0.001),
    )


def test_errors_are_potential_minus_dft() -> None:
    """Sign, magnitude and spread of two errors of opposite sign."""
    found = errors_of([(0.1, 0.0), (0.0, 0.3)], 1)
    assert (found['n'], found['mean']['value'], found['mae']['value']) == (2, pytest.approx(-0.1), pytest.approx(0.2))
    assert found['rmse']['value'] == pytest.approx(np.sqrt(0.05))
    assert errors_of([(0.1, 0.0)], 1)['mean'] == {'value': pytest.approx(0.1), 'low': None, 'high': None}


def test_volumes_are_compared_relatively() -> None:
    """A cell 2 % too large is 0.02, whatever its size."""
    rows = [checked(0.0, 0.0, volume=10.2, dft_volume=10.0), checked(0.0, 0.0, volume_pa=20.4, dft_volume=20.0)]
    assert calibrate(rows[:1], 1, 1)['errors']['volume']['mean']['value'] == pytest.approx(0.02)
    found = calibrate(rows[1:], 1, 1, columns={'volume': 'volume_pa'})
    assert found['errors']['volume']['mean']['value'] == pytest.approx(0.02)


def test_margin_keeps_the_share_that_it_promises() -> None:
    """Of crystals with the same errors, 95 % of those stable in DFT pass a limit widened by the margin."""
    rng = np.random.default_rng(11)
    kept = []
    for _ in range(400):
        found = margin(rng.normal(0.03, 0.02, 12).tolist())
        kept.append(float((rng.normal(0.03, 0.02, 200) <= found['value']).mean()))
    assert np.mean(kept) == pytest.approx(0.95, abs=0.01)


def test_margin_is_never_negative_and_needs_some_crystals() -> None:
    """A potential that is too optimistic needs no margin; a few crystals tell none."""
    assert margin([-0.1] * FEWEST)['value'] == 0
    few = margin([0.1] * (FEWEST - 1))
    assert few['value'] is None
    assert few['reason'] == f'fewer than {FEWEST} crystals were compared'
