"""Phonons of a real campaign through the command line: the short list is judged, every row stays."""

import csv
import io

import pytest

from .conftest import write_campaign

PHONONS = """
screen:
  shortlist: 2
phonons:
  parameters: {min_length: 5.0, mesh_length: 20.0}
"""
CALLED = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
query = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'asc'}})
called = [sorted(root.called, key=lambda node: node.pk) for root in query.all(flat=True)]
print(json.dumps([[node.process_label for node in nodes] for nodes in called]))
"""


@pytest.mark.campaign
def test_phonons_of_the_short_list(new_machine):
    """Two rows get a verdict and the others an unknown one; without the section the same processes run as before."""
    machine = new_machine()
    path = write_campaign(machine.folder, n=6, e_hull=5.0)
    machine.crystalgen('run', path)
    before = list(csv.DictReader(io.StringIO(machine.crystalgen('table', '--csv'))))
    path.write_text(path.read_text() + PHONONS)
    machine.crystalgen('run', path)
    after = list(csv.DictReader(io.StringIO(machine.crystalgen('table', '--csv'))))
    assert [row['id'] for row in after] == [row['id'] for row in before]
    assert [bool(row['phonon_verdict']) for row in after] == [True, True, *[False] * (len(after) - 2)]
    assert {row['phonon_verdict'] for row in after[:2]} <= {'stable', 'unstable', 'inconclusive'}
    assert 'phonon_verdict' not in before[0]
    assert 'phonon_reason' in machine.crystalgen('trace', after[0]['id'])
    plain, phonons = machine.python(CALLED)
    assert [label for label in phonons if label not in plain] == ['choose_shortlisted', 'PhononWorkChain', 'widen']
    assert [label for label in phonons if label in plain] == plain
