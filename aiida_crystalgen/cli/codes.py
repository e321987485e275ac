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
@with_profile
def check_code(code: str, generator: tuple[str, ...], potential: tuple[str, ...]) -> None:
    """Ask CODE (`label@computer`) which adapters it can run, and with which versions.

    Named adapters must all run; without names everything registered is tried.
    """
    rows = answers(code_of(code), chosen(generator, potential))
    print_table(('kind', 'name', 'runs', 'versions, or why not'), rows)
    failed = [f'{kind} `{name}`' for kind, name, runs, _ in rows if not runs]
    if failed and (generator or potential or len(failed) == len(rows)):
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


def chosen(generators: tuple[str, ...] = (), potentials: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return (kind, name) of what was named, or of everything registered and the screens."""
    from aiida_crystalgen import bundles

    if generators or potentials:
        return [*(('generator', name) for name in generators), *(('potential', name) for name in potentials)]
    pairs = [(kind, name) for kind in ('generator', 'potential') for name in bundles.names(kind)]
    return [*pairs, (SCIENCE, 'criteria')]


def answers(code: orm.AbstractCode, pairs: list[tuple[str, str]]) -> list[tuple[str, str, bool, str]]:
    """Return (kind, name, whether it runs, versions or the reason) of each adapter on the Code."""
    from aiida_crystalgen import bundles
    from aiida_crystalgen.workflows.environment import ToolError, tool_versions

    rows = []
    for kind, name in pairs:
        try:
            content = bundles.science_bundle() if kind == SCIENCE else bundles.adapter_bundle(kind, name)
            versions = tool_versions(code, content)
        except (ToolError, bundles.AdapterError) as problem:
            rows.append((kind, name, False, str(problem)))
        else:
            listed = ', '.join(f'{tool} {version}' for tool, version in sorted(versions.items()))
            rows.append((kind, name, True, listed))
    return rows
