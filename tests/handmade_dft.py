"""The campaign made by hand, with two of its crystals sent to an engine: one computed, one failed."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.common.links import LinkType

from aiida_crystalgen.calculations.dft_hull import build_dft_hull
from aiida_crystalgen.calculations.verified import calibrate_potential, judge_verified
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.structures import to_structure_data
from tests.handmade import TRUTH, Graph, a_computer, make_campaign, make_reference

LEVEL_QE = {'engine': 'qe', 'functional': 'PBE', 'code': 'pw.x', 'cutoff_wfc_Ry': 25.0, 'fingerprint': '1' * 16}
LABEL = 'qe:PBE:1111111111111111'
WHY = 'The electrons did not converge: job <12> gave up'


def told(row: dict[str, t.Any], energy: float | None) -> orm.Dict:
    """Return what became of a crystal; None is one that failed."""
    results = {'energy_per_atom': energy, 'n_atoms': len(row['numbers']), 'volume_A3': 60.0, 'band_gap_eV': 0.875}
    geometry = {key: row[key].tolist() for key in ('numbers', 'positions', 'cell', 'pbc')}
    done = energy is not None
    return orm.Dict(
        {
            'id': row['id'],
            'status': 'finished' if done else 'failed',
            'reason': None if done else WHY,
            'level': LABEL,
            'results': results if done else None,
            'relaxed': geometry,
        }
    )


def make_verified() -> orm.WorkChainNode:
    """Store a finished campaign whose best crystal was computed, and whose second failed."""
    root = make_campaign(finished=False)
    calls = (LinkType.CALL_CALC, LinkType.CALL_WORK)
    made = {process.base.links.get_incoming(link_type=calls).one().link_label: process for process in root.called}
    table = made['rank'].outputs.result
    more = {
        'shortlisted': make_column([True, True, False, False], TRUTH),
        'band_gap_requested': make_column([1.25, 1.25, None, None], {**TRUTH, 'dtype': 'float', 'unit': 'eV'}),
    }
    table = StructureBatch(table.crystals.with_columns(more))
    reference, level = make_reference(), orm.Dict(LEVEL_QE)
    phases = StructureBatch(reference.crystals)
    energies = {
        f'phase_{i}': told(row, e)
        for i, (row, e) in enumerate(zip(phases.crystals.rows(), (-3.0, -3.5, -3.3), strict=True))
    }
    hull = build_dft_hull(phases, reference, level, **energies)
    first, second, *_ = table.crystals.rows()
    judged = judge_verified(table, level, hull=hull, phases=phases, one=told(first, -3.2), two=told(second, None))
    calibration = calibrate_potential(judged, level, orm.Int(1))
    graph = Graph(a_computer())
    batch = graph.call(
        root, orm.WorkChainNode, 'crystalgen.verify_batch', 'VerifyBatchWorkChain', 'verify', batch=table
    )
    crystals = to_structure_data(
        table.crystals.select([0, 1]).drop_columns([n for n in table.crystals.columns if n != 'id'])
    )
    promoted = graph.call(
        batch, orm.CalcFunctionNode, 'crystalgen.promote_rows', 'promote_rows', 'promote', batch=table
    )
    graph.create(promoted, **{f'crystal_{node.label.replace("-", "_")}': node for node in crystals})
    for node, status in zip(crystals, (0, 403), strict=True):
        link = f'verify_crystal_{node.label.replace("-", "_")}'
        chain = graph.call(batch, orm.WorkChainNode, 'crystalgen.verify', 'VerifyWorkChain', link, structure=node)
        job = graph.call(chain, orm.CalcJobNode, 'quantumespresso.pw', 'PwCalculation', 'static_1_1', structure=node)
        for process in (chain, job):
            process.set_exit_status(status)
            process.set_exit_message(WHY if status else None)
    judging = graph.call(
        batch, orm.CalcFunctionNode, 'crystalgen.judge_verified', 'judge_verified', 'judge', batch=table
    )
    final = StructureBatch(judged.crystals)
    graph.create(judging, result=final)
    graph.give(batch, batch=final)
    root.set_process_state('finished')
    root.set_exit_status(0)
    graph.give(
        root, table=final, rejected=made['merge_rejected'].outputs.result, funnel=made['funnel'].outputs.result,
        dft_hull=hull, dft_level=level.store(), calibration=calibration,
    )  # fmt: skip
    return root
