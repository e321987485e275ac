"""Any tool that has a command line: a template of it, the files that it writes, and the readers of all formats."""

from __future__ import annotations

import typing as t

ABOUT = {
    'name': 'command',
    'kind': 'generator',
    'summary': 'Any other tool by its command line: number, seed and conditions are put into a template, it runs in a '
               'fresh folder for every draw unit, and what it wrote is read in any known format.',
    'elements': 'any',
    'licence': 'that of the tool',
    'citation': [],
    'install': 'pip install pymatgen, into the environment of the tool',
    'requires': ['pymatgen', 'numpy'],
    'needs': ['command_line', 'command_templates', 'readers', 'tools'],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    'unconditional': True,
    'checkpoint': {'form': 'either', 'required': [], 'by_name': False},
    'checkpoints': {},
    # A term of the campaign is honoured where the text of this parameter has its name in braces.
    'honours_in': 'command',
    'honours': {
        'chemical_system': 'chemical_system', 'composition': 'composition', 'space_group': 'space_group',
        'min_atoms': 'min_atoms', 'max_atoms': 'max_atoms', 'energy_above_hull': 'energy_above_hull',
        'formation_energy': 'formation_energy', 'band_gap': 'band_gap', 'magnetic_density': 'magnetic_density',
        'bulk_modulus': 'bulk_modulus', 'hhi_score': 'hhi_score',
    },
    'parameters': {
        'command': {
            'type': 'text', 'unit': '',
            'placeholders': ['python', 'home', 'model', 'files', 'output', 'device', 'n', 'batch_size', 'seed'],
            'help': 'the command line, run without a shell; in braces: n (crystals to make), seed, output (the fresh '
                    'folder that it runs in), device, model, files, python, home, conditions and names of `values`',
        },
        'output': {'type': 'text', 'default': '**/*.cif', 'unit': '',
            'help': 'pattern of the files to read, relative to that folder; ** goes through folders'},
        'format': {'type': 'text', 'default': 'auto', 'unit': '',
            'choices': ['auto', 'cif', 'poscar', 'extxyz', 'json', 'csv', 'pt', 'res'],
            'help': 'format of these files; auto goes by their names'},
        'folder': {'type': 'text', 'default': 'output', 'unit': '', 'choices': ['output', 'home'],
            'help': 'where it runs: its fresh folder, or the folder in the variable COMMAND_HOME of the Code; then '
                    'it has to write to {output}'},
        'seed_python': {'type': 'bool', 'default': False, 'unit': '',
            'help': 'for a Python program without a seed of its own: seed random, numpy and torch before it starts'},
        'link_model': {'type': 'bool', 'default': False, 'unit': '',
            'help': 'for a program that writes beside its model: link the files of the model into the fresh folder, '
                    'as `model/`, and give it that'},
        'values': {'type': 'dict', 'default': {}, 'unit': '',
            'help': 'further names for the command, such as a prompt; of a list, draw units take one after the other'},
        'inputs': {'type': 'dict', 'default': {}, 'unit': '',
            'help': 'texts by file name, written into the fresh folder before the command runs'},
        'environment': {'type': 'dict', 'default': {}, 'unit': '', 'help': 'environment variables of the command'},
        'timeout': {'type': 'float', 'default': None, 'unit': 's', 'minimum': 1.0,
            'help': 'time that one run of the command may take, null for the time that the job has'},
        'batch_size': {'type': 'int', 'default': 16, 'unit': '', 'minimum': 1,
            'help': 'crystals that one run of the command makes, a draw unit'},
    },
    'conditions': {
        'chemical_system': {'type': 'text', 'default': None, 'unit': '', 'help': 'elements such as Li-Fe-O'},
        'composition': {'type': 'text', 'default': None, 'unit': '', 'help': 'formula such as LiFePO4'},
        'space_group': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 230,
            'help': 'number of the space group'},
        'min_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'help': 'fewest atoms in a cell'},
        'max_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'help': 'most atoms in a cell'},
        'energy_above_hull': {'type': 'float', 'default': None, 'unit': 'eV/atom', 'many': True,
            'help': 'energy above hull to ask for'},
        'formation_energy': {'type': 'float', 'default': None, 'unit': 'eV/atom', 'many': True,
            'help': 'formation energy to ask for'},
        'band_gap': {'type': 'float', 'default': None, 'unit': 'eV', 'many': True, 'help': 'band gap to ask for'},
        'magnetic_density': {'type': 'float', 'default': None, 'unit': '1/A^3', 'many': True,
            'help': 'magnetic density to ask for'},
        'bulk_modulus': {'type': 'float', 'default': None, 'unit': 'GPa', 'many': True,
            'help': 'bulk modulus to ask for'},
        'hhi_score': {'type': 'float', 'default': None, 'unit': '', 'many': True,
            'help': 'Herfindahl-Hirschman index to ask for, 0 to 10000'},
    },
    'columns': {
        'seeded': {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'whether the command got the seed of its draw unit; if not, a repetition makes other crystals'},
        'command_line': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'the command that made the crystal; paths stay in braces'},
        'source_file': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'file that the crystal was read from, in the folder of the command'},
        'source_entry': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the crystal in its file, from 0, and its name there if it has one'},
    },
}  # fmt: skip

