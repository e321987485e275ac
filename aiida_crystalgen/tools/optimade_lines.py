"""Crystals as OPTIMADE JSON lines: what a server of the standard can offer as they are.

The first line says the version, the second describes our own properties, every other one is an entry. Every entry has
been validated by the models of the package `optimade`.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from math import gcd

import numpy as np

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.convert import representable
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.table import column_values, table_columns

PREFIX: t.Final = '_crystalgen_'
API_VERSION: t.Final = '1.2.0'
N_HEADERS: t.Final = 2
_TYPES: t.Final = {'float': 'float', 'int': 'integer', 'bool': 'boolean', 'text': 'string'}
_UNITS: t.Final = {'eV': 'eV', 'THz': 'THz', 'GPa': 'GPa', 'K': 'K', 'A': 'Ao'}  # those that UCUM has, by ours


def optimade_lines(crystals: Crystals) -> Iterator[str]:
    """Yield the lines of a file, without their ends; rows that are no crystal are left out.

    When an entry was last changed is unknown, so that the same crystals are the same lines.

    :raises ModuleNotFoundError: without the package `optimade`.
    """
    from optimade.models import EntryInfoResource, StructureResource

    names = [name for name in table_columns(crystals) if name in crystals.columns and name != 'id']
    info = {
        'type': 'info',
        'id': 'structures',
        'description': 'Crystals of an aiida-crystalgen campaign.',
        'formats': ['json'],
        'output_fields_by_format': {'json': [PREFIX + name for name in names]},
        'properties': {PREFIX + name: _property(crystals, name) for name in names},
    }
    EntryInfoResource(**info)
    yield json.dumps({'x-optimade': {'meta': {'api_version': API_VERSION}}})
    yield json.dumps(info)
    series = {name: column_values(crystals, name) for name in names}
    fits = representable(crystals)
    for place, row in enumerate(crystals.rows()):
        if not fits[place]:
            continue
        own = {PREFIX + name: values[place] for name, values in series.items()}
        attributes = {**_geometry(row), 'last_modified': None, 'immutable_id': row['id'], **own}
        entry = {'id': row['id'], 'type': 'structures', 'attributes': attributes}
        StructureResource(**entry)
        yield json.dumps(entry, allow_nan=False)


def _property(crystals: Crystals, name: str) -> dict[str, t.Any]:
    meta = crystals.columns[name].meta()
    unit = f' Unit: {meta["unit"]}.' if meta['unit'] else ''
    level = f' Level of theory: {meta["level"]}.' if meta['level'] else ''
    text = f'{meta["help"]}{unit}{level}'.strip() or name
    return {'description': text, 'unit': _UNITS.get(meta['unit']), 'type': _TYPES[meta['dtype']], 'sortable': False}


def _geometry(row: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what the standard says of every structure."""
    symbols = [SYMBOLS[number - 1] for number in row['numbers'].tolist()]
    elements = sorted(set(symbols))
    counts = [symbols.count(element) for element in elements]
    divisor = gcd(*counts)
    reduced = [count // divisor for count in counts]
    pbc = np.asarray(row['pbc'], dtype=int).tolist()
    formula = ''.join(f'{element}{_number(n)}' for element, n in zip(elements, reduced, strict=True))
    return {
        'elements': elements,
        'nelements': len(elements),
        'elements_ratios': [count / len(symbols) for count in counts],
        'chemical_formula_descriptive': formula,
        'chemical_formula_reduced': formula,
        'chemical_formula_anonymous': _anonymous(reduced),
        'dimension_types': pbc,
        'nperiodic_dimensions': sum(pbc),
        'lattice_vectors': row['cell'].tolist(),
        'cartesian_site_positions': row['positions'].tolist(),
        'nsites': len(symbols),
        'species': [{'name': element, 'chemical_symbols': [element], 'concentration': [1.0]} for element in elements],
        'species_at_sites': symbols,
        'structure_features': [],
    }


def _anonymous(amounts: list[int]) -> str:
    """Return the formula as the standard wants it: the most frequent first, A to Z, then Aa to Za, ..."""
    capitals = [chr(ord('A') + i) for i in range(26)]
    letters = [*capitals, *(c + chr(ord('a') + i) for i in range(26) for c in capitals)]
    return ''.join(f'{letters[i]}{_number(n)}' for i, n in enumerate(sorted(amounts, reverse=True)))


def _number(count: int) -> str:
    return '' if count == 1 else str(count)
