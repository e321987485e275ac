"""Shortest vectors and distances in a periodic crystal, exact over all images and bounded in cost."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAX_ROUNDS = 1000
_CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=2)))


@dataclass(frozen=True)
class Distances:
    """The shortest distances of a crystal, periodic images included."""

    shortest: float
    """Shortest distance between two atoms or an atom and its own image [A]."""
    self_image: float
    """Shortest distance between an atom and its own image: the shortest lattice vector [A]."""
    ratio: float
    """Smallest distance over the sum of the two radii."""


def reduce_cell(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Minkowski-reduced basis of a lattice, shortest vector first (Semaev, LNCS 2146, 181, 2001).

    The lengths of its rows are the successive minima of the lattice.
    """
    basis = np.array(cell, dtype=float)
    for _ in range(_MAX_ROUNDS):
        basis = basis[np.argsort(np.einsum('ij,ij->i', basis, basis), kind='stable')]
        basis[0], basis[1] = _reduce_pair(basis[0], basis[1])
        shorter = basis[2] - _closest_in_plane(basis[0], basis[1], basis[2])
        if shorter @ shorter >= (basis[2] @ basis[2]) * (1 - 1e-12):
            break
        basis[2] = shorter
    return basis[np.argsort(np.einsum('ij,ij->i', basis, basis), kind='stable')]


def _reduce_pair(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Lagrange-Gauss reduced basis of a plane lattice, shorter vector first."""
    for _ in range(_MAX_ROUNDS):
        if second @ second < first @ first:
            first, second = second, first
        shorter = second - np.round((first @ second) / (first @ first)) * first
        if shorter @ shorter >= (second @ second) * (1 - 1e-12):
            break
        second = shorter
    return first.copy(), second.copy()


def _closest_in_plane(
    first: NDArray[np.float64], second: NDArray[np.float64], vector: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the vector of a reduced plane lattice that lies closest to a vector: a corner of the mesh around it."""
    plane = np.array([first, second])
    corners = (np.floor(vector @ np.linalg.pinv(plane)) + _CORNERS) @ plane
    gaps = vector - corners
    closest: NDArray[np.float64] = corners[np.argmin(np.einsum('ij,ij->i', gaps, gaps))]
    return closest


def lattice_vectors(basis: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Return all vectors of a lattice up to a length, the zero vector excluded, shape (m, 3)."""
    counts = np.floor(reach * _face_areas(basis) / abs(np.linalg.det(basis)) * (1 + 1e-9)).astype(int)
    steps = [np.arange(-count, count + 1) for count in counts]
    vectors: NDArray[np.float64] = np.stack(np.meshgrid(*steps, indexing='ij'), axis=-1).reshape(-1, 3) @ basis
    squares = np.einsum('ij,ij->i', vectors, vectors)
    inside: NDArray[np.float64] = vectors[(squares > 0) & (squares <= reach**2)]
    return inside


def shortest_distances(
    cell: NDArray[np.float64], positions: NDArray[np.float64], radii: NDArray[np.float64]
) -> Distances:
    """Return the shortest distances of a crystal of n >= 1 atoms with a cell of finite volume.

    No pair that could be the closest, in distance or in ratio to the radii, lies farther apart than the shortest
    lattice vector or, by the densest packing of spheres, than (sqrt(2) V / n)^(1/3) times the ratio of the radii. Only
    images within that reach are searched: at most some hundred per atom in any lattice.
    """
    basis = reduce_cell(cell)
    lengths = np.linalg.norm(basis, axis=1)
    volume = abs(float(np.linalg.det(basis)))
    packing = (math.sqrt(2) * volume / len(positions)) ** (1 / 3)
    reach = min(float(lengths[0]), packing * float(radii.max() / radii.min())) * (1 + 1e-6)
    fractional = positions @ np.linalg.inv(basis)
    fractional -= np.floor(fractional)
    images, owners = _images(basis, fractional, reach / (volume / _face_areas(basis)))
    shortest = float(lengths[0])
    ratio = shortest / (2 * float(radii.max()))
    for distance, radius_sum in _species_distances(fractional @ basis, images, owners, radii):
        shortest, ratio = min(shortest, distance), min(ratio, distance / radius_sum)
    return Distances(shortest, float(lengths[0]), ratio)


def _face_areas(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the areas of the faces opposite to each lattice vector [A^2]."""
    normals = np.cross(basis[[1, 2, 0]], basis[[2, 0, 1]])
    areas: NDArray[np.float64] = np.linalg.norm(normals, axis=1)
    return areas


def _images(
    basis: NDArray[np.float64], fractional: NDArray[np.float64], reach: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return positions [A] and owners of all images within `reach` (a fraction of each cell height) of the cell."""
    shells = [np.arange(-math.ceil(r), math.ceil(r) + 1) for r in reach]
    shifts = np.stack(np.meshgrid(*shells, indexing='ij'), axis=-1).reshape(-1, 3)
    points = (fractional[None] + shifts[:, None]).reshape(-1, 3)
    near = np.all((points >= -reach) & (points <= 1 + reach), axis=1)
    owners = np.tile(np.arange(len(fractional)), len(shifts))
    return points[near] @ basis, owners[near]


def _species_distances(
    positions: NDArray[np.float64],
    images: NDArray[np.float64],
    owners: NDArray[np.int64],
    radii: NDArray[np.float64],
) -> list[tuple[float, float]]:
    """Return the shortest distance [A] and the sum of radii [A] for every pair of different radii."""
    from scipy.spatial import cKDTree

    found = []
    kinds = np.unique(radii)
    for i, first in enumerate(kinds):
        tree = cKDTree(images[radii[owners] == first])
        for second in kinds[i:]:
            # An atom is its own nearest image at distance zero, so of equal kinds the second nearest counts.
            nearest, _ = tree.query(positions[radii == second], k=[2 if second == first else 1])
            found.append((float(nearest.min()), float(first + second)))
    return found
