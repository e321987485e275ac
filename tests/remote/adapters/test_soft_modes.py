"""Following the softest mode of crystals that EMT finds unstable."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from generator_job import job, load, requests

from aiida_crystalgen.remote.adapters import emt

phonons = importlib.import_module('phonons')
adapter = load('soft_modes')
PARENT, STABLE = '0123456789abcdef-0', '0123456789abcdef-1'


@pytest.fixture(scope='module')
def force_constants(tmp_path_factory):
    """Return the folder of a phonon job on body-centred (unstable) and face-centred copper (stable)."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp('blobs')
    for name in ('', '.phonons', '.supercells'):
        patch.setitem(sys.modules, f'science{name}', importlib.import_module(f'aiida_crystalgen.science{name}'))
    patch.setitem(sys.modules, 'adapter', emt)
    crystals = [(PARENT, bulk('Cu', 'bcc', a=2.87)), (STABLE, bulk('Cu', a=3.6))]
    rows = [
        {'id': name, 'numbers': atoms.numbers, 'positions': atoms.positions, 'cell': atoms.cell.array, 'pbc': atoms.pbc,
         'columns': {}}
        for name, atoms in crystals
    ]  # fmt: skip
    parameters = {'min_length': 5.0, 'mesh_length': 20.0, 'fmax': 1e-4}
    task = SimpleNamespace(parameters=parameters, model=None, device='cpu', batch_size=1, blobs=str(folder))
    verdicts = [row['columns']['phonon_verdict'] for row in phonons.run(iter(rows), task)]
    assert verdicts == ['unstable', 'stable']
    yield folder
    patch.undo()


def follow(folder, count=3, **parameters) -> list[dict]:
    """Return finished rows."""
    return list(adapter.run(requests(count), job(parameters, force_constants=folder)))


def atoms_of(row) -> Atoms:
    """Return the crystal of a finished row."""
    return Atoms(**{key: row['structure'][key] for key in ('numbers', 'positions', 'cell', 'pbc')})


def energy(atoms, relax=False) -> float:
    """Return the energy [eV/atom], after a relaxation of atoms and cell if asked for."""
    atoms.calc = EMT()
    if relax:
        BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=200)
    return atoms.get_potential_energy() / len(atoms)


def test_the_mode_leads_downhill(force_constants):
    """The energy falls along the mode, and relaxation ends below the crystal that it started from."""
    parent = energy(bulk('Cu', 'bcc', a=2.87), relax=True)
    (row,) = follow(force_constants, 1, amplitudes=[0.15])
    assert energy(atoms_of(row)) < parent - 1e-4
    assert energy(atoms_of(row), relax=True) < parent - 5e-3


def test_only_unstable_crystals_are_followed(force_constants):
    """Every row says whose mode it is, how soft it was and how far the atoms went."""
    rows = follow(force_constants, 4, amplitudes=[0.1, 0.3])
    columns = [row['columns'] for row in rows]
    assert {one['born_from'] for one in columns} == {PARENT}
    assert all(one['soft_mode_frequency'] < -0.5 for one in columns)
    assert [one['soft_mode_amplitude'] for one in columns] == [0.1, 0.3, 0.1, 0.3]


def test_amplitude_is_that_of_the_atom_that_moves_most(force_constants):
    """No atom is further from its place in the unstable crystal than the amplitude, and one is as far."""
    primitive = adapter.softest(str(force_constants / f'{PARENT}.npz')).phonon.primitive.cell
    for row in follow(force_constants, 3, amplitudes=[0.2]):
        inside = atoms_of(row).positions @ np.linalg.inv(primitive)
        shifts = (inside - np.rint(inside)) @ primitive
        assert np.linalg.norm(shifts, axis=1).max() == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize(
    ('point', 'cells'),
    [((0, 0, 0), 1), ((0.5, 0, 0), 2), ((0.5, 0.5, 0.5), 2), ((0.5, 0.5, 0), 2), ((0.25, 0.5, 0), 4),
     ((-1 / 3, 0, 0.5), 6)],
)  # fmt: skip
def test_the_cell_is_the_smallest_that_holds_the_wave(point, cells):
    """A mode at the corner of the zone of a cubic crystal needs two primitive cells, not eight."""
    cell = adapter.smallest_cell(point)
    assert round(np.linalg.det(cell)) == cells
    waves = cell @ np.array(point)
    assert np.allclose(waves, np.rint(waves))


def test_a_seed_gives_its_crystal_whatever_else_is_asked_for(force_constants):
    """Rows do not depend on each other; another seed goes another way."""
    rows = follow(force_constants, 4, amplitudes=[0.2])
    (alone,) = adapter.run(requests(1, first=2), job({'amplitudes': [0.2]}, force_constants=force_constants))
    assert alone['structure'] == rows[2]['structure']
    assert rows[1]['structure'] != rows[2]['structure']


def test_a_cell_that_would_be_too_large_is_a_rejected_row(force_constants):
    """The mode is named all the same."""
    (row,) = follow(force_constants, 1, max_atoms=1)
    assert row['rejected']['reason'] == 'cell_too_large'
    assert row['columns']['born_from'] == PARENT


@pytest.mark.parametrize(
    ('files', 'sentence'),
    [({}, 'there are no force constants'), ({f'{STABLE}.npz': None}, 'nothing leads away'),
     ({'x.npz': b'nothing'}, 'holds no force constants')],
)  # fmt: skip
def test_without_an_unstable_crystal_there_is_one_sentence(force_constants, tmp_path, files, sentence):
    """No file, none of an unstable crystal, or a file of something else."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content or (force_constants / name).read_bytes())
    with pytest.raises(ValueError, match=sentence):
        follow(tmp_path)
