"""The EMT adapter. No AiiDA."""

from __future__ import annotations

import pytest
from ase.build import bulk
from relaxation_rows import as_atoms, make_job, relax_one

from aiida_crystalgen.remote.adapters import emt


def test_copper():
    """Copper relaxes to EMT's own lattice constant."""
    row = relax_one(emt, bulk('Cu', cubic=True, a=3.8), fmax=0.001)
    assert row['columns']['converged']
    assert as_atoms(row).cell.lengths() == pytest.approx([3.59] * 3, abs=0.01)


def test_known_elements():
    """What `ABOUT` declares is what ASE has parameters for."""
    from ase.calculators.emt import parameters

    assert set(emt.ABOUT['elements']) == set(parameters)


def test_level_of_theory():
    """The level names the version of ASE, whose code holds the parameters."""
    assert emt.level(make_job()).startswith(f'mlip:emt-ase-{emt.versions()["ase"]}:')
