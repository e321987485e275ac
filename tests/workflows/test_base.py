"""The restart WorkChain: chunks, deaths, rows that kill, and what is never computed twice."""

from collections import Counter

import pytest
from aiida.engine import run_get_node

from aiida_crystalgen.data.invariant import check_stage


def indices(batch):
    """Return the indices of the rows of a batch."""
    return [int(name.rpartition('-')[2]) for name in batch.ids]


def jobs(node):
    """Return the CalcJobs below a WorkChain, oldest first."""
    return sorted((n for n in node.called_descendants if n.process_label == 'GenerateCalculation'), key=lambda n: n.pk)


def test_lanes_and_chunks_give_every_row_once(toy_builder):
    """Neither lanes nor chunks lose, double or change a row."""
    one, _ = run_get_node(toy_builder(n_crystals=10))
    many, node = run_get_node(toy_builder(n_crystals=10, n_lanes=2, chunk_size=2))
    assert len(jobs(node)) == 6
    assert many['batch'].crystals.equals(one['batch'].crystals)


def test_the_seed_of_the_plan_is_the_seed_of_the_draw(toy_builder):
    """What the table tells as the seed of a row is what its generator was given."""
    results, _ = run_get_node(toy_builder(n_crystals=3))
    crystals = results['batch'].crystals
    assert crystals.values('edge') == [2.0 + seed / 2**32 for seed in crystals.values('seed')]


def test_rejected_rows_are_kept_with_their_reason(toy_builder):
    """A row that a tool rejects ends in `rejected`; the stage, the reason and the value are columns."""
    results, node = run_get_node(toy_builder(rejects=[1, 4]))
    request = next(n for n in node.called if n.process_label == 'plan').outputs.result
    rejected = results['rejected'].crystals
    assert indices(results['rejected']) == [1, 4]
    assert rejected.values('rejected_reason') == ['unwanted', 'unwanted']
    assert rejected.values('rejected_stage') == ['generate', 'generate']
    assert rejected.values('rejected_value') == [1.0, 1.0]
    assert check_stage(request.crystals, results['batch'].crystals, rejected) is None


def test_killed_job_repeats_only_what_is_missing(toy_builder, ledger):
    """After `kill -9` of the job its finished rows are kept, and only the others are computed again."""
    builder = toy_builder(kills_job_once=3)
    builder.job.runtime = {'processes': 1}
    results, node = run_get_node(builder)
    assert [job.exit_status for job in jobs(node)] == [403, 0]
    assert indices(results['batch']) == [0, 1, 2, 3, 4, 5]
    assert sorted(Counter(ledger()).values()) == [1, 1, 1, 1, 1, 2]


def test_row_that_kills_the_job_twice_is_rejected(toy_builder):
    """The row that is in flight at two deaths of the job is rejected; its neighbours survive."""
    results, _ = run_get_node(toy_builder(kills_job=[2]))
    assert results['rejected'].crystals.values('rejected_reason') == ['killed_process']
    assert indices(results['rejected']) == [2]
    assert indices(results['batch']) == [0, 1, 3, 4, 5]


def test_other_version_is_refused_with_a_sentence(toy_builder):
    """A tool that is not the one that was planned with stops the chain, and the message names both versions."""
    _, node = run_get_node(toy_builder(versions={'toy': '2'}))
    assert node.exit_status == 320
    assert 'toy is 1 here but was 2' in node.exit_message


def test_every_row_rejected_is_an_answer(toy_builder):
    """A batch of which nothing is left is empty, not missing."""
    results, node = run_get_node(toy_builder(n_crystals=2, rejects=[0, 1]))
    assert node.is_finished_ok
    assert indices(results['batch']) == []
    assert indices(results['rejected']) == [0, 1]


@pytest.mark.parametrize(
    ('status', 'label'),
    [
        ('untrained_condition', 'ERROR_UNTRAINED_CONDITION'),
        ('wrong_steps', 'ERROR_WRONG_STEPS'),
        ('guidance_ignored', 'ERROR_GUIDANCE_IGNORED'),
        ('unfit_model', 'ERROR_UNFIT_MODEL'),
        ('wrong_parameters', 'ERROR_WRONG_PARAMETERS'),
        ('a_word_of_its_own', 'ERROR_ADAPTER_FAILED'),
    ],
)
def test_what_dooms_a_tool_has_an_exit_code_of_its_own(toy_builder, status, label):
    """The job ends at once with the code of the status and the sentence of the tool; it is not tried again."""
    from aiida_crystalgen.calculations.generate import GenerateCalculation

    node = run_get_node(toy_builder(refuses=status)).node
    assert not node.is_finished_ok
    (job,) = jobs(node)
    assert job.exit_status == GenerateCalculation.exit_codes[label].status
    assert 'it cannot be done' in job.exit_message


@pytest.mark.parametrize(
    ('reason', 'label'),
    [
        ('appended_again', 'ERROR_REPEATED_OUTPUT'),
        ('partial_output', 'ERROR_PARTIAL_OUTPUT'),
        ('too_few', 'ERROR_TOO_FEW'),
        ('untrained_condition', 'ERROR_READ_UNTRAINED_CONDITION'),
        ('wrong_steps', 'ERROR_READ_WRONG_STEPS'),
        ('guidance_ignored', 'ERROR_READ_GUIDANCE_IGNORED'),
    ],
)
def test_outputs_that_fall_short_are_told_and_used(toy_builder, reason, label):
    """The job says what was wrong and how often, and the draw goes on with the rest."""
    from aiida_crystalgen.calculations.generate import GenerateCalculation

    node = run_get_node(toy_builder(rejects=[1, 2], reason=reason)).node
    assert node.is_finished_ok
    assert len(node.outputs.batch.crystals) == 4
    (job,) = jobs(node)
    assert job.exit_status == GenerateCalculation.exit_codes[label].status
    assert '2' in job.exit_message


def test_a_unit_of_many_crystals_has_one_seed(toy_builder):
    """The parameter that the adapter names says how many crystals share a seed."""
    node = run_get_node(toy_builder(batch_size=3)).node
    seeds = node.outputs.batch.crystals.values('seed')
    assert len(set(seeds)) == 2
    assert seeds[:3] == [seeds[0]] * 3
