"""The relaxation driver on ASE's EMT and on potentials whose answer is known by hand. No AiiDA."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from relaxation_rows import as_atoms, make_job, make_row, relaxation

from aiida_crystalgen.remote.adapters import emt

GPA = 160.21766208
ALLOY = bulk('Cu', cubic=True, a=3.7)
ALLOY.symbols[0] = 'Au'


class Pairs:
    """A pair energy u(r) between the two atoms of a cell, and a constant pressure of the cell itself [eV/A^3]."""

    name, sha256, precision, numbers = 'pairs', '0' * 64, 'float64', None

    def __init__(self, energy=lambda r: 0.0, slope=lambda r: 0.0, pressure=0.0):
        self.energy, self.slope, self.pressure = energy, slope, pressure

    def evaluate(self, numbers, positions, cell):
        """Return energy, forces and stress."""
        apart = positions[1] - positions[0]
        distance = np.linalg.norm(apart)
        force = self.slope(distance) * apart / distance
        return self.energy(distance), np.array([force, -force]), -self.pressure * np.eye(3)


def rattled(seed=0, atoms=ALLOY, strain=0.03):
    """Return a crystal out of equilibrium."""
    crystal = atoms.copy()
    rng = np.random.default_rng(seed)
    crystal.set_cell(crystal.cell[:] @ (np.eye(3) + rng.uniform(-strain, strain, (3, 3))), scale_atoms=True)
    crystal.rattle(0.1, rng=rng)
    return crystal


def run(atoms, potential=None, **parameters):
    """Return the only row made of a crystal, by default with EMT."""
    potential = potential or relaxation.FromCalculator(EMT(), 'emt', '0' * 64)
    (row,) = relaxation.relax([make_row(atoms)], make_job(**parameters), potential)
    return row


def pair(distance, length=10.0):
    """Return two copper atoms in a cube."""
    return Atoms('Cu2', [[1, 1, 1], [1 + distance, 1, 1]], cell=[length] * 3, pbc=True)


@pytest.mark.parametrize('seed', range(2))
@pytest.mark.parametrize('optimizer', ['lbfgs', 'fire'])
def test_same_minimum_as_ase(seed, optimizer):
    """Both optimisers end where ASE's FIRE with its Frechet cell filter ends."""
    crystal = rattled(seed)
    row = run(crystal, fmax=0.005, optimizer=optimizer)
    crystal.calc = EMT()
    FIRE(FrechetCellFilter(crystal), logfile=None).run(fmax=0.005, steps=1000)
    assert row['columns']['converged']
    assert row['columns']['energy'] == pytest.approx(crystal.get_potential_energy() / len(crystal), abs=2e-4)


@pytest.mark.parametrize('parameters', [{}, {'max_steps': 3}, {'pressure': 20.0}, {'optimizer': 'fire'}])
def test_fmax_is_that_of_a_frechet_cell_filter(parameters):
    """The largest force is what ASE finds at the geometry that is returned, and `converged` says no more than that."""
    columns = (row := run(rattled(), **parameters))['columns']
    atoms = as_atoms(row)
    atoms.calc = EMT()
    forces = FrechetCellFilter(atoms, scalar_pressure=parameters.get('pressure', 0.0) / GPA).get_forces()
    assert columns['fmax'] == pytest.approx(np.linalg.norm(forces, axis=1).max(), abs=1e-6)
    assert columns['converged'] is (columns['fmax'] < 0.05)
    assert columns['energy'] == pytest.approx(atoms.get_potential_energy() / 4, abs=1e-9)


def test_step_limit():
    """A crystal that runs out of steps is kept and called unconverged."""
    columns = run(rattled(), max_steps=2)['columns']
    assert (columns['converged'], columns['n_steps'], columns['n_evaluations']) == (False, 2, 3)


def test_time_limit():
    """A crystal that runs out of time is kept and called unconverged."""
    columns = run(rattled(), seconds=1e-9)['columns']
    assert (columns['converged'], columns['n_steps']) == (False, 0)


def test_lbfgs_is_frugal():
    """L-BFGS needs less than two thirds of the evaluations of FIRE."""
    counts = {name: sum(run(rattled(seed), optimizer=name)['columns']['n_evaluations'] for seed in range(3))
              for name in ('lbfgs', 'fire')}  # fmt: skip
    assert counts['lbfgs'] < 0.66 * counts['fire']


