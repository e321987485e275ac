"""The protocols: every number of a campaign, and how it is overridden."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aiida_crystalgen import bundles
from aiida_crystalgen.schema.protocols import available_protocols, default_protocol, protocol_inputs


def test_the_protocols_are_listed_with_their_descriptions():
    """The three protocols exist and say what they are for."""
    assert list(available_protocols()) == ['fast', 'balanced', 'stringent']
    assert all(description.endswith('.') for description in available_protocols().values())
    assert default_protocol() == 'balanced'


def test_protocols_differ_by_force_only_where_they_say_so():
    """The forces get tighter from protocol to protocol, in eV/A."""
    assert [protocol_inputs(name)['relax']['fmax'] for name in available_protocols()] == [0.1, 0.05, 0.01]


def test_the_default_protocol_is_used_when_none_is_named():
    """No name means the default protocol."""
    assert protocol_inputs() == protocol_inputs('balanced')


def test_the_steps_of_the_screens_are_in_order():
    """The screens are lists of steps as the analysis job reads them."""
    inputs = protocol_inputs('balanced')
    prescreen, postscreen = inputs['prescreen']['steps'], inputs['postscreen']['steps']
    assert [step['criterion'] for step in prescreen] == ['validity', 'composition', 'conditions', 'uniqueness']
    assert [step['criterion'] for step in postscreen] == ['validity', 'framework', 'uniqueness', 'novelty', 'stability']
    assert {frozenset(step) for step in postscreen} == {frozenset({'criterion', 'suffix', 'parameters', 'gates'})}


def test_inputs_can_be_changed_without_changing_the_protocol():
    """What a caller does to its inputs does not reach the next caller."""
    protocol_inputs('fast')['relax']['fmax'] = 9.0
    protocol_inputs('fast')['prescreen']['steps'][0]['gates'].clear()
    assert protocol_inputs('fast')['relax']['fmax'] == 0.1
    assert protocol_inputs('fast')['prescreen']['steps'][0]['gates'] == {'valid_generated': {'equals': True}}


def test_overrides_replace_numbers_and_whole_gates():
    """A parameter is replaced alone, a gate as a whole."""
    overrides = {
        'relax': {'fmax': 0.2},
        'filters': {'e_hull': {'min': 0.0}},
        'prescreen': {'validity': {'parameters': {'min_distance': 1.0}}},
    }
    inputs = protocol_inputs('balanced', overrides)
    assert (inputs['relax']['fmax'], inputs['relax']['max_steps']) == (0.2, 500)
    assert inputs['filters'] == {'e_hull': {'min': 0.0}}
    parameters = inputs['prescreen']['steps'][0]['parameters']
    assert parameters == {**protocol_inputs()['prescreen']['steps'][0]['parameters'], 'min_distance': 1.0}


def test_null_takes_criteria_gates_and_filters_away():
    """A null in the overrides removes what the protocol has."""
    overrides = {
        'filters': {'e_hull': None},
        'prescreen': {'composition': None, 'validity': {'gates': {'valid_generated': None}}},
    }
    inputs = protocol_inputs('balanced', overrides)
    assert inputs['filters'] == {}
    assert [step['criterion'] for step in inputs['prescreen']['steps']] == ['validity', 'conditions', 'uniqueness']
    assert inputs['prescreen']['steps'][0]['gates'] == {}


def test_a_criterion_of_another_package_is_added_last():
    """A criterion that the protocol does not have comes after those that it has."""
    inputs = protocol_inputs('balanced', {'postscreen': {'mine': {'parameters': {'a': 1}}}})
    assert inputs['postscreen']['steps'][-1] == {
        'criterion': 'mine', 'suffix': '', 'parameters': {'a': 1}, 'gates': {}
    }  # fmt: skip


@pytest.mark.parametrize(
    ('name', 'overrides', 'sentence'),
    [
        ('fst', {}, 'there is no protocol `fst`; did you mean `fast`?'),
        ('fast', {'relx': {}}, 'the override `relx` does not exist; did you mean `relax`?'),
        ('fast', {'relax': {'fmx': 0.1}}, 'the override `relax.fmx` does not exist; did you mean `fmax`?'),
        ('fast', {'relax': 0.1}, 'the override `relax` is not a dictionary'),
        ('fast', {'prescreen': {'validity': {'gate': {}}}}, 'did you mean `gates`?'),
        ('fast', {'resources': {'chunks': 1}}, 'the override `resources.chunks` does not exist'),
    ],
)
def test_unknown_names_are_refused_with_a_sentence(name, overrides, sentence):
    """A misspelt override is refused, never dropped."""
    with pytest.raises(ValueError, match=r'override|protocol') as error:
        protocol_inputs(name, overrides)
    assert sentence in str(error.value)


def test_every_number_of_the_screens_is_a_parameter_of_its_criterion():
    """Names in the protocols are those of the criteria, and gates stand on their columns."""
    for name in available_protocols():
        for screen in ('prescreen', 'postscreen'):
            for step in protocol_inputs(name)[screen]['steps']:
                about = bundles.about('criterion', step['criterion'])
                assert set(step['parameters']) <= set(about['parameters'])
                assert set(step['gates']) <= {f'{column}{step["suffix"]}' for column in about['columns']}


@pytest.mark.parametrize('potential', bundles.names('potential'))
def test_every_potential_takes_the_numbers_of_the_protocols(potential):
    """The numbers of a relaxation are parameters of every registered potential."""
    parameters = bundles.about('potential', potential)['parameters']
    assert set(protocol_inputs()['relax']) <= set(parameters)


def test_the_protocols_are_read_without_aiida():
    """A protocol can be looked at where there is no AiiDA profile."""
    code = 'import sys, aiida_crystalgen.schema.protocols as p; p.protocol_inputs(); sys.exit("aiida" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
