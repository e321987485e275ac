"""Figures of the criteria on known crystals: validity, copies as one group, novelty, order, and cost.

    python benchmarks/real_crystals.py ../shared/data [--crystals 1000]

The folder holds `mp_reference.csv.gz` and `carbon_24_test.csv.gz` (columns `material_id` and `cif`).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aiida_crystalgen.science import composition, identity, novelty, uniqueness, validity
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.pipeline import versions

COPIES = ('rattled', 'recelled', 'reordered', 'scaled')


def read(path: Path, n: int, seed: int = 3) -> list[Crystal]:
    """Return n crystals drawn at random from a table of P1 CIFs."""
    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        rows = list(csv.DictReader(handle))
    random.Random(seed).shuffle(rows)
    return [from_cif(row['material_id'], row['cif']) for row in rows[:n]]


def from_cif(name: str, cif: str) -> Crystal:
    """Return the crystal of a P1 CIF as pymatgen writes it, a hundred times faster than a reader of any CIF."""
    from pymatgen.core import Element, Lattice

    lines = [line.split() for line in cif.splitlines()]
    cell = {
        words[0]: float(words[1]) for words in lines if words and words[0].startswith(('_cell_length', '_cell_angle'))
    }
    sites = lines[lines.index(['_atom_site_occupancy']) + 1 :]
    sites = [words for words in sites if len(words) == 7]
    matrix = Lattice.from_parameters(*cell.values()).matrix
    fractional = np.array([words[3:6] for words in sites], dtype=float)
    numbers = np.array([Element(words[0].rstrip('+-0123456789')).Z for words in sites])
    return Crystal(name, numbers, fractional @ matrix, matrix, np.ones(3, dtype=bool))


def copies(crystal: Crystal, rng: np.random.Generator) -> Iterator[Crystal]:
    """Yield four descriptions of the same crystal."""
    for kind in COPIES:
        yield copy_of(crystal, kind, rng)


def copy_of(crystal: Crystal, kind: str, rng: np.random.Generator) -> Crystal:
    """Return a crystal rattled by up to 0.05 A, in another cell, with other sites and origin, or 2 % longer."""
    numbers, positions, cell = crystal.numbers, crystal.positions, crystal.cell
    n = len(numbers)
    if kind == 'rattled':
        directions = rng.normal(size=(n, 3))
        lengths = 0.05 * rng.random((n, 1))
        positions = positions + lengths * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    elif kind == 'recelled':
        shear = np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
        axis = int(rng.integers(3))
        numbers, positions = np.tile(numbers, 2), np.concatenate([positions, positions + cell[axis]])
        cell = shear @ (cell * np.where(np.arange(3) == axis, 2, 1)[:, None])
    elif kind == 'reordered':
        order = rng.permutation(n)
        shift = rng.random(3) @ cell
        numbers, positions = numbers[order], positions[order] + shift
    else:
        positions, cell = 1.02 * positions, 1.02 * cell
    return Crystal(f'{crystal.id}-{kind}', numbers, positions, cell, crystal.pbc)


def shares_of_copies(crystals: list[Crystal], profile: str) -> dict[str, Any]:
    """Return the share of copies that fall into the group of their crystal, and how many other crystals do."""
    rng = np.random.default_rng(0)
    everything = [entry for crystal in crystals for entry in (crystal, *copies(crystal, rng))]
    start = time.process_time()
    groups = identity.groups(everything, profile)
    seconds = time.process_time() - start
    group_of = {everything[i].id: number for number, group in enumerate(groups) for i in group}
    found = Counter(kind for c in crystals for kind in COPIES if group_of[f'{c.id}-{kind}'] == group_of[c.id])
    whole = sum(all(group_of[f'{c.id}-{kind}'] == group_of[c.id] for kind in COPIES) for c in crystals)
    return {
        **{kind: found[kind] / len(crystals) for kind in COPIES},
        'all_in_one_group': whole / len(crystals),
        'crystals': len(crystals),
        'groups_of_crystals_alone': len(identity.groups(crystals, profile)),
        'ms_per_crystal': 1e3 * seconds / len(everything),
    }


def timed(name: str, crystals: list[Crystal], module: Any, parameters: dict[str, Any], tables: dict[str, Any]) -> Any:
    """Run a criterion; print its CPU time per crystal."""
    start = time.process_time()
    columns = module.evaluate(crystals, parameters, tables)
    print(f'{name:28s} {1e3 * (time.process_time() - start) / len(crystals):8.2f} ms CPU per crystal', file=sys.stderr)
    return columns


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--crystals', type=int, default=1000)
    options = parser.parse_args()
    crystals = read(options.data / 'mp_reference.csv.gz', options.crystals)
    for module in (validity, composition):
        module.evaluate(crystals[:1], {}, {})  # imports and tables are not what is measured
    valid = timed('validity', crystals, validity, {}, {})
    evidence = timed('composition', crystals, composition, {}, {})
    timed('uniqueness', crystals, uniqueness, {'profile': 'strict'}, {})
    half = len(crystals) // 2
    tables = {
        'known': read(options.data / 'mp_reference.csv.gz', 10**6)[options.crystals :],
        'training': crystals[half:],
    }
    novel = timed('novelty', crystals, novelty, {'known_partial': True}, tables)
    figures = {
        'versions': versions(),
        'valid': sum(valid['valid']) / len(crystals),
        'valid_cdvae': Counter(map(str, valid['valid_cdvae'])),
        'smallest_ratio': float(min(valid['min_distance_ratio'])),
        'smact_valid': Counter(map(str, evidence['smact_valid'])),
        'smact_valid_no_alloys': Counter(map(str, evidence['smact_valid_no_alloys'])),
        'charge_balanced': Counter(map(str, evidence['charge_balanced'])),
        'novel_against_the_rest': {'known': len(tables['known']), **Counter(map(str, novel['novel_known']))},
        'novel_against_own_half': Counter(map(str, novel['novel_training'])),
        'copies': {profile: shares_of_copies(crystals, profile) for profile in identity.PROFILES},
    }
    carbon = read(options.data / 'carbon_24_test.csv.gz', 100)
    figures['components_of_100_carbon'] = {p: len(identity.groups(carbon, p)) for p in identity.PROFILES}
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
