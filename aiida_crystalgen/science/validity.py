"""Geometric validity: is this a periodic arrangement of atoms that keep their distance?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .composition import smact_verdict
from .crystal import MAX_ATOMIC_NUMBER, MIN_VOLUME, Crystal, as_columns, with_defaults
from .geometry import Distances, shortest_distances

ABOUT = {
    'name': 'validity',
    'kind': 'criterion',
    'summary': 'Geometry gates over all periodic images: cell volume, distances, number of atoms, volume per atom.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Xie, Fu, Ganea, Barzilay, Jaakkola, Crystal Diffusion Variational Autoencoder, ICLR 2022, arXiv:2110.06197',
        'Togo, Shinohara, Tanaka, Spglib, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024), '
        'doi:10.1080/27660400.2024.2384822',
    ],
    'install': 'pymatgen spglib smact',
    'requires': ['numpy', 'scipy', 'pymatgen', 'spglib', 'smact'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'min_distance': {
            'type': 'float', 'default': 0.5, 'unit': 'A', 'minimum': 0.0,
            'help': 'Shortest allowed distance between two atoms, an atom and its own image included.',
        },
        'min_ratio': {
            'type': 'float', 'default': 0.6, 'unit': '', 'minimum': 0.0,
            'help': 'Smallest allowed distance over the sum of the atomic radii (pymatgen; 1.4 A where it has none); '
            'null turns the gate off. Of 1,810 known crystals 0.1 % lie below 0.69.',
        },
        'max_atoms': {
            'type': 'int', 'default': 500, 'unit': '', 'minimum': 1,
            'help': 'Largest number of atoms in the cell; null for no limit.',
        },
        'min_volume_per_atom': {
            'type': 'float', 'default': 1.5, 'unit': 'A^3', 'minimum': 0.0,
            'help': 'Smallest allowed volume per atom; null for no limit.',
        },
        'max_volume_per_atom': {
            'type': 'float', 'default': 300.0, 'unit': 'A^3', 'minimum': 0.0,
            'help': 'Largest allowed volume per atom; null for no limit.',
        },
        'symprec': {
            'type': 'float', 'default': 0.01, 'unit': 'A', 'minimum': 1e-6,
            'help': 'Tolerance of the space group (spglib).',
        },
    },
    'conditions': {},
    'columns': {
        'valid': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the crystal passes all geometry gates, periodic images included.',
        },
        'invalid_reason': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'First gate that the crystal fails: no_atoms, non_finite, not_periodic, unknown_element, '
            'zero_volume, too_many_atoms, self_image_too_close, atoms_too_close, atoms_overlap (ratio to the radii) or '
            'volume_out_of_range.',
        },
        'invalid_value': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Value that failed the gate, in the unit of the gate.',
        },
        'invalid_threshold': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Threshold of the failed gate, in the unit of the gate.',
        },
        'valid_cdvae': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Validity as the literature since CDVAE counts it: V >= 0.1 A^3, distances between different atoms '
            '(no self-images) >= 0.5 A, and SMACT validity with the alloy rule and the oxidation states of 2014.',
        },
        'min_distance': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'level': '',
            'help': 'Shortest distance between two atoms, periodic images included.',
        },
        'min_distance_ratio': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Smallest distance over the sum of the atomic radii, periodic images included.',
        },
        'volume_per_atom': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A^3', 'level': '',
            'help': 'Volume of the cell over its number of atoms.',
        },
        'space_group': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of the space group of a valid crystal by spglib at `symprec`; unknown where it finds none.',
        },
    },
}  # fmt: skip

UNKNOWN_RADIUS = 1.4
"""Radius of elements without a tabulated atomic radius [A]."""

CDVAE_DISTANCE = 0.5
"""Shortest distance between different atoms in CDVAE's structural validity [A]."""

MAX_DENSE = 500
"""Most atoms for which all pairs are computed at once: only in cells shorter than 0.5 A."""

