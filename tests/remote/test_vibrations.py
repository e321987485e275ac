"""Phonons as a task of any potential: amplitudes, second supercells, limits, and what is inconclusive. No AiiDA."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from relaxation_rows import make_job, make_row, relaxation

from aiida_crystalgen.remote.adapters import chgnet, emt

phonons = importlib.import_module('phonons')
QUICK = {'min_length': 5.0, 'mesh_length': 20.0, 'fmax': 1e-4}


@pytest.fixture(autouse=True)
def bundle(monkeypatch):
    """Make the modules importable as they are in a bundle, EMT as the adapter."""
    for name in ('', '.phonons', '.supercells'):
        monkeypatch.setitem(sys.modules, f'science{name}', importlib.import_module(f'aiida_crystalgen.science{name}'))
    monkeypatch.setitem(sys.modules, 'adapter', emt)


def run(crystals, **parameters):
    """Return the columns of some crystals with the potential of the bundle."""
    rows = [make_row(atoms, f'0123456789abcdef-{place}') for place, atoms in enumerate(crystals)]
    return [row['columns'] for row in phonons.run(iter(rows), make_job(**{**QUICK, **parameters}))]


def test_every_column_is_described():
    """A row holds no column that is not declared, temperatures included."""
    (columns,) = run([bulk('Cu', a=3.6)], temperatures=[77.5, 300])
    declared = phonons.columns(make_job(temperatures=[77.5, 300]))
    assert set(columns) - set(declared) == {'n_evaluations'}
    assert {'phonon_free_energy_77_5K', 'phonon_heat_capacity_300K'} <= set(columns)
    assert all(columns[name] is not None for name in columns)


def test_the_potential_is_made_once(monkeypatch):
    """However many crystals there are."""
    made = []
    monkeypatch.setattr(relaxation, 'FromCalculator', lambda *args, **kw: made.append(1) or Counting(*args, **kw))
    assert len(run([bulk('Cu', a=3.6), bulk('Al', a=4.0), bulk('Cu', a=3.6)])) == 3
    assert made == [1]


class Counting(relaxation.FromCalculator):
    """The usual potential under another name, since its own name is replaced."""


def test_tight_relaxation_comes_first():
    """From a strained cell the same phonons come out as from the minimum."""
    (strained,), (relaxed,) = run([bulk('Cu', a=3.75)]), run([bulk('Cu', a=3.59)])
    assert strained['phonon_fmax'] < 1e-4
    assert strained['phonon_lowest_frequency'] == pytest.approx(relaxed['phonon_lowest_frequency'], abs=2e-3)


def test_inconclusive_is_tried_in_a_larger_supercell():
    """Only there the second one is made; the columns are those of the second."""
    limits = {'stable_above': 0.0, 'unstable_below': -50.0}
    (columns,) = run([bulk('Cu', 'sc', a=2.4)], **limits)
    assert columns['phonon_verdict'] == 'inconclusive'
    (first,) = run([bulk('Cu', 'sc', a=2.4)], **limits, enlarge=1.0)
    assert first['phonon_supercell'].startswith('4x4x4') != columns['phonon_supercell'].startswith('4x4x4')
    (conclusive,) = run([bulk('Cu', 'sc', a=2.4)])
    assert conclusive['phonon_verdict'] == 'unstable'
    assert conclusive['phonon_supercell'] == first['phonon_supercell']


@pytest.mark.parametrize(
    ('atoms', 'parameters', 'reason'),
    [
        (bulk('W', a=3.2), {}, 'ended early: emt does not know W'),
        (bulk('Cu', a=3.7), {'max_steps': 1}, 'did not converge: 1 steps left a force'),
        (bulk('Cu', a=3.6), {'max_supercell_atoms': 4}, 'a supercell of 5 A would have more than 4 atoms'),
        (bulk('Cu', a=3.6), {'max_work': 10}, '2 supercells of 8 atoms would be too much work; `max_work` is 10'),
        (Atoms(cell=np.eye(3), pbc=True), {}, 'the row has no atoms'),
        (Atoms('Cu2', np.zeros((2, 3)), cell=np.eye(3) * 4, pbc=True), {}, 'no symmetry was found within 0.01 A'),
    ],
)
def test_what_cannot_be_done_is_inconclusive(atoms, parameters, reason):
    """No crystal is rejected: the reason stands beside the verdict."""
    (columns,) = run([atoms], **parameters)
    assert columns['phonon_verdict'] == 'inconclusive'
    assert reason in columns['phonon_reason']
    assert 'phonon_lowest_frequency' not in columns


def test_first_verdict_stays_where_the_second_supercell_is_too_large():
    """And the reason says that none was made."""
    (columns,) = run([bulk('Cu', 'sc', a=2.4)], stable_above=0.0, unstable_below=-50.0, max_supercell_atoms=64)
    assert columns['phonon_verdict'] == 'inconclusive'
    assert 'a larger supercell was not made' in columns['phonon_reason']
    assert columns['phonon_lowest_frequency'] < -1


def test_forces_in_batches_are_the_same():
    """A potential that can evaluate several supercells at once is given several."""
    sizes = []

    class Together(relaxation.FromCalculator):
        """EMT, many at once."""

        def forces_of(self, cells):
            sizes.append(len(cells))
            return [self.evaluate(*cell)[1] for cell in cells]

    atoms = bulk('Mg', a=3.2, c=5.2)
    atoms.symbols[:] = 'Cu'
    job = make_job(**QUICK, max_steps=2000)
    job.batch_size = 2
    (together,) = phonons.phonons([make_row(atoms)], job, Together(EMT(), 'emt', '0' * 64))
    job.batch_size = 1
    (alone,) = phonons.phonons([make_row(atoms)], job, Together(EMT(), 'emt', '0' * 64))
    assert max(sizes) == 2
    assert together == alone


def test_silicon_with_chgnet_is_the_plain_script(monkeypatch, tmp_path):
    """Frequencies equal those of CHGNet's own calculator with plain phonopy to 1e-3 THz; silicon is stable."""
    from chgnet.model.dynamics import CHGNetCalculator
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    from aiida_crystalgen.science.phonons import commensurate_points, phonon_from_record

    monkeypatch.setitem(sys.modules, 'adapter', chgnet)
    job = make_job(**QUICK, precision='float64', displacements=[0.03])
    job.blobs = str(tmp_path)
    (row,) = phonons.run([make_row(bulk('Si', a=5.43))], job)
    assert (row['columns']['phonon_verdict'], row['columns']['phonon_precision']) == ('stable', 'float64')
    with np.load(tmp_path / '0123456789abcdef-0.npz') as archive:
        record = dict(archive)
    ours = phonon_from_record(record)
    points = commensurate_points(ours)
    ours.run_qpoints(points)
    unit = PhonopyAtoms(numbers=record['numbers'], positions=record['positions'], cell=record['cell'])
    plain = Phonopy(unit, np.diag(record['repeats']), primitive_matrix=str(record['primitive_matrix']))
    plain.generate_displacements(distance=0.03)
    calculator = CHGNetCalculator(use_device='cpu')
    plain.forces = [
        calculator.get_forces(Atoms(numbers=cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True))
        for cell in plain.supercells_with_displacements
    ]
    plain.produce_force_constants()
    plain.symmetrize_force_constants()
    plain.run_qpoints(points)
    assert np.abs(plain.qpoints.frequencies - ours.qpoints.frequencies).max() < 1e-3
