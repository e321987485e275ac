"""Hulls of two, three and four elements as figures."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Sequence
from itertools import combinations, pairwise

from aiida_crystalgen.report import svg
from aiida_crystalgen.report.systems import Phase, System
from aiida_crystalgen.report.words import chemists_formula

WIDTH, HEIGHT = 760.0, 430.0
MARGIN = 0.06  # of the range, above and below the points
DEEPEST = 0.6  # eV/atom above the hull beyond which rejected crystals do not stretch the plot
ON_HULL = 1e-6  # eV/atom
SIDE = 520.0  # pixels of a triangle
MOST_NAMES = 14
SCALE: t.Final = (0.0, 0.025, 0.05, 0.1, 0.2)  # eV/atom above the hull, where the shades of crystals begin
TURN, TILT = 0.45, 0.28  # radians
SHADES: t.Final = ('#0b5f58', '#2f938b', '#7dbdb0', '#d9b878', '#c2873a')  # the same colours as in page.css
# Corners of a tetrahedron with edges of length one, and of the triangle that is its projection.
CORNERS: t.Final = (
    (-0.5, -math.sqrt(3) / 6, -math.sqrt(6) / 12), (0.5, -math.sqrt(3) / 6, -math.sqrt(6) / 12),
    (0.0, math.sqrt(3) / 3, -math.sqrt(6) / 12), (0.0, 0.0, math.sqrt(6) / 4),
)  # fmt: skip


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


def hull_figure(phases: Sequence[Phase], elements: tuple[str, ...]) -> str:
    """Return the formation energy of a binary system against composition, with the hull of the references."""
    references = [phase for phase in phases if phase.kind == 'reference']
    hull = lower_hull([(phase.shares[1], phase.energy) for phase in references])
    near = [p for p in phases if p.kind != 'rejected' or p.energy - _height(hull, p.shares[1]) < DEEPEST]
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
    parts += _labels(axes, [phase for phase in references if (phase.shares[1], phase.energy) in hull])
    return svg.drawing(WIDTH, HEIGHT, parts, f'Convex hull of {elements[0]}-{elements[1]}')


def _height(hull: Sequence[svg.Point], x: float) -> float:
    """Return the hull at a composition."""
    for (x0, y0), (x1, y1) in pairwise(hull):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else min(y0, y1)
    return 0.0


def _mark(axes: svg.Axes, phase: Phase) -> str:
    place = (axes.x(phase.shares[1]), axes.y(phase.energy))
    if phase.kind == 'reference':
        return svg.diamond(place, 8.5, 'reference', tip_of(phase))
    return svg.circle(place, 4.5 if phase.kind == 'candidate' else 2.8, phase.kind, tip_of(phase))


def tip_of(phase: Phase) -> str:
    """Return what a phase says when it is pointed at."""
    above = '' if phase.above is None else f', {phase.above:.3f} eV/atom above the hull'
    note = f', {phase.note}' if phase.note else ''
    return f'{chemists_formula(phase.name)}: {phase.energy:.3f} eV/atom{above}{note}'


def _labels(axes: svg.Axes, phases: Sequence[Phase]) -> list[str]:
    """Return the formulas of phases on the hull, below their marks; elements are named at the axis."""
    inner = {(phase.shares[1], phase.energy): phase for phase in phases if 0 < phase.shares[1] < 1}
    return [
        svg.text((axes.x(x), axes.y(energy) + 23), chemists_formula(phase.name), 'name mid')
        for (x, energy), phase in inner.items()
    ]


def tie_lines(system: System) -> tuple[list[Phase], list[tuple[int, int]]]:
    """Return the competing phases on the hull, and the pairs of them that coexist, as places in this list."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    references = system.of_kind('reference')
    entries = [
        PDEntry(Composition(dict(zip(system.elements, phase.shares, strict=True))), phase.energy, attribute=place)
        for place, phase in enumerate(references)
    ]
    diagram = PhaseDiagram(entries)
    corners = [entry.attribute for entry in diagram.qhull_entries]
    pairs = {tuple(sorted((int(a), int(b)))) for facet in diagram.facets for a, b in combinations(facet, 2)}
    used = sorted({place for pair in pairs for place in pair})
    renamed = {place: new for new, place in enumerate(used)}
    return [references[corners[i]] for i in used], sorted((renamed[a], renamed[b]) for a, b in pairs)


def _shade(above: float | None) -> int:
    """Return the place of the shade for a distance to the hull [eV/atom]; unknown is as pale as far."""
    return len(SCALE) - 1 if above is None else max(sum(above >= start - ON_HULL for start in SCALE) - 1, 0)


