"""Render the page of a dossier."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from aiida_crystalgen import __version__
from aiida_crystalgen.report.crystals import crystal_figure
from aiida_crystalgen.report.dossier.lineage import short
from aiida_crystalgen.report.dossier.powder import names_of, powder_figure
from aiida_crystalgen.report.grid import scene_of_row, script_json
from aiida_crystalgen.report.page import environment, hull_entry, script, shades, style
from aiida_crystalgen.report.phonon_figure import force_constants_of, phonon_figure
from aiida_crystalgen.report.systems import MOST_ELEMENTS, System, system_of
from aiida_crystalgen.tools.sources import SOFTWARE

if t.TYPE_CHECKING:
    from aiida_crystalgen.report.content import Content
    from aiida_crystalgen.report.dossier.model import Dossier

STRONGEST: t.Final = 12  # lines of the powder pattern in the page; the file has all


def render_dossier(content: Content, dossier: Dossier, back: str = '') -> str:
    """Return the HTML of a dossier.

    :param back: where the page of the campaign lies, empty where there is none.
    """
    row = content.table.ids.index(dossier.id)
    scene = scene_of_row(content.table, row)
    system = system_of_crystal(content, dossier.id)
    made = environment()
    made.filters.update(short=short, indices=names_of, symbol=symbol_html)
    peaks = () if dossier.powder is None else dossier.powder.peaks
    strongest = sorted(sorted(peaks, key=lambda peak: -peak.intensity)[:STRONGEST], key=lambda peak: peak.two_theta_deg)
    return made.get_template('dossier.html.j2').render(
        d=dossier,
        content=content,
        back=back,
        picture=picture_of(content, dossier.id),
        scene=script_json(scene) if scene else '',
        hulls=[hull_entry(system)] if system else [],
        candidate='this crystal',
        figures={},
        shades=shades(),
        powder=powder_figure(dossier.powder) if dossier.powder else '',
        peaks=strongest,
        bands=bands_of(content, dossier),
        style=style('page.css', 'table.css', 'dossier.css'),
        script=script('viewer.js'),
        software=SOFTWARE,
        version=__version__,
    )


def symbol_html(text: str) -> t.Any:
    """Return a Hermann-Mauguin symbol with its screw axes as subscripts."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r'_(\d)', r'<sub>\1</sub>', escape(text)))


def picture_of(content: Content, crystal_id: str) -> str:
    """Return the picture of a crystal as SVG, empty where it is too large to be read."""
    row = content.table.row(content.table.ids.index(crystal_id))
    return crystal_figure(row['numbers'], row['positions'], row['cell'])


def system_of_crystal(content: Content, crystal_id: str) -> System | None:
    """Return the competing phases of a crystal and itself; None where their hull cannot be drawn."""
    table = content.table
    place = table.ids.index(crystal_id)
    numbers = set(table.numbers[table.offsets[place] : table.offsets[place + 1]].tolist())
    from aiida_crystalgen.data.base import SYMBOLS

    symbols = sorted(SYMBOLS[number - 1] for number in numbers)
    if not 1 < len(symbols) <= MOST_ELEMENTS:
        return None
    alone = replace(content, table=table.select([place]), rejected=None)
    return system_of(alone, symbols)


def bands_of(content: Content, dossier: Dossier) -> str:
    """Return the phonon bands as a figure, empty where there are none."""
    record = force_constants_of(content.node, dossier.id)
    return '' if record is None else phonon_figure(record)
