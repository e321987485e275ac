"""Simulated powder patterns, as pymatgen computes them."""

from __future__ import annotations

import typing as t
import warnings

import numpy as np

from aiida_crystalgen.report import svg
from aiida_crystalgen.report.dossier.model import Peak, Powder

RADIATION: t.Final = 'CuKa'
RANGE: t.Final = (10.0, 90.0)  # degrees of 2 theta
MOST_ATOMS: t.Final = 200
FAINT: t.Final = 0.1  # percent of the strongest line: what is fainter is not listed
SAME: t.Final = 1e-4  # degrees, and percent of the strongest line
SYMPREC: t.Final = 0.1  # Å, as the screen finds the space group
LABELLED: t.Final = 8
WIDTH, HEIGHT = 760.0, 330.0


def powder_of(structure: t.Any) -> Powder | None:
    """Return the pattern of a pymatgen structure; None where the cell is too large.

    Indices are those of the conventional cell; the geometry is the given one, not an idealised one.
    """
    if len(structure) > MOST_ATOMS:
        return None
    pattern, cell = _pattern(structure), 'as reported'
    conventional = _conventional(structure)
    if conventional is not None:
        other = _pattern(conventional)
        if _alike(pattern, other):
            pattern, cell = other, 'conventional'
    from pymatgen.analysis.diffraction.xrd import WAVELENGTHS

    return Powder(
        radiation=RADIATION,
        wavelength_A=WAVELENGTHS[RADIATION],
        two_theta_range_deg=RANGE,
        cell=cell,
        peaks=tuple(
            Peak(
                two_theta_deg=float(x),
                d_A=float(d),
                intensity=float(y),
                hkl=tuple(tuple(int(i) for i in family['hkl']) for family in families),
                multiplicity=tuple(int(family['multiplicity']) for family in families),
            )
            for x, y, families, d in zip(pattern.x, pattern.y, pattern.hkls, pattern.d_hkls, strict=True)
            if y >= FAINT
        ),
    )


def _pattern(structure: t.Any) -> t.Any:
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    return XRDCalculator(RADIATION).get_pattern(structure, scaled=True, two_theta_range=RANGE)


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


def _alike(one: t.Any, other: t.Any) -> bool:
    """Say whether two patterns have the same lines."""
    if len(one.x) != len(other.x):
        return False
    return bool(np.abs(one.x - other.x).max(initial=0) < SAME and np.abs(one.y - other.y).max(initial=0) < SAME)


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
