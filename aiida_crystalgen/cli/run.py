"""`run`: a campaign in this very process, with live progress."""

from __future__ import annotations

import contextlib
import logging
import signal
import typing as t
from collections.abc import Iterator
from pathlib import Path

import click

from aiida_crystalgen.cli.common import note, verdict_of, with_profile
from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.files import FILE, make_builder, read_campaign

if t.TYPE_CHECKING:
    from aiida import orm
    from aiida.engine import ProcessBuilder
    from aiida.engine.runners import Runner

    from aiida_crystalgen.cli.live import Display

JOBS: t.Final = 'aiida.calculations:crystalgen.*'
POLL: t.Final = 0.2  # s between two looks at children, which run in the same process
TICK: t.Final = 1.0  # s between two updates of the display
HEAD: t.Final = 10  # rows of the table printed at the end


@click.command()
@FILE
@click.option('--fresh', is_flag=True, help='Compute everything again instead of reusing finished jobs.')
@click.option('--report', type=click.Path(path_type=Path, dir_okay=False), help='Write the HTML page here when done.')
@click.option(
    '--dossiers',
    type=click.Path(path_type=Path, file_okay=False),
    help='With `--report`: write a dossier of each crystal on the short list into this folder.',
)
@with_profile
def run(file: Path, fresh: bool, report: Path | None, dossiers: Path | None) -> None:
    """Run the campaign in FILE here and now, and show its table.

    Nothing is written but the AiiDA database (and the page of `--report`). Run the same file again to resume it after
    an interruption, or after a change: jobs that are finished are reused, unless `--fresh` is given.
    """
    from aiida_crystalgen.tools.stopping import close_abandoned

    if dossiers is not None and report is None:
        raise CommandError('`--dossiers` belongs to `--report`', 'Add `--report report.html`')
    spec = read_campaign(file)
    for pk in close_abandoned():
        note(f'campaign {pk} was interrupted earlier: its jobs were stopped; what it finished is reused')
    node = _run_here(make_builder(spec, file, fresh=fresh), file, fresh=fresh)
    if not node.is_finished_ok:
        raise CommandError(
            f'campaign {node.pk} ended early, {verdict_of(node)}',
            f'See which step failed with `aiida-crystalgen status {node.pk}`; run the file again to go on',
        )
    show_result(node, file)
    if report is not None:
        from aiida_crystalgen.cli.share import write_pages

        write_pages(node, report, dossiers)


def show_result(node: orm.WorkChainNode, file: Path) -> None:
    """Print the funnel, the head of the table, and what to do next."""
    from aiida_crystalgen.cli.look import print_funnel, print_ranked
    from aiida_crystalgen.cli.prediction import print_prediction

    click.echo()
    print_funnel(node)
    if 'prediction' in node.outputs:
        click.echo()
        print_prediction(node)
    click.echo()
    print_ranked(node, limit=HEAD)
    click.echo(f'\nCampaign {node.pk}. Next:')
    for command, text in (
        (f'report {node.pk} --dossiers dossiers', 'a page with funnel, table and hull, and one a crystal'),
        (f'trace ID --campaign {node.pk}', "a crystal's way, step by step"),
        (f'rejected {node.pk}', 'what was rejected, and why'),
        (f'export {node.pk} --format cif -o crystals', 'the crystals as files'),
        (f'run {file}', 'after a change: only what depends on it is computed'),
    ):
        click.echo(f'  aiida-crystalgen {command:<40} {text}')


def _run_here(builder: ProcessBuilder, file: Path, *, fresh: bool) -> orm.WorkChainNode:
    """Run the campaign on an event loop of this process and return its node."""
    from aiida.manage.caching import disable_caching, enable_caching

    from aiida_crystalgen.cli.live import display
    from aiida_crystalgen.tools.stopping import close, mark_runner

    runner = _make_runner()
    process = runner.instantiate_process(builder)
    node = t.cast('orm.WorkChainNode', process.node)
    mark_runner(node)
    click.echo(f'Campaign {node.pk}: {node.label or file.stem}')
    shown = display()
    caching = disable_caching if fresh else enable_caching
    received = _listen(runner)
    try:
        with caching(identifier=JOBS), _quiet_console(), _ticking(runner, node, shown):
            runner.run_get_node(process)
    except BaseException as exception:
        shown.close()
        close(node)
        if not received and not isinstance(exception, KeyboardInterrupt):
            raise
        # What is left on the loop dies with this program; its last words would bury the sentence.
        logging.getLogger('asyncio').setLevel(logging.CRITICAL + 1)
        remedy = f'Go on with `aiida-crystalgen run {file}`: finished jobs are reused'
        raise CommandError(f'campaign {node.pk} was interrupted and its jobs were stopped', remedy) from exception
    return node


def _make_runner() -> Runner:
    """Return a runner that needs no broker, so that no daemon has to run."""
    from aiida.manage import get_manager

    manager = get_manager()
    manager.reset_runner()
    return manager.get_runner(communicator=None, poll_interval=POLL)


def _listen(runner: Runner) -> list[int]:
    """Stop the loop between two of its steps when a signal comes, and return the list that signals are added to.

    AiiDA's own handler speaks to the database in the middle of whatever is going on, which can block it for good.
    """
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        runner.loop.stop()

    def install() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            runner.loop.add_signal_handler(number, stop, number)

    runner.loop.call_soon(install)
    return received


@contextlib.contextmanager
def _ticking(runner: Runner, node: orm.WorkChainNode, shown: Display) -> Iterator[None]:
    """Update the display from the runner's own loop: one thread, one database session."""
    from aiida_crystalgen.tools.progress import progress_of

    handle = None

    def tick() -> None:
        nonlocal handle
        handle = runner.loop.call_later(TICK, tick)
        shown.update(progress_of(node))

    handle = runner.loop.call_later(TICK, tick)
    try:
        yield
        shown.update(progress_of(node))
    finally:
        handle.cancel()
        shown.close()


@contextlib.contextmanager
def _quiet_console() -> Iterator[None]:
    """Keep the reports of processes off the screen; they are in the database all the same."""
    handlers = [h for name in ('aiida', 'plumpy', '') for h in logging.getLogger(name).handlers]
    streams = [handler for handler in handlers if isinstance(handler, logging.StreamHandler)]
    levels = [handler.level for handler in streams]
    for handler in streams:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(streams, levels, strict=True):
            handler.setLevel(level)
