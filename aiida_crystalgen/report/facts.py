"""What a campaign was asked for, in the order in which a reader asks."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.report.content import Content


def facts_of(content: Content) -> list[tuple[str, str]]:
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
    facts.append(('Ranking', _ranking(spec.get('ranking') or {})))
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


def _ranking(rules: dict[str, t.Any]) -> str:
    """Return by what the table is ordered; empty where it is by the energy above the hull alone."""
    weights = {
        name: term.get('weight', 1.0) if isinstance(term, dict) else term
        for name, term in rules.get('weights', {}).items()
    }
    counted = ', '.join(f'{name} {weight:g}' for name, weight in weights.items())
    goals = ', '.join(f'{name} {goal}' for name, goal in rules.get('objectives', {}).items())
    limits = ', '.join(f'{name.replace("_", " ")} {most}' for name, most in rules.get('diversity', {}).items() if most)
    parts = {'priority of weights': counted, 'Pareto front of': goals, 'short list with': limits}
    return '; '.join(f'{name} {text}' for name, text in parts.items() if text)


def _gate(gate: t.Any) -> str:
    words = {'max': '≤', 'min': '≥', 'equals': '=', 'in': 'in'}
    return ', '.join(f'{words.get(key, key)} {value}' for key, value in (gate or {}).items() if value is not None)
