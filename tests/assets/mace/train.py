"""Train the small MACE model kept beside this file: Al, Cu and their alloys, labelled by ASE's EMT.

Usage: ``OMP_NUM_THREADS=1 python train.py FOLDER`` (about five CPU minutes); the model is ``FOLDER/al_cu.model``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

LATTICE = {'fcc': 1.0, 'bcc': 0.794, 'sc': 0.63}  # cubic lattice constant at equal volume per atom, fcc = 1
RADII = {'Al': 4.0, 'Cu': 3.61}  # fcc lattice constants, A
SETTINGS = {
    'model': 'ScaleShiftMACE', 'r_max': 4.5, 'num_interactions': 2, 'num_channels': 8, 'max_L': 0, 'max_ell': 2,
    'correlation': 2, 'num_radial_basis': 6, 'radial_MLP': '[16, 16]', 'MLP_irreps': '8x0e', 'loss': 'universal',
    'energy_weight': 10.0, 'forces_weight': 10.0, 'stress_weight': 10.0, 'compute_stress': 'True',
    'energy_key': 'energy_emt', 'forces_key': 'forces_emt', 'stress_key': 'stress_emt', 'batch_size': 8,
    'valid_fraction': 0.1, 'max_num_epochs': 90, 'lr': 0.01, 'scheduler': 'ExponentialLR', 'lr_scheduler_gamma': 0.95,
    'eval_interval': 5, 'default_dtype': 'float32', 'device': 'cpu', 'seed': 1, 'plot': 'False',
    'error_table': 'PerAtomMAE',
}  # fmt: skip


def make_crystal(rng: np.random.Generator) -> Atoms:
    """Return a strained and rattled fcc, bcc or sc supercell of 2 to 8 atoms, with random Al and Cu on its sites."""
    kind = rng.choice(['fcc', 'fcc', 'bcc', 'sc'])
    share = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0])
    length = (share * RADII['Cu'] + (1 - share) * RADII['Al']) * LATTICE[kind]
    atoms = bulk('Al', str(kind), a=length, cubic=True).repeat((2 if kind != 'fcc' else 1, 1, 2))
    symbols = np.where(rng.random(len(atoms)) < share, 'Cu', 'Al')
    atoms.set_chemical_symbols(list(symbols))
    strain = 0.03 * rng.standard_normal((3, 3)) + np.eye(3) * rng.uniform(-0.07, 0.10)
    atoms.set_cell(atoms.cell[:] @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    atoms.rattle(rng.choice([0.0, 0.05, 0.1, 0.2]), rng=rng)
    return atoms


def label(atoms: Atoms) -> Atoms:
    """Attach the energy (eV), forces (eV/A) and stress (eV/A^3) of EMT under keys that MACE reads."""
    atoms.calc = EMT()
    labelled = atoms.copy()
    labelled.info['energy_emt'] = atoms.get_potential_energy()
    labelled.arrays['forces_emt'] = atoms.get_forces()
    labelled.info['stress_emt'] = atoms.get_stress(voigt=True)
    return labelled


def main(folder: Path) -> None:
    """Write the training set into `folder` and train on it."""
    rng = np.random.default_rng(2026)
    crystals = [label(make_crystal(rng)) for _ in range(360)]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / 'train.extxyz', crystals)
    isolated = {z: float(Atoms([z], calculator=EMT()).get_potential_energy()) for z in (13, 29)}
    options = {**SETTINGS, 'name': 'al_cu', 'train_file': 'train.extxyz', 'E0s': str(isolated)}
    arguments = [f'--{key}={value}' for key, value in options.items()]
    command = [str(Path(sys.executable).with_name('mace_run_train')), *arguments]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})


if __name__ == '__main__':
    main(Path(sys.argv[1]))
