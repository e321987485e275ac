"""The part `verify`: the short list, and the phases that it competes with, computed by a DFT engine."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Field

from .parameters import About
from .part import Part, Text, Values
from .problem import Finding, Keys, choose

Role: t.TypeAlias = t.Annotated[str, Field(pattern=r'^[^@\s]+@[^@\s]+$')]


class VerifySpec(Part):
    """Which engine computes the short list, and how."""

    engine: Text = Field(description='the name of a registered engine (`aiida-crystalgen list engines`)')
    codes: dict[str, Role] = Field(
        description='the Codes of the engine by the role it gives them, as `{pw: pw@localhost}`'
    )
    protocol: t.Literal['fast', 'balanced', 'stringent'] = Field(
        default='balanced',
        description='where the numbers of the engine come from; fast is for trials, never for a hull',
    )
    spin: t.Literal['auto', 'none', 'collinear'] = Field(
        default='auto', description='auto: collinear where an element is usually magnetic, from a ferromagnetic start'
    )
    tasks: t.Annotated[tuple[t.Literal['static', 'relax', 'vc-relax'], ...], Field(min_length=1, strict=False)] = Field(
        default=('vc-relax', 'static'), description='the tasks of each crystal in order; the last one gives the energy'
    )
    settings: Values = Field(
        default_factory=dict, description='settings of the engine (`aiida-crystalgen list engines NAME`)'
    )
    limits: dict[str, float] = Field(
        default_factory=dict,
        description='limits of the geometry: min_ratio (distance over the sum of the covalent radii), '
        'max_volume_change (relative) and max_atoms',
    )
    n: int | None = Field(default=None, ge=1, description='only so many crystals of the short list; default: all')
    max_concurrent: int = Field(default=2, ge=1, description='the number of crystals that are computed side by side')
    max_attempts: int = Field(default=2, ge=1, description='the number of attempts of a task that the machine breaks')
    references: Text | None = Field(
        default=None,
        description='the competing phases that are computed too: a file, a folder or set:NAME; default: the phases of '
        '`references`; without any there is no hull',
    )
    phonons: Values | None = Field(
        default=None,
        description='phonons of the crystals that finished, by the forces of the engine: n, only so many of them, and '
        'numbers such as min_length (A) and displacements (A); default: no phonons',
    )
    options: Values = Field(default_factory=dict, description='AiiDA `metadata.options` of the jobs of the engine')
    profile: str | None = Field(default=None, description='the name of one of the `profiles` of this file')


def verify_findings(raw: Mapping[str, t.Any], registry: Mapping[str, Mapping[str, About]]) -> Iterator[Finding]:
    """Yield an engine that is not registered, a role of a Code or a task that it does not know, and a pressure."""
    part = raw.get('verify')
    if not isinstance(part, Mapping) or not isinstance(part.get('engine'), str):
        return
    engines = registry.get('engine', {})
    about = engines.get(part['engine'])
    if about is None:
        message = f'no engine is registered under the name `{part["engine"]}`'
        yield Finding(('verify', 'engine'), message, choose(part['engine'], engines))
        return
    yield from _role_findings(part.get('codes'), about)
    tasks = part.get('tasks')
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        if isinstance(task, str) and task not in about.get('tasks', [task]):
            keys: Keys = ('verify', 'tasks', index)
            yield Finding(keys, f'the engine `{part["engine"]}` cannot do `{task}`', choose(task, about['tasks']))
    potential = raw.get('potential')
    asked = potential.get('parameters') if isinstance(potential, Mapping) else None
    if isinstance(asked, Mapping) and asked.get('pressure'):
        message = 'an engine relaxes at no pressure, so its hull says nothing of one under pressure'
        yield Finding(('potential', 'parameters', 'pressure'), message, 'take it out, or take `verify` out')


def _role_findings(codes: t.Any, about: About) -> Iterator[Finding]:
    roles: Mapping[str, str] = about.get('codes', {})
    given = codes if isinstance(codes, Mapping) else {}
    for role in given:
        if role not in roles:
            yield Finding(
                ('verify', 'codes', role), f'the engine `{about["name"]}` has no such Code', choose(role, roles)
            )
    for role, what in roles.items():
        if isinstance(codes, Mapping) and role not in given:
            yield Finding(
                ('verify', 'codes', role), 'this is missing', f'name the Code of {what}, as `{role}@localhost`'
            )
