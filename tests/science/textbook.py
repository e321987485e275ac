"""Crystals of the textbooks, from space group and coordinates."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure

from aiida_crystalgen.science.crystal import Crystal


def from_group(group: str, lattice: Lattice, symbols: list[str], sites: list[list[float]], name: str = 'a') -> Crystal:
    """Return a crystal of a space group; coordinates are fractions of the conventional cell."""
    structure = Structure.from_spacegroup(group, lattice, symbols, sites).get_primitive_structure()
    matrix = np.array(structure.lattice.matrix)
    numbers = np.array(structure.atomic_numbers)
    return Crystal(name, numbers, np.array(structure.cart_coords), matrix, np.ones(3, dtype=bool))


def perovskite(large: str, centre: str, anion: str, edge: float) -> Crystal:
    """Return a cubic perovskite with B in the middle of the cell."""
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return from_group('Pm-3m', Lattice.cubic(edge), [large, centre, anion], sites)


def rocksalt(cation: str, anion: str, edge: float) -> Crystal:
    """Return a rocksalt crystal."""
    return from_group('Fm-3m', Lattice.cubic(edge), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def zincblende(cation: str, anion: str, edge: float) -> Crystal:
    """Return a zincblende crystal."""
    return from_group('F-43m', Lattice.cubic(edge), [cation, anion], [[0, 0, 0], [0.25, 0.25, 0.25]])


CATIO3 = from_group(
    'Pnma', Lattice.orthorhombic(5.4405, 7.6436, 5.3812), ['Ca', 'Ti', 'O', 'O'],
    [[0.0365, 0.25, 0.9932], [0, 0, 0.5], [0.4838, 0.25, 0.0713], [0.2895, 0.0374, 0.7110]],
)  # fmt: skip
"""CaTiO3; Sasaki, Prewitt, Bass, Schulze, Acta Cryst. C 43, 1668 (1987), in the setting Pnma."""

PBTIO3 = from_group(
    'P4mm', Lattice.tetragonal(3.902, 4.156), ['Pb', 'Ti', 'O', 'O'],
    [[0, 0, 0], [0.5, 0.5, 0.5377], [0.5, 0.5, 0.1118], [0.5, 0, 0.6174]],
)  # fmt: skip
"""Ferroelectric PbTiO3; Shirane, Pepinsky, Frazer, Acta Cryst. 9, 131 (1956)."""

SPINEL = from_group(
    'Fd-3m', Lattice.cubic(8.0806), ['Mg', 'Al', 'O'], [[0.0] * 3, [0.625] * 3, [0.3874] * 3],
)  # fmt: skip
"""MgAl2O4; Yamanaka, Takeuchi, Z. Kristallogr. 165, 65 (1983), u = 0.2624, moved to the first origin."""

LICOO2 = from_group(
    'R-3m', Lattice.hexagonal(2.8161, 14.0536), ['Li', 'Co', 'O'], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2605]],
)  # fmt: skip
"""LiCoO2; Akimoto, Gotoh, Oosawa, J. Solid State Chem. 141, 298 (1998)."""

ILMENITE = from_group(
    'R-3', Lattice.hexagonal(5.0884, 14.0855), ['Fe', 'Ti', 'O'],
    [[0, 0, 0.3553], [0, 0, 0.1464], [0.3174, 0.0233, 0.2451]],
)  # fmt: skip
"""FeTiO3; Wechsler, Prewitt, Am. Mineral. 69, 176 (1984)."""

NI3AL = from_group('Pm-3m', Lattice.cubic(3.572), ['Al', 'Ni'], [[0, 0, 0], [0.5, 0.5, 0]])
"""Ni3Al, the structure L1_2."""

YBCO = from_group(
    'Pmmm', Lattice.orthorhombic(3.8227, 3.8872, 11.6802), ['Y', 'Ba', 'Cu', 'Cu', 'O', 'O', 'O', 'O'],
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.1843], [0, 0, 0], [0, 0, 0.3556],
     [0, 0.5, 0], [0.5, 0, 0.3779], [0, 0.5, 0.3790], [0, 0, 0.1590]],
)  # fmt: skip
"""YBa2Cu3O7; Beno et al., Appl. Phys. Lett. 51, 57 (1987)."""

BATIO3, SRTIO3 = perovskite('Ba', 'Ti', 'O', 4.009), perovskite('Sr', 'Ti', 'O', 3.905)
NACL, GAAS = rocksalt('Na', 'Cl', 5.640), zincblende('Ga', 'As', 5.653)
