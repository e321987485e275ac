"""Bands and density of states of copper, whose force constants EMT gives."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_crystalgen.science import phonons
from aiida_crystalgen.science.phonon_bands import bands_of, density_of
from aiida_crystalgen.science.supercells import choose_supercell, standardise


@pytest.fixture(scope='module')
def copper():
    """Return the phonons of copper."""
    atoms = bulk('Cu', a=3.59)
    supercell = choose_supercell(standardise(atoms.numbers, atoms.positions, atoms.cell.array, 1e-3), 5.0, 200)
    phonon = phonons.make_phonon(supercell, 1e-3)
    forces = []
    for cell in phonons.displaced_cells(phonon, 0.02):
        one = Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True)
        one.calc = EMT()
        forces.append(one.get_forces())
    phonons.set_forces(phonon, forces)
    return phonon


def test_path_is_that_of_the_lattice(copper):
    """A face-centred cubic crystal goes through its named points, and the path jumps from U to K."""
    bands = bands_of(copper, 21)
    assert [name for _, name in bands.ticks] == ['Γ', 'X', 'U|K', 'Γ', 'L', 'W', 'X']
    places = [place for place, _ in bands.ticks]
    assert places == sorted(places)
    # From Gamma to X it is one over the edge of the cube.
    assert places[1] == pytest.approx(1 / 3.59, rel=1e-6)


def test_bands_are_the_frequencies_of_phonopy(copper):
    """Three acoustic branches start at zero; at X they are those that phonopy gives there."""
    bands = bands_of(copper, 21)
    along, frequencies = bands.parts[0]
    assert frequencies.shape[1] == 3
    assert np.abs(frequencies[0]).max() < 1e-3
    copper.run_qpoints([[0.5, 0.0, 0.5]])
    assert frequencies[-1] == pytest.approx(np.array(copper.qpoints.frequencies)[0], abs=1e-8)
    assert along[0] == 0.0


def test_density_adds_up_to_the_bands(copper):
    """As many states as bands, none far beyond the highest frequency."""
    density = density_of(copper, 30.0)
    assert np.trapezoid(density.states, density.frequencies) == pytest.approx(3.0, rel=1e-2)
    assert density.states[0] == pytest.approx(0.0, abs=1e-2)
