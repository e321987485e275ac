"""The training data: crystals read, encoded, split by chemical system, kept as arrays in one file.

    python -m aiida_crystalgen.models.wyckoff.data mp_reference.csv.gz data.npz

encodes a table; `Dataset` holds what comes of it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import typing as t
import warnings
from pathlib import Path

import numpy as np

from .crystal import Site, SymmetricCrystal
from .elements import SYMBOLS
from .encode import EncodingError, encode

LABELS = ('e_above_hull', 'formation_energy')
PARTS = ('train', 'validation', 'test')
# Of 100 chemical systems: the first ones validate, the next ones test.
SHARES = (4, 4)
MAX_FREE = 3


class Dataset:
    """Encoded crystals.

    :ivar names: the id of each row.
    :ivar labels: (n, 2) energy above hull and formation energy [eV/atom]; NaN where unknown.
    """

    def __init__(self, names: t.Sequence[str], crystals: t.Sequence[SymmetricCrystal], labels: np.ndarray) -> None:
        self.names = list(names)
        self.crystals = list(crystals)
        self.labels = np.asarray(labels, float).reshape(len(self.crystals), len(LABELS))

    def part(self, name: str) -> Dataset:
        """Return the rows of `train`, `validation` or `test`."""
        return self.take([place for place, crystal in enumerate(self.crystals) if part_of(crystal) == name])

    def take(self, places: t.Sequence[int]) -> Dataset:
        """Return some rows."""
        return Dataset([self.names[i] for i in places], [self.crystals[i] for i in places], self.labels[list(places)])

    def save(self, filepath: str | Path) -> None:
        """Write a compressed npz file."""
        sites = [site for crystal in self.crystals for site in crystal.sites]
        free = np.full((len(sites), MAX_FREE), np.nan)
        for row, site in zip(free, sites):
            row[: len(site.free)] = site.free
        np.savez_compressed(
            filepath,
            names=np.array(self.names),
            labels=self.labels,
            groups=np.array([crystal.space_group for crystal in self.crystals]),
            cells=np.array([crystal.cell for crystal in self.crystals]).reshape(-1, 3, 3),
            starts=np.cumsum([0, *(len(crystal.sites) for crystal in self.crystals)]),
            numbers=np.array([site.number for site in sites]),
            letters=np.array([site.letter for site in sites]),
            free=free,
        )

    @classmethod
    def load(cls, filepath: str | Path) -> Dataset:
        """Read what `save` wrote."""
        with np.load(filepath, allow_pickle=False) as archive:
            a = {name: archive[name] for name in archive.files}
        known = np.isfinite(a['free'])
        sites = [
            Site(int(number), int(letter), tuple(row[there].tolist()))
            for number, letter, row, there in zip(a['numbers'], a['letters'], a['free'], known)
        ]
        bounds = a['starts']
        crystals = [
            SymmetricCrystal(int(number), tuple(sites[bounds[row] : bounds[row + 1]]), cell)
            for row, (number, cell) in enumerate(zip(a['groups'], a['cells']))
        ]
        return cls(a['names'].tolist(), crystals, a['labels'])


def part_of(crystal: SymmetricCrystal) -> str:
    """Return the part of the split that a chemical system belongs to; its name alone decides."""
    system = '-'.join(sorted({SYMBOLS[site.number] for site in crystal.sites}))
    place = int(hashlib.sha256(system.encode()).hexdigest(), 16) % 100
    if place < SHARES[0]:
        return 'validation'
    return 'test' if place < sum(SHARES) else 'train'


def read_csv(filepath: str | Path) -> t.Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray, list[float]]]:
    """Yield id, atomic numbers, fractional coordinates, cell [A] and labels of the rows of a table of CIFs."""
    from pymatgen.core import Structure

    csv.field_size_limit(10**9)
    names = {'e_above_hull': 'e_above_hull', 'formation_energy': 'formation_energy_per_atom'}
    with gzip.open(filepath, 'rt', newline='') as stream, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for row in csv.DictReader(stream):
            structure = Structure.from_str(row['cif'], fmt='cif')
            labels = [float(row.get(names[label]) or 'nan') for label in LABELS]
            numbers = np.array(structure.atomic_numbers)
            yield row['material_id'], numbers, structure.frac_coords, structure.lattice.matrix, labels


def encode_all(
    rows: t.Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray, list[float]]], symprec: float, max_sites: int
) -> tuple[Dataset, dict[str, str]]:
    """Encode crystals.

    :param symprec: tolerance of the symmetry search [A].
    :param max_sites: crystals with more sites are left out.
    :returns: the data, and why each other row is not in it.
    """
    names, crystals, labels, failures = [], [], [], {}
    for name, numbers, fractional, cell, values in rows:
        try:
            crystal = encode(numbers.tolist(), fractional, cell, symprec)
        except EncodingError as error:
            failures[name] = str(error)
            continue
        if len(crystal.sites) > max_sites:
            failures[name] = f'{len(crystal.sites)} sites are more than {max_sites}'
            continue
        names.append(name)
        crystals.append(crystal)
        labels.append(values)
    return Dataset(names, crystals, np.array(labels)), failures


def main(arguments: t.Sequence[str] | None = None) -> None:
    """Encode a gzipped table with the columns `material_id`, `cif`, `e_above_hull`, `formation_energy_per_atom`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('table')
    parser.add_argument('output')
    parser.add_argument('--symprec', type=float, default=0.1, help='tolerance of the symmetry search [A]')
    parser.add_argument('--max-sites', type=int, default=64, help='most sites of a crystal')
    given = parser.parse_args(arguments)
    dataset, failures = encode_all(read_csv(given.table), given.symprec, given.max_sites)
    dataset.save(given.output)
    print(f'{len(dataset.names)} crystals encoded, {len(failures)} not')
    for name, reason in failures.items():
        print(f'{name}: {reason}')


if __name__ == '__main__':
    main()
