"""Kills of every kind, and two workers on both pairs of services: the table stays the same."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from .conftest import write_campaign

# Slow enough to be caught in the act, and exactly as reproducible as the fast one.
SLOW = {'n': 60, 'e_hull': 0.5}


def wait_for(condition, seconds=300, what='it'):
    """Wait until a condition returns something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f'{what} did not happen within {seconds} s')


def processes(machine, text):
    """Return the pids of the processes of a machine whose command line holds a text."""
    found = []
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            environment = (entry / 'environ').read_bytes()
        except OSError:
            continue
        if text in command and f'AIIDA_PATH={machine.folder}'.encode() in environment:
            found.append(int(entry.name))
    return found


def relax_folder(machine):
    """Return the folder of the running relaxation of the candidates once it has finished some rows."""
    for report in machine.folder.rglob('job.json'):
        if json.loads(report.read_text())['stage'] != 'relax':
            continue
        rows = report.parent / 'out.jsonl'
        if rows.exists() and len(rows.read_text().splitlines()) >= 5 and not (report.parent / 'report.json').exists():
            return report.parent
    return None


def is_open(port):
    """Say whether a service listens on this machine."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(('localhost', port)) == 0


@pytest.fixture(scope='module')
def expected(new_machine):
    """Return the table of the slow campaign, undisturbed and in one process."""
    machine = new_machine()
    machine.crystalgen('run', write_campaign(machine.folder, **SLOW))
    return machine.crystalgen('table', '--csv')


def launched_table(machine, disturb=None):
    """Launch the slow campaign through the daemon, disturb it, and return its table."""
    machine.run('verdi', 'daemon', 'start', '2')
    machine.crystalgen('launch', write_campaign(machine.folder, **SLOW))
    if disturb is not None:
        disturb()
    wait_for(lambda: is_finished(machine), seconds=600, what='the end of the campaign')
    return machine.crystalgen('table', '--csv')


def is_finished(machine):
    """Say whether the latest campaign has ended."""
    return machine.python("""
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
print(json.dumps(root is not None and root.is_terminated))
""")


@pytest.mark.daemon
def test_two_workers_and_a_killed_worker(new_machine, expected):
    """SQLite and ZeroMQ with two workers, one of which is killed in the middle: the same table."""
    machine = new_machine()

    def kill_a_worker():
        wait_for(lambda: relax_folder(machine), what='a running relaxation')
        os.kill(processes(machine, 'daemon worker')[0], signal.SIGKILL)

    assert launched_table(machine, kill_a_worker) == expected


@pytest.mark.daemon
@pytest.mark.postgres
def test_postgresql_and_rabbitmq(new_machine, expected):
    """PostgreSQL and RabbitMQ with two workers: the same table."""
    if not (is_open(5432) and is_open(5672)):
        pytest.skip('needs PostgreSQL at localhost:5432 and RabbitMQ at localhost:5672')
    machine = new_machine('--postgres', '--broker', 'core.rabbitmq')
    assert launched_table(machine) == expected


@pytest.mark.campaign
def test_killed_relaxation_repeats_only_what_is_missing(new_machine, expected):
    """After `kill -9` of the relaxation its finished rows are kept; only the others are computed again."""
    machine = new_machine()
    program = machine.start('aiida-crystalgen', 'run', write_campaign(machine.folder, **SLOW))
    folder = wait_for(lambda: relax_folder(machine), what='a running relaxation')
    parents = [
        pid
        for pid in processes(machine, 'bundle.zip')
        if os.readlink(f'/proc/{pid}/cwd') == str(folder)
        and '--worker' not in Path(f'/proc/{pid}/cmdline').read_bytes().decode()
    ]
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    output = program.communicate(timeout=900)[0]
    assert program.returncode == 0, output
    assert machine.crystalgen('table', '--csv') == expected
    first, second = machine.python("""
builder = orm.QueryBuilder().append(orm.CalcJobNode, filters={'process_type': {'like': '%crystalgen.relax'}}, tag='j')
builder.order_by({'j': {'id': 'asc'}})
jobs = [job for job in builder.all(flat=True) if len(job.inputs.batch.ids) > 4]
print(json.dumps([[job.exit_status, job.inputs.batch.base.attributes.get('n_crystals'),
                   len(job.outputs.batch.ids) + (len(job.outputs.rejected.ids) if 'rejected' in job.outputs else 0)]
                  for job in jobs]))
""")
    assert first[0] == 403
    assert first[2] >= 5
    assert second == [0, first[1] - first[2], first[1] - first[2]]


@pytest.mark.campaign
def test_killed_run_computes_no_finished_job_again(new_machine, expected):
    """After `kill -9` of `run`, the next run takes every finished job from the cache."""
    machine = new_machine()
    path = write_campaign(machine.folder, **SLOW)
    program = machine.start('aiida-crystalgen', 'run', path)
    wait_for(lambda: relax_folder(machine), what='a running relaxation')
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    program.stdout.close()
    machine.crystalgen('run', path)
    assert machine.crystalgen('table', '--csv') == expected
    reused = machine.python("""
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
jobs = [node for node in root.called_descendants if node.process_label == 'GenerateCalculation']
print(json.dumps([job.base.caching.is_created_from_cache for job in jobs]))
""")
    assert reused
    assert all(reused)
