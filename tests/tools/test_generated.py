"""Tests of what is read of a campaign for the benchmark table: rows, groups, levels."""

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.benchmark import ENOUGH, Known, chosen, evaluate, warnings_of
from aiida_crystalgen.tools.generated import Generated, NothingGeneratedError, generated_by
from tests.handmade import DRAW, METAS, al_cu, make_campaign, relaxed_rows


def returned_draws(campaign):
    """Let the draw of a campaign made by hand return its rows, as a real one does, and return it."""
    draw = next(node for node in campaign.called if node.process_label == 'GenerateWorkChain')
    job = next(node for node in campaign.called_descendants if node.process_label == 'GenerateCalculation')
    for label in ('batch', 'rejected'):
        job.outputs[label].base.links.add_incoming(draw, LinkType.RETURN, label)
    return draw


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a finished campaign of 8 requested crystals, one of which was not drawn."""
    node = make_campaign()
    returned_draws(node)
    return node


def row(name: str, **columns):
    """Return a row with nothing but columns."""
    return {'id': name, 'numbers': [29], 'columns': columns}


def groups(*rows):
    """Return the representative of each row."""
    return Generated('g', 1, rows, {entry['id']: entry for entry in rows}).representatives()


def test_campaign_gives_all_that_was_requested(campaign):
    """Rows that were never drawn count; geometry is as generated, columns are those of the screen."""
    (found,) = generated_by(campaign)
    assert (found.label, len(found.rows)) == ('random', 8)
    assert found.level == 'EMT of the tests'
    assert len(found.rows[7]['numbers']) == 0
    assert found.rows[0]['columns']['e_hull'] == 0.02
    assert found.rows[0]['cell'][0][0] == 4.0


def test_table_counts_failures(campaign):
    """Shares are of the 8 requested: the row without atoms and the one that is too dense have failed."""
    (found,) = generated_by(campaign)
    result = evaluate(found)
    assert (result.shares['valid'].count, result.shares['valid'].n) == (6, 8)
    assert result.shares['structure_cdvae'].count == 6
    assert result.shares['composition_cdvae'].count == 7
    assert result.shares['unique'].rate is None
    assert result.distances['density'].value is None


def test_distances_to_known_crystals(campaign):
    """With known crystals there are distances; those that are no crystals are left out of them."""
    (found,) = generated_by(campaign)
    known = Known.from_rows([al_cu(0, 2), {**al_cu(1, 2), 'numbers': [], 'positions': []}])
    assert len(known.crystals) == 1
    result = evaluate(found, known)
    assert result.distances['n_elements'].value == 0
    assert result.distances['density'].value > 0


def test_batch_brings_the_rows_that_its_maker_rejected(campaign):
    """A drawn batch counts what was requested, not only what it holds."""
    draw = next(node for node in campaign.called if node.process_label == 'GenerateWorkChain')
    (found,) = generated_by(draw.outputs.batch)
    assert len(found.rows) == 8
    assert not found.notes


def test_loose_batch_counts_itself_and_says_so(aiida_profile):
    """Nothing is known of what a batch without a maker lost."""
    batch = StructureBatch(Crystals.from_rows(relaxed_rows(), METAS)).store()
    (found,) = generated_by(batch)
    assert len(found.rows) == 6
    assert 'counts only its own 6 rows' in found.notes[0]


def test_campaign_without_a_table_has_no_columns_of_it(aiida_profile):
    """A campaign under way is counted as far as it is drawn."""
    node = make_campaign(finished=False)
    returned_draws(node)
    (found,) = generated_by(node)
    assert len(found.rows) == 8
    assert 'has no table' in found.notes[0]


@pytest.mark.parametrize('kind', ['dict', 'campaign'])
def test_nodes_without_generated_crystals_are_refused(aiida_profile, kind):
    """A node of another kind, and a campaign whose draws are not there, are sentences."""
    node = orm.Dict({}).store() if kind == 'dict' else make_campaign()
    with pytest.raises(NothingGeneratedError, match=r'name a campaign|has drawn no crystals'):
        generated_by(node)


def test_groups_follow_copies_to_the_one_that_is_kept():
    """A copy found before relaxation belongs to the group that its original is in afterwards."""
    found = groups(
        row('a', unique=True),
        row('b', unique=False, duplicate_of='a'),
        row('c', unique_generated=False, duplicate_of_generated='b'),
    )
    assert found == ['a', 'a', 'a']


def test_group_of_what_failed_is_unknown():
    """Neither a row that failed before nor its copies are in a group."""
    assert groups(row('a'), row('b', duplicate_of_generated='a'), row('c', duplicate_of_generated='z')) == [None] * 3


def test_circle_of_copies_ends():
    """Columns that contradict each other do not hang the command."""
    assert groups(row('a', duplicate_of='b'), row('b', duplicate_of='a')) == [None, None]


def test_generators_of_a_campaign_are_told_apart(aiida_profile):
    """The column `generator` splits the rows; a group may be represented by a crystal of another generator."""
    rows = relaxed_rows()
    for index, entry in enumerate(rows):
        entry['columns'] = {'generator': 'b' if index % 2 else 'a'}
    batch = StructureBatch(Crystals.from_rows(rows, {'generator': METAS['generator']})).store()
    found = generated_by(batch)
    assert [(part.label, len(part.rows)) for part in found] == [('a', 3), ('b', 3)]
    assert found[0].row_of(f'{DRAW}-1') is not None


def test_comparison_of_few_crystals_is_warned_of():
    """Two generators of fewer than 10,000 crystals are not to be ranked; one alone is no comparison."""
    part = Generated('g', 1, [row('a')], {})
    result = evaluate(Generated('g', 1, [], {}))
    assert warnings_of([result]) == []
    assert f'{ENOUGH:,}' in warnings_of([result, result])[0]
    assert len(part.rows) < ENOUGH


def test_choice_of_crystals_is_the_same_every_time():
    """The crystals whose fingerprints are computed are drawn without repetition, with a fixed seed."""
    assert chosen(5, 10) == [0, 1, 2, 3, 4]
    assert chosen(100, 10) == chosen(100, 10)
    assert len(set(chosen(100, 10))) == 10
