"""Rates of a campaign: stable, unique and novel (S.U.N.) crystals, the funnel and its cost.

Rows are plain dictionaries of an id and columns, survivors and rejected rows together. Unknown stays None, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .gates import TOLERANCE

STAGES = ('generate', 'prescreen', 'relax', 'postscreen', 'filter')
"""Stages at which a row can be rejected, in their order."""

TAUS = (0.0, 0.05, 0.1)
"""Limits of stability [eV/atom]."""

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

Row = Mapping[str, Any]


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of k successes in n trials (Wilson, J. Am. Stat. Assoc. 22, 209, 1927).

    Raises:
        ValueError: unless 0 <= k <= n and n > 0.
    """
    if not 0 <= k <= n or n <= 0:
        raise ValueError(f'{k} successes in {n} trials have no interval')
    rate, weight = k / n, z * z / n
    centre = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / n + weight / (4 * n))
    # At the ends the interval is one-sided; rounding must not move it off the end.
    return 0.0 if k == 0 else max(0.0, centre - half), 1.0 if k == n else min(1.0, centre + half)


def rate(k: int | None, n: int) -> dict[str, Any]:
    """Return count, rate and 95 % interval of k successes among n requested; all None if k is unknown."""
    if k is None or n <= 0:
        return {'count': k, 'rate': None, 'low': None, 'high': None}
    low, high = wilson(k, n)
    return {'count': k, 'rate': k / n, 'low': low, 'high': high}


def sun(
    rows: Iterable[Row], requested: int, level: str = '', novelty: str = 'novel_known', taus: Sequence[float] = TAUS
) -> list[dict[str, Any]]:
    """Return the S.U.N. rates at each limit of stability over all crystals requested.

    Counted are valid representatives of their group. Novelty that was not tested counts once as not novel (`sun`) and
    once as novel (`sun_untested_novel`, the literature's habit); `v_sun` asks SMACT validity of `sun` as well.

    Args:
        rows: survivors and rejected rows; rows that never reached a test count as failed.
        requested: number of crystals asked of the generators.
        level: level of theory of the energies, written into the labels.
        novelty: column of novelty.
        taus: largest energies above the hull that count as stable [eV/atom].
    """
    rows = list(rows)
    final = [row for row in rows if row.get('valid_relaxed') is True and row.get('unique') is True]
    # A screen may leave a test out: of what survived without it nothing is known, which is not the same as none.
    survivors = [row for row in rows if not row.get('rejected_stage')]
    is_tested = all(row.get(name) is not None for row in survivors for name in ('valid_relaxed', 'unique'))
    return [_sun_at(tau, final, requested, level, novelty, is_tested) for tau in taus]


def _sun_at(
    tau: float, final: Sequence[Row], requested: int, level: str, novelty: str, is_tested: bool
) -> dict[str, Any]:
    """Return the rates at one limit of stability."""
    judged = [row for row in final if row.get('e_hull') is not None]
    stable = [row for row in judged if row['e_hull'] <= tau + TOLERANCE]
    tested = [row for row in stable if row.get(novelty) is not None]
    novel = [row for row in tested if row[novelty]]
    # Without any energy, or without any test of novelty of the stable ones, the count is unknown.
    has_energies = bool(judged) or (is_tested and not final)
    has_novelty = has_energies and (bool(tested) or not stable)
    valid = [row.get('smact_valid') for row in novel]
    has_smact = has_novelty and (not novel or any(value is not None for value in valid))
    return {
        'tau': tau,
        'label': f'SUN@{tau:g}' + (f'[{level}]' if level else ''),
        'stable': rate(len(stable) if has_energies else None, requested),
        'sun': rate(len(novel) if has_novelty else None, requested),
        'sun_untested_novel': rate(len(novel) + len(stable) - len(tested) if has_energies else None, requested),
        'v_sun': rate(sum(value is True for value in valid) if has_smact else None, requested),
        'n_stability_unknown': len(final) - len(judged),
        'n_novelty_untested': len(stable) - len(tested),
    }


def funnel(rows: Sequence[Row], requested: int | None = None, stages: Sequence[str] = STAGES) -> list[dict[str, Any]]:
    """Return for each stage how many rows entered, how many were rejected and why, and how many went on.

    Args:
        rows: survivors and rejected rows; the latter have `rejected_stage` and `rejected_reason`.
        requested: number of crystals asked of the generators; by default the number of rows.
        stages: stages in their order; others found in the rows come behind them.
    """
    rejected = [row for row in rows if row.get('rejected_stage')]
    others = sorted({str(row['rejected_stage']) for row in rejected} - set(stages))
    entered = len(rows) if requested is None else requested
    # A row that is missing altogether was lost where it should have been made.
    lost = entered - len(rows)
    table = []
    for position, stage in enumerate([*stages, *others]):
        reasons = Counter(str(row.get('rejected_reason')) for row in rejected if row['rejected_stage'] == stage)
        if position == 0 and lost > 0:
            reasons['missing'] += lost
        kept = entered - reasons.total()
        ordered = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
        table.append({'stage': stage, 'entered': entered, 'rejected': entered - kept, 'kept': kept, 'reasons': ordered})
        entered = kept
    return table


def cost(reports: Mapping[str, Sequence[Mapping[str, Any]]], n_sun: int | None = None) -> dict[str, Any]:
    """Return what each stage cost, per crystal that entered it and per S.U.N. crystal.

    Args:
        reports: for each stage the reports of its jobs, as the harness writes them.
        n_sun: number of S.U.N. crystals; unknown or none leaves the cost of one unknown.
    """
    stages = {stage: _stage_cost(list(jobs)) for stage, jobs in reports.items()}
    seconds = _sum(stage['seconds'] for stage in stages.values())
    evaluations = _sum(stage['evaluations'] for stage in stages.values())
    return {
        'stages': stages,
        'seconds': seconds,
        'evaluations': evaluations,
        'seconds_per_sun': _per(seconds, n_sun),
        'evaluations_per_sun': _per(evaluations, n_sun),
    }


def _stage_cost(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cost of the jobs of one stage."""
    seconds = _sum((job.get('seconds') or {}).get('rows') for job in jobs)
    evaluations = _sum(job.get('evaluations') for job in jobs)
    finished = _sum((job.get('counts') or {}).get('finished') for job in jobs)
    return {
        'devices': sorted({str(job['device']) for job in jobs if job.get('device')}),
        'seconds': seconds,
        'wall_seconds': _sum((job.get('seconds') or {}).get('wall') for job in jobs),
        'evaluations': evaluations,
        'crystals': finished,
        'seconds_per_crystal': _per(seconds, finished),
        'evaluations_per_crystal': _per(evaluations, finished),
    }


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values, None if none is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _per(total: float | None, number: float | None) -> float | None:
    return total / number if total is not None and number else None
