"""Small figures of the page: histograms, bars, the front of Pareto, rates with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aiida_crystalgen.report import svg
from aiida_crystalgen.tools.funnel import Rate

WIDTH, HEIGHT = 760.0, 430.0
BIN = 0.01  # eV/atom, the finest bin of the histogram
MOST_BINS = 40


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


def bars_figure(groups: Sequence[tuple[str, int, int]], title: str, label: str) -> str:
    """Return bars of kept and rejected crystals on top of each other.

    :param groups: what stands below each bar, crystals in the table, crystals rejected.
    :param title: what the picture is of.
    :param label: what stands below the axis.
    """
    wide, high = 370.0, 250.0
    tallest = max([kept + lost for _, kept, lost in groups] + [1])
    axes = svg.Axes(46, 30, wide - 56, high - 92, (0.0, float(len(groups))), (0.0, tallest * 1.06))
    y_ticks = {value: f'{value:g}' for value in svg.round_ticks(*axes.y_range, 4) if value == round(value)}
    parts = svg.frame(axes, {}, y_ticks, label, 'crystals')
    slot, base = axes.width / len(groups), axes.y(0)
    every = math.ceil(sum(max(7.2 * len(name), 14) + 6 for name, _, _ in groups) / axes.width)
    for place, (name, kept, lost) in enumerate(groups):
        x, width = axes.left + place * slot + 0.1 * slot, 0.8 * slot
        tall = [base - axes.y(kept), base - axes.y(lost)]
        parts.append(svg.rectangle((x, base - tall[0]), width, tall[0], 'candidate', f'{name}: {kept} in the table'))
        above = (x, base - sum(tall))
        parts.append(svg.rectangle(above, width, tall[1], 'rejected', f'{name}: {lost} rejected'))
        if place % every == 0:
            parts.append(svg.text((x + width / 2, base + 18), name, 'tick mid'))
    return svg.drawing(wide, high, parts, title)


def scatter_figure(points: Sequence[tuple[float, float, bool, str]], x_label: str, y_label: str) -> str:
    """Return crystals by two quantities; those on the front are dark.

    :param points: both values, whether it is on the front, and what it says when it is pointed at.
    """
    spans = [_span([point[0] for point in points]), _span([point[1] for point in points])]
    axes = svg.Axes(76, 34, WIDTH - 102, HEIGHT - 100, *spans)
    x_ticks, y_ticks = (
        {value: f'{value:g}'.replace('-', '−') for value in svg.round_ticks(low, high)} for low, high in spans
    )
    parts = svg.frame(axes, x_ticks, y_ticks, x_label, y_label)
    for x, y, on_front, tip in sorted(points, key=lambda point: point[2]):
        css, radius = ('candidate', 5.0) if on_front else ('rejected', 3.2)
        parts.append(svg.circle((axes.x(x), axes.y(y)), radius, css, tip))
    return svg.drawing(WIDTH, HEIGHT, parts, f'{y_label} against {x_label}')


def _span(values: Sequence[float]) -> svg.Point:
    """Return a range with some room on both sides."""
    low, high = min(values), max(values)
    room = 0.05 * ((high - low) or abs(high) or 1.0)
    return low - room, high + room
