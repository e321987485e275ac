"""Jobs of a generator in the Python of its tool, where there is one."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from generator_job import ROOT


def python_of(name: str) -> str:
    """Return the Python of a tool, or skip the test."""
    variable = f'CRYSTALGEN_{name.upper()}_PYTHON'
    if not os.environ.get(variable):
        pytest.skip(f'{variable} is not set, see tests/generators/README.md')
    return os.environ[variable]


def answers_of(name: str, jobs: dict[str, dict]) -> dict:
    """Return what the adapter answers to jobs, which run one after the other in one process of the tool's Python."""
    command = [python_of(name), str(ROOT / 'tests' / 'generators' / 'draw.py'), name]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
