"""Phonon bands along the usual path through the Brillouin zone, and the density of states.

The path is that of Hinuma, Pizzi, Kumagai, Oba and Tanaka, Comput. Mater. Sci. 128, 140 (2017), by seekpath.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .phonons import mesh_numbers

Array = Any

# q-points on the longest straight part of a path.
POINTS = 51
# Width of the Gaussians of the density of states over the range of frequencies, and points of it.
WIDTH, LEVELS = 0.012, 201
_GREEK = {'GAMMA': 'Γ', 'DELTA': 'Δ', 'LAMBDA': 'Λ', 'SIGMA': 'Σ'}


@dataclass(frozen=True)
class Bands:
    """Frequencies along a path.

    :ivar parts: straight parts: distances (n,) [1/A, 2 pi not in them] along the path and frequencies (n, bands) [THz].
    :ivar ticks: distances of the named points and their names, `U|K` where the path jumps.
    """

    parts: tuple[tuple[Array, Array], ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Density:
    """Density of states.

    :ivar frequencies: (n,) [THz]; `states` (n,) [1/THz, a primitive cell], which adds up to the number of bands.
    """

    frequencies: Array
    states: Array


def can_find_paths() -> bool:
    """Say whether seekpath is installed."""
    return importlib.util.find_spec('seekpath') is not None


def bands_of(phonon: Any, points: int = POINTS) -> Bands:
    """Return the bands of a `Phonopy` whose force constants are there.

    :raises ModuleNotFoundError: without seekpath.
    """
    from phonopy.phonon.band_structure import get_band_qpoints_by_seekpath

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # of spglib, called by seekpath
        paths, labels, connections = get_band_qpoints_by_seekpath(phonon.primitive, points, is_const_interval=True)
    reciprocal = np.linalg.inv(phonon.primitive.cell).T
    parts, ticks, distance, names = [], [], 0.0, iter(labels)
    is_new = True
    for path, goes_on in zip(paths, connections, strict=True):
        steps = np.linalg.norm(np.diff(np.asarray(path) @ reciprocal, axis=0), axis=1)
        along = distance + np.concatenate([[0.0], np.cumsum(steps)])
        phonon.run_qpoints(path)
        parts.append((along, np.array(phonon.qpoints.frequencies)))
        if is_new:
            ticks.append((distance, _name(next(names))))
        distance, is_new = float(along[-1]), not goes_on
        ticks.append((distance, _name(next(names))))
    return Bands(tuple(parts), tuple(_joined(ticks)))


def density_of(phonon: Any, mesh_length: float = 60.0) -> Density:
    """Return the density of states on a mesh of q-points, Gaussians in place of lines.

    :param mesh_length: density of the mesh, as a length in real space [A].
    """
    phonon.run_mesh(mesh_numbers(phonon.primitive.cell, mesh_length), is_gamma_center=True)
    frequencies, weights = np.array(phonon.mesh.frequencies), np.array(phonon.mesh.weights, dtype=float)
    low, high = float(frequencies.min()), float(frequencies.max())
    width = max((high - low) * WIDTH, 1e-3)
    levels = np.linspace(low - 4 * width, high + 4 * width, LEVELS)
    shapes = np.exp(-0.5 * ((levels[:, None] - frequencies.ravel()) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    shares = np.repeat(weights / weights.sum(), frequencies.shape[1])
    return Density(levels, shapes @ shares)


def _joined(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the ticks with the two of a jump as one."""
    found: list[tuple[float, str]] = []
    for place, name in ticks:
        if found and abs(found[-1][0] - place) < 1e-9:
            found[-1] = (place, found[-1][1] if found[-1][1] == name else f'{found[-1][1]}|{name}')
        else:
            found.append((place, name))
    return found


def _name(label: str) -> str:
    """Return the name of a point as it is printed; phonopy writes it for LaTeX."""
    plain = label.replace('$', '').replace('\\mathrm', '').replace('{', '').replace('}', '').replace('\\', '')
    stem, _, index = plain.partition('_')
    return _GREEK.get(stem.upper(), stem) + index.translate(str.maketrans('0123456789', '₀₁₂₃₄₅₆₇₈₉'))
