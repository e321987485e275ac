"""Gates: a condition on a column that turns a row into a rejected row with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-8
"""A limit is exceeded only by more than this, in the unit of the column."""

_TESTS = ('equals', 'max', 'min', 'in')
_KEYS = (*_TESTS, 'unknown')
_GROUPS = ('chemical_system', 'anion_class')

Verdict = dict[str, Any]


def problem(gate: Any) -> str | None:
    """Return what is wrong with a gate as a sentence, None if it is well formed."""
    if not isinstance(gate, Mapping):
        return 'a gate is a mapping such as {max: 0.1} or {equals: true}'
    unknown = sorted(set(map(str, gate)) - set(_KEYS))
    if unknown:
        return f'a gate has no key `{unknown[0]}`; it has: {", ".join(_KEYS)}'
    if not set(gate) & set(_TESTS):
        return f'a gate needs one of: {", ".join(_TESTS)}'
    if gate.get('unknown', 'keep') not in ('keep', 'reject'):
        return '`unknown` is `keep` or `reject`'
    if 'in' in gate and not isinstance(gate['in'], list | tuple):
        return '`in` is a list'
    return next((found for name in ('max', 'min') if name in gate and (found := _limit_problem(gate[name]))), None)


def _limit_problem(limit: Any) -> str | None:
    """Return what is wrong with a limit, None if it is a number or a table."""
    if _is_number(limit):
        return None
    if not isinstance(limit, Mapping):
        return 'a limit is a number or a table {by: chemical_system, default: 0.1, values: {Mg-O: 0.05}}'
    if set(limit) - {'by', 'default', 'values'} or limit.get('by') not in _GROUPS:
        return f'a table has `by` ({" or ".join(_GROUPS)}), `default` and `values`'
    values = limit.get('values', {})
    if not isinstance(values, Mapping) or not all(map(_is_number, [limit.get('default'), *values.values()])):
        return 'the default and the values of a table are numbers'
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def judge(gate: Mapping[str, Any], row_columns: Mapping[str, Any], column: str) -> Verdict | None:
    """Return why a row fails a gate on a column, None if it passes.

    The verdict has `reason` (a word), `detail` (a sentence), `value` and `threshold` (numbers or None). A gate on
    `valid<suffix>` gives the reason found by the validity criterion.

    Raises:
        ValueError: if the gate is not well formed.
    """
    sentence = problem(gate)
    if sentence is not None:
        raise ValueError(f'gate on `{column}`: {sentence}')
    value = row_columns.get(column)
    if value is None:
        if gate.get('unknown', 'keep') == 'keep':
            return None
        return _verdict(f'{column}_unknown', f'`{column}` is unknown')
    tests = {'equals': _equals, 'in': _is_in, 'max': _at_most, 'min': _at_least}
    verdicts = (test(gate[name], row_columns, column) for name, test in tests.items() if name in gate)
    return next((verdict for verdict in verdicts if verdict is not None), None)


def _equals(wanted: Any, row: Mapping[str, Any], column: str) -> Verdict | None:
    value = row[column]
    if value == wanted:
        return None
    suffix = column.removeprefix('valid')
    if column.startswith('valid') and row.get(f'invalid_reason{suffix}'):
        reason, number = row[f'invalid_reason{suffix}'], row.get(f'invalid_value{suffix}')
        threshold = row.get(f'invalid_threshold{suffix}')
        limits = '' if number is None or threshold is None else f': {number:.4g}, the limit is {threshold:.4g}'
        return _verdict(reason, f'the crystal is not valid, {reason.replace("_", " ")}{limits}', number, threshold)
    twin = row.get(column.replace('unique', 'duplicate_of', 1)) if column.startswith('unique') else None
    if twin:
        return _verdict('duplicate', f'it is the same crystal as {twin}')
    ending = str(value).lower() if isinstance(value, bool) else 'not_equal'
    return _verdict(f'{column}_{ending}', f'`{column}` is {value}, not {wanted}', value, wanted)


def _is_in(wanted: Any, row: Mapping[str, Any], column: str) -> Verdict | None:
    value = row[column]
    if value in wanted:
        return None
    return _verdict(f'{column}_not_in_list', f'`{column}` is {value}, not one of {", ".join(map(str, wanted))}', value)


def _at_most(limit: Any, row: Mapping[str, Any], column: str) -> Verdict | None:
    threshold, where = _threshold(limit, row)
    value = row[column]
    if value <= threshold + TOLERANCE:
        return None
    detail = f'`{column}` is {value:.6g}, above the limit of {threshold:.6g}{where}'
    return _verdict(f'{column}_above_limit', detail, value, threshold)


def _at_least(limit: Any, row: Mapping[str, Any], column: str) -> Verdict | None:
    threshold, where = _threshold(limit, row)
    value = row[column]
    if value >= threshold - TOLERANCE:
        return None
    detail = f'`{column}` is {value:.6g}, below the limit of {threshold:.6g}{where}'
    return _verdict(f'{column}_below_limit', detail, value, threshold)


def _threshold(limit: Any, row: Mapping[str, Any]) -> tuple[float, str]:
    """Return the limit for a row, and for which class it holds."""
    if not isinstance(limit, Mapping):
        return float(limit), ''
    group = row.get(limit['by'])
    if group in limit.get('values', {}):
        return float(limit['values'][group]), f' for {group}'
    return float(limit['default']), ''


def _verdict(reason: str, detail: str, value: Any = None, threshold: Any = None) -> Verdict:
    return {'reason': reason, 'detail': detail, 'value': _number(value), 'threshold': _number(threshold)}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, bool | int | float) else None
