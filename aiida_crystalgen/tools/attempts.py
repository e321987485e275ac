"""Attempts in the laboratory: all that were recorded, and how they compare with what was predicted."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from aiida import orm

Attempt = dict[str, t.Any]
RECORD: t.Final = 'aiida.calculations:crystalgen.record_attempt'
LIMITS: t.Final = (0.0, 0.05, 0.1)  # eV/atom


def attempts(crystal_id: str | None = None) -> list[Attempt]:
    """Return the attempts of the profile, or those of one crystal, in the order of their recording."""
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, filters={'process_type': RECORD}, tag='record')
    filters = {} if crystal_id is None else {'attributes.id': crystal_id}
    query.append(orm.Dict, with_incoming='record', filters=filters, project=['*'], tag='result')
    nodes = sorted(query.all(flat=True), key=lambda node: (node.ctime, node.pk))
    return [{'pk': node.pk, **node.get_dict()} for node in nodes]


def made_by_verdict(found: Iterable[Attempt]) -> list[tuple[str, int, int]]:
    """Return (verdict, attempts, made) for what was predicted; a crystal tried several times counts once.

    It counts as made when one attempt made it. Who was tried is no random sample.
    """
    crystals: dict[str, Attempt] = {}
    for attempt in found:
        earlier = crystals.get(attempt['id'], {'made': False})
        crystals[attempt['id']] = {**attempt, 'made': attempt['made'] or earlier['made']}
    rows = [('tried', len(crystals), sum(attempt['made'] for attempt in crystals.values()))]
    for limit in LIMITS:
        rows.append(_row(f'e_hull at most {limit:g} eV/atom', crystals, lambda p, at=limit: _within(p, at)))
    for verdict in ('stable', 'inconclusive', 'unstable'):
        rows.append(_row(f'phonons {verdict}', crystals, lambda p, word=verdict: p.get('phonon_verdict') == word))
    return [row for row in rows if row[1]]


def _row(name: str, crystals: dict[str, Attempt], holds: t.Any) -> tuple[str, int, int]:
    chosen = [attempt for attempt in crystals.values() if holds(attempt['predicted'])]
    return name, len(chosen), sum(attempt['made'] for attempt in chosen)


def _within(predicted: dict[str, t.Any], limit: float) -> bool:
    return predicted.get('e_hull') is not None and predicted['e_hull'] <= limit
