"""What is wrong in the form of a campaign: pydantic's errors as sentences with a remedy."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from .problem import Finding, Keys, choose, shown
from .spec import CampaignSpec

NAMES: t.Final = {
    'int_type': 'a whole number',
    'float_type': 'a number',
    'string_type': 'text',
    'bool_type': '`true` or `false`',
    'dict_type': 'a list of `key: value` lines',
    'model_type': 'a list of `key: value` lines',
    'model_attributes_type': 'a list of `key: value` lines',
    'tuple_type': 'a list, every entry starting with `-`',
    'list_type': 'a list, as `[a, b]`',
}


def structure_findings(raw: Mapping[str, t.Any]) -> Iterator[Finding]:
    """Yield what does not fit the models, one finding for every place."""
    try:
        CampaignSpec.model_validate(raw)
    except ValidationError as error:
        seen: dict[Keys, list[t.Any]] = {}
        for detail in error.errors(include_url=False):
            if detail['type'] == 'too_short' and detail['input']:
                continue  # pydantic counts the items that are right; those that are wrong have errors of their own
            seen.setdefault(_keys(detail, raw), []).append(detail)
        for keys, details in seen.items():
            yield _finding(keys, details)


def _keys(detail: t.Any, raw: t.Any) -> Keys:
    """Return the place of an error without the branches of unions that pydantic puts into it."""
    keys: list[str | int] = []
    for part in detail['loc']:
        inside = part in raw if isinstance(raw, Mapping) else isinstance(raw, (list, tuple)) and isinstance(part, int)
        if inside:
            raw = raw[part]
        elif not (detail['type'] in {'missing', 'extra_forbidden'} and part == detail['loc'][-1]):
            continue
        keys.append(part)
    return tuple(keys)


def _finding(keys: Keys, details: list[t.Any]) -> Finding:
    kind, value, context = details[0]['type'], details[0]['input'], details[0].get('ctx', {})
    asked = f'give {_description(keys)}'
    if len(details) > 1:
        return Finding(keys, f'{_seen(value)} is neither a number, text, `true` nor `false`', asked)
    if kind == 'missing':
        return Finding(keys, 'this is missing', asked)
    if kind == 'extra_forbidden':
        return Finding(keys, 'this key is not known here', choose(keys[-1], _known(keys[:-1])))
    if kind in NAMES:
        return Finding(keys, f'{_seen(value)} is not {NAMES[kind]}', asked)
    if kind == 'literal_error':
        allowed = str(context['expected']).replace("'", '').replace(' or ', ', ').split(', ')
        return Finding(keys, f'{_seen(value)} is not one of: {", ".join(allowed)}', choose(value, allowed))
    if kind == 'greater_than_equal':
        return Finding(keys, f'{_seen(value)} is below the smallest allowed, {context["ge"]}', asked)
    if kind == 'less_than_equal':
        return Finding(keys, f'{_seen(value)} is above the largest allowed, {context["le"]}', asked)
    if kind in {'too_short', 'string_too_short'}:
        return Finding(keys, 'this is empty', asked)
    if kind == 'string_pattern_mismatch':
        return Finding(keys, f'{_seen(value)} does not have the right form', asked)
    if kind == 'value_error':
        message, _, remedy = str(context['error']).partition('; ')
        return Finding(keys, message, remedy)
    return Finding(keys, str(details[0]['msg']), asked)


def _seen(value: object) -> str:
    """Return a value with its kind where the kind is the point."""
    if isinstance(value, str):
        return f'the text {shown(value)}'
    if isinstance(value, Mapping):
        return 'a list of `key: value` lines'
    return 'a list' if isinstance(value, (list, tuple)) else shown(value)


@functools.cache
def _schema() -> dict[str, t.Any]:
    return CampaignSpec.model_json_schema()


def _description(keys: Keys) -> str:
    """Return what a field holds, from its description, or from that of the nearest field above."""
    text = 'a value of the kind that the reference of the campaign file names'
    for end in range(1, len(keys) + 1):
        text = _at(keys[:end]).get('description', text)
    return text


def _known(keys: Keys) -> list[str]:
    return list(_resolved(_at(keys)).get('properties', {}))


def _at(keys: Keys) -> dict[str, t.Any]:
    """Return the JSON schema of a place; empty where the place is free."""
    node = _schema()
    for key in keys:
        node = _resolved(node)
        if isinstance(key, int):
            node = node.get('items', {})
        else:
            node = node.get('properties', {}).get(key) or node.get('additionalProperties') or {}
        node = node if isinstance(node, dict) else {}
    return node


def _resolved(node: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the object or list behind references and unions."""
    if '$ref' in node:
        return dict(_schema()['$defs'][node['$ref'].rpartition('/')[2]])
    for branch in [*node.get('anyOf', []), *node.get('oneOf', [])]:
        inner = _resolved(branch)
        if 'properties' in inner or 'items' in inner or inner.get('type') == 'object':
            return inner
    return node
