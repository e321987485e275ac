"""Render the page."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

from aiida import orm

from aiida_crystalgen import __version__
from aiida_crystalgen.report.content import Content, distances, read_content
from aiida_crystalgen.report.crystals import crystal_figure
from aiida_crystalgen.report.distributions import distributions
from aiida_crystalgen.report.facts import facts_of
from aiida_crystalgen.report.figures import interval_figure, spread_figure
from aiida_crystalgen.report.grid import scene_of_row, script_json, table_of
from aiida_crystalgen.report.hulls import SCALE, hull_figure, tetrahedron_figure, tetrahedron_scene, triangle_figure
from aiida_crystalgen.report.pareto import pareto
from aiida_crystalgen.report.systems import System, systems_of
from aiida_crystalgen.report.verification import verification
from aiida_crystalgen.report.words import cell_text, chemists_formula, formula_html, from_hull, in_words
from aiida_crystalgen.tools.funnel import duration
from aiida_crystalgen.tools.sources import SOFTWARE
from aiida_crystalgen.tools.table import column_values, ranked_order

if t.TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: t.Final = Path(__file__).parent
PICTURES: t.Final = 6
HULLS: t.Final = 4
BINARY, TERNARY, QUATERNARY = 2, 3, 4


def write_report(node: orm.WorkChainNode, path: Path, links: Mapping[str, str] | None = None) -> Path:
    """Write the page of a campaign and return its path.

    :param links: where the dossiers lie, seen from the page, by the id of the crystal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(node, links), encoding='utf-8')
    return path


def render_report(node: orm.WorkChainNode, links: Mapping[str, str] | None = None) -> str:
    """Return the HTML of the page of a campaign."""
    return render_content(read_content(node), links or {})


def render_content(content: Content, links: Mapping[str, str]) -> str:
    """Return the HTML of what was gathered from a campaign."""
    table = table_of(content.table, links)
    return (
        environment()
        .get_template('page.html.j2')
        .render(
            content=content,
            figures=_figures(content),
            hulls=[hull_entry(system) for system in systems_of(content, HULLS)],
            candidate='in the table',
            shades=shades(),
            distributions=distributions(content),
            pareto=pareto(content),
            style=style('page.css', 'table.css'),
            script=script('viewer.js', 'table.js'),
            facts=facts_of(content),
            table=table,
            search_hint=_search_hint(table),
            gallery=_gallery(content),
            sun=_sun(content),
            verification=verification(content.node, content.table),
            software=SOFTWARE,
            version=__version__,
        )
    )


def environment() -> Environment:
    """Return the templates with their filters; whatever is not one of our figures is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    loader = FileSystemLoader(FOLDER)
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(duration=duration, cell=cell_text, reason=in_words, from_hull=from_hull)
    made.filters['plain_formula'] = lambda text: chemists_formula(text) if text else '–'
    made.filters['formula'] = lambda text: Markup(formula_html(chemists_formula(text) if text else text))
    made.filters['figure'] = Markup
    return made


def style(*names: str) -> t.Any:
    """Return style sheets as one."""
    from markupsafe import Markup

    return Markup('\n'.join((FOLDER / name).read_text(encoding='utf-8') for name in names))


script = style


def shades() -> list[dict[str, str]]:
    """Return the shades of distances to the hull with what they stand for [eV/atom]."""
    ends = [*SCALE[1:], None]
    texts = [f'{low:g} to {high:g}' if high else f'{low:g} and more' for low, high in zip(SCALE, ends, strict=True)]
    return [{'css': f'shade{place}', 'text': text} for place, text in enumerate(texts)]


def hull_entry(system: System) -> dict[str, t.Any]:
    """Return what a template needs to show the hull of a system of two, three or four elements."""
    count = len(system.elements)
    if count == BINARY:
        figure = hull_figure(system.phases, system.elements)
    else:
        figure = triangle_figure(system) if count == TERNARY else tetrahedron_figure(system)
    scene = script_json(tetrahedron_scene(system)) if count == QUATERNARY else ''
    return {
        'system': system,
        'figure': figure,
        'scene': scene,
        'n': len(system.of_kind('reference')),
        'is_flat': count != BINARY,
        'has_rejected': bool(system.of_kind('rejected')),
    }


def _figures(content: Content) -> dict[str, str]:
    kept, rejected = distances(content.table), distances(content.rejected)
    return {'spread': spread_figure(kept, rejected, content.limit('e_hull'))} if kept or rejected else {}


def _search_hint(table: Mapping[str, t.Any]) -> str:
    """Return an example of a search that finds something here."""
    names = {column['name'] for column in table['columns']}
    return 'e_hull<0.05' if 'e_hull' in names else 'n_sites<9'


def _gallery(content: Content) -> list[dict[str, t.Any]]:
    """Return the pictures of the best crystals."""
    crystals = content.table
    formulas = column_values(crystals, 'formula')
    columns = {name: crystals.values(name) for name in ('e_hull', 'space_group_relaxed') if name in crystals.columns}
    entries: list[dict[str, t.Any]] = []
    for place in ranked_order(crystals)[:PICTURES]:
        row = crystals.row(place)
        figure = crystal_figure(row['numbers'], row['positions'], row['cell'])
        if figure:
            values: dict[str, t.Any] = {name: series[place] for name, series in columns.items()}
            scene = script_json(scene_of_row(crystals, place))
            entries.append({'figure': figure, 'scene': scene, 'formula': formulas[place], 'id': row['id'], **values})
    return entries


def _sun(content: Content) -> list[dict[str, t.Any]]:
    """Return the rates of S.U.N. by limit, both ways of counting where they differ."""
    rows = []
    for entry in content.funnel.sun if any(entry.is_known for entry in content.funnel.sun) else ():
        ways = [('novelty untested: not novel', entry.tested), ('novelty untested: novel', entry.untested_novel)]
        for label, rate in [('all were tested for novelty', entry.tested)] if entry.is_one_number else ways:
            rows.append({'limit': entry.limit, 'label': label, 'rate': rate, 'figure': interval_figure(rate)})
    return rows
