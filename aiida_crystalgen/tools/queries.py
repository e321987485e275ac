"""Queries over campaigns: which there are, what they called, and where a crystal is held.

Nodes that were imported from an archive have numbers in any order: what came first is told by their times.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from aiida import orm

from aiida_crystalgen.data.batch import DRAWS_LISTED, StructureBatch

CAMPAIGN_TYPE: t.Final = 'aiida.workflows:crystalgen.campaign'
_CALLS: t.Final = {'type': {'in': ['call_calc', 'call_work']}}
_TERMINATED: t.Final = {'finished', 'excepted', 'killed'}


@dataclass(frozen=True)
class Call:
    """A process that a campaign called, at any depth.

    :param caller: PK of the process that called it.
    :param link: what its caller calls it.
    :param cached_from: UUID of the process whose results it took from the cache, None where it ran.
    """

    pk: int
    caller: int
    link: str
    process_label: str
    process_type: str
    state: str
    exit_status: int | None
    exit_message: str | None
    cached_from: str | None

    @property
    def is_terminated(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.state in _TERMINATED

    @property
    def kind(self) -> str:
        """The last word of its entry point: `relax` for `aiida.calculations:crystalgen.relax`."""
        return self.process_type.rpartition('.')[2]


def is_campaign(node: orm.Node) -> bool:
    """Say whether a node is a campaign."""
    return getattr(node, 'process_type', None) == CAMPAIGN_TYPE


def campaigns(limit: int | None = None) -> list[orm.WorkChainNode]:
    """Return the campaigns of the profile, the latest first."""
    query = orm.QueryBuilder(limit=limit)
    query.append(orm.WorkChainNode, filters={'process_type': CAMPAIGN_TYPE}, tag='campaign')
    query.order_by({'campaign': [{'ctime': 'desc'}, {'id': 'desc'}]})
    return query.all(flat=True)


def calls_of(node: orm.ProcessNode) -> list[Call]:
    """Return every process that was called below a process, in the order of their making."""
    found: list[tuple[t.Any, Call]] = []
    callers = [_pk(node)]
    while callers:
        level = _called_by(callers)
        found.extend(level)
        callers = [call.pk for _, call in level]
    return [call for _, call in sorted(found, key=lambda entry: (entry[0], entry[1].pk))]


def _called_by(pks: list[int]) -> list[tuple[t.Any, Call]]:
    """Return what some processes called, with the time of its making."""
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='caller', project='id')
    query.append(
        orm.ProcessNode,
        with_incoming='caller',
        edge_filters=_CALLS,
        edge_project='label',
        project=[
            'id', 'process_type', 'attributes.process_label', 'attributes.process_state', 'attributes.exit_status',
            'attributes.exit_message', 'extras._aiida_cached_from', 'ctime',
        ],
    )  # fmt: skip
    return [
        (ctime, Call(pk, caller, link, label or '', process_type or '', state or 'created', status, message, cached))
        for caller, pk, process_type, label, state, status, message, cached, ctime, link in query.iterall()
    ]


def root_of(node: orm.ProcessNode) -> orm.ProcessNode:
    """Return the process at the top of the calls that led to this one."""
    while node.caller is not None:
        node = node.caller
    return node


def batches_made_by(pks: list[int], draw: str | None = None) -> list[tuple[int, str, StructureBatch]]:
    """Return (PK of the process, output label, batch) of every batch that these processes made.

    :param draw: only batches that may hold crystals of this draw.
    """
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks}}, tag='process', project='id')
    query.append(
        StructureBatch,
        with_incoming='process',
        edge_filters={'type': 'create'},
        edge_project='label',
        filters=_holds(draw),
        project='*',
    )
    found = ((pk, link, batch) for pk, batch, link in query.iterall())
    return sorted(found, key=lambda entry: (entry[2].ctime, entry[2].pk))


def made_of_table(campaign: orm.ProcessNode) -> list[orm.ProcessNode]:
    """Return the processes that nobody called and that took the table of a campaign, in the order of their making."""
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': _pk(campaign)}, tag='campaign')
    query.append(StructureBatch, with_incoming='campaign', edge_filters={'label': 'table'}, tag='table')
    query.append(orm.CalcFunctionNode, with_incoming='table', project='*')
    return sorted((node for node in query.all(flat=True) if node.caller is None), key=_pk)


def campaigns_with(draw: str) -> list[orm.WorkChainNode]:
    """Return the campaigns that hold batches of a draw, the latest first."""
    query = orm.QueryBuilder()
    query.append(StructureBatch, filters=_holds(draw), tag='batch')
    query.append(orm.ProcessNode, with_outgoing='batch', edge_filters={'type': 'create'}, project='*')
    found = map(root_of, query.distinct().all(flat=True))
    roots = {_pk(root): t.cast(orm.WorkChainNode, root) for root in found if is_campaign(root)}
    return sorted(roots.values(), key=lambda root: (root.ctime, _pk(root)), reverse=True)


def _pk(node: orm.ProcessNode) -> int:
    if node.pk is None:
        raise ValueError('the process is not stored, so it has no provenance yet')
    return node.pk


def _holds(draw: str | None) -> dict[str, t.Any]:
    """Return the filter for batches of a draw; one of very many draws does not list them all."""
    if draw is None:
        return {}
    return {'or': [{'attributes.draws': {'contains': [draw]}}, {'attributes.n_draws': {'>': DRAWS_LISTED}}]}
