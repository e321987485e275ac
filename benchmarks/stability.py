"""Stability of what generators draw, by one screen: CHGNet relaxation and energy above a hull of CHGNet energies.

    python -m benchmarks.stability ../shared/data folder [--count 300] [--sets NAME ...]
    python -m benchmarks.stability ../shared/data folder --report

The first command relaxes the k-th crystal of every set in turn, each after the known crystals with a listed
`e_above_hull` of at most 0.02 eV/atom in its chemical system; every finished relaxation is a line of
`folder/relaxed.jsonl`, and a killed run goes on there. Elements without such a crystal are the lowest of their fcc,
bcc, hcp, diamond, simple cubic and dimer crystals. `--report` judges what is there: as many crystals of each set as all
of them have. Nothing that a generator drew is rejected: what cannot be relaxed, or has no hull, counts as not stable.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import math
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from aiida_crystalgen import remote
from aiida_crystalgen.models.wyckoff import Sample, WyckoffModel
from aiida_crystalgen.science import identity, metrics, novelty, stability
from aiida_crystalgen.science.crystal import Crystal, symbol_of
from benchmarks.hull import key_of
from benchmarks.real_crystals import from_cif
from benchmarks.wyckoff import crystal, crystalformer, diffcsp

PUBLISHED = {
    'crystalformer': 'generators/crystalformer/published/CrystalFormer_mp_20.ehull.csv.gz',
    'diffcsp': 'generators/diffcsp/published/DiffCSP_mp_20.ehull.csv.gz',
}
OWN: dict[str, dict[str, Any]] = {
    'wyckoff': {'max_atoms': 20, 'e_above_hull': 0.0, 'guidance': 1.0},
    'wyckoff-label': {'max_atoms': 20, 'e_above_hull': 0.0},
    'wyckoff-plain': {'max_atoms': 20},
    'wyckoff-sharp': {'max_atoms': 20, 'temperature': 0.8},
}
NEAR = 0.02
DRAWS = 300
PRIMITIVE = 1e-3
LIMITS = (0.0, 0.1)
LEVEL = 'chgnet'
# Edges of the bins of the histograms of energies above the hull [eV/atom].
EDGES = (-math.inf, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5, math.inf)


class References:
    """The known crystals, read when they are asked for.

    :ivar cifs: the CIF of each id, and `near` the ids near the hull by their elements.
    """

    def __init__(self, filepath: Path) -> None:
        csv.field_size_limit(10**9)
        self.cifs: dict[str, str] = {}
        self.near: dict[frozenset[int], list[str]] = defaultdict(list)
        self.formulas: dict[Any, list[str]] = defaultdict(list)
        with gzip.open(filepath, 'rt', newline='') as stream:
            for row in csv.DictReader(stream):
                key = key_of(row['cif'])
                self.cifs[row['material_id']] = row['cif']
                self.formulas[key].append(row['material_id'])
                if float(row['e_above_hull']) <= NEAR:
                    self.near[frozenset(number for number, _ in key)].append(row['material_id'])

    def of(self, numbers: Sequence[int]) -> Iterator[Crystal]:
        """Yield the competing phases of some elements; prototypes where an element has no known crystal."""
        elements = sorted(set(numbers))
        for size in range(1, len(elements) + 1):
            for part in combinations(elements, size):
                names = self.near.get(frozenset(part), [])
                yield from (from_cif(name, self.cifs[name]) for name in names)
                if size == 1 and not names:
                    yield from prototypes(part[0])

    def known(self, crystals: Sequence[Crystal]) -> list[Crystal]:
        """Return all known crystals of the formulas of some crystals."""
        keys = {one.composition_key for one in crystals if one.fault is None}
        return [from_cif(name, self.cifs[name]) for key in sorted(keys) for name in self.formulas.get(key, [])]


def prototypes(number: int) -> Iterator[Crystal]:
    """Yield simple crystals of an element, with the volume per atom of touching covalent spheres packed closely."""
    from ase import Atoms
    from ase.build import bulk
    from ase.data import covalent_radii

    symbol, radius = symbol_of(number), covalent_radii[number]
    a = 2 * radius
    built = {
        'fcc': bulk(symbol, 'fcc', a=a * math.sqrt(2)),
        'bcc': bulk(symbol, 'bcc', a=a * 2 / math.sqrt(3)),
        'hcp': bulk(symbol, 'hcp', a=a, c=a * math.sqrt(8 / 3)),
        'diamond': bulk(symbol, 'diamond', a=a * 4 / math.sqrt(3)),
        'sc': bulk(symbol, 'sc', a=a),
        'dimer': Atoms([symbol] * 2, [[0, 0, 0], [0, 0, a]], cell=[a + 2.5, a + 2.5, 2 * a + 2.5], pbc=True),
    }
    for name, atoms in built.items():
        yield crystal(f'{symbol}-{name}', atoms.numbers, atoms.positions, atoms.cell.array)


def sets(folder: Path, wanted: Sequence[str], weights: Path | None) -> dict[str, list[Crystal]]:
    """Return the crystals of each set; published ones in a random order of those with a published energy."""
    result = {}
    for name in wanted:
        if name in PUBLISHED:
            drawn = crystalformer(folder) if name == 'crystalformer' else diffcsp(folder, 1000)
            rows = {row.id: row for row in drawn}
            listed = sorted(published(folder, name))
            order = np.random.default_rng(1).permutation(len(listed))
            result[name] = [primitive(rows[listed[place]]) for place in order if listed[place] in rows]
        else:
            samples = WyckoffModel.load(weights).sample(DRAWS, seed=11, **OWN[name])
            result[name] = [crystal(f'{name}-{place}-{mark(s)}', s.numbers, s.positions, s.cell)
                            for place, s in enumerate(samples)]  # fmt: skip
    return result


def mark(one: Sample) -> str:
    """Return a mark of a crystal, so that other weights or settings are never taken for what was relaxed."""
    content = np.concatenate([one.numbers[:, None], one.positions], 1).round(5).tobytes() + one.cell.round(5).tobytes()
    return hashlib.sha256(content).hexdigest()[:8]


def primitive(one: Crystal) -> Crystal:
    """Return the crystal in its primitive cell, unmoved but for rounding: it relaxes to the same energy per atom."""
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = spglib.find_primitive((one.cell, one.positions @ np.linalg.inv(one.cell), one.numbers), PRIMITIVE)
    if found is None or len(found[2]) == one.n_sites:
        return one
    cell, points, numbers = found
    return crystal(one.id, numbers, points @ cell, cell)


def published(folder: Path, name: str) -> dict[str, float]:
    """Return the published energies above the hull [eV/atom] by id of the crystal."""
    prefix = {'crystalformer': 'cf', 'diffcsp': 'diffcsp'}[name]
    with gzip.open(folder / PUBLISHED[name], 'rt') as stream:
        rows = list(csv.DictReader(stream))
    return {f'{prefix}-{row["str_ind"]}': float(row['corrected_chgnet_ehull']) for row in rows if row['str_ind']}


class Store:
    """Finished relaxations, a line each, and the potential that adds to them."""

    def __init__(self, filepath: Path) -> None:
        self.filepath = filepath
        self.rows: dict[str, dict[str, Any]] = {}
        if filepath.exists():
            # The last line of a killed run may be torn.
            lines = filepath.read_text().split('\n')[:-1]
            self.rows = {row['id']: row for row in map(json.loads, lines)}
            filepath.write_text(''.join(f'{line}\n' for line in lines))
        self._potential: Any = None
        self.job = SimpleNamespace(parameters={'max_steps': 300}, device='cpu', model=None)

    def relax(self, one: Crystal) -> None:
        """Relax a crystal, if that was not done before."""
        if one.id in self.rows:
            return
        if self._potential is None:
            sys.path.insert(0, str(Path(remote.__file__).parent))
            from adapters.chgnet import Chgnet  # type: ignore[import-not-found]

            self._potential = Chgnet(self.job)
        from relaxation import relax  # type: ignore[import-not-found]

        begun = time.process_time()
        geometry = {name: getattr(one, name) for name in ('id', 'numbers', 'positions', 'cell', 'pbc')}
        (row,) = relax([geometry], self.job, self._potential)
        row['cpu_seconds'] = round(time.process_time() - begun, 2)
        self.rows[one.id] = row
        with self.filepath.open('a') as stream:
            stream.write(json.dumps(row, default=float) + '\n')

    def relaxed(self, one: Crystal) -> Crystal | None:
        """Return a crystal as it was relaxed; None where that failed."""
        row = self.rows.get(one.id, {})
        if 'structure' not in row:
            return None
        return Crystal.from_row({**row['structure'], 'id': one.id, 'columns': {**row['columns'], 'source': one.id}})


def judged(crystals: Sequence[Crystal], store: Store, references: References) -> list[dict[str, Any]]:
    """Return what the screen says of each crystal."""
    elements = [set(one.numbers.tolist()) for one in crystals if one.n_sites]
    phases = {phase.id: phase for numbers in elements for phase in references.of(sorted(numbers))}
    hull = [found for found in map(store.relaxed, phases.values()) if found is not None]
    final = {place: found for place, one in enumerate(crystals) if (found := store.relaxed(one)) is not None}
    rows = list(final.values())
    above = stability.evaluate(rows, {'level_candidates': LEVEL, 'level_hull': LEVEL}, {'hull': hull})
    new = novelty.evaluate(rows, {'known_partial': False}, {'known': references.known(rows)})['novel_known']
    firsts = {group[0] for group in identity.groups(rows)}
    result: list[dict[str, Any]] = [{'id': one.id, 'e_hull': None, 'new': False} for one in crystals]
    for place, (position, row) in enumerate(final.items()):
        result[position].update(
            e_hull=above['e_hull'][place],
            new=new[place] is True and place in firsts,
            converged=row.columns['converged'],
        )
    return result


def difference(first: Sequence[bool], second: Sequence[bool]) -> list[float]:
    """Return the difference of two shares and its 95 % interval (Newcombe's method 10)."""
    (p, low_p, high_p), (q, low_q, high_q) = (
        (sum(flags) / len(flags), *metrics.wilson(sum(flags), len(flags))) for flags in (first, second)
    )
    low = p - q - math.hypot(p - low_p, high_q - q)
    high = p - q + math.hypot(high_p - p, q - low_q)
    return [round(value, 3) for value in (p - q, low, high)]


def report(folder: Path, store: Store, references: References, groups: dict[str, list[Crystal]]) -> dict[str, Any]:
    """Return shares of every set over as many crystals as all sets have, and differences to CrystalFormer."""
    from scipy.stats import spearmanr

    done = {name: next((n for n, one in enumerate(rows) if one.n_sites and one.id not in store.rows), len(rows))
            for name, rows in groups.items()}  # fmt: skip
    n = min(done.values())
    references_done = sum(not name.startswith(('cf-', 'diffcsp-', 'wyckoff')) for name in store.rows)
    result: dict[str, Any] = {'n': n, 'finished': done, 'references': references_done}
    flags: dict[str, dict[str, list[bool]]] = {}
    for name, rows in groups.items():
        found = judged(rows[:n], store, references)
        energies = [row['e_hull'] for row in found if row['e_hull'] is not None]
        flags[name] = {}
        for limit in LIMITS:
            stable = [row['e_hull'] is not None and row['e_hull'] <= limit for row in found]
            flags[name][f'stable_{limit}'] = stable
            flags[name][f'sun_{limit}'] = [yes and row['new'] for yes, row in zip(stable, found, strict=True)]
        result[name] = {
            'no_energy': n - len(energies),
            'unconverged': sum(row.get('converged') is False for row in found),
            'median_e_hull': round(float(np.median(energies)), 3) if energies else None,
            'histogram': np.histogram(energies, EDGES)[0].tolist(),
            **{key: [round(sum(values) / n, 3), *(round(x, 3) for x in metrics.wilson(sum(values), n))]
               for key, values in flags[name].items()},
        }  # fmt: skip
        if name in PUBLISHED:
            listed = published(folder, name)
            pairs = [(row['e_hull'], listed[row['id']]) for row in found if row['e_hull'] is not None]
            result[name]['spearman_with_published'] = round(float(spearmanr(*zip(*pairs, strict=True))[0]), 3)
            result[name]['published_stable_0.1'] = round(sum(value <= LIMITS[-1] for _, value in pairs) / len(pairs), 3)
    for name in groups:
        for other in PUBLISHED:
            if name != other and other in groups:
                result[f'{name} - {other}'] = {
                    key: difference(values, flags[other][key]) for key, values in flags[name].items()
                }
    return result


def main() -> None:
    """Relax, or report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--count', type=int, default=DRAWS)
    parser.add_argument('--sets', nargs='+', choices=[*PUBLISHED, *OWN], default=[*PUBLISHED, *OWN])
    parser.add_argument('--weights', type=Path)
    parser.add_argument('--report', action='store_true')
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    store = Store(given.folder / 'relaxed.jsonl')
    references = References(given.data / 'mp_reference.csv.gz')
    groups = sets(given.data, given.sets, given.weights)
    if given.report:
        print(json.dumps(report(given.data, store, references, groups), indent=1))
        return
    for place in range(given.count):
        for rows in groups.values():
            if rows[place].n_sites:
                for phase in references.of(rows[place].numbers.tolist()):
                    store.relax(phase)
                store.relax(rows[place])


if __name__ == '__main__':
    main()
