"""Tests of the command that compares what generators made."""

import importlib.util
import json
import math

import pytest

from tests.handmade import DRAW, make_campaign, make_reference
from tests.tools.test_generated import returned_draws

HAS_MATMINER = importlib.util.find_spec('matminer') is not None


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a finished campaign of 8 requested crystals."""
    node = make_campaign()
    returned_draws(node)
    make_reference().store()
    return node


def test_table_for_people(campaign, call):
    """Metrics have counts, intervals and the nodes that were read."""
    output = call('metrics', campaign.pk).output
    assert 'valid (ours)' in output
    assert '6   8  75.00%  40.93% to 92.85%' in output
    assert f'node {campaign.pk} (drawn' in output
    assert 'as generated' in output
    assert 'without `--reference` there is no coverage' in output


def test_unknown_is_a_dash(campaign, call):
    """What was not judged is neither 0 nor left out."""
    line = next(line for line in call('metrics', campaign.pk).output.splitlines() if line.startswith('unique '))
    assert line.split()[1:] == ['random', '-', '8', '-', '-', '-', '-']


def test_two_campaigns_are_warned_of(campaign, call):
    """Few crystals are not enough to rank generators; equal names are told apart by their nodes."""
    other = make_campaign()
    returned_draws(other)
    output = call('metrics', campaign.pk, other.pk).output
    assert 'fewer than 10,000 crystals (random 8, random 8)' in output
    assert f'random ({campaign.pk})' in output
    assert f'random ({other.pk})' in output


def test_same_node_twice_is_one(campaign, call):
    """A node that is named twice is compared once."""
    assert call('metrics', campaign.pk, campaign.pk, '--json').output == call('metrics', campaign.pk, '--json').output


def test_json_can_be_read(campaign, call):
    """A program gets counts, rates, distances and warnings; unknown is null."""
    found = json.loads(call('metrics', campaign.pk, '--reference', 'set:textbook', '--limit', 0, '--json').output)
    (generator,) = found['generators']
    assert generator['requested'] == 8
    assert generator['shares']['valid']['rate'] == 0.75
    assert generator['shares']['unique']['rate'] is None
    assert math.isfinite(generator['distances']['density']['value'])
    assert found['reference']['name'] == 'textbook'
    assert found['warnings'] == []


def test_reference_from_a_file_is_not_stored(campaign, call, tmp_path):
    """Known crystals of a file are compared with, and leave no node behind."""
    from aiida import orm
    from pymatgen.core import Lattice, Structure

    from aiida_crystalgen.data.reference import ReferenceSet

    Structure(Lattice.cubic(3.6), ['Cu'], [[0, 0, 0]]).to(str(tmp_path / 'Cu.cif'))
    before = orm.QueryBuilder().append(ReferenceSet).count()
    output = call('metrics', campaign.pk, '--reference', tmp_path, '--limit', 0).output
    assert 'read from a file, not stored' in output
    assert orm.QueryBuilder().append(ReferenceSet).count() == before


@pytest.mark.skipif(HAS_MATMINER, reason='matminer is installed')
def test_without_matminer_the_rest_is_shown(campaign, call):
    """Coverage is left out with one sentence; distances need no matminer."""
    output = call('metrics', campaign.pk, '--reference', 'set:textbook').output
    assert "pip install 'aiida-crystalgen[metrics]'" in output
    assert 'coverage' not in output.partition('Warning')[0]
    assert 'density, distance' in output


@pytest.mark.skipif(not HAS_MATMINER, reason='the extra `metrics` (matminer) is not installed')
def test_coverage_counts_all_requested(campaign, call):
    """Precision is a share of what was requested, recall one of the known crystals: only AlCu is on both sides."""
    found = json.loads(call('metrics', campaign.pk, '--reference', 'set:textbook', '--json').output)
    shares = found['generators'][0]['shares']
    covered = {name: (shares[name]['count'], shares[name]['n']) for name in ('coverage_precision', 'coverage_recall')}
    assert covered == {'coverage_precision': (3, 8), 'coverage_recall': (1, 3)}


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['999999'], 'holds no node'),
        (['--reference', 'set:none'], 'there is no reference set `set:none`'),
        (['--reference', 'nowhere.csv'], 'there is no file or folder'),
        ([], 'Missing argument'),
    ],
)
def test_bad_input_is_a_sentence(campaign, call, arguments, sentence):
    """What is wrong is said, and how to mend it."""
    nodes = [campaign.pk] if '--reference' in arguments else []
    code = 2 if not arguments else 1
    assert sentence in ' '.join(call('metrics', *nodes, *arguments, code=code).output.split())


def test_node_without_crystals_is_a_sentence(campaign, call):
    """A node of another kind is named."""
    assert 'is of the kind Dict' in call('metrics', campaign.outputs.funnel.pk, code=1).output


def test_drawn_batch_counts_what_was_requested(campaign, call):
    """A batch of the graph is compared like the campaign that it is from."""
    draw = next(node for node in campaign.called if node.process_label == 'GenerateWorkChain')
    found = json.loads(call('metrics', draw.outputs.batch.pk, '--json').output)
    assert found['generators'][0]['requested'] == 8
    assert DRAW not in json.dumps(found)
