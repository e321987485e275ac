"""Frequencies of springs whose phonons are known by hand, and verdicts on spectra."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_crystalgen.science import phonons
from aiida_crystalgen.science.phonons import Limits, Spectrum, judge
from aiida_crystalgen.science.supercells import Cell, choose_supercell, standardise

THZ = 15.633302  # of sqrt(eV / A^2 / u)
LIMITS = Limits()


def springs(cell: Cell, stiffness: float, reach: float, reference: Cell) -> np.ndarray:
    """Return forces of harmonic springs [eV/A^2] between the neighbours of a reference, along every direction alike."""
    atoms = Atoms(numbers=reference.numbers, positions=reference.positions, cell=reference.cell, pbc=True)
    distances = atoms.get_all_distances(mic=True)
    moved = cell.positions - reference.positions
    bonds = (distances > 0.1) & (distances < reach)
    return stiffness * (bonds @ moved - bonds.sum(axis=1)[:, None] * moved)


def model(atoms, length=6.0):
    """Return a supercell and its Phonopy."""
    supercell = choose_supercell(standardise(atoms.numbers, atoms.positions, atoms.cell[:], 0.01), length, 500)
    return supercell, phonons.make_phonon(supercell, 0.01)


def solve(phonon, forces, displacement=0.01, mesh=20.0):
    """Return the spectrum for forces given as a function of the displaced cell."""
    cells = phonons.displaced_cells(phonon, displacement)
    phonons.set_forces(phonon, [forces(cell) for cell in cells])
    return phonons.spectrum_of(phonon, displacement, mesh, LIMITS)


@pytest.fixture(scope='module')
def simple_cubic():
    """Return a Phonopy of simple cubic polonium with springs of 1 eV/A^2 between nearest neighbours, and its cells."""
    atoms = bulk('Po', 'sc', a=3.0)
    _, phonon = model(atoms, 11.0)
    reference = phonons.displaced_cells(phonon, 0.01)[0]
    return phonon, lambda cell: springs(cell, 1.0, 3.1, reference)


def test_frequencies_of_springs(simple_cubic):
    """For isotropic springs, w^2 = 4 k/m sum of sin^2(q/2): the lowest that 4x4x4 cells hold is at q = 1/4."""
    phonon, forces = simple_cubic
    spectrum = solve(phonon, forces)
    expected = THZ * np.sqrt(4 * np.sin(np.pi / 4) ** 2 / 210.0)
    assert spectrum.lowest == pytest.approx(expected, rel=1e-4)
    assert sorted(spectrum.where) in ([0, 0, 0.25], [0, 0, 0.75])
    assert spectrum.n_imaginary == 0
    assert 0 < spectrum.interpolated < spectrum.lowest


def test_negative_springs_are_unstable(simple_cubic):
    """Turned round, every mode but the three translations is imaginary."""
    phonon, forces = simple_cubic
    spectrum = solve(phonon, lambda cell: -forces(cell))
    lowest = -THZ * np.sqrt(12 / 210.0)
    assert spectrum.lowest == pytest.approx(lowest, rel=1e-4)
    assert spectrum.where == (0.5, 0.5, 0.5)
    assert spectrum.n_imaginary == 3 * 64 - 3


def test_forces_of_the_undisplaced_crystal_do_not_count(simple_cubic):
    """What is left by a relaxation is no answer to a displacement."""
    phonon, forces = simple_cubic
    rest = np.random.default_rng(1).normal(scale=0.01, size=(64, 3))
    assert solve(phonon, lambda cell: forces(cell) + rest).lowest == pytest.approx(solve(phonon, forces).lowest)


def test_copper_by_emt_is_plain_phonopy():
    """The frequencies are those of phonopy alone, and force constants give them again from their record."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    def forces(cell):
        return Atoms(
            numbers=cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True, calculator=EMT()
        ).get_forces()

    supercell, phonon = model(bulk('Cu', a=3.59), 5.0)
    spectrum = solve(phonon, forces)
    unit = supercell.unit
    plain = Phonopy(
        PhonopyAtoms(numbers=unit.numbers, positions=unit.positions, cell=unit.cell),
        np.diag(supercell.repeats),
        primitive_matrix='P',
    )
    plain.generate_displacements(distance=0.01)
    plain.forces = [forces(Cell(one.numbers, one.positions, one.cell)) for one in plain.supercells_with_displacements]
    plain.produce_force_constants()
    plain.symmetrize_force_constants()
    plain.run_qpoints([spectrum.where])
    assert spectrum.lowest == pytest.approx(plain.qpoints.frequencies.min(), abs=1e-6)
    again = phonons.phonon_from_record(phonons.record_of(phonon, supercell, 0.01))
    assert phonons.spectrum_of(again, 0.01, 20.0, LIMITS) == spectrum


