"""A crystal as steps: space group, elements and letters in turn, cell parameters, free coordinates.

Every step has a role, which the steps before it fix (only whether another site follows is open), a choice, and for
numbers a second, finer choice. What a step may know, its context, is kept beside it in `Steps`.
"""

from __future__ import annotations

import dataclasses
import typing as t

import numpy as np

from . import crystal as shape
from .crystal import COARSE, FINE, Site, SymmetricCrystal
from .elements import N_ELEMENTS
from .table import Group, group

ROLES = ('group', 'element', 'letter', 'v', 'a', 'b', 'alpha', 'beta', 'gamma', 'x', 'y', 'z')
GROUP, ELEMENT, LETTER, CELL, GAMMA, COORDINATE = 0, 1, 2, 3, 8, 9
PAD = len(ROLES)
# The choice that ends the list of sites, in place of an element.
END = 0
NO_LEVEL = COARSE * FINE
MAX_SITES = 20
MAX_STEPS = 64

FIELDS = ('role', 'choice', 'fine', 'ordinal', 'element', 'position', 'last_role', 'last_level', 'added', 'amount')


@dataclasses.dataclass
class Steps:
    """The steps of one crystal, arrays of whole numbers of one length.

    :ivar role: what is chosen, `choice` and `fine` what was: space group - 1, atomic number or `END`, letter, level.
    :ivar ordinal: the place of the site, from 1; 0 for steps of no site.
    :ivar element: its atomic number and `position` its Wyckoff position + 1; 0 where unknown yet.
    :ivar last_role: role and level of the number chosen one step before; `PAD` and `NO_LEVEL` for none.
    :ivar added: the element of the site completed one step before, and `amount` its atoms in the primitive cell.
    """

    space_group: int
    role: np.ndarray
    choice: np.ndarray
    fine: np.ndarray
    ordinal: np.ndarray
    element: np.ndarray
    position: np.ndarray
    last_role: np.ndarray
    last_level: np.ndarray
    added: np.ndarray
    amount: np.ndarray


def coordinate_roles(space_group: Group, letters: t.Sequence[int]) -> list[tuple[int, int]]:
    """Return the place of the site and the role of every free coordinate, in the order in which they are told."""
    return [
        (place, COORDINATE + axis)
        for place, letter in enumerate(letters)
        for axis in space_group.free_axes(letter, place == 0)
    ]


def cell_roles(space_group: Group) -> list[int]:
    """Return the roles of the free cell parameters."""
    return [ROLES.index(name) for name in space_group.cell_parameters]


def n_steps(crystal: SymmetricCrystal) -> int:
    """Return the number of steps that a crystal takes."""
    free = coordinate_roles(crystal.group, [site.letter for site in crystal.sites])
    return 2 + 2 * len(crystal.sites) + len(cell_roles(crystal.group)) + len(free)


def conventional_volume(crystal: SymmetricCrystal, volumes: np.ndarray) -> float:
    """Return the sum of the volumes of the elements in the conventional cell [A^3]; `volumes` (119,) [A^3]."""
    return float(sum(volumes[number] * amount for number, amount in crystal.counts().items())) * crystal.group.centring


