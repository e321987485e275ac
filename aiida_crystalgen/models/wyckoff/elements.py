"""What the model is told of the elements: place in the periodic table and electronegativity."""

from __future__ import annotations

import functools

import numpy as np

N_ELEMENTS = 118
_TABLE = """
X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr
Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt
Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv
Ts Og
"""
SYMBOLS = tuple(_TABLE.split())
NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)

# Pauling electronegativity times 100 by atomic number (Haynes, CRC Handbook, 95th edition); 0: unknown.
ELECTRONEGATIVITY = (
    0, 220, 0, 98, 157, 204, 255, 304, 344, 398, 0, 93, 131, 161, 190, 219, 258, 316, 0, 82, 100, 136, 154, 163, 166,
    155, 183, 188, 191, 190, 165, 181, 201, 218, 255, 296, 300, 82, 95, 122, 133, 160, 216, 190, 220, 228, 220, 193,
    169, 178, 196, 205, 210, 266, 260, 79, 89, 110, 112, 113, 114, 113, 117, 120, 120, 110, 122, 123, 124, 125, 110,
    127, 130, 150, 236, 190, 220, 220, 228, 254, 200, 162, 187, 202, 200, 220, 220, 70, 90, 110, 130, 150, 138, 136,
    128, 130, 130, 130, 130, 130, 130, 130, 130, 130,
)  # fmt: skip

# Atomic radii times 100 [A] by atomic number (Slater, J. Chem. Phys. 41, 3199, 1964).
RADII = (
    0, 25, 140, 145, 105, 85, 70, 65, 60, 50, 140, 180, 150, 125, 110, 100, 100, 100, 71, 220, 180, 160, 140, 135,
    140, 140, 140, 135, 135, 135, 135, 130, 125, 115, 115, 115, 140, 235, 200, 180, 155, 145, 145, 135, 130, 135,
    140, 160, 155, 155, 145, 145, 140, 140, 140, 260, 215, 195, 185, 185, 185, 185, 185, 185, 180, 175, 175, 175,
    175, 175, 175, 175, 155, 145, 135, 135, 130, 135, 135, 135, 150, 190, 180, 160, 190, 140, 140, 140, 215, 195,
    180, 180, 175, 175, 175, 175,
)  # fmt: skip
UNKNOWN_RADIUS = 1.4


@functools.lru_cache(maxsize=None)
def rank(number: int) -> int:
    """Return the place of an element in the order of the model: by electronegativity, then by atomic number."""
    return _ranks()[number]


@functools.lru_cache(maxsize=None)
def _ranks() -> tuple[int, ...]:
    values = [*ELECTRONEGATIVITY, *([0] * (N_ELEMENTS + 1 - len(ELECTRONEGATIVITY)))]
    ordered = sorted(range(1, N_ELEMENTS + 1), key=lambda number: (values[number], number))
    ranks = [0] * (N_ELEMENTS + 1)
    for place, number in enumerate(ordered, start=1):
        ranks[number] = place
    return tuple(ranks)


def by_rank() -> np.ndarray:
    """Return the atomic numbers in the order of the model, (119,); 0 stands for itself."""
    return np.argsort(np.array(_ranks()))


def period(number: int) -> int:
    """Return the row of the periodic table, from 1 to 7; 0 for no element."""
    return sum(number > gas for gas in NOBLE_GASES) if number else 0


def column(number: int) -> int:
    """Return the column of the periodic table, from 1 to 18; 19 for the f elements, 0 for no element."""
    if number == 0:
        return 0
    row = period(number)
    place = number - NOBLE_GASES[row - 1]
    length = NOBLE_GASES[row] - NOBLE_GASES[row - 1]
    if place <= 2:
        return 18 if number == 2 else place
    if length == 32 and place <= 16:
        return 19
    return 18 - (length - place)


def atomic_number(symbol: str) -> int:
    """Return the atomic number of a symbol.

    :raises ValueError: no element.
    """
    if symbol not in SYMBOLS[1:]:
        raise ValueError(f'`{symbol}` is no element')
    return SYMBOLS.index(symbol)
