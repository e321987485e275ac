"""A crystal as its symmetry tells it: space group, cell parameters, sites; and the atoms that follow."""

from __future__ import annotations

import dataclasses
import math
import typing as t

import numpy as np

from .table import Group, group

# Steps of a free number: coarse bins, each of fine ones around its middle, so that multiples of 1/96 are exact.
COARSE = 96
FINE = 9
LEVELS = COARSE * FINE

# Ranges of cell parameters. The volume is that of the conventional cell over the sum of the volumes of its elements.
RANGES: dict[str, tuple[float, float]] = {
    'v': (math.log(0.3), math.log(4.0)),
    'a': (math.log(0.12), math.log(5.0)),
    'b': (math.log(0.12), math.log(5.0)),
    'alpha': (30.0, 150.0),
    'beta': (30.0, 150.0),
    'gamma': (30.0, 150.0),
}


@dataclasses.dataclass(frozen=True)
class Site:
    """A Wyckoff site.

    :ivar letter: place of the letter, 0 for a.
    :ivar free: its free coordinates in [0, 1), in the order of the axes of the Wyckoff position.
    """

    number: int
    letter: int
    free: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class SymmetricCrystal:
    """A crystal in the conventional setting of its space group.

    :ivar cell: (3, 3) conventional cell [A], rows are the vectors.
    """

    space_group: int
    sites: tuple[Site, ...]
    cell: np.ndarray

    @property
    def group(self) -> Group:
        """Return its space group."""
        return group(self.space_group)

    def counts(self) -> dict[int, int]:
        """Return the numbers of atoms in the primitive cell, by atomic number."""
        found: dict[int, int] = {}
        for site in self.sites:
            found[site.number] = found.get(site.number, 0) + self.group.size(site.letter)
        return found

    def conventional(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return atomic numbers, fractional coordinates and cell [A] of the conventional cell."""
        atoms = [self.group.positions[site.letter].atoms(np.array(site.free)) for site in self.sites]
        numbers = np.repeat([site.number for site in self.sites], [len(points) for points in atoms])
        return numbers, np.concatenate(atoms) % 1.0, self.cell

    def primitive(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return atomic numbers, Cartesian positions [A] and cell [A] of a primitive cell."""
        numbers, fractional, cell = self.conventional()
        basis = primitive_basis(self.group)
        points = fractional @ np.linalg.inv(basis)
        points -= np.floor(points + 1e-9)
        kept: list[int] = []
        begin = 0
        for site in self.sites:
            size = self.group.positions[site.letter].multiplicity
            kept += [begin + place for place in _distinct(points[begin : begin + size])]
            begin += size
        primitive_cell = basis @ cell
        return numbers[kept], points[kept] @ primitive_cell, primitive_cell


def _distinct(points: np.ndarray) -> list[int]:
    """Return the places of points of which none is a lattice translation of another.

    Translations of an exact site are exact up to rounding, so a small tolerance cannot join different atoms.
    """
    offset = points[:, None] - points[None]
    near = np.abs(offset - np.round(offset)).max(-1) < 1e-6
    return [place for place in range(len(points)) if not near[place, :place].any()]


def primitive_basis(space_group: Group) -> np.ndarray:
    """Return a basis of the lattice (rows), in units of the conventional one."""
    general = space_group.positions[-1]
    shifts = general.translations[(general.rotations == np.eye(3)).all((1, 2))]
    vectors = np.concatenate([shifts[np.abs(shifts).sum(1) > 0], shifts[np.abs(shifts).sum(1) > 0] - 1, np.eye(3)])
    wanted = 1.0 / space_group.centring
    for first in range(len(vectors)):
        for second in range(first):
            crosses = np.cross(vectors[first], vectors[second])
            volumes = vectors @ crosses
            fitting = np.flatnonzero(np.isclose(np.abs(volumes), wanted))
            if len(fitting):
                basis = np.array([vectors[first], vectors[second], vectors[fitting[0]]])
                return basis if volumes[fitting[0]] > 0 else -basis
    return np.eye(3)


def cell_matrix(lengths: t.Sequence[float], angles: t.Sequence[float]) -> np.ndarray:
    """Return a right-handed cell (3, 3) from lengths [A] and angles [degrees].

    :raises ValueError: the angles close no cell.
    """
    a, b, c = lengths
    cosines = [math.cos(math.radians(angle)) for angle in angles]
    sine = math.sin(math.radians(angles[2]))
    x, y = cosines[1], (cosines[0] - cosines[1] * cosines[2]) / sine
    rest = 1.0 - x * x - y * y
    if rest <= 1e-4:
        raise ValueError(f'the angles {angles} close no cell')
    return np.array([[a, 0, 0], [b * cosines[2], b * sine, 0], [c * x, c * y, c * math.sqrt(rest)]])


def lengths_and_angles(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths [A] and angles [degrees] of a cell."""
    lengths = np.linalg.norm(cell, axis=1)
    unit = cell / lengths[:, None]
    cosines = np.clip([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]], -1, 1)
    return lengths, np.degrees(np.arccos(cosines))


def describe_cell(cell: np.ndarray, space_group: Group, atomic_volume: float) -> list[float]:
    """Return the free parameters of a conventional cell in the order of `Group.cell_parameters`.

    :param atomic_volume: sum of the volumes of the elements in the conventional cell [A^3].
    """
    lengths, angles = lengths_and_angles(cell)
    volume = abs(np.linalg.det(cell))
    edges = np.log(lengths / volume ** (1 / 3))
    found = {'v': math.log(volume / atomic_volume), 'a': edges[0], 'b': edges[1]}
    found.update(zip(('alpha', 'beta', 'gamma'), angles))
    return [float(found[name]) for name in space_group.cell_parameters]


def build_cell(parameters: t.Sequence[float], space_group: Group, atomic_volume: float) -> np.ndarray:
    """Return the conventional cell [A] of `describe_cell`.

    :raises ValueError: the angles close no cell.
    """
    given = dict(zip(space_group.cell_parameters, parameters))
    angles = [given.get('alpha', 90.0), given.get('beta', 90.0), 120.0 if space_group.hexagonal else 90.0]
    angles[2] = given.get('gamma', angles[2])
    volume = math.exp(given['v']) * atomic_volume
    skew = float(np.linalg.det(cell_matrix((1, 1, 1), angles)))
    a = math.exp(given['a']) if 'a' in given else skew ** (-1 / 3)
    b = math.exp(given['b']) if 'b' in given else a
    lengths = np.array([a, b, 1.0 / (a * b * skew)]) * volume ** (1 / 3)
    return cell_matrix(tuple(lengths), angles)


def to_level(value: float, name: str) -> int:
    """Return the level of a cell parameter, from 0 to `LEVELS` - 1.

    :raises ValueError: out of range.
    """
    low, high = RANGES[name]
    level = math.floor((value - low) / (high - low) * LEVELS)
    if not 0 <= level < LEVELS:
        raise ValueError(f'the cell parameter {name} = {value:.3g} lies outside {low:.3g} to {high:.3g}')
    return level


def from_level(level: int, name: str) -> float:
    """Return the cell parameter in the middle of a level."""
    low, high = RANGES[name]
    return low + (high - low) * (level + 0.5) / LEVELS


def coordinate_level(value: float) -> int:
    """Return the level of a coordinate: coarse bins have multiples of 1/96 in their middle."""
    return (round(value * LEVELS) + FINE // 2) % LEVELS


def coordinate(level: int) -> float:
    """Return the coordinate of a level, in [0, 1)."""
    return (level - FINE // 2) % LEVELS / LEVELS
