"""Check parameters against what an adapter says of itself in its `ABOUT`."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping

from .problem import Finding, Keys, choose, shown

About: t.TypeAlias = Mapping[str, t.Any]

_CLAUSE: t.Final = re.compile(r'[;:(]|\. ')
_NAMES: t.Final = {
    'float': 'a number',
    'int': 'a whole number',
    'bool': '`true` or `false`',
    'text': 'text',
    'list': 'a list',
    'dict': 'a list of `key: value` lines',
}


def parameter_findings(given: Mapping[str, t.Any], about: About, keys: Keys) -> Iterator[Finding]:
    """Yield what an adapter would not accept: unknown names, wrong types, values out of range, missing ones."""
    required = about.get('parameters', {})
    forms = {**required, **about.get('conditions', {})}
    for name, value in given.items():
        here = (*keys, name)
        if name not in forms:
            yield Finding(here, f'`{about["name"]}` has no parameter `{name}`', choose(name, forms))
        else:
            yield from value_findings(value, forms[name], here)
    for name, form in required.items():
        if 'default' not in form and name not in given:
            yield Finding((*keys, name), f'`{about["name"]}` needs this parameter', f'give {_asked(form)}')
    for name, form in about.get('conditions', {}).items():
        if form.get('needed') and given.get(name) in (None, []):
            yield Finding((*keys, name), f'`{about["name"]}` needs this condition', f'give {_asked(form)}')


def value_findings(value: t.Any, form: About, keys: Keys) -> Iterator[Finding]:
    """Yield what is wrong with the value of one parameter."""
    if value is None:
        if form.get('default', '') is not None:
            yield Finding(keys, 'this has no value', f'give {_asked(form)}')
        return
    if form.get('many') and isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from value_findings(item, {**form, 'many': False}, keys)
        return
    if not _fits(value, form['type']):
        yield Finding(keys, f'{shown(value)} is not {_NAMES[form["type"]]}', f'give {_asked(form)}')
        return
    unit = f' {form["unit"]}' if form.get('unit') else ''
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if 'choices' in form and item not in form['choices']:
            allowed = [str(choice) for choice in form['choices']]
            yield Finding(keys, f'{shown(item)} is not one of: {", ".join(allowed)}', choose(item, allowed))
        elif isinstance(item, bool) or not isinstance(item, (int, float)):
            continue
        elif 'minimum' in form and item < form['minimum']:
            message = f'{shown(item)}{unit} is below the smallest allowed, {form["minimum"]}{unit}'
            yield Finding(keys, message, f'give {_asked(form)}')
        elif 'maximum' in form and item > form['maximum']:
            message = f'{shown(item)}{unit} is above the largest allowed, {form["maximum"]}{unit}'
            yield Finding(keys, message, f'give {_asked(form)}')


def _fits(value: t.Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == 'bool'
    types: dict[str, type | tuple[type, ...]] = {
        'float': (int, float),
        'int': int,
        'bool': bool,
        'text': str,
        'list': (list, tuple),
        'dict': Mapping,
    }
    return isinstance(value, types[kind])


def _asked(form: About) -> str:
    """Return what a parameter holds, as the remedy says it."""
    text = _NAMES[form['type']]
    text += f' in {form["unit"]}' if form.get('unit') else ''
    if 'minimum' in form and 'maximum' in form:
        text += f' from {form["minimum"]} to {form["maximum"]}'
    if form.get('help'):
        text += f' ({_CLAUSE.split(str(form["help"]))[0].rstrip(" .")})'
    return text
