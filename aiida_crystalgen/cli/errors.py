"""Every failure on the command line is one sentence that says what is wrong and one that says what to do."""

from __future__ import annotations

import typing as t

import click


class CommandError(click.ClickException):
    """A failure with its remedy; exit code 1."""

    def __init__(self, what: str, remedy: str = '') -> None:
        super().__init__(' '.join(_sentence(part) for part in (what, remedy) if part.strip()))

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        """Print the sentence to standard error."""
        click.secho('Error: ', fg='red', bold=True, nl=False, err=file is None, file=file)
        click.echo(self.format_message(), err=file is None, file=file)


def explain(exception: Exception, *, program: str) -> CommandError:
    """Turn any exception into a sentence with a remedy; those of this package carry theirs already."""
    text = ' '.join(str(exception).split()) or type(exception).__name__
    home = type(exception).__module__.partition('.')[0]
    name = type(exception).__name__
    if isinstance(exception, FileNotFoundError):
        return CommandError(f'`{exception.filename or text}` does not exist', 'Check the path')
    if isinstance(exception, PermissionError):
        return CommandError(f'`{exception.filename or text}` cannot be read or written', 'Check its permissions')
    if name in _REMEDIES:
        return CommandError(text, _REMEDIES[name])
    if home == 'aiida_crystalgen' or type(exception) in {ValueError, TypeError}:
        return CommandError(text)
    return CommandError(
        f'unexpected {name}: {text}',
        f'See where it comes from with `{program} --debug ...`, and report it if it is not your input',
    )


_REMEDIES: t.Final = {
    'ExportValidationError': 'An archive needs a campaign that has ended: see `aiida-crystalgen status`',
    'NotExistent': 'Look at what there is with `aiida-crystalgen status` or `verdi process list -a`',
    'ProfileConfigurationError': 'See the profiles with `verdi profile list`, or make one with `aiida-crystalgen init`',
    'MissingConfigurationError': 'Make a profile with `aiida-crystalgen init`',
    'LockedProfileError': 'Another program has locked the profile: wait for it to end',
    'LockingProfileError': 'Other programs use this profile: close them first',
    'IncompatibleStorageSchema': 'Stop the daemon with `verdi daemon stop`, then run `verdi storage migrate`',
    'CorruptStorage': 'Look at `verdi storage info`, and restore a backup',
    'OperationalError': 'The database did not answer: if it is locked, wait and run again; else see `verdi status`',
    'ModuleNotFoundError': 'Install it into this Python, or see what is missing with `aiida-crystalgen doctor`',
}


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith(('.', '!', '?', ':')) else f'{text}.'
