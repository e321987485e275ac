"""`check-code`: what a Code can run, asked on its own computer."""

from __future__ import annotations

import typing as t

import click

from aiida_crystalgen.cli.common import print_table, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

SCIENCE: t.Final = 'screens'


@click.command('check-code')
@click.argument('code')
@click.option('--generator', multiple=True, help='Ask only for this generator (may be repeated).')
@click.option('--potential', multiple=True, help='Ask only for this potential (may be repeated).')
@click.option('--engine', multiple=True, help='Ask only for this DFT engine (may be repeated).')
@with_profile
def check_code(code: str, generator: tuple[str, ...], potential: tuple[str, ...], engine: tuple[str, ...]) -> None:
    """Ask CODE (`label@computer`) which adapters it can run, and with which versions.

    Named adapters must all run; without names everything registered is tried, and of a Code of the plugin of a DFT
    engine that engine alone.
    """
    node = code_of(code)
    named = bool(generator or potential or engine)
    rows = answers(node, chosen(generator, potential, engine if named else engines_of(node)))
    print_table(('kind', 'name', 'runs', 'versions, or why not'), rows)
    failed = [f'{kind} `{name}`' for kind, name, runs, _ in rows if not runs]
    if failed and (named or len(failed) == len(rows)):
        raise CommandError(f'Code `{code}` does not run {", ".join(failed)}', 'The last column says what to install')


def code_of(label: str) -> orm.AbstractCode:
    """Return a Code by `label@computer`."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_code(label)
    except NotExistent as exception:
        remedy = 'See `verdi code list`, or make `python@localhost` with `aiida-crystalgen init`'
        raise CommandError(f'there is no Code `{label}` in this profile', remedy) from exception


def engines_of(code: orm.AbstractCode) -> tuple[str, ...]:
    """Return the DFT engines that run through the plugin of a Code."""
    from aiida_crystalgen.workflows import engines

    plugin = code.default_calc_job_plugin
    return tuple(name for name in engines.names() if plugin and engines.about(name).get('plugin') == plugin)


def chosen(
    generators: tuple[str, ...] = (), potentials: tuple[str, ...] = (), engines: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """Return (kind, name) of what was named, or of everything registered but engines and the screens."""
    from aiida_crystalgen import bundles

    if generators or potentials or engines:
        named = {'generator': generators, 'potential': potentials, 'engine': engines}
        return [(kind, name) for kind, names in named.items() for name in names]
    pairs = [(kind, name) for kind in ('generator', 'potential') for name in bundles.names(kind)]
    return [*pairs, (SCIENCE, 'criteria')]


def answers(code: orm.AbstractCode, pairs: list[tuple[str, str]]) -> list[tuple[str, str, bool, str]]:
    """Return (kind, name, whether it runs, versions or the reason) of each adapter on the Code."""
    from aiida_crystalgen import bundles
    from aiida_crystalgen.workflows import engines
    from aiida_crystalgen.workflows.environment import ToolError, tool_versions

    rows = []
    for kind, name in pairs:
        try:
            if kind == engines.KIND:
                rows.append((kind, name, True, engines.load(name).answer(code)))
                continue
            content = bundles.science_bundle() if kind == SCIENCE else bundles.adapter_bundle(kind, name)
            versions = tool_versions(code, content)
        except (ToolError, bundles.AdapterError, engines.EngineError) as problem:
            rows.append((kind, name, False, str(problem)))
        else:
            listed = ', '.join(f'{tool} {version}' for tool, version in sorted(versions.items()))
            rows.append((kind, name, True, listed))
    return rows
