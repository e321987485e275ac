"""Tests of the command group: quick, complete, and never a traceback."""

import subprocess
import sys

import click
import pytest

from aiida_crystalgen.cli.errors import explain
from aiida_crystalgen.cli.root import COMMANDS, crystalgen

HEAVY = ('aiida.orm', 'aiida.engine', 'numpy', 'pymatgen', 'torch', 'pydantic', 'rich', 'jinja2')


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_exists(name):
    """Each name of the table leads to a command with a help that starts with the one-line help's verb."""
    command = crystalgen.get_command(click.Context(crystalgen), name)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


@pytest.mark.parametrize('name', COMMANDS)
def test_help_of_a_command(call, name):
    """Every command explains itself."""
    assert 'Usage:' in call(name, '--help').output


def test_help_imports_nothing_heavy():
    """The list of commands is shown without AiiDA's database, numpy or torch."""
    code = f"""
import sys
from aiida_crystalgen.cli import crystalgen
try:
    crystalgen(['--help'])
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


def test_same_commands_under_verdi():
    """`verdi data crystalgen` is the same group."""
    from aiida.plugins.entry_point import load_entry_point

    assert load_entry_point('aiida.cmdline.data', 'crystalgen') is crystalgen


def test_unknown_command_is_named(call):
    """A misspelt command is an error of usage."""
    assert 'No such command' in call('rnu', code=2).output


@pytest.mark.parametrize(
    ('exception', 'text'),
    [
        (FileNotFoundError(2, 'No such file', 'x.yaml'), '`x.yaml` does not exist. Check the path.'),
        (ValueError('this is wrong'), 'this is wrong.'),
        (ZeroDivisionError('division by zero'), 'unexpected ZeroDivisionError: division by zero. See where'),
        (RuntimeError('two\nlines'), 'unexpected RuntimeError: two lines.'),
    ],
)
def test_any_exception_becomes_a_sentence(exception, text):
    """Whatever is raised is explained in one line."""
    message = explain(exception, program='aiida-crystalgen').format_message()
    assert message.startswith(text)
    assert '\n' not in message


def test_debug_shows_the_traceback(monkeypatch):
    """With `--debug` the exception itself comes through."""

    @click.command('new')
    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr('aiida_crystalgen.cli.new.new', broken)
    with pytest.raises(ZeroDivisionError):
        crystalgen(['--debug', 'new'], standalone_mode=False)
    with pytest.raises(click.ClickException, match='unexpected ZeroDivisionError'):
        crystalgen(['new'], standalone_mode=False)
