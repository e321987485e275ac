"""`init`: profile, computer, Code and caching; adds only what is missing."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import asked_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm
    from aiida.manage.configuration import Profile
    from aiida.manage.configuration.config import Config

PROFILE_NAME: t.Final = 'crystalgen'
COMPUTER: t.Final = 'localhost'
CODE: t.Final = 'python'
CACHED: t.Final = 'aiida.calculations:crystalgen.*'
NEW_DATABASE: t.Final = (
    "CREATE DATABASE \"{}\" OWNER \"{}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
)
POLL_INTERVAL: t.Final = 0.5  # s between two looks at a running job on this computer
DAEMON_TIMEOUT: t.Final = 20  # s; the default of 2 s reports failures on a busy machine


@click.command()
@click.option(
    '--broker',
    type=click.Choice(['core.zeromq', 'core.rabbitmq', 'none']),
    default='core.zeromq',
    show_default=True,
    help='Message broker of a new profile; a RabbitMQ that happens to run is used only if named here.',
)
@click.option('--postgres', is_flag=True, help='Keep a new profile in PostgreSQL instead of SQLite.')
@click.option('--postgres-host', default='localhost', show_default=True)
@click.option('--postgres-port', type=int, default=5432, show_default=True)
@click.option('--postgres-user', default='postgres', show_default=True, help='A user who may create databases.')
@click.option('--postgres-password', envvar='PGPASSWORD', help='Its password (or the variable PGPASSWORD).')
@click.option('--this-python', is_flag=True, help='Let `python@localhost` be this Python, whatever it was before.')
def init(broker: str, postgres: bool, this_python: bool, **server: t.Any) -> None:
    """Set up all that a campaign on this computer needs; what exists already is left alone.

    A profile (SQLite and the ZeroMQ broker, no service to install), the computer `localhost`, the Code
    `python@localhost` for this very Python, and caching, so that running a campaign file again resumes it.
    """
    from aiida.manage.configuration import get_config

    config = get_config(create=True)
    profile = _existing_profile(config)
    if profile is None:
        profile = _create_profile(config, asked_profile() or PROFILE_NAME, broker, server if postgres else None)
    else:
        _say('profile', profile.name, f'{_services(profile)}, already there')
    from aiida import load_profile

    load_profile(profile.name, allow_switch=True)
    _set_options(config, profile)
    computer = _ensure_computer(config, profile)
    _ensure_code(computer, replace=this_python)
    click.echo('\nNext: aiida-crystalgen new quickstart, then aiida-crystalgen run quickstart/campaign.yaml')


def _say(what: str, name: str, detail: str) -> None:
    click.echo(f'{what:<10}{name:<18}{detail}')


def _existing_profile(config: Config) -> Profile | None:
    name = asked_profile()
    if name is None and config.profile_names:
        name = config.default_profile_name or config.profile_names[0]
    return config.get_profile(name) if name in config.profile_names else None


def _services(profile: Profile) -> str:
    storage = profile.storage_backend.removeprefix('core.')
    broker = (profile.process_control_backend or 'no broker').removeprefix('core.')
    return f'{storage} + {broker}'


def _create_profile(config: Config, name: str, broker: str, server: dict[str, t.Any] | None) -> Profile:
    """Create a profile with the named services, and only those."""
    import logging

    from aiida.manage.configuration import create_profile
    from aiida.plugins import BrokerFactory

    backend = None if broker == 'none' else broker
    broker_config = None
    if broker == 'core.zeromq':
        broker_config = BrokerFactory(broker).get_default_config()
    elif broker == 'core.rabbitmq':
        broker_config = _rabbitmq()
    logging.getLogger('aiida').setLevel(logging.WARNING)  # its own messages about an empty database
    profile = create_profile(
        config,
        name=name,
        email='aiida@localhost',
        storage_backend='core.psql_dos' if server is not None else 'core.sqlite_dos',
        storage_config=_postgres(name, config, server) if server is not None else {},
        broker_backend=backend,
        broker_config=broker_config,
    )
    config.set_option('runner.poll.interval', 1, scope=name)
    if config.default_profile_name in {None, name}:
        config.set_default_profile(name, overwrite=True)
    config.store()
    _say('profile', name, f'{_services(profile)}, created in {config.dirpath}')
    return profile


def _rabbitmq() -> dict[str, t.Any]:
    from aiida.brokers.rabbitmq.defaults import detect_rabbitmq_config

    try:
        return dict(detect_rabbitmq_config())
    except ConnectionError as exception:
        remedy = 'Start it, or leave `--broker` out: the ZeroMQ broker needs no service'
        raise CommandError('no RabbitMQ server answers at localhost:5672', remedy) from exception


def _postgres(name: str, config: Config, server: dict[str, t.Any]) -> dict[str, t.Any]:
    """Make a database and a user of the profile's own."""
    import secrets

    from aiida.manage.external.postgres import Postgres

    access = {key.removeprefix('postgres_'): value for key, value in server.items()}
    host, port = access['host'], access['port']
    postgres = Postgres(interactive=False, quiet=True, dbinfo=access)
    remedy = 'Check it with `psql`, or leave `--postgres` out: SQLite needs no service'
    if not postgres.is_connected:
        raise CommandError(f'no PostgreSQL server lets `{access["user"]}` in at {host}:{port}', remedy)
    password = secrets.token_hex(16)
    try:
        user = postgres.find_new_dbuser(f'aiida-{name}')
        database = postgres.find_new_db(f'aiida-{name}')
        postgres.create_dbuser(dbuser=user, dbpass=password)
        # AiiDA's own call asks for the locale en_US.UTF-8, which many servers do not have.
        postgres.execute(NEW_DATABASE.format(database, user))
    except Exception as exception:  # whatever the server's driver raises
        raise CommandError(f'PostgreSQL at {host}:{port} refuses a new database: {exception}', remedy) from exception
    return {
        'database_hostname': host,
        'database_port': port,
        'database_name': database,
        'database_username': user,
        'database_password': password,
        'repository_uri': (Path(config.dirpath) / 'repository' / name).as_uri(),
    }


