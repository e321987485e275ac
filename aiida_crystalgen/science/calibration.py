"""A potential against DFT, on the crystals that both judged.

Rows are plain dictionaries of columns. What only one of the two knows counts nowhere, and is counted as such. Checked
are the best of a ranking and no random sample: what the numbers say holds for crystals that were chosen alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gates import TOLERANCE
from .metrics import TAUS, rate

Row = Mapping[str, Any]
Array = NDArray[np.float64]

RESAMPLES = 2000
"""Resamples of a bootstrap interval (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13)."""

COVERAGE = 0.95
"""Share of the crystals that are stable in DFT which the recommended limit of a screen is to keep."""

FEWEST = 5
"""Fewest crystals that a margin is recommended from: below, its own error is as large as itself."""

DEFINITIONS = {
    'confusion': 'Crystals that both call stable, that one of them alone does, that neither does; stable is an energy '
    'above the hull of at most the limit. Each has its own hull: the potential that of the phases it relaxed, DFT that '
    'of the phases recomputed at its own level.',
    'precision': 'Share of the crystals stable for the potential that are stable in DFT.',
    'recall': 'Share of the checked crystals stable in DFT that are stable for the potential; what the screen removed '
    'was never checked, so that the true one is lower.',
    'errors': 'Potential minus DFT; of volumes, relative to DFT.',
    'interval': '95 %: Wilson score for shares, percentile bootstrap for means.',
    'sun': 'S.U.N. crystals of the potential that DFT confirmed, and of those it has not judged the share that it '
    'confirmed of the others. Crystals that the screen removed are not added: a lower bound.',
    'margin': 'What to add to a limit meant in DFT to get the limit of a screen by the potential: the upper '
    f'{COVERAGE:.0%} prediction bound of the error of the next crystal (Student t), never negative.',
}


def calibrate(
    rows: Sequence[Row], requested: int, seed: int, taus: Sequence[float] = TAUS, columns: Mapping[str, str] = {}
) -> dict[str, Any]:
    """Return confusion tables, errors with intervals, corrected S.U.N. rates and a recommended margin.

    Args:
        rows: survivors and rejected rows with `e_hull`, `dft_e_hull` [eV/atom] and what else is known of them.
        requested: number of crystals asked of the generators.
        seed: seed of the bootstrap.
        taus: limits of stability [eV/atom].
        columns: other names of the columns, by the names used here.
    """
    rows = [{**row, **{name: row.get(other) for name, other in columns.items()}} for row in rows]
    tried = [row for row in rows if row.get('dft_status') is not None]
    both = [row for row in rows if row.get('e_hull') is not None and row.get('dft_e_hull') is not None]
    distances = errors_of(_pairs(rows, 'e_hull', 'dft_e_hull'), seed)
    return {
        'tried': len(tried),
        'finished': sum(row['dft_status'] == 'finished' for row in tried),
        'compared': len(both),
        'confusion': {f'{tau:g}': confusion(both, tau) for tau in taus},
        'errors': {
            'e_hull': {'unit': 'eV/atom', **distances},
            'formation_energy': {
                'unit': 'eV/atom',
                **errors_of(_pairs(rows, 'formation_energy', 'dft_formation_energy'), seed),
            },
            'volume': {'unit': '', **errors_of(_relative(_pairs(rows, 'volume', 'dft_volume')), seed)},
        },
        'sun': {f'{tau:g}': corrected_sun(rows, requested, tau) for tau in taus},
        'margin': margin([a - b for a, b in _pairs(rows, 'e_hull', 'dft_e_hull')]),
        'definitions': DEFINITIONS,
    }


def confusion(rows: Iterable[Row], tau: float) -> dict[str, Any]:
    """Return how often potential and DFT agree on stability at a limit [eV/atom], over rows that both judged."""
    verdicts = [(_stable(row['e_hull'], tau), _stable(row['dft_e_hull'], tau)) for row in rows]
    both, potential, dft = (verdicts.count(pair) for pair in ((True, True), (True, False), (False, True)))
    n = len(verdicts)
    return {
        'both': both,
        'potential_only': potential,
        'dft_only': dft,
        'neither': n - both - potential - dft,
        'precision': rate(both, both + potential),
        'recall': rate(both, both + dft),
        'agreement': rate(n - potential - dft, n),
    }


def errors_of(pairs: Sequence[tuple[float, float]], seed: int) -> dict[str, Any]:
    """Return mean, mean absolute and root mean square of first minus second, with intervals; None where unknown."""
    errors = np.array([first - second for first, second in pairs], dtype=float)
    measures: dict[str, Callable[[Array], Array]] = {
        'mean': lambda values: values.mean(axis=-1),
        'mae': lambda values: np.abs(values).mean(axis=-1),
        'rmse': lambda values: np.sqrt((values**2).mean(axis=-1)),
    }
    return {'n': len(errors), **{name: _measured(errors, measure, seed) for name, measure in measures.items()}}


def bootstrap(values: Array, measure: Callable[[Array], Array], seed: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of a measure of at least two values.

    Args:
        values: shape (n,).
        measure: takes arrays of shape (..., n) to shape (...).
        seed: seed of the resampling.
    """
    indices = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(measure(values[indices]), [0.025, 0.975])
    return float(low), float(high)


