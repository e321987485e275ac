"""How far a campaign has come: crystals done and crystals asked for, stage by stage."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from aiida import orm

from aiida_crystalgen.tools.queries import Call, calls_of

STAGES: t.Final = ('generate', 'prescreen', 'relax', 'references', 'postscreen', 'phonons', 'verify', 'rank')
ROWS: t.Final = 'out.jsonl'  # one line for every finished row, in the folder of a running job


@dataclass(frozen=True)
class Progress:
    """One stage of a running or ended campaign.

    :param n_done: crystals that are finished, kept or rejected.
    :param n_all: crystals that the stage was given, as far as it is known yet.
    :param n_jobs: batch jobs begun so far; `n_cached` of them were taken from an earlier run.
    :param state: `waiting`, `running`, `done` or `failed`.
    """

    stage: str
    n_done: int
    n_all: int
    n_jobs: int
    n_cached: int
    state: str


def progress_of(campaign: orm.ProcessNode) -> list[Progress]:
    """Return the stages that have begun, in their order."""
    calls = calls_of(campaign)
    by_pk = {call.pk: call for call in calls}
    # What an engine runs is no stage of its own.
    chains = {call.pk: stage for call in calls if (stage := _stage(call)) and not _is_of_engine(by_pk.get(call.caller))}
    jobs = [call for call in calls if call.caller in chains and call.process_type.startswith('aiida.calculations:')]
    jobs = [job for job in jobs if job.kind in {'generate', 'relax', 'analyse', 'phonons'}]
    asked, returned = _n_asked(list(chains)), _n_returned([job.pk for job in jobs])
    found = []
    for stage in STAGES[:-1]:
        members = [pk for pk, name in chains.items() if name == stage]
        mine = [job for job in jobs if chains[job.caller] == stage]
        if members:
            n_done = sum(returned.get(job.pk, 0) if job.is_terminated else _n_written(job) for job in mine)
            n_cached = sum(job.cached_from is not None for job in mine)
            state = _state([by_pk[pk] for pk in members])
            found.append(Progress(stage, n_done, sum(asked.get(pk, 0) for pk in members), len(mine), n_cached, state))
    found += _verified(calls)
    if any(call.link == 'funnel' and call.state == 'finished' for call in calls):
        found.append(Progress('rank', 0, 0, 0, 0, 'done'))
    return found


def _stage(call: Call) -> str | None:
    """Return the stage that a restart WorkChain works for."""
    if call.kind == 'generate_base':
        return 'generate'
    if call.kind == 'analyse_base':
        return call.link
    if call.kind == 'relax_base':
        return 'references' if call.link in {'references', 'targets'} else 'relax'
    return 'phonons' if call.kind == 'phonons_base' else None


def _is_of_engine(caller: Call | None) -> bool:
    return caller is not None and caller.kind == 'verify'


def _verified(calls: list[Call]) -> list[Progress]:
    """Return how many crystals and competing phases the engine is done with; empty where none is asked for."""
    roots = [call for call in calls if call.kind == 'verify_batch']
    if not roots:
        return []
    crystals = [call for call in calls if call.kind == 'verify']
    promoted = [call.pk for call in calls if call.kind == 'promote_rows']
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': promoted or [-1]}}, tag='process')
    query.append(orm.StructureData, with_incoming='process', project='id')
    n_done = sum(call.is_terminated for call in crystals)
    return [Progress('verify', n_done, query.count(), len(crystals), 0, _state(roots))]


def _state(chains: list[Call]) -> str:
    if any(chain.is_terminated and chain.exit_status != 0 for chain in chains):
        return 'failed'
    return 'done' if all(chain.is_terminated for chain in chains) else 'running'


def _n_asked(pks: list[int]) -> dict[int, int]:
    """Return the number of crystals that each process was given."""
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks or [-1]}}, tag='process', project='id')
    query.append(orm.Data, with_outgoing='process', edge_filters={'label': 'batch'}, project='attributes.n_crystals')
    return {pk: int(n or 0) for pk, n in query.iterall()}


def _n_returned(pks: list[int]) -> dict[int, int]:
    """Return the number of crystals that each job gave back, kept or rejected."""
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'in': pks or [-1]}}, tag='process', project='id')
    query.append(
        orm.Data,
        with_incoming='process',
        edge_filters={'label': {'in': ['batch', 'rejected']}, 'type': 'create'},
        project='attributes.n_crystals',
    )
    counts: dict[int, int] = {}
    for pk, n in query.iterall():
        counts[pk] = counts.get(pk, 0) + int(n or 0)
    return counts


def _n_written(job: Call) -> int:
    """Return the number of rows that a running job on this computer has finished, 0 where it cannot be seen."""
    node = orm.load_node(job.pk)
    workdir = node.get_remote_workdir() if isinstance(node, orm.CalcJobNode) else None
    if workdir is None or node.computer is None or node.computer.transport_type != 'core.local':
        return 0
    try:
        return (Path(workdir) / ROWS).read_bytes().count(b'\n')
    except OSError:
        return 0
