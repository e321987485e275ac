"""The prototype of a crystal: which sites are taken, whatever the elements, the size and the setting."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from math import gcd
from string import ascii_uppercase
from typing import Any

from .crystal import Crystal, as_columns, with_defaults

ABOUT = {
    'name': 'prototype',
    'kind': 'criterion',
    'summary': 'A label of the arrangement: formula without elements, space group, kinds of sites. Crystals of one '
    'prototype share it; rarely two prototypes do.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Togo, Shinohara, Tanaka, Spglib, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024), '
        'doi:10.1080/27660400.2024.2384822',
    ],
    'install': 'spglib pymatgen',
    'requires': ['numpy', 'pymatgen', 'spglib'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'symprec': {
            'type': 'float', 'default': 0.1, 'unit': 'A', 'minimum': 1e-5, 'maximum': 1.0,
            'help': 'Distance within which sites count as equivalent.',
        },
    },
    'conditions': {},
    'columns': {
        'prototype': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Formula without elements, space group, and of each element the sites by how many atoms of the '
            'primitive cell they hold and their symmetry, as `AB 225 1.-3mm 1.-3mm`. Wyckoff letters are not in it: '
            'they depend on the choice of the origin.',
        },
    },
}  # fmt: skip


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return the label of each crystal."""
    settings = with_defaults(ABOUT, parameters)
    return as_columns(ABOUT, [{'prototype': label(crystal, settings['symprec'])} for crystal in crystals])


def label(crystal: Crystal, symprec: float) -> str | None:
    """Return the prototype of a crystal, None where it is not one or spglib finds no symmetry.

    Args:
        crystal: any cell of it.
        symprec: distance within which sites count as equivalent [A].
    """
    cell = None if crystal.fault is not None else crystal.primitive
    dataset = None if cell is None else _symmetry(cell, symprec)
    if cell is None or dataset is None:
        return None
    sites: dict[int, list[str]] = {}
    for first, count in Counter(dataset.equivalent_atoms.tolist()).items():
        # The axes that a symbol is told along can be named in several ways: only which elements there are counts.
        symmetry = ''.join(sorted(re.findall(r'-?\d|m', dataset.site_symmetry_symbols[first])))
        sites.setdefault(cell[first].specie.Z, []).append(f'{count}.{symmetry}')
    amounts = Counter(site.specie.Z for site in cell)
    parts = sorted((amounts[element], '+'.join(sorted(kinds))) for element, kinds in sites.items())
    return ' '.join([anonymous(list(amounts.values())), str(dataset.number), *(text for _, text in parts)])


def anonymous(amounts: Sequence[int]) -> str:
    """Return a formula without elements, the scarcest first, as `ABC3`."""
    divisor = gcd(*amounts)
    reduced = sorted(amount // divisor for amount in amounts)
    letters = [letter + more for more in ('', *ascii_uppercase.lower()) for letter in ascii_uppercase]
    return ''.join(f'{name}{"" if n == 1 else n}' for name, n in zip(letters, reduced, strict=False))


def _symmetry(structure: Any, symprec: float) -> Any:
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, [site.specie.Z for site in structure])
    try:
        # spglib 2.8 warns that it will raise errors one day.
        with warnings.catch_warnings(action='ignore'):
            return spglib.get_symmetry_dataset(cell, symprec=symprec)
    except Exception:
        return None
