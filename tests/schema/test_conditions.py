"""Tests of conditions that are written once for all generators."""

import pytest
import yaml

from aiida_crystalgen.schema.checks import problems
from aiida_crystalgen.schema.conditions import told, unheard

from .example import GOOD, REGISTRY

LISTENER = {
    'name': 'listener',
    'parameters': {'max_atoms': {'type': 'int', 'default': 20, 'unit': '', 'minimum': 1, 'maximum': 20}},
    'conditions': {
        'groups': {'type': 'list', 'default': None, 'unit': ''},
        'gap': {'type': 'float', 'default': None, 'unit': 'eV', 'minimum': 0.0, 'many': True},
        'chemical_system': {'type': 'text', 'default': None, 'unit': ''},
    },
    'honours': {'space_group': 'groups', 'band_gap': 'gap', 'max_atoms': 'max_atoms', 'host': 'host'},
    'columns': {},
    'unconditional': True,
}


def problems_of(conditions, *generators):
    """Return where and what is wrong with conditions for some generators."""
    raw = {**yaml.safe_load(GOOD), 'conditions': conditions}
    raw['generators'] = list(generators) or [{'type': 'listener', 'n': 4}]
    registry = {**REGISTRY, 'generator': {**REGISTRY['generator'], 'listener': LISTENER}}
    return [(problem.where, str(problem)) for problem in problems(raw, registry)]


def test_a_condition_goes_to_the_parameter_that_honours_it():
    """A term of the campaign becomes the parameter that the generator has for it, in its form."""
    entry, origins = told({'type': 'listener'}, LISTENER, {'space_group': 225, 'band_gap': 1.5})
    assert entry['parameters'] == {'groups': [225], 'gap': 1.5}
    assert origins == {('parameters', 'groups'): 'space_group', ('parameters', 'gap'): 'band_gap'}


def test_what_a_generator_says_itself_wins():
    """A parameter in the entry of a generator stays as it is."""
    entry, origins = told({'type': 'listener', 'parameters': {'groups': [1]}}, LISTENER, {'space_group': 225})
    assert entry['parameters'] == {'groups': [1]}
    assert origins == {}


def test_a_host_becomes_the_file_that_the_generator_reads():
    """The host is a file, not a parameter."""
    entry, _ = told({'type': 'listener'}, LISTENER, {'host': 'frame.cif'})
    assert entry['files'] == 'frame.cif'


def test_what_a_generator_cannot_be_told_is_named():
    """Terms that no parameter honours are left over, in order."""
    asked = {'hhi_score': 1, 'band_gap': 1, 'formation_energy': 0}
    assert unheard(LISTENER, asked) == ['formation_energy', 'hhi_score']


def test_a_condition_that_no_generator_can_be_told_is_a_problem():
    """The sentence stands at the condition and names the generators."""
    ((where, text),) = problems_of({'bulk_modulus': 200.0})
    assert where == 'conditions.bulk_modulus'
    assert '`listener`' in text


def test_one_generator_that_can_be_told_is_enough():
    """Others draw without the condition, and the funnel says so."""
    other = {'type': 'random', 'n': 4, 'parameters': {'composition': 'MgO'}}
    assert problems_of({'band_gap': 1.0}, {'type': 'listener', 'n': 4}, other) == []


def test_a_value_out_of_range_stands_at_the_condition():
    """What the generator refuses is said where it was written."""
    ((where, text),) = problems_of({'max_atoms': 40})
    assert where == 'conditions.max_atoms'
    assert 'largest allowed, 20' in text


def test_a_list_of_values_is_taken_one_by_one():
    """Every value of a list is checked by itself."""
    assert problems_of({'band_gap': [1.0, 2.0]}) == []
    ((where, text),) = problems_of({'band_gap': [1.0, -2.0]})
    assert where == 'conditions.band_gap'
    assert 'eV' in text


@pytest.mark.parametrize(
    ('conditions', 'where'),
    [
        ({'space_group': 231}, 'conditions.space_group'),
        ({'min_atoms': 9, 'max_atoms': 4}, 'conditions.min_atoms'),
        ({'pressure': 3}, 'conditions.pressure'),
    ],
)
def test_conditions_that_cannot_be_are_refused(conditions, where):
    """Numbers without a meaning, contradictions and unknown terms are problems of their own."""
    assert where in [place for place, _ in problems_of(conditions)]


def test_a_composition_and_a_chemical_system_exclude_each_other():
    """A composition says which elements there are."""
    generator = {'type': 'random', 'n': 4}
    listed = problems_of({'composition': 'MgO', 'chemical_system': 'Mg-O'}, generator)
    assert 'conditions.chemical_system' in [place for place, _ in listed]
