"""Engine and database CPU per candidate of the relax stage: one job a chunk beside one job a crystal, in one run.

    python benchmarks/overhead.py [--crystals 1000] [--chunk 500] [--single 100]

Both ways relax the same rattled copper-gold crystals with EMT. The overhead is all CPU time (this process with its
database, the harness, the start of Python in every job) less the time that the adapter itself spends on its rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from typing import Any


def crystals(n: int) -> Any:
    """Return n rattled crystals of copper and gold, 4 atoms each."""
    import numpy as np

    from aiida_crystalgen.data.crystals import Crystals

    rng = np.random.default_rng(1)
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    rows = [
        {
            'id': f'{"0" * 16}-{index}',
            'numbers': rng.choice([29, 79], 4),
            'positions': 3.8 * sites + rng.normal(scale=0.05, size=(4, 3)),
            'cell': 3.8 * np.eye(3),
            'pbc': np.ones(3, bool),
        }
        for index in range(n)
    ]
    return Crystals.from_rows(rows, {})


def job_inputs() -> dict[str, Any]:
    """Return the inputs that all relaxations share."""
    from aiida import orm

    from aiida_crystalgen.workflows.builder import get_screen_builder
    from aiida_crystalgen.workflows.specs import spec_from_protocol

    code = orm.load_code('python@localhost')
    resources = {'resources': {'processes': 1}, 'filters': {'e_hull': None}}
    spec = spec_from_protocol(code, [{'type': 'files', 'files': '.'}], 'emt', 'balanced', resources)
    from aiida_crystalgen.data.batch import StructureBatch

    return dict(get_screen_builder(spec, StructureBatch(crystals(1)), fresh=True).relax)


def cpu(reports: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the CPU seconds of the jobs, and those of their rows."""
    return sum(r['seconds']['cpu'] for r in reports), sum(r['seconds']['rows'] for r in reports)


def measure(n: int, run: Any) -> dict[str, float]:
    """Return what a way of running costs per crystal [s]."""
    begun_cpu, begun = time.process_time(), time.perf_counter()
    reports = run()
    engine, wall = time.process_time() - begun_cpu, time.perf_counter() - begun
    jobs, rows = cpu(reports)
    # Rows are timed by the clock: on a busy machine that is more than their CPU time, and the difference means nothing.
    harness = max(jobs - rows, 0.0)
    return {
        'crystals': n,
        'jobs': len(reports),
        'wall': wall / n,
        'engine': engine / n,
        'harness': harness / n,
        'overhead': (engine + harness) / n,
    }


def in_chunks(n: int, chunk: int) -> list[dict[str, Any]]:
    """Relax n crystals as the package does it; return the reports of the jobs."""
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.workflows.base import RelaxBaseWorkChain

    inputs = {**job_inputs(), 'batch': StructureBatch(crystals(n)), 'chunk_size': orm.Int(chunk)}
    _, node = run_get_node(RelaxBaseWorkChain, **inputs)
    assert node.is_finished_ok, node.exit_message
    return [c.outputs.report.get_dict() for c in node.called if isinstance(c, orm.CalcJobNode)]


def one_by_one(n: int) -> list[dict[str, Any]]:
    """Relax n crystals as one CalcJob each; return the reports of the jobs."""
    from aiida.engine import run_get_node

    from aiida_crystalgen.calculations.relax import RelaxCalculation
    from aiida_crystalgen.data.batch import StructureBatch

    shared = job_inputs()['job']
    everything = crystals(n)
    reports = []
    for index in range(n):
        results, node = run_get_node(RelaxCalculation, **shared, batch=StructureBatch(everything.select([index])))
        assert node.is_finished_ok, node.exit_message
        reports.append(results['report'].get_dict())
    return reports


def main() -> None:
    """Measure both ways and print them with their ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--crystals', type=int, default=1000)
    parser.add_argument('--chunk', type=int, default=500)
    parser.add_argument('--single', type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ['AIIDA_PATH'] = folder
        from click.testing import CliRunner

        from aiida_crystalgen.cli.setup import init

        outcome = CliRunner().invoke(init)
        assert outcome.exit_code == 0, outcome.output
        chunks = measure(options.crystals, lambda: in_chunks(options.crystals, options.chunk))
        single = measure(options.single, lambda: one_by_one(options.single))
    machine = {'python': sys.version.split()[0], 'cores': os.cpu_count(), 'system': platform.platform()}
    figures = {'unit': 's per crystal', 'chunks': chunks, 'single': single, 'machine': machine}
    ratios = {f'ratio_{key}': single[key] / chunks[key] for key in ('engine', 'overhead')}
    print(json.dumps({**figures, **ratios}, indent=1))


if __name__ == '__main__':
    main()
