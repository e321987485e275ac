"""WyFormer's own code in a whole campaign, as a user runs it: drawn, decoded, relaxed with EMT, ranked."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[3] / 'shared' / 'data' / 'generators' / 'wyformer' / 'model_ioi8tycx'
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not MODEL.exists(), reason='the trained model of the shared data is not there'),
]
CAMPAIGN = """
version: 1
name: copper-gold
seed: 5
protocol: fast
conditions: {{chemical_system: {system}, max_atoms: 8}}
generators:
  - type: wyformer
    n: 10
    code: wyformer@localhost
    model: {model}
{potential}
resources: {{lanes: 1, processes: 1}}
"""
EMT = 'potential: {type: emt, parameters: {fmax: 0.1}}'
DRAWN = """
from aiida_crystalgen.workflows.generate import GenerateWorkChain
jobs = {'process_type': {'like': '%crystalgen.generate'}}
job = orm.QueryBuilder().append(orm.CalcJobNode, filters=jobs).first(flat=True)
work = orm.QueryBuilder().append(GenerateWorkChain, tag='g').order_by({'g': {'id': 'desc'}}).first(flat=True)
batches = [work.outputs[name] for name in ('batch', 'rejected') if name in work.outputs]
kept = work.outputs.batch
print(json.dumps({
    'model': job.inputs.checkpoint.get_dict()['name'],
    'code': job.inputs.code.label,
    'versions': job.inputs.environment.get_dict(),
    'rows': [len(batch.ids) for batch in batches],
    'numbers': sorted(set(kept.crystals.numbers.tolist())),
    'atoms': [int(stop - start) for start, stop in zip(kept.crystals.offsets, kept.crystals.offsets[1:])],
    'columns': sorted(name for batch in batches for name in batch.crystals.columns),
}))
"""


def write(machine, system: str = 'Au-Cu', potential: str = EMT) -> Path:
    """Write a campaign file."""
    path = machine.folder / 'campaign.yaml'
    path.write_text(textwrap.dedent(CAMPAIGN.format(model=MODEL, system=system, potential=potential)).lstrip())
    return path


@pytest.fixture(scope='module')
def machine(machine_with):
    """Return a machine whose Code `wyformer` is the Python of WyFormer's environment."""
    return machine_with('wyformer')


def test_a_campaign_draws_with_the_trained_model(machine):
    """Ten genes of copper and gold: every one is a row, the conditions hold, the checkpoint is recognised."""
    machine.crystalgen('run', write(machine))
    drawn = machine.python(DRAWN)
    assert drawn['model'] == 'ioi8tycx-cpu'
    assert drawn['code'] == 'wyformer'
    assert drawn['versions']['wyckoff-transformer'].startswith('2.')
    assert sum(drawn['rows']) == 10
    assert drawn['numbers'] == [29, 79]
    assert max(drawn['atoms']) <= 8
    assert {'wyckoff', 'space_group_requested', 'chemical_system_requested', 'drawn_with'} <= set(drawn['columns'])


def test_elements_that_it_never_saw_are_the_exit_message(machine):
    """The sentence of the generator ends the campaign."""
    result = machine.run('aiida-crystalgen', 'run', write(machine, 'Cu-Po', ''), check=False)
    assert result.returncode != 0
    output = ' '.join((result.stdout + result.stderr).split())
    assert 'the model was trained without Po' in output
