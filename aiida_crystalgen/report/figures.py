"""The figures of the page: the hull of a binary system, the spread of distances to a hull, the rates of S.U.N."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aiida_crystalgen.report import svg
from aiida_crystalgen.tools.funnel import Rate

WIDTH, HEIGHT = 760.0, 430.0
MARGIN = 0.06  # of the range, above and below the points
DEEPEST = 0.6  # eV/atom above the hull beyond which rejected crystals do not stretch the plot
BIN = 0.01  # eV/atom, the finest bin of the histogram
MOST_BINS = 40


@dataclass(frozen=True)
class Phase:
    """A crystal in a binary system.

    :param share: atomic fraction of the second element.
    :param energy: formation energy [eV/atom].
    :param kind: `reference`, `candidate` or `rejected`.
    """

    share: float
    energy: float
    name: str
    kind: str
    note: str = ''


def lower_hull(points: Sequence[svg.Point]) -> list[svg.Point]:
    """Return the lower convex hull from left to right."""
    hull: list[svg.Point] = []
    for point in sorted(set(points)):
        while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    return hull


def _turn(a: svg.Point, b: svg.Point, c: svg.Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def hull_figure(phases: Sequence[Phase], elements: tuple[str, str]) -> str:
    """Return the formation energy against composition, with the hull of the references."""
    references = [phase for phase in phases if phase.kind == 'reference']
    hull = lower_hull([(phase.share, phase.energy) for phase in references])
    near = [p for p in phases if p.kind != 'rejected' or p.energy - _height(hull, p.share) < DEEPEST]
    low, high = min([phase.energy for phase in near] + [0.0]), max([phase.energy for phase in near] + [0.0])
    room = max(high - low, 0.05) * MARGIN
    axes = svg.Axes(70, 34, WIDTH - 96, HEIGHT - 100, (0.0, 1.0), (low - 2.2 * room, high + room))
    y_ticks = {value: f'{value:g}'.replace('-', '−') for value in svg.round_ticks(*axes.y_range)}
    x_ticks = {0.0: elements[0], 0.25: '0.25', 0.5: '0.5', 0.75: '0.75', 1.0: elements[1]}
    parts = svg.frame(axes, x_ticks, y_ticks, f'atomic fraction of {elements[1]}', 'formation energy, eV/atom')
    parts.append(svg.line((axes.left, axes.y(0)), (axes.left + axes.width, axes.y(0)), 'zero'))
    parts.append(svg.polyline([(axes.x(x), axes.y(y)) for x, y in hull], 'hull'))
    for kind in ('rejected', 'reference', 'candidate'):
        parts += [_mark(axes, phase) for phase in near if phase.kind == kind]
    parts += _labels(axes, [phase for phase in references if (phase.share, phase.energy) in hull])
    return svg.drawing(WIDTH, HEIGHT, parts, f'Convex hull of {elements[0]}-{elements[1]}')


def _height(hull: Sequence[svg.Point], x: float) -> float:
    """Return the hull at a composition."""
    for (x0, y0), (x1, y1) in pairwise(hull):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else min(y0, y1)
    return 0.0


def _mark(axes: svg.Axes, phase: Phase) -> str:
    place = (axes.x(phase.share), axes.y(phase.energy))
    tip = f'{phase.name}: {phase.energy:.3f} eV/atom{", " + phase.note if phase.note else ""}'
    if phase.kind == 'reference':
        return svg.diamond(place, 8.5, 'reference', tip)
    return svg.circle(place, 4.5 if phase.kind == 'candidate' else 2.8, phase.kind, tip)


def _labels(axes: svg.Axes, phases: Sequence[Phase]) -> list[str]:
    """Return the formulas of phases on the hull, below their marks; elements are named at the axis."""
    inner = [phase for phase in phases if 0 < phase.share < 1]
    return [svg.text((axes.x(phase.share), axes.y(phase.energy) + 23), phase.name, 'name mid') for phase in inner]


def spread_figure(kept: Sequence[float], rejected: Sequence[float], limit: float | None) -> str:
    """Return a histogram of E_hull [eV/atom], kept and rejected crystals on top of each other."""
    values = [*kept, *rejected]
    low, high = min(0.0, *values), max(BIN, *values)
    step = BIN * max(1, math.ceil((high - low) / BIN / MOST_BINS))
    first = math.floor(low / step + 1e-9)
    n_bins = math.floor(high / step + 1e-9) - first + 1
    counts = [[0, 0] for _ in range(n_bins)]
    for kind, group in enumerate((kept, rejected)):
        for value in group:
            counts[math.floor(value / step + 1e-9) - first][kind] += 1
    tallest = max(sum(pair) for pair in counts)
    axes = svg.Axes(70, 34, WIDTH - 96, HEIGHT - 160, (first * step, (first + n_bins) * step), (0.0, tallest * 1.08))
    y_ticks = {value: f'{value:g}' for value in svg.round_ticks(*axes.y_range, 5) if value == round(value)}
    x_ticks = {value: f'{value:g}'.replace('-', '−') for value in svg.round_ticks(*axes.x_range, 8)}
    parts = svg.frame(axes, x_ticks, y_ticks, 'energy above the hull, eV/atom', 'crystals')
    wide = axes.width / n_bins
    for place, (n_kept, n_rejected) in enumerate(counts):
        x, base = axes.left + place * wide + 0.75, axes.y(0)
        span = f'{(first + place) * step:.3g} to {(first + place + 1) * step:.3g} eV/atom'
        tall = [base - axes.y(n_kept), base - axes.y(n_rejected)]
        parts.append(svg.rectangle((x, base - tall[0]), wide - 1.5, tall[0], 'candidate', f'{n_kept} kept, {span}'))
        above = (x, base - sum(tall))
        parts.append(svg.rectangle(above, wide - 1.5, tall[1], 'rejected', f'{n_rejected} rejected, {span}'))
    if limit is not None and axes.x_range[0] < limit < axes.x_range[1]:
        parts.append(svg.line((axes.x(limit), axes.top), (axes.x(limit), axes.top + axes.height), 'limit'))
        parts.append(svg.text((axes.x(limit) + 6, axes.top + 12), f'limit {limit:g}', 'tick'))
    return svg.drawing(WIDTH, HEIGHT - 60, parts, 'Energies above the hull')


def interval_figure(rate: Rate) -> str:
    """Return a rate with its interval as a small bar from 0 to 1."""
    if rate.rate is None or rate.low is None or rate.high is None:
        return ''
    wide, middle = 200.0, 10.0
    parts = [
        svg.line((2, middle), (wide - 2, middle), 'grid'),
        svg.line((2 + rate.low * (wide - 4), middle), (2 + rate.high * (wide - 4), middle), 'interval'),
        svg.circle((2 + rate.rate * (wide - 4), middle), 4.5, 'candidate', f'{rate.rate:.1%}'),
    ]
    return svg.drawing(wide, 2 * middle, parts, f'{rate.low:.1%} to {rate.high:.1%}')
