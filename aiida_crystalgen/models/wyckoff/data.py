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
    :ivar parts: the part of each crystal, `train`, `validation` or `test`; see `part_of` and `hold_out`.
    """

    def __init__(
        self,
        names: t.Sequence[str],
        crystals: t.Sequence[SymmetricCrystal],
        labels: np.ndarray,
        parts: t.Sequence[str] | None = None,
    ) -> None:
        self.names = list(names)
        self.crystals = list(crystals)
        self.labels = np.asarray(labels, float).reshape(len(self.crystals), len(LABELS))
        self.parts = list(parts) if parts is not None else [part_of(crystal) for crystal in self.crystals]

    def part(self, name: str) -> Dataset:
        """Return the rows of `train`, `validation` or `test`."""
        return self.take([place for place, part in enumerate(self.parts) if part == name])

    def take(self, places: t.Sequence[int]) -> Dataset:
        """Return some rows."""
        names, crystals = [self.names[i] for i in places], [self.crystals[i] for i in places]
        return Dataset(names, crystals, self.labels[list(places)], [self.parts[i] for i in places])

    def save(self, filepath: str | Path, **more: t.Any) -> None:
        """Write a compressed npz file, with arrays of others in it."""
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
            **more,
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
    place = place_of(system_of(crystal))
    if place < SHARES[0]:
        return 'validation'
    return 'test' if place < sum(SHARES) else 'train'


def system_of(crystal: SymmetricCrystal) -> str:
    """Return the chemical system, such as `Fe-Li-O`."""
    return '-'.join(sorted({SYMBOLS[site.number] for site in crystal.sites}))


def formula_of(crystal: SymmetricCrystal) -> str:
    """Return the formula of the primitive cell, elements in alphabetic order."""
    counts = sorted((SYMBOLS[number], amount) for number, amount in crystal.counts().items())
    return ''.join(f'{symbol}{amount}' for symbol, amount in counts)


def place_of(name: str) -> int:
    """Return a number from 0 to 99 that depends on a name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100


def hold_out(data: Dataset, share: float) -> tuple[Dataset, str]:
    """Return the data split anew into `train` and `validation`, and what was kept together.

    Whole chemical systems are held out, in the order in which `part_of` would take them, until they hold a share of the
    crystals; where all crystals are of one system, whole formulas.

    :raises ValueError: there is but one formula.
    """
    kept_together, names = 'chemical system', [system_of(crystal) for crystal in data.crystals]
    if len(set(names)) < 2:
        kept_together, names = 'formula', [formula_of(crystal) for crystal in data.crystals]
    if len(set(names)) < 2:
        raise ValueError(f'{len(names)} crystals of one formula cannot be split; train on more')
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name, []).append(place)
    order = sorted(groups, key=lambda name: (place_of(name), name))
    parts, held = ['train'] * len(data.crystals), 0
    for name in order[:-1]:
        if held >= share * len(data.crystals):
            break
        held += len(groups[name])
        for place in groups[name]:
            parts[place] = 'validation'
    return Dataset(data.names, data.crystals, data.labels, parts), kept_together


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
