"""Phonons with CHGNet: verdicts against textbooks, frequencies and CPU time against a plain script.

    python benchmarks/phonons.py DATA [--precision float64] [--min-length 10] [--only Si Cu] [--verdicts]
        [--displacements 0.03 0.06] [--plain-precision float64] [--compact]

DATA holds `mp_reference.csv.gz` (columns `material_id` and `cif`). One job of the package, in one process, judges five
textbook crystals and ten of the reference. Then the script that a scientist would write does the same displacements of
the same relaxed crystals, one process and one loading of the model for each: CHGNet's own ASE calculator and phonopy.
With `--verdicts` that is left out; with `--plain-precision float64` CHGNet's calculator is made double precision as the
job is; with `--compact` its script has force constants of the primitive cell alone, as the job has. Printed are
JSON lines, one a crystal, and the CPU time of both; only the job relaxes, which is in its time.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

# Expected: what textbooks or published DFT phonons say of the crystal at 0 K.
TEXTBOOK = {
    'Si': ('stable', 'diamond'),
    'MgO': ('stable', 'rocksalt'),
    'NaCl': ('stable', 'rocksalt'),
    'Cu': ('stable', 'fcc'),
    'SrTiO3': ('unstable', 'cubic perovskite, soft at R'),
}
REFERENCE = {
    'mp-1138': ('stable', 'LiF, rocksalt'),
    'mp-2172': ('stable', 'AlAs, zincblende'),
    'mp-20351': ('stable', 'InP, zincblende'),
    'mp-1487': ('stable', 'NiAl, CsCl type'),
    'mp-631': ('stable', 'TiC, rocksalt'),
    'mp-2133': ('stable', 'ZnO, wurtzite'),
    'mp-1143': ('stable', 'Al2O3, corundum'),
    'mp-935811': ('unstable', 'KNbO3, cubic perovskite, soft at Gamma'),
    'mp-1069538': ('unstable', 'CsPbI3, cubic perovskite, soft at M and R'),
    'mp-998860': ('unstable', 'Al, bcc'),
}
DISPLACEMENTS = [0.03, 0.06]


def textbook_crystals() -> dict[str, Any]:
    """Return five crystals as ASE ones."""
    from ase.build import bulk
    from ase.spacegroup import crystal

    basis = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return {
        'Si': bulk('Si', a=5.43),
        'MgO': bulk('MgO', 'rocksalt', a=4.21),
        'NaCl': bulk('NaCl', 'rocksalt', a=5.64),
        'Cu': bulk('Cu', a=3.61),
        'SrTiO3': crystal(['Sr', 'Ti', 'O'], basis, spacegroup=221, cellpar=[3.905] * 3 + [90] * 3),
    }


def reference_crystals(folder: Path) -> dict[str, Any]:
    """Return the chosen crystals of the reference as ASE ones."""
    from ase.io import read

    with gzip.open(folder / 'mp_reference.csv.gz', 'rt', encoding='utf-8') as handle:
        cifs = {row['material_id']: row['cif'] for row in csv.DictReader(handle) if row['material_id'] in REFERENCE}
    return {name: read(io.StringIO(cifs[name]), format='cif') for name in REFERENCE}


def run_job(crystals: dict[str, Any], folder: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of one phonon job by name, and its report."""
    from aiida_crystalgen.bundles import phonon_bundle
    from aiida_crystalgen.data.convert import from_ase
    from aiida_crystalgen.schema.protocols import protocol_inputs

    numbers = {**protocol_inputs()['phonons'], **changes}
    numbers['fmax'] = 1e-4 if numbers['precision'] == 'float64' else 1e-3
    for atoms in crystals.values():
        atoms.info, atoms.arrays = {}, {name: atoms.arrays[name] for name in ('numbers', 'positions')}
    batch = from_ase(list(crystals.values()), list(crystals))
    batch.to_npz(folder / 'batch.npz')
    (folder / 'bundle.zip').write_bytes(phonon_bundle('chgnet'))
    job = {
        'module': 'phonons', 'stage': 'phonons', 'seed': 0, 'parameters': numbers, 'draw': '', 'units': 1,
        'whole_batch': False, 'environment': {}, 'model': None, 'assets': {}, 'tables': {}, 'columns': batch.meta(),
        'table_columns': {}, 'seconds_limit': None, 'processes': 1, 'threads': 1, 'device': 'cpu', 'batch_size': 1,
        'row_seconds_limit': None,
    }  # fmt: skip
    (folder / 'job.json').write_text(json.dumps(job))
    subprocess.run([sys.executable, 'bundle.zip'], cwd=folder, check=True, stdout=sys.stderr)
    rows = [json.loads(line) for line in (folder / 'out.jsonl').read_text().splitlines()]
    return {row['id']: row for row in rows}, json.loads((folder / 'report.json').read_text())


