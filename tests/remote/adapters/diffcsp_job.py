"""Run adapters of the DiffCSP family in job folders, by the harness, in the Python of their own environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from aiida_crystalgen import bundles

ROOT = Path(__file__).parents[3]
MAKER = ROOT / 'tests' / 'generators' / 'diffcsp' / 'make_checkpoints.py'
DRAW = '0123456789abcdef'
SECONDS = 900


def tool(variable: str, python: str = 'CRYSTALGEN_DIFFCSP_PYTHON') -> tuple[str, str]:
    """Return the Python of the environment and the folder of a clone, or skip the test."""
    for name in (python, variable):
        if not os.environ.get(name):
            pytest.skip(f'{name} is not set: tests/generators/README.md says how to make the environment')
    return os.environ[python], os.environ[variable]


def tiny(kind: str, home: str, python: str, folder: Path) -> Path:
    """Return a tiny untrained checkpoint, made with the code of the clone."""
    command = [python, '-W', 'ignore', str(MAKER), kind, home, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, env=clean())
    assert done.returncode == 0, done.stderr
    return folder


def clean() -> dict[str, str]:
    """Return the environment variables of a job: no bytecode is left in the clones."""
    return {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', 'OMP_NUM_THREADS': '1', 'PYTHONPATH': ''}


class ToolJob:
    """A job folder of a registered generator, run to its end."""

    def __init__(self, folder: Path, name: str, python: str, model: Path, indices: list[int], **options) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        about = bundles.about('generator', name)
        (folder / 'bundle.zip').write_bytes(bundles.adapter_bundle('generator', name))
        parameters = options.pop('parameters', {})
        size = parameters.get('batch_size', about['parameters']['batch_size']['default'])
        self.write(indices)
        job = {
            'module': 'adapter', 'stage': 'generate', 'parameters': parameters, 'draw': DRAW, 'seed': 1, 'units': size,
            'whole_batch': False, 'device': 'cpu', 'processes': 1, 'threads': 1, 'batch_size': size,
            'seconds_limit': None, 'row_seconds_limit': None, 'environment': {}, 'model': str(model), 'assets': {},
            'tables': {}, 'columns': {'id': {'kind': 'text'}}, 'table_columns': {}, **options,
        }  # fmt: skip
        (folder / 'job.json').write_text(json.dumps(job))
        command = [python, 'bundle.zip']
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, check=False, env=clean())
        self.stderr = done.stderr.decode()
        assert done.returncode == 0, self.stderr
        self.report = json.loads((folder / 'report.json').read_text())

    def write(self, indices: list[int]) -> None:
        """Write the rows that are asked for."""
        ids = [f'{DRAW}-{index}'.encode() for index in indices]
        n = len(ids)
        np.savez(
            self.folder / 'batch.npz', offsets=np.zeros(n + 1, int), numbers=np.zeros(0, np.int16),
            positions=np.zeros((0, 3)), cells=np.zeros((n, 3, 3)), pbc=np.ones((n, 3), bool),
            c_id=np.frombuffer(b''.join(ids), np.uint8), o_id=np.cumsum([0, *map(len, ids)]),
        )  # fmt: skip

    @property
    def rows(self) -> dict[int, dict]:
        """The finished rows by index, without the seconds that they took."""
        lines = (self.folder / 'out.jsonl').read_text().splitlines() if (self.folder / 'out.jsonl').exists() else []
        rows = {int(row['id'].split('-')[1]): row for row in map(json.loads, lines)}
        return {index: {key: row[key] for key in row if key != 'seconds'} for index, row in sorted(rows.items())}

    @property
    def log(self) -> str:
        """What the tool printed."""
        return (self.folder / 'workers.log').read_text()
