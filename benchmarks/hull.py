"""Figures of the convex hull on the formation energies of known crystals, against plain pymatgen in the same run.

    python benchmarks/hull.py ../shared/data [--crystals 27248]

The folder holds `mp_reference.csv.gz` (columns `material_id`, `formation_energy_per_atom`, `e_above_hull`, `cif`). All
its rows are competing phases, every element is added at 0. Times are CPU times of one process and hold the building of
the hulls. Plain pymatgen gets phases indexed by chemical system and one `PhaseDiagram` a system, as a careful script
would do it; it counts each crystal as one of the phases, the criterion leaves it out, so both are computed. Set
`OMP_NUM_THREADS=1` on a machine of many cores.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Element

from aiida_crystalgen.science import stability
from aiida_crystalgen.science.crystal import CompositionKey, Crystal, composition_of
from aiida_crystalgen.science.hull import Hull, Phase

MEV = 1e-3
LEVEL = 'dft:mp'


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    id: str
    key: CompositionKey
    energy: float
    """Formation energy [eV/atom]."""
    listed: float
    """Energy above the hull that the Materials Project lists [eV/atom]."""


def read(path: Path) -> list[Row]:
    """Return the rows; compositions come from the formula line of each CIF."""
    csv.field_size_limit(10**7)
    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        return [
            Row(
                row['material_id'],
                key_of(row['cif']),
                float(row['formation_energy_per_atom']),
                float(row['e_above_hull']),
            )
            for row in csv.DictReader(handle)
        ]


def key_of(cif: str) -> CompositionKey:
    """Return the reduced composition of a CIF as pymatgen writes it."""
    line = re.search(r"_chemical_formula_sum\s+'?([^'\n]*)", cif)
    parts = re.findall(r'([A-Z][a-z]?)(\d*)', line.group(1)) if line else []
    counts = {Element(symbol).Z: int(n or 1) for symbol, n in parts}
    divisor = math.gcd(*counts.values())
    return tuple(sorted((number, n // divisor) for number, n in counts.items()))


def crystal_of(row: Row) -> Crystal:
    """Return a crystal of the composition; its geometry plays no part in a hull of formation energies."""
    numbers = np.array([number for number, n in row.key for _ in range(n)])
    columns = {'formation_energy': row.energy, 'given_formation_energy': row.energy, 'source': row.id}
    return Crystal(row.id, numbers, np.zeros((len(numbers), 3)), 5 * np.eye(3), np.ones(3, dtype=bool), columns)


def timed(work: Callable[[], Any], n: int) -> tuple[Any, float]:
    """Return what some work gives and its CPU time per crystal [ms]."""
    start = time.process_time()
    found = work()
    return found, 1e3 * (time.process_time() - start) / n


def our_hull(rows: Sequence[Row]) -> Hull:
    """Return the hull of all rows and of the elements at 0."""
    elements = {number for row in rows for number, _ in row.key}
    phases = [Phase(row.id, row.key, row.energy, row.id) for row in rows]
    return Hull([*phases, *(Phase(f'element {number}', ((number, 1),), 0.0, '') for number in elements)])


def ours(rows: Sequence[Row], asked: Sequence[Row], *, alone: bool) -> list[float]:
    """Return energies above the hull [eV/atom], each crystal among the phases or left out."""
    hull = our_hull(rows)
    return [row.energy - (hull.without(row.id) if alone else hull).energy(row.key) for row in asked]


def criterion(rows: Sequence[Row], asked: Sequence[Row]) -> dict[str, list[Any]]:
    """Return all columns of the criterion, from crystals to names of competitors."""
    parameters = {'mode': 'formation', 'level_candidates': LEVEL, 'level_hull': LEVEL, 'hull_source': 'mp'}
    return stability.evaluate(list(map(crystal_of, asked)), parameters, {'hull': list(map(crystal_of, rows))})


class Plain:
    """Plain pymatgen: entries by chemical system, one phase diagram a system."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.entries: dict[str, PDEntry] = {}
        self._blocks: dict[tuple[int, ...], list[PDEntry]] = {}
        self._diagrams: dict[tuple[int, ...], PhaseDiagram] = {}
        rows = list(rows)
        elements = {number for row in rows for number, _ in row.key}
        for row in [*rows, *(Row(f'element {number}', ((number, 1),), 0.0, 0.0) for number in elements)]:
            composition = composition_of(row.key)
            self.entries[row.id] = PDEntry(composition, row.energy * composition.num_atoms)
            self._blocks.setdefault(system_of(row.key), []).append(self.entries[row.id])

    def phases(self, system: tuple[int, ...]) -> list[PDEntry]:
        """Return the entries within a chemical system."""
        parts = (part for n in range(1, len(system) + 1) for part in combinations(system, n))
        return [entry for part in parts for entry in self._blocks.get(part, [])]

    def above(self, row: Row) -> float:
        """Return the energy above the hull, the crystal among the phases [eV/atom]."""
        system = system_of(row.key)
        if system not in self._diagrams:
            self._diagrams[system] = PhaseDiagram(self.phases(system))
        return float(self._diagrams[system].get_e_above_hull(self.entries[row.id]))

    def above_others(self, row: Row) -> float:
        """Return the energy above the hull of the other phases [eV/atom]; a diagram of its own."""
        entry = self.entries[row.id]
        others = PhaseDiagram([phase for phase in self.phases(system_of(row.key)) if phase is not entry])
        found = others.get_decomp_and_e_above_hull(entry, allow_negative=True, check_stable=False)
        return float(found[1])


