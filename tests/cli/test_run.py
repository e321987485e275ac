"""A real campaign through the console script: what it prints, and what it leaves when it is interrupted."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import time

import psutil
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
CIF = """data_Al
_cell_length_a 4.05
_cell_length_b 4.05
_cell_length_c 4.05
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Al1 Al 0 0 0
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
    assert 'S.U.N.' in printed
    assert 'Next:' in printed


def test_run_writes_the_page(printed, folder):
    """The page of `--report` is written."""
    assert (folder / 'report.html').read_text().startswith('<!doctype html>')


def test_a_database_that_others_write_to_is_waited_for(printed, script, folder):
    """SQLite's own five seconds are less than a busy machine takes to write a batch; a campaign would be lost."""
    (database,) = folder.rglob('database.sqlite')
    (folder / 'Al.cif').write_text(CIF)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute('BEGIN EXCLUSIVE')
        release = threading.Timer(12.0, writer.execute, ['COMMIT'])
        release.start()
        script('reference', 'add', folder / 'Al.cif', '--name', 'later')
        release.join()


def test_launch_without_a_daemon(script, file):
    """Without a daemon nothing is submitted, and the sentence says how to start one."""
    assert 'Start it with `verdi daemon start 2`' in script('launch', file, code=1).stderr


def test_interrupted_run_leaves_nothing_behind(printed, script, file, folder):
    """Ctrl-C ends in a sentence with its jobs stopped; after a kill the next run says so and stops them."""
    file.write_text(CAMPAIGN.replace('seed: 3', 'seed: 4').replace('n: 6', 'n: 40'))
    code, output = interrupt(folder, file, signal.SIGINT)
    assert code == 1
    assert 'was interrupted and its jobs were stopped. Go on with' in output
    assert 'Traceback' not in output
    assert not jobs_in(folder)
    code, _ = interrupt(folder, file, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert 'interrupted: the program that ran it is gone' in script('status').stdout
    _, output = interrupt(folder, file, signal.SIGINT)
    assert 'was interrupted earlier: its jobs were stopped' in output
    assert not jobs_in(folder)


def jobs_in(folder):
    """Return what runs in AiiDA's working folder, once it had time to end."""
    for _ in range(20):
        found = [process for process in psutil.process_iter(['cwd']) if in_scratch(process, folder)]
        if not found:
            break
        time.sleep(0.5)
    return found


def in_scratch(process, folder):
    """Say whether a process runs in AiiDA's working folder."""
    return (process.info['cwd'] or '').startswith(str(folder / '.aiida' / 'scratch'))


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
