"""Distributions over all crystals that have atoms: cells, symmetry, volume, generators."""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.report.figures import bars_figure
from aiida_crystalgen.report.svg import round_ticks

if t.TYPE_CHECKING:
    from aiida_crystalgen.report.content import Content

# The last space group of each crystal system.
SYSTEMS: t.Final = {
    2: 'triclinic', 15: 'monoclinic', 74: 'orthorhombic', 142: 'tetragonal', 167: 'trigonal', 194: 'hexagonal',
    230: 'cubic',
}  # fmt: skip
SHORT: t.Final = {'triclinic': 'tric.', 'monoclinic': 'mono.', 'orthorhombic': 'ortho.', 'tetragonal': 'tetra.',
                  'trigonal': 'trig.', 'hexagonal': 'hex.', 'cubic': 'cubic'}  # fmt: skip
BARS: t.Final = 24
LARGEST_VOLUME: t.Final = 60.0  # Å³ per atom; larger cells share the last bar
Group = tuple[str, int, int]


def crystal_system(number: int) -> str:
    """Return the crystal system of a space group."""
    return next(name for last, name in SYSTEMS.items() if number <= last)


def distributions(content: Content) -> list[dict[str, str]]:
    """Return small figures, one a quantity that is known of some crystals."""
    sides = (content.table, content.rejected)
    figures = []
    for title, label, groups in (
        ('Atoms in the cell', 'atoms', _sites(*sides)),
        ('Volume per atom', 'Å³ per atom', _volumes(*sides)),
        ('Crystal system once relaxed', '', _systems(*sides)),
        ('Generator', '', _generators(*sides)),
    ):
        if len(groups) > 1:
            figures.append({'title': title, 'figure': bars_figure(groups, title, label)})
    return figures


def _sites(*sides: Crystals | None) -> list[Group]:
    values = [[int(n) for n in np.diff(side.offsets) if n] if side is not None else [] for side in sides]
    numbers = [n for side in values for n in side]
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    step = math.ceil((high - low + 1) / BARS)
    starts = range(low, high + 1, step)
    names = [str(start) if step == 1 else f'{start}–{start + step - 1}' for start in starts]
    return _counted(names, [[(n - low) // step for n in side] for side in values])


def _volumes(*sides: Crystals | None) -> list[Group]:
    values: list[list[float]] = []
    for side in sides:
        sites = np.diff(side.offsets) if side is not None else np.array([])
        volumes = np.abs(np.linalg.det(side.cells[sites > 0])) / sites[sites > 0] if side is not None else sites
        values.append([min(float(volume), LARGEST_VOLUME) for volume in volumes])
    everything = [value for side in values for value in side]
    if not everything:
        return []
    low, high = min(everything), max(everything)
    ticks = round_ticks(low, high, BARS)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    first = math.floor(low / step)
    n_bins = math.floor(high / step) - first + 1
    names = [f'{round((first + place) * step, 6):g}' for place in range(n_bins)]
    return _counted(names, [[math.floor(value / step) - first for value in side] for side in values])


def _systems(*sides: Crystals | None) -> list[Group]:
    found = []
    for side in sides:
        known = side is not None and 'space_group_relaxed' in side.columns
        values = side.values('space_group_relaxed') if side is not None and known else []
        found.append([crystal_system(value) for value in values if value])
    if not any(found):
        return []
    return [(SHORT[name], *counts) for name, *counts in _counted(list(SYSTEMS.values()), found)]  # type: ignore[misc]


def _generators(*sides: Crystals | None) -> list[Group]:
    found = []
    for side in sides:
        known = side is not None and 'generator' in side.columns
        values = side.values('generator') if side is not None and known else []
        found.append([str(value) for value in values if value])
    return _counted(sorted({name for side in found for name in side}), found)


def _counted(names: Sequence[str], sides: Sequence[Sequence[Hashable]]) -> list[Group]:
    """Count what is named by its name or by its place."""
    kept, lost = (Counter(side) for side in sides)
    return [(name, kept[name] + kept[place], lost[name] + lost[place]) for place, name in enumerate(names)]
