"""Lanes: the same restart WorkChain side by side over parts of a batch. Their number is the limit on running jobs."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.calculations.batching import split
from aiida_crystalgen.workflows.joining import count, join_batches, join_reports

if t.TYPE_CHECKING:
    from aiida.engine import WorkChain

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.workflows.base import BatchBaseWorkChain


def submit_lanes(
    chain: WorkChain,
    process_class: type[BatchBaseWorkChain],
    inputs: dict[str, t.Any],
    batch: StructureBatch,
    label: str,
) -> list[orm.WorkChainNode]:
    """Deal a batch out to lanes and submit one restart WorkChain for each; what runs already is not sent twice."""
    n_lanes = chain.inputs.n_lanes
    lanes = {label: batch}
    if n_lanes.value > 1 and count(batch) > 1:
        lanes = {f'{label}_{name}': part for name, part in split(batch, n_lanes).items()}
    return [submit_once(chain, process_class, name, {**inputs, 'batch': part}) for name, part in lanes.items()]


def submit_once(chain: WorkChain, process_class: t.Any, label: str, inputs: dict[str, t.Any]) -> t.Any:
    """Submit a child under a call link label, unless a replayed step finds it there already."""
    builder = orm.QueryBuilder()
    builder.append(orm.WorkChainNode, filters={'id': chain.node.pk}, tag='parent')
    builder.append(orm.ProcessNode, with_incoming='parent', edge_filters={'label': label})
    found = builder.first(flat=True)
    if found is not None:
        chain.report(f'child `{label}` runs already: {found.process_label}<{found.pk}>')
        return found
    metadata = {**inputs.pop('metadata', {}), 'call_link_label': label}
    node = chain.submit(process_class, **inputs, metadata=metadata)
    chain.report(f'launching {node.process_label}<{node.pk}> as `{label}`')
    return node


def joined_lanes(nodes: list[orm.WorkChainNode], label: str) -> dict[str, t.Any]:
    """Return `batch`, `rejected` and `report` over all lanes; what no lane has is absent."""
    outputs: dict[str, t.Any] = {}
    for name in ('batch', 'rejected', 'report'):
        found = [node.outputs[name] for node in nodes if name in node.outputs]
        if found:
            outputs[name] = join_reports(found) if name == 'report' else join_batches(found, f'merge_{label}_{name}')
    return outputs


def first_failure(nodes: list[t.Any]) -> str | None:
    """Return what the first child that did not finish well says, None when all did."""
    for node in nodes:
        if not node.is_finished_ok:
            said = node.exit_message or f'it is {node.process_state.value if node.process_state else "gone"}'
            return f'{node.process_label}<{node.pk}>: {said}'
    return None
