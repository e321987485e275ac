"""Cells for phonons: the crystal in its standard setting, and a supercell that holds the points that matter."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

Array = Any

# Below this difference [A] of the lengths of two axes they count as equal.
SAME_LENGTH = 1e-3
# Cells along one axis of a supercell; more would mean that the crystal is a chain of atoms apart.
MOST_CELLS = 32


class Cell(NamedTuple):
    """Atomic numbers (n,), Cartesian positions (n, 3) [A] and lattice vectors as rows (3, 3) [A]."""

    numbers: Array
    positions: Array
    cell: Array


@dataclass(frozen=True)
class Standard:
    """A crystal with its symmetry made exact.

    :param primitive: the primitive cell.
    :param conventional: the conventional cell; the primitive one follows from it by the centring.
    :param centring: P, A, C, F, I or R.
    :param space_group: number of the space group.
    """

    primitive: Cell
    conventional: Cell
    centring: str
    space_group: int


@dataclass(frozen=True)
class Supercell:
    """A cell repeated along its axes.

    :param unit: the cell that is repeated.
    :param repeats: how often along each axis.
    :param primitive_matrix: the primitive cell in the unit cell: `P`, or the centring of a conventional cell.
    """

    unit: Cell
    repeats: tuple[int, int, int]
    primitive_matrix: str

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.unit.numbers) * math.prod(self.repeats)

    @property
    def length(self) -> float:
        """Distance [A] between an atom and its nearest image."""
        return shortest_vector(np.diag(self.repeats) @ self.unit.cell)

    def __str__(self) -> str:
        kind = 'primitive' if self.primitive_matrix == 'P' else 'conventional'
        return f'{"x".join(map(str, self.repeats))} {kind} cells, {self.n_atoms} atoms, {self.length:.1f} A'


def standardise(numbers: Array, positions: Array, cell: Array, symprec: float) -> Standard:
    """Return a crystal in its standard setting with exact symmetry.

    :param numbers: (n,) atomic numbers.
    :param positions: (n, 3) Cartesian [A].
    :param cell: (3, 3) lattice vectors as rows [A].
    :param symprec: tolerance [A] within which atoms count as equivalent.
    :raises ValueError: when no symmetry is found, not even the identity: the geometry is broken.
    """
    import spglib

    fractions = np.asarray(positions) @ np.linalg.inv(cell)
    crystal = (np.asarray(cell), fractions, np.asarray(numbers))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # spglib is about to raise where it returned None
        try:
            dataset = spglib.get_symmetry_dataset(crystal, symprec=symprec)
            found = [spglib.standardize_cell(crystal, to_primitive=word, symprec=symprec) for word in (True, False)]
        except spglib.SpglibError:
            dataset, found = None, []
    if dataset is None or not found or any(one is None for one in found):
        raise ValueError(f'no symmetry was found within {symprec:g} A')
    primitive, conventional = (
        Cell(np.asarray(kinds, int), np.asarray(inside) @ lattice, np.asarray(lattice))
        for lattice, inside, kinds in found
    )
    return Standard(primitive, conventional, str(dataset.international)[0], int(dataset.number))


def choose_supercell(standard: Standard, min_length: float, max_atoms: int) -> Supercell | None:
    """Return the smallest supercell in which an atom is at least `min_length` [A] from its images.

    The numbers of cells are even, so that all points halfway to the next cell of the reciprocal lattice (X, L, M, R,
    ...) are commensurate: there most soft modes lie. Where that would be more than `max_atoms`, an axis that is long
    enough by itself is not repeated. None where that is too large as well.
    """
    bases = [(standard.primitive, 'P')]
    if standard.centring != 'P':
        bases.append((standard.conventional, standard.centring))
    for even_always in (True, False):
        found = []
        for unit, matrix in bases:
            repeats = _repeats(unit.cell, min_length, even_always)
            if repeats is not None:
                found.append(Supercell(unit, repeats, matrix))
        fitting = [supercell for supercell in found if supercell.n_atoms <= max_atoms]
        if fitting:
            return min(fitting, key=lambda supercell: supercell.n_atoms)
    return None


def _repeats(cell: Array, min_length: float, even_always: bool) -> tuple[int, int, int] | None:
    """Return the numbers of cells along the axes; None where even many of them are too short."""
    lengths = np.linalg.norm(cell, axis=1)
    repeats = [_repeat(float(length), min_length, even_always) for length in lengths]
    while max(repeats) <= MOST_CELLS:
        if shortest_vector(np.diag(repeats) @ cell) >= min_length - SAME_LENGTH:
            return repeats[0], repeats[1], repeats[2]
        # Axes at a sharp angle: their difference is shorter than they are. Equal axes stay equal.
        least = min(length * repeat for length, repeat in zip(lengths, repeats, strict=True))
        short = [length * repeat <= least + SAME_LENGTH for length, repeat in zip(lengths, repeats, strict=True)]
        repeats = [repeat + (1 + repeat % 2) if grow else repeat for repeat, grow in zip(repeats, short, strict=True)]
        repeats = [repeat + repeat % 2 for repeat in repeats] if even_always else repeats
    return None


def _repeat(length: float, min_length: float, even_always: bool) -> int:
    if not even_always and length >= min_length - SAME_LENGTH:
        return 1
    return 2 * math.ceil((min_length - SAME_LENGTH) / (2 * length))


def shortest_vector(cell: Array) -> float:
    """Return the length of the shortest lattice vector [A], searched among sums of up to two of each axis."""
    steps = np.array([step for step in product(range(-2, 3), repeat=3) if any(step)])
    return float(np.linalg.norm(steps @ np.asarray(cell), axis=1).min())
