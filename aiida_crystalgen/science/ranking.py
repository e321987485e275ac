"""Order of the survivors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def order(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of rows, best first: by energy above the hull, then by enthalpy, then by id; unknowns last."""
    return [str(row['id']) for row in sorted(rows, key=_key)]


def rank(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the rank of each row by id, 1 for the best."""
    return {row_id: place for place, row_id in enumerate(order(rows), start=1)}


def _key(row: Mapping[str, Any]) -> tuple[tuple[bool, float], tuple[bool, float], str]:
    return _known_first(row.get('e_hull')), _known_first(row.get('enthalpy')), str(row['id'])


def _known_first(value: float | None) -> tuple[bool, float]:
    return (True, 0.0) if value is None else (False, float(value))
