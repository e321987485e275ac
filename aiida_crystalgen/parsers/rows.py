"""From the finished rows of a job to columns beside the crystals that were sent."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import numpy as np

from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.rejections import rejected_rows

Rows = Mapping[str, Mapping[str, t.Any]]
Meta = Mapping[str, Mapping[str, t.Any]]


def kept_crystals(asked: Crystals, results: Rows, columns: Meta) -> Crystals:
    """Return the rows of `asked` that have a result, in their order, with new geometry and new columns."""
    chosen = asked.select([i for i, name in enumerate(asked.ids) if name in results])
    rows = [results[name] for name in chosen.ids]
    chosen = _with_structures(chosen, [row.get('structure') for row in rows])
    values = [row.get('columns') or {} for row in rows]
    new = {
        name: make_column([value.get(name) for value in values], meta, chosen.offsets, name)
        for name, meta in columns.items()
        if name not in chosen.columns
    }
    return chosen.with_columns(new)


def rejected_crystals(asked: Crystals, results: Rows, columns: Meta, stage: str) -> Crystals:
    """Return the rejected rows with what was learnt of them, and with where and why they ended."""
    chosen = kept_crystals(asked, results, columns)
    return rejected_rows(chosen, stage, [results[name]['rejected'] for name in chosen.ids])


def _with_structures(crystals: Crystals, structures: list[Mapping[str, t.Any] | None]) -> Crystals:
    """Return the crystals with the geometries that came back; a row without one keeps its own."""
    if not any(structures):
        return crystals
    rows = [row if structure is None else structure for row, structure in zip(crystals.rows(), structures, strict=True)]
    return crystals.with_geometry(
        np.concatenate([np.asarray(row['numbers'], dtype=np.int64) for row in rows]),
        np.concatenate([np.asarray(row['positions'], dtype=float).reshape(-1, 3) for row in rows]),
        np.stack([np.asarray(row['cell'], dtype=float) for row in rows]),
        np.stack([np.asarray(row['pbc'], dtype=bool) for row in rows]),
        np.cumsum([0, *(len(row['numbers']) for row in rows)]),
    )
