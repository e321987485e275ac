"""What adapters of outside tools share: where a tool lies, running its scripts with a seed, what was asked of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import typing as t

ABOUT = {
    'columns': {
        'drawn_with': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of crystals that were drawn at once, this one among them; fewer than `batch_size` after '
                    'the memory ran out, and then other crystals than with more memory',
        },
    },
}  # fmt: skip

# What a campaign can ask of a generator, in its own terms: the kind of its column, and its unit.
TERMS = {
    'chemical_system': ('text', ''),
    'composition': ('text', ''),
    'space_group': ('int', ''),
    'min_atoms': ('int', ''),
    'max_atoms': ('int', ''),
    'energy_above_hull': ('float', 'eV/atom'),
    'formation_energy': ('float', 'eV/atom'),
    'band_gap': ('float', 'eV'),
    'magnetic_density': ('float', '1/A^3'),
    'bulk_modulus': ('float', 'GPa'),
    'hhi_score': ('float', ''),
}

# Runs a script as `python SCRIPT ...` would, after every source of chance that it may use has been seeded.
LAUNCHER = """
import importlib.util, os, random, runpy, sys
seed, script, sys.argv = int(sys.argv[1]), sys.argv[2], sys.argv[2:]
sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
random.seed(seed)
if importlib.util.find_spec('numpy'):
    import numpy
    numpy.random.seed(seed)
if importlib.util.find_spec('torch'):
    import torch
    torch.manual_seed(seed)
runpy.run_path(script, run_name='__main__')
"""
MOST_LETTERS = 400
SHORT_DIGEST = 12


class RefusedError(Exception):
    """What dooms a whole job, whatever row is tried: the job ends with a status, and so an exit code, of its own.

    :param status: `untrained_condition`, `wrong_steps`, `guidance_ignored`, `unfit_model`, or another word, which
        becomes the exit code of an adapter that could not be started.
    """

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.crystalgen_status = status


def settings_of(about: t.Mapping[str, t.Any], parameters: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return every parameter and condition of an adapter, defaults filled in."""
    forms = {**about['parameters'], **about['conditions']}
    return {name: parameters.get(name, form.get('default')) for name, form in forms.items()}


def home_of(variable: str) -> str:
    """Return the folder of a tool that lies in a clone, from an environment variable of the Code.

    :raises RuntimeError: when the variable is not set, or leads nowhere.
    """
    folder = os.environ.get(variable, '')
    if not folder:
        raise RuntimeError(
            f'{variable} is not set: put `export {variable}=<folder of the clone>` before jobs of the Code'
        )
    if not os.path.isdir(folder):
        raise RuntimeError(f'{variable} is `{folder}`, which is no folder on this computer: correct it in the Code')
    return os.path.abspath(folder)


def sources_digest(folder: str) -> str:
    """Return the first digits of one sha256 over the Python files below a folder: the version of a clone."""
    digest = hashlib.sha256()
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.') and name != '__pycache__')
        for name in sorted(name for name in files if name.endswith('.py')):
            path = os.path.join(root, name)
            digest.update(os.path.relpath(path, folder).encode() + b'\0')
            with open(path, 'rb') as handle:
                digest.update(hashlib.sha256(handle.read()).digest())
    return digest.hexdigest()[:SHORT_DIGEST]


def pieces(total: int, most: int) -> list[tuple[int, int]]:
    """Return (first, size) of the pieces in which `total` crystals are drawn, at most `most` at once."""
    size = max(min(total, most), 1)
    return [(first, min(size, total - first)) for first in range(0, total, size)]


def run_script(
    script: str,
    argv: t.Sequence[str],
    *,
    seed: int,
    cwd: str,
    env: t.Mapping[str, str] | None = None,
    job: t.Any = None,
) -> str:
    """Run a Python script of a tool in a process of its own, seeded, and return what it printed.

    :raises TimeoutError: when the time of the job ran out; the process is killed.
    :raises RuntimeError: with the last line that it printed, when it failed.
    """
    command = [sys.executable, '-c', LAUNCHER, str(seed), script, *argv]
    return run_command(command, cwd=cwd, env=env, job=job, name=os.path.basename(script))


def run_command(
    command: t.Sequence[str],
    *,
    cwd: str,
    env: t.Mapping[str, str] | None = None,
    job: t.Any = None,
    name: str = '',
) -> str:
    """Run a command without a shell and return what it printed, both streams together; failures as `run_script`."""
    deadline = getattr(job, 'deadline', None)
    timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
    name = name or os.path.basename(command[0])
    try:
        done = subprocess.run(
            list(command), cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f'`{name}` was stopped because the time of the job ran out') from None
    except OSError as error:
        raise RuntimeError(f'`{name}` could not be started: {error}') from None
    output = done.stdout.decode('utf-8', 'replace')
    sys.stdout.write(output)
    if done.returncode:
        raise RuntimeError(f'`{name}` failed with exit code {done.returncode}: {last_words(output)}')
    return output


def last_words(output: str) -> str:
    """Return the line of an output that says best why it ended: one on memory, else the last."""
    lines = [line.strip() for line in output.replace('\r', '\n').splitlines() if line.strip()]
    memory = [line for line in lines if 'out of memory' in line.lower()]
    return (memory or lines or ['it printed nothing'])[-1][-MOST_LETTERS:]


def asked(about: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what was asked of the adapter by the terms of the campaign; what was not asked is absent."""
    honours: dict[str, str] = about.get('honours', {})
    return {
        term: settings[own] for term, own in honours.items() if term in TERMS and settings.get(own) not in (None, '')
    }


def of_unit(value: t.Any, unit: int) -> t.Any:
    """Return the value of one draw unit: of a list, units take one after the other."""
    return value[unit % len(value)] if isinstance(value, (list, tuple)) else value


def requested(about: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any], unit: int = 0) -> dict[str, t.Any]:
    """Return the columns `<term>_requested` of the crystals of one draw unit."""
    return {f'{term}_requested': of_unit(value, unit) for term, value in asked(about, settings).items()}


def declared(about: t.Mapping[str, t.Any], job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns of an adapter: its own, `drawn_with`, and what was asked of it."""
    found: dict[str, dict[str, t.Any]] = {**about['columns'], **t.cast('dict[str, t.Any]', ABOUT['columns'])}
    for term in asked(about, settings_of(about, job.parameters)):
        kind, unit = TERMS[term]
        form = {'kind': 'text', 'dtype': 'int'} if kind == 'text' else {'kind': 'row', 'dtype': kind}
        about_it = f'{term.replace("_", " ")} that the generator was asked for; nothing that was measured'
        found.setdefault(f'{term}_requested', {**form, 'shape': [], 'unit': unit, 'level': '', 'help': about_it})
    return found