HOME = 'COMMAND_HOME'
# Names of which the paths say nothing about the crystal.
PATHS = ('python', 'home', 'model', 'output', 'device')
SUFFIXES = {'auto': '', 'poscar': '.vasp'}


def versions() -> dict[str, str]:
    """Return the versions of the readers, and digests of all that is installed beside them and of the tool's clone."""
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import tools  # type: ignore[import-not-found]

    requires: t.Any = ABOUT['requires']
    try:
        found = {name: version(name) for name in requires}
    except PackageNotFoundError as error:
        message = f'{error.args[0]} is not installed in this Python, which reads what the command writes'
        raise RuntimeError(f'{message}: `pip install {error.args[0]}`') from None
    found.update(python=platform.python_version(), installed=_installed())
    return {**found, 'home': tools.sources_digest(tools.home_of(HOME))} if os.environ.get(HOME) else found


def _installed() -> str:
    """Return the first digits of the sha256 over the names and versions of all packages of this Python."""
    import hashlib
    import os
    import sys

    folders = [folder for folder in sys.path if os.path.isdir(folder)]
    names = {name for folder in folders for name in os.listdir(folder) if name.endswith(('.dist-info', '.egg-info'))}
    return hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:12]


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns; a command that cannot be run is refused here, before any row."""
    import tools

    _checked(job)
    return t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))


def _checked(job: t.Any) -> dict[str, t.Any]:
    """Return the settings of a job.

    :raises RuntimeError: with one sentence, where the command cannot be run with them.
    """
    import command_templates  # type: ignore[import-not-found]
    import tools

    settings: dict[str, t.Any] = tools.settings_of(ABOUT, job.parameters)
    about: t.Any = ABOUT
    taken = {*about['parameters']['command']['placeholders'], *about['conditions']}
    problem = command_templates.problem(str(settings['command'] or ''), {*taken, *settings['values'], *job.assets})
    used = [] if problem else command_templates.names(settings['command'])
    problem = problem or next(iter([*_without_value(settings, used, job), *_of_files(settings, used)]), '')
    for name in taken & set(settings['values']):
        problem = problem or f'`{name}` of `values` has a meaning of its own in the command: choose another name'
    if problem:
        raise RuntimeError(problem)
    if settings['folder'] == 'home' or 'home' in used:
        settings['home'] = tools.home_of(HOME)
    return {**settings, 'seeded': bool(settings['seed_python'] or 'seed' in used)}


def _without_value(settings: dict[str, t.Any], used: list[str], job: t.Any) -> t.Iterator[str]:
    """Yield what is wrong where the command has a name without a value, or a condition is not in the command."""
    conditions: t.Any = ABOUT['conditions']
    missing = {name: 'give it, or take it out of the command' for name in conditions if settings[name] is None}
    if job.model is None:
        missing['model'] = 'add `model:` to the generator'
    if 'files' not in job.assets:
        missing['files'] = 'add `files:` to the generator'
    for name in used:
        if name in missing:
            yield f'the command has {{{name}}}, and there is none: {missing[name]}'
    for name in conditions:
        if settings[name] is not None and name not in used:
            remedy = f'put {{{name}}} into it, or take the condition out'
            yield f'`{name}` is asked for, and the command does not use it: {remedy}'


def _of_files(settings: dict[str, t.Any], used: list[str]) -> t.Iterator[str]:
    """Yield what is wrong with the files that the command gets and writes."""
    for name in settings['inputs']:
        if name in {'', '.', '..'} or '/' in name or '\\' in name:
            yield f'`{name}` of `inputs` is no plain file name: leave the folders out'
    pattern = str(settings['output'])
    if not pattern or pattern.startswith('/') or '..' in pattern.split('/'):
        yield f'`output: {pattern}` leads out of the folder of the command: write a relative pattern'
    beside_model = settings['link_model'] and 'model' in used
    if settings['folder'] == 'home' and 'output' not in used and not beside_model:
        yield 'the command runs in a folder of its own and has no {output}: tell it where to write'


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal of the command's output per row; a draw unit is one run of the command."""
    import tools

    settings = _checked(job)
    size, seed = int(settings['batch_size']), None
    answers: list[dict[str, t.Any]] = []
    for row in rows:
        # A unit is drawn whole, so that a row is the same crystal whatever else was asked for.
        if row['seed'] != seed:
            seed, unit, answers = row['seed'], row['index'] // size, []
            asked = tools.requested(ABOUT, settings, unit)
            for number, (_, n) in enumerate(tools.pieces(size, job.batch_size)):
                drawn = _draw(settings, unit, (seed + number) % 2**32, n, job)
                shared = {**asked, 'drawn_with': n, 'seeded': settings['seeded']}
                answers += [{**one, 'columns': {**shared, **one['columns']}} for one in drawn]
        yield {'id': row['id'], **answers[row['index'] % size]}


