"""Ordered crystals that differ from a known one only in which of some elements sits where.

Definition, after MatterGen (Zeni et al., Nature 639, 624 (2025)): an ordered crystal is no new one if it is

- an ordered cut of a known crystal with mixed sites: same elements, atomic fractions equal within 0.01 plus a tolerance
  (0.1, relative), same crystal where elements that share a site are not told apart; or
- of the formula of a known ordered crystal and the same crystal where elements that can substitute each other are not
  told apart: their atomic radii differ by at most 0.3 of the mean and their electronegativities by at most 1.0.

Implementation: elements that are not told apart become one species, in both crystals; these are reduced to their
primitive cells (L1_0 CuAu becomes the fcc cell of one atom) and compared by the matcher of profile `default`. Where the
cells differ in size, for a distortion can hide the smaller one, the smaller is laid over the larger as a supercell.

Three choices: within a group every pair of elements can substitute (MatterGen chains pairs); elements that share one
kind of site are one species on all sites; a site that is partly vacant may be filled or empty in the cut, where the
filled ones are a subset of the sites of the parent.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .crystal import Crystal, symbol_of
from .elements import Group, components, listed, substitutable_groups, why_substitutable
from .identity import PROFILES, Matcher

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_FRACTION_DIFFERENCE = 0.01
"""Difference of atomic fractions that is always tolerated."""

MAX_SUPERCELL_SITES = 64
"""Most sites of a cell over which a smaller one is laid: the time grows with the third power, here to seconds."""


@dataclass(frozen=True)
class Verdict:
    """What a crystal is of a known one, and why."""

    known: Crystal
    same: bool
    """Whether it is the known crystal; if not, only the composition speaks against it."""
    reason: str
    """A sentence without a full stop."""


@dataclass(frozen=True)
class Alloy:
    """A known crystal with mixed or partly vacant sites."""

    crystal: Crystal
    occupancies: tuple[Mapping[int, float], ...]
    """Occupancies of each site by atomic number."""

    @classmethod
    def from_crystal(cls, crystal: Crystal) -> Alloy | None:
        """Read the column `occupancies`, None where it is unknown: the crystal is ordered.

        Raises:
            ValueError: if it does not describe the sites.
        """
        text = crystal.columns.get('occupancies')
        if text is None:
            return None
        try:
            sites = tuple({number_of(name): float(x) for name, x in site.items()} for site in json.loads(text))
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(f'the occupancies of known crystal `{crystal.id}` cannot be read: {error}') from error
        if len(sites) != crystal.n_sites:
            raise ValueError(f'known crystal `{crystal.id}` has {crystal.n_sites} sites and {len(sites)} occupancies')
        return cls(crystal, sites)

    @cached_property
    def fractions(self) -> dict[int, float]:
        """Atomic fractions by atomic number."""
        totals: Counter[int] = Counter()
        for site in self.occupancies:
            totals.update(site)
        return {number: total / sum(totals.values()) for number, total in totals.items()}

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Elements that share sites, directly or by way of others."""
        pairs = [pair for site in self.occupancies for pair in itertools.pairwise(sorted(site))]
        return tuple(group for group in components(self.fractions, pairs) if len(group) > 1)

    @cached_property
    def vacant(self) -> list[bool]:
        """Which sites are partly vacant."""
        return [sum(site.values()) < 1 - 1e-3 for site in self.occupancies]

    def describe(self) -> str:
        """Say what sits on the mixed sites."""
        mixed = {
            ''.join(f'{symbol}{x:.3g}' for symbol, x in sorted((symbol_of(n), x) for n, x in site.items()))
            for site, vacant in zip(self.occupancies, self.vacant, strict=True)
            if vacant or len(site) > 1
        }
        shared = [listed(sorted(map(symbol_of, group))) for group in self.groups]
        shared += ['atoms and vacancies'] if any(self.vacant) else []
        system = '-'.join(sorted(map(symbol_of, self.fractions)))
        return f'{system} ({self.crystal.name}): {listed(shared)} share sites there ({", ".join(sorted(mixed)[:3])})'


