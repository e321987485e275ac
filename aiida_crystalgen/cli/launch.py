"""`launch` and `kill`: campaigns through the daemon."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import load_campaign_node, note, verdict_of, with_profile
from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.files import FILE, make_builder, read_campaign

if t.TYPE_CHECKING:
    from aiida import orm

KILL_TIMEOUT: t.Final = 30.0  # s to wait for a worker's answer


@click.command()
@FILE
@click.option('--fresh', is_flag=True, help='Compute everything again instead of reusing finished jobs.')
@with_profile
def launch(file: Path, fresh: bool) -> None:
    """Hand the campaign in FILE to the daemon and return at once."""
    from aiida.engine import submit

    spec = read_campaign(file)
    _require_daemon()
    _hint_at_caching()
    node = submit(make_builder(spec, file, fresh=fresh))
    click.echo(f'Campaign {node.pk}: {node.label or file.stem}, handed to the daemon')
    click.echo(f'Next: aiida-crystalgen status {node.pk}')


@click.command()
@click.argument('campaign', metavar='PK')
@with_profile
def kill(campaign: str) -> None:
    """Stop the campaign PK and its jobs; launching the file again goes on from what is finished."""
    from aiida_crystalgen.tools.stopping import close, is_abandoned, runner_pid

    node = load_campaign_node(campaign)
    if node.is_terminated:
        raise CommandError(f'campaign {node.pk} has ended already ({verdict_of(node)})')
    pid = runner_pid(node)
    if pid is not None:
        import os
        import signal

        os.kill(pid, signal.SIGINT)
        click.echo(f'Campaign {node.pk} runs in the program {pid}, which was asked to stop')
    elif is_abandoned(node):
        close(node)
        click.echo(f'Campaign {node.pk} was left behind by a program that is gone; its jobs were stopped')
    else:
        _kill_through_daemon(node)


def _kill_through_daemon(node: orm.WorkChainNode) -> None:
    import logging
    import time

    from aiida.engine.processes.control import kill_processes

    _require_daemon()
    logging.getLogger('aiida.process_control').setLevel(logging.CRITICAL)  # what counts is the state of the campaign
    deadline = time.monotonic() + KILL_TIMEOUT
    kill_processes([node], msg_text='Killed by `aiida-crystalgen kill`', timeout=KILL_TIMEOUT)
    while not node.is_terminated and time.monotonic() < deadline:
        time.sleep(1)
    if not node.is_terminated:
        remedy = 'If it stays so: `verdi daemon stop; verdi process repair; verdi daemon start`'
        raise CommandError(f'campaign {node.pk} has not stopped within {KILL_TIMEOUT:.0f} s', remedy)
    click.echo(f'Campaign {node.pk} was killed')


def _require_daemon() -> None:
    from aiida import get_profile
    from aiida.engine.daemon.client import get_daemon_client

    profile = get_profile()
    if profile is None or profile.process_control_backend is None:
        raise CommandError('this profile has no broker, so it has no daemon', 'Use `aiida-crystalgen run` instead')
    if not get_daemon_client().is_daemon_running:
        raise CommandError(
            'the daemon does not run', 'Start it with `verdi daemon start 2`, or use `aiida-crystalgen run` instead'
        )


def _hint_at_caching() -> None:
    from aiida.manage.configuration import get_config_option

    if not get_config_option('caching.default_enabled') and not any(
        'crystalgen' in pattern for pattern in get_config_option('caching.enabled_for')
    ):
        note('Caching is off, so finished jobs will not be reused: turn it on with `aiida-crystalgen init`')
