"""Distance to the hull at a temperature: harmonic vibrations of crystals and of what they compete with.

The Helmholtz free energy is the enthalpy of the potential plus the vibrational free energy of its phonons at the
relaxed volume; thermal expansion, electrons and disorder are left out. A number is given only where every phase that
could matter is dynamically stable, since an unstable one has no harmonic free energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .crystal import Crystal
from .hull import Hull, Phase

WINDOW = 0.05
"""Phases within this of the hull at 0 K [eV/atom] could be on it at a temperature: vibrations of crystals of one
composition differ by some 0.01 to 0.03 eV/atom at 1000 K (Bartel et al., Nat. Commun. 9, 4168, 2018)."""

ENTHALPY = 'enthalpy'


def phases_that_matter(candidates: Iterable[Crystal], phases: Sequence[Crystal]) -> list[str]:
    """Return the ids of the phases near the hull, at 0 K, of the chemical system of a candidate."""
    hull = Hull(_phases(phases))
    systems = {tuple(number for number, _ in one.composition_key) for one in candidates if one.fault is None}
    near = {phase.id for system in systems for _, phase in hull.competing(system, WINDOW)}
    return [phase.id for phase in phases if phase.id in near]


def distances(candidates: Sequence[Crystal], phases: Sequence[Crystal], column: str) -> list[tuple[float | None, str]]:
    """Return the distance of each candidate to the hull [eV/atom], or None and why it is not known.

    :param phases: those that matter, with column `enthalpy` [eV/atom].
    :param column: the vibrational free energy [eV/atom] at the temperature, in candidates and phases.
    """
    cold = Hull(_phases(phases))
    free = {one.id: energy for one in phases if (energy := _free(one, column)) is not None}
    warm = Hull(Phase(one.id, one.composition_key, free[one.id], '') for one in phases if one.id in free)
    return [_distance(one, column, cold, warm, free) for one in candidates]


def _distance(one: Crystal, column: str, cold: Hull, warm: Hull, free: Mapping[str, float]) -> tuple[float | None, str]:
    """Return the distance of a candidate, or why it is not known."""
    own = _free(one, column)
    if own is None:
        return None, 'it has no free energy: it is unstable, or its phonons are not known'
    system = tuple(number for number, _ in one.composition_key)
    if cold.missing(system):
        return None, 'an element of it has no competing phase'
    without = [phase.formula for _, phase in cold.competing(system, WINDOW) if phase.id not in free]
    if without:
        why = 'it is unstable, or its phonons are not known'
        return None, f'{without[0]} competes with it and has no free energy: {why}'
    return own - warm.energy(one.composition_key), ''


def _free(one: Crystal, column: str) -> float | None:
    """Return the free energy [eV/atom] of a crystal; None where a part of it is unknown."""
    enthalpy, vibrations = one.columns.get(ENTHALPY), one.columns.get(column)
    return None if enthalpy is None or vibrations is None else float(enthalpy) + float(vibrations)


def _phases(crystals: Iterable[Crystal]) -> list[Phase]:
    return [Phase(one.id, one.composition_key, float(one.columns[ENTHALPY]), '') for one in crystals]
