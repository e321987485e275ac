"""`doctor`: is this machine fit for campaigns?"""

from __future__ import annotations

import shutil
import typing as t
from collections.abc import Iterator

import click

from aiida_crystalgen.cli.common import with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida.manage.configuration import Profile

Finding = tuple[str, str, str]  # verdict (good, hint, bad), what was looked at, what was found and what to do
COLOURS: t.Final = {'good': 'green', 'hint': 'yellow', 'bad': 'red'}
DAEMON_TIMEOUT: t.Final = 20  # s
MANY_WORKERS: t.Final = 4
LITTLE_DISK: t.Final = 2.0  # GB


@click.command()
@with_profile
def doctor() -> None:
    """Check profile, broker, daemon, caching, Codes, GPU and disk; every finding says what to do."""
    from aiida import get_profile

    profile = get_profile()
    if profile is None:
        raise CommandError('there is no AiiDA profile yet', 'Make one with `aiida-crystalgen init`')
    n_bad = 0
    for check in (_services, _daemon, _caching, _computer_and_code, _gpu, _disk):
        for verdict, what, text in check(profile):
            click.secho(f'{verdict:<5}', fg=COLOURS[verdict], nl=False)
            click.echo(f' {what:<9} {text}')
            n_bad += verdict == 'bad'
    if n_bad:
        raise CommandError(f'{n_bad} of these must be mended before a campaign can run', 'The lines say how')


def _services(profile: Profile) -> Iterator[Finding]:
    broker = profile.process_control_backend
    yield 'good', 'profile', f'{profile.name}: {profile.storage_backend} and {broker or "no broker"}'
    if broker is None:
        yield 'hint', 'broker', 'none: `run` works, `launch` does not; `verdi profile configure-broker core.zeromq`'
    elif broker == 'core.rabbitmq':
        yield (
            'hint',
            'broker',
            (
                'RabbitMQ 3.8.15 and newer hands a long process out twice unless `consumer_timeout` is `undefined` in '
                'its configuration; ask with `rabbitmqctl eval "application:get_env(rabbit, consumer_timeout)."`'
            ),
        )
        if profile.storage_backend == 'core.sqlite_dos':
            yield 'hint', 'storage', 'SQLite with RabbitMQ suits few processes only: `aiida-crystalgen init --postgres`'
    else:
        yield 'good', 'broker', 'needs no service; if it is ever killed: `verdi daemon stop; verdi process repair`'


def _daemon(profile: Profile) -> Iterator[Finding]:
    from aiida.engine.daemon.client import DaemonException, get_daemon_client
    from aiida.manage.configuration import get_config_option

    timeout = get_config_option('daemon.timeout')
    if timeout < DAEMON_TIMEOUT:
        yield 'hint', 'daemon', f'it has only {timeout} s to answer: `verdi config set daemon.timeout {DAEMON_TIMEOUT}`'
    if profile.process_control_backend is None:
        return
    client = get_daemon_client()
    if not client.is_daemon_running:
        yield 'good', 'daemon', 'not running, which `run` does not need; for `launch`: `verdi daemon start 2`'
        return
    try:
        workers = len(client.get_worker_info()['info'])
    except (DaemonException, KeyError, TypeError):
        yield 'hint', 'daemon', 'it runs but does not answer in time: `verdi daemon restart`'
        return
    if profile.storage_backend == 'core.sqlite_dos' and workers > MANY_WORKERS:
        yield 'hint', 'daemon', f'{workers} workers on SQLite wait for each other: use {MANY_WORKERS}, or PostgreSQL'
    else:
        yield 'good', 'daemon', f'running with {workers} worker{"s" if workers != 1 else ""}'


def _caching(_: Profile) -> Iterator[Finding]:
    from aiida.manage.caching import get_use_cache

    if get_use_cache(identifier='aiida.calculations:crystalgen.relax'):
        yield 'good', 'caching', 'on: a campaign that is run again reuses finished jobs'
    else:
        yield 'hint', 'caching', 'off for the daemon: `aiida-crystalgen init` turns it on, so that `launch` can resume'


def _computer_and_code(_: Profile) -> Iterator[Finding]:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_crystalgen.cli.codes import answers, chosen
    from aiida_crystalgen.cli.setup import CODE, COMPUTER

    label = f'{CODE}@{COMPUTER}'
    try:
        code = orm.load_code(label)
    except NotExistent:
        yield 'bad', 'code', f'there is no Code `{label}`: aiida-crystalgen init'
        return
    runs = 0
    for kind, name, works, text in answers(code, chosen()):
        runs += works
        yield ('good' if works else 'hint'), 'code', f'{kind} {name}: {text}'
    if not runs:
        yield 'bad', 'code', f'`{label}` runs nothing at all: aiida-crystalgen init --this-python'


def _gpu(_: Profile) -> Iterator[Finding]:
    """Ask torch in another process: it is slow to import, and CUDA must not be started here."""
    import subprocess
    import sys

    question = 'import torch; n = torch.cuda.device_count(); print(n, torch.cuda.get_device_name(0) if n else "")'
    try:
        command = [sys.executable, '-c', question]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    except (subprocess.SubprocessError, OSError):
        yield 'good', 'gpu', 'torch is not in this Python, so none was looked for'
        return
    number, _sep, name = answer.stdout.strip().partition(' ')
    if number.isdigit() and int(number):
        yield 'good', 'gpu', f'{number} x {name}: use it with `resources: {{device: cuda}}`'
    else:
        yield 'good', 'gpu', 'none that torch can use: campaigns run on the CPU'


def _disk(_: Profile) -> Iterator[Finding]:
    from aiida.manage.configuration import get_config

    dirpath = get_config().dirpath
    free = shutil.disk_usage(dirpath).free / 1e9
    verdict = 'good' if free > LITTLE_DISK else 'hint'
    yield verdict, 'disk', f'{free:.0f} GB free beside {dirpath}' + ('' if verdict == 'good' else ': make room')
