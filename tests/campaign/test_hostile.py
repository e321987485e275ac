"""Hostile inputs: none stops a batch, each ends as a row with a reason."""

import json
from collections import Counter
from pathlib import Path

import pytest

from . import hostile

CAMPAIGN = """
version: 1
name: hostile
seed: 1
protocol: fast
generators:
  - type: files
    files: crystals
potential:
  type: ase
  parameters:
    factory: hostile:make_calculator
filters:
  e_hull: null
"""


@pytest.fixture(scope='module')
def outcome(new_machine):
    """Send the hostile crystals through a campaign; return reasons by file and what is left."""
    machine = new_machine()
    machine.environment['PYTHONPATH'] = str(Path(hostile.__file__).parent)
    n_hostile = hostile.write(machine.folder / 'crystals')
    (machine.folder / 'campaign.yaml').write_text(CAMPAIGN)
    machine.crystalgen('run', machine.folder / 'campaign.yaml', timeout=1800)
    rows = machine.python("""
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain).first(flat=True)
rows = []
for output in ('table', 'rejected'):
    for row in root.outputs[output].crystals.rows():
        names = ('source_file', 'rejected_reason', 'rejected_detail')
        rows.append([output, *(row['columns'].get(name) for name in names)])
print(json.dumps(rows))
""")
    return n_hostile, rows, machine


@pytest.mark.campaign
def test_every_input_ends_as_a_row(outcome):
    """Two hundred hostile files and three good ones give as many rows at least; the campaign finishes."""
    n_hostile, rows, _ = outcome
    assert n_hostile == hostile.N_INPUTS
    files = {
        source.split('/')[0] + '/' + source.split('/')[1] if source.startswith('set') else source
        for _, source, _, _ in rows
        if source
    }
    assert len(files) == n_hostile + 3


@pytest.mark.campaign
def test_every_rejected_row_says_why(outcome):
    """Each rejected row has a reason of one word and a sentence."""
    _, rows, _ = outcome
    rejected = [(reason, detail) for output, _, reason, detail in rows if output == 'rejected']
    print(json.dumps(Counter(reason for reason, _ in rejected), indent=1))
    assert all(reason and detail for reason, detail in rejected)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ('name', 'reasons'),
    [
        ('nan.extxyz', {'non_finite'}),
        ('zero_volume.extxyz', {'zero_volume'}),
        ('self_image.extxyz', {'self_image_overlap', 'self_image_too_close', 'atoms_overlap'}),
        ('partial.cif', {'partial_occupancy'}),
        ('dummy.cif', {'unknown_element'}),
        ('broken.zip', {'unreadable'}),
        ('empty.cif', {'unreadable'}),
        ('outside.zip', {'unsafe_path'}),
    ],
)
def test_planted_bad_crystals_get_the_right_reason(outcome, name, reasons):
    """What was planted is rejected for what is wrong with it."""
    _, rows, _ = outcome
    found = {reason for _, source, reason, _ in rows if source and name in source}
    assert found
    assert found <= reasons


@pytest.mark.campaign
def test_row_that_kills_the_tool_costs_only_itself(outcome):
    """The crystal of seven atoms is rejected as `killed_process`; the good ones are in the table."""
    _, rows, machine = outcome
    reasons = {source: reason for _, source, reason, _ in rows if source}
    assert reasons['set00/killer.extxyz'] == 'killed_process'
    kept = [source for output, source, _, _ in rows if output == 'table']
    assert any(source.startswith('good') for source in kept)
    assert not list(machine.folder.parent.rglob('outside_*.cif'))
