"""Follow one crystal through the provenance graph, from its seed to its verdict."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import numpy as np
from aiida import orm

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.tools.queries import Call, batches_made_by, calls_of, campaigns_with

REASON: t.Final = 'rejected_reason'
# What a campaign calls the process by which an engine computes a crystal, before its id.
SENT: t.Final = 'verify_crystal_'


@dataclass(frozen=True)
class Step:
    """A process that had the crystal in its hands.

    :param link: labels of the calls that led to it, from the campaign down.
    :param output: label of the output that holds the crystal.
    :param row: its place in that batch; below zero for a process of an engine, which has the crystal alone.
    :param verdict: `requested`, `kept` or `rejected`; of an engine `computed` or `failed`.
    :param columns: values that are new at this step.
    :param moved: whether the geometry changed at this step.
    """

    pk: int
    process_label: str
    link: str
    exit_status: int | None
    cached: bool
    batch_pk: int
    output: str
    row: int
    verdict: str
    columns: dict[str, t.Any]
    moved: bool

    @property
    def is_bookkeeping(self) -> bool:
        """Whether the row only passed through: cut, joined or handed on."""
        return not self.columns and not self.moved and not self.is_of_engine

    @property
    def is_of_engine(self) -> bool:
        """Whether it is a process of a DFT engine, which has one crystal."""
        return self.row < 0


def trace(crystal_id: str, campaign: orm.ProcessNode | None = None) -> list[Step]:
    """Return every step of a crystal, up to the one that rejected it or to the ranked table.

    :param campaign: where to look; by default the latest campaign that holds the crystal.
    """
    draw = crystal_id.rpartition('-')[0]
    roots = [campaign] if campaign is not None else campaigns_with(draw)
    return next((steps for root in roots if (steps := _steps(crystal_id, draw, root))), [])


def ids_like(fragment: str, campaign: orm.ProcessNode) -> list[str]:
    """Return the ids in the results of a campaign that contain a text."""
    outputs = campaign.base.links.get_outgoing(node_class=StructureBatch).all_nodes()
    return sorted({name for batch in outputs for name in t.cast(StructureBatch, batch).ids if fragment in name})


def _steps(crystal_id: str, draw: str, root: orm.ProcessNode) -> list[Step]:
    calls = {call.pk: call for call in calls_of(root)}
    steps: list[Step] = []
    known: dict[str, t.Any] = {}
    geometry: tuple[t.Any, ...] | None = None
    for pk, output, batch in batches_made_by(list(calls), draw):
        crystals = batch.crystals
        if crystal_id not in crystals.ids:
            continue
        place = crystals.ids.index(crystal_id)
        row = crystals.row(place)
        shape = (row['numbers'], row['positions'], row['cell'])
        moved = len(row['numbers']) > 0 and not _same(geometry, shape)
        fresh = {name: value for name, value in row['columns'].items() if name not in known}
        known.update(fresh)
        geometry = shape if moved else geometry
        verdict = 'rejected' if row['columns'].get(REASON) else 'kept' if geometry is not None else 'requested'
        steps.append(
            Step(
                **_facts(calls[pk], calls),
                batch_pk=batch.pk or 0,
                output=output,
                row=place,
                verdict=verdict,
                columns=fresh,
                moved=moved,
            )
        )
        if verdict == 'rejected':
            break
    places = {pk: place for place, pk in enumerate(calls)}
    return sorted([*steps, *_engine_steps(crystal_id, calls)], key=lambda step: places[step.pk]) if steps else steps


def _engine_steps(crystal_id: str, calls: dict[int, Call]) -> list[Step]:
    """Return the process by which an engine computed a crystal, and its jobs."""
    label = f'{SENT}{crystal_id.replace("-", "_")}'
    found = [call for call in calls.values() if call.link == label]
    below = {call.pk for call in found}
    for call in calls.values():  # a caller is older than what it calls
        if call.caller in below:
            below.add(call.pk)
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'id': {'in': list(below) or [-1]}}, project='id')
    steps = []
    for call in [*found, *(calls[pk] for pk in query.all(flat=True))]:
        is_fine = call.state == 'finished' and call.exit_status == 0
        said = {} if is_fine or not call.exit_message else {'said': call.exit_message}
        verdict = 'computed' if is_fine else 'failed' if call.is_terminated else 'running'
        facts: dict[str, t.Any] = {'batch_pk': 0, 'output': '', 'row': -1, 'columns': said, 'moved': False}
        steps.append(Step(**_facts(call, calls), verdict=verdict, **facts))
    return steps


def _same(before: tuple[t.Any, ...] | None, now: tuple[t.Any, ...]) -> bool:
    return before is not None and all(np.array_equal(a, b) for a, b in zip(before, now, strict=True))


def _facts(call: Call, calls: dict[int, Call]) -> dict[str, t.Any]:
    links, above = [call.link], calls.get(call.caller)
    while above is not None:
        links.append(above.link)
        above = calls.get(above.caller)
    return {
        'pk': call.pk,
        'process_label': call.process_label,
        'link': ' > '.join(reversed(links)),
        'exit_status': call.exit_status,
        'cached': call.cached_from is not None,
    }
