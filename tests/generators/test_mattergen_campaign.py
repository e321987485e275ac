"""MatterGen's own code in whole campaigns, as a user runs them: killed, repeated, and refused before anything runs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from tests.campaign.machine import Machine

TINY = Path(__file__).parents[3] / 'shared' / 'data' / 'generators' / 'mattergen' / 'tiny_checkpoints'
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.timeout(1800),  # two campaigns one after the other, on a machine that may be busy
    pytest.mark.skipif(not TINY.exists(), reason='the tiny checkpoints of the shared data are not there'),
]
CAMPAIGN = """
version: 1
name: lithium-oxides
seed: 5
protocol: fast
conditions: {{{conditions}}}
generators:
  - type: mattergen
    n: 12
    code: mattergen@localhost
    model: {model}
    trust: {trust}
    parameters: {{batch_size: 4, corrector_steps: 0}}
resources: {{lanes: 1, processes: 1}}
"""
CONDITIONS = 'chemical_system: Li-O, energy_above_hull: 0.05, max_atoms: 6'
# The jobs of MatterGen, with how they ended, what they were given, and what came out of them.
JOBS = """
kind = {'process_type': {'like': '%crystalgen.generate'}}
builder = orm.QueryBuilder().append(orm.CalcJobNode, filters=kind, tag='j')
builder.order_by({'j': {'id': 'asc'}})
def rows(job):
    return sum(len(job.outputs[name].ids) for name in ('batch', 'rejected') if name in job.outputs)
jobs = builder.all(flat=True)
print(json.dumps([[job.exit_status, job.exit_message, len(job.inputs.batch.ids), rows(job)] for job in jobs]))
"""
CRYSTALS = """
from aiida_crystalgen.workflows.generate import GenerateWorkChain
node = orm.QueryBuilder().append(GenerateWorkChain, tag='g').order_by({'g': {'id': 'desc'}}).first(flat=True)
batch = node.outputs.batch
found = []
crystals = batch.crystals
for place, name in enumerate(batch.ids):
    sites = slice(int(crystals.offsets[place]), int(crystals.offsets[place + 1]))
    found.append([name, crystals.numbers[sites].tolist(), crystals.positions[sites].tolist(),
                  crystals.cells[place].tolist()])
print(json.dumps(sorted(found)))
"""


@pytest.fixture
def machine(machine_with):
    """Return a machine with an AiiDA of its own and MatterGen's Python as a Code."""
    return machine_with('mattergen')


def write(machine: Machine, conditions: str = CONDITIONS, model: str = 'cond') -> Path:
    """Write a campaign file."""
    trust = hashlib.sha256((TINY / model / 'checkpoints' / 'last.ckpt').read_bytes()).hexdigest()
    path = machine.folder / 'campaign.yaml'
    text = CAMPAIGN.format(conditions=conditions, model=TINY / model, trust=trust)
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def kill_after_a_batch(machine: Machine) -> int:
    """Kill the parent of the job that draws, with all its workers, once a batch is finished; return its rows."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        for out in machine.folder.rglob('out.jsonl'):
            finished = out.read_text().count('\n')
            if finished < 4 or json.loads((out.parent / 'job.json').read_text())['stage'] != 'generate':
                continue
            parents = [
                int(entry.name)
                for entry in Path('/proc').iterdir()
                if entry.name.isdigit() and _is_parent(entry, out.parent)
            ]
            for pid in parents:
                os.kill(pid, signal.SIGKILL)
            if parents:
                return finished
        time.sleep(0.05)
    raise AssertionError('no batch was finished')


def _is_parent(entry: Path, folder: Path) -> bool:
    """Say whether a process is the one that hands out the rows of a job."""
    try:
        command = (entry / 'cmdline').read_bytes()
        return b'bundle.zip' in command and b'--worker' not in command and (entry / 'cwd').resolve() == folder.resolve()
    except OSError:
        return False


def test_a_killed_campaign_ends_as_an_undisturbed_one(machine):
    """`kill -9` after a batch loses only the batch in flight; the rest follows, and the crystals are the same."""
    program = machine.start('aiida-crystalgen', 'run', write(machine))
    finished = kill_after_a_batch(machine)
    output = program.communicate(timeout=900)[0]
    assert program.returncode == 0, output
    first, second = machine.python(JOBS)
    assert first[0] == 403
    assert finished <= first[3] <= 8
    assert first[3] % 4 == 0
    assert second[0] == 0
    assert second[2:] == [12 - first[3], 12 - first[3]]
    killed = machine.python(CRYSTALS)
    assert len(killed) == 12
    assert {number for _, numbers, _, _ in killed for number in numbers} <= {3, 8}
    machine.crystalgen('run', '--fresh', write(machine))
    assert len(machine.python(JOBS)) == 3
    assert machine.python(CRYSTALS) == killed


def test_an_untrained_condition_is_the_exit_message(machine):
    """A model of the user's own says in the job what it was trained on; the campaign ends with that sentence."""
    result = machine.run('aiida-crystalgen', 'run', write(machine, 'band_gap: 1.5', 'base'), check=False)
    assert result.returncode != 0
    ((status, message, _, rows),) = machine.python(JOBS)
    assert status
    assert 'not trained on `band_gap`' in message
    assert rows == 0


def test_what_a_published_checkpoint_cannot_is_refused_by_check(machine):
    """`check` knows what the published checkpoints were trained on, and names the one to take."""
    path = write(machine, 'band_gap: 1.5')
    lines = path.read_text().splitlines()
    model = next(i for i, line in enumerate(lines) if line.strip().startswith('model:'))
    path.write_text('\n'.join([*lines[:model], '    model: space_group', *lines[model + 2 :]]))
    result = machine.run('aiida-crystalgen', 'check', path, check=False)
    assert result.returncode != 0
    assert 'not trained on `band_gap`' in result.stdout + result.stderr
    assert '`dft_band_gap`' in result.stdout + result.stderr
