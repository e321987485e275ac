"""`record`: what the laboratory made of a crystal."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import load_campaign_node, note, print_table, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError

MOST_SHOWN: t.Final = 40  # characters of conditions in a list


@click.command(context_settings={'ignore_unknown_options': True})
@click.argument('crystal_id', metavar='[ID]', required=False)
@click.option('--campaign', metavar='PK', help='Where the crystal is; default: the latest campaign that holds it.')
@click.option('--made/--failed', 'made', default=None, help='Whether the crystal was made.')
@click.option(
    '--conditions', metavar='TEXT|FILE', default='', help='How it was tried: a text, or a file that holds it.'
)
@click.option(
    '--pattern',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='A measured powder pattern, or another file, to be stored with it.',
)
@click.option('--list', 'listed', is_flag=True, help='List the attempts, of one crystal or all, against predictions.')
@with_profile
def record(
    crystal_id: str | None,
    *,
    campaign: str | None,
    made: bool | None,
    conditions: str,
    pattern: Path | None,
    listed: bool,
) -> None:
    """Store an attempt to make the crystal ID as a node that is linked to the table of its campaign."""
    if listed:
        _list(crystal_id)
        return
    if crystal_id is None or made is None:
        remedy = 'Write `aiida-crystalgen record ID --made` or `--failed`, or list the attempts with `--list`'
        raise CommandError('an attempt needs a crystal and an outcome', remedy)
    from aiida import orm

    from aiida_crystalgen.calculations.record import record_attempt

    table = _table_of(crystal_id, campaign)
    text = Path(conditions).read_text(encoding='utf-8') if _is_file(conditions) else conditions
    files = {} if pattern is None else {'pattern': orm.SinglefileData(pattern.resolve(), filename=pattern.name)}
    attempt = orm.Dict({'made': made, 'conditions': text})
    stored = t.cast(t.Any, record_attempt(table, orm.Str(crystal_id), attempt, **files))
    click.echo(f'Recorded as node {stored.pk}: {crystal_id} {"made" if made else "not made"}')


def _is_file(text: str) -> bool:
    try:
        return bool(text) and Path(text).is_file()
    except OSError:  # a long text is no name of a file
        return False


def _table_of(crystal_id: str, campaign: str | None) -> t.Any:
    """Return the table that holds a crystal."""
    from aiida_crystalgen.tools.queries import campaigns_with

    nodes = [load_campaign_node(campaign)] if campaign else campaigns_with(crystal_id.rpartition('-')[0])
    for node in nodes:
        if 'table' in node.outputs and crystal_id in t.cast(t.Any, require_output(node, 'table')).ids:
            return node.outputs.table
    raise CommandError(f'no ranked table holds a crystal `{crystal_id}`', 'Ids are in `aiida-crystalgen table`')


def _list(crystal_id: str | None) -> None:
    from aiida_crystalgen.tools.attempts import attempts, made_by_verdict

    found = attempts(crystal_id)
    if not found:
        click.echo('No attempt has been recorded.')
        return
    rows = [
        (one['pk'], one['id'], one['made'], one['predicted'].get('e_hull'), one['pattern'], _short(one['conditions']))
        for one in found
    ]
    print_table(('pk', 'id', 'made', 'E_hull [eV/atom]', 'pattern', 'conditions'), rows, numeric=('pk',))
    click.echo()
    print_table(('predicted', 'crystals', 'made'), made_by_verdict(found), numeric=('crystals', 'made'))
    note('Crystals that somebody chose to try: no random sample of what was predicted')


def _short(text: str) -> str:
    line = ' '.join(text.split())
    return line if len(line) <= MOST_SHOWN else f'{line[:MOST_SHOWN]}...'
