"""The picture of phonons: bands along the usual path, the density of states beside them."""

from __future__ import annotations

import io
import typing as t

import numpy as np

from aiida_crystalgen.report import svg
from aiida_crystalgen.workflows.phonons import FORCE_CONSTANTS

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from aiida import orm

WIDTH, HEIGHT = 760.0, 400.0
SHARE: t.Final = 0.8  # of the width that the bands take
GAP: t.Final = 14.0
ROOM: t.Final = 0.04  # of the range of frequencies, above and below


def phonon_figure(record: Mapping[str, t.Any]) -> str:
    """Return bands [THz] and density of states as SVG; imaginary frequencies are drawn below zero.

    :param record: force constants and cells as `science.phonons.record_of` gives them.
    :return: empty where seekpath or phonopy is not installed.
    """
    from importlib.util import find_spec

    from aiida_crystalgen.science.phonon_bands import bands_of, can_find_paths, density_of
    from aiida_crystalgen.science.phonons import phonon_from_record

    if find_spec('phonopy') is None or not can_find_paths():
        return ''
    phonon = phonon_from_record(record)
    bands, density = bands_of(phonon), density_of(phonon)
    low = min(float(np.min(frequencies)) for _, frequencies in bands.parts)
    high = max(float(np.max(frequencies)) for _, frequencies in bands.parts)
    room = (high - min(low, 0.0)) * ROOM
    y_range = (min(low - room, 0.0), high + room)
    full = WIDTH - 96
    left = svg.Axes(64, 34, full * SHARE, HEIGHT - 84, (0.0, bands.ticks[-1][0]), y_range)
    top = float(density.states.max())
    right = svg.Axes(
        left.left + left.width + GAP, 34, full * (1 - SHARE) - GAP, left.height, (0.0, top * 1.05), y_range
    )
    y_ticks = {value: f'{value:g}'.replace('-', '−') for value in svg.round_ticks(*y_range)}
    parts = svg.frame(left, dict(bands.ticks), y_ticks, '', 'frequency, THz')
    parts += [svg.line((left.x(x), left.top), (left.x(x), left.top + left.height), 'grid') for x, _ in bands.ticks]
    parts.append(svg.line((left.left, left.y(0)), (right.left + right.width, left.y(0)), 'zero'))
    for along, frequencies in bands.parts:
        for band in frequencies.T:
            parts.append(svg.polyline([(left.x(x), left.y(y)) for x, y in zip(along, band, strict=True)], 'hull'))
    inside = [(s, f) for s, f in zip(density.states, density.frequencies, strict=True) if y_range[0] <= f <= y_range[1]]
    bottom = right.top + right.height
    parts.append(svg.line((right.left, bottom), (right.left + right.width, bottom), 'axis'))
    parts.append(svg.line((right.left, right.top), (right.left, bottom), 'grid'))
    parts.append(svg.polyline([(right.x(float(s)), right.y(float(f))) for s, f in inside], 'hull'))
    parts.append(svg.text((right.left + right.width / 2, bottom + 20), 'density of states', 'tick mid'))
    return svg.drawing(WIDTH, HEIGHT, parts, 'Phonon bands and density of states')


def force_constants_of(campaign: orm.WorkChainNode, crystal_id: str) -> dict[str, t.Any] | None:
    """Return the force constants of a crystal of a campaign, or of a PhononWorkChain; None where it has none."""
    from urllib.parse import quote

    if FORCE_CONSTANTS not in campaign.outputs:
        return None
    repository, name = campaign.outputs[FORCE_CONSTANTS].base.repository, f'{quote(crystal_id, safe="")}.npz'
    if name not in repository.list_object_names():
        return None
    with np.load(io.BytesIO(repository.get_object_content(name, mode='rb')), allow_pickle=False) as found:
        return dict(found)
