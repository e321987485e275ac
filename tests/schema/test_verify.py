"""Tests of what the part `verify` asks of a campaign."""

import pytest
import yaml

from aiida_crystalgen.schema import CampaignSpec
from aiida_crystalgen.schema.checks import problems

from .example import GOOD, REGISTRY

ENGINES = {
    'qe': {'name': 'qe', 'codes': {'pw': 'pw.x of Quantum ESPRESSO'}, 'tasks': ['static', 'relax', 'vc-relax']},
    'still': {'name': 'still', 'codes': {}, 'tasks': ['static']},
}
QE = {'engine': 'qe', 'codes': {'pw': 'pw@localhost'}}


def problems_of(part, **changes):
    """Return the problems of a campaign with a part `verify`."""
    raw = {**yaml.safe_load(GOOD), **changes, 'verify': part}
    return [(problem.where, str(problem)) for problem in problems(raw, {**REGISTRY, 'engine': ENGINES})]


def test_an_engine_with_its_code_is_all_that_is_needed():
    """Protocol, tasks and window have defaults, which the campaign then states."""
    assert problems_of(QE) == []
    spec = CampaignSpec.model_validate({**yaml.safe_load(GOOD), 'verify': QE})
    stated = spec.normalised()['verify']
    assert (stated['protocol'], stated['tasks'], stated['max_concurrent']) == ('balanced', ['vc-relax', 'static'], 2)


def test_a_campaign_without_an_engine_is_what_it_was():
    """No default of an engine enters a campaign that does not ask for one."""
    assert 'verify' not in CampaignSpec.model_validate(yaml.safe_load(GOOD)).normalised()


@pytest.mark.parametrize(
    ('part', 'where', 'text'),
    [
        ({**QE, 'engine': 'qee'}, 'verify.engine', 'did you mean `qe`'),
        ({**QE, 'codes': {'pwx': 'pw@localhost'}}, 'verify.codes.pwx', 'did you mean `pw`'),
        ({**QE, 'codes': {}}, 'verify.codes.pw', 'pw.x of Quantum ESPRESSO'),
        ({**QE, 'codes': {'pw': 'pw'}}, 'verify.codes.pw', 'right form'),
        ({'engine': 'still', 'codes': {}, 'tasks': ['vc-relax']}, 'verify.tasks[0]', 'cannot do `vc-relax`'),
        ({**QE, 'tasks': ['vcrelax']}, 'verify.tasks[0]', 'did you mean `vc-relax`'),
        ({**QE, 'max_concurrent': 0}, 'verify.max_concurrent', 'below the smallest'),
        ({**QE, 'references': 'nowhere'}, 'verify.references', 'does not exist'),
        ({**QE, 'profile': 'gpu'}, 'verify.profile', 'no profile `gpu`'),
        ({**QE, 'pseudos': 'x'}, 'verify.pseudos', 'not known here'),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(part, where, text):
    """Each problem has its place and a remedy."""
    found = dict(problems_of(part))
    assert where in found, found
    assert text in found[where]


def test_an_engine_at_no_pressure_does_not_check_a_campaign_under_pressure():
    """Hulls at two pressures say nothing of each other."""
    potential = {'type': 'tiny', 'parameters': {'pressure': 5.0}}
    found = dict(problems_of(QE, potential=potential))
    assert 'relaxes at no pressure' in found['potential.parameters.pressure']
