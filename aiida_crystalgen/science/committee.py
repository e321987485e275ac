"""What several potentials say of one crystal: how far they are apart, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .gates import TOLERANCE


def summarise(distances: Sequence[float | None], limit: float) -> dict[str, Any]:
    """Return the spread of energies above the hull [eV/atom] and the share of agreement with the first of them.

    Args:
        distances: by potential, that of the campaign first; None where it is unknown.
        limit: energy above the hull up to which a crystal counts as stable [eV/atom].
    """
    known = [value for value in distances if value is not None]
    found: dict[str, Any] = {'committee_size': len(known), 'e_hull_spread': None, 'stable_agreement': None}
    if len(known) > 1:
        found['e_hull_spread'] = max(known) - min(known)
    if len(known) > 1 and distances[0] is not None:
        verdicts = [value <= limit + TOLERANCE for value in known]
        found['stable_agreement'] = verdicts.count(verdicts[0]) / len(verdicts)
    return found
