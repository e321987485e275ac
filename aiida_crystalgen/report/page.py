"""Render the page."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from aiida import orm

from aiida_crystalgen import __version__
from aiida_crystalgen.report.content import Content, binary_phases, distances, read_content
from aiida_crystalgen.report.crystals import crystal_figure
from aiida_crystalgen.report.figures import hull_figure, interval_figure, spread_figure
from aiida_crystalgen.report.verification import verification
from aiida_crystalgen.tools.funnel import duration
from aiida_crystalgen.tools.sources import SOFTWARE
from aiida_crystalgen.tools.table import column_values, ranked_order, records, shown_columns, units_of

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet

MOST_ROWS: t.Final = 200
PICTURES: t.Final = 6
HALF_A_DIGIT: t.Final = 5e-4  # eV/atom; what is printed as zero lies neither above nor below
HEADINGS: t.Final = {
    'rank': 'rank', 'id': 'id', 'formula': 'formula', 'n_sites': 'sites', 'space_group_relaxed': 'space group',
    'e_hull': 'E above hull', 'e_hull_with_candidates': 'with candidates', 'formation_energy': 'formation energy',
    'energy': 'energy', 'novel_known': 'novel', 'n_duplicates': 'copies', 'generator': 'generator',
    'valid_generated': 'valid as drawn', 'valid_relaxed': 'valid once relaxed', 'phonon_verdict': 'phonons',
    'phonon_lowest_frequency': 'lowest mode',
}  # fmt: skip
REASONS: t.Final = {
    'e_hull_above_limit': 'too far above the hull',
    'duplicate': 'copies of others',
}


def write_report(node: orm.WorkChainNode, path: Path) -> Path:
    """Write the page of a campaign and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(node), encoding='utf-8')
    return path


