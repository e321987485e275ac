"""Calcfunctions that put crystals in order: before the short list is computed, and at the end."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.science.ranking import judge, shortlist

Row = dict[str, t.Any]

_PLAIN: t.Final = {'kind': 'row', 'shape': [], 'unit': '', 'level': ''}
COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    'rank': {**_PLAIN, 'dtype': 'int', 'help': 'Place, 1 is best.'},
    'pareto_front': {
        **_PLAIN,
        'dtype': 'int',
        'help': 'Number of the Pareto front by the objectives of the ranking: 1 where no crystal is better in one and '
        'as good in all; unknown where an objective is.',
    },
    'priority': {
        **_PLAIN,
        'dtype': 'float',
        'help': 'Weighted mean of what the ranking calls desirable, 0 to 1: a choice of the user, not the chance that '
        'the crystal can be made.',
    },
    'priority_known': {
        **_PLAIN,
        'dtype': 'float',
        'help': 'Share of the weights of the priority that rests on known values.',
    },
}
SHORTLISTED: t.Final = 'shortlisted'
SCREENED: t.Final = 'rank_screened'
_FIRST: t.Final = {
    SHORTLISTED: {
        **_PLAIN,
        'dtype': 'bool',
        'help': 'Whether the crystal is on the short list: the best `shortlist` crystals, in number and kinds.',
    },
    SCREENED: {
        **_PLAIN,
        'dtype': 'int',
        'help': 'Place by the rules of the ranking before phonons and engine, which decided on the short list.',
    },
}


@calcfunction
def rank(batch: StructureBatch, shortlist: orm.Int, rules: orm.Dict | None = None) -> StructureBatch:
    """Return the rows best first, with their rank, and whether they are on the short list, as columns.

    With rules this is the place that decides on the short list; `rerank` gives the rank, when all columns are there.

    :param rules: `objectives`, `weights` and `diversity`, as in a campaign file; without them the energy decides.
    """
    crystals, wanted = batch.crystals, rules.get_dict() if rules is not None else {}
    ordered, judged = _ordered(crystals, wanted)
    places = [entry['rank'] for entry in judged]
    columns = {
        (SCREENED if rules is not None else 'rank'): make_column(
            places, _FIRST[SCREENED] if rules is not None else COLUMNS['rank']
        ),
        SHORTLISTED: _shortlisted(ordered, shortlist.value, wanted),
    }
    return StructureBatch(ordered.with_columns(columns))


@calcfunction
def rerank(table: StructureBatch, rules: orm.Dict, shortlist: orm.Int | None = None) -> StructureBatch:
    """Return the rows of a table best first by some rules, with rank, Pareto front and priority as columns.

    Ids and all other values are those of the table. One that has a ranking already is not changed: the new one is a
    second table beside it, with these columns anew.

    :param rules: `objectives`, `weights` and `diversity`, as in a campaign file.
    :param shortlist: where a new short list is wanted, its size.
    """
    replaced = [*COLUMNS, *([] if shortlist is None else [SHORTLISTED])]
    ordered, judged = _ordered(table.crystals.drop_columns(replaced), rules.get_dict())
    wanted = {'rank', *(['pareto_front'] if rules.get('objectives') else [])}
    wanted |= {'priority', 'priority_known'} if rules.get('weights') else set()
    names = [name for name in COLUMNS if name in wanted]
    columns = {name: make_column([entry.get(name) for entry in judged], COLUMNS[name], name=name) for name in names}
    if shortlist is not None:
        columns[SHORTLISTED] = _shortlisted(ordered, shortlist.value, rules.get_dict())
    return StructureBatch(ordered.with_columns(columns))


def _ordered(crystals: Crystals, rules: Row) -> tuple[Crystals, list[Row]]:
    """Return the crystals best first, and what the rules say of each."""
    rows = _plain_rows(crystals)
    texts = {name for name, column in crystals.columns.items() if column.kind == 'text'}
    flags = frozenset(name for name, column in crystals.columns.items() if column.dtype == 'bool')
    # A text has no order; a campaign that asks for one is refused before it runs where its columns are known by then.
    objectives = {name: goal for name, goal in rules.get('objectives', {}).items() if name not in texts}
    judged = judge(rows, {**rules, 'objectives': objectives}, flags)
    places = sorted(range(len(rows)), key=lambda place: judged[place]['rank'])
    return crystals.select(places), [judged[place] for place in places]


def _shortlisted(crystals: Crystals, size: int, rules: Row) -> t.Any:
    """Return the column of the short list of crystals that are in order."""
    chosen = set(shortlist(_grouped(crystals), size, rules.get('diversity', {})))
    return make_column([name in chosen for name in crystals.ids], _FIRST[SHORTLISTED], name=SHORTLISTED)


def _grouped(crystals: Crystals) -> list[Row]:
    """Return rows with what makes groups of them: formula and elements are read off the atoms."""
    prototypes = crystals.values('prototype') if 'prototype' in crystals.columns else [None] * len(crystals)
    rows = []
    for row, prototype in zip(crystals.rows(), prototypes, strict=True):
        formula = _formula(row['numbers'].tolist())
        system = '-'.join(sorted({SYMBOLS[number - 1] for number in row['numbers'].tolist()}))
        rows.append({'id': row['id'], 'formula': formula, 'chemical_system': system or None, 'prototype': prototype})
    return rows


def _formula(numbers: list[int]) -> str | None:
    from math import gcd

    if not numbers:
        return None
    counts = {number: numbers.count(number) for number in sorted(set(numbers))}
    divisor = gcd(*counts.values())
    return ' '.join(f'{SYMBOLS[number - 1]}{count // divisor}' for number, count in counts.items())


def _plain_rows(crystals: Crystals) -> list[Row]:
    """Return rows as dictionaries of id and every column with one value a row."""
    names = [
        name
        for name, column in crystals.columns.items()
        if column.kind == 'text' or (column.kind == 'row' and column.values.ndim == 1)
    ]
    series = [crystals.values(name) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*series, strict=True)]
