"""Which choices may follow, so that every finished list of sites is one that symmetry and wishes allow.

Sites come in the order of their elements (`elements.rank`), those of one element in the order of their letters; a
position without free coordinates holds one site. A wish is a condition that is kept by construction.
"""

from __future__ import annotations

import dataclasses
import functools

from .elements import N_ELEMENTS, rank
from .table import LETTERS, Group, group
from .tokens import END, MAX_SITES

MAX_ATOMS = 52
UNLIMITED = 1000


class WishError(ValueError):
    """Wishes that contradict each other, or that no crystal can keep."""


@dataclasses.dataclass(frozen=True)
class Wishes:
    """Conditions on the list of sites.

    :ivar space_groups: numbers to choose from.
    :ivar allowed: atomic numbers that may occur; `required` are those that must.
    :ivar formula: pairs of atomic number and amount; the primitive cell holds whole multiples of it.
    :ivar min_atoms: fewest, `max_atoms` most atoms in the primitive cell.
    :ivar template: letters of all sites, in any order, such as `aab`; needs one space group.
    """

    space_groups: tuple[int, ...] | None = None
    allowed: frozenset[int] | None = None
    required: frozenset[int] = frozenset()
    formula: tuple[tuple[int, int], ...] | None = None
    min_atoms: int = 1
    max_atoms: int = MAX_ATOMS
    template: str | None = None

    def __post_init__(self) -> None:
        if self.template is not None:
            if self.space_groups is None or len(self.space_groups) != 1:
                raise WishError('a Wyckoff template needs exactly one space group')
            known = LETTERS[: len(group(self.space_groups[0]).positions)]
            if not self.template or set(self.template) - set(known):
                raise WishError(f'space group {self.space_groups[0]} has the letters {known}, not `{self.template}`')
        if self.formula is not None and (self.allowed is not None or self.required):
            raise WishError('a formula says already which elements occur; leave the other wishes on elements out')
        if self.allowed is not None and self.required - self.allowed:
            raise WishError('an element is required that is not allowed')
        if not 1 <= self.min_atoms <= self.max_atoms:
            raise WishError(f'no number of atoms lies between {self.min_atoms} and {self.max_atoms}')

    @functools.cached_property
    def elements(self) -> tuple[int, ...]:
        """Return the atomic numbers that may occur, in order of rank."""
        if self.formula is not None:
            return tuple(sorted((number for number, _ in self.formula), key=rank))
        allowed = self.allowed if self.allowed is not None else range(1, N_ELEMENTS + 1)
        return tuple(sorted(allowed, key=rank))

    def groups(self) -> list[int]:
        """Return the space groups that can keep the wishes.

        :raises WishError: there is none.
        """
        found = [number for number in self.space_groups or range(1, 231) if Sites(group(number), self).completable()]
        if not found:
            raise WishError('no space group of those allowed can hold these atoms; allow more atoms or more groups')
        return found


