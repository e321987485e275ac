"""Crystals for the tests: some written here, some of the shared data where they are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from aiida_crystalgen.science.crystal import Crystal

DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data'
MP = DATA / 'mp_reference.csv.gz'
CARBON = DATA / 'carbon_24_test.csv.gz'

needs_data = pytest.mark.skipif(not MP.is_file(), reason='the shared data folder is not beside the checkout')


def crystal(
    numbers: Sequence[int],
    fractional: Any,
    cell: Any,
    name: str = 'a',
    pbc: tuple[bool, bool, bool] = (True, True, True),
    **columns: Any,
) -> Crystal:
    """Return a crystal of atomic numbers, fractional coordinates and a cell (or its edges) [A]."""
    matrix = np.array(cell, dtype=float)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    positions = np.array(fractional, dtype=float).reshape(-1, 3) @ matrix
    return Crystal(name, np.array(numbers, dtype=int), positions, matrix, np.array(pbc), columns)


def rocksalt(name: str = 'a', edge: float = 4.21, numbers: tuple[int, int] = (12, 8), **columns: Any) -> Crystal:
    """Return the primitive cell of a rocksalt; by default periclase, MgO."""
    cell = edge / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return crystal(numbers, [[0, 0, 0], [0.5, 0.5, 0.5]], cell, name, **columns)


def caesium_chloride(
    name: str = 'b', edge: float = 2.66, numbers: tuple[int, int] = (12, 8), **columns: Any
) -> Crystal:
    """Return the cell of a caesium chloride structure; by default of MgO."""
    return crystal(numbers, [[0, 0, 0], [0.5, 0.5, 0.5]], [edge] * 3, name, **columns)


def simple_cubic(number: int, name: str, edge: float = 3.0, **columns: Any) -> Crystal:
    """Return a crystal with one atom in a cube."""
    return crystal([number], [[0, 0, 0]], [edge] * 3, name, **columns)


@st.composite
def small_crystals(draw: st.DrawFn, name: str = 'a') -> Crystal:
    """Draw a crystal of one to three atoms of few elements in a moderately skewed cell."""
    number = st.sampled_from([1, 8, 12, 55])
    numbers = draw(st.lists(number, min_size=1, max_size=3))
    entry = st.floats(-4, 4, allow_nan=False).map(lambda value: round(value, 2))
    cell = np.array(draw(st.lists(entry, min_size=9, max_size=9))).reshape(3, 3) + 2.5 * np.eye(3)
    fractional = draw(st.lists(st.floats(0, 1, allow_nan=False), min_size=3 * len(numbers), max_size=3 * len(numbers)))
    return crystal(numbers, fractional, cell, name)
