"""Crystals from and to AiiDA's own `StructureData` (geometry only)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiida import orm

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.convert import fitting
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.records import Record, decode, encode, warn_of


def to_structure_data(crystals: Crystals) -> list[orm.StructureData]:
    """Return unstored nodes labelled with the ids; what a `StructureData` cannot hold is left out with a warning."""
    return [_node(record) for record in encode(fitting(crystals, 'structure_data'))]


def from_structure_data(nodes: Sequence[orm.StructureData], ids: Sequence[str] | None = None) -> Crystals:
    """Make crystals of ordered structures.

    :raises ValueError: where a site is not one atom of one element.
    """
    records, named = [], False
    for node in nodes:
        kinds = {kind.name: kind for kind in node.kinds}
        for kind in kinds.values():
            if kind.is_alloy or kind.has_vacancies or kind.symbol not in SYMBOLS:
                raise ValueError(f'kind `{kind.name}` of node {node.pk} is not one atom of one element.')
        named = named or any(kind.name != kind.symbol for kind in kinds.values())
        numbers = np.array([SYMBOLS.index(kinds[site.kind_name].symbol) + 1 for site in node.sites], dtype=int)
        positions = np.array([site.position for site in node.sites], dtype=float)
        records.append(Record(numbers, positions, np.array(node.cell), np.array(node.pbc)))
    warn_of(['the names of the kinds'] if named else [])
    return decode(records, ids)


def _node(record: Record) -> orm.StructureData:
    node = orm.StructureData(cell=record.cell.tolist(), pbc=record.pbc.tolist())
    for number, position in zip(record.numbers.tolist(), record.positions.tolist(), strict=True):
        node.append_atom(position=position, symbols=SYMBOLS[number - 1])
    node.label = record.info['id']
    return node
