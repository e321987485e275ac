"""Tests of the commands that show what a campaign found."""

import csv
import io
import json

import pytest

from tests.handmade import DRAW, make_campaign


def test_status_shows_stages(campaign, call):
    """Each stage has its crystals and jobs."""
    output = call('status', campaign.pk).output
    assert 'by hand' in output
    assert '7 of 7' in output


def test_status_without_pk_is_the_latest(campaign, call):
    """The latest campaign is meant where none is named."""
    assert f'Campaign {campaign.pk}' in call('status').output


def test_status_lists_all(campaign, call):
    """All campaigns are listed with their names."""
    assert f'{campaign.pk}' in call('status', '--all').output


def test_table_for_people(campaign, call):
    """The table has units in its headings and the best row first."""
    lines = call('table', campaign.pk).output.splitlines()
    assert 'E_hull [eV/atom]' in lines[0]
    assert lines[1].split()[:3] == ['1', f'{DRAW}-1', 'AlCu']


def test_csv_holds_no_trace_of_the_database(campaign, call):
    """Neither PK nor UUID nor time is in the CSV, and two calls give the same bytes."""
    text = call('table', campaign.pk, '--csv').output
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row['rank'] for row in rows] == ['1', '2', '3', '4']
    assert campaign.uuid not in text
    assert not {'pk', 'uuid', 'ctime', 'mtime', 'seconds'} & set(rows[0])
    assert call('table', campaign.pk, '--csv').output == text


def test_two_campaigns_of_equal_rows_have_equal_csv(campaign, call):
    """Another campaign in the same database with the same rows prints the same bytes."""
    other = make_campaign()
    assert call('table', other.pk, '--csv').output == call('table', campaign.pk, '--csv').output


def test_json_has_types(campaign, call):
    """JSON keeps numbers, truth and the unknown."""
    rows = json.loads(call('table', campaign.pk, '--json', '-c', 'rank,novel_known', '-n', 3).output)
    assert [list(row.values()) for row in rows] == [[1, True], [2, True], [3, None]]


def test_unknown_column_is_answered_with_all(campaign, call):
    """A column that does not exist is answered with those that do."""
    assert 'Choose among: rank, id' in call('table', campaign.pk, '-c', 'energie', code=1).output


def test_funnel_counts_both_ways(campaign, call):
    """The funnel shows reasons, and S.U.N. both ways with intervals."""
    output = call('funnel', campaign.pk).output
    assert '1 atoms_too_close' in output
    assert 'with untested ones as novel 4 of 8' in output


def test_rejected_by_stage(campaign, call):
    """Rejected crystals show stage, reason, value and limit."""
    output = call('rejected', campaign.pk, '--stage', 'prescreen').output
    assert '0.280' in output
    assert '0.500' in output
    assert 'no_placement' not in output


@pytest.mark.parametrize('what', [f'{DRAW}-6', '-6'])
def test_trace_of_a_rejected_crystal(campaign, call, what):
    """An id, or the end of it, leads from the seed to the reason, with the node of every step."""
    output = call('trace', what, '--campaign', campaign.pk).output
    assert 'rejected at prescreen: atoms_too_close, 0.28 against 0.5' in output
    assert 'seed 106' in output
    assert 'draw_random > draw > iteration_01' in output


def test_trace_of_a_kept_crystal_as_json(campaign, call):
    """The steps can be read by a program."""
    steps = json.loads(call('trace', f'{DRAW}-0', '--campaign', campaign.pk, '--json').output)
    assert steps[-1]['columns'] == {'rank': 2}
    assert all(isinstance(step['pk'], int) for step in steps)


def test_trace_of_a_pk(campaign, call):
    """The PK of a campaign stands for its best crystal."""
    assert f'{DRAW}-1' in call('trace', campaign.pk).output


@pytest.mark.parametrize('what', ['0000000000000000-3', '-99', '999999'])
def test_trace_of_nothing(campaign, call, what):
    """What does not exist is said in a sentence."""
    assert call('trace', what, code=1).output.startswith('Error: ')


def test_node_that_is_no_campaign(campaign, call):
    """A node of another kind is named."""
    output = call('table', campaign.outputs.table.pk, code=1).output
    assert 'is no campaign but of the kind StructureBatch' in output


def test_unfinished_campaign_has_no_table(call, aiida_profile):
    """A campaign under way says so."""
    node = make_campaign(finished=False)
    assert f'campaign {node.pk} has no table yet' in call('table', node.pk, code=1).output


def test_kill_of_an_ended_campaign(campaign, call):
    """What has ended cannot be killed."""
    assert 'has ended already' in call('kill', campaign.pk, code=1).output


def test_profile_without_campaigns(call, aiida_profile_clean):
    """An empty profile says what to do first."""
    assert 'no campaign has been run' in call('status', code=1).output
