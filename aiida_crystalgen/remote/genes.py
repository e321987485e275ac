"""Decode Wyckoff genes: PyXtal draws the cell and the free coordinates for a space group, its sites and elements."""

from __future__ import annotations

import functools
import typing as t
import warnings

import numpy as np

# Each try that finds no places for the atoms makes the cell of the next one larger.
GROWTH = 1.1
# Shapes of the cell and placements in each, per try. PyXtal's own 40 and 10 cost 12 s where there is no room.
SHAPES, PLACEMENTS = 3, 5


def label(gene: t.Mapping[str, t.Any]) -> str:
    """Return the sites of a gene as a text, such as Mg:4a O:4b."""
    return ' '.join(f'{element}:{site}' for element, sites in zip(gene['species'], gene['sites']) for site in sites)


def primitive_atoms(gene: t.Mapping[str, t.Any]) -> int:
    """Return the number of atoms in the primitive cell of a gene."""
    return int(sum(gene['numIons']) // group_of(gene['group']).cellsize())


def decode(gene: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any], seed: t.Any) -> tuple[t.Any, int]:
    """Return a primitive crystal of a gene (None when no places were found for the atoms) and the tries it took.

    :param gene: `group`, `species`, `sites` (such as `[['4a'], ['4b']]`) and `numIons` of the conventional cell.
    :param settings: `volume_factor` (range), `min_distance_factor` and `tries`, as the adapters describe them.
    :param seed: what alone decides the crystal: numbers that numpy makes a generator of.
    """
    rng = np.random.default_rng(seed)
    prior = sum(count * atomic_volume(element) for element, count in zip(gene['species'], gene['numIons']))
    for number in range(1, settings['tries'] + 1):
        volume = prior * rng.uniform(*settings['volume_factor']) * GROWTH ** (number - 1)
        with warnings.catch_warnings():
            # PyXtal tells of every cell that it gives up; spglib of a change in how it reports errors.
            warnings.simplefilter('ignore')
            structure = _placed(gene, volume, settings['min_distance_factor'], rng)
        if structure is not None:
            return structure, number
    return None, int(settings['tries'])


def _placed(gene: t.Mapping[str, t.Any], volume: float, distance: float, rng: np.random.Generator) -> t.Any:
    """Return a primitive crystal in a conventional cell of this volume [A^3], None when there is no room."""
    from pyxtal.lattice import Lattice
    from pyxtal.msg import Comp_CompatibilityError, VolumeError

    group = group_of(gene['group'])
    try:
        lattice = Lattice(group.lattice_type, volume, PBC=[1, 1, 1], random_state=rng)
        crystal = _search()(
            3, group, list(gene['species']), list(gene['numIons']), lattice=lattice, tm=tolerances(distance),
            sites=[list(sites) for sites in gene['sites']], random_state=rng,
        )  # fmt: skip
    except (Comp_CompatibilityError, VolumeError, ValueError):
        return None
    return primitive(crystal) if crystal.valid else None


@functools.lru_cache(maxsize=None)
def _search() -> t.Any:
    """Return PyXtal's search for places, which sets its own number of attempts, with fewer of them."""
    from pyxtal.crystal import random_crystal

    attempts = {
        'lattice_attempts': property(lambda self: SHAPES, lambda self, value: None),
        'coord_attempts': property(lambda self: PLACEMENTS, lambda self, value: None),
    }
    return type('ShortSearch', (random_crystal,), attempts)


@functools.lru_cache(maxsize=None)
def group_of(number: int) -> t.Any:
    """Return a space group of PyXtal (9 ms the first time)."""
    from pyxtal.symmetry import Group

    return Group(number)


@functools.lru_cache(maxsize=None)
def tolerances(factor: float) -> t.Any:
    """Return PyXtal's shortest distances: `factor` times the sum of the covalent radii of a pair."""
    from pyxtal.tolerance import Tol_matrix

    # PyXtal's own unit is half the sum.
    return Tol_matrix(prototype='atomic', factor=2 * factor)


@functools.lru_cache(maxsize=None)
def atomic_volume(symbol: str) -> float:
    """Return the mean of the covalent and the van der Waals sphere volume [A^3] of an element."""
    from pyxtal.database.element import Element

    element = Element(symbol)
    return float(2 / 3 * np.pi * (element.covalent_radius**3 + element.vdw_radius**3))


def primitive(crystal: t.Any) -> t.Any:
    """Return the Niggli-reduced, right-handed primitive cell of a PyXtal crystal, atoms inside the cell."""
    import spglib
    from pyxtal.database.element import Element

    sites = crystal.atom_sites
    numbers = [Element(site.specie).z for site in sites for _ in range(site.multiplicity)]
    fractional = np.concatenate([site.coords for site in sites])
    found = spglib.find_primitive((crystal.lattice.matrix, fractional, numbers), symprec=1e-3)
    reduced = None if found is None else spglib.niggli_reduce(found[0])
    if found is None or reduced is None:
        return None
    cell = reduced if np.linalg.det(reduced) > 0 else -reduced
    positions = np.mod(found[1] @ found[0] @ np.linalg.inv(cell), 1.0) @ cell
    numbers = [int(number) for number in found[2]]
    return {'numbers': numbers, 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': [True] * 3}
