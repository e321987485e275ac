"""The CHGNet adapter with the weights of its package. No AiiDA."""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from relaxation_rows import as_atoms, make_job, make_row, relax_one

from aiida_crystalgen.remote.adapters import chgnet

pytestmark = pytest.mark.filterwarnings('ignore:Converting a tensor with requires_grad')  # inside CHGNet


@pytest.fixture(scope='module')
def potential():
    """Return the default model."""
    return chgnet.Chgnet(make_job())


def crystals():
    """Yield crystals with many, some and no bonds below 3 A, in compact and skewed cells."""
    halite = bulk('MgO', 'rocksalt', a=4.25)
    yield halite
    yield bulk('MgO', 'rocksalt', a=4.1, cubic=True)
    skewed = halite.copy()
    skewed.set_cell([[1, 0, 0], [2, 1, 0], [0, -1, 1]] @ halite.cell[:])
    yield skewed
    yield bulk('Na', 'bcc', a=4.3)
    yield bulk('Cs', 'bcc', a=6.1)
    dense = bulk('Al', cubic=True, a=3.6)
    dense.rattle(0.2, seed=1)
    yield dense


@pytest.mark.parametrize('crystal', list(crystals()))
def test_same_as_its_own_calculator(potential, crystal):
    """Energy, forces and stress from our graph and one backward pass are those of CHGNet's calculator."""
    from chgnet.model.dynamics import CHGNetCalculator

    calculator = CHGNetCalculator(potential.model, use_device='cpu')
    calculator.calculate(crystal)
    row = make_row(crystal)
    energy, forces, stress = potential.evaluate(row['numbers'], row['positions'], row['cell'])
    assert energy == pytest.approx(float(calculator.results['energy']), abs=1e-5 * len(crystal))
    np.testing.assert_allclose(forces, calculator.results['forces'], atol=1e-4)
    np.testing.assert_allclose(stress, calculator.results['stress'], atol=1e-5)
    np.testing.assert_allclose(stress, stress.T, atol=1e-6)


def test_float64_is_the_same_model():
    """In double precision forces differ by the rounding of single precision alone, and become as small as asked for."""
    double = chgnet.Chgnet(make_job(precision='float64'))
    row = make_row(next(reversed(list(crystals()))))
    single = chgnet.Chgnet(make_job()).evaluate(row['numbers'], row['positions'], row['cell'])
    energy, forces, stress = double.evaluate(row['numbers'], row['positions'], row['cell'])
    assert energy == pytest.approx(single[0], abs=1e-4)
    np.testing.assert_allclose(forces, single[1], atol=1e-4)
    np.testing.assert_allclose(stress, single[2], atol=1e-5)
    assert np.abs(forces.sum(axis=0)).max() < 1e-12
    assert chgnet.level(make_job(precision='float64')).endswith(':float64')
    columns = relax_one(chgnet, bulk('Al', cubic=True, a=3.9), precision='float64', fmax=1e-5)['columns']
    assert (columns['converged'], columns['precision']) == (True, 'float64')


def test_many_crystals_in_one_pass(potential):
    """Forces of several crystals evaluated together are those of each alone."""
    cells = [(row['numbers'], row['positions'], row['cell']) for row in map(make_row, crystals())]
    for cell, forces in zip(cells, potential.forces_of(cells), strict=True):
        np.testing.assert_allclose(forces, potential.evaluate(*cell)[1], atol=2e-5)


def test_gradients(potential):
    """Forces and stress are the slopes of the energy."""
    crystal = bulk('MgO', 'rocksalt', a=4.3, cubic=True)
    crystal.rattle(0.1, seed=3)
    row, step = make_row(crystal), 5e-3
    _, forces, stress = potential.evaluate(row['numbers'], row['positions'], row['cell'])

    def energy(shift, strain):
        positions = row['positions'].copy()
        positions[1, 2] += shift
        stretch = np.eye(3)
        stretch[0, 1] += strain
        stretch[1, 0] += strain
        return potential.evaluate(row['numbers'], positions @ stretch, row['cell'] @ stretch)[0]

    slope = (energy(step, 0) - energy(-step, 0)) / (2 * step)
    assert forces[1, 2] == pytest.approx(-slope, abs=0.01)
    slope = (energy(0, step) - energy(0, -step)) / (2 * step)
    assert stress[0, 1] + stress[1, 0] == pytest.approx(slope / crystal.get_volume(), abs=1e-3)


def test_magnesium_oxide():
    """Rattled MgO relaxes to rock salt with the lattice constant of PBE; the columns say how."""
    crystal = bulk('MgO', 'rocksalt', a=4.4, cubic=True)
    crystal.rattle(0.1, seed=5)
    columns = (row := relax_one(chgnet, crystal))['columns']
    assert columns['converged']
    assert as_atoms(row).get_volume() ** (1 / 3) == pytest.approx(4.25, abs=0.05)
    assert columns['energy'] == pytest.approx(-6.31, abs=0.03)  # MP2020-corrected PBE
    assert columns['model_sha256'] == chgnet.weights(make_job())[1]
    assert columns['precision'] == 'float32'
    assert json.dumps(row, allow_nan=False, sort_keys=True) == json.dumps(relax_one(chgnet, crystal), sort_keys=True)


def test_level_of_theory():
    """The level names the weights that are used, without loading them."""
    assert chgnet.level(make_job()).startswith('mlip:chgnet-0.3.0:')
    assert chgnet.level(make_job()).endswith(':float32')
    assert len({chgnet.level(make_job(model=model)) for model in ('0.3.0', '0.2.0', 'r2scan')}) == 3
    assert chgnet.level(make_job(pressure=5)).endswith(':float32:P=5GPa')


def test_versions():
    """The versions are those of what is imported."""
    assert chgnet.versions()['chgnet'] == version('chgnet')


def test_unknown_element():
    """An element that MPtrj lacks is rejected by name."""
    verdict = relax_one(chgnet, bulk('Po', 'sc', a=3.3))['rejected']
    assert (verdict['reason'], verdict['detail']) == ('unsupported_element', 'chgnet-0.3.0 does not know Po.')


def test_isolated_atom():
    """An atom that sees no other is no crystal for a model of bonds."""
    pair_and_one = Atoms('MgOMg', [[0, 0, 0], [2, 0, 0], [7.5, 7.5, 7.5]], cell=[14, 14, 14], pbc=True)
    assert relax_one(chgnet, pair_and_one)['rejected']['reason'] == 'isolated_atoms'