def test_pressure():
    """Under pressure the crystal is smaller, and the enthalpy counts pressure times volume."""
    columns = (row := run(rattled(), pressure=20.0, fmax=0.01))['columns']
    volume = as_atoms(row).get_volume() / 4
    assert columns['enthalpy'] == pytest.approx(columns['energy'] + 20.0 / GPA * volume, abs=1e-12)
    assert columns['pressure'] == 20.0
    assert volume < 0.95 * as_atoms(run(rattled(), fmax=0.01)).get_volume() / 4


def test_no_pressure_means_energy():
    """Without pressure the enthalpy is the energy."""
    columns = run(rattled())['columns']
    assert columns['enthalpy'] == columns['energy']


def test_fixed_cell():
    """With the cell fixed only positions move, and the virial is no force."""
    columns = (row := run(rattled(), relax_cell=False))['columns']
    np.testing.assert_allclose(row['structure']['cell'], rattled().cell[:], atol=1e-12)
    assert columns['converged']
    assert columns['volume_change'] == pytest.approx(1.0)
    assert columns['displacement'] > 0.05


def test_left_handed_cell():
    """A left-handed cell is returned right-handed and is the same crystal."""
    right, left = rattled(), rattled()
    left.set_cell(right.cell[[1, 0, 2]])
    row = run(left, fmax=0.005)
    assert np.linalg.det(row['structure']['cell']) > 0
    assert row['columns']['energy'] == pytest.approx(run(right, fmax=0.005)['columns']['energy'], abs=1e-4)


def test_skewed_cell():
    """A crystal told in a skewed cell has the energy of the same crystal in a compact one."""
    skewed = rattled()
    skewed.set_cell([[1, 0, 0], [3, 1, 0], [-2, 4, 1]] @ rattled().cell[:])
    energy = run(skewed, fmax=0.005)['columns']['energy']
    assert energy == pytest.approx(run(rattled(), fmax=0.005)['columns']['energy'], abs=2e-4)


def test_symmetry_is_kept():
    """A crystal relaxes within the symmetry that it starts with."""
    atoms = as_atoms(run(bulk('Cu', 'hcp', a=2.7, c=4.9)))
    np.testing.assert_allclose(atoms.cell.angles(), [90, 90, 120], atol=1e-6)
    assert atoms.cell.lengths()[0] == pytest.approx(atoms.cell.lengths()[1], abs=1e-6)
    np.testing.assert_allclose(atoms.get_scaled_positions() @ [3, 3, 2], [0, 4], atol=1e-6)


def test_displacement_of_a_pure_strain():
    """A change of cell alone, or a shift of all atoms, is no displacement."""
    columns = run(bulk('Cu', cubic=True, a=3.8))['columns']
    assert columns['displacement'] == pytest.approx(0.0, abs=1e-6)
    assert columns['volume_change'] == pytest.approx((3.59 / 3.8) ** 3, abs=0.01)


def test_same_bytes():
    """The same crystal gives the same bytes."""
    first, second = (json.dumps(run(rattled()), sort_keys=True) for _ in range(2))
    assert first == second


def test_level_of_theory():
    """The level names model, weights, precision and, if there is any, pressure."""
    levels = [relaxation.level_of_theory('m-1', 'ab' * 32, 'float32', make_job(pressure=p)) for p in (0.0, 5.0)]
    assert levels == ['mlip:m-1:abababababab:float32', 'mlip:m-1:abababababab:float32:P=5GPa']


