"""Rows and jobs for the tests of the potentials; the shared modules are importable as they are from a bundle."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

REMOTE = Path(__file__).resolve().parents[2] / 'aiida_crystalgen' / 'remote'
MACE_MODEL = Path(__file__).resolve().parents[1] / 'assets' / 'mace' / 'al_cu.model'
MACE_SHA256 = '93e858c8c197109211dd879f7950d799889987f1460c574b4e33753fd3294aca'

if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))
relaxation = importlib.import_module('relaxation')


def make_job(file=None, **parameters):
    """Return what the harness gives an adapter."""
    return SimpleNamespace(parameters=parameters, model=None if file is None else str(file), device='cpu')


def make_row(atoms, name='0123456789abcdef-0'):
    """Return the row of an ASE crystal."""
    return {'id': name, 'index': 0, 'seed': 0, 'numbers': atoms.numbers, 'positions': atoms.positions.copy(),
            'cell': np.array(atoms.cell), 'pbc': np.array([True] * 3), 'columns': {}}  # fmt: skip


def relax_one(adapter, atoms, file=None, **parameters):
    """Return the only row that an adapter makes of one crystal."""
    (row,) = adapter.run(iter([make_row(atoms)]), make_job(file, **parameters))
    return row


def as_atoms(row):
    """Return the structure of a row as an ASE crystal."""
    from ase import Atoms

    return Atoms(**row['structure'])
