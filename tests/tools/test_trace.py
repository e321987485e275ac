"""Tests of the way of one crystal."""

import pytest

from aiida_crystalgen.tools.progress import progress_of
from aiida_crystalgen.tools.trace import ids_like, trace
from tests.handmade import DRAW, make_campaign
from tests.handmade_dft import make_verified


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a finished campaign."""
    return make_campaign()


def test_kept_crystal_is_followed_to_its_rank(campaign):
    """A kept crystal passes every process that made a batch with it."""
    steps = trace(f'{DRAW}-1', campaign)
    assert [step.process_label for step in steps] == [
        'plan', 'GenerateCalculation', 'AnalyseCalculation', 'RelaxCalculation', 'filter_rows', 'rank'
    ]  # fmt: skip
    assert [step.verdict for step in steps] == ['requested'] + 5 * ['kept']
    assert steps[-1].columns == {'rank': 1}


def test_new_columns_are_told_once(campaign):
    """A step shows the values that it added, and whether it moved the atoms."""
    steps = {step.process_label: step for step in trace(f'{DRAW}-1', campaign)}
    assert steps['GenerateCalculation'].columns == {'generator': 'random', 'seed': 101}
    assert steps['AnalyseCalculation'].columns == {'valid_generated': True}
    assert steps['RelaxCalculation'].moved
    assert not steps['AnalyseCalculation'].moved
    assert steps['filter_rows'].is_bookkeeping


@pytest.mark.parametrize(
    ('index', 'stage', 'last'),
    [(7, 'generate', 'GenerateCalculation'), (6, 'prescreen', 'AnalyseCalculation'), (4, 'filter', 'filter_rows')],
)
def test_rejected_crystal_ends_where_it_was_rejected(campaign, index, stage, last):
    """A rejected crystal is followed to the step that rejected it, whichever stage that is."""
    step = trace(f'{DRAW}-{index}', campaign)[-1]
    assert (step.verdict, step.output, step.process_label) == ('rejected', 'rejected', last)
    assert step.columns['rejected_stage'] == stage


def test_every_row_can_be_traced(campaign):
    """All that were requested have a way, and each ends in the table or with a reason."""
    ends = [trace(f'{DRAW}-{index}', campaign)[-1] for index in range(8)]
    assert [end.verdict for end in ends] == ['kept'] * 4 + ['rejected'] * 4


def test_campaign_is_found_by_the_draw(campaign):
    """Without a campaign the latest one that holds the draw is taken."""
    assert trace(f'{DRAW}-1')[-1].columns == {'rank': 1}


def test_unknown_id_has_no_way(campaign):
    """A crystal that does not exist has no steps."""
    assert trace('0000000000000000-1') == []


def test_ids_like_finds_the_end_of_an_id(campaign):
    """The results are searched for a part of an id."""
    assert ids_like('-3', campaign) == [f'{DRAW}-3']


def test_progress_counts_crystals_by_stage(campaign):
    """Each stage tells what it was given and what came back."""
    stages = {stage.stage: stage for stage in progress_of(campaign)}
    assert list(stages) == ['generate', 'prescreen', 'relax', 'rank']
    assert (stages['generate'].n_done, stages['generate'].n_all, stages['generate'].state) == (8, 8, 'done')
    assert (stages['prescreen'].n_done, stages['prescreen'].n_all) == (7, 7)


def test_processes_of_an_engine_are_steps(aiida_profile):
    """The computation of a crystal and its jobs stand between the rank and the columns that came of them."""
    campaign = make_verified()
    steps = trace(f'{DRAW}-1', campaign)
    assert [step.process_label for step in steps[-4:]] == [
        'rank', 'VerifyWorkChain', 'PwCalculation', 'judge_verified',
    ]  # fmt: skip
    assert [step.verdict for step in steps[-4:]] == ['kept', 'computed', 'computed', 'kept']
    assert steps[-1].columns['dft_status'] == 'finished'
    failed = [step for step in trace(f'{DRAW}-0', campaign) if step.is_of_engine]
    assert [(step.verdict, step.exit_status) for step in failed] == [('failed', 403)] * 2
    assert 'did not converge' in failed[0].columns['said']
    assert not any(step.is_bookkeeping for step in failed)


def test_crystals_of_an_engine_are_a_stage(aiida_profile):
    """The stage counts crystals that were promoted, and those that are done."""
    (stage,) = [one for one in progress_of(make_verified()) if one.stage == 'verify']
    assert (stage.n_done, stage.n_all, stage.state) == (2, 2, 'done')
