"""How a job is run: AiiDA's options from the campaign and from the profile that a generator or potential names."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.schema.problem import CampaignError, Problem
from aiida_crystalgen.schema.profiles import ProfileSpec, gpu_lines

if t.TYPE_CHECKING:
    from aiida import orm

Inputs = dict[str, t.Any]
_SCHEDULER_LINES: t.Final = 'custom_scheduler_commands'
_VARIABLES: t.Final = 'environment_variables'


def job_options(resources: Inputs, profile: ProfileSpec | None, code: orm.AbstractCode) -> Inputs:
    """Return `metadata.options`: one process on one machine, changed by the campaign, changed by the profile.

    :raises CampaignError: when the scheduler of the computer cannot be asked for GPUs in a way that is known here.
    """
    options: Inputs = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, **resources['options']}
    if profile is None:
        return options
    options |= profile.options
    lines = gpu_lines(profile, code.computer.scheduler_type if code.computer is not None else '')
    if lines is None:
        message = f'the scheduler of the computer of `{code.full_label}` is not one that `gpus` is translated for'
        remedy = f'take `gpus` out and write its lines as `options: {{{_SCHEDULER_LINES}: ...}}`'
        raise CampaignError([Problem(None, 'profiles', message, remedy)])
    if lines:
        options[_SCHEDULER_LINES] = '\n'.join(filter(None, [options.get(_SCHEDULER_LINES), lines]))
    if profile.environment:
        options[_VARIABLES] = {**options.get(_VARIABLES, {}), **profile.environment}
    return options


def job_runtime(resources: Inputs, profile: ProfileSpec | None) -> Inputs:
    """Return the processes and the device of a job, those of the profile first."""
    own = {} if profile is None else profile.model_dump(include={'processes', 'device'}, exclude_none=True)
    return {'processes': resources['processes'], 'device': resources['device'], **own}
