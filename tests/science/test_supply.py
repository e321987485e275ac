"""Tests of what the elements mean for those who make a crystal."""

import pytest

from aiida_crystalgen.science import supply
from aiida_crystalgen.science.crystal import Crystal
from tests.science import textbook


def of(one: Crystal) -> dict[str, object]:
    """Return the columns of a crystal."""
    return {name: values[0] for name, values in supply.evaluate([one], {}, {}).items()}


@pytest.mark.parametrize(
    ('one', 'radioactive', 'toxic'),
    [
        (textbook.NACL, False, 'none'),
        (textbook.GAAS, False, 'As'),
        (textbook.PBTIO3, False, 'Pb'),
        (textbook.rocksalt('U', 'N', 4.89), True, 'none'),
        (textbook.rocksalt('Tc', 'C', 4.0), True, 'none'),
        (textbook.rocksalt('Gd', 'Bi', 6.3), False, 'none'),
    ],
)
def test_flags(one: Crystal, radioactive: bool, toxic: str) -> None:
    """Flags follow the elements; bismuth counts as stable."""
    found = of(one)
    assert (found['radioactive'], found['toxic_elements']) == (radioactive, toxic)


def test_concentration_is_weighted_by_mass() -> None:
    """BaTiO3 is what pymatgen's tables give, and cobalt makes LiCoO2 the more concentrated one."""
    found = of(textbook.BATIO3)
    assert found['hhi_production'] == pytest.approx(2095.4, abs=0.1)
    assert found['hhi_reserves'] == pytest.approx(1785.8, abs=0.1)
    assert of(textbook.LICOO2)['hhi_production'] > found['hhi_production']


def test_what_is_not_tabled_is_unknown() -> None:
    """Nobody mines technetium."""
    assert of(textbook.rocksalt('Tc', 'C', 4.0))['hhi_production'] is None
