"""Tests of the comparison of what was asked with what was made."""

import numpy as np
import pytest

from aiida_crystalgen.science import conditions
from tests.science.examples import crystal

ROCK_SALT = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0],
                      [0, 0, 0.5]])  # fmt: skip


def magnesia(**columns):
    """Return rock-salt MgO in its conventional cell, with columns."""
    return crystal([12] * 4 + [8] * 4, ROCK_SALT, [4.2] * 3).with_columns(columns)


def of(one, **parameters):
    """Return the columns of one crystal."""
    return {name: values[0] for name, values in conditions.evaluate([one], parameters, {}).items()}


@pytest.mark.parametrize(('system', 'match'), [('Mg-O', 'exact'), ('Mg-O-Si', 'subset'), ('Mg-N', 'off-system')])
def test_elements_are_all_some_or_others_than_asked(system, match):
    """A subset is no off-system crystal, and not what was asked for either."""
    found = of(magnesia(), chemical_system=system)
    assert found['system_match'] == match
    assert found['conditions_met'] is (match == 'exact')


@pytest.mark.parametrize(('formula', 'match'), [('MgO', True), ('Mg4O4', True), ('MgO2', False)])
def test_formulas_are_compared_reduced(formula, match):
    """The size of the cell does not matter."""
    assert of(magnesia(), composition=formula)['composition_match'] is match


def test_the_space_group_is_looked_for_at_two_tolerances():
    """A crystal shaken by 0.02 A has its symmetry only at the loose one."""
    shaken = ROCK_SALT + np.random.default_rng(0).uniform(-0.02, 0.02, (8, 3)) / 4.2
    found = of(crystal([12] * 4 + [8] * 4, shaken, [4.2] * 3), space_group=225)
    assert found['space_group_strict'] != 225
    assert found['space_group_loose'] == 225
    assert found['space_group_match'] is True


def test_atoms_are_counted_in_the_primitive_cell():
    """The conventional cell of rock salt has eight, the primitive one two."""
    assert of(magnesia(), max_atoms=2)['n_atoms_match'] is True
    assert of(magnesia(), min_atoms=3)['n_atoms_match'] is False


def test_what_was_asked_for_one_crystal_goes_before_what_was_asked_of_all():
    """Generators that draw from a list note the value of each crystal."""
    found = of(magnesia(space_group_requested=221), space_group=225)
    assert found['space_group_match'] is False


def test_all_conditions_have_to_be_met():
    """One that fails is enough."""
    assert of(magnesia(), chemical_system='Mg-O', space_group=225)['conditions_met'] is True
    assert of(magnesia(), chemical_system='Mg-O', space_group=221)['conditions_met'] is False


def test_what_was_not_asked_is_unknown():
    """Nothing is computed, and nothing is met."""
    assert set(of(magnesia()).values()) == {None}
