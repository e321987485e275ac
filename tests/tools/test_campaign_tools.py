"""Tests of `node.tools` of a campaign."""

import pytest
from aiida import orm

from tests.handmade import DRAW, make_campaign


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a finished campaign."""
    return make_campaign()


def test_node_has_tools(campaign):
    """AiiDA finds the class by the entry point of the workflow."""
    assert type(orm.load_node(campaign.pk).tools).__name__ == 'CampaignTools'


def test_table_is_ranked(campaign):
    """Rows come from the best rank on, with the chosen columns in their order."""
    rows = campaign.tools.table(columns=['rank', 'formula', 'e_hull'], limit=2)
    assert rows == [{'rank': 1, 'formula': 'AlCu', 'e_hull': 0.0}, {'rank': 2, 'formula': 'Al3Cu', 'e_hull': 0.02}]


def test_rejected_has_reasons(campaign):
    """Every rejected row says where, why and by how much."""
    row = next(row for row in campaign.tools.rejected() if row['id'] == f'{DRAW}-6')
    assert (row['rejected_stage'], row['rejected_value'], row['rejected_threshold']) == ('prescreen', 0.28, 0.5)


def test_funnel_is_typed(campaign):
    """The funnel comes back as values with names."""
    funnel = campaign.tools.funnel()
    assert (funnel.requested, funnel.kept, funnel.stages[2].evaluations) == (8, 4, 240)
    assert (funnel.sun[1].tested.count, funnel.sun[1].untested_novel.count) == (3, 4)
    assert [entry.is_one_number for entry in funnel.sun] == [True, False]


def test_candidates_are_structures(campaign):
    """Candidates are pymatgen structures by id, the best first."""
    candidates = campaign.tools.candidates(limit=2)
    assert list(candidates) == [f'{DRAW}-1', f'{DRAW}-0']
    assert candidates[f'{DRAW}-1'].composition.reduced_formula == 'AlCu'


def test_sources_are_read_from_bundles(campaign):
    """References come from what the jobs were given, with the versions that ran."""
    sources = {source.name: source for source in campaign.tools.sources()}
    assert sources['random'].citation == ('A. Author, A Journal 1, 2 (2020)',)
    assert sources['random'].versions == {'pyxtal': '1.1.5'}
    assert sources['textbook'].licence == 'CC0-1.0'


def test_unfinished_campaign_says_so(aiida_profile):
    """A missing result is a sentence, not an attribute error."""
    with pytest.raises(ValueError, match='has no table: it is waiting'):
        make_campaign(finished=False).tools.table()
