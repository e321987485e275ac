"""Calcfunctions that make reference sets: of a campaign's survivors, of nodes, and of ordered representatives."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.batching import LARGEST_MERGE
from aiida_crystalgen.calculations.fingerprints import DRAW_DIGITS, canonical_json
from aiida_crystalgen.calculations.known import COLUMNS, known_row, make_set, remote_module
from aiida_crystalgen.calculations.ordering import OrderingError, ordered
from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.reference import ENERGIES, LISTED, ReferenceSet, majority

Rows = list[dict[str, t.Any]]

# What an energy column of a batch is needed for in a set; energies of other criteria stay behind.
_FROM_BATCH: t.Final = ('energy', 'enthalpy', 'pressure')
# What belongs to a disordered crystal and not to an ordered one made of it.
_OF_THE_PARENT: t.Final = (*ENERGIES, LISTED, 'pressure', 'occupancies', 'unusable_reason')
DEFAULT_MAX_ATOMS: t.Final = 64


@calcfunction
def reference_from_batch(batch: StructureBatch, about: orm.Dict) -> ReferenceSet:
    """Return the crystals of a batch as known crystals, with their energies and the level of these.

    :param about: what `ReferenceSet` takes besides the crystals.
    :raises ValueError: when the batch is at another level than the one stated.
    """
    return set_of_nodes({'batch': batch}, about.get_dict())


@calcfunction
def reference_from_nodes(about: orm.Dict, **nodes: orm.Data) -> ReferenceSet:
    """Return the crystals of at most 32 nodes as known crystals, in the order of their names.

    More nodes are joined as a tree: sets are nodes too.

    :param about: what `ReferenceSet` takes besides the crystals.
    :param nodes: `StructureData`, `CifData`, `StructureBatch` and `ReferenceSet`.
    :raises ValueError: when there are too many, one of another kind, or energies of two levels.
    """
    if len(nodes) > LARGEST_MERGE:
        raise ValueError(
            f'{len(nodes)} nodes are too many for one set of nodes: join at most {LARGEST_MERGE} at a time'
        )
    return set_of_nodes(nodes, about.get_dict())


@calcfunction
def order_disordered(reference: ReferenceSet, parameters: orm.Dict) -> ReferenceSet:
    """Return the set with an ordered representative in place of each disordered crystal.

    A crystal that cannot be ordered stays as it is, with a reason. Representatives have no energies: those of the
    source belong to the disordered crystal.

    :param parameters: `max_atoms` (of a representative) and `name` (of the new set).
    """
    return ordered_set(reference, **parameters.get_dict())


def set_of_nodes(nodes: Mapping[str, orm.Data], facts: Mapping[str, t.Any]) -> ReferenceSet:
    """Return the unstored set of the crystals of some nodes, in the order of their names.

    :raises ValueError: when one is of another kind, or when there are energies of two levels.
    """
    rows: Rows = []
    levels = {str(facts.get('level') or '')}
    for name in sorted(nodes):
        found, level = _of_node(name, nodes[name])
        rows += found
        levels.add(level)
    stated = sorted(levels - {''})
    if len(stated) > 1:
        names = ', '.join(f'`{level}`' for level in stated)
        raise ValueError(f'one reference set needs one level of theory, here are {names}')
    return make_set(rows, {**facts, 'level': stated[0] if stated else ''})


def ordered_set(reference: ReferenceSet, name: str = '', max_atoms: int = DEFAULT_MAX_ATOMS) -> ReferenceSet:
    """Return the unstored set with an ordered representative in place of each disordered crystal."""
    crystals = reference.crystals
    digest = hashlib.sha256(canonical_json([crystals.ids, max_atoms]))
    draw = digest.hexdigest()[:DRAW_DIGITS]
    rows = []
    for index, row in enumerate(crystals.rows()):
        disordered = row['columns'].get('occupancies') is not None
        rows.append(_ordered_row(row, f'{draw}-{index}', max_atoms) if disordered else row)
    present = {key for row in rows for key, value in row['columns'].items() if value is not None}
    metas = {key: meta for key, meta in {**COLUMNS, **crystals.meta()}.items() if key in present}
    facts = {**reference.facts, 'name': name or f'{reference.set_name} ordered', 'sha256': ''}
    return ReferenceSet(Crystals.from_rows(rows, metas), **facts)


def _ordered_row(row: Mapping[str, t.Any], name: str, max_atoms: int) -> dict[str, t.Any]:
    """Return the representative of a disordered row under a new name, or the row with the reason why there is none."""
    columns = dict(row['columns'])
    try:
        crystal = ordered(row, json.loads(columns['occupancies']), max_atoms)
    except OrderingError as error:
        return {**row, 'columns': {**columns, 'unusable_reason': str(error)}}
    for key in _OF_THE_PARENT:
        columns[key] = None
    return {**row, **crystal, 'id': name, 'columns': {**columns, 'parent': row['id']}}


def _of_node(name: str, node: orm.Data) -> tuple[Rows, str]:
    """Return the rows of a node and the level of their energies, empty where there are none."""
    if isinstance(node, ReferenceSet):
        return list(node.crystals.rows()), node.level
    if isinstance(node, StructureBatch):
        return _of_batch(node.crystals)
    source = {'source': node.label or name}
    if isinstance(node, orm.StructureData):
        return [_of_structure(node, source)], ''
    if isinstance(node, orm.CifData):
        readers = remote_module('readers')
        try:
            text = node.get_content('r')
            return [known_row(readers.read(readers.Entry(name, '', 'cif', text), partial=True), source)], ''
        except (readers.RefusedError, OSError) as error:
            return [known_row(None, {**source, 'unusable_reason': str(error)})], ''
    raise ValueError(f'`{name}` is of the kind {type(node).__name__}, which holds no crystals')


def _of_batch(crystals: Crystals) -> tuple[Rows, str]:
    """Return the rows of a batch with the energies of a relaxation and their level."""
    taken = [name for name in _FROM_BATCH if name in crystals.columns]
    levels = {crystals.columns[name].level for name in taken if name in ENERGIES}
    if len(levels) > 1:
        raise ValueError(f'the batch has energies of two levels: {", ".join(f"`{name}`" for name in sorted(levels))}')
    rows = []
    for row in crystals.rows():
        columns: dict[str, t.Any] = {'source': row['id'], **{name: row['columns'][name] for name in taken}}
        if not len(row['numbers']):
            columns['unusable_reason'] = str(row['columns'].get('rejected_reason') or 'the row has no atoms')
        rows.append({**row, 'columns': columns})
    return rows, levels.pop() if levels else ''


def _of_structure(node: orm.StructureData, columns: dict[str, str]) -> dict[str, t.Any]:
    """Return the row of a structure; alloys and vacancies make it a disordered one."""
    if not node.sites:
        return known_row(None, {**columns, 'unusable_reason': 'it has no atoms'})
    if not all(node.pbc):
        return known_row(None, {**columns, 'unusable_reason': 'it is not periodic in all three directions'})
    kinds = {kind.name: kind for kind in node.kinds}
    if strange := {symbol for kind in kinds.values() for symbol in kind.symbols} - set(SYMBOLS):
        return known_row(None, {**columns, 'unusable_reason': f'`{sorted(strange)[0]}` is no chemical element'})
    shares = {name: _shares(kind) for name, kind in kinds.items()}
    sites = [shares[site.kind_name] for site in node.sites]
    crystal: dict[str, t.Any] = {
        'numbers': [SYMBOLS.index(majority(site)) + 1 for site in sites],
        'positions': [site.position for site in node.sites],
        'cell': node.cell,
        'pbc': list(node.pbc),
    }
    if any(kind.is_alloy or kind.has_vacancies for kind in kinds.values()):
        crystal['occupancies'] = sites
    return known_row(crystal, columns)


def _shares(kind: t.Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for symbol, weight in zip(kind.symbols, kind.weights, strict=True):
        found[symbol] = found.get(symbol, 0.0) + float(weight)
    return found
