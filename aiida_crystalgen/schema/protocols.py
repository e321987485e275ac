"""Read the protocols, and merge default <- protocol <- overrides into the numbers of a campaign."""

from __future__ import annotations

import copy
import functools
import typing as t
from collections.abc import Mapping
from pathlib import Path

import yaml

from .problem import choose

FILEPATH: t.Final = Path(__file__).parents[1] / 'workflows' / 'protocols' / 'campaign.yaml'
SCREENS: t.Final = ('prescreen', 'postscreen')
STEP_KEYS: t.Final = ('gates', 'parameters')

# Criteria that see every crystal, those that a gate of another criterion rejects as well.
_FIRST: t.Final = ('prediction',)
# The ending of the columns of a criterion that a campaign adds to a screen.
_ADDED_SUFFIX: t.Final = {'prescreen': '_generated', 'postscreen': ''}

Values: t.TypeAlias = dict[str, t.Any]


@functools.cache
def _content() -> Values:
    return dict(yaml.safe_load(FILEPATH.read_text(encoding='utf-8')))


def available_protocols() -> dict[str, str]:
    """Return the protocols with their descriptions, the quickest first."""
    return {name: protocol['description'] for name, protocol in _content()['protocols'].items()}


def default_protocol() -> str:
    """Return the name of the protocol of a campaign that names none."""
    return str(_content()['default_protocol'])


def protocol_inputs(name: str | None = None, overrides: Mapping[str, t.Any] | None = None) -> Values:
    """Return every number of a campaign.

    :param overrides: changes in the form of the protocol file; a null takes a criterion, a gate or a filter away.
    :returns: `relax`, `prescreen` and `postscreen` (each `{'steps': [...]}` for the analysis job), `filters`,
        `phonons`, `resources` and `shortlist`; units are in the protocol file.
    :raises ValueError: for a protocol or a key that does not exist.
    """
    name = default_protocol() if name is None else name
    protocols = _content()['protocols']
    if name not in protocols:
        raise ValueError(f'there is no protocol `{name}`; {choose(name, protocols)}')
    own = {key: value for key, value in protocols[name].items() if key != 'description'}
    inputs: Values = copy.deepcopy(_content()['default_inputs'])
    for changes in (own, overrides or {}):
        inputs = _merge(inputs, changes)
    for screen in SCREENS:
        inputs[screen] = {'steps': [{'criterion': key, **step} for key, step in inputs[screen].items()]}
    return inputs


def _merge(inputs: Values, changes: Mapping[str, t.Any]) -> Values:
    """Return the inputs with the changes of one level of the file in their place."""
    _refuse_unknown(changes, inputs, '')
    merged = dict(inputs)
    for key, value in changes.items():
        if key in SCREENS:
            merged[key] = _merge_screen(key, inputs[key], _mapping(value, key))
        elif key == 'filters':
            merged[key] = _replace(inputs[key], _mapping(value, key))
        elif isinstance(inputs[key], dict):
            _refuse_unknown(_mapping(value, key), inputs[key], key)
            merged[key] = {**inputs[key], **copy.deepcopy(dict(value))}
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _merge_screen(screen: str, steps: Values, changes: Mapping[str, t.Any]) -> Values:
    """Return the criteria of a screen in order; one that the protocol does not have comes last, or first of all."""
    merged = dict(steps)
    for criterion, change in changes.items():
        if change is None:
            merged.pop(criterion, None)
            continue
        where = f'{screen}.{criterion}'
        _refuse_unknown(_mapping(change, where), STEP_KEYS, where)
        old = steps.get(criterion, {'suffix': _ADDED_SUFFIX[screen]})
        merged[criterion] = {
            'suffix': old['suffix'],
            'parameters': {**old.get('parameters', {}), **copy.deepcopy(dict(change.get('parameters', {})))},
            'gates': _replace(old.get('gates', {}), change.get('gates', {})),
        }
    return dict(sorted(merged.items(), key=lambda item: item[0] not in _FIRST))


def _replace(old: Mapping[str, t.Any], changes: Mapping[str, t.Any]) -> Values:
    """Return gates with some replaced whole; null takes one away."""
    merged = {**old, **copy.deepcopy(dict(changes))}
    return {column: gate for column, gate in merged.items() if gate is not None}


def _mapping(value: t.Any, where: str) -> Mapping[str, t.Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f'the override `{where}` is not a dictionary; write `{where}: {{key: value}}`')
    return value


def _refuse_unknown(changes: Mapping[str, t.Any], known: t.Iterable[str], where: str) -> None:
    """Refuse keys that do not exist: a misspelt number must not be dropped in silence."""
    names = list(known)
    for key in changes:
        if key not in names:
            place = f'{where}.{key}' if where else key
            raise ValueError(f'the override `{place}` does not exist; {choose(key, names)}')
