"""Short molecular dynamics with EMT: what keeps its structure, what does not, and what is said of it. No AiiDA."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from relaxation_rows import make_job, make_row, relaxation

from aiida_crystalgen.remote.adapters import emt
from aiida_crystalgen.science.supercells import standardise

phonons = importlib.import_module('phonons')
dynamics = importlib.import_module('dynamics')
NAME = '0123456789abcdef-0'
SHORT = {'md_time': 0.2, 'md_timestep': 4.0, 'md_min_length': 7.0, 'max_supercell_atoms': 200}


@pytest.fixture(autouse=True)
def bundle(monkeypatch):
    """Make the modules importable as they are in a bundle, EMT as the adapter."""
    for name in ('', '.phonons', '.supercells'):
        monkeypatch.setitem(sys.modules, f'science{name}', importlib.import_module(f'aiida_crystalgen.science{name}'))
    monkeypatch.setitem(sys.modules, 'adapter', emt)


def look(atoms, name=NAME, **changes):
    """Return the columns of a crystal and the evaluations that they cost."""
    options = {**phonons.options_of(make_job()), **SHORT, **changes}
    standard = standardise(atoms.numbers, atoms.positions, atoms.cell.array, 1e-3)
    potential = relaxation.FromCalculator(EMT(), 'emt', 'none')
    return dynamics.looked_at(name, standard, potential, options)


def test_copper_keeps_its_structure():
    """At 300 K copper comes back to where it was; the bath has about the temperature asked for."""
    columns, cost = look(bulk('Cu', a=3.59), md_temperature=300.0)
    assert columns['dynamics_kept'] is True
    assert 'the same structure after 0.2 ps at 300 K' in columns['dynamics_reason']
    assert columns['dynamics_displacement'] < 0.05
    assert 150 < columns['dynamics_temperature'] < 600
    assert columns['dynamics_time'] == pytest.approx(0.2)
    assert cost > 50


def test_the_limit_on_atoms_is_one_of_crystals():
    """A supercell of more atoms than `max_atoms` allows a crystal is no reason to say that it fell apart."""
    columns, _ = look(bulk('Cu', a=3.59), md_temperature=300.0, md_time=0.04, max_atoms=5)
    assert columns['dynamics_kept'] is True


def test_a_crystal_on_a_saddle_does_not():
    """Simple cubic copper is held up by its symmetry alone."""
    columns, _ = look(bulk('Cu', 'sc', a=2.4), md_temperature=300.0)
    assert columns['dynamics_kept'] is False
    assert columns['dynamics_reason']


def test_the_id_decides_the_seed():
    """The same crystal goes the same way again, another id another way."""
    short = {'md_temperature': 300.0, 'md_time': 0.04}
    first, again, other = (look(bulk('Cu', a=3.59), name, **short)[0] for name in (NAME, NAME, f'{NAME}0'))
    assert first == again
    assert first['dynamics_temperature'] != other['dynamics_temperature']
    assert first['dynamics_seed'] != other['dynamics_seed']


def test_a_supercell_that_would_be_too_large_leaves_it_unknown():
    """The reason is told, and nothing is computed."""
    columns, cost = look(bulk('Cu', a=3.59), md_temperature=300.0, max_supercell_atoms=2)
    assert columns.get('dynamics_kept') is None
    assert 'over 2 atoms' in columns['dynamics_reason']
    assert cost == 0


def test_none_is_made_unless_asked_for():
    """By default there is neither a column nor an evaluation of it; with a temperature the job has both."""
    assert look(bulk('Cu', a=3.59)) == ({}, 0)
    assert 'dynamics_kept' not in phonons.columns(make_job())
    parameters = {'min_length': 5.0, 'mesh_length': 20.0, 'md_temperature': 300.0, **SHORT}
    (row,) = phonons.run(iter([make_row(bulk('Cu', a=3.6))]), make_job(**parameters))
    assert row['columns']['dynamics_kept'] is True
    assert row['columns']['phonon_verdict'] == 'stable'
    assert set(row['columns']) - {'n_evaluations'} <= set(phonons.columns(make_job(**parameters)))


def test_the_supercell_holds_whole_cells():
    """Its atoms are those of the cell, moved by whole lattice vectors."""
    from aiida_crystalgen.science.supercells import choose_supercell

    atoms = bulk('NaCl', 'rocksalt', a=5.6)
    supercell = choose_supercell(standardise(atoms.numbers, atoms.positions, atoms.cell.array, 1e-3), 7.0, 200)
    numbers, positions, cell = dynamics.repeated(supercell)
    assert len(numbers) == supercell.n_atoms
    inside = positions @ np.linalg.inv(supercell.unit.cell)
    for number in (11, 17):
        places = inside[numbers == number] - supercell.unit.positions[supercell.unit.numbers == number][
            np.newaxis, 0
        ] @ np.linalg.inv(supercell.unit.cell)
        assert np.allclose(places[0], np.rint(places[0]))
    assert np.linalg.det(cell) == pytest.approx(np.linalg.det(supercell.unit.cell) * np.prod(supercell.repeats))