def render_report(node: orm.WorkChainNode) -> str:
    """Return the HTML of the page of a campaign."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder = Path(__file__).parent
    loader = FileSystemLoader(folder)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(duration=duration, cell=cell_text, reason=in_words, from_hull=from_hull)
    environment.filters['formula'] = lambda text: Markup(_formula(text))
    content = read_content(node)
    figures = {name: Markup(figure) for name, figure in _figures(content).items()}
    return environment.get_template('page.html.j2').render(
        content=content,
        figures=figures,
        style=Markup((folder / 'page.css').read_text(encoding='utf-8')),
        script=Markup((folder / 'page.js').read_text(encoding='utf-8')),
        facts=_facts(content),
        table=_table(content),
        gallery=[{**entry, 'figure': Markup(entry['figure'])} for entry in _gallery(content)],
        sun=_sun(content, Markup),
        verification=verification(node, content.table),
        software=SOFTWARE,
        version=__version__,
    )


def cell_text(value: t.Any) -> str:
    """Return a value as the table shows it."""
    if value is None:
        return '–'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{round(value, 3) + 0.0:.3f}'.replace('-', '−') if isinstance(value, float) else str(value)


def from_hull(distance: float) -> str:
    """Return a distance to the hull [eV/atom] as a sentence says it."""
    side = 'below' if distance < -HALF_A_DIGIT else 'above'
    return f'{abs(distance):.3f} eV/atom {side}'


def in_words(reason: str) -> str:
    """Return a reason of rejection as a reader would say it."""
    if reason in REASONS:
        return REASONS[reason]
    for ending, words in (('_false', 'not {}'), ('_above_limit', '{} above limit'), ('_below_limit', '{} below limit')):
        if reason.endswith(ending):
            column = reason.removesuffix(ending)
            return words.format(HEADINGS.get(column, column.replace('_', ' ')))
    return reason.replace('_', ' ')


def _formula(text: str | None) -> str:
    return re.sub(r'(\d+)', r'<sub>\1</sub>', re.sub(r'[^A-Za-z0-9.]', '', text or '–'))


def _figures(content: Content) -> dict[str, str]:
    figures = {}
    phases = binary_phases(content)
    if phases:
        figures['hull'] = hull_figure(phases, (content.elements[0], content.elements[1]))
    kept, rejected = distances(content.table), distances(content.rejected)
    if (kept or rejected) and not phases:
        figures['spread'] = spread_figure(kept, rejected, content.limit('e_hull'))
    return figures


def _facts(content: Content) -> list[tuple[str, str]]:
    """Return what was asked for, in the order in which a reader asks."""
    spec = content.spec
    potential = spec.get('potential') or {}
    parameters = potential.get('parameters') or {}
    facts = [('Generators', '; '.join(_generator(entry) for entry in spec.get('generators') or []))]
    asked = {term: value for term, value in (spec.get('conditions') or {}).items() if value is not None}
    facts.append(('Conditions', ', '.join(f'{term} {value}' for term, value in asked.items())))
    deaf = content.funnel.not_told.items()
    facts.append(('Drew without', '; '.join(f'{label}: {", ".join(terms)}' for label, terms in deaf)))
    facts.append(('Potential', str(potential.get('type', 'none: judged as they were given'))))
    facts.append(('Level of theory', content.funnel.level))
    facts.append(('Protocol', f'{spec.get("protocol", "")}, seed {spec.get("seed", "")}'))
    limits = [f'{name} {value:g} {unit}' for name, unit in _RELAXATION if (value := parameters.get(name)) is not None]
    facts.append(('Relaxation', ', '.join(text.strip() for text in limits)))
    facts.append(('Filters', ', '.join(f'{name} {_gate(gate)}' for name, gate in (spec.get('filters') or {}).items())))
    if content.hull is not None:
        partial = 'not every known phase' if content.hull.partial else 'complete'
        hull = f'{len(content.hull.crystals)} phases relaxed alike, {content.hull.phases_source} ({partial})'
        facts.append(('Competing phases', hull))
    facts += [(_REFERENCES[name], _reference(reference)) for name, reference in content.references.items()]
    return [(name, text) for name, text in facts if text.strip(', ')]


_RELAXATION: t.Final = (('fmax', 'eV/Å'), ('max_steps', 'steps'), ('pressure', 'GPa'))


_REFERENCES: t.Final = {
    'entries': 'Competing phases', 'known': 'Known crystals', 'training': 'Training set',
}  # fmt: skip


def _reference(reference: ReferenceSet) -> str:
    partial = 'not every known crystal' if reference.partial else 'complete'
    facts = [reference.facts['database_version'], reference.level, partial, reference.licence]
    return f'{len(reference.crystals)} of {reference.set_name} ({"; ".join(filter(None, facts))})'


def _generator(entry: dict[str, t.Any]) -> str:
    number = f'{entry["n"]} from ' if entry.get('n') else ''
    wanted = entry.get('parameters') or {}
    what = wanted.get('composition') or wanted.get('chemical_system')
    return f'{number}{entry.get("label") or entry.get("type")}' + (f' ({what})' if isinstance(what, str) else '')


def _gate(gate: t.Any) -> str:
    words = {'max': '≤', 'min': '≥', 'equals': '=', 'in': 'in'}
    return ', '.join(f'{words.get(key, key)} {value}' for key, value in (gate or {}).items() if value is not None)


def _table(content: Content) -> dict[str, t.Any]:
    """Return headings, units and rows of the ranked table."""
    names = shown_columns(content.table)
    units = units_of(content.table, names)
    rows = records(content.table, names, MOST_ROWS)
    numeric = {name for name in names if all(isinstance(row[name], (int, float, type(None))) for row in rows)}
    columns = [{'name': n, 'heading': HEADINGS.get(n, n), 'unit': units[n], 'numeric': n in numeric} for n in names]
    return {'columns': columns, 'rows': rows, 'n_more': max(len(content.table) - MOST_ROWS, 0)}


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
            entries.append({'figure': figure, 'formula': formulas[place], 'id': row['id'], **values})
    return entries


def _sun(content: Content, markup: t.Any) -> list[dict[str, t.Any]]:
    """Return the rates of S.U.N. by limit, both ways of counting where they differ."""
    rows = []
    for entry in content.funnel.sun if any(entry.is_known for entry in content.funnel.sun) else ():
        ways = [('novelty untested: not novel', entry.tested), ('novelty untested: novel', entry.untested_novel)]
        for label, rate in [('all were tested for novelty', entry.tested)] if entry.is_one_number else ways:
            rows.append({'limit': entry.limit, 'label': label, 'rate': rate, 'figure': markup(interval_figure(rate))})
    return rows
