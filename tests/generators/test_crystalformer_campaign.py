"""CrystalFormer's own code in a whole campaign: a checkpoint that is trusted, one space group after the other."""

from __future__ import annotations

import hashlib
import os
import textwrap
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[3] / 'shared/data/generators/crystalformer/tiny_run/epoch_003000.pkl'
HOME = os.environ.get('CRYSTALFORMER_HOME', '')
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not MODEL.exists(), reason='the tiny checkpoint of the shared data is not there'),
    pytest.mark.skipif(not HOME, reason='CRYSTALFORMER_HOME is not set, see tests/generators/README.md'),
]
CAMPAIGN = """
version: 1
name: perovskites
seed: 5
protocol: fast
conditions: {{chemical_system: Ba-N-O-Sr-Ti, space_group: 221}}
generators:
  - type: crystalformer
    n: 6
    code: crystalformer@localhost
    model: {model}
    {trust}
    parameters:
      {{batch_size: 3, h0_size: 16, transformer_layers: 2, num_heads: 2, key_size: 16, model_size: 16, embed_size: 16}}
resources: {{lanes: 1, processes: 1}}
"""
DRAWN = """
from aiida_crystalgen.workflows.generate import GenerateWorkChain
work = orm.QueryBuilder().append(GenerateWorkChain, tag='g').order_by({'g': {'id': 'desc'}}).first(flat=True)
batches = [work.outputs[name] for name in ('batch', 'rejected') if name in work.outputs]
print(json.dumps({
    'rows': sum(len(batch.ids) for batch in batches),
    'numbers': sorted(set(work.outputs.batch.crystals.numbers.tolist())),
    'columns': sorted({name for batch in batches for name in batch.crystals.columns}),
}))
"""


def write(machine, trust: bool = True) -> Path:
    """Write a campaign file."""
    line = f'trust: {hashlib.sha256(MODEL.read_bytes()).hexdigest()}' if trust else ''
    path = machine.folder / 'campaign.yaml'
    path.write_text(textwrap.dedent(CAMPAIGN.format(model=MODEL, trust=line)).lstrip())
    return path


def test_a_campaign_draws_with_a_trusted_checkpoint(machine_with):
    """Six crystals in two batches, in columns what was asked and how probable they are; without trust, a refusal."""
    machine = machine_with('crystalformer', f'export CRYSTALFORMER_HOME={HOME}')
    result = machine.run('aiida-crystalgen', 'check', write(machine, trust=False), check=False)
    assert result.returncode != 0
    assert '`trust` is missing' in result.stdout + result.stderr
    machine.crystalgen('run', write(machine))
    drawn = machine.python(DRAWN)
    assert drawn['rows'] == 6
    assert set(drawn['numbers']) <= {7, 8, 22, 38, 56}
    assert {'logp', 'wyckoff', 'space_group_requested', 'chemical_system_requested'} <= set(drawn['columns'])
