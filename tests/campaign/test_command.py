"""A campaign with a program of the user: the example of the documentation, as it stands on its page."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / 'docs' / 'howto' / 'generators' / 'command.md').read_text(encoding='utf-8')
ROWS = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
from aiida_crystalgen.data.batch import StructureBatch
root = orm.QueryBuilder().append(CampaignWorkChain).order_by({CampaignWorkChain: {'id': 'desc'}}).first(flat=True)
names = ('seeded', 'command_line', 'source_file', 'source_entry', 'drawn_with', 'rejected_reason')
rows = []
for output in ('table', 'rejected'):
    for row in root.outputs[output].crystals.rows():
        found = {name: row['columns'].get(name) for name in names}
        rows.append({**found, 'id': row['id'], 'numbers': row['numbers'].tolist(), 'edge': float(row['cell'][0][0])})
print(json.dumps(sorted(rows, key=lambda row: row['id'])))
"""


def block(language: str) -> str:
    """Return the first block of a language on the page."""
    return re.search(rf'^```{language}\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL).group(1)


@pytest.fixture(scope='module')
def machine(new_machine):
    """Return a machine with the campaign and the program of the page."""
    machine = new_machine()
    (machine.folder / 'cubes.py').write_text(block('python'))
    (machine.folder / 'campaign.yaml').write_text(block('yaml'))
    machine.crystalgen('check', machine.folder / 'campaign.yaml')
    return machine


@pytest.mark.campaign
def test_example_of_the_page_runs(machine):
    """All eight crystals come from the program, in two runs of it, each with the seed of its unit."""
    machine.crystalgen('run', machine.folder / 'campaign.yaml')
    rows = machine.python(ROWS)
    assert len(rows) == 8
    assert all({*row['numbers']} <= {17, 19, 35, 37, 53, 55} and len(row['numbers']) == 2 for row in rows)
    assert len({row['edge'] for row in rows}) == 8
    assert {row['drawn_with'] for row in rows} == {4}
    assert all(row['seeded'] for row in rows)
    assert len({row['command_line'] for row in rows}) == 2
    assert {(row['source_file'], row['source_entry']) for row in rows} == {('crystals.xyz', str(n)) for n in range(4)}


@pytest.mark.campaign
def test_same_seed_gives_the_same_crystals(machine):
    """Run afresh, without the cache, the campaign makes the same crystals with the same ids."""
    before = machine.python(ROWS)
    machine.crystalgen('run', machine.folder / 'campaign.yaml', '--fresh')
    assert machine.python(ROWS) == before


@pytest.mark.campaign
def test_another_program_makes_another_draw(machine):
    """A change of the program changes the ids: what it made before is not taken for its own."""
    before = machine.python(ROWS)
    path = machine.folder / 'cubes.py'
    path.write_text(path.read_text().replace('3.5, 4.5', '4.5, 5.5'))
    machine.crystalgen('run', machine.folder / 'campaign.yaml')
    after = machine.python(ROWS)
    assert {row['id'] for row in before}.isdisjoint(row['id'] for row in after)
    assert min(row['edge'] for row in after) > 4.5


@pytest.mark.campaign
def test_a_wrong_command_is_refused_before_anything_runs(machine):
    """A name that stands for nothing is a problem of the campaign file, with its line and its remedy."""
    path = machine.folder / 'wrong.yaml'
    path.write_text(block('yaml').replace('{seed}', '{sed}'))
    result = machine.run('aiida-crystalgen', 'check', path, check=False)
    assert result.returncode != 0
    assert 'stands for nothing' in result.stdout + result.stderr
    assert '{seed}' in result.stdout + result.stderr