class Sites:
    """The sites chosen so far of one crystal, and what may follow them.

    :ivar chosen: atomic number and letter of each site.
    """

    def __init__(self, space_group: Group, wishes: Wishes) -> None:
        self.group, self.wishes = space_group, wishes
        self.chosen: list[tuple[int, int]] = []
        self.atoms = 0
        self.sizes = [space_group.size(letter) for letter in range(len(space_group.positions))]
        if wishes.template is not None:
            free = [wishes.template.count(name) for name in LETTERS[: len(self.sizes)]]
        else:
            # A position with free coordinates holds any number of sites.
            free = [UNLIMITED if position.axes else 1 for position in space_group.positions]
        self.free: tuple[int, ...] = tuple(free)

    def add(self, number: int, letter: int) -> None:
        """Add a site."""
        self.chosen.append((number, letter))
        self.atoms += self.sizes[letter]
        self.free = _without(self.free, letter)

    def elements(self) -> list[int]:
        """Return the atomic numbers that the next site may have; `END` where the list may end."""
        found = [END] if self._may_end() else []
        if len(self.chosen) == MAX_SITES:
            return found
        last = rank(self.chosen[-1][0]) if self.chosen else 0
        missing = [rank(number) for number in self.wishes.required - {number for number, _ in self.chosen}]
        most = min(missing, default=N_ELEMENTS + 1)
        candidates = [number for number in self.wishes.elements if last <= rank(number) <= most]
        if missing and MAX_SITES - len(self.chosen) <= len(missing):
            candidates = [number for number in candidates if rank(number) == most]
        if self.wishes.formula is not None:
            return found + [number for number in candidates if self.letters(number)]
        # All elements but the last one find the same letters.
        letters = (
            any(self._letter_fits(letter, candidates[-1]) for letter in range(len(self.free))) if candidates else False
        )
        same = [number for number in candidates if rank(number) == last and self.letters(number)]
        return found + same + [number for number in candidates if rank(number) > last and letters]

    def letters(self, number: int) -> list[int]:
        """Return the letters that the next site may have, if it is of this element."""
        first = self.chosen[-1][1] if self.chosen and self.chosen[-1][0] == number else 0
        return [letter for letter in range(first, len(self.free)) if self._letter_fits(letter, number)]

    def completable(self) -> bool:
        """Return whether some list of sites keeps the wishes, from the beginning."""
        return bool(self.elements())

    def _letter_fits(self, letter: int, number: int) -> bool:
        """Return whether the list can still be completed after a site."""
        wishes = self.wishes
        if not self.free[letter] or self.atoms + self.sizes[letter] > wishes.max_atoms:
            return False
        free = _without(self.free, letter)
        atoms = self.atoms + self.sizes[letter]
        if wishes.formula is not None:
            return self._formula_fits(number, letter, free, atoms)
        missing = len(wishes.required - {number, *(other for other, _ in self.chosen)})
        if wishes.template is not None:
            # Letters before this one are left to elements that come later.
            later = wishes.elements[-1] != number or not any(free[:letter])
            rest = sum(size * left for size, left in zip(self.sizes, free))
            return later and sum(free) >= missing and wishes.min_atoms <= atoms + rest <= wishes.max_atoms
        return _reaches(atoms, missing, wishes, tuple(self.sizes), free)

    def _may_end(self) -> bool:
        wishes = self.wishes
        if not self.chosen or not wishes.min_atoms <= self.atoms <= wishes.max_atoms:
            return False
        if wishes.required - {number for number, _ in self.chosen} or (wishes.template is not None and any(self.free)):
            return False
        if wishes.formula is None:
            return True
        counts = self._counts()
        return any(all(counts.get(n, 0) == units * amount for n, amount in wishes.formula) for units in self._units())

    def _counts(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for number, letter in self.chosen:
            counts[number] = counts.get(number, 0) + self.sizes[letter]
        return counts

    def _units(self) -> range:
        """Return the numbers of formula units that the limits of atoms allow."""
        size = sum(amount for _, amount in self.wishes.formula or ())
        return range(max(1, -(-self.wishes.min_atoms // size)), self.wishes.max_atoms // size + 1)

    def _formula_fits(self, number: int, letter: int, free: tuple[int, ...], atoms: int) -> bool:
        """Return whether the formula can be completed after a site, for some number of formula units."""
        amounts = dict(self.wishes.formula or ())
        counts = self._counts()
        counts[number] = counts.get(number, 0) + self.sizes[letter]
        order = self.wishes.elements
        place = order.index(number)
        for units in self._units():
            left = [units * amounts[other] - counts.get(other, 0) for other in order]
            if any(left[:place]) or min(left) < 0:
                continue
            rest, places = tuple(left[place:]), MAX_SITES - len(self.chosen) - 1
            if _fills(rest, letter, free, tuple(self.sizes), places, self.wishes.template is not None):
                return True
        return False


def _without(free: tuple[int, ...], letter: int) -> tuple[int, ...]:
    """Return the places left at each letter after one was taken."""
    if free[letter] == UNLIMITED:
        return free
    return (*free[:letter], free[letter] - 1, *free[letter + 1 :])


@functools.lru_cache(maxsize=100_000)
def _fills(
    left: tuple[int, ...], first: int, free: tuple[int, ...], sizes: tuple[int, ...], places: int, exhaust: bool
) -> bool:
    """Return whether sites can take up the atoms left of each element, the first one's from a letter on.

    :param places: most sites; `exhaust` says whether all free places must be taken as well.
    """
    if not left:
        return not (exhaust and any(free))
    if left[0] == 0:
        return _fills(left[1:], 0, free, sizes, places, exhaust)
    if sum(left) > places * max(sizes):
        return False
    # Large sites first: they leave most places.
    for letter in range(len(sizes) - 1, first - 1, -1):
        if free[letter] and sizes[letter] <= left[0]:
            rest = (left[0] - sizes[letter], *left[1:])
            if _fills(rest, letter, _without(free, letter), sizes, places - 1, exhaust):
                return True
    return False


@functools.lru_cache(maxsize=100_000)
def _reaches(atoms: int, missing: int, wishes: Wishes, sizes: tuple[int, ...], free: tuple[int, ...]) -> bool:
    """Return whether `missing` more elements fit, and some number of atoms within the limits can be reached."""
    places = sorted(size for size, left in zip(sizes, free) for _ in range(min(left, missing)))
    if atoms + sum(places[:missing]) > wishes.max_atoms or len(places) < missing:
        return False
    reached = 1 << atoms
    for size, left in zip(sizes, free):
        for _ in range(min(left, (wishes.max_atoms - atoms) // size)):
            reached |= reached << size
    return any(reached >> total & 1 for total in range(max(atoms, wishes.min_atoms), wishes.max_atoms + 1))