def triangle_figure(system: System) -> str:
    """Return a ternary system seen from above: compositions, the phases on the hull and which of them coexist."""
    left, top, height = (WIDTH - SIDE) / 2, 38.0, SIDE * math.sqrt(3) / 2

    def place(shares: Sequence[float]) -> svg.Point:
        return left + SIDE * (shares[1] + shares[2] / 2), top + height * (1 - shares[2])

    parts: list[str] = []
    for tenth in (0.25, 0.5, 0.75):
        rest = 1 - tenth
        ends = [((rest, tenth, 0.0), (rest, 0.0, tenth)), ((tenth, rest, 0.0), (0.0, rest, tenth))]
        ends.append(((tenth, 0.0, rest), (0.0, tenth, rest)))
        parts += [svg.line(place(a), place(b), 'grid') for a, b in ends]
    stable, ties = tie_lines(system)
    parts += [svg.line(place(stable[a].shares), place(stable[b].shares), 'tie') for a, b in ties]
    for phase in system.of_kind('rejected'):
        if phase.above is None or phase.above < DEEPEST:
            parts.append(svg.circle(place(phase.shares), 2.6, 'rejected', tip_of(phase)))
    on_hull = {id(phase) for phase in stable}
    for phase in system.of_kind('reference'):
        if id(phase) not in on_hull:
            parts.append(svg.diamond(place(phase.shares), 4.5, 'reference unstable', tip_of(phase)))
    parts += [svg.diamond(place(phase.shares), 8.5, 'reference', tip_of(phase)) for phase in stable]
    candidates = sorted(system.of_kind('candidate'), key=lambda phase: -(phase.above or 0.0))
    parts += [svg.circle(place(p.shares), 4.2, f'candidate shade{_shade(p.above)}', tip_of(p)) for p in candidates]
    parts += _names([(place(p.shares), p.name) for p in stable if max(p.shares) < 1])
    for corner, (dx, dy, css) in enumerate(((-14, 6, 'name end'), (14, 6, 'name'), (0, -14, 'name mid'))):
        x, y = place([float(corner == k) for k in range(3)])
        parts.append(svg.text((x + dx, y + dy), system.elements[corner], css))
    return svg.drawing(WIDTH, top + height + 34, parts, f'Convex hull of {"-".join(system.elements)} from above')


def _names(places: Sequence[tuple[svg.Point, str]]) -> list[str]:
    """Return the names of phases below their marks, those left out that would lie on another."""
    taken: list[tuple[float, float, float]] = []
    parts: list[str] = []
    for (x, y), name in places:
        text = chemists_formula(name)
        wide = 4.5 * len(text)
        if len(parts) < MOST_NAMES and all(abs(y - b) > 15 or abs(x - a) > wide + w for a, b, w in taken):
            taken.append((x, y, wide))
            parts.append(svg.text((x, y + 22), text, 'name mid'))
    return parts


def corner_place(shares: Sequence[float]) -> tuple[float, float, float]:
    """Return the place of a composition of four elements in a tetrahedron of edge one."""
    x, y, z = (sum(share * corner[axis] for share, corner in zip(shares, CORNERS, strict=True)) for axis in range(3))
    return x, y, z


def _upright(place: Sequence[float]) -> tuple[float, float, float]:
    """Return a place with the third axis pointing up, seen a little from above and from the side."""
    x, y, z = place
    across, depth = x * math.cos(TURN) - y * math.sin(TURN), x * math.sin(TURN) + y * math.cos(TURN)
    return across, z * math.cos(TILT) + depth * math.sin(TILT), z * math.sin(TILT) - depth * math.cos(TILT)


def tetrahedron_figure(system: System) -> str:
    """Return a system of four elements as a tetrahedron in parallel projection; the page lets it turn."""
    scale, middle = 500.0, (WIDTH / 2, 270.0)

    def place(shares: Sequence[float]) -> svg.Point:
        across, up, _ = _upright(corner_place(shares))
        return middle[0] + scale * across, middle[1] - scale * up

    ends = [[float(i == k) for k in range(4)] for i in range(4)]
    parts = [svg.line(place(a), place(b), 'cell') for a, b in combinations(ends, 2)]
    stable, ties = tie_lines(system)
    parts += [svg.line(place(stable[a].shares), place(stable[b].shares), 'tie') for a, b in ties]
    parts += [svg.diamond(place(phase.shares), 6.5, 'reference', tip_of(phase)) for phase in stable]
    candidates = sorted(system.of_kind('candidate'), key=lambda phase: -(phase.above or 0.0))
    parts += [svg.circle(place(p.shares), 4.2, f'candidate shade{_shade(p.above)}', tip_of(p)) for p in candidates]
    parts += _names([(place(p.shares), p.name) for p in stable if max(p.shares) < 1])
    for corner, symbol in zip(ends, system.elements, strict=True):
        x, y = place(corner)
        parts.append(svg.text((x, y + (-14 if y < middle[1] else 24)), symbol, 'name mid'))
    return svg.drawing(WIDTH, 470.0, parts, f'Convex hull of {"-".join(system.elements)} as a tetrahedron')


def tetrahedron_scene(system: System) -> dict[str, t.Any]:
    """Return a system of four elements as the script of the page draws it: phases in place of atoms, ties as bonds."""
    stable, ties = tie_lines(system)
    candidates = system.of_kind('candidate')
    kinds = [['competing phase on the hull', '#1b2330', 0.04]]
    kinds += [['in the table', colour, 0.034] for colour in SHADES]
    atoms = [[0, *corner_place(phase.shares)] for phase in stable]
    atoms += [[1 + _shade(phase.above), *corner_place(phase.shares)] for phase in candidates]
    return {
        'kinds': kinds,
        'atoms': [[kind, *(round(part, 3) for part in _upright(place))] for kind, *place in atoms],
        'corners': [[round(part, 3) for part in _upright(corner)] for corner in CORNERS],
        'edges': list(combinations(range(4), 2)),
        'bonds': ties,
        'names': [chemists_formula(phase.name) for phase in stable],
    }