def to_steps(crystal: SymmetricCrystal, volumes: np.ndarray) -> Steps:
    """Return the steps of a crystal.

    :raises ValueError: a cell parameter is out of range, or there are too many steps.
    """
    space_group, sites = crystal.group, crystal.sites
    if len(sites) > MAX_SITES or n_steps(crystal) > MAX_STEPS:
        raise ValueError(f'{len(sites)} sites with {n_steps(crystal)} steps are too many')
    rows: list[dict[str, int]] = [{'role': GROUP, 'choice': crystal.space_group - 1}]
    for place, site in enumerate(sites, start=1):
        rows.append({'role': ELEMENT, 'choice': site.number, 'ordinal': place})
        rows.append({'role': LETTER, 'choice': site.letter, 'ordinal': place, 'element': site.number})
    rows.append({'role': ELEMENT, 'choice': END, 'ordinal': len(sites) + 1})
    parameters = shape.describe_cell(crystal.cell, space_group, conventional_volume(crystal, volumes))
    for role, value in zip(cell_roles(space_group), parameters):
        level = shape.to_level(value, ROLES[role])
        rows.append({'role': role, 'choice': level // FINE, 'fine': level % FINE})
    for place, role in coordinate_roles(space_group, [site.letter for site in sites]):
        site = sites[place]
        position = space_group.positions[site.letter]
        level = shape.coordinate_level(site.free[position.axes.index(role - COORDINATE)])
        context = {'ordinal': place + 1, 'element': site.number, 'position': position.index + 1}
        rows.append({'role': role, 'choice': level // FINE, 'fine': level % FINE, **context})
    for last, row in zip(rows, rows[1:]):
        row.update(after(last, space_group))
    start = {'last_role': PAD, 'last_level': NO_LEVEL}
    arrays = {name: np.array([{**start, **row}.get(name, 0) for row in rows]) for name in FIELDS}
    return Steps(crystal.space_group, **arrays)


def after(last: t.Mapping[str, int], space_group: Group) -> dict[str, int]:
    """Return what the step after another one knows of its choice."""
    if last['role'] >= CELL:
        return {'last_role': last['role'], 'last_level': last['choice'] * FINE + last['fine']}
    if last['role'] == LETTER:
        index = space_group.positions[last['choice']].index
        return {'added': last['element'], 'amount': space_group.size(last['choice']), 'position': index + 1}
    return {}


def without_cell(number: int, sites: t.Sequence[tuple[int, int]], levels: t.Sequence[int]) -> SymmetricCrystal:
    """Return a crystal with a cell of 1 A: its space group, its sites (atomic number, letter), levels of coordinates.

    Coordinates that are not told are 0.
    """
    space_group = group(number)
    letters = [letter for _, letter in sites]
    free = [dict.fromkeys(space_group.positions[letter].axes, 0.0) for letter in letters]
    for (place, role), level in zip(coordinate_roles(space_group, letters), levels):
        free[place][role - COORDINATE] = shape.coordinate(level)
    told = tuple(Site(element, letter, tuple(row.values())) for (element, letter), row in zip(sites, free))
    return SymmetricCrystal(number, told, np.eye(3))


def to_crystal(
    number: int,
    sites: t.Sequence[tuple[int, int]],
    cell_levels: t.Sequence[int],
    levels: t.Sequence[int],
    volumes: np.ndarray,
) -> SymmetricCrystal:
    """Return the crystal of some choices.

    :param sites: atomic number and letter of each site.
    :param cell_levels: levels of the cell parameters, and `levels` of the coordinates, in the order of the steps.
    :raises ValueError: the angles close no cell.
    """
    bare = without_cell(number, sites, levels)
    parameters = [shape.from_level(level, name) for level, name in zip(cell_levels, bare.group.cell_parameters)]
    return dataclasses.replace(bare, cell=shape.build_cell(parameters, bare.group, conventional_volume(bare, volumes)))


def fit_volumes(crystals: t.Iterable[SymmetricCrystal]) -> np.ndarray:
    """Return a volume for each element [A^3], (119,), such that their sums come near those of the crystals.

    Weighted least squares on the volumes per atom, drawn towards the mean volume so that rare elements stay sensible.
    """
    rows, targets = [], []
    for crystal in crystals:
        counts = crystal.counts()
        total = sum(counts.values())
        row = np.zeros(N_ELEMENTS + 1)
        for number, amount in counts.items():
            row[number] = amount / total
        rows.append(row)
        targets.append(abs(np.linalg.det(crystal.cell)) / crystal.group.centring / total)
    # Layers far apart tell nothing of the size of atoms.
    matrix, values = np.array(rows), np.minimum(targets, 60.0)
    mean, pull = float(np.median(values)), 5.0
    left = matrix.T @ matrix + pull * np.eye(N_ELEMENTS + 1)
    return np.asarray(np.maximum(np.linalg.solve(left, matrix.T @ values + pull * mean), 3.0))
