"""Convex hulls of competing phases: one for each chemical system, made when it is asked for and kept.

The hull at a composition is the lowest energy of any mixture of phases with that composition (Ong et al., Chem. Mater.
20, 1798, 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import final

from .crystal import CompositionKey
from .diagram import Diagram, Mixture, Phase, System, fractions_of

__all__ = ['MAX_ENUMERATED', 'Hull', 'Phase', 'System', 'parts_of']

MAX_ENUMERATED = 10
"""Most elements of a system whose subsystems are listed, 2^n of them; beyond, the systems that are there are."""

ON_HULL = 1e-9
"""Energy above the hull [eV/atom] up to which a phase counts as one of its corners."""


def parts_of(system: System) -> Iterator[System]:
    """Yield the systems within a system of at most `MAX_ENUMERATED` elements, the smallest first, itself last."""
    if len(system) <= MAX_ENUMERATED:
        for n in range(1, len(system) + 1):
            yield from combinations(system, n)


@final
class Hull:
    """Competing phases at one pressure and their convex hull in any chemical system."""

    def __init__(self, phases: Iterable[Phase]) -> None:
        # A fixed order makes the solution independent of the order of the input, to the last digit.
        ordered = sorted(phases, key=lambda phase: (phase.key, phase.enthalpy, phase.id))
        self._by_id = {phase.id: phase for phase in ordered}
        self._blocks: dict[System, list[Phase]] = {}
        for phase in ordered:
            self._blocks.setdefault(phase.system, []).append(phase)
        self._base: Hull | None = None
        self._gone: Phase | None = None
        self._subsystems: dict[System, list[System]] = {}
        self._diagrams: dict[System, Diagram] = {}
        self._levels: dict[System, list[tuple[float, Phase]]] = {}
        self._mixtures: dict[CompositionKey, Mixture] = {}

    def without(self, phase_id: str) -> Hull:
        """Return the hull of the other phases; it shares every chemical system in which the phase plays no part."""
        gone = self._by_id.get(phase_id)
        if gone is None:
            return self
        other = Hull(())
        other._base, other._gone, other._subsystems = self, gone, self._subsystems
        other._blocks = {gone.system: [phase for phase in self._block(gone.system) if phase is not gone]}
        return other

    def phases(self, system: System) -> list[Phase]:
        """Return the phases within a chemical system."""
        return [phase for part in self._parts(system) for phase in self._block(part)]

    def element(self, number: int) -> Phase | None:
        """Return the most stable phase of an element, None if there is none."""
        return next(iter(self._block((number,))), None)

    def missing(self, system: System) -> list[int]:
        """Return the elements of a chemical system that have no phase: without them there is no hull."""
        return [number for number in system if not self._block((number,))]

    def mixture(self, key: CompositionKey) -> Mixture:
        """Return the mixture of lowest energy at a composition; its elements must be there."""
        if key not in self._mixtures:
            system = tuple(number for number, _ in key)
            self._mixtures[key] = self._diagram(system).mixture(fractions_of(key))
        return self._mixtures[key]

    def energy(self, key: CompositionKey) -> float:
        """Return the energy of the hull at a composition [eV/atom]."""
        return sum(amount * phase.enthalpy for amount, phase in self.mixture(key))

    def competing(self, system: System, window: float) -> Mixture:
        """Return the phases within a window of the hull [eV/atom] and their own energies above it, the lowest first.

        Of phases equally near those of more elements come first.
        """
        near = [
            (max(0.0, above), phase)
            for part in self._parts(system)
            for above, phase in self._above(part)
            if above <= window + ON_HULL
        ]
        return sorted(
            near, key=lambda pair: (round(pair[0], 9), -len(pair[1].key), pair[1].formula, pair[1].source, pair[1].id)
        )

    def _block(self, system: System) -> list[Phase]:
        """Return the phases that contain every element of a system and no other, polymorphs by energy."""
        if self._base is not None and system not in self._blocks:
            return self._base._block(system)
        return self._blocks.get(system, [])

    def _parts(self, system: System) -> list[System]:
        """Return the systems within a system, itself included, that have phases."""
        if system not in self._subsystems:
            blocks = self._blocks if self._base is None else self._base._blocks
            if len(system) <= MAX_ENUMERATED:
                found = [part for part in parts_of(system) if part in blocks]
            else:
                elements = set(system)
                found = sorted((part for part in blocks if elements.issuperset(part)), key=lambda p: (len(p), p))
            self._subsystems[system] = found
        return self._subsystems[system]

    def _above(self, system: System) -> list[tuple[float, Phase]]:
        """Return the phases of exactly a system and their energies above the hull."""
        if self._base is not None and not self._touches(system):
            return self._base._above(system)
        if system not in self._levels:
            self._levels[system] = [(phase.enthalpy - self.energy(phase.key), phase) for phase in self._block(system)]
        return self._levels[system]

    def _touches(self, system: System) -> bool:
        """Say whether the phase left out lies in a system."""
        return self._gone is not None and set(self._gone.system) <= set(system)

    def _diagram(self, system: System) -> Diagram:
        """Return the convex hull of a chemical system whose elements are all there."""
        if self._base is not None and not self._touches(system):
            return self._base._diagram(system)
        if system not in self._diagrams:
            self._diagrams[system] = self._new_diagram(system)
        return self._diagrams[system]

    def _new_diagram(self, system: System) -> Diagram:
        if self._base is not None and self._gone is not None and self._gone.system == system and len(system) > 1:
            return self._base._diagram(system).without(self._gone, self._lowest(system))
        return Diagram(system, self._candidates(system))

    def _candidates(self, system: System) -> list[Phase]:
        """Return the phases that can be corners of a hull: the elements come first.

        A phase above the hull of its own elements is above that of any system that contains them.
        """
        elements = [self._block((number,))[0] for number in system]
        smaller = [part for part in self._parts(system) if 1 < len(part) < len(system)]
        corners = [phase for part in smaller for phase in self._corners(part)]
        return elements + corners + (self._lowest(system) if len(system) > 1 else [])

    def _corners(self, system: System) -> list[Phase]:
        """Return the phases of exactly a system that lie on the hull, one for each composition."""
        on_hull = {phase.key: phase for above, phase in reversed(self._above(system)) if above <= ON_HULL}
        return [on_hull[key] for key in sorted(on_hull)]

    def _lowest(self, system: System) -> list[Phase]:
        """Return the phase of lowest energy at each composition of exactly a system."""
        lowest: dict[CompositionKey, Phase] = {}
        for phase in self._block(system):
            lowest.setdefault(phase.key, phase)
        return list(lowest.values())
