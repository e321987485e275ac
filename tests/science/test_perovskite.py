"""Tests of the tolerance factors."""

import math

import pytest
from pymatgen.core import Lattice

from aiida_crystalgen.science import perovskite
from aiida_crystalgen.science.crystal import Crystal
from tests.science import textbook


def of(one: Crystal) -> dict[str, object]:
    """Return the columns of a crystal."""
    return {name: values[0] for name, values in perovskite.evaluate([one], {}, {}).items()}


@pytest.mark.parametrize(
    ('name', 'goldschmidt', 'bartel'),
    [('BATIO3', 1.062, 3.752), ('SRTIO3', 1.002, 3.804), ('PBTIO3', 1.019, 3.779)],
)
def test_factors_of_titanates(name: str, goldschmidt: float, bartel: float) -> None:
    """The factors are the published formulas with Shannon's radii: titanium 0.605, oxygen 1.40, barium 1.61 A."""
    found = of(getattr(textbook, name))
    assert found['perovskite_net'] is True
    assert found['goldschmidt_factor'] == pytest.approx(goldschmidt, abs=1e-3)
    assert found['bartel_factor'] == pytest.approx(bartel, abs=5e-3)
    assert found['octahedral_factor'] == pytest.approx(0.605 / 1.40)


def test_radii_are_told() -> None:
    """The text says what went in."""
    assert of(textbook.BATIO3)['shannon_radii'] == 'Ba+2 XII 1.61, Ti+4 VI 0.605, O-2 VI 1.4'


def test_tilted_octahedra_are_a_perovskite() -> None:
    """CaTiO3, the mineral, has its octahedra tilted and its calcium at 1.34 A."""
    found = of(textbook.CATIO3)
    assert found['perovskite_net'] is True
    assert found['goldschmidt_factor'] == pytest.approx((1.34 + 1.40) / (math.sqrt(2) * (0.605 + 1.40)))


def test_shared_edges_and_faces_are_no_perovskite() -> None:
    """Ilmenite shares edges, hexagonal BaNiO3 faces: the factors would say nothing of them."""
    hexagonal = textbook.from_group(
        'P6_3/mmc', Lattice.hexagonal(5.58, 4.832), ['Ba', 'Ni', 'O'],
        [[1 / 3, 2 / 3, 0.75], [0, 0, 0], [0.1462, 0.2924, 0.25]],
    )  # fmt: skip
    for one in (textbook.ILMENITE, hexagonal):
        found = of(one)
        assert found['perovskite_net'] is False
        assert {found[name] for name in found if name != 'perovskite_net'} == {None}


@pytest.mark.parametrize('name', ['NACL', 'SPINEL', 'NI3AL', 'YBCO'])
def test_other_compositions_are_not_asked(name: str) -> None:
    """A rule for ABX3 abstains from everything else."""
    assert set(of(getattr(textbook, name)).values()) == {None}


def test_radii_that_are_not_tabled_leave_the_factors_unknown() -> None:
    """The net is there, Shannon has no Ac+3 in twelvefold coordination, and the largest number that he has is taken."""
    found = of(textbook.perovskite('Gd', 'Fe', 'O', 3.85))
    assert found['perovskite_net'] is True
    assert 'Gd+3 IX 1.107' in str(found['shannon_radii'])
    assert 'Fe+3 VI 0.645' in str(found['shannon_radii'])
