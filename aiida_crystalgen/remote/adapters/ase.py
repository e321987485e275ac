"""Any ASE calculator, named by the function or class that makes it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from relaxation import Row

ABOUT = {
    'name': 'ase',
    'kind': 'potential',
    'summary': 'Any ASE calculator that gives energy, forces and stress of periodic crystals.',
    'elements': 'any',
    'licence': 'that of the calculator',
    'citation': ['A. Hjorth Larsen et al., J. Phys.: Condens. Matter 29, 273002 (2017), doi:10.1088/1361-648X/aa680e'],
    'install': 'pip install ase',
    'requires': ['ase', 'numpy'],
    'needs': ['relaxation', 'descent'],
    'training': None,
    'energy_convention': 'other',
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'factory': {'type': 'text', 'help': 'what makes the calculator: `module:name`'},
        'arguments': {'type': 'dict', 'default': {}, 'help':
                      'keyword arguments of the factory; the text `{model}` becomes the path of the model file'},
        'trust': {'type': 'text', 'default': '', 'help':
                  'sha256 of the model file, if there is one: such files can run code when they are opened'},
        'precision': {'type': 'text', 'default': 'float64', 'choices': ['float32', 'float64'], 'stated': True, 'help':
                      'precision in which the calculator works; stated, not set'},
    },
    'conditions': {},
    'columns': {},
}  # fmt: skip

MODEL = '{model}'


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def level(job: t.Any) -> str:
    """Return the level of theory of the energies."""
    from relaxation import level_of_theory, settings

    options = settings(ABOUT, job)
    return str(level_of_theory(options['factory'], fingerprint(options, job.model), options['precision'], job))


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row relaxed, or rejected with a reason."""
    from relaxation import FromCalculator, relax, settings

    options = settings(ABOUT, job)
    sha256 = fingerprint(options, job.model)
    arguments = {name: job.model if value == MODEL else value for name, value in options['arguments'].items()}
    calculator = factory(options['factory'])(**arguments)
    yield from relax(rows, job, FromCalculator(calculator, options['factory'], sha256, options['precision']))


def factory(reference: str) -> t.Any:
    """Return what `module:name` names."""
    from importlib import import_module

    module, _, name = reference.partition(':')
    try:
        return getattr(import_module(module), name)
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(f'The calculator `{reference}` cannot be made here: {error}.') from error


def fingerprint(options: t.Mapping[str, t.Any], model: str | None) -> str:
    """Return the sha256 of factory, arguments, model file, and the version of the package that the factory is from."""
    import hashlib
    import json
    from importlib.metadata import distributions

    from relaxation import trusted

    package = options['factory'].partition(':')[0].partition('.')[0]
    origin = []
    for found in distributions():
        name, packages = found.metadata['Name'], (found.read_text('top_level.txt') or '').split()
        if package in (name.replace('-', '_'), *packages):
            origin.append(f'{name} {found.version}')
    content = trusted(model, options['trust']) if model else ''
    text = json.dumps([options['factory'], options['arguments'], sorted(set(origin)), content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
