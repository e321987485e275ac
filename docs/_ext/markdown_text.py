"""Markdown tables."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[t.Any]]) -> str:
    """Return a Markdown table."""
    lines = [headers, ['---'] * len(headers), *rows]
    return '\n'.join('| ' + ' | '.join(cell(value) for value in line) + ' |' for line in lines) + '\n'


def cell(value: t.Any) -> str:
    """Return a value as one cell of a table."""
    return ' '.join(str(value).split()).replace('|', '\\|').replace('<', '&lt;').replace('$', '\\$')


def code(value: t.Any) -> str:
    """Return a value in the type of code, nothing for an empty one."""
    return f'`{value}`' if value not in ('', None) else ''
