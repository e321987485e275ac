"""What the criteria of evidence say of real crystals and of the same ones corrupted, and what they cost.

    python -m benchmarks.evidence ../shared/data [--count 1000] [--seed 1]

Crystals are drawn from `mp_reference.csv.gz`. Corruptions: elements replaced one to one by elements drawn at random
(`relabelled`), one site given another element of the crystal (`flipped`), positions moved by a normal deviate of 0.4 A
along each axis (`rattled`). For each set and bonding class: the share of crystals to which a rule applies, and of these
the share that passes, with 95 % Wilson intervals; CPU milliseconds of each criterion for a crystal, and the longest.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aiida_crystalgen.science import bonds, complexity, composition, perovskite, supply
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.metrics import wilson
from benchmarks.real_crystals import read

CRITERIA = (composition, bonds, perovskite, complexity, supply)
MAX_ATOMIC_NUMBER = 83
RATTLE = 0.4
RULES: dict[str, Callable[[dict[str, Any]], bool | None]] = {
    'SMACT': lambda row: row['smact_valid'],
    'SMACT without alloys': lambda row: row['smact_valid_no_alloys'],
    'charge balanced': lambda row: row['charge_balanced'],
    'valences found': lambda row: row['valences_found'],
    'instability index at most 0.3': lambda row: _at_most(row['instability_index'], 0.3),
    'Pauling 2 within 0.1': lambda row: _at_most(row['pauling2_deviation'], 0.1),
    'tau below 4.18': lambda row: _at_most(row['bartel_factor'], 4.18),
}


def _at_most(value: float | None, limit: float) -> bool | None:
    return None if value is None else value <= limit


def corrupted(crystal: Crystal, how: str, rng: np.random.Generator) -> Crystal:
    """Return a crystal with one kind of damage."""
    numbers = crystal.numbers.copy()
    if how == 'relabelled':
        old = np.unique(numbers)
        new = dict(zip(old.tolist(), rng.choice(np.arange(1, MAX_ATOMIC_NUMBER + 1), len(old), False), strict=True))
        numbers = np.array([new[number] for number in numbers.tolist()])
    elif how == 'flipped' and len(np.unique(numbers)) > 1:
        place = rng.integers(len(numbers))
        numbers[place] = rng.choice([one for one in np.unique(numbers) if one != numbers[place]])
    positions = crystal.positions
    if how == 'rattled':
        positions = positions + rng.normal(0.0, RATTLE, positions.shape)
    return replace(crystal, numbers=numbers, positions=positions)


def judged(crystals: list[Crystal]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Yield what all criteria say of each crystal, and the CPU seconds of each."""
    for crystal in crystals:
        row: dict[str, Any] = {}
        seconds = {}
        for module in CRITERIA:
            begun = time.process_time()
            found = module.evaluate([crystal], {}, {})
            seconds[str(module.ABOUT['name'])] = time.process_time() - begun
            row.update({name: values[0] for name, values in found.items()})
        yield row, seconds


def main() -> None:
    """Print pass rates and costs as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter('ignore')
    rng = np.random.default_rng(options.seed)
    real = read(options.data / 'mp_reference.csv.gz', options.count, options.seed)
    costs: dict[str, list[float]] = {}
    for how in ('real', 'relabelled', 'flipped', 'rattled'):
        crystals = real if how == 'real' else [corrupted(crystal, how, rng) for crystal in real]
        rows = []
        for row, seconds in judged(crystals):
            rows.append(row)
            for name, value in seconds.items():
                costs.setdefault(name, []).append(value)
        table: dict[str, Any] = {}
        for rule, verdict in RULES.items():
            for kind in ('ionic', 'intermetallic', 'other'):
                verdicts = [verdict(row) for row in rows if row['bonding_class'] == kind]
                applies = [one for one in verdicts if one is not None]
                passed = sum(applies)
                entry = {'crystals': len(verdicts), 'applies': len(applies), 'passed': passed}
                table.setdefault(rule, {})[kind] = {
                    **entry,
                    'interval': wilson(passed, len(applies)) if applies else None,
                }
        print(json.dumps({how: table}, indent=1))
    milliseconds = {
        name: {'mean': 1e3 * float(np.mean(values)), 'median': 1e3 * float(np.median(values)), 'max': 1e3 * max(values)}
        for name, values in costs.items()
    }
    print(
        json.dumps({'cpu_ms_a_crystal': milliseconds, 'machine': platform.processor() or platform.machine()}, indent=1)
    )


if __name__ == '__main__':
    main()
