"""A group of commands that are imported when they are run, so that help is instant."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from importlib import import_module

import click

from aiida_crystalgen.cli.errors import explain

# Command -> (module in this folder, function, one-line help).
Commands = Mapping[str, tuple[str, str, str]]


@t.final
class LazyGroup(click.Group):
    """A group that knows names and helps beforehand.

    :param sections: the commands under the headings of the help, in reading order.
    """

    def __init__(self, *args: t.Any, sections: Mapping[str, Commands], **kwargs: t.Any) -> None:
        """Make a group of the commands in some sections."""
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in reading order."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.entries:
            return None
        module, function, _ = self.entries[cmd_name]
        command = getattr(import_module(f'{__package__}.{module}'), function)
        return t.cast(click.Command, command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the helps from the table, without importing any command."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(f'{name:<10}', text) for name, (_, _, text) in commands.items()])

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run a command; whatever fails becomes one sentence, unless the traceback was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as exception:
            root = ctx.find_root()
            if root.params.get('debug') or ctx.params.get('debug'):
                raise
            raise explain(exception, program=ctx.command_path) from exception
