"""The ranked table as data of the page: the script shows the rows that are in sight."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from aiida_crystalgen.report.crystals import scene_of
from aiida_crystalgen.report.words import HEADINGS, chemists_formula
from aiida_crystalgen.tools.table import column_values, ranked_order, shown_columns, units_of

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.crystals import Crystals

MOST_ROWS: t.Final = 20_000  # more make the page slow to open: 4 MB
FIRST_ROWS: t.Final = 100  # that are there without a script, and on paper
STRUCTURES: t.Final = 200  # rows whose structure can be turned
DIGITS: t.Final = 3  # after the point


def table_of(table: Crystals, links: Mapping[str, str]) -> dict[str, t.Any]:
    """Return headings, units, the first rows, and all of them as JSON.

    :param links: where the dossier of a crystal lies, by its id.
    """
    names = shown_columns(table)
    units = units_of(table, names)
    order = ranked_order(table)[:MOST_ROWS]
    columns: list[dict[str, t.Any]] = []
    for name in names:
        values = column_values(table, name)
        values = [values[row] for row in order]
        if name == 'formula':
            values = [None if value is None else chemists_formula(value) for value in values]
        is_number = all(isinstance(value, (int, float, type(None))) for value in values)
        columns.append(
            {
                'name': name,
                'heading': HEADINGS.get(name, name.replace('_', ' ')),
                'unit': units[name],
                'numeric': is_number,
                'values': [round(value, DIGITS) + 0.0 if isinstance(value, float) else value for value in values],
                'digits': DIGITS if any(isinstance(value, float) for value in values) else 0,
            }
        )
    first = [{column['name']: column['values'][i] for column in columns} for i in range(min(len(order), FIRST_ROWS))]
    content = {
        'columns': columns,
        'n': len(order),
        'links': [links.get(table.ids[row]) for row in order] if links else [],
        'scenes': [scene_of_row(table, row) for row in order[:STRUCTURES]],
    }
    return {
        'columns': columns,
        'rows': first,
        'n': len(order),
        'n_more': max(len(table) - MOST_ROWS, 0),
        'data': script_json(content),
        'links': links,
    }


def scene_of_row(crystals: Crystals, row: int) -> dict[str, t.Any] | None:
    """Return the structure of a row for the viewer."""
    sites = slice(crystals.offsets[row], crystals.offsets[row + 1])
    return scene_of(crystals.numbers[sites], crystals.positions[sites], crystals.cells[row])


def script_json(content: t.Any) -> str:
    """Return JSON that cannot end the element of the page in which it stands."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(',', ':'), sort_keys=True)
    return text.replace('&', '\\u0026').replace('<', '\\u003c').replace('>', '\\u003e').replace('\u2028', '\\u2028')
