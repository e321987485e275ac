"""From an engine, its Codes and settings to the inputs that all VerifyWorkChains of a hull share."""

from __future__ import annotations

import copy
import functools
import typing as t
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import yaml

from aiida_crystalgen.schema.problem import choose
from aiida_crystalgen.workflows.engines.base import (
    PROTOCOLS,
    SPINS,
    TASKS,
    EngineError,
    InvalidSettingsError,
    fingerprint,
)

FILEPATH: t.Final = Path(__file__).parents[1] / 'protocols' / 'verify.yaml'
DEFAULT_TASKS: t.Final = ('vc-relax', 'static')
Inputs = dict[str, t.Any]


@functools.cache
def _content() -> Inputs:
    return dict(yaml.safe_load(FILEPATH.read_text(encoding='utf-8')))


def numbers(section: str, protocol: str) -> Inputs:
    """Return the numbers of a section (`limits` or an engine) of a protocol.

    :raises InvalidSettingsError: for a protocol that does not exist.
    """
    if protocol not in PROTOCOLS:
        raise InvalidSettingsError(f'there is no protocol `{protocol}`; {choose(protocol, PROTOCOLS)}')
    default = copy.deepcopy(_content()['default_inputs'].get(section, {}))
    return {**default, **_content()['protocols'][protocol].get(section, {})}


def verify_inputs(
    engine: str,
    codes: Mapping[str, t.Any],
    *,
    protocol: str = 'balanced',
    spin: str = 'auto',
    settings: Mapping[str, t.Any] | None = None,
    tasks: t.Sequence[str] = DEFAULT_TASKS,
    limits: Mapping[str, t.Any] | None = None,
    options: Mapping[str, t.Any] | None = None,
    max_attempts: int = 2,
    clean_workdir: bool = True,
    folder: Path | None = None,
) -> Inputs:
    """Return all inputs of a VerifyWorkChain but its crystal; the nodes may be shared by any number of them.

    The computers of the Codes are asked for the versions, so that the level of theory is known before anything runs.

    :param codes: Codes, or labels `label@computer`, by their role (`aiida-crystalgen list engines NAME`).
    :param settings: of the engine; a key that it does not know is an error.
    :param tasks: in order; the last one gives the energy.
    :param limits: changes to the limits of the geometry.
    :param options: AiiDA's `metadata.options` of every job.
    :param folder: what paths in the settings are relative to.
    :raises EngineError: with one sentence, before anything is spent.
    """
    from aiida import orm

    from aiida_crystalgen.workflows import engines

    module = engines.load(engine)
    tasks, settings, folder = list(tasks), dict(settings or {}), folder or Path.cwd()
    _check_words(engine, module.ABOUT, protocol, spin, tasks)
    known = numbers('limits', protocol)
    if unknown := sorted(set(limits or {}) - set(known)):
        raise InvalidSettingsError(f'`limits` does not know `{unknown[0]}`; {choose(unknown[0], known)}')
    loaded = {role: load_code(role, code) for role, code in codes.items()}
    shared = {'codes': loaded, 'settings': settings, 'protocol': protocol, 'spin': spin}
    nodes = module.prepare(**shared, tasks=tasks, folder=folder)
    level = {
        'engine': engine,
        'engine_version': module.ABOUT['version'],
        'geometry': 'relaxed' if {'relax', 'vc-relax'} & set(tasks) else 'as given',
        'tasks': tasks,
        **module.level_of_theory(**shared, nodes=nodes),
    }
    return {
        'engine': orm.Str(engine),
        'codes': loaded,
        'tasks': orm.List(tasks),
        'protocol': orm.Str(protocol),
        'spin': orm.Str(spin),
        'settings': orm.Dict(settings),
        'nodes': nodes,
        'level': orm.Dict({'fingerprint': fingerprint(level), **level}),
        'limits': orm.Dict({**known, **(limits or {})}),
        'max_attempts': orm.Int(max_attempts),
        'clean_workdir': orm.Bool(clean_workdir),
        'options': {**_options_of(loaded), **(options or {})},
    }


def phonon_inputs(
    engine: str,
    codes: Mapping[str, t.Any],
    *,
    relax: t.Sequence[str] = ('vc-relax',),
    phonons: Mapping[str, t.Any] | None = None,
    protocol: str = 'balanced',
    limits: Mapping[str, t.Any] | None = None,
    **choices: t.Any,
) -> Inputs:
    """Return the inputs of an EnginePhononWorkChain that all crystals share, the width of its window excepted.

    :param relax: tasks before the displacements.
    :param phonons: changes to the section `phonons` of the protocol.
    :param choices: see `verify_inputs`.
    :raises EngineError: with one sentence, before anything is spent.
    """
    from aiida import orm

    if find_spec('phonopy') is None:
        raise EngineError(
            "phonons need phonopy, which this Python does not have: pip install 'aiida-crystalgen[phonons]'"
        )
    known = numbers('phonons', protocol)
    if unknown := sorted(set(phonons or {}) - set(known)):
        raise InvalidSettingsError(f'`phonons` does not know `{unknown[0]}`; {choose(unknown[0], known)}')
    chosen = {**known, **(phonons or {})}
    # Supercells are larger than what a campaign sends.
    most = {**(limits or {}), 'max_atoms': chosen['max_supercell_atoms']}
    tasks = [*relax, 'forces']
    verify = verify_inputs(engine, codes, protocol=protocol, tasks=tasks, limits=most, **choices)
    verify['tasks'] = orm.List(['forces'])
    before = {'relax_tasks': orm.List(list(relax))} if relax else {}
    return {'verify': verify, 'phonons': orm.Dict(chosen), **before}


def _options_of(codes: Mapping[str, t.Any]) -> Inputs:
    """Return one process on one machine, with MPI as the Codes say: a plugin would decide otherwise."""
    said = {code.with_mpi for code in codes.values() if getattr(code, 'with_mpi', None) is not None}
    options: Inputs = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}
    return {**options, 'withmpi': said.pop()} if len(said) == 1 else options


def _check_words(engine: str, about: Inputs, protocol: str, spin: str, tasks: list[str]) -> None:
    """Refuse a protocol, spin or task that does not exist."""
    numbers('limits', protocol)
    if spin not in SPINS:
        raise InvalidSettingsError(f'there is no spin `{spin}`; {choose(spin, SPINS)}')
    if not tasks:
        raise InvalidSettingsError('there is no task to run; name at least `static`')
    for task in tasks:
        if task not in TASKS:
            raise InvalidSettingsError(f'there is no task `{task}`; {choose(task, TASKS)}')
        if task not in about['tasks']:
            raise InvalidSettingsError(f'the engine `{engine}` cannot do `{task}`; it does {", ".join(about["tasks"])}')


def load_code(role: str, code: t.Any) -> t.Any:
    """Return a Code that was given as itself or as its label.

    :raises CodeUnavailableError: when there is none.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    from aiida_crystalgen.workflows.engines.base import CodeUnavailableError

    if not isinstance(code, str):
        return code
    try:
        return orm.load_code(code)
    except (NotExistent, MultipleObjectsError) as error:
        remedy = 'see `verdi code list`, or make it with `verdi code create core.code.installed`'
        raise CodeUnavailableError(f'there is no one Code `{code}` for `codes.{role}`; {remedy}') from error
