"""Simulated powder patterns, as pymatgen computes them."""

from __future__ import annotations

import typing as t
import warnings
from dataclasses import dataclass

from aiida_crystalgen.report import svg
from aiida_crystalgen.report.dossier.model import Peak, Powder

RADIATION: t.Final = 'CuKa'
RANGE: t.Final = (10.0, 90.0)  # degrees of 2 theta
MOST_ATOMS: t.Final = 200
FAINT: t.Final = 0.1  # percent of the strongest line: what is fainter is not listed
RESOLUTION: t.Final = 0.05  # degrees; lines nearer than this are one, as in a laboratory
SAME: t.Final = (1e-3, 0.05)  # degrees, and percent of the strongest line, within which two patterns are one
SYMPREC: t.Final = 0.1  # Å, as the screen finds the space group
LABELLED: t.Final = 8
WIDTH, HEIGHT = 760.0, 330.0


@dataclass
class Line:
    """One or several lines of pymatgen's that no laboratory tells apart.

    :param spacing: spacing [Å] of the strongest of them.
    :param families: number of planes by their indices.
    """

    first: float
    weighted: float
    intensity: float
    spacing: float
    strongest: float
    families: dict[tuple[int, ...], int]


def powder_of(structure: t.Any) -> Powder | None:
    """Return the pattern of a pymatgen structure; None where the cell is too large.

    Indices are those of the conventional cell; the geometry is the given one, not an idealised one.
    """
    if len(structure) > MOST_ATOMS:
        return None
    lines, cell = _lines(structure), 'as reported'
    conventional = _conventional(structure)
    if conventional is not None:
        other = _lines(conventional)
        if _alike(lines, other):
            lines, cell = other, 'conventional'
    from pymatgen.analysis.diffraction.xrd import WAVELENGTHS

    highest = max((line.intensity for line in lines), default=1.0)
    peaks = (
        Peak(
            two_theta_deg=line.weighted / line.intensity,
            d_A=line.spacing,
            intensity=100.0 * line.intensity / highest,
            hkl=tuple(line.families),
            multiplicity=tuple(line.families.values()),
        )
        for line in lines
    )
    return Powder(
        radiation=RADIATION,
        wavelength_A=WAVELENGTHS[RADIATION],
        two_theta_range_deg=RANGE,
        resolution_deg=RESOLUTION,
        cell=cell,
        peaks=tuple(peak for peak in peaks if peak.intensity >= FAINT),
    )


def _lines(structure: t.Any) -> list[Line]:
    """Return pymatgen's lines, near ones summed: no relaxed crystal is exactly symmetric."""
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    pattern = XRDCalculator(RADIATION).get_pattern(structure, scaled=True, two_theta_range=RANGE)
    lines: list[Line] = []
    for x, y, families, d in zip(pattern.x, pattern.y, pattern.hkls, pattern.d_hkls, strict=True):
        angle, intensity = float(x), float(y)
        if not lines or angle - lines[-1].first >= RESOLUTION:
            lines.append(Line(angle, 0.0, 0.0, float(d), 0.0, {}))
        line = lines[-1]
        line.weighted += angle * intensity
        line.intensity += intensity
        if intensity > line.strongest:
            line.strongest, line.spacing = intensity, float(d)
        for family in families:
            name = _name_in(line.families, tuple(int(i) for i in family['hkl']))
            line.families[name] = line.families.get(name, 0) + int(family['multiplicity'])
    return lines


def _name_in(families: dict[tuple[int, ...], int], indices: tuple[int, ...]) -> tuple[int, ...]:
    """Return the name of a family: that of one with the same indices up to sign and order, as pymatgen has it."""
    plain = sorted(map(abs, indices))
    return next((name for name in families if sorted(map(abs, name)) == plain), indices)


def _conventional(structure: t.Any) -> t.Any:
    """Return the same crystal in its conventional cell, neither turned nor idealised; None where none is found."""
    import spglib
    from pymatgen.core import Structure

    cell = (structure.lattice.matrix, structure.frac_coords, [site.specie.Z for site in structure])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        try:
            found = spglib.standardize_cell(cell, to_primitive=False, no_idealize=True, symprec=SYMPREC)
        except spglib.SpglibError:
            found = None
    return None if found is None else Structure(found[0], found[2], found[1])


def _alike(some: list[Line], others: list[Line]) -> bool:
    """Say whether two patterns have the same lines."""
    if len(some) != len(others):
        return False
    pairs = list(zip(some, others, strict=True))
    moved = max((abs(a.weighted / a.intensity - b.weighted / b.intensity) for a, b in pairs), default=0.0)
    changed = max((abs(a.intensity - b.intensity) for a, b in pairs), default=0.0)
    return moved < SAME[0] and changed < SAME[1]


def powder_figure(powder: Powder) -> str:
    """Return the lines of a pattern, the strongest with their indices."""
    low, high = RANGE
    axes = svg.Axes(58, 40, WIDTH - 84, HEIGHT - 106, (low, high), (0.0, 112.0))
    x_ticks = {float(value): f'{value}' for value in range(10, 91, 10)}
    y_ticks = {float(value): f'{value}' for value in (0, 50, 100)}
    parts = svg.frame(axes, x_ticks, y_ticks, f'2θ, degrees ({powder.radiation})', 'relative intensity')
    base = axes.y(0)
    for peak in powder.peaks:
        x, y = axes.x(peak.two_theta_deg), axes.y(peak.intensity)
        tip = f'{peak.two_theta_deg:.2f}°, d {peak.d_A:.3f} Å, {peak.intensity:.1f} %, {names_of(peak)}'
        parts.append(svg.rectangle((x - 1.2, y), 2.4, base - y, 'candidate', tip))
    placed: list[float] = []
    for peak in sorted(powder.peaks, key=lambda peak: -peak.intensity)[:LABELLED]:
        x, y, text = axes.x(peak.two_theta_deg), axes.y(peak.intensity) - 7, names_of(peak, most=1)
        if all(abs(x - other) > 9.0 * len(text) for other in placed):
            placed.append(x)
            parts.append(svg.text((x, y), text, 'tick mid'))
    return svg.drawing(WIDTH, HEIGHT, parts, 'Simulated powder pattern')


def names_of(peak: Peak, most: int = 3) -> str:
    """Return the indices of a line a minus for a bar."""
    names = []
    for indices in peak.hkl:
        gap = '' if all(0 <= index <= 9 for index in indices) else ' '
        names.append(gap.join(str(index).replace('-', '−') for index in indices))
    return ', '.join(names[:most]) + (' …' if len(names) > most > 1 else '')


def as_csv(powder: Powder) -> str:
    """Return the lines as CSV with units in the heading."""
    lines = ['two_theta_deg,d_A,intensity_percent,hkl,multiplicity']
    for peak in powder.peaks:
        indices = ';'.join(' '.join(map(str, hkl)) for hkl in peak.hkl)
        counts = ';'.join(map(str, peak.multiplicity))
        lines.append(f'{peak.two_theta_deg:.5f},{peak.d_A:.5f},{peak.intensity:.3f},{indices},{counts}')
    return '\n'.join(lines) + '\n'
