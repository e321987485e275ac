"""How far the atoms of a host moved from where they were before other atoms were put in and all was relaxed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crystal import Crystal, as_columns, with_defaults
from .geometry import reduce_cell

ABOUT = {
    'name': 'framework',
    'kind': 'criterion',
    'summary': 'Displacement of the host of inserted atoms, and change of its volume; unknown for other crystals.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [],
    'install': 'numpy',
    'requires': ['numpy'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {},
    'conditions': {},
    'columns': {
        'framework_max_displacement': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'level': '',
            'help': 'Largest displacement of an atom of the host (columns `host_site`, `host_position`), by the '
            'nearest image in the present cell, without the mean translation of the host and the strain of the cell.',
        },
        'framework_mean_displacement': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'level': '',
            'help': 'Mean displacement of the atoms of the host, measured alike.',
        },
        'framework_volume_change': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Change of the volume over the volume of the host (column `host_volume`): 0.1 is 10 % larger.',
        },
    },
}  # fmt: skip

_NEIGHBOURS = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return the displacement [A] of each host and its change of volume; None where there is no host."""
    with_defaults(ABOUT, parameters)
    return as_columns(ABOUT, [_found(crystal) for crystal in crystals])


def _found(crystal: Crystal) -> dict[str, float]:
    """Return what is known of the host of one crystal."""
    sites, before = crystal.columns.get('host_site'), crystal.columns.get('host_position')
    if crystal.fault is not None or sites is None or before is None:
        return {}
    host = np.asarray(sites, dtype=np.int64) >= 0
    positions = np.asarray(before, dtype=np.float64).reshape(-1, 3)
    if not len(host) == len(positions) == crystal.n_sites or not host.any():
        return {}
    moved = displacements(crystal.cell, crystal.positions[host], positions[host])
    found = {
        'framework_max_displacement': float(moved.max()),
        'framework_mean_displacement': float(moved.mean()),
    }
    volume = crystal.columns.get('host_volume')
    if volume:
        found['framework_volume_change'] = crystal.volume / float(volume) - 1.0
    return found


def displacements(
    cell: NDArray[np.float64], positions: NDArray[np.float64], before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far each of n >= 1 atoms moved [A], their mean translation taken out, shape (n,).

    :param cell: lattice vectors as rows [A], shape (3, 3).
    :param positions: Cartesian positions [A], shape (n, 3).
    :param before: fractional coordinates before, shape (n, 3), in a cell that was strained to become this one.
    """
    basis = reduce_cell(cell)
    moved = positions - before @ cell
    # Relative to one atom no common translation, however large, takes another atom to the wrong image.
    moved = _shortest(moved - moved[0], basis)
    moved = _shortest(moved - moved.mean(axis=0), basis)
    lengths: NDArray[np.float64] = np.linalg.norm(moved, axis=1)
    return lengths


def _shortest(vectors: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest of each vector [A] and its sums with vectors of the lattice of a reduced basis."""
    fractional = vectors @ np.linalg.inv(basis)
    images = ((fractional - np.round(fractional))[:, None] + _NEIGHBOURS) @ basis
    nearest = np.einsum('ijk,ijk->ij', images, images).argmin(axis=1)
    shortest: NDArray[np.float64] = images[np.arange(len(images)), nearest]
    return shortest
