"""`rank`: the table of a finished campaign in another order."""

from __future__ import annotations

import typing as t

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, note, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.look import CSV, JSON, SCREENFUL, print_crystals, print_rows

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.crystals import Crystals

FIRST: t.Final = ('rank', 'id', 'formula', 'pareto_front', 'priority')
LIMITS: t.Final = {'formula': 'max_per_formula', 'system': 'max_per_system', 'prototype': 'max_per_prototype'}


@click.command()
@CAMPAIGN
@click.option(
    '-o', '--objective', 'objectives', multiple=True, metavar='COLUMN=min|max', help='To be small or large; repeatable.'
)
@click.option(
    '-w',
    '--weight',
    'weights',
    multiple=True,
    metavar='COLUMN=W[:BEST:WORST]',
    help='What a column counts for in the priority, from 0 at WORST to W at BEST; repeatable.',
)
@click.option(
    '--at-most',
    'limits',
    multiple=True,
    metavar='formula|system|prototype=N',
    help='So many of a kind on the short list; repeatable.',
)
@click.option('--shortlist', type=click.IntRange(min=1), help='Size of a new short list; default: the list stays.')
@CSV
@JSON
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Number of rows; default: all in a pipe, else 25.')
@with_profile
def rank(
    campaign: str | None,
    *,
    objectives: tuple[str, ...],
    weights: tuple[str, ...],
    limits: tuple[str, ...],
    shortlist: int | None,
    form: str | None,
    limit: int | None,
) -> None:
    """Rank the crystals of campaign PK (default: the latest) by other rules; nothing is computed again.

    The rules and the new table are stored beside the table of the campaign, which stays as it is.
    """
    from aiida import orm

    from aiida_crystalgen.calculations.ranking import rerank

    node = load_campaign_node(campaign)
    table = t.cast(t.Any, require_output(node, 'table'))
    rules = _rules(table.crystals, objectives, weights, limits)
    if limits and shortlist is None:
        shortlist = sum(table.crystals.values('shortlisted')) if 'shortlisted' in table.crystals.columns else None
    size = {} if shortlist is None else {'shortlist': orm.Int(shortlist)}
    ranked = t.cast(t.Any, rerank(table, orm.Dict(rules), **size))
    if form is not None:
        print_rows(ranked.crystals, form, None, limit)
        return
    _print(ranked.crystals, [*rules['objectives'], *rules['weights']], limit or SCREENFUL)
    note(f'Stored as node {ranked.pk}; the priority is a choice, not the chance that a crystal can be made')


def _print(crystals: Crystals, columns: list[str], limit: int) -> None:
    from aiida_crystalgen.tools.table import records, table_columns

    known = table_columns(crystals)
    names = [name for name in dict.fromkeys([*FIRST, *columns]) if name in known]
    names += ['shortlisted'] if 'shortlisted' in known else []
    print_crystals(crystals, names, records(crystals, names, limit))


def _rules(
    crystals: Crystals, objectives: tuple[str, ...], weights: tuple[str, ...], limits: tuple[str, ...]
) -> dict[str, t.Any]:
    """Return the rules that were given; a sentence says what is wrong with them."""
    from aiida_crystalgen.science.pareto import GOALS
    from aiida_crystalgen.science.priority import terms

    if not (objectives or weights or limits):
        remedy = 'Give some, for example `--objective e_hull=min --weight e_hull=1`'
        raise CommandError('there are no rules to rank by', remedy)
    goals = dict(_pair(text, 'e_hull=min') for text in objectives)
    if wrong := [name for name, goal in goals.items() if goal not in GOALS]:
        raise CommandError(f'`{wrong[0]}` is to be made `{goals[wrong[0]]}`', 'Write `min` or `max`')
    given = {name: _term(name, text) for name, text in (_pair(text, 'e_hull=1') for text in weights)}
    most = dict(_pair(text, 'formula=1') for text in limits)
    if wrong := [name for name, number in most.items() if name not in LIMITS or not number.isdigit() or number == '0']:
        raise CommandError(f'`--at-most {wrong[0]}={most[wrong[0]]}` means nothing', 'Write it as `formula=1`')
    if 'prototype' in most and 'prototype' not in crystals.columns:
        remedy = 'Run the campaign with `screen: {postscreen: {prototype: {}}}`'
        raise CommandError('the table has no column `prototype`', remedy)
    _check_columns(crystals, goals, given)
    flags = frozenset(name for name, column in crystals.columns.items() if column.dtype == 'bool')
    try:
        terms(given, flags)
    except ValueError as error:
        raise CommandError(str(error), 'Write it as `--weight COLUMN=WEIGHT:BEST:WORST`') from error
    diversity = {LIMITS[name]: int(number) for name, number in most.items()}
    return {'objectives': goals, 'weights': given, 'diversity': diversity}


def _check_columns(crystals: Crystals, goals: dict[str, str], weights: dict[str, t.Any]) -> None:
    """Refuse columns that do not exist or have no order."""
    numbers = [name for name, column in crystals.columns.items() if column.kind == 'row' and column.values.ndim == 1]
    for name in [*goals, *weights]:
        if name not in crystals.columns:
            raise CommandError(f'there is no column `{name}`', f'Choose among: {", ".join(numbers)}')
        scaled = name in goals or isinstance(weights[name], dict)
        if scaled and name not in numbers:
            raise CommandError(f'`{name}` holds no numbers, so it has no order', f'Choose among: {", ".join(numbers)}')


def _pair(text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition('=')
    if not (name and equals and value):
        raise CommandError(f'`{text}` names no column and value', f'Write it as `{example}`')
    return name, value


def _term(name: str, text: str) -> t.Any:
    """Return a weight, or a term with its scale."""
    try:
        numbers = [float(part) for part in text.split(':')]
    except ValueError as error:
        raise CommandError(
            f'`{text}` of `{name}` is no number', 'Write it as `WEIGHT` or `WEIGHT:BEST:WORST`'
        ) from error
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) != 3:
        raise CommandError(f'`{text}` of `{name}` has no weight, best and worst value', 'Write `WEIGHT:BEST:WORST`')
    return {'weight': numbers[0], 'best': numbers[1], 'worst': numbers[2]}
