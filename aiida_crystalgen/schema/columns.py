"""Check that gates stand on columns that exist when the gate is judged."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from aiida_crystalgen.bundles import phonons_about

from .parameters import About, parameter_findings
from .problem import Finding, Keys, choose
from .protocols import SCREENS, available_protocols, protocol_inputs
from .ranking import ranking_findings, set_ranking, steps_of_ranking
from .spec import ScreenSpec, StepSpec
from .targets import screens_with_prediction, set_targets

Column: t.TypeAlias = Mapping[str, t.Any]

# Columns that the campaign itself writes on generated rows.
GENERATED: t.Final[dict[str, Column]] = {
    'generator': {'kind': 'text'},
    'seed': {'kind': 'row', 'dtype': 'int'},
}
# Columns that a table of limits can go by.
LIMITS_BY: t.Final = ('chemical_system', 'anion_class')
# Criteria whose columns are unknown for every row of a campaign that names none of these references.
NEED_REFERENCES: t.Final = {'stability': ('phases',), 'novelty': ('phases', 'known', 'training')}


def column_findings(raw: Mapping[str, t.Any], registry: Mapping[str, Mapping[str, About]]) -> Iterator[Finding]:
    """Yield criteria that are not registered, wrong parameters of criteria, and gates that cannot be judged."""
    screen = _screen(raw)
    protocol = raw.get('protocol')
    name = protocol if isinstance(protocol, str) and protocol in available_protocols() else None
    overrides = screens_with_prediction(
        screen.overrides(), set_targets(raw) is not None, raw.get('potential') is not None
    )
    inputs = protocol_inputs(name, steps_of_ranking(overrides, set_ranking(raw)))
    generators = raw.get('generators') if isinstance(raw.get('generators'), list) else []
    criteria = registry.get('criterion', {})
    columns = dict(GENERATED)
    for entry in t.cast('list[t.Any]', generators):
        columns |= _columns_of(entry, 'generator', registry)
    for place in SCREENS:
        changes = getattr(screen, place)
        for criterion in [key for key in changes if key not in criteria]:
            message = f'no criterion is registered under the name `{criterion}`'
            yield Finding(('screen', place, criterion), message, choose(criterion, criteria))
        for step in inputs[place]['steps']:
            about = criteria.get(step['criterion'], {})
            columns |= {f'{column}{step["suffix"]}': meta for column, meta in about.get('columns', {}).items()}
            if step['criterion'] in changes and about:
                keys: Keys = ('screen', place, step['criterion'])
                yield from _step_findings(changes[step['criterion']], criteria, columns, keys)
        if place == 'prescreen':
            columns |= _columns_of(raw.get('potential'), 'potential', registry)
    filters = raw.get('filters')
    if isinstance(filters, Mapping):
        yield from _gate_findings(filters, columns, ('filters',))
        yield from _reference_findings(raw, filters, registry)
    later = phonons_about()['columns'] if isinstance(raw.get('phonons'), Mapping) else {}
    yield from ranking_findings(raw, {**columns, **later})


def _step_findings(
    change: StepSpec, criteria: Mapping[str, About], columns: Mapping[str, Column], keys: Keys
) -> Iterator[Finding]:
    """Yield what is wrong with the changes to one criterion."""
    name = str(keys[-1])
    yield from parameter_findings(change.parameters, {'name': name, **criteria[name]}, (*keys, 'parameters'))
    gates = {column: gate and gate.model_dump(exclude_unset=True) for column, gate in change.gates.items()}
    yield from _gate_findings(gates, columns, (*keys, 'gates'))


def _screen(raw: Mapping[str, t.Any]) -> ScreenSpec:
    """Return the changes to the screens; none where their form is wrong, which is said elsewhere."""
    try:
        return ScreenSpec.model_validate(raw.get('screen') or {})
    except ValidationError:
        return ScreenSpec()


def _columns_of(entry: t.Any, kind: str, registry: Mapping[str, Mapping[str, About]]) -> dict[str, Column]:
    name = entry.get('type') if isinstance(entry, Mapping) else None
    about = registry.get(kind, {}).get(name, {}) if isinstance(name, str) else {}
    return dict(about.get('columns', {}))


def _gate_findings(gates: Mapping[str, t.Any], columns: Mapping[str, Column], keys: Keys) -> Iterator[Finding]:
    for column, gate in gates.items():
        here = (*keys, column)
        meta = columns.get(column)
        if meta is None:
            yield Finding(here, f'no column has the name `{column}` at this stage', choose(column, columns))
        elif isinstance(gate, Mapping):
            yield from _condition_findings(gate, meta, here)
            for name in ('min', 'max'):
                by = gate[name].get('by') if isinstance(gate.get(name), Mapping) else None
                if by in LIMITS_BY and by not in columns:
                    message = f'no column has the name `{by}` at this stage'
                    yield Finding((*here, name, 'by'), message, 'keep the criterion `composition` in the screen')


def _condition_findings(gate: Mapping[str, t.Any], meta: Column, keys: Keys) -> Iterator[Finding]:
    """Yield a condition that the kind of a column cannot answer."""
    kind, dtype = meta.get('kind', 'row'), meta.get('dtype')
    if kind not in {'row', 'text'} or meta.get('shape'):
        yield Finding(keys, f'`{keys[-1]}` holds many values for each crystal', 'gate on a column with one value')
        return
    name = next((word for word in ('min', 'max') if word in gate), None)
    if name and (kind == 'text' or dtype == 'bool'):
        form = 'text' if kind == 'text' else 'true or false'
        yield Finding((*keys, name), f'`{keys[-1]}` is {form} and has no limit', 'use `equals` or `in`')
    equals = gate.get('equals')
    if equals is not None and (kind == 'text') != isinstance(equals, str):
        form = 'text' if kind == 'text' else ('`true` or `false`' if dtype == 'bool' else 'a number')
        yield Finding((*keys, 'equals'), f'`{keys[-1]}` never equals `{equals}`', f'give {form}')


def _reference_findings(
    raw: Mapping[str, t.Any], filters: Mapping[str, t.Any], registry: Mapping[str, Mapping[str, About]]
) -> Iterator[Finding]:
    """Yield filters that would see nothing but unknowns because the campaign names no references for them."""
    references = raw.get('references')
    criteria = registry.get('criterion', {})
    for criterion, names in NEED_REFERENCES.items():
        if isinstance(references, Mapping) and any(references.get(name) for name in names):
            continue
        for column in criteria.get(criterion, {}).get('columns', {}):
            if filters.get(column) is not None:
                message = f'`{column}` is unknown for every crystal without `references.{names[0]}`'
                yield Finding(('filters', column), message, 'add `references: {phases: <folder of CIFs>}`')
