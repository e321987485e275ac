"""What the conditions of the model `wyckoff` cost: chemical systems and space groups not seen together in training.

    python -m benchmarks.conditions ../shared/data [--weights FILE] [--systems 100] [--groups 50] [--each 5]

The systems are held-out ones of `mp_reference.csv.gz` (no crystal of them was trained on), the space groups those that
the model finds most probable. Every row is judged by the same code as in `benchmarks/wyckoff.py`; nothing is rejected
before it is counted. Wishes that no crystal can keep are refused by the model and counted.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aiida_crystalgen.models.wyckoff import WishError, WyckoffModel
from aiida_crystalgen.models.wyckoff.data import SHARES, place_of
from aiida_crystalgen.science.crystal import Crystal, symbol_of
from benchmarks.hull import key_of
from benchmarks.wyckoff import crystal, judged, shares, wilson

COUNTED = ('distance', 'strict', 'smact', 'unique', 'space_group_found')


def held_out_systems(filepath: Path, count: int) -> list[str]:
    """Return chemical systems of the test part, in a random order that is always the same."""
    csv.field_size_limit(10**9)
    with gzip.open(filepath, 'rt', newline='') as stream:
        keys = [key_of(row['cif']) for row in csv.DictReader(stream)]
    systems = sorted({'-'.join(sorted(symbol_of(number) for number, _ in key)) for key in keys})
    test = [name for name in systems if SHARES[0] <= place_of(name) < sum(SHARES)]
    return [test[place] for place in np.random.default_rng(5).permutation(len(test))[:count]]


def common_groups(model: WyckoffModel, count: int) -> list[int]:
    """Return the space groups that the model draws most often."""
    drawn = model.sample(1000, seed=1, clearance=0.0)
    numbers = np.bincount([sample.columns.get('space_group', 0) for sample in drawn], minlength=231)[1:]
    return (np.argsort(-numbers, kind='stable')[:count] + 1).tolist()


def wishes(kind: str, systems: Sequence[str], groups: Sequence[int], each: int) -> Iterator[dict[str, Any]]:
    """Yield what is wished of each crystal."""
    for place in range(len(systems) * each):
        wish: dict[str, Any] = {}
        if 'system' in kind:
            wish['chemical_system'] = systems[place % len(systems)]
        if 'group' in kind:
            # Systems and groups meet in ever other pairs.
            wish['space_groups'] = [groups[(place + place // len(systems)) % len(groups)]]
        yield wish


def measured(model: WyckoffModel, asked: Sequence[dict[str, Any]], **common: Any) -> dict[str, Any]:
    """Return shares of crystals drawn with wishes of their own and some in common."""
    rows: list[Crystal] = []
    honoured: list[bool] = []
    refused = 0
    for place, wish in enumerate(asked):
        try:
            (sample,) = model.sample(1, seed=[7, place], **common, **wish)
        except WishError:
            refused += 1
            continue
        asked_group = sample.columns.get('space_group')
        rows.append(crystal(f'own-{place}', sample.numbers, sample.positions, sample.cell, asked=asked_group))
        elements = '-'.join(sorted({symbol_of(int(number)) for number in sample.numbers}))
        same_group = [asked_group] == wish.get('space_groups', [asked_group])
        honoured.append(sample.reason == '' and same_group and elements == wish.get('chemical_system', elements))
    found = shares([{name: row[name] for name in COUNTED} for row in judged(rows, set())])
    return {'refused': refused, 'kept': wilson(sum(honoured), len(honoured)), **found}


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--weights', type=Path)
    parser.add_argument('--systems', type=int, default=100)
    parser.add_argument('--groups', type=int, default=50)
    parser.add_argument('--each', type=int, default=5)
    parser.add_argument('--max-atoms', type=int, default=20)
    parser.add_argument('--plain', action='store_true', help='no label, instead of `e_above_hull: 0` with guidance')
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = WyckoffModel.load(given.weights)
    systems = held_out_systems(given.folder / 'mp_reference.csv.gz', given.systems)
    groups = common_groups(model, given.groups)
    common: dict[str, Any] = {'max_atoms': given.max_atoms}
    if not given.plain:
        common |= {'e_above_hull': 0.0, 'guidance': 1.0}
    result: dict[str, Any] = {'systems': len(systems), 'groups': sorted(groups)}
    for kind in ('free', 'system', 'group', 'system and group'):
        result[kind] = measured(model, list(wishes(kind, systems, groups, given.each)), **common)
        print(json.dumps({kind: result[kind]}), file=sys.stderr, flush=True)
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
