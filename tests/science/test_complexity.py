"""Tests of site counts, information and valence electrons."""

import pytest

from aiida_crystalgen.science import complexity
from aiida_crystalgen.science.crystal import Crystal
from tests.science import textbook


def of(one: Crystal) -> dict[str, object]:
    """Return the columns of a crystal."""
    return {name: values[0] for name, values in complexity.evaluate([one], {}, {}).items()}


@pytest.mark.parametrize(
    ('name', 'kinds', 'per_atom', 'atoms'),
    [
        ('NACL', 2, 1.0, 2),
        ('SRTIO3', 3, 1.371, 5),  # -(2 * 0.2 log2 0.2 + 0.6 log2 0.6)
        ('SPINEL', 3, 1.379, 14),  # 2, 4 and 8 atoms
    ],
)
def test_information_is_that_of_the_orbits(name: str, kinds: int, per_atom: float, atoms: int) -> None:
    """Krivovichev's numbers follow from how many atoms every kind of site has."""
    found = of(getattr(textbook, name))
    assert found['n_site_kinds'] == kinds
    assert found['information_per_atom'] == pytest.approx(per_atom, abs=1e-3)
    assert found['information_per_cell'] == pytest.approx(per_atom * atoms, abs=1e-2)


def test_one_kind_of_site_holds_no_information() -> None:
    """Copper is as simple as can be."""
    copper = textbook.from_group('Fm-3m', textbook.NI3AL.structure.lattice, ['Cu'], [[0, 0, 0]])
    assert of(copper)['information_per_cell'] == 0.0


def test_valence_electrons_are_counted_in_intermetallics_alone() -> None:
    """Ni3Al has (3 * 10 + 3) / 4 electrons an atom; rocksalt is not asked."""
    assert of(textbook.NI3AL)['valence_electrons'] == pytest.approx(8.25)
    assert of(textbook.NACL)['valence_electrons'] is None
