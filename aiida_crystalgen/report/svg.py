"""The little SVG that the figures need: axes with round numbers, marks, text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """A plot area in pixels and the values that its edges stand for."""

    left: float
    top: float
    width: float
    height: float
    x_range: Point
    y_range: Point

    def x(self, value: float) -> float:
        """Return the pixel of a value on the horizontal axis."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * self.width

    def y(self, value: float) -> float:
        """Return the pixel of a value on the vertical axis."""
        low, high = self.y_range
        return self.top + (high - value) / (high - low) * self.height


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from within a range, at most so many."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(span / most))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def frame(axes: Axes, x_ticks: dict[float, str], y_ticks: dict[float, str], x_label: str, y_label: str) -> list[str]:
    """Return the grid, the tick texts and the titles of both axes."""
    bottom, right = axes.top + axes.height, axes.left + axes.width
    parts = [line((axes.left, axes.y(value)), (right, axes.y(value)), 'grid') for value in y_ticks]
    parts += [text((axes.left - 10, axes.y(value) + 4), label, 'tick end') for value, label in y_ticks.items()]
    parts += [line((axes.x(value), bottom), (axes.x(value), bottom + 5), 'axis') for value in x_ticks]
    parts += [text((axes.x(value), bottom + 20), label, 'tick mid') for value, label in x_ticks.items()]
    parts.append(line((axes.left, bottom), (right, bottom), 'axis'))
    parts.append(text((axes.left + axes.width / 2, bottom + 42), x_label, 'title mid'))
    parts.append(text((axes.left, axes.top - 12), y_label, 'title'))
    return parts


def line(start: Point, stop: Point, css: str) -> str:
    """Return a straight line."""
    return f'<line class="{css}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{stop[0]:.1f}" y2="{stop[1]:.1f}"/>'


def polyline(points: list[Point], css: str) -> str:
    """Return a broken line."""
    return f'<polyline class="{css}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def circle(centre: Point, radius: float, css: str, tip: str = '', fill: str = '') -> str:
    """Return a disc, with a text that shows when it is pointed at."""
    inner = f'<title>{escape(tip)}</title>' if tip else ''
    colour = f' fill="{fill}"' if fill else ''
    return f'<circle class="{css}" cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius:.1f}"{colour}>{inner}</circle>'


def diamond(centre: Point, radius: float, css: str, tip: str = '') -> str:
    """Return a square on its corner."""
    x, y = centre
    corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
    places = ' '.join(f'{a:.1f},{b:.1f}' for a, b in corners)
    return f'<polygon class="{css}" points="{places}"><title>{escape(tip)}</title></polygon>'


def rectangle(corner: Point, width: float, height: float, css: str, tip: str = '') -> str:
    """Return a box from its upper left corner."""
    place = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f'<rect class="{css}" {place} rx="1.5"><title>{escape(tip)}</title></rect>'


def text(place: Point, content: str, css: str) -> str:
    """Return a text; `mid` and `end` in the class say where it is anchored."""
    return f'<text class="{css}" x="{place[0]:.1f}" y="{place[1]:.1f}">{escape(content)}</text>'


def drawing(width: float, height: float, parts: list[str], label: str) -> str:
    """Return the whole picture; it scales with the page."""
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return '\n'.join([head, *parts, '</svg>'])
