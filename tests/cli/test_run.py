"""A real campaign through the console script: run, resumed, interrupted, looked at from every side."""

import csv
import io
import json
import os
import signal
import subprocess
import time

import pytest

from tests.cli.conftest import SCRIPT

pytestmark = pytest.mark.campaign

CAMPAIGN = """version: 1
name: small
seed: 3
protocol: fast
generators:
  - {type: random, n: 6, parameters: {chemical_system: Al-Cu}}
potential: {type: emt}
"""


@pytest.fixture(scope='module')
def file(script, folder):
    """Return a campaign file beside a profile that is set up."""
    script('init')
    path = folder / 'campaign.yaml'
    path.write_text(CAMPAIGN)
    return path


@pytest.fixture(scope='module')
def printed(script, file, folder):
    """Return what the first run prints."""
    return script('run', file, '--report', folder / 'report.html', timeout=600).stdout


def test_run_shows_stages_funnel_and_table(printed):
    """The end of a run shows what was found and what to do next."""
    assert 'relax       done' in printed
    assert 'S.U.N. at 0.1 eV/atom' in printed
    assert 'Next:' in printed


def test_run_writes_the_page(printed, folder):
    """The page of `--report` is written."""
    assert (folder / 'report.html').read_text().startswith('<!doctype html>')


def test_every_row_can_be_traced(printed, script):
    """Kept and rejected crystals of a real campaign are followed to their end."""
    kept = [row['id'] for row in json.loads(script('table', '--json').stdout)]
    lost = [row['id'] for row in json.loads(script('rejected', '--json').stdout)] if len(kept) < 6 else []
    assert len(kept) + len(lost) == 6
    for crystal_id in [kept[0], *lost[:1]]:
        steps = json.loads(script('trace', crystal_id, '--json').stdout)
        assert steps[0]['process_label'] == 'plan'
        assert steps[-1]['verdict'] == ('kept' if crystal_id in kept else 'rejected')


def test_run_again_reuses_every_job(printed, script, file):
    """A second run computes no batch job again and prints the same CSV."""
    before = script('table', '--csv').stdout
    again = script('run', file, timeout=600).stdout
    assert again.count('reused from an earlier run') == 4
    assert script('table', '--csv').stdout == before
    assert next(iter(csv.DictReader(io.StringIO(before))))['rank'] == '1'


def test_launch_without_a_daemon(script, file):
    """Without a daemon nothing is submitted, and the sentence says how to start one."""
    assert 'Start it with `verdi daemon start 2`' in script('launch', file, code=1).stderr


def test_interrupted_run_goes_on(printed, script, file, folder):
    """Ctrl-C ends in a sentence and leaves no job behind; so does a kill, at the next run."""
    file.write_text(CAMPAIGN.replace('seed: 3', 'seed: 4').replace('n: 6', 'n: 12'))
    code, output = interrupt(folder, file, signal.SIGINT)
    assert code == 1
    assert 'was interrupted and its jobs were stopped. Go on with' in output
    assert 'Traceback' not in output
    code, _ = interrupt(folder, file, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert 'interrupted: the program that ran it is gone' in script('status').stdout
    lines = script('run', file, timeout=600).stdout
    assert 'was interrupted earlier: its jobs were stopped' in lines
    assert 'rank        done' in lines


def interrupt(folder, file, number):
    """Start a run, send it a signal while it draws crystals, and return its exit code and output."""
    environment = {**os.environ, 'AIIDA_PATH': str(folder), 'PYTHONUNBUFFERED': '1'}
    log = folder / 'log.txt'
    with log.open('w') as stream:
        process = subprocess.Popen([SCRIPT, 'run', file], stdout=stream, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + 240
        while 'generate    running' not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.5)
        process.send_signal(number)
        return process.wait(timeout=120), log.read_text()
