"""What every way to a reference set shares: the columns, the names of its rows, and the reader that travels."""

from __future__ import annotations

import hashlib
import importlib
import sys
import typing as t
from collections.abc import Mapping, Sequence

import numpy as np

from aiida_crystalgen.calculations.fingerprints import DRAW_DIGITS, canonical_json, geometry_digests
from aiida_crystalgen.data.crystals import ID_META, Crystals, make_column
from aiida_crystalgen.data.reference import ENERGIES, ReferenceSet

Row = Mapping[str, t.Any]

_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_ENERGY: t.Final = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': ''}
COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    'source': {**_TEXT, 'help': 'Id in its database, or file and entry within it, that the crystal was read from.'},
    'energy': {**_ENERGY, 'help': 'Total energy as it was computed, without corrections.'},
    'enthalpy': {**_ENERGY, 'help': 'Energy plus pressure times volume.'},
    'formation_energy': {**_ENERGY, 'help': 'Formation energy from the elements, as the source has it.'},
    'listed_e_hull': {**_ENERGY, 'help': 'Distance to a hull of the source, which is not the one of a campaign.'},
    'pressure': {**_ENERGY, 'unit': 'GPa', 'help': 'Hydrostatic pressure of the enthalpy.'},
    'run_type': {**_TEXT, 'help': 'Kind of the calculation of the energy: GGA or GGA+U.'},
    'hubbards': {**_TEXT, 'help': 'Hubbard U [eV] by element, as JSON.'},
    'occupancies': {**_TEXT, 'help': 'Shares of the elements on each site, as JSON; the rest of a site is vacancy.'},
    'parent': {**_TEXT, 'help': 'Id of the disordered crystal that this one is an ordered representative of.'},
    'unusable_reason': {**_TEXT, 'help': 'Why the entry could not be read, or the crystal could not be ordered.'},
}


def remote_module(name: str) -> t.Any:
    """Return a module that travels: it needs pymatgen alone, so it may run here too.

    Its neighbours travel beside it in a bundle and are found by their bare names, here as there.
    """
    from aiida_crystalgen.bundles import REMOTE

    if str(REMOTE) not in sys.path:
        sys.path.append(str(REMOTE))
    return importlib.import_module(name)


def known_row(crystal: Row | None, columns: Row) -> dict[str, t.Any]:
    """Return the row of a parsed crystal; None makes one of zero atoms.

    :param crystal: `numbers`, `positions` [Å], `cell` [Å], `pbc` and, where it is disordered, `occupancies`.
    """
    if crystal is None:
        empty = {'numbers': [], 'positions': np.zeros((0, 3)), 'cell': np.zeros((3, 3)), 'pbc': [True] * 3}
        return {**empty, 'columns': dict(columns)}
    mixed = crystal.get('occupancies')
    occupancies = None if mixed is None else canonical_json(mixed).decode()
    geometry = {key: crystal[key] for key in ('numbers', 'positions', 'cell', 'pbc')}
    return {**geometry, 'columns': {**columns, 'occupancies': occupancies}}


def make_set(rows: Sequence[Row], facts: Mapping[str, t.Any]) -> ReferenceSet:
    """Return the unstored set of some rows, which are named after their content.

    :param facts: what `ReferenceSet` takes besides the crystals; its level becomes that of the energies.
    """
    present = {name for row in rows for name, value in row['columns'].items() if value is not None}
    level = str(facts.get('level', ''))
    metas = {
        name: {**meta, 'level': level if name in ENERGIES else ''}
        for name, meta in COLUMNS.items()
        if name in present or name == 'source'
    }
    crystals = Crystals.from_rows([{**row, 'id': str(index)} for index, row in enumerate(rows)], metas)
    return ReferenceSet(with_content_ids(crystals), **facts)


def with_content_ids(crystals: Crystals) -> Crystals:
    """Name the crystals after their content, so that the same crystals always have the same ids."""
    content = ''.join(geometry_digests(crystals))
    if 'occupancies' in crystals.columns:
        content += '\n'.join(text or '' for text in crystals.values('occupancies'))
    draw = hashlib.sha256(content.encode()).hexdigest()[:DRAW_DIGITS]
    return with_ids(crystals, [f'{draw}-{index}' for index in range(len(crystals))])


def with_ids(crystals: Crystals, ids: Sequence[str]) -> Crystals:
    """Return the crystals under other ids."""
    columns = {**crystals.columns, 'id': make_column(list(ids), ID_META, name='id')}
    geometry = (crystals.offsets, crystals.numbers, crystals.positions, crystals.cells, crystals.pbc)
    return Crystals(*geometry, columns=columns)
