"""From atoms to the one description of a crystal that the model learns. Needs spglib; sampling does not.

A crystal has many descriptions in the setting of its space group: other origins, other axes, other atoms that stand for
a site. All that the normalizer of the space group joins are compared, and the first in this order is taken: letters of
the sites, edges of the cell, coordinates.
"""

from __future__ import annotations

import functools
import typing as t
import warnings

import numpy as np

from .crystal import LEVELS, Site, SymmetricCrystal, coordinate, coordinate_level
from .elements import rank
from .table import Group, group

# Largest distance of an atom from the exact site [fractional].
TOLERANCE = 0.02
# Free coordinates without any symmetry among them.
GENERIC = np.array([0.1237, 0.2891, 0.4133])

Levels = t.Tuple[int, ...]


class EncodingError(ValueError):
    """A crystal that has no such description."""


def encode(numbers: t.Sequence[int], fractional: np.ndarray, cell: np.ndarray, symprec: float) -> SymmetricCrystal:
    """Return the description of a crystal.

    :param fractional: (n, 3) coordinates; `cell` (3, 3) [A], rows are the vectors.
    :param symprec: tolerance of the symmetry search [A].
    :raises EncodingError: no space group was found, or its sites do not fit the atoms.
    """
    number, types, points, conventional = standardize(numbers, fractional, cell, symprec)
    space_group = group(number)
    sites = [
        (element, *match_site(points[orbit], space_group))
        for element, orbit in orbits(types, points, space_group.positions[-1])
    ]
    best = min(
        (description(sites, conventional, space_group, place) for place in best_letters(sites, space_group)),
        key=lambda found: found[0],
    )
    levels, cell = best[1], best[2]
    return SymmetricCrystal(
        number,
        tuple(Site(element, letter, tuple(map(coordinate, free))) for element, letter, free in levels),
        cell,
    )


def standardize(
    numbers: t.Sequence[int], fractional: np.ndarray, cell: np.ndarray, symprec: float
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return space group, atomic numbers, fractional coordinates and conventional cell in the setting of the table.

    :raises EncodingError: spglib finds no space group.
    """
    import spglib

    crystal = (cell, fractional, numbers)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = spglib.get_symmetry_dataset(crystal, symprec)
        if found is not None:
            found = spglib.get_symmetry_dataset(crystal, symprec, hall_number=group(found.number).hall)
    if found is None:
        raise EncodingError('spglib finds no space group')
    return found.number, found.std_types, found.std_positions % 1.0, found.std_lattice


def orbits(types: np.ndarray, points: np.ndarray, general: t.Any) -> t.Iterator[tuple[int, np.ndarray]]:
    """Yield the element and the places of the atoms of each site."""
    left = np.ones(len(points), bool)
    for place, point in enumerate(points):
        if not left[place]:
            continue
        images = general.rotations @ point + general.translations
        offset = images[:, None] - points[None]
        near = (np.abs(offset - np.round(offset)).max(-1) < TOLERANCE) & (types == types[place]) & left
        if not near.any(1).all():
            raise EncodingError('an atom lacks a symmetric partner')
        members = np.flatnonzero(near.any(0))
        left[members] = False
        yield int(types[place]), members


def match_site(points: np.ndarray, space_group: Group) -> tuple[int, np.ndarray]:
    """Return the letter and the free coordinates of a site from its atoms."""
    best: tuple[float, int, np.ndarray] | None = None
    for position in space_group.positions:
        if position.multiplicity != len(points):
            continue
        free, residuals = position.read(points)
        place = int(residuals.argmin())
        if best is None or residuals[place] < best[0] - 1e-4:
            best = float(residuals[place]), position.letter, free[place]
    if best is None or best[0] > TOLERANCE:
        raise EncodingError(
            f'{len(points)} equivalent atoms fit no Wyckoff position of space group {space_group.number}'
        )
    return best[1], best[2]


@functools.lru_cache(maxsize=None)
def permutations(number: int) -> np.ndarray:
    """Return the letters that each operation of the normalizer makes of each letter, (operations, letters)."""
    space_group = group(number)
    result = []
    for turn, shift in zip(*space_group.normalizer):
        row = []
        for position in space_group.positions:
            image = position.atoms(GENERIC[: len(position.axes)]) @ turn.T + shift
            row.append(match_site(image, space_group)[0])
        result.append(row)
    return np.array(result)


def best_letters(sites: t.Sequence[tuple[int, int, np.ndarray]], space_group: Group) -> list[int]:
    """Return the operations of the normalizer that give the first letters."""
    names = permutations(space_group.number)
    keys = [sorted((rank(element), int(row[letter])) for element, letter, _ in sites) for row in names]
    first = min(keys)
    return [place for place, key in enumerate(keys) if key == first]


def description(
    sites: t.Sequence[tuple[int, int, np.ndarray]], cell: np.ndarray, space_group: Group, place: int
) -> tuple[t.Any, list[tuple[int, int, Levels]], np.ndarray]:
    """Return the key, the sites (element, letter, levels) and the cell after an operation of the normalizer."""
    turn, shift = (part[place] for part in space_group.normalizer)
    turned = np.linalg.inv(turn).T @ cell
    names = permutations(space_group.number)[place]
    choices = []
    for element, letter, free in sites:
        image = space_group.positions[letter].atoms(free) @ turn.T + shift
        position = space_group.positions[names[letter]]
        found, residuals = position.read(image)
        choices.append((element, int(names[letter]), found[residuals < 1e-6]))
    ordered = min(_origins(choices, space_group), key=lambda found: [site[2] for site in found])
    edges = [round(float(edge), 3) for edge in np.linalg.norm(turned, axis=1)]
    return (edges, [site[2] for site in ordered]), ordered, turned


def _origins(
    choices: t.Sequence[tuple[int, int, np.ndarray]], space_group: Group
) -> t.Iterator[list[tuple[int, int, Levels]]]:
    """Yield the ordered sites for each origin that a polar space group leaves free; only one where it does not."""
    classes = [(rank(element), letter) for element, letter, _ in choices]
    if not space_group.polar:
        yield _ordered(choices)
        return
    leading = [place for place, name in enumerate(classes) if name == min(classes)]
    for place in leading:
        element, letter, free = choices[place]
        axes = space_group.positions[letter].axes
        fixed = np.isin(axes, space_group.polar)
        # Members of a site that differ along polar axes alone are the same choice of origin.
        for member in free:
            moved = [
                (other, name, np.where(np.isin(space_group.positions[name].axes, space_group.polar),
                                       values - _along(member, axes, space_group.positions[name].axes), values) % 1.0)
                for other, name, values in choices
            ]  # fmt: skip
            rest = [site for index, site in enumerate(moved) if index != place]
            own = tuple(coordinate_level(0.0 if still else value) for value, still in zip(member, fixed))
            yield [(element, letter, own), *_ordered(rest)]


def _along(values: np.ndarray, axes: t.Sequence[int], others: t.Sequence[int]) -> np.ndarray:
    """Return the coordinates of one site along the axes of another, 0 where it has none."""
    full = np.zeros(3)
    full[list(axes)] = values
    return full[list(others)]


def _ordered(choices: t.Sequence[tuple[int, int, np.ndarray]]) -> list[tuple[int, int, Levels]]:
    """Return the sites in order, each by the atom with the first coordinates."""
    sites = []
    for element, letter, free in choices:
        levels = np.unique((np.round(free * LEVELS).astype(int) + 4) % LEVELS, axis=0)
        sites.append((element, letter, tuple(int(level) for level in levels[0])))
    return sorted(sites, key=lambda site: (rank(site[0]), site[1], site[2]))
