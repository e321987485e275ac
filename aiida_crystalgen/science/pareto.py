"""Pareto fronts: crystals that no other one beats in every objective at once.

A row dominates another one when it is at least as good in every objective and better in one. The first front holds the
rows that no row dominates, the second those that only rows of the first dominate, and so on (Deb et al., IEEE Trans.
Evol. Comput. 6, 182 (2002)). Rows of equal objectives are in the same front. A row with an unknown objective is in no
front: it can neither dominate nor be dominated.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOALS = ('min', 'max')


def pareto_fronts(rows: Iterable[Mapping[str, Any]], objectives: Mapping[str, str]) -> list[int | None]:
    """Return the number of the front of each row, 1 for the best, None for a row with an unknown objective.

    Args:
        rows: columns by name; the objectives are numbers or truth values.
        objectives: `min` or `max` by the name of the column.

    Raises:
        ValueError: for a goal or a value that means nothing.
    """
    signs = {name: _sign(name, goal) for name, goal in objectives.items()}
    if not signs:
        raise ValueError('a Pareto front needs at least one objective')
    values = [[_number(name, row.get(name)) for name in signs] for row in rows]
    known = [place for place, entries in enumerate(values) if None not in entries]
    fronts: list[int | None] = [None] * len(values)
    points = np.array([values[place] for place in known], dtype=float).reshape(len(known), len(signs))
    for place, front in zip(known, front_numbers(points * np.array(list(signs.values()))), strict=True):
        fronts[place] = front
    return fronts


def front_numbers(points: NDArray[np.float64]) -> list[int]:
    """Return the number of the front of each point, all objectives to be made small.

    Args:
        points: shape (n, m), finite.
    """
    distinct, inverse = np.unique(points + 0.0, axis=0, return_inverse=True)  # in the order of a dictionary
    fronts: Any = _of_two(distinct) if distinct.shape[1] <= 2 else _of_many(distinct)
    return [int(number) for number in np.asarray(fronts, dtype=int)[inverse.reshape(-1)]]


def _of_many(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return fronts of distinct sorted points: one more than the highest front of what dominates them.

    In this order a point is dominated by earlier ones alone, and of distinct points one that is nowhere larger
    dominates.
    """
    fronts = np.ones(len(points), dtype=np.int64)
    columns = np.ascontiguousarray(points.T)
    for place in range(1, len(points)):
        dominating = columns[1, :place] <= columns[1, place]
        for column in columns[2:]:
            dominating &= column[:place] <= column[place]
        if dominating.any():
            fronts[place] += fronts[:place][dominating].max()
    return fronts


def _of_two(points: NDArray[np.float64]) -> list[int]:
    """Return fronts of distinct sorted points of at most two objectives, in the time of sorting them.

    The smallest second objective of each front so far grows with its number, so that a search by halves finds the
    first front in which nothing dominates a point.
    """
    smallest: list[float] = []
    fronts = []
    for point in points.tolist():
        front = bisect_right(smallest, point[-1] if len(point) == 2 else math.inf)
        if front == len(smallest):
            smallest.append(math.inf)
        smallest[front] = point[-1]
        fronts.append(front + 1)
    return fronts


def _sign(name: str, goal: str) -> float:
    if goal not in GOALS:
        raise ValueError(f'`{name}` is to be made `{goal}`; an objective is `min` or `max`')
    return 1.0 if goal == 'min' else -1.0


def _number(name: str, value: Any) -> float | None:
    """Return a value as a number, None where it is unknown."""
    if value is None:
        return None
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        raise ValueError(f'`{name}` holds {value!r}, which is no number; an objective has numbers')
    return float(value)
