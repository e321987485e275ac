"""Tests of hulls of three and four elements, and of the front of Pareto."""

import dataclasses
import re

import pytest
from pymatgen.core import Composition

from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.report.content import read_content
from aiida_crystalgen.report.hulls import (
    corner_place,
    tetrahedron_figure,
    tetrahedron_scene,
    tie_lines,
    triangle_figure,
)
from aiida_crystalgen.report.page import render_content
from aiida_crystalgen.report.pareto import pareto
from aiida_crystalgen.report.systems import Phase, System, systems_of
from tests.handmade import WHOLE, make_campaign

# Formation enthalpies at 298 K of textbooks, eV/atom; C, O and the metals at 0.
TERNARY = {'Ba': 0.0, 'O': 0.0, 'Ti': 0.0, 'BaO': -2.84, 'TiO2': -3.26, 'BaTiO3': -3.44, 'Ti2O3': -3.15, 'BaTi': 0.2}
QUATERNARY = {**TERNARY, 'C': 0.0, 'BaCO3': -2.51, 'CO2': -1.36}


def system(formulas, candidate):
    """Return a system of textbook phases and one crystal."""
    elements = sorted({symbol for formula in formulas for symbol in Composition(formula).as_dict()})

    def phase(formula, energy, kind, above=None):
        shares = Composition(formula).fractional_composition
        return Phase(tuple(float(shares[element]) for element in elements), energy, formula, kind, above=above)

    phases = [phase(formula, energy, 'reference') for formula, energy in formulas.items()]
    return System(tuple(elements), (*phases, phase(candidate, -3.0, 'candidate', 0.07)), 'textbook', True)


def test_ties_join_phases_that_coexist():
    """BaTiO3 coexists with BaO and TiO2, which do not coexist with each other; what is above the hull joins nothing."""
    stable, ties = tie_lines(system(TERNARY, 'Ba2TiO4'))
    pairs = {frozenset((stable[a].name, stable[b].name)) for a, b in ties}
    assert {frozenset(('BaTiO3', 'BaO')), frozenset(('BaTiO3', 'TiO2'))} <= pairs
    assert frozenset(('BaO', 'TiO2')) not in pairs
    assert 'BaTi' not in {phase.name for phase in stable}


def test_triangle_shows_every_phase_once():
    """Phases on the hull, above it and crystals have marks of their own, and the corners are named."""
    figure = triangle_figure(system(TERNARY, 'Ba2TiO4'))
    assert len(re.findall('class="reference"', figure)) == 7
    assert len(re.findall('class="reference unstable"', figure)) == 1
    assert len(re.findall('class="candidate shade2"', figure)) == 1
    assert all(f'>{element}</text>' in figure for element in ('Ba', 'O', 'Ti'))


def test_tetrahedron_has_its_corners_at_the_elements():
    """Elements lie at distance one from each other, and a compound between its elements."""
    ends = [corner_place([float(i == k) for k in range(4)]) for i in range(4)]
    assert all(abs(sum((a - b) ** 2 for a, b in zip(ends[0], end, strict=True)) - 1) < 1e-12 for end in ends[1:])
    middle = corner_place([0.25] * 4)
    assert middle == pytest.approx((0, 0, 0), abs=1e-12)


def test_tetrahedron_is_drawn_and_can_turn():
    """Picture and scene hold the same phases; ties are places in the list of atoms."""
    quaternary = system(QUATERNARY, 'BaTiO3')
    figure, scene = tetrahedron_figure(quaternary), tetrahedron_scene(quaternary)
    stable, ties = tie_lines(quaternary)
    assert len(re.findall('class="reference"', figure)) == len(stable) == len(scene['names'])
    assert len(scene['atoms']) == len(stable) + 1
    assert scene['bonds'] == ties


@pytest.fixture(scope='module')
def content(aiida_profile):
    """Return the content of a campaign of a binary system."""
    return read_content(make_campaign())


def test_system_of_the_best_crystals_is_found(content):
    """The binary system is found once, with its competing phases, its crystals and the rejected ones."""
    (found,) = systems_of(content, 4)
    assert found.elements == ('Al', 'Cu')
    assert [len(found.of_kind(kind)) for kind in ('reference', 'candidate', 'rejected')] == [3, 4, 2]


def ranked(content):
    """Return the content of a campaign that ranked by two columns."""
    fronts = make_column([1, 2, 1, 3], WHOLE)
    goals = {'e_hull': 'min', 'formation_energy': 'min'}
    return dataclasses.replace(
        content,
        spec={**content.spec, 'ranking': {'objectives': goals}},
        table=content.table.with_columns({'pareto_front': fronts}),
    )


def test_front_of_pareto_is_shown(content):
    """The first front is dark, everything behind it pale; the page says what was good."""
    shown = pareto(ranked(content))
    assert len(re.findall('class="candidate"', shown['figure'])) == 2
    assert len(re.findall('class="rejected"', shown['figure'])) == 2
    page = render_content(ranked(content), {})
    assert 'Judged by E above hull (small is good), formation energy (small is good).' in page
    assert 'Pareto front of e_hull min, formation_energy min' in page


def test_no_front_where_none_was_asked_for(content):
    """The section is absent."""
    assert pareto(content) is None
    assert 'Trade-offs' not in render_content(content, {})
