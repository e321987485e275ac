"""The section `phonons` of a campaign: what it adds, and what is said before anything runs."""

from __future__ import annotations

import pytest

from aiida_crystalgen.bundles import about, phonons_about, registry, shared_about
from aiida_crystalgen.schema import CampaignSpec, problems
from aiida_crystalgen.schema.phonons import phonon_parameters
from aiida_crystalgen.schema.protocols import protocol_inputs

PLAIN = {
    'version': 1,
    'name': 'silicon',
    'seed': 1,
    'generators': [{'type': 'random', 'n': 4, 'parameters': {'chemical_system': 'Cu'}}],
    'potential': {'type': 'emt'},
}


def said(**changes):
    """Return what is wrong with a campaign."""
    return [str(problem) for problem in problems({**PLAIN, **changes}, registry())]


def test_without_the_section_nothing_changes():
    """The normalised campaign, which is an input of the provenance graph, holds no phonons."""
    assert 'phonons' not in CampaignSpec.model_validate(PLAIN).normalised()


def test_with_the_section_every_number_is_written_down():
    """Numbers of the protocol and of the file stand together in the normalised campaign."""
    spec = CampaignSpec.model_validate({**PLAIN, 'phonons': {'parameters': {'min_length': 12.0}}})
    parameters = spec.normalised()['phonons']['parameters']
    assert parameters['min_length'] == 12.0
    assert parameters['stable_above'] == protocol_inputs()['phonons']['stable_above'] == -0.1


def test_protocol_and_job_know_the_same_numbers():
    """Every number of the protocol is a parameter of the job or of its relaxation, in every protocol."""
    known = {**phonons_about()['parameters'], **shared_about('relaxation')['parameters'], 'precision': {}}
    for name in ('fast', 'balanced', 'stringent'):
        assert set(protocol_inputs(name)['phonons']) <= set(known)


def test_a_right_section_is_accepted():
    """With a potential, and with parameters of the phonons and of the potential."""
    assert said(phonons={}) == []
    assert said(phonons={'parameters': {'displacements': [0.02], 'temperatures': [0, 300], 'optimizer': 'fire'}}) == []


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'phonons': None}, 'write `phonons: {}` for the numbers of the protocol'),
        ({'phonons': {}, 'potential': None}, 'nothing computes the forces; add `potential`'),
        ({'phonons': {'parameters': {'min_lenght': 9.0}}}, 'did you mean `min_length`?'),
        ({'phonons': {'parameters': {'min_length': 1.0}}}, 'below the smallest allowed, 3.0 A'),
        ({'phonons': {'parameters': {'displacements': []}}}, 'the list is empty; give one displacement'),
        ({'phonons': {'parameters': {'temperatures': ['hot']}}}, 'this holds something that is no number'),
        ({'phonons': {'parameters': {'unstable_below': -0.05}}}, '`unstable_below` (-0.05 THz) is above'),
        ({'phonons': {'displacement': 0.01}}, 'phonons.displacement'),
        ({'phonons': {'hull': True}}, 'no competing phases that the potential relaxes; name them'),
    ],
)
def test_what_is_wrong_is_said(changes, sentence):
    """One sentence each, with the remedy."""
    assert sentence in ' '.join(said(**changes))


def parameters_of(potential, own=None, numbers=None, relax=None):
    """Return the parameters of the job of a potential."""
    numbers = {**protocol_inputs()['phonons'], **(numbers or {})}
    relax = {**protocol_inputs()['relax'], **(relax or {})}
    return phonon_parameters(numbers, relax, own or {}, about('potential', potential), shared_about('relaxation'))


def test_displacements_are_those_of_the_potential():
    """An amplitude that suits one model gives false modes of another."""
    protocol = protocol_inputs()['phonons']['displacements']
    assert parameters_of('chgnet')['displacements'] == protocol['chgnet']
    assert parameters_of('mace')['displacements'] == protocol['default']
    assert parameters_of('chgnet', numbers={'displacements': [0.1]})['displacements'] == [0.1]


def test_the_tight_relaxation_is_not_that_of_the_campaign():
    """The pressure is that of the crystals, forces and steps are those of the phonons."""
    found = parameters_of('emt', own={'fmax': 0.1, 'max_steps': 5}, relax={'pressure': 20.0})
    assert (found['fmax'], found['pressure']) == (0.0001, 20.0)
    assert found['max_steps'] == protocol_inputs()['phonons']['max_steps']


def test_precision_is_double_where_it_can_be_chosen():
    """A calculator whose precision is only stated keeps what it states, one without a choice is asked nothing."""
    assert parameters_of('chgnet', own={'precision': 'float32'})['precision'] == 'float64'
    assert parameters_of('chgnet', numbers={'precision': 'float32'})['precision'] == 'float32'
    assert parameters_of('ase', own={'factory': 'a:b', 'precision': 'float32'})['precision'] == 'float32'
    assert 'precision' not in parameters_of('emt')
