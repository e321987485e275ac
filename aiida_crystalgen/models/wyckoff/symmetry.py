"""How many symmetry operations a crystal has: whether it is more symmetric than its space group says.

A crystal built from a space group has its operations at least. If it has no others, that is its space group.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from .crystal import SymmetricCrystal


def has_its_group(crystal: SymmetricCrystal, tolerance: float) -> bool:
    """Return whether the space group of a crystal is the one it was built from.

    :param tolerance: distance [A] within which atoms count as the same.
    """
    numbers, positions, cell = crystal.primitive()
    order = crystal.group.positions[-1].multiplicity // crystal.group.centring
    return count_operations(numbers, positions, cell, tolerance, order) == order


def count_operations(
    numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, tolerance: float, enough: int
) -> int:
    """Return the number of operations, lattice translations aside, that map a crystal onto itself.

    The cell may be larger than the primitive one: pure translations count then.

    :param positions: (n, 3) Cartesian, `cell` (3, 3), both [A].
    :param enough: counting stops above this number.
    """
    cell = reduced(cell)
    points = positions @ np.linalg.inv(cell)
    metric = cell @ cell.T
    lengths = np.sqrt(np.diag(metric))
    # A change of a scalar product by tolerance times length moves the end of a vector by about the tolerance.
    turned = _matrices() @ metric @ _matrices().transpose(0, 2, 1)
    near = (np.abs(turned - metric) < tolerance * (lengths[:, None] + lengths) / 2 + 1e-9).all((1, 2))
    elements, amounts = np.unique(numbers, return_counts=True)
    places = np.flatnonzero(numbers == elements[amounts.argmin()])
    same = numbers[:, None] == numbers
    count = 0
    for matrix in _matrices()[near]:
        # Rows of a cell turn into rows of the same lattice; points follow.
        images = points @ np.linalg.inv(matrix).round()
        for place in places:
            offset = (images + points[place] - images[places[0]])[:, None] - points
            offset -= np.round(offset)
            squares = ((offset @ metric) * offset).sum(-1)
            matched = (squares < tolerance**2) & same
            count += bool(matched.any(1).all() and matched.any(0).all())
        if count > enough:
            break
    return count


def reduced(cell: np.ndarray) -> np.ndarray:
    """Return a basis of shortest vectors of a lattice; symmetry operations have entries from -1 to 1 in it."""
    basis = np.array(cell, float)
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=2)))
    for _ in range(100):
        basis = basis[np.argsort(np.linalg.norm(basis, axis=1), kind='stable')]
        shorter = False
        for place in (1, 2):
            others = list(range(place))
            weights = np.zeros((len(steps), 3))
            weights[:, others] = steps[:, : len(others)]
            trials = basis[place] + weights @ basis
            best = np.linalg.norm(trials, axis=1).argmin()
            if np.linalg.norm(trials[best]) < np.linalg.norm(basis[place]) - 1e-9:
                basis[place], shorter = trials[best], True
        if not shorter:
            return basis
    return basis


@functools.lru_cache(maxsize=None)
def _matrices() -> np.ndarray:
    """Return all matrices (n, 3, 3) with entries -1, 0 and 1 that keep the volume."""
    entries = np.array(list(itertools.product((-1, 0, 1), repeat=9)), float).reshape(-1, 3, 3)
    return np.asarray(entries[np.abs(np.abs(np.linalg.det(entries)) - 1) < 1e-9])