def system_of(key: CompositionKey) -> tuple[int, ...]:
    """Return the chemical system of a composition."""
    return tuple(number for number, _ in key)


def largest(one: Iterable[float], other: Iterable[float]) -> float:
    """Return the largest difference [eV/atom]."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def agreement(found: Sequence[float], rows: Sequence[Row]) -> dict[str, Any]:
    """Compare energies above the hull of this table with those that the Materials Project lists."""
    difference = np.array(found) - np.array([row.listed for row in rows])
    share = {
        'within_1_meV': np.abs(difference) <= MEV,
        'lower': difference < -MEV,
        'higher': difference > MEV,
    }
    above = np.array([row.listed > 0.05 for row in rows])
    return {
        **{name: float(chosen.mean()) for name, chosen in share.items()},
        'most_lower_eV_per_atom': float(-difference.min()),
        'most_higher_eV_per_atom': float(difference.max()),
        'listed_above_0.05': int(above.sum()),
        'of_these_found_at_most_0.05': int((np.array(found)[above] <= 0.05).sum()),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--crystals', type=int, default=10**6, help='crystals drawn at random; all by default')
    parser.add_argument('--left-out', type=int, default=1000, help='of these, compared with diagrams of the others')
    options = parser.parse_args()
    rows = read(options.data / 'mp_reference.csv.gz')
    asked = random.Random(0).sample(rows, min(options.crystals, len(rows)))
    n = len(asked)
    criterion(rows[:20], rows[:20])  # imports are not what is measured
    among, ms_among = timed(lambda: ours(rows, asked, alone=False), n)
    alone, ms_alone = timed(lambda: ours(rows, asked, alone=True), n)
    columns, ms_criterion = timed(lambda: criterion(rows, asked), n)
    plain, ms_plain = timed(lambda: (diagrams := Plain(rows), [diagrams.above(row) for row in asked]), n)
    others, ms_others = timed(
        lambda: [plain[0].above_others(row) for row in asked[: options.left_out]], options.left_out
    )
    figures = {
        'versions': {name: version(name) for name in ('pymatgen', 'scipy', 'numpy')},
        'crystals': n,
        'phases': len(rows),
        'chemical_systems_asked': len({system_of(row.key) for row in asked}),
        'ms_per_crystal': {
            'among_the_phases': ms_among,
            'left_out': ms_alone,
            'whole_criterion': ms_criterion,
            'pymatgen_among_the_phases': ms_plain,
            'pymatgen_left_out': ms_others,
        },
        'ratio_to_pymatgen': {'among_the_phases': ms_plain / ms_among, 'left_out': ms_others / ms_alone},
        'largest_difference_eV_per_atom': {
            'among_the_phases': largest(among, plain[1]),
            'left_out_at_least_0': largest((max(0.0, value) for value in alone), plain[1]),
            'left_out': largest(alone[: options.left_out], others),
            'criterion': largest(columns['e_hull'], alone),
        },
        'break_the_hull_of_the_others': sum(value < 0 for value in alone),
        'agreement_with_listed': agreement([max(0.0, value) for value in among], asked),
    }
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