def _set_options(config: Config, profile: Profile) -> None:
    """Turn caching on for the jobs of this package, for the daemon too, and give the daemon time to answer."""
    enabled = list(config.get_option('caching.enabled_for', scope=profile.name) or [])
    new = CACHED not in enabled
    if new:
        config.set_option('caching.enabled_for', [*enabled, CACHED], scope=profile.name)
    if (config.get_option('daemon.timeout', scope=profile.name) or 0) < DAEMON_TIMEOUT:
        config.set_option('daemon.timeout', DAEMON_TIMEOUT, scope=profile.name)
        new = True
    if new:
        config.store()
    _say('caching', 'crystalgen.*', 'turned on: run a campaign again to resume it' if new else 'already on')


def _ensure_computer(config: Config, profile: Profile) -> orm.Computer:
    """Return the computer `localhost`, made and configured if needed."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        computer = orm.load_computer(COMPUTER)
    except NotExistent:
        computer = orm.Computer(
            label=COMPUTER,
            hostname='localhost',
            description='This computer, set up by `aiida-crystalgen init`',
            transport_type='core.local',
            scheduler_type='core.direct',
            workdir=str(Path(config.dirpath) / 'scratch' / profile.name),
        )
        computer.set_use_double_quotes(False)
        computer.set_default_mpiprocs_per_machine(1)
        computer.store()
        detail = 'created'
    else:
        detail = 'already there'
    if not computer.is_configured:
        computer.configure(safe_interval=0)
        computer.set_minimum_job_poll_interval(POLL_INTERVAL)
        detail = 'created' if detail == 'created' else 'configured'
    transport, scheduler = (name.removeprefix('core.') for name in (computer.transport_type, computer.scheduler_type))
    _say('computer', COMPUTER, f'{transport} transport, {scheduler} scheduler, {detail}')
    return computer


def _ensure_code(computer: orm.Computer, *, replace: bool) -> None:
    """Make `python@localhost` this Python, unless it is another one that still works."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    full, here = f'{CODE}@{computer.label}', sys.executable
    try:
        code = orm.load_code(full)
    except NotExistent:
        code = None
    if code is not None:
        there = str(getattr(code, 'filepath_executable', ''))
        if there == here:
            _say('code', full, f'{here}, already there')
            return
        if Path(there).exists() and not replace:
            _say('code', full, f'{there}, already there (this Python: `aiida-crystalgen init --this-python`)')
            return
        code.label = f'{CODE}-{code.pk}'
        _say('code', code.full_label, f'renamed: it was {full} and ran {there}')
    orm.InstalledCode(
        computer=computer, filepath_executable=here, label=CODE, with_mpi=False,
        description='The Python of `aiida-crystalgen init`',
    ).store()  # fmt: skip
    _say('code', full, f'{here}, created')
