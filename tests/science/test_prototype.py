"""Tests of the label of a prototype."""

import numpy as np
import pytest

from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.prototype import anonymous, evaluate, label
from tests.science import textbook

SYMPREC = 0.1


def changed(crystal: Crystal, copies: tuple[int, int, int], shift: float, seed: int = 0) -> Crystal:
    """Return a crystal as a supercell, moved, its atoms in another order and shaken by less than the tolerance."""
    structure = crystal.structure.copy()
    structure.make_supercell(copies)
    structure.translate_sites(range(len(structure)), [shift, 0.1, 0.2], frac_coords=False)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(structure))
    positions = structure.cart_coords[order] + generator.uniform(-2e-3, 2e-3, (len(structure), 3))
    numbers = np.array(structure.atomic_numbers)[order]
    return Crystal('b', numbers, positions, np.array(structure.lattice.matrix), np.ones(3, dtype=bool))


@pytest.mark.parametrize('name', ['NACL', 'SRTIO3', 'SPINEL', 'CATIO3', 'LICOO2', 'NI3AL', 'GAAS', 'ILMENITE'])
def test_a_prototype_is_the_same_in_every_cell(name: str) -> None:
    """Supercell, origin, order and small displacements do not matter."""
    crystal = getattr(textbook, name)
    assert label(changed(crystal, (2, 1, 1), 0.37), SYMPREC) == label(crystal, SYMPREC) is not None


def test_elements_do_not_matter() -> None:
    """Rock salts of any elements and size are one prototype, also with the roles of the sites changed."""
    labels = {
        label(textbook.rocksalt(*pair, edge), SYMPREC) for pair, edge in ((('Mg', 'O'), 4.2), (('Cl', 'Na'), 5.6))
    }
    assert labels == {'AB 225 1.-3mm 1.-3mm'}


def test_prototypes_differ() -> None:
    """Rock salt is not zincblende, and a cubic perovskite is neither a distorted one nor ilmenite."""
    crystals = [textbook.NACL, textbook.GAAS, textbook.SRTIO3, textbook.CATIO3, textbook.ILMENITE, textbook.PBTIO3]
    assert len({label(crystal, SYMPREC) for crystal in crystals}) == len(crystals)


def test_what_is_no_crystal_has_no_prototype() -> None:
    """A row without atoms is unknown."""
    empty = Crystal('a', np.zeros(0, int), np.zeros((0, 3)), np.eye(3), np.ones(3, dtype=bool))
    assert evaluate([empty], {}, {}) == {'prototype': [None]}


def test_formulas_without_elements() -> None:
    """The scarcest comes first, amounts are reduced."""
    assert (anonymous([2, 2, 6]), anonymous([4]), anonymous([8, 4])) == ('ABC3', 'A', 'AB2')
