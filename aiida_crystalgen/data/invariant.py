"""The one invariant of every stage: rows only shrink, columns only grow."""

from __future__ import annotations

import numpy as np

from aiida_crystalgen.data.crystals import Column, Crystals


def check_stage(before: Crystals, kept: Crystals, rejected: Crystals) -> str | None:
    """Return None, or a sentence that says how a stage broke the invariant.

    ids(before) = ids(kept) + ids(rejected), disjoint; every column of `before` is in both with its values unchanged.
    Only the geometry may change.
    """
    places = {crystal_id: place for place, crystal_id in enumerate(before.ids)}
    if twice := set(kept.ids) & set(rejected.ids):
        return f'crystal `{min(twice)}` is both kept and rejected.'
    if born := (set(kept.ids) | set(rejected.ids)) - places.keys():
        return f'crystal `{min(born)}` appears after the stage but not before it.'
    if lost := places.keys() - set(kept.ids) - set(rejected.ids):
        return f'crystal `{min(lost)}` is neither kept nor rejected.'
    for after, label in ((kept, 'kept'), (rejected, 'rejected')):
        same = before.select([places[crystal_id] for crystal_id in after.ids])
        for name in same.columns:
            if name not in after.columns:
                return f'column `{name}` is missing among the {label} crystals.'
            if not _equal(same.columns[name], after.columns[name]):
                return f'column `{name}` has changed among the {label} crystals.'
    return None


def _equal(first: Column, second: Column) -> bool:
    pairs = ((first.values, second.values), (first.mask, second.mask), (first.offsets, second.offsets))
    same = all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)
    return same and first.meta() == second.meta()
