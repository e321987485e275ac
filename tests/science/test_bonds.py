"""Tests of the evidence from bonds, on crystals of the textbooks."""

import time

import numpy as np
import pytest
from pymatgen.analysis.bond_valence import BV_PARAMS
from pymatgen.core import Element

from aiida_crystalgen.science import bonds
from aiida_crystalgen.science.crystal import Crystal
from tests.science import textbook
from tests.science.examples import crystal


def of(one: Crystal, **parameters: object) -> dict[str, object]:
    """Return the columns of a crystal."""
    return {name: values[0] for name, values in bonds.evaluate([one], parameters, {}).items()}


@pytest.mark.parametrize(
    ('name', 'valences', 'coordination'),
    [
        ('NACL', 'Na+1 Cl-1', 'Na6'),
        ('GAAS', 'Ga+3 As-3', 'Ga4'),
        ('SRTIO3', 'Ti+4 Sr+2 O-2', 'Sr12 Ti6'),
        ('BATIO3', 'Ti+4 Ba+2 O-2', 'Ba12 Ti6'),
        ('SPINEL', 'Al+3 Mg+2 O-2', 'Al6 Mg4'),
        ('LICOO2', 'Co+3 Li+1 O-2', 'Co6 Li6'),
    ],
)
def test_valences_and_coordination_are_those_of_the_textbook(name: str, valences: str, coordination: str) -> None:
    """Every site gets its valence and its neighbours."""
    found = of(getattr(textbook, name))
    assert (found['valences'], found['coordination']) == (valences, coordination)
    assert found['valences_found'] is True


def test_paulings_second_rule_holds_where_he_saw_it() -> None:
    """In rocksalt, spinel and perovskite the strengths of the bonds to an anion add up to its valence."""
    for name in ('NACL', 'SRTIO3', 'SPINEL', 'LICOO2'):
        assert of(getattr(textbook, name))['pauling2_deviation'] == pytest.approx(0.0, abs=1e-9)


def test_the_instability_index_sees_a_cell_that_is_too_large() -> None:
    """BaTiO3 holds a titanium that is too small for its cage, and a stretched SrTiO3 is worse."""
    stretched = textbook.perovskite('Sr', 'Ti', 'O', 4.15)
    values = [of(one)['instability_index'] for one in (textbook.SRTIO3, textbook.BATIO3, stretched)]
    assert values == sorted(values)
    assert values[2] > 2 * values[0]


def test_the_index_of_rocksalt_is_the_closed_form() -> None:
    """Six bonds of s = exp((R - d) / 0.31) each, with R as O'Keeffe and Brese make it of two radii and two weights."""
    sodium, chlorine = BV_PARAMS[Element('Na')], BV_PARAMS[Element('Cl')]
    (r1, c1), (r2, c2) = ((one['r'], one['c']) for one in (sodium, chlorine))
    length = r1 + r2 - r1 * r2 * (np.sqrt(c1) - np.sqrt(c2)) ** 2 / (c1 * r1 + c2 * r2)
    total = 6 * np.exp((length - 5.640 / 2) / 0.31)
    assert of(textbook.NACL)['instability_index'] == pytest.approx(abs(total - 1), abs=1e-9)


@pytest.mark.parametrize('one', [textbook.NI3AL, crystal([14, 14], [[0] * 3, [0.25] * 3], np.eye(3) * 5.43)])
def test_the_rules_say_nothing_of_other_bonding(one: Crystal) -> None:
    """An intermetallic and an element do not fail them: they are not asked."""
    assert set(of(one).values()) == {None}


def test_elements_without_parameters_are_unknown_and_not_failed() -> None:
    """There is no bond-valence parameter for a compound of californium."""
    found = of(textbook.rocksalt('Cf', 'O', 4.98))
    assert found['valences_found'] is None


def test_no_neutral_set_is_a_failure_of_the_rule() -> None:
    """NaCl3 in a cube has no neutral valences; it is said, and nothing else is made up."""
    sites = [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    found = of(crystal([11, 17, 17, 17], sites, [5.6] * 3))
    assert found['valences_found'] is False
    assert found['valences'] is None


def test_large_cells_are_left_alone() -> None:
    """The limit on sites holds, and what is not looked at is unknown."""
    assert of(textbook.SPINEL, max_sites=13)['valences_found'] is None
    assert of(textbook.SPINEL, max_sites=14)['valences_found'] is True


def test_the_mixed_valence_of_a_cuprate_takes_little_time() -> None:
    """YBa2Cu3O7 is where the search for valences could run away."""
    begun = time.process_time()
    found = of(textbook.YBCO)
    assert time.process_time() - begun < 20
    assert found['valences_found'] in (True, False)


def test_the_cell_and_the_order_of_the_atoms_do_not_matter() -> None:
    """A supercell with its atoms turned round says the same."""
    structure = textbook.SPINEL.structure.copy()
    structure.make_supercell([2, 1, 1])
    order = np.arange(len(structure))[::-1]
    big = Crystal('a', np.array(structure.atomic_numbers)[order], structure.cart_coords[order],
                  np.array(structure.lattice.matrix), np.ones(3, bool))  # fmt: skip
    one, other = of(textbook.SPINEL), of(big)
    assert other['instability_index'] == pytest.approx(one['instability_index'], abs=1e-6)
    assert (other['valences'], other['coordination']) == (one['valences'], one['coordination'])
