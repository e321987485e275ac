"""The cells in which crystals are compared: primitive as pymatgen's StructureMatcher finds them, and Niggli-reduced."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .crystal import Crystal
from .geometry import lattice_vectors, reduce_cell

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_SITES = 300
"""Most atoms of a crystal that is compared: finding the primitive cell of larger ones takes more than seconds."""

MAX_LENGTH, MAX_FACE = 60.0, 50.0
"""Longest edge and largest product of the two longest edges, in units of V^(1/3) and V^(2/3), of a reduced cell that is
compared: the time and memory of a fit grow with their third powers."""

_SLACK = 1e-6


class Cell:
    """A reduced cell that is compared; its lengths are those at unit volume."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._matrix = structure.lattice.matrix * structure.volume ** (-1 / 3)
        self.lengths: NDArray[np.float64] = np.linalg.norm(self._matrix, axis=1)
        self.sorted_lengths = np.sort(self.lengths)
        self.angles = [math.radians(angle) for angle in structure.lattice.angles]
        self._reach = 0.0
        self._vectors = np.empty((0, 3))
        self._norms = np.empty(0)

    @cached_property
    def basis(self) -> NDArray[np.float64]:
        """The shortest basis of the lattice."""
        return reduce_cell(self._matrix)

    @cached_property
    def minima(self) -> NDArray[np.float64]:
        """The lengths of the shortest basis, ascending."""
        return np.sort(np.linalg.norm(self.basis, axis=1))

    def shell(self, shortest: float, longest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lattice vectors between two lengths and their lengths."""
        if longest > self._reach:
            self._reach = 1.2 * longest
            self._vectors = lattice_vectors(self.basis, self._reach)
            self._norms = np.linalg.norm(self._vectors, axis=1)
        inside = (self._norms >= shortest) & (self._norms <= longest)
        return self._vectors[inside], self._norms[inside]

    def maps_on(self, other: Cell, ltol: float, angle_tol: float) -> bool:
        """Return whether this lattice, at equal volume, has three vectors like the basis of the other one.

        This is the matcher's own first step, so without such vectors there is no fit; `ltol` is a relative tolerance,
        `angle_tol` one in degrees.
        """
        stretch = (1 + ltol) * (1 + _SLACK)
        if (self.minima > stretch * other.sorted_lengths).any():
            return False
        units = []
        for length in other.lengths:
            vectors, norms = self.shell(length / stretch, length * stretch)
            units.append(vectors / norms[:, None])
        a, b, c = units
        alpha, beta, gamma = other.angles
        tolerance = math.radians(angle_tol) * (1 + _SLACK) + _SLACK
        bc, ac, ab = (_like(x, y, t, tolerance) for x, y, t in ((b, c, alpha), (a, c, beta), (a, b, gamma)))
        # Three vectors that fit two by two: a path from a over b to c, closed by the pair of a and c.
        return bool(((ab.astype(np.float32) @ bc.astype(np.float32) > 0) & ac).any())


class IncomparableError(ValueError):
    """A crystal that cannot be compared with others; the message is a sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def check_comparable(crystal: Crystal, max_sites: int = MAX_SITES) -> None:
    """Refuse what is no crystal, and what would take too much time or memory.

    Raises:
        IncomparableError: with a word and a sentence.
    """
    if crystal.fault is not None:
        raise IncomparableError(crystal.fault, f'the entry is no crystal: {crystal.fault}')
    if crystal.n_sites > max_sites:
        raise IncomparableError('too_many_sites', f'{crystal.n_sites} sites are more than {max_sites}')
    # The cell as given is judged first: the reduction itself takes the time and memory of a fit.
    try:
        _check_shape(crystal.cell, crystal.volume)
    except IncomparableError:
        _check_shape(reduce_cell(crystal.cell), crystal.volume)


def primitive_cell(crystal: Crystal, max_sites: int = MAX_SITES) -> Structure:
    """Return the cell in which a crystal is compared.

    Raises:
        IncomparableError: with a word and a sentence, if it cannot be compared.
    """
    check_comparable(crystal, max_sites)
    if crystal.niggli is None or crystal.primitive is None:
        raise IncomparableError('no_primitive_cell', 'the matcher finds no primitive cell')
    _check_shape(crystal.primitive.lattice.matrix, crystal.primitive.volume)
    return crystal.primitive


class Reduced:
    """A crystal in its primitive cell and, where that is asked for, in its cell as given."""

    def __init__(self, crystal: Crystal, primitive: Callable[[], Structure], n_sites: int) -> None:
        self._crystal = crystal
        self._primitive = primitive
        self.n_sites = n_sites
        self.n_given = crystal.n_sites

    @cached_property
    def primitive(self) -> Cell:
        """The primitive cell, Niggli-reduced."""
        return Cell(self._primitive())

    @cached_property
    def given(self) -> Cell | None:
        """The cell as given, Niggli-reduced; None if pymatgen cannot reduce it."""
        return None if self._crystal.niggli is None else Cell(self._crystal.niggli)


def _check_shape(cell: NDArray[np.float64], volume: float) -> None:
    """Refuse needles and plates by the lengths of lattice vectors; those of a reduced cell are the shortest."""
    lengths = np.sort(np.linalg.norm(cell, axis=1)) * volume ** (-1 / 3)
    if lengths[2] > MAX_LENGTH or lengths[1] * lengths[2] > MAX_FACE:
        raise IncomparableError('cell_too_long', 'the cell is a needle or a plate, too long to be compared')


def _like(first: NDArray[np.float64], second: NDArray[np.float64], angle: float, tolerance: float) -> NDArray[np.bool_]:
    """Return which pairs of unit vectors enclose an angle within a tolerance [radian]."""
    cosines = first @ second.T
    low = math.cos(min(angle + tolerance, math.pi)) - _SLACK
    high = math.cos(max(angle - tolerance, 0.0)) + _SLACK
    inside: NDArray[np.bool_] = (cosines >= low) & (cosines <= high)
    return inside


def structure_of(reduced: Crystal) -> Structure:
    """Return a reduced cell as it is, its lattice vectors in the order given."""
    from pymatgen.core import Lattice, Structure

    numbers = reduced.numbers.tolist()
    return Structure(Lattice(reduced.cell), numbers, reduced.positions, coords_are_cartesian=True)
