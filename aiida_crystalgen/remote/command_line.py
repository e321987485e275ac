"""One run of a command of any tool in a folder of its own: its program, its time, and the files that it wrote."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import types
import typing as t
from pathlib import Path

# Files that are named when nothing fits the pattern.
MOST_NAMES = 5
# What a shell or `subprocess` says of a process that was killed.
KILLED = (' -9:', ' 137:')

Settings = t.Mapping[str, t.Any]


class TooSlowError(Exception):
    """A command that took longer than it may, while the job still has time."""


def execute(settings: Settings, command: t.Sequence[str], output: str, seed: int, deadline: float | None) -> str:
    """Run a command and return what it printed; programs beside the Python of the Code are found first.

    :param settings: parameters of the generator `command`, and the folder `home`.
    :param deadline: of the job, by the monotonic clock.
    :raises TooSlowError: after `timeout`.
    :raises TimeoutError: when the time of the job ran out.
    :raises RuntimeError: with one sentence, where it cannot be started or fails.
    """
    import tools  # type: ignore[import-not-found]

    timeout = settings['timeout']
    ends = [end for end in (deadline, None if timeout is None else time.monotonic() + timeout) if end is not None]
    limited = types.SimpleNamespace(deadline=min(ends, default=None))
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get('PATH', os.defpath)])
    env = {'PATH': path, **{name: str(value) for name, value in settings['environment'].items()}}
    cwd = settings['home'] if settings['folder'] == 'home' else output
    program = _program(command[0], cwd, env['PATH'])
    try:
        if settings['seed_python']:
            script, *arguments = _script([program, *command[1:]], cwd)
            return str(tools.run_script(script, arguments, seed=seed, cwd=cwd, env=env, job=limited))
        return str(tools.run_command([program, *command[1:]], cwd=cwd, env=env, job=limited))
    except TimeoutError as error:
        if timeout is None or (deadline is not None and time.monotonic() >= deadline):
            raise
        raise TooSlowError(str(error)) from None
    except RuntimeError as error:
        if any(code in str(error) for code in KILLED):
            raise RuntimeError(f'{error} (it was killed, as happens when a machine is out of memory)') from None
        raise


def _program(name: str, cwd: str, path: str) -> str:
    """Return where a program lies: beside the Python of the Code, on the PATH, or where a path with folders leads."""
    found = shutil.which(os.path.join(cwd, name) if os.path.dirname(name) else name, path=path)
    if found is None:
        where = 'neither beside the Python of the Code nor on its PATH: install it there, or write its whole path'
        raise RuntimeError(f'the program `{name}` was not found, {where}')
    return found


def _script(command: t.Sequence[str], cwd: str) -> list[str]:
    """Return the Python script of a command and its arguments: after `{python}`, or a program that is one itself."""
    script, *rest = command[1:] if command[0] == sys.executable and len(command) > 1 else command
    path = os.path.join(cwd, script)
    if os.path.isfile(path):
        with open(path, 'rb') as handle:
            if script.endswith('.py') or re.match(rb'#!.*python', handle.readline(500)):
                return [path, *rest]
    raise RuntimeError(f'`seed_python` needs a Python script, and `{script}` is none: pass {{seed}} to it instead')


def linked(model: str, folder: str) -> str:
    """Link every file of a model into a folder, and return where the model lies then."""
    if os.path.isfile(model):
        os.makedirs(folder)
        os.symlink(model, os.path.join(folder, os.path.basename(model)))
        return os.path.join(folder, os.path.basename(model))
    for root, _, names in os.walk(model):
        place = os.path.join(folder, os.path.relpath(root, model))
        os.makedirs(place, exist_ok=True)
        for name in names:
            os.symlink(os.path.join(root, name), os.path.join(place, name))
    return folder


def files(settings: Settings, output: str) -> list[tuple[str, Path]]:
    """Return names and paths of the files that were written, `sample_2` before `sample_10`."""

    def natural(name: str) -> list[t.Any]:
        return [(0, int(part), '') if part.isdigit() else (1, 0, part) for part in re.split(r'(\d+)', name) if part]

    found = {path.relative_to(output).as_posix(): path for path in Path(output).glob(settings['output'])}
    written = {name for name, path in found.items() if path.is_file() and not path.is_symlink()}
    names = written - {*settings['inputs']}
    return [(name, found[name]) for name in sorted(names, key=natural)]


def instead(settings: Settings, output: str) -> str:
    """Return what the command wrote where no file fits the pattern, empty where one does."""
    if files(settings, output):
        return ''
    written = (path for path in Path(output).rglob('*') if path.is_file() and not path.is_symlink())
    names = sorted({path.relative_to(output).as_posix() for path in written} - {*settings['inputs']})
    listed = ', '.join(names[:MOST_NAMES]) or 'nothing'
    return f'; no file fits `output: {settings["output"]}`, and it wrote {listed}'
