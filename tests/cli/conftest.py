"""Fixtures for the commands: one that runs them in this process, and the console script in a fresh AiiDA folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.handmade import make_campaign

SCRIPT = Path(sys.executable).with_name('aiida-crystalgen')


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a finished campaign."""
    return make_campaign()


@pytest.fixture
def call():
    """Return a function that runs a command in this process and returns its result; errors are sentences."""
    from aiida_crystalgen.cli import crystalgen

    def run(*arguments, code=0):
        result = CliRunner().invoke(crystalgen, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        assert 'Traceback' not in result.output
        return result

    return run


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder of its own for AiiDA."""
    path = tmp_path_factory.mktemp('aiida')
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope='module')
def script(folder):
    """Return a function that runs the console script in the folder and returns the finished process."""

    def run(*arguments, code=0, cwd=folder, timeout=240):
        environment = {**os.environ, 'AIIDA_PATH': str(folder), 'COLUMNS': '100'}
        environment.pop('AIIDA_PROFILE', None)
        done = subprocess.run(
            [str(SCRIPT), *map(str, arguments)],
            capture_output=True, text=True, env=environment, cwd=cwd, timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert 'Traceback' not in done.stderr
        return done

    return run
