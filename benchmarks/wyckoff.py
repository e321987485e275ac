"""Figures of the model `wyckoff` beside published samples of CrystalFormer and DiffCSP, by the same code.

    python -m benchmarks.wyckoff ../shared/data [--weights FILE] [--samples 10000] [--real data.npz]
    python -m benchmarks.wyckoff ../shared/data --speed

The folder holds `mp_reference.csv.gz`, `generators/crystalformer/published` and `generators/diffcsp/published`;
`data.npz` is the encoded table (see the model card). Nothing is rejected before it is counted. Shares come with 95 %
Wilson intervals, split at 20 atoms of the primitive cell. The true training sets of the published models are not at
hand: their novelty is against ours.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gzip
import json
import math
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_crystalgen.models.wyckoff import WyckoffModel
from aiida_crystalgen.models.wyckoff.data import SHARES, Dataset, place_of
from aiida_crystalgen.science import composition, identity, validity
from aiida_crystalgen.science.crystal import Crystal, symbol_of
from benchmarks.hull import key_of

CRYSTALFORMER = 'generators/crystalformer/published/CrystalFormer_mp_20.csv.gz'
DIFFCSP = 'generators/diffcsp/published/DiffCSP_mp_20.pt'
SYMPREC = 0.1
SMALL = 20
VARIANTS: dict[str, dict[str, Any]] = {
    'default': {},
    'adapter': {'max_atoms': SMALL, 'e_above_hull': 0.0, 'guidance': 1.0},
    'small': {'max_atoms': SMALL},
    'no-clearance': {'clearance': 0.0},
    'near-hull': {'max_atoms': SMALL, 'e_above_hull': 0.0},
    'sharp': {'temperature': 0.8},
    'sharper': {'temperature': 0.6},
    'cold': {'temperature': 0.8, 'variety': 0.8},
}
LARGE = ('default', 'adapter')


def wilson(hits: int, n: int) -> list[float]:
    """Return a share and its 95 % interval."""
    if n == 0:
        return []
    z, p = 1.96, hits / n
    middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round(value, 3) for value in (p, (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n))]


def crystal(name: str, numbers: Any, positions: Any, cell: Any, **columns: Any) -> Crystal:
    """Return a crystal of Cartesian positions and cell [A]."""
    return Crystal(name, np.asarray(numbers, int), np.asarray(positions, float), np.asarray(cell, float),
                   np.ones(3, bool), columns)  # fmt: skip


def crystalformer(folder: Path) -> Iterator[Crystal]:
    """Yield the published crystals of CrystalFormer."""
    from pymatgen.core import Structure

    csv.field_size_limit(sys.maxsize)
    with gzip.open(folder / CRYSTALFORMER, 'rt') as stream:
        for place, row in enumerate(csv.DictReader(stream)):
            structure = Structure.from_dict(ast.literal_eval(row['cif']))
            yield crystal(f'cf-{place}', structure.atomic_numbers, structure.cart_coords, structure.lattice.matrix)


def diffcsp(folder: Path, count: int) -> Iterator[Crystal]:
    """Yield the first published crystals of DiffCSP."""
    import torch
    from pymatgen.core import Lattice

    data = torch.load(folder / DIFFCSP, weights_only=True)
    ends = np.cumsum(data['num_atoms'].numpy())
    for place in range(min(count, len(ends))):
        part = slice(ends[place] - int(data['num_atoms'][place]), ends[place])
        lattice = Lattice.from_parameters(*data['lengths'][place].tolist(), *data['angles'][place].tolist())
        positions = data['frac_coords'][part].numpy().astype(float) @ lattice.matrix
        yield crystal(f'diffcsp-{place}', data['atom_types'][part].numpy(), positions, lattice.matrix)


def real(data: Dataset) -> Iterator[Crystal]:
    """Yield known crystals as the model would draw them."""
    for name, known in zip(data.names, data.crystals, strict=True):
        yield crystal(name, *known.primitive(), asked=known.space_group)


def sampled(model: WyckoffModel, count: int, seed: int, **wishes: Any) -> tuple[list[Crystal], dict[str, float]]:
    """Return crystals of the model, and what they cost; a draw without a crystal is one of no atoms."""
    begun, cpu = time.perf_counter(), time.process_time()
    samples = model.sample(count, seed=seed, **wishes)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    crystals = [
        crystal(f'own-{place}', s.numbers, s.positions, s.cell, asked=s.columns.get('space_group'))
        for place, s in enumerate(samples)
    ]
    return crystals, {'per_second': round(count / seconds, 1), 'per_cpu_second': round(count / cpu, 1)}


def symmetry_found(row: Crystal) -> bool:
    """Return whether spglib finds the space group that was asked for, at 0.1 A."""
    return row.n_sites > 0 and validity.space_group(row, SYMPREC) == row.columns['asked']


def primitive_size(row: Crystal) -> int:
    """Return the number of atoms of the primitive cell that spglib finds at 0.1 A."""
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = spglib.find_primitive((row.cell, row.positions @ np.linalg.inv(row.cell), row.numbers), SYMPREC)
    return row.n_sites if found is None else len(found[2])


def judged(crystals: Sequence[Crystal], known: set[str]) -> list[dict[str, bool]]:
    """Return what holds for each crystal; `known` are the reduced formulas of the training set."""
    geometry = validity.evaluate(crystals, {}, {})
    chemistry = composition.evaluate(crystals, {}, {})
    firsts = {group[0] for group in identity.groups(crystals)}
    rows = []
    for place, row in enumerate(crystals):
        distance, ratio = (geometry[name][place] or 0.0 for name in ('min_distance', 'min_distance_ratio'))
        formula = chemistry['formula'][place]
        flags = {
            'distance': distance > 0.5,
            'strict': distance > 0.5 and ratio > 0.6,
            'smact': bool(chemistry['smact_valid'][place]),
            'unique': place in firsts and row.fault is None,
            'novel_formula': formula is not None and formula not in known,
            'up_to_20': row.fault is not None or primitive_size(row) <= SMALL,
        }
        if 'asked' in row.columns:
            flags['space_group_found'] = symmetry_found(row)
        rows.append(flags)
    return rows


def shares(rows: Sequence[dict[str, bool]]) -> dict[str, Any]:
    """Return the share of each flag with its interval, and its standard deviation over ten subsets."""
    result: dict[str, Any] = {'n': len(rows)}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        result[name] = wilson(int(values.sum()), len(values))
        if len(values) >= 1000:
            result[name].append(round(float(np.std([part.mean() for part in np.array_split(values, 10)])), 4))
    return result


def split_figures(crystals: Sequence[Crystal], known: set[str]) -> dict[str, Any]:
    """Return the shares of all, of the small and of the large crystals."""
    rows = judged(crystals, known)
    parts = {
        'all': rows,
        'up_to_20': [row for row in rows if row['up_to_20']],
        'from_21': [row for row in rows if not row['up_to_20']],
    }
    return {name: shares(part) for name, part in parts.items() if part}


def formulas(filepath: Path) -> set[str]:
    """Return the reduced formulas that were trained on, as the criterion `composition` writes them."""
    csv.field_size_limit(sys.maxsize)
    found = set()
    with gzip.open(filepath, 'rt', newline='') as stream:
        for key in {key_of(row['cif']) for row in csv.DictReader(stream)}:
            system = '-'.join(sorted(symbol_of(number) for number, _ in key))
            if place_of(system) >= sum(SHARES):
                numbers = np.repeat([number for number, _ in key], [int(amount) for _, amount in key])
                found.add(crystal('', numbers, [], np.eye(3)).formula)
    return found


def rates(processes: int, count: int) -> list[float]:
    """Return the crystals a second of wall time of each process, drawing side by side with one thread each."""
    source = (
        'import time, torch; torch.set_num_threads(1)\n'
        'from aiida_crystalgen.models.wyckoff import WyckoffModel\n'
        f'model = WyckoffModel.load(); model.sample(64, max_atoms={SMALL}); begun = time.perf_counter()\n'
        f'model.sample({count}, seed=1, max_atoms={SMALL}); print({count} / (time.perf_counter() - begun))'
    )
    running = [subprocess.Popen([sys.executable, '-c', source], stdout=subprocess.PIPE) for _ in range(processes)]
    return [round(float(one.communicate()[0]), 1) for one in running]


def start_seconds() -> list[float]:
    """Return wall and CPU seconds from the start of Python to the first crystal."""
    source = 'from aiida_crystalgen.models.wyckoff import WyckoffModel; WyckoffModel.load().sample(1)'
    begun, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, '-c', source], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_cpu = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
    return [round(time.perf_counter() - begun, 2), round(used_cpu, 2)]


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--weights', type=Path)
    parser.add_argument('--samples', type=int, default=10_000, help='of the defaults of the model and of the adapter')
    parser.add_argument('--others', type=int, default=1200, help='of each other setting')
    parser.add_argument('--only', nargs='*', choices=[*VARIANTS], default=[*VARIANTS], help='settings to measure')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--published', type=int, default=1000)
    parser.add_argument('--real', type=Path, help='encoded table; measures its held-out crystals as well')
    parser.add_argument('--speed', action='store_true', help='measure that alone')
    given = parser.parse_args()
    if given.speed:
        found = {'start': start_seconds(), **{f'processes_{count}': rates(count, 2000) for count in (1, 2)}}
        print(json.dumps(found))
        return
    begun = time.perf_counter()
    model = WyckoffModel.load(given.weights)
    result: dict[str, Any] = {'load_seconds': round(time.perf_counter() - begun, 2)}
    known = formulas(given.folder / 'mp_reference.csv.gz')
    for name in given.only:
        count, wishes = given.samples if name in LARGE else given.others, VARIANTS[name]
        crystals, cost = sampled(model, count, given.seed, **wishes)
        result[name] = {**cost, **split_figures(crystals, known)}
        print(json.dumps({name: result[name]}), file=sys.stderr, flush=True)
    if given.real:
        result['real crystals, held out'] = split_figures(list(real(Dataset.load(given.real).part('test'))), known)
    if given.published:
        result['CrystalFormer'] = split_figures(list(crystalformer(given.folder)), known)
        result['DiffCSP'] = split_figures(list(diffcsp(given.folder, given.published)), known)
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
