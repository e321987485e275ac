"""Rates of crystal structure prediction: how many known crystals were found, and how well.

Everything counts over what was requested: a candidate that was lost or rejected anywhere matches nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .identity import PROFILES
from .metrics import rate

LOWER = 1e-3
"""Candidates are lower than a target if they are by more than this [eV/atom], the noise of a relaxation."""

DEPTHS = (1, 5, 20, 100)
"""Numbers of first candidates at which rates are given, besides all of them."""

DEFINITIONS = {
    'k': 'The first k candidates of each draw count, in the order in which they were drawn, or by their enthalpy.',
    'match_rate': 'Share of the draws in which at least one of the first k candidates matches a target of the draw: a '
    'known crystal of the composition and number of formula units that were asked for. With the tolerance loose and '
    'one target a draw this is the match rate of the literature, which also asks candidates to be charge-neutral by '
    'its own rules.',
    'rmse': 'Mean over the matched draws of the smallest displacement among the first k candidates; draws without a '
    'match do not count, so that it can fall when fewer are matched. The literature calls it RMSE; it is a mean.',
    'metre': 'Share of the targets that at least one of the first k candidates of the generator matches, whichever '
    'draw of that reduced formula it is from (METRe, Martirossyan et al., arXiv:2509.12178).',
    'crmse': 'Mean over all targets of the smallest displacement; a target that is missed counts with the tolerance '
    'of sites (cRMSE, of the same work).',
    'displacement': 'Root mean square displacement of the best mapping by pymatgen, the smaller of both directions.',
    'interval': '95 % Wilson score interval.',
    'lower': f'More than {LOWER:g} eV/atom below the lowest target of the formula, both relaxed alike.',
}
UNITS = {'rmse': '(V/N)^(1/3)', 'crmse': '(V/N)^(1/3)', 'energy_over_target': 'eV/atom'}


@dataclass(frozen=True)
class Candidate:
    """One candidate of a draw; one that was lost or rejected before it was compared matches nothing."""

    matches: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Displacement by tolerance for every target, by id, that it matches."""
    enthalpy: float | None = None
    """Enthalpy [eV/atom], unknown before relaxation."""
    over_target: float | None = None
    """Enthalpy over that of the lowest target of the formula [eV/atom]."""


@dataclass(frozen=True)
class Draw:
    """The candidates that one generator was asked for, for one composition and number of formula units."""

    targets: tuple[str, ...]
    """Ids of the known crystals of that composition."""
    requested: int
    candidates: tuple[Candidate, ...]
    """In the order in which they were drawn."""

    def by_enthalpy(self) -> Draw:
        """Return the same draw with the lowest candidate first; those of unknown enthalpy come last."""
        ordered = sorted(self.candidates, key=lambda one: (one.enthalpy is None, one.enthalpy or 0.0))
        return Draw(self.targets, self.requested, tuple(ordered))

    def best(self, target: str, tolerance: str, depth: int) -> float | None:
        """Return the smallest displacement of the first candidates from a target, None without a match."""
        found = (one.matches.get(target, {}).get(tolerance) for one in self.candidates[:depth])
        return min((value for value in found if value is not None), default=None)


def rates_at(draws: Sequence[Draw], tolerance: str, depth: int) -> dict[str, Any]:
    """Return match rate, RMSE, METRe and cRMSE of the first candidates of each draw at one tolerance."""
    matched = [_smallest(draw.best(target, tolerance, depth) for target in draw.targets) for draw in draws]
    hits = [value for value in matched if value is not None]
    targets = sorted({target for draw in draws for target in draw.targets})
    recalled = [_smallest(draw.best(target, tolerance, depth) for draw in draws) for target in targets]
    found = [value for value in recalled if value is not None]
    missed = PROFILES[tolerance].stol
    return {
        'match_rate': rate(len(hits), len(draws)),
        'rmse': statistics.fmean(hits) if hits else None,
        'metre': rate(len(found), len(targets)),
        'crmse': statistics.fmean(missed if value is None else value for value in recalled) if recalled else None,
    }


def rates(draws: Sequence[Draw]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the rates by tolerance and by number of candidates, as text."""
    most = max((draw.requested for draw in draws), default=0)
    depths = sorted({depth for depth in DEPTHS if depth < most} | {most})
    return {name: {str(depth): rates_at(draws, name, depth) for depth in depths} for name in PROFILES}


def energies(draws: Sequence[Draw]) -> dict[str, Any] | None:
    """Return how the relaxed candidates lie to the targets in energy, None where no energy is known."""
    known = [[one for one in draw.candidates if one.over_target is not None] for draw in draws]
    values = [[float(one.over_target) for one in ones if one.over_target is not None] for ones in known]
    if not any(values):
        return None
    lower = [[one for one in ones if one.over_target is not None and one.over_target < -LOWER] for ones in known]
    below = [one for ones in lower for one in ones]
    return {
        'candidates': sum(map(len, values)),
        'lower_candidates': len(below),
        'lower_and_matching': sum(any('default' in found for found in one.matches.values()) for one in below),
        'lower_draws': rate(sum(bool(ones) for ones in lower), len(draws)),
        'lowest_over_target': statistics.median(min(entries) for entries in values if entries),
    }


def _smallest(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def summary(
    generated: Mapping[str, Sequence[Draw]], relaxed: Mapping[str, Sequence[Draw]] | None = None
) -> dict[str, Any]:
    """Return the rates of every generator, as drawn and as relaxed, with what they mean.

    Args:
        generated: draws by generator, with the matches of the crystals as drawn.
        relaxed: the same draws with the matches and energies of the relaxed crystals, None without a potential.
    """
    generators: dict[str, Any] = {}
    for name, draws in generated.items():
        after = None if relaxed is None else relaxed[name]
        generators[name] = {
            'draws': len(draws),
            'targets': len({target for draw in draws for target in draw.targets}),
            'requested': sum(draw.requested for draw in draws),
            'as_drawn': rates(draws),
            'relaxed': None if after is None else rates(after),
            'relaxed_by_enthalpy': None if after is None else rates([draw.by_enthalpy() for draw in after]),
            'energies': None if after is None else energies(after),
        }
    tolerances = {name: {'lengths': p.ltol, 'sites': p.stol, 'degrees': p.angle_tol} for name, p in PROFILES.items()}
    return {'generators': generators, 'tolerances': tolerances, 'definitions': DEFINITIONS, 'units': UNITS}
