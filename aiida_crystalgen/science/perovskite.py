"""Tolerance factors of crystals that have the octahedral net of a perovskite; unknown for all others."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .composition import mean_states
from .crystal import CompositionKey, Crystal, as_columns, symbol_of, with_defaults

if TYPE_CHECKING:
    from pymatgen.core import Structure

ABOUT = {
    'name': 'perovskite',
    'kind': 'criterion',
    'summary': 'Corner-sharing octahedra of an ABX3 crystal, and where they are there the tolerance factors of '
    'Goldschmidt and Bartel and the octahedral factor, from Shannon radii.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Goldschmidt, Die Gesetze der Krystallochemie, Naturwissenschaften 14, 477 (1926), doi:10.1007/BF01507527',
        'Bartel, Sutton, Goldsmith, Ouyang, Musgrave, Ghiringhelli, Scheffler, New tolerance factor to predict the '
        'stability of perovskite oxides and halides, Sci. Adv. 5, eaav0693 (2019), doi:10.1126/sciadv.aav0693',
        'Shannon, Revised effective ionic radii, Acta Cryst. A 32, 751 (1976), doi:10.1107/S0567739476001551',
    ],
    'install': 'pymatgen',
    'requires': ['numpy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {},
    'conditions': {},
    'columns': {
        'perovskite_net': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether every B of ABX3 has an octahedron of X, each corner of which is shared with one other; '
            'unknown for other compositions.',
        },
        'goldschmidt_factor': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 't = (r_A + r_X) / (sqrt 2 (r_B + r_X)); perovskites are known from about 0.8 to 1.1.',
        },
        'octahedral_factor': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'r_B / r_X; octahedra hold from about 0.41 to 0.9.',
        },
        'bartel_factor': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'tau = r_X/r_B - n_A (n_A - (r_A/r_B) / ln(r_A/r_B)); below 4.18 for perovskites (92 % of 576).',
        },
        'shannon_radii': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Ions, coordination and radii [A] that went in, as `Ba+2 XII 1.61, Ti+4 VI 0.605, O-2 VI 1.4`.',
        },
    },
}  # fmt: skip

ANIONS = ('F', 'O', 'Cl', 'Br', 'I', 'S', 'Se', 'H', 'N')
REACH = 1.5
"""Neighbours of B within this many times the shortest distance B-X belong to its octahedron: in ferroelectric PbTiO3
they reach 1.35, and the next X lies beyond twice the distance."""

# Coordination numbers of A in the order in which radii are looked for: not all ions have one for twelve.
_AROUND_A = ('XII', 'XI', 'X', 'IX', 'VIII', 'VII', 'VI')
_SPINS = ('', 'High Spin', 'Low Spin')


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return whether there is a net of octahedra, and the factors where there is one."""
    with_defaults(ABOUT, parameters)
    return as_columns(ABOUT, [_found(crystal) for crystal in crystals])


def _found(crystal: Crystal) -> dict[str, Any]:
    """Return what is known of one crystal."""
    if crystal.fault is not None:
        return {}
    parts = sites_of(crystal.composition_key)
    cell = crystal.primitive
    if parts is None or cell is None:
        return {}
    first, second, anion = parts
    centre = next((one for one in (first, second) if has_octahedra(cell, one, anion)), None)
    if centre is None:
        return {'perovskite_net': False}
    return {'perovskite_net': True, **factors(second if centre == first else first, centre, anion)}


def sites_of(key: CompositionKey) -> tuple[str, str, str] | None:
    """Return both cations, in alphabetic order, and the anion of an ABX3 composition; None for any other."""
    symbols = {symbol_of(number): count for number, count in key}
    anions = [symbol for symbol in ANIONS if symbols.get(symbol) == 3]
    others = sorted(symbol for symbol, count in symbols.items() if count == 1)
    return (others[0], others[1], anions[0]) if len(symbols) == 3 and len(others) == 2 and anions else None


def has_octahedra(structure: Structure, centre: str, anion: str) -> bool:
    """Return whether all atoms of an element sit in octahedra of another one, each corner shared with another one."""
    corners = [index for index, site in enumerate(structure) if site.specie.symbol == anion]
    centres = [index for index, site in enumerate(structure) if site.specie.symbol == centre]
    reach = min(structure.get_distance(centres[0], corner) for corner in corners) * REACH
    shared: dict[int, int] = dict.fromkeys(corners, 0)
    bonds: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for index in centres:
        around = structure.get_neighbors(structure[index], reach)
        bonds[index] = [(one.index, tuple(int(x) for x in one.image)) for one in around if one.index in shared]
        if len(bonds[index]) != 6:
            return False
        for corner, _ in bonds[index]:
            shared[corner] += 1
    if set(shared.values()) != {2}:
        return False
    return all(len(_bridged(index, bonds)) == 6 for index in centres)


def _bridged(index: int, bonds: Mapping[int, list[tuple[int, tuple[int, ...]]]]) -> set[tuple[int, tuple[int, ...]]]:
    """Return the other octahedra, with their cells, that share corners with one: six if it shares one with each."""
    found = set()
    for corner, image in bonds[index]:
        for other, others in bonds.items():
            for other_corner, other_image in others:
                shift = tuple(a - b for a, b in zip(image, other_image, strict=True))
                if other_corner == corner and (other, shift) != (index, (0, 0, 0)):
                    found.add((other, shift))
    return found


@lru_cache(maxsize=4096)
def factors(large: str, centre: str, anion: str) -> dict[str, Any]:
    """Return the factors of an ABX3 composition; none where its oxidation states or a radius are not known.

    :param large: symbol of A.
    :param centre: symbol of B.
    """
    from pymatgen.core import Composition, Element

    formula = Composition({large: 1, centre: 1, anion: 3})
    key = tuple(sorted((Element(element.symbol).Z, int(count)) for element, count in formula.items()))
    states = mean_states(key)
    if not states or any(state != int(state) for state in states.values()):
        return {}
    ions = [(large, _AROUND_A), (centre, ('VI',)), (anion, ('VI',))]
    radii = [_radius(symbol, int(states[symbol]), numbers) for symbol, numbers in ions]
    known = [found for found in radii if found is not None]
    if len(known) < len(radii) or states[large] <= 0 or states[centre] <= 0:
        return {}
    a, b, x = (radius for _, radius in known)
    words = (
        f'{symbol}{int(states[symbol]):+d} {number} {radius:g}'
        for (symbol, _), (number, radius) in zip(ions, known, strict=True)
    )
    found: dict[str, Any] = {
        'goldschmidt_factor': (a + x) / (math.sqrt(2) * (b + x)),
        'octahedral_factor': b / x,
        'shannon_radii': ', '.join(words),
    }
    # Equal radii make the formula infinite; A smaller than B is outside of what it was fitted to.
    if a > b:
        charge = states[large]
        found['bartel_factor'] = x / b - charge * (charge - (a / b) / math.log(a / b))
    return found


def _radius(symbol: str, state: int, numbers: Sequence[str]) -> tuple[str, float] | None:
    """Return the first coordination number for which Shannon gives a radius, and the radius [A]; high spin first."""
    from pymatgen.core import Species

    for number in numbers:
        for spin in _SPINS:
            try:
                with warnings.catch_warnings(action='ignore'):
                    return number, float(Species(symbol, state).get_shannon_radius(number, spin))
            except (KeyError, TypeError, ValueError):
                continue
    return None
