"""The adapter for any ASE calculator, on three real ones. No AiiDA."""

from __future__ import annotations

import pytest
from ase.build import bulk
from relaxation_rows import MACE_MODEL, MACE_SHA256, as_atoms, make_job, relax_one

from aiida_crystalgen.remote.adapters import ase, emt, mace

ARGON = {'sigma': 3.405, 'epsilon': 0.0104, 'rc': 10.0, 'smooth': True}


def test_lennard_jones():
    """Argon relaxes to the lattice constant of its Lennard-Jones crystal."""
    row = relax_one(ase, bulk('Ar', cubic=True, a=5.6), factory='ase.calculators.lj:LennardJones', arguments=ARGON,
                    fmax=0.001)  # fmt: skip
    assert row['columns']['converged']
    assert as_atoms(row).cell.lengths() == pytest.approx([5.26] * 3, abs=0.03)


def test_emt():
    """EMT by way of its factory is the EMT adapter."""
    crystal = bulk('Au', cubic=True, a=4.2)
    row = relax_one(ase, crystal, factory='ase.calculators.emt:EMT')
    assert row['structure'] == relax_one(emt, crystal)['structure']


@pytest.mark.filterwarnings('ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')
@pytest.mark.filterwarnings('ignore:`torch.jit')
def test_model_file():
    """A calculator that reads a model file gets its path, if the file is trusted."""
    options = {'factory': 'mace.calculators:MACECalculator', 'precision': 'float32',
               'arguments': {'model_paths': '{model}', 'default_dtype': 'float32'}}  # fmt: skip
    crystal = bulk('Cu', a=3.7)
    row = relax_one(ase, crystal, MACE_MODEL, trust=MACE_SHA256, **options)
    assert row['structure'] == relax_one(mace, crystal, MACE_MODEL, trust=MACE_SHA256)['structure']
    with pytest.raises(ValueError, match='`trust` is not given'):
        relax_one(ase, crystal, MACE_MODEL, **options)


def test_level_of_theory():
    """The level changes with the factory and with its arguments."""
    jobs = [make_job(factory='ase.calculators.lj:LennardJones', arguments=ARGON),
            make_job(factory='ase.calculators.lj:LennardJones', arguments={**ARGON, 'rc': 8.0}),
            make_job(factory='ase.calculators.emt:EMT')]  # fmt: skip
    assert len({ase.level(job) for job in jobs}) == 3
    assert ase.level(jobs[0]) == ase.level(jobs[0])
    assert ase.level(jobs[2]).startswith('mlip:ase.calculators.emt:EMT:')


@pytest.mark.parametrize('factory', ['no_such_module:Calculator', 'ase.calculators.lj:Nothing', 'nothing'])
def test_missing_factory(factory):
    """A factory that is not there is named in one sentence."""
    with pytest.raises(ValueError, match=f'The calculator `{factory}` cannot be made here'):
        relax_one(ase, bulk('Cu'), factory=factory)
