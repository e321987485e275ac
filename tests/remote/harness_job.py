"""Job folders with toy adapters, for the tests of the harness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aiida_crystalgen.bundles import bundle_of_files

# The Python of the compute node, which may be older than that of the tests; it needs numpy.
NODE_PYTHON = os.environ.get('CRYSTALGEN_NODE_PYTHON', sys.executable)
DRAW = '0123456789abcdef'
MANY = [f'{DRAW}-{index}' for index in range(12)]

HEAD = """
import ctypes, itertools, os, signal, sys, time

ABOUT = {'name': 'toy'}


def versions():
    return {'toy': '1.0'}

"""
ECHO = """
def run(rows, job):
    for row in rows:
        yield {'id': row['id'], 'columns': {'seed': row['seed'], 'index': row['index'], 'pid': os.getpid()}}
"""
BATCHED = """
def run(rows, job):
    while True:
        batch = list(itertools.islice(rows, job.batch_size))
        if not batch:
            return
        work(batch, job)
        for row in reversed(batch):
            yield {'id': row['id'], 'columns': {'batch': len(batch), 'limit': job.batch_size}}
"""


def per_row(body: str) -> str:
    """Return an adapter that runs `body` for the row `row` with the number `n`, and then yields it."""
    lines = '\n'.join('        ' + line for line in body.strip().splitlines())
    return f"""
def run(rows, job):
    for row in rows:
        n, columns = row['index'], {{}}
{lines}
        yield {{'id': row['id'], 'columns': {{'n': n, **columns}}}}
"""


def text_column(values: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes and the offsets of a text column."""
    data = [value.encode() for value in values]
    return np.frombuffer(b''.join(data), np.uint8), np.cumsum([0, *map(len, data)])


class Job:
    """A job folder."""

    def __init__(self, folder: Path, adapter: str, ids: list[str], extra: dict | None = None, **options) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        bundle = bundle_of_files('toy', {'name': 'toy'}, {'toy.py': (HEAD + adapter).encode()})
        (folder / 'bundle.zip').write_bytes(bundle)
        n = len(ids)
        values, offsets = text_column(ids)
        arrays = {
            'offsets': np.arange(n + 1) * 2,
            'numbers': np.tile(np.array([12, 8], np.int16), n),
            'positions': np.tile([[0.0, 0, 0], [2.1, 2.1, 2.1]], (n, 1)),
            'cells': np.tile(np.eye(3) * 4.2, (n, 1, 1)),
            'pbc': np.ones((n, 3), bool),
            'c_id': values,
            'o_id': offsets,
            **(extra or {}),
        }
        np.savez(folder / 'batch.npz', **arrays)
        job = {
            'module': 'toy',
            'stage': 'relax',
            'parameters': {},
            'draw': '',
            'seed': 1,
            'units': 1,
            'whole_batch': False,
            'device': 'cpu',
            'processes': 1,
            'threads': 1,
            'batch_size': 1,
            'seconds_limit': None,
            'row_seconds_limit': None,
            'environment': {},
            'model': None,
            'assets': {},
            'tables': {},
            'columns': {'id': {'kind': 'text'}},
            'table_columns': {},
            **options,
        }
        (folder / 'job.json').write_text(json.dumps(job))

    def start(self) -> subprocess.Popen:
        """Start the job."""
        return subprocess.Popen([NODE_PYTHON, 'bundle.zip'], cwd=self.folder, stderr=subprocess.DEVNULL)

    def run(self, **variables: str) -> Job:
        """Run the job to its end."""
        command, environment = [NODE_PYTHON, 'bundle.zip'], {**os.environ, **variables}
        done = subprocess.run(command, cwd=self.folder, env=environment, timeout=60, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == b''
        self.stderr = done.stderr.decode()
        return self

    def wait_for(self, n: int) -> None:
        """Wait until so many rows are finished."""
        for _ in range(300):
            if (self.folder / 'out.jsonl').exists() and len(self.lines('out.jsonl')) >= n:
                return
            time.sleep(0.05)
        raise AssertionError('the rows did not come')

    def lines(self, name: str) -> list[str]:
        """Return the whole lines of a file."""
        return (self.folder / name).read_text().split('\n')[:-1]

    @property
    def rows(self) -> dict[str, dict]:
        """The finished rows by id; no id may come twice, no constant may be beyond JSON."""
        rows = [json.loads(line, parse_constant=pytest.fail) for line in self.lines('out.jsonl')]
        assert len({row['id'] for row in rows}) == len(rows)
        return {row['id']: row for row in rows}

    @property
    def reasons(self) -> dict[int, str]:
        """The reasons of the rejected rows by index."""
        return {int(k.split('-')[-1]): row['rejected']['reason'] for k, row in self.rows.items() if 'rejected' in row}

    @property
    def report(self) -> dict:
        """The report."""
        return json.loads((self.folder / 'report.json').read_text())


def alive(pid: int) -> bool:
    """Say whether a process lives (a zombie does not)."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def without_time(job: Job) -> list[str]:
    """Return the rows, sorted, without what the clock put into them."""
    return [json.dumps({**row, 'seconds': 0}) for _, row in sorted(job.rows.items())]