def test_heat_capacity_is_that_of_dulong_and_petit(simple_cubic):
    """At high temperature it is 3 R a mole of atoms; the free energy at 0 K is the zero-point energy."""
    phonon, forces = simple_cubic
    solve(phonon, forces, mesh=60.0)
    (zero, none), (_, hot) = phonons.thermal_properties(phonon, [0.0, 5000.0])
    assert hot == pytest.approx(3 * 8.314462618, rel=2e-3)
    assert none == 0.0
    frequencies = phonon.mesh.frequencies
    weights = phonon.mesh.weights / phonon.mesh.weights.sum()
    expected = 0.5 * 4.135667696e-3 * (weights @ frequencies.clip(0)).sum()
    assert zero == pytest.approx(expected, rel=1e-3)
    assert phonons.thermal_properties(phonon, []) == []


def spectrum(lowest, interpolated=None, displacement=0.01):
    """Return a spectrum."""
    between = lowest if interpolated is None else interpolated
    return Spectrum(displacement, lowest, (0.5, 0.0, 0.0), 0, between, (0.1, 0.0, 0.0))


@pytest.mark.parametrize(
    ('spectra', 'word', 'reason'),
    [
        ([spectrum(1.0), spectrum(0.9)], 'stable', r'no frequency is below -0\.1 THz \(lowest: 0\.900 THz\)'),
        ([spectrum(-0.05), spectrum(0.9)], 'stable', 'no frequency'),
        ([spectrum(-2.0), spectrum(-0.6)], 'unstable', r'-2\.00 THz at q = 0\.5 0 0'),
        ([spectrum(-2.0), spectrum(1.0, displacement=0.03)], 'inconclusive', r'-2\.00 THz for 0\.01 A, 1\.00 THz for'),
        ([spectrum(-2.0), spectrum(-0.3)], 'inconclusive', 'depends on the size of the displacement'),
        ([spectrum(-0.3), spectrum(-0.3)], 'inconclusive', r'lies between the limits -0\.5 and -0\.1 THz'),
        ([spectrum(1.0, -0.4), spectrum(1.0, -0.8)], 'inconclusive', r'imaginary only between .* -0\.80 THz'),
    ],
)
def test_verdicts(spectra, word, reason):
    """Stable and unstable need every amplitude; the rest is inconclusive, with its reason."""
    import re

    verdict = judge(spectra, LIMITS)
    assert verdict.word == word
    assert re.search(reason, verdict.reason)


def test_limits_are_settings():
    """What counts as stable is asked for."""
    assert judge([spectrum(-0.3)], Limits(stable=-0.4)).word == 'stable'
    assert judge([spectrum(-0.3)], Limits(unstable=-0.2)).word == 'unstable'


def test_three_modes_at_gamma_are_left_out():
    """Acoustic ones are those nearest to zero: a soft optical mode at Gamma stays."""
    points = np.array([[0, 0, 0], [0.5, 0, 0], [1.0, 0, 0]])
    rows = np.array([[-5.0, -1e-5, 0, 1e-5], [-0.2, 1, 2, 3], [-1e-5, 0, 1e-5, 4.0]])
    kept = phonons.without_acoustic(points, rows)
    assert np.nanmin(kept[0]) == -5.0
    assert np.isnan(kept).sum() == 6
    assert not np.isnan(kept[1]).any()


def test_mesh_is_as_dense_in_every_cell():
    """Twice the cell has half the points."""
    assert phonons.mesh_numbers(np.diag([4.0, 8.0, 40.0]), 40.0) == [10, 5, 1]
