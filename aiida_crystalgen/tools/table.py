"""Batches as tables: which columns, in which order, as records, CSV or JSON that are the same every time."""

from __future__ import annotations

import csv
import io
import json
import typing as t
from collections.abc import Sequence

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.crystals import Crystals

Row = dict[str, t.Any]

# Columns that a person looks at first; the others follow in alphabetical order.
FIRST: t.Final = ('rank', 'id', 'formula', 'n_sites')
SHOWN: t.Final = (
    'rank', 'id', 'formula', 'n_sites', 'space_group_relaxed', 'priority', 'pareto_front', 'e_hull',
    'e_hull_with_candidates', 'formation_energy', 'energy', 'phonon_verdict', 'phonon_lowest_frequency', 'novel_known',
    'framework_max_displacement', 'n_duplicates', 'generator',
)  # fmt: skip
REJECTED_SHOWN: t.Final = (
    'id', 'formula', 'rejected_stage', 'rejected_reason', 'rejected_value', 'rejected_threshold', 'rejected_detail',
)  # fmt: skip
DIGITS: t.Final = 10  # significant digits in CSV: far finer than any model, coarser than the noise of the last bits


def table_columns(crystals: Crystals) -> list[str]:
    """Return the names of all columns with one value or text a row, in reading order."""
    plain = [
        name
        for name, column in crystals.columns.items()
        if column.kind == 'text' or (column.kind == 'row' and column.values.ndim == 1)
    ]
    names = {*plain, 'formula', 'n_sites'}
    return [*(name for name in FIRST if name in names), *sorted(names - set(FIRST))]


def shown_columns(crystals: Crystals, wanted: Sequence[str] = SHOWN) -> list[str]:
    """Return those of the wanted columns that have a value; an energy only where there is no formation energy."""
    known = table_columns(crystals)
    names = [name for name in wanted if name in known and any(v is not None for v in column_values(crystals, name))]
    return [name for name in names if name != 'energy' or 'formation_energy' not in names]


def column_values(crystals: Crystals, name: str) -> list[t.Any]:
    """Return a column; `formula` and `n_sites` are read from the geometry where they are no columns."""
    if name in crystals.columns:
        return crystals.values(name)
    bounds = list(zip(crystals.offsets[:-1], crystals.offsets[1:], strict=True))
    if name == 'n_sites':
        return [int(stop - start) for start, stop in bounds]
    if name == 'formula':
        return [_formula(crystals.numbers[start:stop].tolist()) for start, stop in bounds]
    raise ValueError(f'there is no column `{name}`; there are: {", ".join(table_columns(crystals))}')


def records(crystals: Crystals, columns: Sequence[str] | None = None, limit: int | None = None) -> list[Row]:
    """Return one dictionary a row, ranked rows in the order of their rank."""
    names = list(columns) if columns else table_columns(crystals)
    series = [column_values(crystals, name) for name in names]
    order = ranked_order(crystals)[:limit]
    return [{name: values[row] for name, values in zip(names, series, strict=True)} for row in order]


def ranked_order(crystals: Crystals) -> list[int]:
    """Return the rows from the best rank on, rows without a rank last."""
    if 'rank' not in crystals.columns:
        return list(range(len(crystals)))
    ranks = crystals.values('rank')
    return sorted(range(len(crystals)), key=lambda row: (ranks[row] is None, ranks[row] or 0, crystals.ids[row]))


def units_of(crystals: Crystals, names: Sequence[str]) -> dict[str, str]:
    """Return the unit of each column, empty where it has none."""
    return {name: crystals.columns[name].unit if name in crystals.columns else '' for name in names}


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return CSV: no PK, no UUID, no time, unknown values empty, the same bytes for the same rows."""
    stream = io.StringIO(newline='')
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows([[_csv_value(row[name]) for name in columns] for row in rows])
    return stream.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    """Return JSON: a list of objects, unknown values null."""
    rounded = [{k: float(_csv_value(v)) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    return json.dumps(rounded, indent=1, ensure_ascii=False, allow_nan=False) + '\n'


def _csv_value(value: t.Any) -> str:
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return f'{value + 0.0:.{DIGITS}g}'
    return str(value)


def _formula(numbers: list[int]) -> str | None:
    """Return the reduced formula in alphabetical order of the symbols, None for a row without atoms."""
    from math import gcd

    if not numbers:
        return None
    counts = {symbol: numbers.count(number) for number in set(numbers) for symbol in [SYMBOLS[number - 1]]}
    divisor = gcd(*counts.values())
    return ''.join(f'{s}{counts[s] // divisor if counts[s] > divisor else ""}' for s in sorted(counts))
