"""Files of torch that users bring: true ones give crystals, one that would run code is refused, and runs nothing."""

from __future__ import annotations

import textwrap

import pytest

from .machine import Machine

torch = pytest.importorskip('torch')
pytestmark = pytest.mark.campaign
CAMPAIGN = """
version: 1
name: torch-files
seed: 1
protocol: fast
generators:
  - type: files
    files: crystals
resources: {lanes: 1, processes: 1}
"""
PK = "print(json.dumps(orm.QueryBuilder().append(orm.WorkChainNode, project='id').first(flat=True)))"

EXIT = """
jobs = orm.QueryBuilder().append(orm.CalcJobNode, filters={'process_type': {'like': '%crystalgen.generate'}})
job = jobs.first(flat=True)
print(json.dumps([job.exit_status, job.exit_message]))
"""


class Calls:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture
def machine(tmp_path):
    """Return a machine with an AiiDA of its own."""
    machine = Machine(tmp_path / 'machine')
    machine.folder.mkdir()
    machine.crystalgen('init')
    yield machine
    machine.run('verdi', 'profile', 'delete', '--force', '--delete-data', 'crystalgen', check=False)


def tables(**more: object) -> dict:
    """Return a cube of copper in the layout of DiffCSP."""
    return {
        'frac_coords': torch.zeros(1, 3), 'num_atoms': torch.tensor([1]), 'atom_types': torch.tensor([29]),
        'lengths': torch.full((1, 3), 2.6), 'angles': torch.full((1, 3), 90.0), **more,
    }  # fmt: skip


def test_a_malicious_file_is_a_rejected_row(machine):
    """It is one row with a sentence, the true file beside it gives its crystal, and its code never runs."""
    folder = machine.folder / 'crystals'
    folder.mkdir()
    proof = machine.folder / 'proof'
    torch.save(tables(eval_setting=Calls(str(proof))), folder / 'bad.pt')
    torch.save(tables(), folder / 'good.pt')
    path = machine.folder / 'campaign.yaml'
    path.write_text(textwrap.dedent(CAMPAIGN).lstrip())
    output = machine.crystalgen('run', path)
    assert '1 unsafe' in output
    assert 'Cu' in output
    reasons = machine.crystalgen('rejected', machine.python(PK))
    assert 'io.open' in reasons
    assert 'not read' in reasons
    status, words = machine.python(EXIT)
    assert status == 503
    assert words.startswith('1 files would have run code')
    assert not proof.exists()
