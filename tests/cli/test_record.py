"""Tests of `record`: attempts in the laboratory."""

import pytest
from aiida import orm

from tests.handmade import DRAW


def test_attempts_are_linked_and_counted(campaign, call, tmp_path):
    """Each is a node made from the table; a crystal that was made once counts as made, however often it failed."""
    pattern = tmp_path / 'scan.xy'
    pattern.write_text('10.0 5\n')
    notes = tmp_path / 'notes.txt'
    notes.write_text('900 C in air')
    assert 'No attempt' in call('record', '--list').output
    call('record', f'{DRAW}-1', '--failed', '--conditions', notes)
    output = call('record', f'{DRAW}-1', '--made', '--conditions', '1100 C', '--pattern', pattern).output
    call('record', f'{DRAW}-3', '--failed')
    node = orm.load_node(int(output.split('node ')[1].split(':')[0]))
    assert node.creator.inputs.table.pk == campaign.outputs.table.pk
    assert node.creator.inputs.pattern.get_content() == '10.0 5\n'
    assert (node['made'], node['pattern'], node['predicted']['e_hull']) == (True, 'scan.xy', 0.0)
    listed = call('record', '--list').output
    rows = [line.split() for line in listed.splitlines()]
    assert ['tried', '2', '1'] in rows
    assert ['e_hull', 'at', 'most', '0.05', 'eV/atom', '1', '1'] in rows
    assert '900 C in air' in listed
    assert f'{DRAW}-3' not in call('record', f'{DRAW}-1', '--list').output


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ((), 'needs a crystal and an outcome'),
        ((f'{DRAW}-1',), '`--failed`'),
        ((f'{DRAW}-77', '--made'), 'no ranked table holds'),
    ],
)
def test_wrong_attempts_are_one_sentence(campaign, call, arguments, text):
    """Nothing is stored for a crystal or an outcome that is not there."""
    assert text in call('record', *arguments, code=1).output
