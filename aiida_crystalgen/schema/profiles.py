"""Profiles: how the jobs of a computer are asked for, written once and named by generators and potentials."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Field

from .part import Part, Values
from .problem import Finding, choose

DEVICE: t.Final = r'^(cpu|cuda(:\d+)?)$'


class ProfileSpec(Part):
    """Where and how jobs run; none of this changes a result."""

    device: str | None = Field(default=None, pattern=DEVICE, description='`cpu` or `cuda`')
    processes: int | None = Field(default=None, ge=0, description='the number of processes of a job; 0: one per core')
    gpus: int | None = Field(default=None, ge=1, description='the number of GPUs that the scheduler is asked for')
    gpu_request: t.Literal['gres', 'gpus', 'gpus-per-node'] = Field(
        default='gres', description='how SLURM is asked for GPUs: `--gres=gpu:N`, `--gpus=N` or `--gpus-per-node=N`'
    )
    options: Values = Field(default_factory=dict, description='AiiDA `metadata.options`: queue_name, account, ...')
    environment: dict[str, str] = Field(
        default_factory=dict, description="variables of the job, as `{HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '0'}`"
    )


class ResourcesSpec(Part):
    """How the work is cut and where it runs; none of this changes a result."""

    lanes: int | None = Field(default=None, ge=1, description='the number of jobs that run at the same time')
    chunk_size: int | None = Field(default=None, ge=1, description='the number of crystals of one job')
    index_from: int | None = Field(
        default=None, ge=1, description='the number of known crystals from which an index of them is built'
    )
    processes: int | None = Field(default=None, ge=0, description='the number of processes of a job; 0: one per core')
    device: str | None = Field(default=None, pattern=DEVICE, description='`cpu` or `cuda`')
    options: Values | None = Field(default=None, description='AiiDA `metadata.options` of every job')


def gpu_lines(profile: ProfileSpec, scheduler: str) -> str | None:
    """Return the lines that ask a scheduler (its AiiDA entry point) for GPUs; None where it cannot be asked so."""
    if profile.gpus is None or scheduler == 'core.direct':
        return ''
    if scheduler == 'core.slurm':
        request = {'gres': 'gres=gpu:', 'gpus': 'gpus=', 'gpus-per-node': 'gpus-per-node='}[profile.gpu_request]
        return f'#SBATCH --{request}{profile.gpus}'
    return None


def profile_findings(raw: Mapping[str, t.Any]) -> Iterator[Finding]:
    """Yield names of profiles that the campaign does not have."""
    profiles = raw.get('profiles')
    known = profiles if isinstance(profiles, Mapping) else {}
    generators = raw.get('generators')
    entries = [(('generators', i), entry) for i, entry in enumerate(generators if isinstance(generators, list) else [])]
    for keys, entry in [*entries, (('potential',), raw.get('potential')), (('verify',), raw.get('verify'))]:
        name = entry.get('profile') if isinstance(entry, Mapping) else None
        if isinstance(name, str) and name not in known:
            remedy = choose(name, known) if known else f'add `profiles: {{{name}: {{...}}}}`'
            yield Finding((*keys, 'profile'), f'there is no profile `{name}` in this file', remedy)
