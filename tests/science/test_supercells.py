"""Standard settings and supercells of crystals that every textbook shows."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_crystalgen.science.supercells import choose_supercell, shortest_vector, standardise

CRYSTALS = {
    'Si': (bulk('Si', a=5.43), 227, 'F'),
    'Cu': (bulk('Cu', a=3.6, cubic=True), 225, 'F'),
    'W': (bulk('W', a=3.16, cubic=True), 229, 'I'),
    'CsCl': (bulk('CsCl', 'cesiumchloride', a=4.12), 221, 'P'),
    'Mg': (bulk('Mg', a=3.2, c=5.2), 194, 'P'),
}


def standard(name, symprec=0.01, rattle=0.0):
    """Return a crystal in its standard setting."""
    atoms = CRYSTALS[name][0].copy()
    atoms.rattle(rattle, seed=1)
    return standardise(atoms.numbers, atoms.positions, atoms.cell[:], symprec)


@pytest.mark.parametrize('name', CRYSTALS)
def test_standard_setting(name):
    """Space group and centring are the textbook's, and the primitive cell holds what the centring leaves."""
    found = standard(name)
    _, number, centring = CRYSTALS[name]
    assert (found.space_group, found.centring) == (number, centring)
    points = {'P': 1, 'I': 2, 'F': 4}[centring]
    assert len(found.conventional.numbers) == points * len(found.primitive.numbers)


def test_small_disorder_is_taken_out():
    """Atoms that are off by less than the tolerance are put back, exactly."""
    found = standard('Cu', symprec=0.01, rattle=0.001)
    assert found.space_group == 225
    assert len(found.primitive.numbers) == 1
    lengths = np.linalg.norm(found.primitive.cell, axis=1)
    assert np.ptp(lengths) < 1e-12


def test_broken_geometry_is_said():
    """Two atoms at one place have no symmetry."""
    with pytest.raises(ValueError, match='no symmetry was found'):
        standardise([29, 29], np.zeros((2, 3)), np.eye(3) * 3, 0.01)


@pytest.mark.parametrize('name', CRYSTALS)
@pytest.mark.parametrize('length', [6.0, 10.0, 13.0])
def test_supercell_is_long_enough_and_even(name, length):
    """Images are far enough apart, and every point halfway to the next reciprocal cell is commensurate."""
    found = choose_supercell(standard(name), length, 2000)
    cell = np.diag(found.repeats) @ found.unit.cell
    assert found.length == pytest.approx(shortest_vector(cell))
    assert found.length >= length - 1e-3
    half = np.array([[0.5, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5]]) @ np.linalg.inv(standard(name).primitive.cell).T
    turns = half @ cell.T
    assert np.allclose(turns, np.rint(turns))


def test_smallest_of_the_candidates():
    """Silicon takes cubes, magnesium oxide and copper take primitive cells: these hold fewer atoms."""
    assert str(choose_supercell(standard('Si'), 10.0, 500)).startswith('2x2x2 conventional cells, 64 atoms')
    assert str(choose_supercell(standard('Cu'), 10.0, 500)).startswith('4x4x4 primitive cells, 64 atoms')


def test_a_long_axis_is_not_repeated_where_that_is_too_large():
    """A layered cell of 24 A is taken as it is along its axis, if twice would be too many atoms."""
    atoms = bulk('Mg', a=3.2, c=5.2).repeat((1, 1, 5))
    atoms.positions[0, 2] += 0.8
    layered = standardise(atoms.numbers, atoms.positions, atoms.cell[:], 0.01)
    assert choose_supercell(layered, 9.0, 1000).repeats == (4, 4, 2)
    assert choose_supercell(layered, 9.0, 200).repeats == (4, 4, 1)
    assert choose_supercell(layered, 9.0, 100) is None


def test_sharp_angles_are_seen():
    """Of a rhombohedral cell with sharp angles the difference of two axes is the shortest vector."""
    cell = np.array([[1.0, 0, 6], [-0.5, 0.866, 6], [-0.5, -0.866, 6]]) * 1.5
    assert shortest_vector(cell) == pytest.approx(1.5 * 3**0.5, abs=1e-3)
    found = choose_supercell(standardise([83], np.zeros((1, 3)), cell, 0.01), 8.0, 500)
    assert found.length >= 8.0 - 1e-3
