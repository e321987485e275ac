"""`trace`: one crystal, from its seed to its verdict."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import click

from aiida_crystalgen.cli.common import as_text, load_any, load_campaign_node, note, plain, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.tools.trace import Step

WIDTH: t.Final = 100  # characters of values on a line


@click.command(context_settings={'ignore_unknown_options': True})
@click.argument('what', metavar='ID|PK')
@click.option('--campaign', metavar='PK', help='Where to look; default: the latest campaign that holds the crystal.')
@click.option('--all', 'everything', is_flag=True, help='Show also the steps that only cut, joined or handed on.')
@click.option('--json', 'as_json', is_flag=True, help='Print the steps as JSON.')
@with_profile
def trace(what: str, campaign: str | None, everything: bool, as_json: bool) -> None:
    """Follow the crystal ID, kept or rejected, through every process that had it in its hands.

    Given a PK instead: the best crystal of a campaign, the first one of a batch, or the origin of a promoted structure.
    The end of an id is enough if it is unique in the latest campaign, for example `-17`.
    """
    from aiida_crystalgen.tools.queries import is_campaign
    from aiida_crystalgen.tools.trace import trace as trace_crystal

    where = load_campaign_node(campaign) if campaign else None
    if what.isdigit() and is_campaign(node := load_any(what)):
        where = t.cast('orm.WorkChainNode', node)
    crystal_id = _resolve(what, where)
    steps = trace_crystal(crystal_id, where)
    if not steps:
        place = f'campaign {where.pk}' if where is not None else 'this profile'
        remedy = 'Ids are in `aiida-crystalgen table` and `rejected`'
        raise CommandError(f'{place} holds no crystal `{crystal_id}`', remedy)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(step) for step in steps], indent=1, default=str))
        return
    _print(crystal_id, steps, everything)


def _resolve(what: str, campaign: orm.WorkChainNode | None) -> str:
    """Return the id of a crystal from an id, the end of one, or a PK."""
    from aiida_crystalgen.tools.trace import ids_like

    if what.isdigit():
        return _id_of_node(load_any(what))
    if '-' in what.strip('-') and len(what.rpartition('-')[0]) >= DRAW_DIGITS:
        return what
    found = [name for name in ids_like(what, campaign or load_campaign_node(None)) if name.endswith(what)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(f'`{what}` ends {len(found)} ids, such as {", ".join(found[:3])}', 'Give more of the id')
    raise CommandError(f'no id ends with `{what}`', 'Ids are in `aiida-crystalgen table` and `rejected`')


DRAW_DIGITS: t.Final = 16


def _id_of_node(node: orm.Node) -> str:
    """Return the crystal that a node stands for."""
    from aiida import orm

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.tools.queries import is_campaign

    if is_campaign(node) and 'table' in t.cast(orm.WorkChainNode, node).outputs:
        node = t.cast(orm.WorkChainNode, node).outputs.table
    if isinstance(node, StructureBatch) and node.ids:
        note(f'node {node.pk} holds {len(node.ids)} crystals: this is the first')
        return node.ids[0]
    creator = getattr(node, 'creator', None)
    if creator is not None and 'crystal_id' in creator.inputs:
        return str(creator.inputs.crystal_id.value)
    what = 'no batch of crystals, no promoted structure and no finished campaign'
    raise CommandError(f'node {node.pk} is {what}', 'Give the id of a crystal')


def _print(crystal_id: str, steps: list[Step], everything: bool) -> None:
    """Print the way of a crystal as a column of steps."""
    last = steps[-1]
    click.secho(crystal_id, bold=True, nl=False)
    click.echo(f'  {_verdict(steps)}')
    hidden, has_atoms = 0, False
    for step in steps:
        if step.is_bookkeeping and not everything and step is not last:
            hidden += 1
            continue
        cached = ', reused' if step.cached else ''
        click.echo()
        click.secho(f'  {step.process_label}<{step.pk}>', fg='red' if step.verdict == 'rejected' else 'cyan', nl=False)
        click.echo(f'  {step.link}, exit code {as_text(step.exit_status)}{cached}')
        where = '' if step.is_of_engine else f'{step.output}<{step.batch_pk}> row {step.row}, '
        click.echo(f'    -> {where}{step.verdict}')
        for line in _values(step, 'geometry changed' if has_atoms else 'geometry made'):
            click.echo(f'       {line}')
        has_atoms = has_atoms or step.moved
    if hidden:
        note(f'\n{hidden} steps that only cut or joined batches are left out: --all shows them')


def _verdict(steps: list[Step]) -> str:
    known: dict[str, t.Any] = {}
    for step in steps:
        known.update(step.columns)
    if steps[-1].verdict == 'rejected':
        text = f'rejected at {known.get("rejected_stage")}: {known.get("rejected_reason")}'
        if known.get('rejected_threshold') is not None:
            text += f', {plain(known.get("rejected_value"))} against {plain(known["rejected_threshold"])}'
        return text
    return f'kept, rank {known["rank"]}' if 'rank' in known else 'on its way'


def _values(step: Step, moved: str) -> list[str]:
    """Return the values that are new at a step, as few lines as fit."""
    lines, line = [], ''
    texts = [f'{name} {_short(value)}' for name, value in step.columns.items() if value is not None]
    if step.moved:
        texts.insert(0, moved)
    for text in texts:
        if line and len(line) + len(text) > WIDTH:
            lines.append(line)
            line = ''
        line = f'{line}; {text}' if line else text
    return [*lines, line] if line else lines


def _short(value: t.Any) -> str:
    text = plain(value) if not isinstance(value, list) else f'{len(value)} values'
    return text if len(text) <= WIDTH else f'{text[:WIDTH]}...'
