"""Run the adapter of a generator for several jobs in one process: loading a tool takes longer than drawing.

    PYTHON_OF_THE_TOOL tests/generators/draw.py NAME < jobs.json > answers.json

Each job has `model`, `parameters`, `indices`, `seed` of the first batch, and maybe `assets` and `most` (crystals that
the memory holds). Its answer is a list of rows and the columns declared, or status and sentence of the error that
ended it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import tempfile
import time
import types
from pathlib import Path

REMOTE = Path(__file__).resolve().parents[2] / 'aiida_crystalgen' / 'remote'
sys.path.insert(0, str(REMOTE))


def answer(adapter, job: dict, scratch: str) -> dict:
    """Return the rows of a job, or how it ended."""
    size = job['parameters'].get('batch_size', 16)
    rows = [{'id': f'draw-{i}', 'index': i, 'seed': job['seed'] + 1000 * (i // size)} for i in job['indices']]
    given = types.SimpleNamespace(
        parameters=job['parameters'], assets=job.get('assets', {}), model=job['model'], device=job.get('device', 'cpu'),
        batch_size=job.get('most', size), deadline=None, scratch=scratch, stage='generate',
    )  # fmt: skip
    try:
        declared = sorted(adapter.columns(given))
        return {'rows': list(adapter.run(rows, given)), 'declared': declared}
    except Exception as error:
        return {'status': getattr(error, 'crystalgen_status', ''), 'sentence': str(error)}


def main() -> None:
    """Answer the jobs of standard input; everything that a tool prints goes to standard error."""
    spec = importlib.util.spec_from_file_location('adapter', REMOTE / 'adapters' / f'{sys.argv[1]}.py')
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    answers = {'versions': adapter.versions(), 'jobs': {}}
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as scratch:
        for name, job in json.load(sys.stdin).items():
            begun, cpu = time.perf_counter(), sum(os.times()[:4])
            answers['jobs'][name] = answer(adapter, job, scratch)
            spent = {'seconds': time.perf_counter() - begun, 'cpu_seconds': sum(os.times()[:4]) - cpu}
            answers['jobs'][name].update({unit: round(number, 2) for unit, number in spent.items()})
    json.dump(answers, sys.stdout)


if __name__ == '__main__':
    main()
