"""Sameness of crystals: the symmetric match graph and its connected components, independent of any order.

Definitions: match(a, b) = fit(a, b) or fit(b, a) of pymatgen's StructureMatcher (Ong et al., Comput. Mater. Sci. 68,
314, 2013) within one reduced formula; a group is a connected component of that graph. One addition: the matcher
compares primitive cells, which it finds within 0.25 A, so a rattle of 0.05 A can change what it finds (in 2 of 1,000
known crystals). Where the primitive cells of two crystals differ in size but the cells as given do not, a strict fit of
the latter counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .crystal import CompositionKey, Crystal
from .geometry import lattice_vectors, reduce_cell

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Profile:
    """Tolerances of a match."""

    ltol: float
    """Relative tolerance of lattice lengths."""
    stol: float
    """Tolerance of sites, in units of (V/N)^(1/3)."""
    angle_tol: float
    """Tolerance of lattice angles [degrees]."""


PROFILES = {
    'strict': Profile(0.1, 0.1, 3),
    'default': Profile(0.2, 0.3, 5),
    'loose': Profile(0.3, 0.5, 10),
}
"""strict; default: that of pymatgen, the Materials Project and MatterGen; loose: that of CDVAE and DiffCSP."""

MAX_SITES = 300
"""Most atoms of a crystal that is compared: finding the primitive cell of larger ones takes more than seconds."""

MAX_LENGTH, MAX_FACE = 60.0, 50.0
"""Longest edge and largest product of the two longest edges, in units of V^(1/3) and V^(2/3), of a reduced cell that is
compared: the time and memory of a fit grow with their third powers."""

_SLACK = 1e-6


class _Cell:
    """A reduced cell that is compared; its lengths are those at unit volume."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        matrix = structure.lattice.matrix * structure.volume ** (-1 / 3)
        self.lengths: NDArray[np.float64] = np.linalg.norm(matrix, axis=1)
        self.sorted_lengths = np.sort(self.lengths)
        _check_shape(self.sorted_lengths)
        self.angles = [math.radians(angle) for angle in structure.lattice.angles]
        self._basis = reduce_cell(matrix)
        self.minima: NDArray[np.float64] = np.linalg.norm(self._basis, axis=1)
        self._reach = 0.0
        self._vectors = np.empty((0, 3))
        self._norms = np.empty(0)

    def shell(self, shortest: float, longest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lattice vectors between two lengths and their lengths."""
        if longest > self._reach:
            self._reach = 1.2 * longest
            self._vectors = lattice_vectors(self._basis, self._reach)
            self._norms = np.linalg.norm(self._vectors, axis=1)
        inside = (self._norms >= shortest) & (self._norms <= longest)
        return self._vectors[inside], self._norms[inside]

    def maps_on(self, other: _Cell, profile: Profile) -> bool:
        """Return whether this lattice, at equal volume, has three vectors like the basis of the other one.

        This is the matcher's own first step, so without such vectors there is no fit.
        """
        stretch = (1 + profile.ltol) * (1 + _SLACK)
        if (self.minima > stretch * other.sorted_lengths).any():
            return False
        units = []
        for length in other.lengths:
            vectors, norms = self.shell(length / stretch, length * stretch)
            units.append(vectors / norms[:, None])
        a, b, c = units
        alpha, beta, gamma = other.angles
        tolerance = math.radians(profile.angle_tol) * (1 + _SLACK) + _SLACK
        bc, ac, ab = (_like(x, y, t, tolerance) for x, y, t in ((b, c, alpha), (a, c, beta), (a, b, gamma)))
        # Three vectors that fit two by two: a path from a over b to c, closed by the pair of a and c.
        return bool(((ab.astype(np.float32) @ bc.astype(np.float32) > 0) & ac).any())


class _Reduced:
    """A crystal in its primitive cell and, where that is asked for, in its cell as given."""

    def __init__(self, crystal: Crystal) -> None:
        # The cell as given is judged first: the reduction itself takes the time and memory of a fit.
        _check_shape(np.linalg.norm(reduce_cell(crystal.cell), axis=1) * crystal.volume ** (-1 / 3))
        if crystal.niggli is None or crystal.primitive is None:
            raise ValueError('the matcher finds no primitive cell')
        self.primitive = _Cell(crystal.primitive)
        self._niggli = crystal.niggli

    @cached_property
    def given(self) -> _Cell:
        """The cell as given, Niggli-reduced."""
        return _Cell(self._niggli)


def _check_shape(lengths: NDArray[np.float64]) -> None:
    """Refuse needles and plates by the ordered lengths of a reduced cell of unit volume."""
    if lengths[2] > MAX_LENGTH or lengths[1] * lengths[2] > MAX_FACE:
        raise ValueError('the cell is too long to be compared')


def _like(first: NDArray[np.float64], second: NDArray[np.float64], angle: float, tolerance: float) -> NDArray[np.bool_]:
    """Return which pairs of unit vectors enclose an angle within a tolerance [radian]."""
    cosines = first @ second.T
    low = math.cos(min(angle + tolerance, math.pi)) - _SLACK
    high = math.cos(max(angle - tolerance, 0.0)) + _SLACK
    inside: NDArray[np.bool_] = (cosines >= low) & (cosines <= high)
    return inside


class Matcher:
    """Says whether two crystals are the same; reduces each crystal once and skips only pairs that cannot match."""

    def __init__(self, profile: str = 'default', max_sites: int = MAX_SITES) -> None:
        if profile not in PROFILES:
            raise ValueError(f'match profile `{profile}` is unknown; choose one of: {", ".join(PROFILES)}')
        self._profile = PROFILES[profile]
        self._max_sites = max_sites
        self._reduced: dict[int, tuple[Crystal, _Reduced | None]] = {}

    def comparable(self, crystal: Crystal) -> bool:
        """Return whether a crystal is one and small enough to be compared with others of its formula."""
        return self._reduce(crystal) is not None

    def match(self, first: Crystal, second: Crystal) -> bool:
        """Return whether two crystals are the same; crystals that cannot be compared match nothing."""
        if first.fault or second.fault or first.composition_key != second.composition_key:
            return False
        one, two = self._reduce(first), self._reduce(second)
        return one is not None and two is not None and self._match(one, two)

    def groups(self, crystals: Sequence[Crystal]) -> list[list[int]]:
        """Return the connected components of the match graph as indices ordered by id, ordered by their first ids."""
        order = sorted(range(len(crystals)), key=lambda i: crystals[i].id)
        parent = list(range(len(crystals)))
        for bucket in _by_formula(order, crystals):
            # Alone in its formula, a crystal need not even be reduced.
            members = {i: reduced for i in bucket if (reduced := self._reduce(crystals[i]))} if len(bucket) > 1 else {}
            self._connect(members, parent)
        found: dict[int, list[int]] = {}
        for i in order:
            found.setdefault(_root(parent, i), []).append(i)
        return list(found.values())

    def _connect(self, members: dict[int, _Reduced], parent: list[int]) -> None:
        """Join all crystals of one formula that match; pairs that are connected already need no comparison."""
        indices = list(members)
        for position, i in enumerate(indices):
            for j in indices[:position]:
                one, two = _root(parent, i), _root(parent, j)
                if one != two and self._match(members[i], members[j]):
                    parent[one] = two

    def _match(self, first: _Reduced, second: _Reduced) -> bool:
        """Return the symmetric verdict."""
        one, two, profile = first.primitive, second.primitive, self._profile
        if len(one.structure) != len(two.structure):
            one, two, profile = first.given, second.given, PROFILES['strict']
        if len(one.structure) != len(two.structure):
            return False
        return _fit(one, two, profile) or _fit(two, one, profile)

    def _reduce(self, crystal: Crystal) -> _Reduced | None:
        """Return the reduced crystal, None if it cannot be compared."""
        known = self._reduced.get(id(crystal))
        if known is None:
            reduced = None
            if crystal.fault is None and crystal.n_sites <= self._max_sites:
                try:
                    reduced = _Reduced(crystal)
                except ValueError:
                    reduced = None
            # The crystal is kept beside the result: an id is unique only among living objects.
            known = self._reduced[id(crystal)] = (crystal, reduced)
        return known[1]


def _fit(first: _Cell, second: _Cell, profile: Profile) -> bool:
    """Return the matcher's directed verdict on two cells of equal size."""
    if not first.maps_on(second, profile):
        return False
    return bool(_matcher(profile).fit(first.structure, second.structure, skip_structure_reduction=True))


@cache
def _matcher(profile: Profile) -> StructureMatcher:
    """Return pymatgen's matcher of a profile."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(profile.ltol, profile.stol, profile.angle_tol)


def _by_formula(indices: Iterable[int], crystals: Sequence[Crystal]) -> Iterable[list[int]]:
    """Return the indices of the crystals of each reduced formula, in the given order."""
    buckets: dict[CompositionKey, list[int]] = {}
    for i in indices:
        if crystals[i].fault is None:
            buckets.setdefault(crystals[i].composition_key, []).append(i)
    return buckets.values()


def _root(parent: list[int], index: int) -> int:
    """Return the representative of a disjoint set, shortening the path to it."""
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def groups(crystals: Sequence[Crystal], profile: str = 'default') -> list[list[int]]:
    """Return the groups of equal crystals as lists of indices, independent of the order of the crystals."""
    return Matcher(profile).groups(crystals)
