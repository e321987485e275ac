"""From the part `verify` of a campaign to the inputs of its WorkChain."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.references.find import find_known_hull
from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem
from aiida_crystalgen.workflows.engines.base import EngineError, InvalidSettingsError
from aiida_crystalgen.workflows.engines.planning import load_code, phonon_inputs, verify_inputs
from aiida_crystalgen.workflows.options import job_options

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.schema.verify import VerifySpec

Inputs = dict[str, t.Any]


def verification_inputs(
    spec: CampaignSpec, sets: dict[str, ReferenceSet], resources: Inputs, fresh: bool = False
) -> Inputs:
    """Return the inputs of the VerifyBatchWorkChain, its batches excepted; empty where no engine is asked for.

    The level of theory is known before anything runs; phases that an earlier campaign computed at it are an input.

    :param sets: reference sets by what they are for; the competing phases of the engine are `verified`.
    :param resources: those of the campaign, for the options of its jobs.
    :param fresh: compute every phase anew.
    :raises CampaignError: with what the engine says, when it cannot do what is asked.
    """
    part = spec.verify
    if part is None:
        return {}
    profile = None if part.profile is None else spec.profiles[part.profile]
    try:
        codes = {role: load_code(role, label) for role, label in part.codes.items()}
        options = job_options(resources, profile, next(iter(codes.values()))) if codes else {}
        shared = {
            'protocol': part.protocol,
            'spin': part.spin,
            'settings': part.settings,
            'limits': part.limits,
            'options': {**options, **part.options},
            'max_attempts': part.max_attempts,
            'folder': spec.folder,
        }
        verify = verify_inputs(part.engine, codes, tasks=part.tasks, **shared)
        phonons = {} if part.phonons is None else _phonons(part, codes, shared)
    except EngineError as error:
        message, _, remedy = str(error).partition('; ')
        raise CampaignError([Problem(None, 'verify', message, remedy or 'change it')]) from error
    inputs: Inputs = {
        **phonons,
        'verify': verify,
        'max_concurrent': orm.Int(part.max_concurrent),
        'seed': orm.Int(spec.seed),
    }
    if part.n is not None:
        inputs['n_crystals'] = orm.Int(part.n)
    if 'verified' in sets:
        inputs['phases'] = sets['verified']
        known = None if fresh else find_known_hull(verify['level']['fingerprint'], sets['verified'])
        if known is not None:
            inputs['known_hull'] = known
    return inputs


def _phonons(part: VerifySpec, codes: Inputs, shared: Inputs) -> Inputs:
    """Return the inputs of the phonons of what the engine relaxed."""
    changes = dict(part.phonons or {})
    most = changes.pop('n', None)
    if most is not None and not (type(most) is int and most > 0):
        raise InvalidSettingsError(f'`phonons.n` is {most}; give a whole number above 0')
    inputs = phonon_inputs(part.engine, codes, relax=(), phonons=changes, **shared)
    found: Inputs = {'phonons': {**inputs, 'max_concurrent': orm.Int(part.max_concurrent)}}
    return found if most is None else {**found, 'n_phonons': orm.Int(most)}