def in_double(model: Any) -> None:
    """Make CHGNet and the graphs that its own converter makes double precision, which its package has no option for."""
    import torch
    from chgnet.graph import converter, crystalgraph
    from chgnet.model import model as module

    for one in (converter, crystalgraph, module):
        one.TORCH_DTYPE = torch.float64
    model.double()
    model.composition_model.float()


def plain_script(path: str, displacements: list[float], precision: str, compact: bool) -> None:
    """Print the frequencies [THz] at commensurate q-points for each displacement, as the plain script finds them."""
    import warnings

    warnings.simplefilter('ignore')
    from ase import Atoms
    from chgnet.model.dynamics import CHGNetCalculator
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    calculator = CHGNetCalculator(use_device='cpu')
    if precision == 'float64':
        in_double(calculator.model)
    with np.load(path) as record:
        unit = PhonopyAtoms(numbers=record['numbers'], positions=record['positions'], cell=record['cell'])
        found = []
        for displacement in displacements:
            phonon = Phonopy(unit, np.diag(record['repeats']), primitive_matrix=str(record['primitive_matrix']))
            phonon.generate_displacements(distance=displacement)
            forces = []
            for cell in phonon.supercells_with_displacements:
                atoms = Atoms(numbers=cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True)
                atoms.calc = calculator
                forces.append(atoms.get_forces())
            phonon.forces = forces
            phonon.produce_force_constants(calculate_full_force_constants=not compact)
            phonon.symmetrize_force_constants()
            phonon.run_qpoints(record['points'])
            found.append(phonon.qpoints.frequencies.tolist())
    print(json.dumps(found))


def compare(name: str, folder: Path, displacements: list[float], precision: str, compact: bool) -> tuple[float, float]:
    """Return the largest difference of a frequency [THz] to the plain script's, and its CPU time [s]."""
    from aiida_crystalgen.science.phonons import commensurate_points, phonon_from_record

    with np.load(folder / 'blobs' / f'{name}.npz') as archive:
        record = dict(archive)
    phonon = phonon_from_record(record)
    points = commensurate_points(phonon)
    phonon.run_qpoints(points)
    np.savez(folder / 'plain.npz', **record, points=points)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, '--plain', str(folder / 'plain.npz'), '--plain-precision', precision]
    command += [*(['--compact'] if compact else []), '--displacements']
    command += [str(displacement) for displacement in displacements]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # What is kept are the force constants of the first displacement.
    plain = np.array(json.loads(done.stdout.splitlines()[-1])[0])
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(np.abs(np.sort(plain) - np.sort(phonon.qpoints.frequencies)).max()), seconds


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', nargs='?', type=Path)
    parser.add_argument('--precision', default='float64', choices=['float32', 'float64'])
    parser.add_argument('--min-length', type=float, default=10.0)
    parser.add_argument('--displacements', type=float, nargs='+', default=DISPLACEMENTS)
    parser.add_argument('--verdicts', action='store_true')
    parser.add_argument('--only', nargs='+', default=[])
    parser.add_argument('--plain-precision', default='float32', choices=['float32', 'float64'])
    parser.add_argument('--compact', action='store_true')
    parser.add_argument('--plain')
    asked = parser.parse_args()
    if asked.plain:
        plain_script(asked.plain, asked.displacements, asked.plain_precision, asked.compact)
        return
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    crystals = {**textbook_crystals(), **(reference_crystals(asked.data) if asked.data else {})}
    crystals = {name: atoms for name, atoms in crystals.items() if not asked.only or name in asked.only}
    expected = {**TEXTBOOK, **REFERENCE}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, report = run_job(
            crystals, folder, precision=asked.precision, min_length=asked.min_length, displacements=asked.displacements
        )
        print(json.dumps(report), flush=True)
        total = 0.0
        for crystal, row in rows.items():
            columns = {key.removeprefix('phonon_'): value for key, value in row['columns'].items()}
            difference = seconds = None
            if not asked.verdicts and (folder / 'blobs' / f'{crystal}.npz').exists():
                difference, seconds = compare(
                    crystal, folder, asked.displacements, asked.plain_precision, asked.compact
                )
                total += seconds
            facts = {'id': crystal, 'expected': expected[crystal], 'difference_THz': difference, 'plain_cpu': seconds}
            print(json.dumps({**facts, **columns, 'seconds': row['seconds']}), flush=True)
    ratio = None if asked.verdicts else total / report['seconds']['cpu']
    versions = {one: version(one) for one in ('chgnet', 'torch', 'phonopy', 'spglib', 'ase', 'numpy')}
    print(json.dumps({'cpu_job': report['seconds']['cpu'], 'cpu_plain': total, 'ratio': ratio}))
    print(json.dumps({'versions': versions, 'python': platform.python_version(), 'machine': platform.processor()}))


if __name__ == '__main__':
    main()
