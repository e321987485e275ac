"""Run the MatterGen adapter for several jobs in one process: loading the tool takes longer than drawing.

    PYTHON_OF_MATTERGEN tests/generators/mattergen/draw.py < jobs.json > answers.json

Each job has `model`, `parameters`, `indices`, `seed` of the first batch, and maybe `assets` and `most` (crystals that
the memory holds). Its answer is a list of rows, or status and sentence of the error that ended it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
import time
import types
from pathlib import Path

REMOTE = Path(__file__).parents[3] / 'aiida_crystalgen' / 'remote'
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
    """Answer the jobs of standard input; everything that MatterGen prints goes to standard error."""
    spec = importlib.util.spec_from_file_location('adapter', REMOTE / 'adapters' / 'mattergen.py')
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    answers = {'versions': adapter.versions(), 'jobs': {}}
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as scratch:
        for name, job in json.load(sys.stdin).items():
            begun = time.process_time()
            answers['jobs'][name] = answer(adapter, job, scratch)
            answers['jobs'][name]['cpu_seconds'] = round(time.process_time() - begun, 2)
    json.dump(answers, sys.stdout)


if __name__ == '__main__':
    main()
