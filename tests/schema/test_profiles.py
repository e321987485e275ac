"""Tests of profiles: options of jobs that are written once."""

import yaml

from aiida_crystalgen.schema.checks import problems
from aiida_crystalgen.schema.profiles import ProfileSpec, gpu_lines

from .example import GOOD, REGISTRY


def problems_of(profiles, name):
    """Return what is wrong with a campaign whose potential names a profile."""
    raw = {**yaml.safe_load(GOOD), 'profiles': profiles}
    raw['potential'] = {**raw['potential'], 'profile': name}
    return [(problem.where, str(problem)) for problem in problems(raw, REGISTRY)]


def test_a_profile_that_is_named_has_to_be_there():
    """The nearest name is offered."""
    assert problems_of({'gpu': {'gpus': 1}}, 'gpu') == []
    ((where, text),) = problems_of({'gpu': {'gpus': 1}}, 'gpus')
    assert where == 'potential.profile'
    assert '`gpu`' in text


def test_a_campaign_without_profiles_says_where_they_go():
    """The remedy is a line to add."""
    ((_, text),) = problems_of({}, 'gpu')
    assert 'profiles: {gpu: {...}}' in text


def test_slurm_is_asked_for_gpus_in_the_way_of_the_site():
    """Sites differ in which of the three they take."""
    assert gpu_lines(ProfileSpec(gpus=2), 'core.slurm') == '#SBATCH --gres=gpu:2'
    assert gpu_lines(ProfileSpec(gpus=2, gpu_request='gpus'), 'core.slurm') == '#SBATCH --gpus=2'


def test_a_scheduler_that_is_not_known_is_not_guessed_at():
    """Unknown is None, and no scheduler needs no line."""
    assert gpu_lines(ProfileSpec(gpus=1), 'core.lsf') is None
    assert gpu_lines(ProfileSpec(gpus=1), 'core.direct') == ''
    assert gpu_lines(ProfileSpec(), 'core.lsf') == ''
