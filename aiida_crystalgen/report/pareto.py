"""The front of Pareto as a figure, where a campaign ranked by several columns."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.report.figures import scatter_figure
from aiida_crystalgen.report.words import HEADINGS, chemists_formula
from aiida_crystalgen.tools.table import column_values, units_of

if t.TYPE_CHECKING:
    from aiida_crystalgen.report.content import Content

FRONT: t.Final = 'pareto_front'


def pareto(content: Content) -> dict[str, str] | None:
    """Return the figure and a sentence; None where no front was asked for, or fewer than two numbers are known."""
    table = content.table
    if FRONT not in table.columns:
        return None
    goals: dict[str, str] = (content.spec.get('ranking') or {}).get('objectives') or {}
    names = [name for name in goals if _is_known(table, name)]
    if len(names) < 2:
        return None
    x, y = names[:2]
    columns = zip(*(column_values(table, name) for name in (x, y, FRONT, 'formula', 'id')), strict=True)
    points = [
        (float(a), float(b), front == 1, f'{chemists_formula(formula)} {name}: {a:.3g}, {b:.3g}')
        for a, b, front, formula, name in columns
        if a is not None and b is not None
    ]
    words = {'min': 'small', 'max': 'large'}
    wanted = ', '.join(f'{_heading(name)} ({words[goals[name]]} is good)' for name in goals)
    text = f'Judged by {wanted}.'
    if len(goals) > 2:
        text += ' The picture shows two of them; a crystal may be on the front because of another.'
    units = units_of(table, (x, y))
    labels = (f'{_heading(name)}, {units[name]}' if units[name] else _heading(name) for name in (x, y))
    return {'figure': scatter_figure(points, *labels), 'text': text}


def _is_known(table: t.Any, name: str) -> bool:
    if name not in table.columns:
        return False
    values = [value for value in table.values(name) if value is not None]
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


def _heading(name: str) -> str:
    return HEADINGS.get(name, name.replace('_', ' '))
