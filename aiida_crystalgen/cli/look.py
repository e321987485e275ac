"""`status`, `table`, `funnel` and `rejected`: what a campaign is doing and what it found."""

from __future__ import annotations

import json
import typing as t
from collections import Counter

import click

from aiida_crystalgen.cli.common import (
    CAMPAIGN,
    as_text,
    load_campaign_node,
    note,
    print_table,
    require_output,
    verdict_of,
    with_profile,
)
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.data.crystals import Crystals
    from aiida_crystalgen.tools.funnel import Funnel, Rate

BAR: t.Final = 28  # characters
CSV: t.Final = click.option('--csv', 'form', flag_value='csv', help='Print CSV: no PK, no UUID, no time.')
JSON: t.Final = click.option('--json', 'form', flag_value='json', help='Print JSON.')


@click.command()
@CAMPAIGN
@click.option('-a', '--all', 'everything', is_flag=True, help='List every campaign of the profile.')
@with_profile
def status(campaign: str | None, everything: bool) -> None:
    """Show how far campaign PK has come (default: the latest), or list all campaigns."""
    from aiida_crystalgen.tools.progress import progress_of
    from aiida_crystalgen.tools.stopping import is_abandoned

    if everything:
        _list_campaigns()
        return
    node = load_campaign_node(campaign)
    state = 'interrupted: the program that ran it is gone' if is_abandoned(node) else verdict_of(node)
    click.secho(f'Campaign {node.pk}: {name_of(node)}', bold=True)
    click.echo(f'{state}, begun {node.ctime:%Y-%m-%d %H:%M}')
    rows = []
    for stage in progress_of(node):
        share = 1.0 if stage.state == 'done' else stage.n_done / max(stage.n_all, 1)
        count = f'{stage.n_done} of {stage.n_all}' if stage.n_all else ''
        reused = f' ({stage.n_cached} reused)' if stage.n_cached else ''
        rows.append((stage.stage, bar(share), count, f'{stage.n_jobs}{reused}' if stage.n_jobs else '', stage.state))
    if rows:
        click.echo()
        print_table(('stage', ' ' * BAR, 'crystals', 'jobs', 'state'), rows)
    _print_failures(node)


def _list_campaigns() -> None:
    from aiida_crystalgen.tools.queries import campaigns

    found = campaigns()
    if not found:
        note('No campaign has been run in this profile: aiida-crystalgen new quickstart')
        return
    rows = [(node.pk, name_of(node), f'{node.ctime:%Y-%m-%d %H:%M}', verdict_of(node)) for node in found]
    print_table(('pk', 'name', 'begun', 'state'), rows, numeric=('pk',))


def _print_failures(node: orm.WorkChainNode) -> None:
    """Print the deepest processes that failed: the others failed because of them."""
    from aiida_crystalgen.tools.queries import calls_of

    calls = calls_of(node)
    failed = [call for call in calls if call.state in {'excepted', 'killed'} or call.exit_status]
    callers = {call.caller for call in failed}
    deepest = [call for call in failed if call.pk not in callers]
    if not deepest:
        return
    click.echo()
    click.secho('Processes that did not end well', bold=True)
    for call in deepest[:HEAD_FAILURES]:
        said = call.exit_message or call.state
        click.echo(f'  {call.process_label}<{call.pk}> exit code {as_text(call.exit_status)}: {said}')
    note(f'More: verdi process report {deepest[0].pk}')


HEAD_FAILURES: t.Final = 5


def name_of(node: orm.WorkChainNode) -> str:
    """Return the name of a campaign."""
    links = node.base.links.get_incoming(link_label_filter='spec').all_nodes()
    name = links[0].base.attributes.get('name', '') if links else ''
    return str(name or node.label or 'without a name')


def bar(share: float, width: int = BAR) -> str:
    """Return a bar of text that is filled to a share."""
    filled = round(width * min(max(share, 0.0), 1.0))
    return '━' * filled + '·' * (width - filled)


@click.command()
@CAMPAIGN
@CSV
@JSON
@click.option('-c', '--columns', help='Names with commas between them, or `all`.')
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Number of rows; default: all in a pipe, else 25.')
@with_profile
def table(campaign: str | None, form: str | None, columns: str | None, limit: int | None) -> None:
    """Show the ranked table of campaign PK (default: the latest).

    With `--csv` or `--json` all columns are printed, unless some are chosen.
    """
    node = load_campaign_node(campaign)
    if form is None:
        print_ranked(node, columns=columns, limit=limit or SCREENFUL)
    else:
        print_rows(t.cast(t.Any, require_output(node, 'table')).crystals, form, columns, limit)


SCREENFUL: t.Final = 25


def print_rows(crystals: Crystals, form: str, columns: str | None, limit: int | None) -> None:
    """Print rows as CSV or JSON."""
    from aiida_crystalgen.tools.table import as_csv, as_json, records, table_columns

    names = split_columns(crystals, columns) or table_columns(crystals)
    rows = records(crystals, names, limit)
    click.echo(as_csv(rows, names) if form == 'csv' else as_json(rows), nl=False)


def print_ranked(node: orm.WorkChainNode, *, columns: str | None = None, limit: int = SCREENFUL) -> None:
    """Print the head of the ranked table for a person."""
    from aiida_crystalgen.tools.table import records, shown_columns

    crystals = t.cast(t.Any, require_output(node, 'table')).crystals
    if not len(crystals):
        click.echo('No crystal passed every gate.')
        note(f'See where they ended: aiida-crystalgen rejected {node.pk}')
        return
    names = split_columns(crystals, columns) or shown_columns(crystals)
    print_crystals(crystals, names, records(crystals, names, limit))
    if len(crystals) > limit:
        note(f'{len(crystals) - limit} more: aiida-crystalgen table {node.pk} --limit {len(crystals)}')


