"""Sameness of crystals: the symmetric match graph and its connected components, independent of any order.

Definitions: match(a, b) = fit(a, b) or fit(b, a) of pymatgen's StructureMatcher (Ong et al., Comput. Mater. Sci. 68,
314, 2013) within one reduced formula; a group is a connected component of that graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .crystal import Crystal
from .geometry import reduce_cell

if TYPE_CHECKING:
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
"""strict; default: pymatgen, Materials Project and MatterGen; loose: CDVAE and DiffCSP."""

MAX_SITES = 300
"""Most atoms of a crystal that is compared: finding the primitive cell of larger ones takes more than seconds."""

MAX_ASPECT = 1e5
"""Largest longest^3/volume of a reduced cell that is compared: needles cost memory with this number."""


@dataclass(frozen=True, eq=False)
class _Reduced:
    """A crystal in the primitive Niggli cell in which the matcher compares it; lengths are those at unit volume."""

    structure: Structure
    lengths: NDArray[np.float64]
    minima: NDArray[np.float64]


class Matcher:
    """Says whether two crystals are the same; reduces each crystal once and skips only pairs that cannot match."""

    def __init__(self, profile: str = 'default', max_sites: int = MAX_SITES) -> None:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        if profile not in PROFILES:
            raise ValueError(f'match profile `{profile}` is unknown; choose one of: {", ".join(PROFILES)}')
        self._profile = PROFILES[profile]
        self._max_sites = max_sites
        self._matcher = StructureMatcher(self._profile.ltol, self._profile.stol, self._profile.angle_tol)
        self._reduced: dict[int, tuple[Crystal, _Reduced | None]] = {}

    def comparable(self, crystal: Crystal) -> bool:
        """Return whether a crystal is one and small enough to be compared with others of its formula."""
        return crystal.fault is None and crystal.n_sites <= self._max_sites and self._reduce(crystal) is not None

    def match(self, first: Crystal, second: Crystal) -> bool:
        """Return whether two crystals are the same; crystals that cannot be compared match nothing."""
        if first.composition_key != second.composition_key:
            return False
        if not (self.comparable(first) and self.comparable(second)):
            return False
        one, two = self._reduce(first), self._reduce(second)
        assert one is not None
        assert two is not None
        return self._fit(one, two) or self._fit(two, one)

    def groups(self, crystals: Sequence[Crystal]) -> list[list[int]]:
        """Return the connected components of the match graph as indices ordered by id, ordered by their first ids."""
        order = sorted(range(len(crystals)), key=lambda i: crystals[i].id)
        parent = list(range(len(crystals)))
        for bucket in _by_formula((i for i in order if crystals[i].fault is None), crystals):
            members = [i for i in bucket if self.comparable(crystals[i])] if len(bucket) > 1 else []
            self._join(members, crystals, parent)
        found: dict[int, list[int]] = {}
        for i in order:
            found.setdefault(_root(parent, i), []).append(i)
        return list(found.values())

    def _join(self, members: list[int], crystals: Sequence[Crystal], parent: list[int]) -> None:
        """Connect all crystals of one formula that match; pairs that are connected already need no comparison."""
        reduced = [entry for i in members if (entry := self._reduce(crystals[i])) is not None]
        lengths = np.array([entry.lengths for entry in reduced])
        minima = np.array([entry.minima for entry in reduced])
        sites = np.array([len(entry.structure) for entry in reduced])
        stretch = (1 + self._profile.ltol) * (1 + 1e-6)
        for i, entry in enumerate(reduced):
            forth = (minima[i] <= stretch * lengths[:i]).all(axis=1)
            back = (minima[:i] <= stretch * lengths[i]).all(axis=1)
            for j in np.flatnonzero((sites[:i] == sites[i]) & (forth | back)):
                one, two = _root(parent, members[i]), _root(parent, members[j])
                if one != two and (self._fit(entry, reduced[j]) or self._fit(reduced[j], entry)):
                    parent[max(one, two)] = min(one, two)

    def _fit(self, first: _Reduced, second: _Reduced) -> bool:
        """Return the matcher's directed verdict.

        The matcher maps a basis of the first lattice, scaled to equal volume, on the lengths of the second within ltol;
        no basis is shorter than the successive minima of its lattice, so a longer minimum excludes a match.
        """
        if len(first.structure) != len(second.structure):
            return False
        if (first.minima > (1 + self._profile.ltol) * (1 + 1e-6) * second.lengths).any():
            return False
        return bool(self._matcher.fit(first.structure, second.structure, skip_structure_reduction=True))

    def _reduce(self, crystal: Crystal) -> _Reduced | None:
        """Return the reduced crystal, None if the matcher cannot reduce or compare it."""
        known = self._reduced.get(id(crystal))
        if known is None:
            # The crystal is kept beside the result: an id is unique only among living objects.
            known = self._reduced[id(crystal)] = (crystal, _reduced(crystal))
        return known[1]


def _reduced(crystal: Crystal) -> _Reduced | None:
    """Return the primitive cell of a crystal with its lengths, None where there is none or it is a needle."""
    structure = crystal.primitive
    if structure is None:
        return None
    lengths = np.sort(structure.lattice.lengths)
    if lengths[2] ** 3 / structure.volume > MAX_ASPECT:
        return None
    scale = structure.volume ** (-1 / 3)
    minima = np.linalg.norm(reduce_cell(structure.lattice.matrix), axis=1)
    return _Reduced(structure, lengths * scale, minima * scale)


def _by_formula(indices: Iterable[int], crystals: Sequence[Crystal]) -> Iterable[list[int]]:
    """Return the indices of each reduced formula, in the given order."""
    buckets: dict[Any, list[int]] = {}
    for i in indices:
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
