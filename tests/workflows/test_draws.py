"""What generators are told, in which units they draw, and in which order."""

import pytest

from aiida_crystalgen.schema import CampaignSpec


def campaign(*generators, **more):
    """Return a campaign with generators."""
    return CampaignSpec.model_validate({'version': 1, 'name': 'x', 'seed': 3, 'generators': list(generators), **more})


RANDOM = {'type': 'random', 'n': 10, 'parameters': {'composition': 'MgO'}}


def test_a_generator_is_told_the_conditions_in_its_own_words():
    """The space group of the campaign is a list of one for the random search."""
    from aiida_crystalgen.workflows.draws import told_generator

    spec = campaign(RANDOM, conditions={'space_group': 225})
    assert told_generator(spec, spec.generators[0]).parameters == {'composition': 'MgO', 'space_groups': [225]}


def test_what_could_not_be_told_is_kept_by_label():
    """It goes to the funnel."""
    from aiida_crystalgen.workflows.draws import not_told

    spec = campaign(RANDOM, {'type': 'wyckoff', 'n': 4}, conditions={'formation_energy': -1.0})
    assert not_told(spec) == {'random': ['formation_energy']}


@pytest.mark.parametrize(('n_crystals', 'size', 'unit'), [(100, 64, 50), (64, 64, 64), (10, 64, 10), (130, 64, 44)])
def test_units_are_even(n_crystals, size, unit):
    """A unit is drawn whole, so the last one should waste little."""
    from aiida_crystalgen.workflows.draws import draw_parameters

    spec = campaign({'type': 'mattergen', 'n': n_crystals, 'parameters': {'batch_size': size}})
    parameters, batch_size = draw_parameters(spec, spec.generators[0], n_crystals)
    assert parameters['batch_size'] == batch_size == unit


def test_a_generator_that_draws_one_by_one_keeps_its_parameters():
    """Only the seed comes to them."""
    from aiida_crystalgen.workflows.draws import draw_parameters

    spec = campaign(RANDOM)
    assert draw_parameters(spec, spec.generators[0], 10) == ({'composition': 'MgO', 'seed': 3}, None)


def test_the_schedule_has_a_window_and_knows_who_waits():
    """As many generators draw side by side as there are lanes."""
    from aiida_crystalgen.workflows.draws import schedule

    second = {'type': 'diffcsp_pp', 'n': 4, 'after': 'random'}
    assert schedule(campaign(RANDOM, second), 2) == {'window': 2, 'after': {'diffcsp_pp': 'random'}}
