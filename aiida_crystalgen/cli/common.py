"""What several commands share: opening the profile, finding a campaign, printing a table."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable, Iterable, Sequence

import click

from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.root import PROFILE

if t.TYPE_CHECKING:
    from aiida import orm

Function = t.TypeVar('Function', bound=Callable[..., t.Any])

LARGE: t.Final = 1e5  # from here on numbers are written with a power of ten
BUSY: t.Final = 120_000  # ms that SQLite waits for another writer
CAMPAIGN: t.Final = click.argument('campaign', metavar='[PK]', required=False)


def with_profile(function: Function) -> Function:
    """Open the AiiDA profile before the command runs."""

    @functools.wraps(function)
    def wrapped(*args: t.Any, **kwargs: t.Any) -> t.Any:
        open_profile()
        return function(*args, **kwargs)

    return t.cast(Function, wrapped)


def open_profile() -> None:
    """Load the profile that was asked for, else the one that is loaded already, else the default one."""
    from aiida import get_profile, load_profile
    from aiida.common.exceptions import ConfigurationError, ProfileConfigurationError

    name = asked_profile()
    loaded = get_profile()
    if loaded is not None and name in {None, loaded.name}:
        return
    _wait_for_sqlite()
    try:
        load_profile(name, allow_switch=True)
    except ProfileConfigurationError as exception:
        if name is not None:
            remedy = f'See `verdi profile list`, or make it with `aiida-crystalgen -p {name} init`'
            raise CommandError(f'there is no profile `{name}`', remedy) from exception
        raise CommandError('there is no AiiDA profile yet', 'Make one with `aiida-crystalgen init`') from exception
    except ConfigurationError as exception:
        raise CommandError('there is no AiiDA profile yet', 'Make one with `aiida-crystalgen init`') from exception


def _wait_for_sqlite() -> None:
    """Let SQLite wait for another writer: it gives up after 5 s, less than a busy machine takes to write a batch.

    A campaign whose statement failed cannot go on, because AiiDA's session to the database is lost with it.
    """
    import sqlite3

    from sqlalchemy import Engine, event

    def on_connect(connection: t.Any, _: t.Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f'PRAGMA busy_timeout = {BUSY}')

    event.listen(Engine, 'connect', on_connect)


def asked_profile() -> str | None:
    """Return the name given with `--profile`."""
    context = click.get_current_context(silent=True)
    return context.meta.get(PROFILE) if context else None


def load_campaign_node(identifier: str | None) -> orm.WorkChainNode:
    """Return a campaign by PK or UUID; without one the latest."""
    from aiida import orm

    from aiida_crystalgen.tools.queries import campaigns, is_campaign

    if identifier is None:
        latest = campaigns(limit=1)
        if not latest:
            raise CommandError('no campaign has been run in this profile', 'Run one: `aiida-crystalgen new quickstart`')
        return latest[0]
    node = load_any(identifier)
    if not isinstance(node, orm.WorkChainNode) or not is_campaign(node):
        remedy = 'List the campaigns with `aiida-crystalgen status --all`'
        raise CommandError(f'node {identifier} is no campaign but of the kind {kind_of(node)}', remedy)
    return node


def load_any(identifier: str) -> orm.Node:
    """Return a node by PK or UUID."""
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_node

    try:
        return load_node(identifier)
    except (NotExistent, ValueError) as exception:
        remedy = 'List the campaigns with `aiida-crystalgen status --all`'
        raise CommandError(f'this profile holds no node `{identifier}`', remedy) from exception


def kind_of(node: orm.Node) -> str:
    """Return what a node is, in the words of a user."""
    return str(getattr(node, 'process_label', None) or type(node).__name__)


def require_output(node: orm.WorkChainNode, label: str) -> orm.Data:
    """Return an output of a campaign; a sentence says why it is not there."""
    from aiida.common.links import LinkType

    links = node.base.links.get_outgoing(link_type=LinkType.RETURN, link_label_filter=label).all_nodes()
    if links:
        return t.cast('orm.Data', links[0])
    if not node.is_terminated:
        remedy = f'See how far it is with `aiida-crystalgen status {node.pk}`'
        raise CommandError(f'campaign {node.pk} has no {label} yet', remedy)
    raise CommandError(
        f'campaign {node.pk} ended without a {label} ({verdict_of(node)})',
        f'See why with `aiida-crystalgen status {node.pk}`, then run the campaign file again: finished jobs are reused',
    )


def verdict_of(node: orm.ProcessNode) -> str:
    """Return the end of a process in a few words."""
    if node.is_finished_ok:
        return 'finished'
    if node.is_finished:
        return f'exit code {node.exit_status}: {node.exit_message or "no message"}'
    state = node.process_state.value if node.process_state else 'created'
    return f'{state}: {first_line(node.exception)}' if node.is_excepted and node.exception else state


def first_line(text: str) -> str:
    """Return the first line of a text that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), '')


def print_table(headers: Sequence[str], rows: Iterable[Sequence[t.Any]], *, numeric: Iterable[str] = ()) -> None:
    """Print columns as wide as their content, numbers to the right; never cut in a pipe."""
    right = set(numeric)
    texts = [[as_text(value) for value in row] for row in rows]
    widths = [max([len(header), *(len(row[place]) for row in texts)]) for place, header in enumerate(headers)]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(headers, cells, widths, strict=True)
        return '  '.join(c.rjust(w) if h in right else c.ljust(w) for h, c, w in pairs).rstrip()

    click.secho(line(headers), bold=True)
    for row in texts:
        click.echo(line(row))


def as_text(value: t.Any) -> str:
    """Return a value as a table shows it: unknown as a dash, truth as yes and no, numbers to a thousandth."""
    if value is None:
        return '-'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{round(value, 3) + 0.0:.3f}' if abs(value) < LARGE else f'{value:.4g}'
    return str(value)


def plain(value: t.Any) -> str:
    """Return a value within a sentence: numbers with four digits, however small."""
    if isinstance(value, float):
        return f'{value:.4g}'
    return ' '.join(map(str, value)) if isinstance(value, list) else as_text(value)


def note(text: str) -> None:
    """Print a quiet hint."""
    click.secho(text, dim=True)
