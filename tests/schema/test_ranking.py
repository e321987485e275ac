"""Tests of what the part `ranking` asks of a campaign."""

import pytest
import yaml

from aiida_crystalgen.schema import CampaignSpec
from aiida_crystalgen.schema.checks import problems
from aiida_crystalgen.science import prototype

from .example import GOOD, REGISTRY


def problems_of(part, **changes):
    """Return the problems of a campaign with a part `ranking`, by place."""
    raw = {**yaml.safe_load(GOOD), **changes, 'ranking': part}
    criteria = {**REGISTRY['criterion'], 'prototype': prototype.ABOUT}
    return {problem.where: str(problem) for problem in problems(raw, {**REGISTRY, 'criterion': criteria})}


def test_a_campaign_without_a_ranking_is_what_it_was():
    """Nothing of a ranking enters a campaign that does not ask for one."""
    stated = CampaignSpec.model_validate(yaml.safe_load(GOOD)).normalised()
    assert 'ranking' not in stated
    assert 'prototype' not in [step['criterion'] for step in stated['postscreen']['steps']]


def test_a_good_ranking_is_stated_and_brings_the_criterion_it_needs():
    """Columns of the screen, of phonons and of the engine may be used, where the campaign has them."""
    part = {
        'objectives': {'e_hull': 'min', 'phonon_lowest_frequency': 'max'},
        'weights': {
            'e_hull': 2,
            'unique': 1,
            'phonon_verdict': {'weight': 1, 'unknown': 0.5},
            'chemical_system': {'values': {'Mg-O': 1.0}},
            'volume_per_atom_relaxed': {'best': 10.0, 'worst': 20.0, 'unknown': None},
        },
        'diversity': {'max_per_formula': 1, 'max_per_prototype': 2},
    }
    assert [where for where in problems_of(part, phonons={}) if where.startswith('ranking')] == []
    stated = CampaignSpec.model_validate({**yaml.safe_load(GOOD), 'phonons': {}, 'ranking': part}).normalised()
    assert stated['ranking']['weights']['volume_per_atom_relaxed'] == {'best': 10.0, 'worst': 20.0, 'unknown': None}
    assert [step['criterion'] for step in stated['postscreen']['steps']][-1] == 'prototype'


@pytest.mark.parametrize(
    ('part', 'where', 'text'),
    [
        ({}, 'ranking', 'nothing is asked for'),
        ({'objectives': {'e_hul': 'min'}}, 'ranking.objectives.e_hul', 'did you mean `e_hull`'),
        ({'objectives': {'e_hull': 'low'}}, 'ranking.objectives.e_hull', 'min, max'),
        ({'objectives': {'formula': 'min'}}, 'ranking.objectives.formula', 'no order'),
        ({'objectives': {'forces': 'min'}}, 'ranking.objectives.forces', 'many values'),
        ({'objectives': {'phonon_lowest_frequency': 'max'}}, 'ranking.objectives.phonon_lowest_frequency', '`phonons`'),
        ({'weights': {'dft_e_hull': 1}}, 'ranking.weights.dft_e_hull', 'add `verify`'),
        ({'weights': {'volume_per_atom_relaxed': 1}}, 'ranking.weights.volume_per_atom_relaxed', 'there is no default'),
        ({'weights': {'e_hull': {'best': 1.0}}}, 'ranking.weights.e_hull', '`best` and `worst`'),
        ({'weights': {'e_hull': -1}}, 'ranking.weights.e_hull', 'below the smallest'),
        ({'weights': {'formula': 1}}, 'ranking.weights.formula', 'is text'),
        ({'weights': {'e_hull': {'weigth': 1}}}, 'ranking.weights.e_hull.weigth', 'did you mean `weight`'),
        ({'diversity': {'max_per_formula': 0}}, 'ranking.diversity.max_per_formula', 'below the smallest'),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(part, where, text):
    """Each problem has its place and a remedy, before anything runs."""
    found = problems_of(part)
    assert where in found, found
    assert text in found[where]
