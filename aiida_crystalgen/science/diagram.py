"""The convex hull of the phases of one chemical system.

Up to five elements it is made of facets found by qhull; a facet is believed only when no phase lies below its plane,
which makes a mixture of its corners the optimum of the linear programme over all phases. Where there is no such facet,
and for six and more elements, the linear programme itself is solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from .crystal import CompositionKey, formula_of

Array = NDArray[np.float64]
System = tuple[int, ...]
"""Atomic numbers of a chemical system in ascending order."""
Mixture = list[tuple[float, 'Phase']]
"""Phases with their amounts as fractions of atoms."""

MAX_FACET_ELEMENTS = 5
"""Most elements of a system whose facets are listed: their number grows too fast with the dimension."""

TOLERANCE = 1e-10
"""Amounts (as fractions) and energies [eV/atom] below this are rounding."""


@dataclass(frozen=True)
class Phase:
    """A competing phase."""

    id: str
    key: CompositionKey
    enthalpy: float
    """[eV/atom]."""
    source: str

    @cached_property
    def system(self) -> System:
        """Chemical system."""
        return tuple(number for number, _ in self.key)

    @cached_property
    def fractions(self) -> Array:
        """Atomic fractions in the order of the chemical system."""
        return fractions_of(self.key)

    @cached_property
    def formula(self) -> str:
        """Reduced formula."""
        return formula_of(self.key)


def fractions_of(key: CompositionKey) -> Array:
    """Return the atomic fractions of a composition in the order of its chemical system."""
    counts = np.array([count for _, count in key], dtype=float)
    fractions: Array = counts / counts.sum()
    return fractions


@final
class Diagram:
    """The convex hull of one chemical system: corners, facets and the chemical potentials on each facet."""

    def __init__(self, system: System, phases: Sequence[Phase], *, find: bool = True) -> None:
        """Take the phases that may be corners, one for each composition, the elements first in their order."""
        self._system, self._phases, n = system, list(phases), len(system)
        column = {number: index for index, number in enumerate(system)}
        self._points = np.zeros((len(self._phases), n))
        for row, phase in enumerate(self._phases):
            self._points[row, [column[number] for number in phase.system]] = phase.fractions
        enthalpies = np.array([phase.enthalpy for phase in self._phases])
        # Relative to the elements energies are small, and phases that bind nothing are no corners.
        self._energies = enthalpies - self._points @ enthalpies[:n]
        self._facets: NDArray[np.int64] = np.empty((0, n), dtype=np.int64)
        self._inverses: Array = np.empty((0, n, n))
        if find and n <= MAX_FACET_ELEMENTS:
            self._facets, self._inverses = self._believed(self._find(np.arange(len(self._phases))))

    def _find(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the facets of the lower hull of some phases; none where qhull finds none."""
        n = len(self._system)
        rows = rows[(self._energies[rows] < -TOLERANCE) | (rows < n)]
        return rows[_lower_facets(self._points[rows], self._energies[rows])]

    def _believed(self, facets: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
        """Return the facets with some volume and no phase below their plane, and the inverses of their corners."""
        corners = self._points[facets]
        solid = np.abs(np.linalg.det(corners)) > 1e-12
        facets, corners = facets[solid], corners[solid]
        inverses = np.linalg.inv(corners)
        potentials = np.einsum('fij,fj->fi', inverses, self._energies[facets])
        supported = (self._energies - potentials @ self._points.T).min(axis=1, initial=np.inf) > -TOLERANCE
        return facets[supported], inverses[supported]

    def without(self, gone: Phase, lowest: Sequence[Phase]) -> Diagram:
        """Return the hull without a phase of the whole system, given the phases of lowest energy that remain there.

        Only the facets around it change: they are cut anew from their other corners and what lay hidden above them.
        """
        if all(phase is not gone for _, phase in self.mixture(gone.fractions)):
            return self
        row = next(row for row, phase in enumerate(self._phases) if phase is gone)
        next_best = [phase for phase in lowest if phase.key == gone.key]
        phases = [*self._phases[:row], *self._phases[row + 1 :], *next_best]
        star = (self._facets == row).any(axis=1)
        if not star.any():
            return Diagram(self._system, phases)
        shares = np.einsum('pi,fij->fpj', self._points, self._inverses[star])
        around = (shares > -TOLERANCE).all(axis=2).any(axis=0)
        around[self._facets[star]] = True
        around = np.append(np.delete(around, row), [True] * len(next_best))
        kept = self._facets[~star]
        others = Diagram(self._system, phases, find=False)
        facets, inverses = others._believed(others._find(np.flatnonzero(around)))
        # No phase came below the facets farther away.
        others._facets = np.concatenate([kept - (kept > row), facets])
        others._inverses = np.concatenate([self._inverses[~star], inverses])
        return others

    def mixture(self, target: Array) -> Mixture:
        """Return the mixture of lowest energy at a composition, the largest amount first."""
        # How deep the composition lies in each facet: its smallest barycentric coordinate there.
        depth = np.einsum('i,fij->fj', target, self._inverses).min(axis=1, initial=np.inf)
        amounts: Array
        if depth.max(initial=-np.inf) > -TOLERANCE:
            chosen = self._facets[depth.argmax()]
            amounts = np.linalg.solve(self._points[chosen].T, target)
        else:
            chosen, amounts = _optimum(self._points, self._energies, target)
        parts = [
            (float(amount), self._phases[i])
            for amount, i in zip(amounts, chosen.tolist(), strict=True)
            if amount > TOLERANCE
        ]
        return sorted(parts, key=lambda part: (-round(part[0], 9), part[1].formula))


def _lower_facets(points: Array, energies: Array) -> NDArray[np.int64]:
    """Return the facets of the lower hull of points, shape (f, n); none where qhull finds none."""
    from scipy.spatial import ConvexHull, QhullError

    count, n = points.shape
    if count <= n:
        return np.arange(count)[None] if count == n else np.empty((0, n), dtype=np.int64)
    # A point above all others gives the body a volume; the facets that look down never hold it.
    above = [*points[:, 1:].mean(axis=0), energies.max() + 1.0]
    try:
        hull = ConvexHull(np.vstack([np.column_stack([points[:, 1:], energies]), above]))
    except QhullError:
        return np.empty((0, n), dtype=np.int64)
    facets: NDArray[np.int64] = hull.simplices[hull.equations[:, -2] < -TOLERANCE].astype(np.int64)
    real: NDArray[np.int64] = facets[(facets < count).all(axis=1)]
    return real


def _optimum(points: Array, energies: Array, target: Array) -> tuple[NDArray[np.int64], Array]:
    """Minimise the energy of amounts x >= 0 of phases that add up to a composition; return the phases and amounts."""
    from scipy.optimize import linprog

    exact = {'primal_feasibility_tolerance': 1e-10, 'dual_feasibility_tolerance': 1e-10}
    solution = linprog(energies, A_eq=points.T, b_eq=target, method='highs', options=exact)
    if not solution.success:
        raise ArithmeticError(f'no mixture of phases was found at the fractions {target.tolist()}: {solution.message}')
    chosen = np.flatnonzero(solution.x > TOLERANCE)
    # The solver is exact to its tolerance; the amounts of the phases that it chose are exact to rounding.
    amounts: Array = np.linalg.lstsq(points[chosen].T, target, rcond=None)[0].astype(np.float64)
    return chosen, amounts
