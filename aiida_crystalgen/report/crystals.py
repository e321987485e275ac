"""Small pictures of crystals: the conventional cell in parallel projection, near atoms over far ones."""

from __future__ import annotations

import itertools
import typing as t
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.report import svg

Array = npt.NDArray[t.Any]

SIZE: t.Final = 200.0  # pixels
EDGE: t.Final = 30.0  # pixels kept free round the cell
NEAR_FACE: t.Final = 1e-3  # fractional coordinate below which an atom is repeated at the opposite face
MOST_ATOMS: t.Final = 60
SYMPREC: t.Final = 0.05  # Å; a picture may be a little more symmetric than its crystal
TURN: t.Final = (-72.0, 0.0, -22.0)  # degrees about x, y and z, as one looks at a box from slightly above


@dataclass(frozen=True)
class Model:
    """A conventional cell as it is looked at: atoms, their images on opposite faces, and the corners of the cell.

    :param places: (m, 3) Å, turned, centred; the third coordinate points to the reader.
    :param corners: (8, 3) Å, likewise.
    """

    numbers: Array
    places: Array
    corners: Array


def model_of(numbers: Array, positions: Array, cell: Array) -> Model | None:
    """Return what is drawn of a crystal, None where it is too large to be read.

    :param numbers: (n,) atomic numbers.
    :param positions: (n, 3) Cartesian, Å.
    :param cell: (3, 3) lattice vectors as rows, Å.
    """
    if not 0 < len(numbers) <= MOST_ATOMS or abs(np.linalg.det(cell)) < NEAR_FACE:
        return None
    turn = _rotation()
    numbers, positions, cell = _conventional(numbers, positions, cell)
    shown, places = _with_images(numbers, positions, cell)
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=3))) @ cell @ turn
    atoms = places @ turn
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    return Model(shown, atoms - middle, corners - middle)


def crystal_figure(numbers: Array, positions: Array, cell: Array) -> str:
    """Return the picture of a crystal, empty where it is too large to be read."""
    model = model_of(numbers, positions, cell)
    if model is None:
        return ''
    everything = np.vstack([model.corners, model.places])[:, :2]
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = (SIZE - 2 * EDGE) / max(float((high - low).max()), 1.0)
    middle = (low + high) / 2

    def project(point: Array) -> svg.Point:
        x, y = (point[:2] - middle) * scale
        return SIZE / 2 + float(x), SIZE / 2 - float(y)

    parts = [svg.line(project(model.corners[a]), project(model.corners[b]), 'cell') for a, b in _edges()]
    for place in np.argsort(model.places[:, 2]):
        number = int(model.numbers[place])
        radius = min(max(radius_of(number) * 0.5 * scale, 2.5), EDGE - 4)
        parts.append(svg.circle(project(model.places[place]), radius, 'atom', SYMBOLS[number - 1], colour_of(number)))
    return svg.drawing(SIZE, SIZE, parts, 'Unit cell')


def scene_of(numbers: Array, positions: Array, cell: Array) -> dict[str, t.Any] | None:
    """Return a crystal as the script of the page draws it: atoms by element, edges of the cell, colours and radii."""
    model = model_of(numbers, positions, cell)
    if model is None:
        return None
    kinds = sorted({int(number) for number in model.numbers})
    atoms = [
        [kinds.index(int(n)), *np.round(place, 2).tolist()]
        for n, place in zip(model.numbers, model.places, strict=True)
    ]
    return {
        'kinds': [[SYMBOLS[number - 1], colour_of(number), round(radius_of(number), 2)] for number in kinds],
        'atoms': atoms,
        'corners': np.round(model.corners, 2).tolist(),
        'edges': _edges(),
    }


def radius_of(number: int) -> float:
    """Return the covalent radius of an element [Å]."""
    from ase.data import covalent_radii

    return float(covalent_radii[number])


def colour_of(number: int) -> str:
    """Return the usual colour of an element."""
    from ase.data.colors import jmol_colors

    return '#' + ''.join(f'{round(255 * part):02x}' for part in jmol_colors[number])


def _conventional(numbers: Array, positions: Array, cell: Array) -> tuple[Array, Array, Array]:
    """Return the cell that textbooks show, or the given one where no symmetry is found."""
    import spglib

    inside = np.linalg.solve(cell.T, positions.T).T
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # spglib is about to raise where it returned None
        try:
            found = spglib.standardize_cell((cell, inside, numbers), symprec=SYMPREC)
        except spglib.SpglibError:
            found = None
    if found is None or len(found[2]) > MOST_ATOMS:
        return numbers, positions, cell
    lattice, places, species = found
    return np.asarray(species), np.asarray(places) @ lattice, np.asarray(lattice)


def _rotation() -> Array:
    x, _, z = np.radians(TURN)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray((about_x @ about_z).T)


def _with_images(numbers: Array, positions: Array, cell: Array) -> tuple[Array, Array]:
    """Return the atoms of the cell, those on a face also on the opposite one."""
    inside = np.mod(np.linalg.solve(cell.T, positions.T).T, 1.0)
    inside[inside > 1 - NEAR_FACE] = 0.0
    species, places = [], []
    for number, place in zip(numbers, inside, strict=True):
        shifts = [(0.0, 1.0) if part < NEAR_FACE else (0.0,) for part in place]
        for shift in itertools.product(*shifts):
            species.append(number)
            places.append(place + np.array(shift))
    return np.array(species), np.array(places) @ cell


def _edges() -> list[tuple[int, int]]:
    """Return the pairs of corners that differ in one digit."""
    return [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in {1, 2, 4}]
