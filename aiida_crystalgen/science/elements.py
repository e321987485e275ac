"""Which elements can take each other's place in a crystal.

The rule is MatterGen's modified Hume-Rothery rule (Zeni et al., Nature 639, 624 (2025)), after an analysis of the ICSD.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from functools import cache

from .crystal import symbol_of

MAX_RADIUS_DIFFERENCE, MAX_ELECTRONEGATIVITY_DIFFERENCE = 0.3, 1.0
"""Largest relative difference of atomic radii and largest difference of Pauling electronegativities of elements that
can substitute each other."""

Group = tuple[int, ...]
"""Atomic numbers of elements that are not told apart, ascending."""


def substitute(first: int, second: int) -> bool:
    """Return whether two elements can substitute each other; one of unknown radius or electronegativity cannot."""
    (radius, chi), (other_radius, other_chi) = _size(first), _size(second)
    relative = abs(radius - other_radius) / ((radius + other_radius) / 2)
    return relative <= MAX_RADIUS_DIFFERENCE and abs(chi - other_chi) <= MAX_ELECTRONEGATIVITY_DIFFERENCE


@cache
def substitutable_groups(elements: tuple[int, ...]) -> list[tuple[Group, ...]]:
    """Return the coarsest ways of grouping elements such that all of a group can substitute each other.

    Groups of one element are left out; where no two elements can substitute each other, there is no way.
    """
    pairs = [pair for pair in itertools.combinations(sorted(elements), 2) if substitute(*pair)]
    ways = itertools.product(*map(_coarsest, components(elements, pairs)))
    found = (tuple(group for groups in way for group in groups if len(group) > 1) for way in ways)
    return [groups for groups in found if groups]


def _coarsest(elements: Group) -> list[tuple[Group, ...]]:
    """Return the ways of grouping elements in which no two groups could be one."""
    if _mutual(elements):
        return [(elements,)]
    return [way for way in _groupings(elements) if not any(_mutual(a + b) for a, b in itertools.combinations(way, 2))]


def _groupings(elements: Group) -> Iterator[tuple[Group, ...]]:
    """Yield all ways of grouping elements such that all of a group can substitute each other."""
    if not elements:
        yield ()
        return
    first, *others = elements
    for groups in _groupings(tuple(others)):
        yield ((first,), *groups)
        for i, group in enumerate(groups):
            if _mutual((first, *group)):
                yield (*groups[:i], (first, *group), *groups[i + 1 :])


def _mutual(elements: Group) -> bool:
    return all(substitute(*pair) for pair in itertools.combinations(elements, 2))


def components(elements: Iterable[int], pairs: Iterable[tuple[int, int]]) -> list[Group]:
    """Return the connected components of elements that are joined in pairs."""
    parts = {element: frozenset([element]) for element in elements}
    for first, second in pairs:
        joined = parts[first] | parts[second]
        parts.update(dict.fromkeys(joined, joined))
    return sorted({tuple(sorted(part)) for part in parts.values()})


@cache
def _size(number: int) -> tuple[float, float]:
    """Return the atomic radius [A] and the Pauling electronegativity of an element, NaN where unknown."""
    from pymatgen.core import Element

    element = Element.from_Z(number)
    # pymatgen warns of elements that have no electronegativity.
    with warnings.catch_warnings(action='ignore'):
        return float(element.atomic_radius or 'nan'), float(element.X)


def listed(words: Iterable[str]) -> str:
    """Return words as `a, b and c`."""
    *others, last = words
    return f'{", ".join(others)} and {last}' if others else last


def why_substitutable(group: Group) -> str:
    """Name elements with what makes them similar."""
    radii, electronegativities = zip(*map(_size, group), strict=True)
    return (
        f'{listed(map(symbol_of, group))} (radii {listed(f"{x:.2f}" for x in radii)} A, '
        f'electronegativities {listed(f"{x:.2f}" for x in electronegativities)})'
    )
