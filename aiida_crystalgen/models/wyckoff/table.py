"""Space groups and their Wyckoff positions, read from `table.npz` (made by `make_table.py`)."""

from __future__ import annotations

import functools
import io
import pkgutil
import typing as t

import numpy as np

GRID = 24
LETTERS = 'abcdefghijklmnopqrstuvwxyzA'

# Lattice parameters that a space group leaves free: the first number of each crystal family and their names.
# `v` is the volume; `a` and `b` are edges over its cube root; c follows from the volume.
CELLS = (
    (1, ('v', 'a', 'b', 'alpha', 'beta', 'gamma')),
    (3, ('v', 'a', 'b', 'beta')),
    (16, ('v', 'a', 'b')),
    (75, ('v', 'a')),
    (195, ('v',)),
)


class Position:
    """One Wyckoff position: its operators map the free coordinates of a site onto all its atoms."""

    def __init__(self, index: int, letter: int, rotations: np.ndarray, translations: np.ndarray) -> None:
        self.index = index
        self.letter = letter
        self.rotations = rotations.astype(float)
        self.translations = translations / GRID
        self.multiplicity = len(rotations)
        # An axis is free where the first operator uses it.
        self.axes = tuple(axis for axis in range(3) if rotations[0, :, axis].any())
        self.pivots = tuple(self._pivot(axis) for axis in self.axes)

    def _pivot(self, axis: int) -> tuple[int, int]:
        """Return the coordinate, and its sign, that the first operator makes of one free coordinate alone."""
        for row, weights in enumerate(self.rotations[0]):
            if abs(weights[axis]) == 1 and np.count_nonzero(weights) == 1:
                return row, int(weights[axis])
        raise AssertionError('no coordinate of the first site shows this free coordinate')

    @property
    def label(self) -> str:
        """Return multiplicity and letter, such as `4a`."""
        return f'{self.multiplicity}{LETTERS[self.letter]}'

    def read(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the free coordinates from points, if they were the first atom of the site.

        :param points: (..., 3) fractional coordinates.
        :returns: (..., free) coordinates in [0, 1), and (...) how far off the first atom is, the largest component.
        """
        free = np.empty((*points.shape[:-1], len(self.axes)))
        for place, (row, sign) in enumerate(self.pivots):
            free[..., place] = sign * (points[..., row] - self.translations[0, row]) % 1.0
        image = free @ self.rotations[0][:, list(self.axes)].T + self.translations[0]
        offset = image - points
        return free, np.abs(offset - np.round(offset)).max(-1)

    def atoms(self, free: np.ndarray) -> np.ndarray:
        """Return the fractional coordinates (..., multiplicity, 3) of the atoms of sites, given (..., free) ones."""
        matrices = self.rotations[:, :, list(self.axes)]
        return np.asarray(np.einsum('mif,...f->...mi', matrices, np.asarray(free, float)) + self.translations)


class Group:
    """A space group in the setting of the table.

    :ivar polar: the axes along which the origin is free.
    :ivar centring: number of lattice points in the conventional cell.
    """

    def __init__(self, number: int, arrays: t.Mapping[str, np.ndarray]) -> None:
        self.number = number
        self.hall = int(arrays['hall'][number - 1])
        begin, end = arrays['first'][number - 1], arrays['first'][number]
        self.positions: list[Position] = []
        for letter, index in enumerate(range(begin, end)):
            part = slice(arrays['start'][index], arrays['start'][index + 1])
            self.positions.append(Position(index, letter, arrays['rotations'][part], arrays['translations'][part]))
        general = self.positions[-1]
        one = np.eye(3)
        self.polar = tuple(axis for axis in range(3) if (general.rotations[:, :, axis] == one[axis]).all())
        self.centring = int((general.rotations == one).all((1, 2)).sum())
        part = slice(arrays['normalizer_first'][number - 1], arrays['normalizer_first'][number])
        self.normalizer = (
            arrays['normalizer_rotations'][part].astype(int),
            arrays['normalizer_translations'][part] / GRID,
        )
        self.cell_parameters = next(names for first, names in reversed(CELLS) if number >= first)

    @property
    def hexagonal(self) -> bool:
        """Whether gamma is 120 degrees."""
        return 143 <= self.number <= 194

    def size(self, letter: int) -> int:
        """Return the number of atoms that a site adds to the primitive cell."""
        return self.positions[letter].multiplicity // self.centring

    def free_axes(self, letter: int, first: bool) -> tuple[int, ...]:
        """Return the axes of a site whose coordinates have to be told: the first site rests at 0 on polar axes."""
        axes = self.positions[letter].axes
        return tuple(axis for axis in axes if axis not in self.polar) if first else axes


@functools.lru_cache(maxsize=None)
def _arrays() -> dict[str, np.ndarray]:
    content = pkgutil.get_data(__package__ or '', 'table.npz')
    if content is None:
        raise FileNotFoundError('`table.npz` does not lie beside the modules of the model; install the package again')
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@functools.lru_cache(maxsize=None)
def group(number: int) -> Group:
    """Return a space group by its number.

    :raises ValueError: no number from 1 to 230.
    """
    if not 1 <= number <= 230:
        raise ValueError(f'space groups have numbers from 1 to 230, not {number}')
    return Group(number, _arrays())


def n_positions() -> int:
    """Return the number of Wyckoff positions of all space groups."""
    return int(_arrays()['first'][-1])