def print_crystals(crystals: Crystals, names: list[str], rows: list[dict[str, t.Any]]) -> None:
    """Print rows with the units of their columns."""
    from aiida_crystalgen.tools.table import units_of

    units = units_of(crystals, names)
    headers = [HEADINGS.get(name, name) + (f' [{units[name]}]' if units[name] else '') for name in names]
    values = [[row[name] for name in names] for row in rows]
    texts = {i for i in range(len(names)) if any(isinstance(line[i], str) for line in values)}
    print_table(headers, values, numeric=[header for i, header in enumerate(headers) if i not in texts])


# Shorter headings for the terminal.
HEADINGS: t.Final = {
    'space_group_relaxed': 'group', 'n_sites': 'sites', 'formation_energy': 'E_form', 'energy': 'E', 'e_hull': 'E_hull',
    'e_hull_with_candidates': 'with candidates', 'novel_known': 'novel', 'n_duplicates': 'copies',
    'rejected_stage': 'stage', 'rejected_reason': 'reason', 'rejected_value': 'value', 'rejected_threshold': 'limit',
    'rejected_detail': 'detail',
}  # fmt: skip


def split_columns(crystals: Crystals, columns: str | None) -> list[str]:
    """Return the chosen columns; an unknown one is refused with all that there are."""
    from aiida_crystalgen.tools.table import table_columns

    known = table_columns(crystals)
    if columns == 'all':
        return known
    names = [name.strip() for name in (columns or '').split(',') if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise CommandError(f'there is no column `{wrong[0]}`', f'Choose among: {", ".join(known)}')
    return names


@click.command()
@CAMPAIGN
@click.option('--json', 'as_json', is_flag=True, help='Print the stored funnel as JSON.')
@with_profile
def funnel(campaign: str | None, as_json: bool) -> None:
    """Show what each stage of campaign PK kept, rejected and cost, and the share of S.U.N. crystals."""
    node = load_campaign_node(campaign)
    if as_json:
        content = t.cast(t.Any, require_output(node, 'funnel')).get_dict()
        click.echo(json.dumps(content, indent=1, sort_keys=True))
        return
    print_funnel(node)


def print_funnel(node: orm.WorkChainNode) -> None:
    """Print the funnel for a person."""
    from aiida_crystalgen.tools.funnel import Funnel, duration

    content = Funnel.from_dict(t.cast(t.Any, require_output(node, 'funnel')).get_dict())
    rows = []
    for stage in content.stages:
        share = stage.n_out / max(content.requested, 1)
        reasons = ', '.join(f'{n} {reason}' for reason, n in list(stage.rejected.items())[:3])
        more = len(stage.rejected) - 3
        reasons += f', {more} more' if more > 0 else ''
        rows.append((stage.name, stage.n_in, stage.n_out, bar(share), duration(stage.seconds), reasons))
    print_table(('stage', 'in', 'out', ' ' * BAR, 'time', 'rejected for'), rows, numeric=('in', 'out', 'time'))
    for label, terms in content.not_told.items():
        note(f'`{label}` could not be told {", ".join(terms)}, and drew without')
    _print_sun(content)


def _print_sun(content: Funnel) -> None:
    for entry in content.sun:
        text = percentage(entry.tested)
        if not entry.is_one_number:
            text += f'; with untested ones as novel {percentage(entry.untested_novel)}'
        if entry.is_known:
            click.echo(f'S.U.N. at {entry.limit:g} eV/atom: {text}')
    if not any(entry.is_known for entry in content.sun):
        click.echo('S.U.N.: unknown, since no hull of references was there to be stable against')
    if content.level:
        note(f'Energies: {content.level}')


def percentage(rate: Rate) -> str:
    """Return a share with its count and interval."""
    if rate.rate is None or rate.low is None or rate.high is None:
        return 'unknown' if rate.count is None else f'{rate.count} of {rate.n}'
    return f'{rate.count} of {rate.n} = {rate.rate:.1%} ({rate.low:.1%} to {rate.high:.1%})'


@click.command()
@CAMPAIGN
@CSV
@JSON
@click.option('--stage', help='Only those that this stage rejected.')
@click.option('--reason', help='Only those rejected for this reason.')
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Number of rows; default: all in a pipe, else 25.')
@with_profile
def rejected(campaign: str | None, form: str | None, stage: str | None, reason: str | None, limit: int | None) -> None:
    """Show which crystals of campaign PK were rejected, at which stage, for which value against which limit."""
    from aiida_crystalgen.tools.table import REJECTED_SHOWN, records, shown_columns

    node = load_campaign_node(campaign)
    if node.is_finished_ok and 'rejected' not in node.outputs:
        click.echo('No crystal was rejected.')
        return
    crystals = t.cast(t.Any, require_output(node, 'rejected')).crystals
    pairs = list(zip(crystals.values('rejected_stage'), crystals.values('rejected_reason'), strict=True))
    chosen = crystals.select([i for i, (s, r) in enumerate(pairs) if stage in {None, s} and reason in {None, r}])
    if form is not None:
        print_rows(chosen, form, None, limit)
        return
    counts = Counter((s, r) for s, r in pairs if stage in {None, s} and reason in {None, r})
    summary = [(*pair, n) for pair, n in counts.most_common()]
    print_table(('stage', 'reason', 'crystals'), summary, numeric=('crystals',))
    click.echo()
    names = shown_columns(chosen, REJECTED_SHOWN)
    print_crystals(chosen, names, records(chosen, names, limit or SCREENFUL))
    if len(chosen) > (limit or SCREENFUL):
        note(f'{len(chosen) - (limit or SCREENFUL)} more: aiida-crystalgen rejected {node.pk} --limit {len(chosen)}')
