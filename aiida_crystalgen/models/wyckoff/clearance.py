"""Which numbers keep the atoms of a crystal apart: the last of its cell, and the last coordinate of each site."""

from __future__ import annotations

import itertools
import typing as t

import numpy as np

from .crystal import Site
from .elements import RADII, UNKNOWN_RADIUS
from .table import Group

IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)), float)


def radius(number: int) -> float:
    """Return the atomic radius of an element [A]."""
    return RADII[number] / 100 if number < len(RADII) else UNKNOWN_RADIUS


def cell_ratios(space_group: Group, fixed: t.Sequence[Site], others: t.Sequence[int], cells: np.ndarray) -> np.ndarray:
    """Return the shortest distance over the sum of the radii, for each cell (n, 3, 3), among what is known already.

    That is: between sites without open coordinates, and between any atom and its own images.

    :param fixed: the sites whose coordinates are known; `others` are the atomic numbers of the other sites.
    """
    general = space_group.positions[-1]
    lattice = general.translations[(general.rotations == np.eye(3)).all((1, 2))]
    largest = max(radius(number) for number in [*others, *(site.number for site in fixed)])
    offsets, sums = [lattice], [np.full(len(lattice), 2 * largest)]
    atoms = [space_group.positions[site.letter].atoms(np.array(site.free)) for site in fixed]
    for place, first in enumerate(atoms):
        for other in range(place + 1):
            offsets.append(atoms[other] - first[0])
            pair = radius(fixed[place].number) + radius(fixed[other].number)
            sums.append(np.full(len(atoms[other]), pair))
    vectors = np.concatenate(offsets)
    vectors = (vectors - np.round(vectors))[:, None] + IMAGES
    flat = vectors.reshape(-1, 3)
    # An atom is no neighbour of itself.
    apart = np.abs(flat).max(1) > 1e-6
    flat, radii = flat[apart], np.repeat(np.concatenate(sums), len(IMAGES))[apart]
    squares = np.einsum('ki,nij,kj->nk', flat, cells @ cells.transpose(0, 2, 1), flat, optimize=True)
    return np.asarray((np.sqrt(np.maximum(squares, 0.0)) / radii).min(1))


class Space:
    """The atoms placed so far in a conventional cell [A]."""

    def __init__(self, cell: np.ndarray) -> None:
        self.cell = cell
        self.points, self.radii = np.zeros((0, 3)), np.zeros(0)
        # Along axes at right angles to the others the nearest image is the one less than half a period away.
        metric = np.abs(cell @ cell.T) > 1e-6 * np.abs(np.linalg.det(cell)) ** (2 / 3)
        skew = (metric & ~np.eye(3, dtype=bool)).any(1)
        self.images = IMAGES[(IMAGES[:, ~skew] == 0).all(1)]

    def add(self, points: np.ndarray, number: int) -> None:
        """Place the atoms of a site."""
        self.points = np.concatenate([self.points, points])
        self.radii = np.concatenate([self.radii, np.full(len(points), radius(number))])

    def ratios(self, atoms: np.ndarray, number: int) -> np.ndarray:
        """Return, for candidates (n, m, 3) of a site, the shortest distance of its first atom over the radii, (n,)."""
        own = radius(number)
        # By symmetry the first atom of a site meets what all its atoms meet.
        others = np.broadcast_to(self.points, (len(atoms), *self.points.shape))
        offset = np.concatenate([atoms[:, 1:], others], 1) - atoms[:, :1]
        if offset.shape[1] == 0:
            return np.full(len(atoms), np.inf)
        offset -= np.round(offset)
        metric = self.cell @ self.cell.T
        squares = np.full(offset.shape[:2], np.inf)
        for image in self.images:
            moved = offset + image
            squares = np.minimum(squares, ((moved @ metric) * moved).sum(-1))
        sums = np.concatenate([np.full(atoms.shape[1] - 1, 2 * own), self.radii + own])
        return np.asarray((np.sqrt(squares) / sums).min(1))