def _draw(settings: dict[str, t.Any], unit: int, seed: int, n: int, job: t.Any) -> list[dict[str, t.Any]]:
    """Run the command once in a fresh folder and return n answers: crystals, or why there is none."""
    import os
    import shutil
    import sys
    import tempfile

    import command_line  # type: ignore[import-not-found]
    import command_templates
    import tools

    about: t.Any = ABOUT
    output = tempfile.mkdtemp(prefix='command-', dir=os.path.abspath(job.scratch))
    for name, text in settings['inputs'].items():
        with open(os.path.join(output, name), 'w', encoding='utf-8') as handle:
            handle.write(str(text))
    model = job.model
    if settings['link_model'] and model is not None:
        model = command_line.linked(model, os.path.join(output, 'model'))
    of_unit = {name: tools.of_unit(settings[name], unit) for name in about['conditions']}
    of_unit.update({name: tools.of_unit(value, unit) for name, value in settings['values'].items()})
    paths = {'python': sys.executable, 'home': settings.get('home'), 'model': model, 'output': output}
    values = {**job.assets, **paths, 'device': job.device, 'n': n, 'batch_size': n, 'seed': seed, **of_unit}
    told = {**values, **{name: '{' + name + '}' for name in (*PATHS, *job.assets) if name not in of_unit}}
    columns = {'command_line': ' '.join(command_templates.filled(settings['command'], told))}
    try:
        try:
            command = command_templates.filled(settings['command'], values)
            printed = command_line.execute(settings, command, output, seed, job.deadline)
        except command_line.TooSlowError:
            words = f'the command took longer than {settings["timeout"]:g} s'
            return [_rejected(columns, 'timeout', words, None, settings['timeout'])] * n
        answers = _crystals(settings, output, n, columns)
        if len(answers) < n and 'out of memory' in printed.lower():
            raise RuntimeError(f'the command made {len(answers)} of {n} crystals: {tools.last_words(printed)}')
        words = f'the command made {len(answers)} of {n} crystals{command_line.instead(settings, output)}'
        return answers + [_rejected(columns, 'too_few', words, len(answers), n)] * (n - len(answers))
    finally:
        shutil.rmtree(output, ignore_errors=True)


def _crystals(settings: dict[str, t.Any], output: str, n: int, columns: dict[str, str]) -> list[dict[str, t.Any]]:
    """Return what the files of the command hold, at most n entries."""
    import command_line
    import readers  # type: ignore[import-not-found]

    suffix = SUFFIXES.get(settings['format'], '.' + settings['format'])
    answers: list[dict[str, t.Any]] = []
    for name, path in command_line.files(settings, output):
        for entry in readers.entries_as(name, path, suffix):
            if len(answers) == n:
                return answers
            told = {**columns, 'source_file': entry.source_file, 'source_entry': entry.source_entry}
            try:
                answers.append({'structure': readers.read(entry), 'columns': told})
            except readers.RefusedError as refusal:
                answers.append(_rejected(told, refusal.reason, refusal.detail, None, None))
    return answers


def _rejected(columns: dict[str, str], reason: str, detail: str, value: t.Any, threshold: t.Any) -> dict[str, t.Any]:
    rejected = {'reason': reason, 'detail': detail, 'value': value, 'threshold': threshold}
    return {'columns': columns, 'rejected': rejected}
