"""Everything that was requested from the generators of campaigns and batches: crystals as generated, with all columns.

Read only. The geometry is that of the draws, before any relaxation; the columns are those that the screen found later.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiida import orm
from aiida.common.links import LinkType

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.queries import is_campaign

Row = dict[str, t.Any]

GENERATE: t.Final = 'aiida.workflows:crystalgen.generate'
_CHAIN: t.Final = 100  # duplicates of duplicates that are followed; a campaign makes two


class NothingGeneratedError(ValueError):
    """A node that holds no generated crystals."""


@dataclass(frozen=True)
class Generated:
    """All rows that were requested from one generator, as far as one node knows of them.

    :param label: name of the generator.
    :param pk: the node that was asked for.
    :param rows: as `Crystals.rows` gives them; those that failed have no atoms.
    :param others: rows of other generators of the same campaign by id: they may stand for a group of equal crystals.
    :param nodes: what was read, in words.
    :param notes: what the reader has to know of these rows.
    :param level: level of theory of the energies, empty where there are none.
    """

    label: str
    pk: int
    rows: Sequence[Row]
    others: dict[str, Row] = field(default_factory=dict)
    nodes: Sequence[str] = ()
    notes: Sequence[str] = ()
    level: str = ''

    def representatives(self) -> list[str | None]:
        """Return for each row the id of the row that stands for its group of equal crystals.

        None where the row, or the one that stands for it, was never compared with all others: it had failed before.
        """
        return [self._representative(row) for row in self.rows]

    def row_of(self, crystal_id: str) -> Row | None:
        """Return a row of the node by id, of whatever generator."""
        return self.others.get(crystal_id)

    def _representative(self, row: Row | None) -> str | None:
        for _ in range(_CHAIN):
            if row is None:
                return None
            columns = row['columns']
            if columns.get('unique') is True:
                return str(row['id'])
            # Copies that were found before relaxation are not looked at again; the one that was kept is.
            before = columns.get('duplicate_of_generated')
            following = columns.get('duplicate_of') or before
            row = None if following is None else self.others.get(following)
        return None


def generated_by(node: orm.Node) -> list[Generated]:
    """Return what a campaign, a GenerateWorkChain or a batch holds, one entry a generator.

    :raises NothingGeneratedError: for any other node, or one whose draws are not in the profile.
    """
    if is_campaign(node):
        return _of_campaign(t.cast(orm.WorkChainNode, node))
    if isinstance(node, orm.ProcessNode) and node.process_type == GENERATE:
        rows, nodes = _drawn(node)
        return _split(node, rows, nodes, [], '')
    if isinstance(node, StructureBatch):
        return _of_batch(node)
    kind = getattr(node, 'process_label', None) or type(node).__name__
    raise NothingGeneratedError(
        f'node {node.pk} is of the kind {kind}; name a campaign, a GenerateWorkChain or a batch that it made'
    )


def _of_campaign(node: orm.WorkChainNode) -> list[Generated]:
    draws = node.base.links.get_outgoing(link_type=LinkType.CALL_WORK).all_nodes()
    rows: list[Row] = []
    nodes: list[str] = []
    for draw in draws:
        if draw.process_type == GENERATE:
            found, names = _drawn(t.cast(orm.ProcessNode, draw))
            rows += found
            nodes += names
    if not rows:
        raise NothingGeneratedError(
            f'campaign {node.pk} has drawn no crystals yet, or its draws are not in the profile'
        )
    judged: dict[str, Row] = {}
    level = ''
    for label in ('table', 'rejected'):
        for batch in _outputs(node, label):
            # A column that a rejected row never got is unknown there, and hides nothing that the draw says.
            judged |= {
                row['id']: {name: value for name, value in row['columns'].items() if value is not None}
                for row in batch.crystals.rows()
            }
            nodes.append(f'{label} {batch.pk}')
            if 'e_hull' in batch.crystals.columns:
                level = level or batch.crystals.columns['e_hull'].level
    notes = [] if judged else [f'campaign {node.pk} has no table: uniqueness and novelty are unknown']
    merged = [{**row, 'columns': {**row['columns'], **judged.get(row['id'], {})}} for row in rows]
    return _split(node, merged, nodes, notes, level)


def _of_batch(node: StructureBatch) -> list[Generated]:
    """Return the rows of a batch, and those that its maker rejected: they were requested as well."""
    links = node.base.links.get_incoming(link_type=(LinkType.RETURN, LinkType.CREATE)).all()
    # The outermost workflow that returns the batch knows of most rejected rows.
    makers = [t.cast(orm.ProcessNode, link.node) for link in links if link.link_label == 'batch']
    largest: list[Row] = []
    names: list[str] = []
    for maker in makers:
        found, made = _drawn(maker)
        if len(found) > len(largest):
            largest, names = found, made
    if largest:
        return _split(node, largest, names, [], '')
    note = f'batch {node.pk} counts only its own {len(node.ids)} rows: those rejected before are not in it'
    return _split(node, list(node.crystals.rows()), [f'batch {node.pk}'], [note], '')


def _drawn(process: orm.ProcessNode) -> tuple[list[Row], list[str]]:
    """Return the rows that a process returned, kept and rejected, and the nodes that hold them.

    A row that failed before it got its columns is one of the only generator that the others name.
    """
    rows: list[Row] = []
    nodes: list[str] = []
    for label in ('batch', 'rejected'):
        for batch in _outputs(process, label):
            rows += list(batch.crystals.rows())
            nodes.append(f'{"drawn" if label == "batch" else "not drawn"} {batch.pk}')
    labels = {row['columns'].get('generator') for row in rows} - {None}
    if len(labels) == 1:
        rows = [{**row, 'columns': {**row['columns'], 'generator': next(iter(labels))}} for row in rows]
    return rows, nodes


def _outputs(process: orm.ProcessNode, label: str) -> list[StructureBatch]:
    kinds = (LinkType.RETURN, LinkType.CREATE)
    found = process.base.links.get_outgoing(link_type=kinds, link_label_filter=label).all_nodes()
    return [node for node in found if isinstance(node, StructureBatch)]


def _split(
    node: orm.Node, rows: Sequence[Row], nodes: Sequence[str], notes: Sequence[str], level: str
) -> list[Generated]:
    """Split rows by the column `generator`, in the order of their ids."""
    ordered = sorted(rows, key=lambda row: row['id'])
    everything = {row['id']: row for row in ordered}
    parts: dict[str, list[Row]] = {}
    for row in ordered:
        parts.setdefault(str(row['columns'].get('generator') or f'node {node.pk}'), []).append(row)
    pk = int(node.pk or 0)
    return [
        Generated(label, pk, part, everything, tuple(nodes), tuple(notes), level)
        for label, part in sorted(parts.items())
    ]


def as_crystals(crystals: Crystals) -> list[Row]:
    """Return the rows of known crystals that can be compared: those with atoms and without mixed sites."""
    return [row for row in crystals.rows() if len(row['numbers']) and row['columns'].get('occupancies') is None]
