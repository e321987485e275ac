"""Order of the survivors, and which of them make the short list.

Nothing here depends on the order in which the rows come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .pareto import pareto_fronts
from .priority import priority, share_known, terms

Row = Mapping[str, Any]

GROUPS = {'max_per_formula': 'formula', 'max_per_system': 'chemical_system', 'max_per_prototype': 'prototype'}
"""Limits of a varied short list, and the column whose equal values make a group."""


def order(rows: Iterable[Row]) -> list[str]:
    """Return the ids of rows, best first: by energy above the hull, then by enthalpy, then by id; unknowns last."""
    return [str(row['id']) for row in sorted(rows, key=_key)]


def rank(rows: Iterable[Row]) -> dict[str, int]:
    """Return the rank of each row by id, 1 for the best."""
    return {row_id: place for place, row_id in enumerate(order(rows), start=1)}


def judge(rows: Sequence[Row], rules: Mapping[str, Any], flags: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return rank, and where the rules ask for them `pareto_front`, `priority` and `priority_known`, of each row.

    A weight puts the rows in the order of their priority, highest first; without weights objectives put them in the
    order of their fronts. Ties, and what neither decides, go by the order above. Unknowns come last.

    Args:
        rows: `id` and columns, the same in every row.
        rules: `objectives` (`min` or `max` by column) and `weights` (terms by column), both may be empty. A column
            that the rows do not have is left out, so that the same rules serve before and after the phonons.
        flags: columns of truth values.
    """
    there = {name for row in rows for name in row}
    objectives: dict[str, str] = rules.get('objectives', {})
    weights: dict[str, Any] = rules.get('weights', {})
    found: list[dict[str, Any]] = [{} for _ in rows]
    if objectives:
        present = {name: goal for name, goal in objectives.items() if name in there}
        fronts = pareto_fronts(rows, present) if present else [None] * len(rows)
        for entry, front in zip(found, fronts, strict=True):
            entry['pareto_front'] = front
    if weights:
        full = terms({name: term for name, term in weights.items() if name in there}, flags)
        for entry, row in zip(found, rows, strict=True):
            entry.update({'priority': priority(row, full), 'priority_known': share_known(row, weights)})
    by, sign = ('priority', -1) if weights else ('pareto_front', 1)
    places = sorted(range(len(rows)), key=lambda i: (_known_first(found[i].get(by), sign), *_key(rows[i])))
    for rank, place in enumerate(places, start=1):
        found[place]['rank'] = rank
    return found


def shortlist(rows: Iterable[Row], size: int, limits: Mapping[str, int] = {}) -> list[str]:
    """Return the ids of the short list: the best rows one after the other, no group of them above its limit.

    It is shorter than asked for where the limits leave no more. A row of which a group is unknown shares it with none.

    Args:
        rows: the best first.
        size: number of crystals.
        limits: by a name of `GROUPS`.
    """
    counts: Counter[tuple[str, Any]] = Counter()
    chosen: list[str] = []
    for row in rows:
        groups = [(name, row.get(GROUPS[name])) for name in limits]
        known = [group for group in groups if group[1] is not None]
        if len(chosen) < size and all(counts[group] < limits[group[0]] for group in known):
            chosen.append(str(row['id']))
            counts.update(known)
    return chosen


def _key(row: Row) -> tuple[tuple[bool, float], tuple[bool, float], str]:
    return _known_first(row.get('e_hull')), _known_first(row.get('enthalpy')), str(row['id'])


def _known_first(value: float | None, sign: int = 1) -> tuple[bool, float]:
    return (True, 0.0) if value is None else (False, sign * float(value))
