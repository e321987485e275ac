"""`reference fetch`: write a file of known crystals from a public database; no AiiDA profile is needed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import note, print_table
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from aiida_crystalgen.fetch.file import About

TARGET: t.Final = click.option(
    '-o', '--output', type=click.Path(path_type=Path, dir_okay=False), required=True,
    help='File to write, `.json` or `.json.gz`; finished pages are kept beside it as `.part.jsonl`.',
)  # fmt: skip
FORCE: t.Final = click.option('--force', is_flag=True, help='Write over a file that exists.')
THERMO_TYPES: t.Final = ('GGA_GGA+U', 'GGA_GGA+U_R2SCAN', 'R2SCAN')
THERMO_TYPE: t.Final = click.option(
    '--thermo-type', type=click.Choice(THERMO_TYPES), default='GGA_GGA+U', show_default=True,
    help='Which hull of the Materials Project: PBE(+U), their mixture with r2SCAN, or r2SCAN.',
)  # fmt: skip


@click.group()
def fetch() -> None:
    """Write a file of known crystals from a public database.

    The file says where its crystals come from, when, by which query, and under which licence. Only `reference add`
    brings it into a profile: campaigns never ask a database themselves. An interrupted fetch goes on when the same
    command is given again.
    """


@fetch.command(short_help='From the Materials Project, through its own client.')
@click.option('--elements', required=True, help='Chemical system, for example Li-O; every system within it comes too.')
@THERMO_TYPE
@TARGET
@FORCE
def mp(elements: str, thermo_type: str, output: Path, force: bool) -> None:
    """Fetch all entries of a chemical system from the Materials Project.

    This needs the extra `aiida-crystalgen[mp]` and a key in `MP_API_KEY`. Energies are as computed, uncorrected, with
    the run types and U values that the corrections of 2020 need.
    """
    from aiida_crystalgen.fetch.elements import read_elements
    from aiida_crystalgen.fetch.file import check_target
    from aiida_crystalgen.fetch.materials_project import Progress, fetch_materials_project

    def report(progress: Progress) -> None:
        place = f'{progress.done}/{progress.systems} {progress.system}'
        _show(f'{place}: {progress.entries} crystals, {progress.skipped} skipped')

    def run() -> About:
        check_target(output, force=force)
        return fetch_materials_project(output, read_elements(elements), thermo_type, report=report)

    _end(_in_sentences(run), output)


@fetch.command(short_help='From any database that speaks OPTIMADE.')
@click.argument('source', metavar='DATABASE|ADDRESS', required=False)
@click.option('--elements', help='Chemical system, for example Li-O; every system within it comes too.')
@click.option('--filter', 'words', default='', help='Filter in the language of OPTIMADE, for example nsites<=20.')
@THERMO_TYPE
@click.option('-o', '--output', type=click.Path(path_type=Path, dir_okay=False), help='File to write (see `mp`).')
@click.option('--max', 'limit', type=click.IntRange(min=1), help='Only so many crystals.')
@click.option('--page-limit', type=click.IntRange(min=1), default=100, show_default=True, help='Crystals a request.')
@click.option('--pause', type=click.FloatRange(min=0), default=0.5, show_default=True, help='Between requests [s].')
@click.option('--list', 'listing', is_flag=True, help='List the databases that are known by name.')
@FORCE
def optimade(
    source: str | None, elements: str | None, words: str, thermo_type: str, output: Path | None,
    limit: int | None, page_limit: int, pause: float, listing: bool, force: bool,
) -> None:  # fmt: skip
    """Fetch crystals from a database that speaks OPTIMADE, given by its name (see --list) or its address."""
    from aiida_crystalgen.fetch.elements import read_elements
    from aiida_crystalgen.fetch.file import check_target
    from aiida_crystalgen.fetch.optimade import Progress, Request, fetch_optimade
    from aiida_crystalgen.fetch.web import Client, Manners

    if listing:
        _list_databases()
        return
    if source is None or output is None:
        raise click.UsageError('Give a database (see --list) and a file with -o.')
    target = output

    def report(progress: Progress) -> None:
        whole = '' if progress.announced is None else f' of {progress.announced}'
        _show(f'page {progress.pages}: {progress.entries} crystals{whole}, {progress.skipped} skipped')

    def run() -> About:
        check_target(target, force=force)
        system = read_elements(elements) if elements else ()
        request = Request(source, system, words, thermo_type, limit, page_limit)
        return fetch_optimade(target, request, Client(Manners(pause=pause)), report)

    _end(_in_sentences(run), target)


def _in_sentences(run: Callable[[], About]) -> About:
    """Run a fetch; what stops it is told in a sentence."""
    from aiida_crystalgen.fetch.file import FetchError

    try:
        return run()
    except FetchError as exception:
        raise CommandError(str(exception)) from exception


def _show(text: str) -> None:
    click.echo(text, err=True)


def _list_databases() -> None:
    from aiida_crystalgen.fetch.providers import LISTED_ON, PROVIDERS

    def licence(name: str) -> str:
        return f'{name} (non-commercial!)' if 'NC' in name else name or 'ask the database'

    rows = [
        (p.name, p.title, licence(p.licence), bool(p.fields.formation_energy), p.url + ('' if p.listed else ' *'))
        for p in PROVIDERS
    ]
    print_table(['name', 'database', 'licence', 'formation energies', 'address'], rows)
    note(f'Addresses as in the list of providers of OPTIMADE of {LISTED_ON}; * is not in it, and may have moved.')


def _end(about: About, target: Path) -> None:
    """Say what was written, what it may be used for, and what comes next."""
    import shlex

    n_skipped = sum(about.skipped.values())
    click.echo(f'Wrote {target}: {about.name}, from {about.database} {about.database_version}'.rstrip())
    click.echo(f'  query    {about.query}')
    click.echo(f'  level    {about.level or "no energies"}' + (', partial' if about.partial else ''))
    click.echo(f'  licence  {about.licence or "not stated: ask the database before you publish anything made from it"}')
    for text in about.citation:
        click.echo(f'  cite     {text}')
    if n_skipped:
        click.echo(f'  skipped  {n_skipped}')
        for reason, count in about.skipped.items():
            click.echo(f'           {count} because {reason}')
    for text in about.notes:
        click.secho(f'  note     {text}', fg='yellow', bold=True)
    click.echo(f'Next: aiida-crystalgen reference add {shlex.quote(str(target))} --name {about.name}')