Failure = tuple[str, float | None, float | None]


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Judge the geometry of each crystal on its own."""
    settings = with_defaults(ABOUT, parameters)
    rows = [_judge(crystal, settings) for crystal in crystals]
    return as_columns(ABOUT, rows)


def _judge(crystal: Crystal, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of one crystal; absent ones are unknown."""
    if crystal.fault is not None:
        flat = crystal.fault == 'zero_volume'
        return {
            'valid': False,
            'valid_cdvae': False,
            'invalid_reason': crystal.fault,
            'invalid_value': crystal.volume if flat else None,
            'invalid_threshold': MIN_VOLUME if flat else None,
        }
    distances = shortest_distances(crystal.cell, crystal.positions, radii()[crystal.numbers])
    failure = _first_failure(crystal, distances, settings)
    reason, value, threshold = failure or (None, None, None)
    return {
        'valid': failure is None,
        'invalid_reason': reason,
        'invalid_value': value,
        'invalid_threshold': threshold,
        'valid_cdvae': _valid_cdvae(crystal, distances),
        'min_distance': distances.shortest,
        'min_distance_ratio': distances.ratio,
        'volume_per_atom': crystal.volume / crystal.n_sites,
        'space_group': space_group(crystal, settings['symprec']) if failure is None else None,
    }


def _first_failure(crystal: Crystal, distances: Distances, settings: Mapping[str, Any]) -> Failure | None:
    """Return reason, value and threshold of the first gate that fails."""
    volume = crystal.volume / crystal.n_sites
    gates = (
        ('too_many_atoms', -crystal.n_sites, 'max_atoms'),
        ('self_image_too_close', distances.self_image, 'min_distance'),
        ('atoms_too_close', distances.shortest, 'min_distance'),
        ('atoms_overlap', distances.ratio, 'min_ratio'),
        ('volume_out_of_range', volume, 'min_volume_per_atom'),
        ('volume_out_of_range', -volume, 'max_volume_per_atom'),
    )
    for reason, value, name in gates:
        limit = settings[name]
        # Upper limits are lower limits of the negative value.
        if limit is not None and value < (-limit if name.startswith('max') else limit):
            return reason, abs(float(value)), float(limit)
    return None


def _valid_cdvae(crystal: Crystal, distances: Distances) -> bool | None:
    """Return the validity of the literature, None where its verdict on the composition is out of reach."""
    if distances.self_image >= CDVAE_DISTANCE:
        geometric = distances.shortest >= CDVAE_DISTANCE
    elif crystal.n_sites > MAX_DENSE:
        return None
    else:
        matrix = crystal.structure.distance_matrix
        geometric = bool((matrix[~np.eye(len(matrix), dtype=bool)] >= CDVAE_DISTANCE).all())
    return smact_verdict(crystal.composition_key, alloys=True, oxidation_states='smact14') if geometric else False


def space_group(crystal: Crystal, symprec: float) -> int | None:
    """Return the number of the space group at a tolerance [A], None where spglib finds none."""
    import spglib

    cell = crystal.right_handed_cell
    # spglib 2.7 and 2.8 warn on every call of how they will report errors from version 3 on.
    with warnings.catch_warnings(action='ignore'):
        try:
            symbol = spglib.get_spacegroup((cell, crystal.positions @ np.linalg.inv(cell), crystal.numbers), symprec)
        except Exception:
            return None
    return int(symbol.rsplit('(', 1)[1].rstrip(')')) if symbol else None


@cache
def radii() -> NDArray[np.float64]:
    """Return the atomic radii [A] by atomic number (Slater, J. Chem. Phys. 41, 3199, 1964, as pymatgen has them)."""
    from pymatgen.core import Element

    with warnings.catch_warnings(action='ignore'):
        known = [Element.from_Z(number).atomic_radius for number in range(1, MAX_ATOMIC_NUMBER + 1)]
    return np.array([UNKNOWN_RADIUS, *(float(radius) if radius else UNKNOWN_RADIUS for radius in known)])
