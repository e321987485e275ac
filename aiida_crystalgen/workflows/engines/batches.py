"""What the engines share that run as a batch job of one crystal."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from aiida import orm

from aiida_crystalgen.calculations.base import BatchCalculation as Job
from aiida_crystalgen.calculations.verify import to_batch
from aiida_crystalgen.workflows.base import RelaxBaseWorkChain
from aiida_crystalgen.workflows.engines.base import Nodes, UnsupportedCrystalError, Verdict

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

# What the parameters of a task are, whatever the adapter.
_OF_TASKS: t.Final[dict[str, dict[str, t.Any]]] = {
    'static': {'max_steps': 0},
    'forces': {'max_steps': 0},
    'relax': {'relax_cell': False},
    'vc-relax': {'relax_cell': True},
}
_SHARED: t.Final = ('bundle', 'environment', 'model', 'checkpoint')
_STATUSES: t.Final = {
    Job.exit_codes.ERROR_OUT_OF_TIME.status: 'ERROR_OUT_OF_WALLTIME',
    Job.exit_codes.ERROR_OUT_OF_MEMORY.status: 'ERROR_OUT_OF_MEMORY',
}
# Reasons of a rejected row that are not of the crystal but of its electrons.
_REASONS: t.Final = {'scf_not_converged': 'ERROR_SCF_NOT_CONVERGED'}


def nodes_of_tasks(parameters: Mapping[str, t.Any], tasks: list[str]) -> dict[str, orm.Data]:
    """Return the parameters of every task and what its restart WorkChain needs, as nodes that all crystals share."""
    found: dict[str, orm.Data] = {
        f'parameters_{task.replace("-", "_")}': orm.Dict({**parameters, **_OF_TASKS[task]}) for task in tasks
    }
    return {**found, 'chunk_size': orm.Int(1), 'max_iterations': orm.Int(5), 'clean_workdir': orm.Bool(False)}


def batch_builder(
    code: orm.AbstractCode, structure: orm.StructureData, task: str, options: Mapping[str, t.Any], nodes: Nodes
) -> ProcessBuilder:
    """Return the builder of a batch of one crystal."""
    builder = RelaxBaseWorkChain.get_builder()
    builder.batch = to_batch(structure, metadata={'call_link_label': 'to_batch'})
    for name in ('chunk_size', 'max_iterations', 'clean_workdir'):
        builder[name] = nodes[name]
    builder.job = {
        'code': code,
        'parameters': nodes[f'parameters_{task.replace("-", "_")}'],
        'runtime': {'processes': 1},
        'metadata': {'options': dict(options)},
        **{name: nodes[name] for name in _SHARED if name in nodes},
    }
    return builder


def check_elements(structure: orm.StructureData, known: t.Any, who: str) -> None:
    """Refuse a crystal with elements that nobody computes.

    :param known: symbols, or a text that says that any will do.
    :raises UnsupportedCrystalError: with the elements.
    """
    if isinstance(known, str):
        return
    if unknown := sorted(structure.get_symbols_set() - set(known)):
        raise UnsupportedCrystalError(f'{who} does not know {", ".join(unknown)}')


def batch_verdict(node: orm.ProcessNode) -> Verdict:
    """Return what became of a batch of one crystal."""
    rejected = node.outputs.rejected.crystals if 'rejected' in node.outputs else None
    if rejected is not None:
        reason, detail = rejected.values('rejected_reason')[0], rejected.values('rejected_detail')[0]
        return Verdict('failed', _REASONS.get(reason, 'ERROR_ENGINE_FAILED'), f'{reason}: {detail}')
    if not node.is_finished_ok:
        jobs = [job for job in node.called_descendants if isinstance(job, orm.CalcJobNode)]
        last = max(jobs, key=lambda job: int(job.pk or 0), default=node)
        label = _STATUSES.get(last.exit_status, '')
        status: t.Any = 'again' if _is_of_the_machine(last) else 'failed'
        fallback = 'ERROR_MACHINE_FAILED' if status == 'again' else 'ERROR_ENGINE_FAILED'
        return Verdict(status, label or fallback, str(node.exit_message))
    converged = node.outputs.batch.crystals.values('converged')[0]
    if not converged and node.inputs.job.parameters.get('max_steps', 1) > 0:
        return Verdict('unconverged', reason='the largest force is above the limit')
    return Verdict('done')


def _is_of_the_machine(job: t.Any) -> bool:
    return job.exit_status is None or job.exit_status < 200 or job.exit_status == Job.exit_codes.ERROR_DIED.status