class Substitutions:
    """Compares ordered crystals with known ones without telling some elements apart; reduces each crystal once."""

    def __init__(self, max_sites: int, tolerance: float) -> None:
        self._matcher = Matcher('default', max_sites)
        self._tolerance = tolerance
        self._merged: dict[tuple[int, tuple[Group, ...]], tuple[Crystal, Crystal]] = {}

    def cut_of(self, crystal: Crystal, alloys: Sequence[Alloy]) -> Verdict | None:
        """Return of which alloy of its chemical system a crystal is a cut: of several, the nearest in composition."""
        fractions = {number: count / crystal.n_sites for number, count in Counter(crystal.numbers.tolist()).items()}
        gaps = {id(alloy): _gap(alloy.fractions, fractions) for alloy in alloys}
        other = None
        for alloy in sorted(alloys, key=lambda alloy: (gaps[id(alloy)], alloy.crystal.id)):
            near = all(
                abs(x - fractions[number]) <= MAX_FRACTION_DIFFERENCE + self._tolerance * (x + fractions[number]) / 2
                for number, x in alloy.fractions.items()
            )
            if (near or other is None) and self._is_cut(crystal, alloy, near):
                gap = gaps[id(alloy)]
                composition = 'same composition' if gap < 1e-3 else f'atomic fractions differ by up to {gap:.2f}'
                if near:
                    return Verdict(alloy.crystal, True, f'ordered cut of {alloy.describe()}; {composition}')
                reason = f'on the lattice of {alloy.describe()}; no cut of it as {composition}'
                other = Verdict(alloy.crystal, False, reason)
        return other

    def variant_of(self, crystal: Crystal, known: Iterable[Crystal]) -> Verdict | None:
        """Return of which ordered crystal of its formula a crystal is a variant: the first that is found."""
        groupings = substitutable_groups(tuple(number for number, _ in crystal.composition_key))
        for other in known if groupings else ():
            for groups in groupings:
                one, two = self._merge(crystal, groups), self._merge(other, groups)
                if self._matcher.match(one, two) or self._overlaid(one, two):
                    elements = ', and '.join(map(why_substitutable, groups))
                    reason = f'same crystal as {other.name} but for which of {elements} sits where'
                    return Verdict(other, True, reason)
        return None

    def _is_cut(self, crystal: Crystal, alloy: Alloy, near: bool) -> bool:
        """Return whether a crystal lies on the lattice of an alloy; one far in composition is not laid over it."""
        cut, parent = self._merge(crystal, alloy.groups), self._merge(alloy.crystal, alloy.groups)
        if self._matcher.match(cut, parent):
            return True
        return near and (self._overlaid(cut, parent) or (any(alloy.vacant) and self._is_subset(cut, parent, alloy)))

    def _overlaid(self, first: Crystal, second: Crystal) -> bool:
        """Return whether a supercell of the smaller primitive cell is the larger one."""
        if first.composition_key != second.composition_key:
            return False
        cells = self._cells(first, second)
        if cells is None:
            return False
        small, large = sorted(cells, key=len)
        if len(small) == len(large) or len(large) % len(small) or len(large) > MAX_SUPERCELL_SITES:
            return False
        return _fits(small, large) or _fits(large, small)

    def _is_subset(self, cut: Crystal, parent: Crystal, alloy: Alloy) -> bool:
        """Return whether a crystal occupies some of the sites of a parent with vacancies."""
        cells = self._cells(cut, parent)
        if cells is None or max(map(len, cells)) > MAX_SUPERCELL_SITES:
            return False
        holed = {n for n, vacant in zip(parent.numbers.tolist(), alloy.vacant, strict=True) if vacant}
        whole = [symbol_of(number) for number in sorted(set(parent.numbers.tolist()) - holed)]
        # The size of the supercell is counted in atoms that are never absent, where there are any.
        return _fits(cells[1], cells[0], supercell_size=whole or 'num_sites', allow_subset=True)

    def _cells(self, first: Crystal, second: Crystal) -> tuple[Structure, Structure] | None:
        """Return the primitive cells of two crystals, None where one cannot be compared."""
        if not (self._matcher.comparable(first) and self._matcher.comparable(second)):
            return None
        one, two = first.primitive, second.primitive
        return None if one is None or two is None else (one, two)

    def _merge(self, crystal: Crystal, groups: tuple[Group, ...]) -> Crystal:
        """Return a crystal in which the elements of each group are the first of them."""
        key = (id(crystal), groups)
        if key not in self._merged:
            first = {number: group[0] for group in groups for number in group}
            numbers = np.array([first.get(number, number) for number in crystal.numbers.tolist()], dtype=np.int64)
            merged = Crystal(crystal.id, numbers, crystal.positions, crystal.cell, crystal.pbc)
            # The crystal is kept beside the result: an id is unique only among living objects.
            self._merged[key] = (crystal, merged)
        return self._merged[key][1]


def number_of(symbol: str) -> int:
    """Return the atomic number of an element."""
    from pymatgen.core import Element

    return int(Element(symbol).Z)


def _gap(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    """Return the largest difference of atomic fractions of two crystals of the same elements."""
    return max(abs(x - second[number]) for number, x in first.items())


def _fits(first: Structure, second: Structure, **options: Any) -> bool:
    """Return the matcher's verdict on two reduced cells of which one may be a part of a supercell of the other."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    profile = PROFILES['default']
    matcher = StructureMatcher(profile.ltol, profile.stol, profile.angle_tol, attempt_supercell=True, **options)
    try:
        return bool(matcher.fit(first, second, skip_structure_reduction=True))
    except ValueError:  # The part has more sites than the whole.
        return False
