"""Figures of novelty against a large reference: the index, the cost of a verdict, and whether it is the right one.

    python benchmarks/novelty.py ../shared/data [--crystals 1000]

The folder holds `mp_reference.csv.gz` (columns `material_id` and `cif`). Half of the crystals are disguised copies of
known ones (rattled, in another cell, reordered, scaled), half are real crystals that are held out of the reference. The
peer is pymatgen's StructureMatcher on the crystals as given, both ways, with every known crystal of the formula until
one fits. Times are CPU times of one process with one thread.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.remote.harness.worker import Batch
from aiida_crystalgen.science import indexing, novelty
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import COPIES, copy_of, read

Row = dict[str, Any]

SOURCE = {'source': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '', 'help': 'id'}}
JOB = SimpleNamespace(parameters={})
COLUMNS = indexing.columns(JOB)
META = {'known': SOURCE, 'known_index': COLUMNS}


def row(crystal: Crystal) -> Row:
    """Return a crystal as a row of a reference set."""
    geometry = {name: getattr(crystal, name) for name in ('id', 'numbers', 'positions', 'cell', 'pbc')}
    return {**geometry, 'columns': {'source': crystal.id}}


def anew(crystals: Sequence[Crystal]) -> list[Crystal]:
    """Return the crystals without anything derived from their geometry."""
    return [Crystal.from_row(row(crystal)) for crystal in crystals]


def seconds(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns and its CPU time [s]."""
    start = time.process_time()
    return function(), time.process_time() - start


def load(path: Path, columns: Row) -> list[Crystal]:
    """Read a table as an analysis job does."""
    return [Crystal.from_row(entry) for entry in Batch(str(path), columns)]


def build(reference: Sequence[Crystal]) -> list[Row]:
    """Return the rows of the index of a reference."""
    return list(indexing.run(map(row, reference), JOB))


def exhaustive(crystal: Crystal, known: Sequence[Crystal]) -> bool:
    """Return the verdict of the plain matcher: whether any known crystal of the formula fits in either order."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(0.2, 0.3, 5)
    return any(
        matcher.fit(crystal.structure, other.structure) or matcher.fit(other.structure, crystal.structure)
        for other in known
    )


def compare(candidates: Sequence[Crystal], known: Sequence[Crystal], found: dict[str, list[Any]]) -> Row:
    """Judge all candidates by exhaustive matching."""
    by_formula: dict[Any, list[Crystal]] = {}
    for crystal in known:
        by_formula.setdefault(crystal.composition_key, []).append(crystal)
    pools = [by_formula.get(crystal.composition_key, []) for crystal in candidates]
    for crystal in itertools.chain(candidates, *pools):
        crystal.structure  # noqa: B018  Making the structures is not what is measured.
    plain, taken = seconds(lambda: [exhaustive(crystal, pool) for crystal, pool in zip(candidates, pools, strict=True)])
    differing = [
        {'id': crystal.id, 'plain_matches': matches, 'ours': found['matches_known'][i]}
        for i, (crystal, matches) in enumerate(zip(candidates, plain, strict=True))
        if matches != (found['matches_known'][i] is not None)
    ]
    return {
        'compared': len(candidates),
        'with_known_crystals_of_the_formula': sum(map(bool, pools)),
        'pairs_of_one_formula': sum(map(len, pools)),
        'differing_verdicts': differing,
        'plain_matcher_ms_per_crystal': 1e3 * taken / len(candidates),
    }


def prepare(data: Path, folder: Path, n: int) -> tuple[list[Crystal], Row]:
    """Write the tables; return the candidates, planted ones first, and the figures of the index."""
    reference = read(data / 'mp_reference.csv.gz', 10**6)
    build(reference[:1])  # Imports are not what is measured.
    index, taken = seconds(lambda: build(reference))
    held_out, known = reference[: n // 2], reference[n // 2 :]
    left = {crystal.id for crystal in known}
    kept = [
        {**entry['structure'], 'id': entry['id'], 'columns': entry['columns']}
        for entry in index
        if entry['id'] in left and 'rejected' not in entry
    ]
    Crystals.from_rows([row(crystal) for crystal in known], SOURCE).to_npz(folder / 'known.npz')
    Crystals.from_rows(kept, COLUMNS).to_npz(folder / 'known_index.npz')
    rng = np.random.default_rng(0)
    drawn = zip(random.Random(1).sample(known, n // 2), itertools.cycle(COPIES), strict=False)
    figures = {
        'references': len(reference),
        'not_comparable': Counter(entry['rejected']['reason'] for entry in index if 'rejected' in entry),
        'seconds': taken,
        'ms_per_reference': 1e3 * taken / len(reference),
        'megabytes': {path.stem: path.stat().st_size / 1e6 for path in sorted(folder.iterdir())},
    }
    return [*(copy_of(crystal, kind, rng) for crystal, kind in drawn), *held_out], figures


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--crystals', type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        candidates, index = prepare(options.data, folder, options.crystals)
        gc.collect()
        tables, loading = seconds(lambda: {table: load(folder / f'{table}.npz', META[table]) for table in META})
        bare = {'known': load(folder / 'known.npz', SOURCE)}
    found, taken = seconds(lambda: novelty.evaluate(anew(candidates), {}, tables))
    without, lazily = seconds(lambda: novelty.evaluate(anew(candidates), {}, bare))
    judged = compare(anew(candidates), bare['known'], found)
    n, half = len(candidates), options.crystals // 2
    figures = {
        'versions': indexing.versions(),
        'index': index,
        'novelty': {
            'crystals': n,
            'known': len(bare['known']),
            'ms_per_crystal': 1e3 * taken / n,
            'ms_per_crystal_with_loading': 1e3 * (taken + loading) / n,
            'seconds_of_loading': loading,
            'ms_per_crystal_without_index': 1e3 * lazily / n,
            'columns_differing_without_index': [name for name in found if found[name] != without[name]],
            'planted_found': sum(verdict is False for verdict in found['novel_known'][:half]),
            'planted': half,
            'held_out': Counter(map(str, found['novel_known'][half:])),
        },
        'exhaustive': {**judged, 'ratio': judged['plain_matcher_ms_per_crystal'] / (1e3 * taken / n)},
    }
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
