"""The five columns of a rejected row, written in one place."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from aiida_crystalgen.data.crystals import Crystals, make_column

STAGES: t.Final = ('generate', 'prescreen', 'relax', 'postscreen', 'filter')
REJECTION_COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    'rejected_stage': {'kind': 'text', 'dtype': 'text', 'help': 'Stage that rejected the crystal.'},
    'rejected_reason': {'kind': 'text', 'dtype': 'text', 'help': 'Reason, one word.'},
    'rejected_detail': {'kind': 'text', 'dtype': 'text', 'help': 'Reason, one sentence.'},
    'rejected_value': {'kind': 'row', 'dtype': 'float', 'help': 'Value that was judged, in the unit of its column.'},
    'rejected_threshold': {'kind': 'row', 'dtype': 'float', 'help': 'Threshold that it missed, in the same unit.'},
}


def rejected_rows(crystals: Crystals, stage: str, reasons: Sequence[Mapping[str, t.Any]]) -> Crystals:
    """Return the rows with the five columns that say where and why they ended.

    :param reasons: one a row, with `reason`, `detail`, `value` and `threshold`; what is missing is unknown.
    """
    values: dict[str, list[t.Any]] = {'rejected_stage': [stage] * len(crystals)}
    for key in ('reason', 'detail', 'value', 'threshold'):
        values[f'rejected_{key}'] = [reason.get(key) for reason in reasons]
    full = {'shape': [], 'unit': '', 'level': ''}
    return crystals.with_columns(
        {name: make_column(values[name], {**full, **meta}, name=name) for name, meta in REJECTION_COLUMNS.items()}
    )
