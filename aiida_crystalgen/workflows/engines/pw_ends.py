"""How processes of pw.x end: the exit codes of aiida-quantumespresso in the words that all engines share."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.workflows.engines.base import Verdict

# Exit codes of jobs (AiiDA's and PwCalculation's) by what they mean here.
_MACHINE: t.Final = {100, 120, 131, 140, 301, 302, 303, 305, 312, 320, 321, 340}
_LABELS: t.Final = {
    110: 'ERROR_OUT_OF_MEMORY',
    120: 'ERROR_OUT_OF_WALLTIME',
    400: 'ERROR_OUT_OF_WALLTIME',
    **dict.fromkeys((410, 510, 511), 'ERROR_SCF_NOT_CONVERGED'),
    **dict.fromkeys((322, 350), 'ERROR_OUTPUT_MISSING'),
}
_IONS_NOT_CONVERGED: t.Final = {500, 501, 502, 503, 520, 521}


def jobs_of(node: orm.ProcessNode) -> list[t.Any]:
    """Return the jobs of a process, oldest first."""
    found = [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]
    return sorted(found, key=lambda job: int(job.pk or 0))


def pw_verdict(node: orm.ProcessNode) -> Verdict:
    """Say what became of a WorkChain by the exit code of its last job."""
    if node.is_finished_ok:
        return Verdict('done')
    jobs = jobs_of(node)
    if not jobs:
        return Verdict('failed', 'ERROR_ENGINE_FAILED', str(node.exit_message or f'exit code {node.exit_status}'))
    last = jobs[-1]
    reason = f'{node.exit_message or ""} ({last.process_label}<{last.pk}>: {last.exit_status}, {last.exit_message})'
    if last.exit_status in _IONS_NOT_CONVERGED and 'output_structure' in last.outputs:
        return Verdict('unconverged', 'ERROR_GEOMETRY_NOT_CONVERGED', reason)
    if last.is_finished_ok and 'output_structure' in last.outputs:
        return Verdict('unconverged', 'ERROR_GEOMETRY_NOT_CONVERGED', reason)
    if last.exit_status is None or last.exit_status in _MACHINE:
        return Verdict('again', _LABELS.get(last.exit_status, 'ERROR_MACHINE_FAILED'), reason)
    return Verdict('failed', _LABELS.get(last.exit_status, 'ERROR_ENGINE_FAILED'), reason)
