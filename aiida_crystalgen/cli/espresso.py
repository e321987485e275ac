"""`init-qe`: the Code of pw.x and a family of pseudopotentials, from what is installed on this computer."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

CODE: t.Final = 'pw'
COMPUTER: t.Final = 'localhost'
PLUGIN: t.Final = 'quantumespresso.pw'


@click.command('init-qe')
@click.option('--pw', 'program', metavar='PATH', help='pw.x to be used; default: the one on the search path.')
@click.option(
    '--potentials',
    type=click.Path(path_type=Path),
    help="CP2K's file GTH_POTENTIALS; default: that of Debian's package cp2k-data.",
)
@click.option('--elements', metavar='SYMBOLS', help='Only these elements, as `Mg,Si`; default: all soft ones.')
@with_profile
def init_qe(program: str | None, potentials: Path | None, elements: str | None) -> None:
    """Set up Quantum ESPRESSO on this computer; what exists already is left alone.

    The Code `pw@localhost`, run without MPI, and the family `gth-pbe-soft`: PBE pseudopotentials of Goedecker, Teter
    and Hutter for elements that need a cut-off of 25 Ry only. For other elements, or for published work, install a
    family of your choice with `aiida-pseudo install`.
    """
    from aiida_crystalgen.tools.pseudos import DEBIAN, PseudosError, make_family

    code, is_new = _ensure_code(program)
    _say('Code', code.full_label, f'{code.filepath_executable}', is_new)
    chosen: dict[str, t.Any] = {'elements': [symbol.strip() for symbol in elements.split(',')]} if elements else {}
    try:
        family, is_new = make_family(potentials or DEBIAN, **chosen)
    except PseudosError as error:
        message, _, remedy = str(error).partition('; ')
        raise CommandError(message, remedy) from error
    _say('family', family.label, ', '.join(sorted(family.elements)), is_new)


def _say(what: str, name: str, detail: str, is_new: bool) -> None:
    click.echo(f'{what:<10}{name:<18}{detail}{"" if is_new else ", already there"}')


def _ensure_code(program: str | None) -> tuple[orm.InstalledCode, bool]:
    """Return the Code of pw.x on this computer, and whether it was made now."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return t.cast('orm.InstalledCode', orm.load_code(f'{CODE}@{COMPUTER}')), False
    except NotExistent:
        pass
    found = program or shutil.which('pw.x')
    if found is None or not Path(found).is_file():
        remedy = 'apt-get install quantum-espresso, or name it with `--pw PATH`'
        raise CommandError('there is no pw.x on this computer' if found is None else f'there is no `{found}`', remedy)
    try:
        computer = orm.load_computer(COMPUTER)
    except NotExistent as error:
        raise CommandError(f'there is no computer `{COMPUTER}` in this profile', 'make it with init') from error
    try:
        code = orm.InstalledCode(
            label=CODE,
            computer=computer,
            filepath_executable=str(Path(found).resolve()),
            default_calc_job_plugin=PLUGIN,
            with_mpi=False,
            # More threads than this make small crystals slower.
            prepend_text='export OMP_NUM_THREADS=1',
        )
        return code.store(), True
    except (ValueError, TypeError) as error:
        raise CommandError(f'the Code cannot be made ({error})', "pip install 'aiida-crystalgen[qe]'") from error
