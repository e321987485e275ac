"""Tests of what the modes of a hull ask of a campaign."""

import pytest
import yaml

from aiida_crystalgen.schema.checks import problems

from .example import GOOD, REGISTRY

POTENTIALS = {
    'raw': {
        'name': 'raw',
        'energy_convention': 'raw_mp_pbe_u',
        'parameters': {'pressure': {'type': 'float', 'default': 0.0}},
    },
    'corrected': {'name': 'corrected', 'energy_convention': 'mp2020', 'parameters': {}},
    'alien': {'name': 'alien', 'energy_convention': 'other', 'parameters': {}},
}
FILES = {'type': 'files', 'files': '.'}


def problems_of(potential, generator=None, **references):
    """Return the problems of a campaign with a potential (None: without) and references."""
    raw = {**yaml.safe_load(GOOD), 'references': references}
    raw['potential'] = potential
    if generator is not None:
        raw['generators'] = [generator]
    registry = {**REGISTRY, 'potential': POTENTIALS}
    return [(problem.where, str(problem)) for problem in problems({k: v for k, v in raw.items() if v}, registry)]


@pytest.mark.parametrize('name', ['raw', 'corrected'])
def test_potentials_of_the_materials_project_meet_its_hull(name):
    """Raw and corrected energies of the Materials Project may both be compared with its entries."""
    assert problems_of({'type': name}, phases='.', mode='mp2020') == []


def test_another_potential_is_refused_and_both_conventions_are_named():
    """A potential trained on something else does not meet the hull of the Materials Project."""
    ((where, text),) = problems_of({'type': 'alien'}, phases='.', mode='mp2020')
    assert where == 'references.mode'
    assert '`other`' in text
    assert '`raw_mp_pbe_u`' in text


def test_pressure_has_no_place_in_the_hull_of_the_materials_project():
    """Its energies are those at no pressure."""
    ((where, _),) = problems_of({'type': 'raw', 'parameters': {'pressure': 1.0}}, phases='.', mode='mp2020')
    assert where == 'potential.parameters.pressure'


def test_formation_energies_come_without_a_potential():
    """A potential would relax the crystals away from the energies in their files."""
    assert problems_of(None, FILES, phases='set:mp', mode='formation') == []
    ((where, _),) = problems_of({'type': 'raw'}, FILES, phases='set:mp', mode='formation')
    assert where == 'references.mode'


def test_without_a_potential_energies_come_from_files():
    """Neither a same-model hull nor crystals without energies make sense without a potential."""
    assert [where for where, _ in problems_of(None, phases='set:mp')] == ['references.mode', 'generators[0].type']


def test_references_name_something():
    """An empty list of references is a mistake, and so is a mode without phases."""
    assert [where for where, _ in problems_of({'type': 'raw'}, partial=True)] == ['references']
    assert [where for where, _ in problems_of({'type': 'raw'}, known='.', mode='custom')] == ['references.mode']


def test_a_set_of_the_profile_is_no_path():
    """`set:NAME` is looked up when the campaign is built; a file of that name need not exist."""
    assert problems_of({'type': 'raw'}, known='set:nowhere', training='set:nothing') == []
    assert [where for where, _ in problems_of({'type': 'raw'}, known='nowhere')] == ['references.known']
