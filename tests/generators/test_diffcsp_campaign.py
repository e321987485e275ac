"""DiffCSP's and DiffCSP++'s own code in whole campaigns, as a user runs them: repeated, chained, and refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from aiida_crystalgen.bundles import about
from aiida_crystalgen.schema.models import digest_to_trust, files_of, unpickled

TINY = Path(__file__).parents[3] / 'shared' / 'data' / 'generators' / 'diffcsp' / 'tiny_checkpoint_gen'
MAKER = Path(__file__).parent / 'diffcsp' / 'make_checkpoints.py'
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not TINY.exists(), reason='the tiny checkpoint of the shared data is not there'),
]
ALONE = """
version: 1
name: free
seed: 5
protocol: fast
{conditions}
generators:
  - type: diffcsp
    n: 6
    code: diffcsp@localhost
    model: {model}
    {trust}
    parameters: {{batch_size: 3}}
resources: {{lanes: 1, processes: 1}}
"""
CHAIN = """
version: 1
name: chain
seed: 5
protocol: fast
generators:
  - type: wyckoff
    n: 5
    parameters: {{chemical_system: Li-O, max_atoms: 12}}
  - type: diffcsp_pp
    n: 5
    after: wyckoff
    code: diffcsp@localhost
    model: {model}
    {trust}
    parameters: {{batch_size: 5}}
resources: {{lanes: 1, processes: 1}}
"""
DRAWN = """
from aiida_crystalgen.workflows.generate import GenerateWorkChain
kind = {'process_type': {'like': '%crystalgen.generate'}}
job = orm.QueryBuilder().append(orm.CalcJobNode, filters=kind, tag='j').order_by({'j': {'id': 'desc'}}).first(flat=True)
query = orm.QueryBuilder().append(GenerateWorkChain, tag='g').order_by({'g': {'id': 'desc'}})
works = {str(work.inputs.generator.value): work for work in reversed(query.all(flat=True)) if 'batch' in work.outputs}
found = {}
for name, work in works.items():
    batches = {out: work.outputs[out] for out in ('batch', 'rejected') if out in work.outputs}
    found[name] = {
        'rows': {out: len(batch.ids) for out, batch in batches.items()},
        'ids': sorted(work.outputs.batch.ids),
        'numbers': work.outputs.batch.crystals.numbers.tolist(),
        'positions': work.outputs.batch.crystals.positions.tolist(),
        'columns': sorted({column for batch in batches.values() for column in batch.crystals.columns}),
    }
    if 'born_from' in work.outputs.batch.crystals.columns:
        found[name]['born_from'] = sorted(work.outputs.batch.crystals.values('born_from'))
print(json.dumps({
    'draws': found, 'versions': job.inputs.environment.get_dict(), 'status': job.exit_status,
    'message': job.exit_message or '', 'checkpoint': job.inputs.checkpoint.get_dict(),
}))
"""


def trust(kind: str, folder: Path) -> str:
    """Return the line by which a user trusts a checkpoint."""
    return f'trust: {digest_to_trust(unpickled(files_of(folder), about("generator", kind)))}'


def write(machine, text: str, **words: object) -> Path:
    """Write a campaign file."""
    path = machine.folder / 'campaign.yaml'
    path.write_text(textwrap.dedent(text.format(**words)).lstrip())
    return path


@pytest.fixture(scope='module')
def machine(machine_with):
    """Return a machine whose Code `diffcsp` knows where the clones are."""
    homes = {name: os.environ.get(name) for name in ('DIFFCSP_HOME', 'DIFFCSP_PP_HOME')}
    if not homes['DIFFCSP_HOME']:
        pytest.skip('DIFFCSP_HOME is not set, see tests/generators/README.md')
    made = machine_with('diffcsp', *(f'export {name}={home}' for name, home in homes.items() if home))
    shutil.copytree(TINY, made.folder / 'model')
    return made


def test_a_campaign_draws_and_repeats(machine):
    """Six crystals in two batches: the model is known by its files, and a repetition gives the same crystals."""
    line = trust('diffcsp', machine.folder / 'model')
    path = write(machine, ALONE, conditions='', model='model', trust=line)
    machine.crystalgen('run', path)
    drawn = machine.python(DRAWN)
    assert drawn['status'] == 0
    assert sum(drawn['draws']['diffcsp']['rows'].values()) == 6
    assert 'drawn_with' in drawn['draws']['diffcsp']['columns']
    assert set(drawn['versions']) == {'DiffCSP', 'torch', 'torch_geometric', 'pytorch_lightning', 'numpy'}
    assert 'epoch=9-step=10.ckpt' in drawn['checkpoint']['files']
    machine.crystalgen('run', '--fresh', path)
    assert machine.python(DRAWN)['draws'] == drawn['draws']


def test_what_is_refused(machine):
    """A checkpoint that nobody trusts is refused by `check`; one for another task ends the campaign with a sentence."""
    result = machine.run(
        'aiida-crystalgen', 'check', write(machine, ALONE, conditions='', model='model', trust=''), check=False
    )
    assert result.returncode != 0
    assert 'trust' in result.stdout + result.stderr
    line = trust('diffcsp', machine.folder / 'model')
    path = write(machine, ALONE, conditions='conditions: {composition: NaCl}', model='model', trust=line)
    result = machine.run('aiida-crystalgen', 'run', path, check=False)
    assert result.returncode != 0
    message = machine.python(
        "kind = {'process_type': {'like': '%crystalgen.generate'}}\n"
        "query = orm.QueryBuilder().append(orm.CalcJobNode, filters=kind, tag='j').order_by({'j': {'id': 'desc'}})\n"
        'job = query.first(flat=True)\n'
        'print(json.dumps([job.exit_status, job.exit_message]))'
    )
    assert message[0]
    assert 'take a model for structure prediction' in message[1]


def test_a_second_stage(machine):
    """The packaged model draws, DiffCSP++ draws again under the same symmetry; every crystal tells its origin."""
    home = os.environ.get('DIFFCSP_PP_HOME')
    if not home:
        pytest.skip('DIFFCSP_PP_HOME is not set, see tests/generators/README.md')
    folder = machine.folder / 'pp'
    python = os.environ['CRYSTALGEN_DIFFCSP_PYTHON']
    subprocess.run([python, '-W', 'ignore', str(MAKER), 'diffcsp_pp', home, str(folder)], check=True, timeout=900)
    machine.crystalgen('run', write(machine, CHAIN, model='pp', trust=trust('diffcsp_pp', folder)))
    drawn = machine.python(DRAWN)
    first, second = drawn['draws']['wyckoff'], drawn['draws']['diffcsp_pp']
    assert sum(second['rows'].values()) == 5
    assert set(second['numbers']) <= {3, 8}
    assert set(second['born_from']) <= set(first['ids'])
    assert {'wyckoff', 'space_group_requested'} <= set(second['columns'])
