"""Sameness of crystals: the symmetric match graph and its connected components, independent of any order.

Definitions: match(a, b) = fit(a, b) or fit(b, a) of pymatgen's StructureMatcher (Ong et al., Comput. Mater. Sci. 68,
314, 2013) within one reduced formula; a group is a connected component of that graph. One addition: the matcher
compares primitive cells, which it finds within 0.25 A, so a rattle of 0.05 A can change what it finds (in 2 of 1,000
known crystals). Where the primitive cells of two crystals differ in size but the cells as given do not, a strict fit of
the latter counts.

A reduced cell may come from an index (see `indexing`): the verdicts are those of the crystal as given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .crystal import CompositionKey, Crystal
from .reduction import MAX_SITES, Cell, IncomparableError, Reduced, primitive_cell, structure_of

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher


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


class Matcher:
    """Says whether two crystals are the same; reduces each crystal once and skips only pairs that cannot match."""

    def __init__(self, profile: str = 'default', max_sites: int = MAX_SITES) -> None:
        if profile not in PROFILES:
            raise ValueError(f'match profile `{profile}` is unknown; choose one of: {", ".join(PROFILES)}')
        self._profile = PROFILES[profile]
        self._max_sites = max_sites
        self._reduced: dict[int, tuple[Crystal, Reduced | None]] = {}

    def adopt(self, crystal: Crystal, reduced: Crystal | None) -> None:
        """Take the reduced cell of a crystal from an index, None where the index found it not comparable."""
        if reduced is None or crystal.n_sites > self._max_sites:
            self._reduced[id(crystal)] = (crystal, None)
        else:
            found = Reduced(crystal, lambda: structure_of(reduced), reduced.n_sites)
            self._reduced[id(crystal)] = (crystal, found)

    def comparable(self, crystal: Crystal) -> bool:
        """Return whether a crystal is one and small enough to be compared with others of its formula."""
        return self._reduce(crystal) is not None

    def match(self, first: Crystal, second: Crystal) -> bool:
        """Return whether two crystals are the same; crystals that cannot be compared match nothing."""
        if first.fault or second.fault or first.composition_key != second.composition_key:
            return False
        one, two = self._reduce(first), self._reduce(second)
        return one is not None and two is not None and self._match(one, two)

    def displacement(self, first: Crystal, second: Crystal) -> float | None:
        """Return how far the atoms of one crystal are from those of another, None if the two do not match.

        It is the root mean square displacement in units of (V/N)^(1/3), the smaller of both directions. As in the match
        rates of the literature, two crystals match here if this is within the tolerance of sites; `match` asks that
        of the largest displacement.
        """
        if first.fault or second.fault or first.composition_key != second.composition_key:
            return None
        one, two = self._reduce(first), self._reduce(second)
        if one is None or two is None:
            return None
        if one.n_sites == two.n_sites:
            return _displacement(one.primitive, two.primitive, self._profile)
        if one.n_given != two.n_given or one.given is None or two.given is None:
            return None
        return _displacement(one.given, two.given, PROFILES['strict'])

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

    def _connect(self, members: dict[int, Reduced], parent: list[int]) -> None:
        """Join all crystals of one formula that match; pairs that are connected already need no comparison."""
        indices = list(members)
        for position, i in enumerate(indices):
            for j in indices[:position]:
                one, two = _root(parent, i), _root(parent, j)
                if one != two and self._match(members[i], members[j]):
                    parent[one] = two

    def _match(self, first: Reduced, second: Reduced) -> bool:
        """Return the symmetric verdict."""
        if first.n_sites == second.n_sites:
            return _fit(first.primitive, second.primitive, self._profile)
        if first.n_given != second.n_given or first.given is None or second.given is None:
            return False
        return _fit(first.given, second.given, PROFILES['strict'])

    def _reduce(self, crystal: Crystal) -> Reduced | None:
        """Return the reduced crystal, None if it cannot be compared."""
        known = self._reduced.get(id(crystal))
        if known is None:
            try:
                primitive = primitive_cell(crystal, self._max_sites)
            except IncomparableError:
                reduced = None
            else:
                reduced = Reduced(crystal, lambda: primitive, len(primitive))
            # The crystal is kept beside the result: an id is unique only among living objects.
            known = self._reduced[id(crystal)] = (crystal, reduced)
        return known[1]


def _fit(first: Cell, second: Cell, profile: Profile) -> bool:
    """Return the matcher's verdict on two cells of equal size, in either direction."""
    return _fit_on(first, second, profile) or _fit_on(second, first, profile)


def _fit_on(first: Cell, second: Cell, profile: Profile) -> bool:
    """Return the matcher's directed verdict on two cells of equal size."""
    if not first.maps_on(second, profile.ltol, profile.angle_tol):
        return False
    return bool(_matcher(profile).fit(first.structure, second.structure, skip_structure_reduction=True))


def _displacement(first: Cell, second: Cell, profile: Profile) -> float | None:
    """Return the smaller root mean square displacement of two directions, None if there is no match in either."""
    found = []
    for one, two in ((first, second), (second, first)):
        if one.maps_on(two, profile.ltol, profile.angle_tol):
            distances = _matcher(profile).get_rms_dist(one.structure, two.structure)
            found += [] if distances is None else [float(distances[0])]
    return min(found, default=None)


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
