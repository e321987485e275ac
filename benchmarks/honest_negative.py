"""How well evidence and artefacts tell made crystals from virtual ones: the area under the ROC curve.

    python -m benchmarks.honest_negative ../shared/data [--resamples 1000] [--seed 5]

Crystals are those of `mp_made_or_virtual.csv.gz`: tagged `icsd` (made) or `virtual`, which is unlabelled, not negative,
so that every area is a lower bound. A score is oriented as a chemist would read it (a smaller instability index is
better), never by the result. Intervals (95 %) come from resampling whole chemical systems, since crystals of one system
are not independent. Where a score is unknown the crystal is left out of its area, and the number left is given.

Nothing is fitted, so there is nothing to train; `popularity` alone counts known crystals of the same elements, those of
the crystal's own id excepted. Labels shuffled once are the control. The distance to the hull is not among the scores:
`mp_reference.csv.gz` holds none of these crystals, so nothing at hand gives their formation energies.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.priority import priority, terms
from benchmarks.evidence import judged
from benchmarks.real_crystals import from_cif

# Column and sign: +1 where larger should mean more likely made.
SCORES: dict[str, tuple[str, int]] = {
    'SMACT validity': ('smact_valid', 1),
    'SMACT validity without alloys': ('smact_valid_no_alloys', 1),
    'charge balanced': ('charge_balanced', 1),
    'valences found': ('valences_found', 1),
    'instability index': ('instability_index', -1),
    'Pauling 2': ('pauling2_deviation', -1),
    'number of elements': ('n_elements', -1),
    'information per atom': ('information_per_atom', -1),
    'HHI of production': ('hhi_production', -1),
    'size: atoms of the cell': ('n_sites', -1),
    'size: kinds of sites': ('n_site_kinds', -1),
    'popularity of the system': ('popularity', 1),
    'priority of the evidence': ('priority', 1),
}
WEIGHTS = {
    'charge_balanced': 1.0,
    'valences_found': 1.0,
    'instability_index': {'weight': 1.0, 'best': 0.0, 'worst': 0.5},
    'information_per_cell': 1.0,
    'n_elements': 1.0,
}
FLAGS = frozenset({'charge_balanced', 'valences_found'})


def area(scores: NDArray[np.float64], made: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: the chance that a made crystal scores above a virtual one, ties half."""
    from scipy.stats import rankdata

    n_made = int(made.sum())
    n_other = len(made) - n_made
    if not n_made or not n_other:
        return float('nan')
    ranks = rankdata(scores)
    return float((ranks[made].sum() - n_made * (n_made + 1) / 2) / (n_made * n_other))


def interval(
    scores: NDArray[np.float64], made: NDArray[np.bool_], systems: Sequence[str], resamples: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of an area from resampled chemical systems."""
    places = defaultdict(list)
    for place, system in enumerate(systems):
        places[system].append(place)
    groups = [np.array(group) for _, group in sorted(places.items())]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        found.append(area(scores[drawn], made[drawn]))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


def read_tagged(path: Path) -> tuple[list[Crystal], list[bool]]:
    """Return the crystals and whether each was made."""
    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        rows = list(csv.DictReader(handle))
    return [from_cif(row['material_id'], row['cif']) for row in rows], [row['tag'] == 'icsd' for row in rows]


def read_known(path: Path) -> tuple[Counter[str], set[str]]:
    """Return how many reference crystals each chemical system has, and their ids."""
    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        crystals = [from_cif(row['material_id'], row['cif']) for row in csv.DictReader(handle)]
    return Counter(one.chemical_system for one in crystals), {one.id for one in crystals}


def rows_of(crystals: list[Crystal], known: Counter[str], ids: set[str]) -> list[dict[str, Any]]:
    """Return the columns of evidence, the artefacts and the priority of each crystal."""
    full = terms(WEIGHTS, FLAGS)
    rows = []
    for crystal, (row, _) in zip(crystals, judged(crystals), strict=True):
        row['n_sites'] = len(crystal.primitive or crystal.numbers)
        row['popularity'] = known[crystal.chemical_system] - (crystal.id in ids)
        row['priority'] = priority(row, full)
        row['chemical_system'] = crystal.chemical_system
        rows.append(row)
    return rows


def figures(rows: list[dict[str, Any]], made: Sequence[bool], resamples: int, seed: int) -> dict[str, Any]:
    """Return area, interval and number of crystals of each score."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {}
    for name, (column, sign) in SCORES.items():
        there = [place for place, row in enumerate(rows) if row.get(column) is not None]
        scores = np.array([sign * float(rows[place][column]) for place in there])
        labels = np.array([made[place] for place in there], dtype=bool)
        systems = [rows[place]['chemical_system'] for place in there]
        shuffled = rng.permutation(labels)
        found[name] = {
            'crystals': len(there),
            'made': int(labels.sum()),
            'area': area(scores, labels),
            'interval': interval(scores, labels, systems, resamples, seed),
            'shuffled': area(scores, shuffled),
            'shuffled_interval': interval(scores, shuffled, systems, resamples, seed),
        }
    return found


def main() -> None:
    """Print the areas as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--resamples', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter('ignore')
    crystals, made = read_tagged(options.data / 'mp_made_or_virtual.csv.gz')
    rows = rows_of(crystals, *read_known(options.data / 'mp_reference.csv.gz'))
    print(f'{sum(made)} made of {len(made)}', file=sys.stderr)
    print(json.dumps(figures(rows, made, options.resamples, options.seed), indent=1))


if __name__ == '__main__':
    main()
