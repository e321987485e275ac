"""End what a campaign left running when its program was interrupted or killed.

A campaign that runs in a program of the user (not through the daemon) dies with it, but its jobs do not, and in the
database it looks alive. The program's identity is kept as an extra, so that the next one can tell and clear up.
"""

from __future__ import annotations

import os
import platform
import typing as t

from aiida import orm

from aiida_crystalgen.tools.queries import CAMPAIGN_TYPE, calls_of

RUNNER: t.Final = 'crystalgen_runner'
_CLOCK_TOLERANCE: t.Final = 2.0  # s between two readings of the start of the same process


def mark_runner(campaign: orm.ProcessNode) -> None:
    """Write down that this very program runs the campaign."""
    pid = os.getpid()
    campaign.base.extras.set(RUNNER, {'host': platform.node(), 'pid': pid, 'started': _started(pid)})


def runner_pid(campaign: orm.ProcessNode) -> int | None:
    """Return the PID of the program on this computer that runs the campaign, None where there is none."""
    mark = campaign.base.extras.get(RUNNER, None)
    return mark['pid'] if mark and mark['host'] == platform.node() and _is_alive(mark) else None


def is_abandoned(campaign: orm.ProcessNode) -> bool:
    """Say whether the campaign was run by a program on this computer that is gone."""
    mark = campaign.base.extras.get(RUNNER, None)
    if campaign.is_terminated or not mark or mark['host'] != platform.node():
        return False
    return not _is_alive(mark)


def close_abandoned() -> list[int]:
    """End every abandoned campaign of the profile and return their PKs."""
    query = orm.QueryBuilder()
    ended = ['finished', 'excepted', 'killed']
    filters = {'process_type': CAMPAIGN_TYPE, 'attributes.process_state': {'!in': ended}}
    query.append(orm.WorkChainNode, filters=filters)
    gone = [node for node in query.all(flat=True) if is_abandoned(node)]
    for node in gone:
        close(node)
    return [node.pk for node in gone if node.pk is not None]


def close(campaign: orm.ProcessNode) -> None:
    """Stop the jobs that a campaign left behind, and say in the database that it was killed."""
    unfinished = [orm.load_node(call.pk) for call in calls_of(campaign) if not call.is_terminated]
    for node in [*reversed(unfinished), campaign]:
        if node.is_terminated:
            continue
        if isinstance(node, orm.CalcJobNode):
            _stop_job(node)
        node.set_process_state('killed')
        node.set_process_status('The program that ran it was interrupted')
        node.delete_checkpoint()
        if not node.is_sealed:
            node.seal()


def _stop_job(node: orm.CalcJobNode) -> None:
    """Kill the job in its scheduler, if it is surely ours."""
    from aiida.engine.daemon.execmanager import kill_calculation

    if node.computer is None or node.get_job_id() is None or not _is_ours(node, node.computer):
        return
    with node.computer.get_transport() as transport:
        kill_calculation(node, transport)


def _is_ours(node: orm.CalcJobNode, computer: orm.Computer) -> bool:
    """Say whether the job id still names the job: a PID may have been given to another process since."""
    import psutil  # type: ignore[import-untyped]

    if computer.scheduler_type != 'core.direct':
        return True
    try:
        here = computer.transport_type == 'core.local'
        return here and psutil.Process(int(node.get_job_id() or 0)).cwd() == node.get_remote_workdir()
    except (psutil.Error, ValueError):
        return False


def _is_alive(mark: dict[str, t.Any]) -> bool:
    started = _started(mark['pid'])
    return started is not None and abs(started - (mark['started'] or 0)) < _CLOCK_TOLERANCE


def _started(pid: int) -> float | None:
    import psutil  # type: ignore[import-untyped]

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