def bad_crystals():
    """Yield crystals that cannot be relaxed, each with the reason."""
    yield Atoms(cell=[3, 3, 3], pbc=True), 'no_atoms'
    yield bulk('Cu').repeat((3, 3, 3)), 'too_many_atoms'
    yield Atoms('Cu', [[np.nan, 0, 0]], cell=[3, 3, 3], pbc=True), 'non_finite'
    yield Atoms('Cu', cell=[3, 3, np.inf], pbc=True), 'non_finite'
    yield Atoms('CuFe', [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True), 'unsupported_element'
    yield Atoms('X', cell=[3, 3, 3], pbc=True), 'unsupported_element'
    yield Atoms('Cu', cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]], pbc=True), 'zero_volume'
    yield Atoms('Cu', cell=[0, 0, 0], pbc=True), 'zero_volume'
    yield Atoms('Cu', cell=[1, 1, 1], pbc=True), 'volume_per_atom'
    yield Atoms('Cu', cell=[1e4, 1e4, 1e4], pbc=True), 'volume_per_atom'
    yield pair(0.1, 4.0), 'collapsed'
    yield pair(0.0, 4.0), 'collapsed'
    yield Atoms('Cu2', [[0.05, 1, 1], [3.9, 1, 1]], cell=[4, 4, 4], pbc=True), 'collapsed'
    yield Atoms('Cu', cell=[0.2, 10, 10], pbc=True), 'collapsed'
    yield Atoms('Cu', cell=[[10, 0, 0], [10.2, 0.1, 0], [0, 0, 30]], pbc=True), 'collapsed'
    yield Atoms('Cu', cell=[0.01, 100, 100], pbc=True), 'collapsed'
    yield Atoms('Cu', cell=[[3, 0, 0], [900, 3, 0], [0, 900, 3]], pbc=True), 'skewed_cell'
    yield Atoms('Cu', cell=[9, 9, 9], pbc=True), 'isolated_atoms'


@pytest.mark.parametrize(('crystal', 'reason'), list(bad_crystals()))
def test_bad_crystal_is_rejected(crystal, reason):
    """A crystal that cannot be relaxed ends as a row with a reason; the next one is relaxed."""
    rows = list(emt.run([make_row(crystal, 'a-0'), make_row(rattled(), 'a-1')], make_job(max_atoms=20)))
    assert rows[0]['rejected']['reason'] == reason
    assert rows[0]['rejected']['detail'].endswith('.')
    assert 'structure' not in rows[0]
    assert rows[1]['columns']['converged']
    json.dumps(rows, allow_nan=False)


def test_element_and_model_are_named():
    """A crystal with unknown elements is told which, and by which model."""
    crystal = Atoms('CuFeSi', [[0, 0, 0], [2, 2, 2], [2, 0, 0]], cell=[4, 4, 4], pbc=True)
    (row,) = emt.run([make_row(crystal)], make_job())
    assert row['rejected']['detail'] == 'emt does not know Si, Fe.'


def test_not_periodic():
    """A slab is no crystal."""
    row = {**make_row(rattled()), 'pbc': np.array([True, True, False])}
    (result,) = emt.run([row], make_job())
    assert result['rejected']['reason'] == 'not_periodic'


def test_unphysical_forces():
    """Overlapping atoms whose forces no optimiser can follow are rejected before the first step."""
    argon = relaxation.FromCalculator(LennardJones(sigma=3.4, epsilon=0.01, rc=8.0), 'lj', '0' * 64)
    verdict = run(pair(0.5), argon)['rejected']
    assert (verdict['reason'], verdict['threshold']) == ('unphysical_forces', 1e4)
    assert verdict['value'] > 1e4


def test_non_finite_energy():
    """A model that answers NaN ends the crystal, at the first or at a later step."""
    assert run(pair(2.0), Pairs(lambda r: np.nan, lambda r: 1.0))['rejected']['reason'] == 'non_finite_energy'
    later = Pairs(lambda r: (r - 2.0) ** 2 if r > 2.5 else np.nan, lambda r: 2 * (r - 2.0))
    row = run(pair(3.0), later)
    assert row['rejected']['reason'] == 'non_finite_energy'
    assert row['columns']['n_evaluations'] > 1


@pytest.mark.parametrize(('pressure', 'threshold'), [(1.0, 5.0), (-1.0, 0.2)])
def test_volume_runaway(pressure, threshold):
    """A crystal that explodes or implodes is stopped before the model is asked about it."""
    downhill = itertools.count(0, -1)
    verdict = run(pair(2.0), Pairs(lambda r: next(downhill), pressure=pressure))['rejected']
    assert (verdict['reason'], verdict['threshold']) == ('volume_runaway', threshold)


def test_collapse():
    """A model with a hole that atoms fall into gives a rejected crystal, not a record energy."""
    hole = Pairs(lambda r: 5 * r, lambda r: 5.0)
    assert run(pair(1.0), hole, max_steps=40)['rejected']['reason'] == 'collapsed'