def _measured(errors: Array, measure: Callable[[Array], Array], seed: int) -> dict[str, float | None]:
    if not len(errors):
        return {'value': None, 'low': None, 'high': None}
    low, high = bootstrap(errors, measure, seed) if len(errors) > 1 else (None, None)
    return {'value': float(measure(errors)), 'low': low, 'high': high}


def corrected_sun(rows: Sequence[Row], requested: int, tau: float) -> dict[str, Any]:
    """Return the S.U.N. count of the potential at a limit [eV/atom], and what is left of it after DFT.

    The interval is that of the share that DFT confirms; where DFT judged all of them the count is exact.
    """
    counted = [row for row in rows if _is_sun(row, tau)]
    judged = [row for row in counted if row.get('dft_e_hull') is not None]
    confirmed = sum(_stable(row['dft_e_hull'], tau) for row in judged)
    unjudged = len(counted) - len(judged)
    share = rate(confirmed, len(judged))
    found: dict[str, Any] = {
        'potential': len(counted),
        'judged': len(judged),
        'confirmed': confirmed,
        'share': share,
    }
    for name, of in (('count', 'rate'), ('low', 'low'), ('high', 'high')):
        # Without any judged crystal only the ends are known: none of the others holds, or all of them do.
        ends = {'rate': None, 'low': 0.0, 'high': 1.0}
        part = ends[of] if share['rate'] is None else share[of]
        found[name] = None if part is None and unjudged else confirmed + unjudged * (part or 0.0)
    found['rate'] = None if found['count'] is None or requested <= 0 else found['count'] / requested
    return found


def margin(errors: Sequence[float]) -> dict[str, Any]:
    """Return what a screen by the potential should add to a limit meant in DFT [eV/atom].

    Args:
        errors: energy above the hull by the potential minus that by DFT [eV/atom].
    """
    n = len(errors)
    if n < FEWEST:
        return {'value': None, 'n': n, 'coverage': COVERAGE, 'reason': f'fewer than {FEWEST} crystals were compared'}
    from scipy.stats import t

    spread = float(np.std(errors, ddof=1)) * math.sqrt(1 + 1 / n)
    bound = float(np.mean(errors)) + float(t.ppf(COVERAGE, n - 1)) * spread
    return {'value': max(0.0, bound), 'n': n, 'coverage': COVERAGE, 'reason': None}


def _is_sun(row: Row, tau: float) -> bool:
    """Say whether the potential counts a row as stable, unique and novel, as `metrics.sun` does."""
    is_final = row.get('valid_relaxed') is True and row.get('unique') is True
    return is_final and row.get('novel_known') is True and _stable(row.get('e_hull'), tau)


def _stable(distance: float | None, tau: float) -> bool:
    return distance is not None and distance <= tau + TOLERANCE


def _pairs(rows: Iterable[Row], first: str, second: str) -> list[tuple[float, float]]:
    """Return both values of the rows that have both."""
    pairs = ((row.get(first), row.get(second)) for row in rows)
    return [(float(a), float(b)) for a, b in pairs if a is not None and b is not None]


def _relative(pairs: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(a / b, 1.0) for a, b in pairs if b > 0]
