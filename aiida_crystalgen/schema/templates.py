"""Check command lines with names in braces, and find what a generator hears through one."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from aiida_crystalgen.remote.command_templates import names, problem

from .parameters import About
from .problem import Finding, Keys

# Names that stand for an input of the generator.
INPUTS: t.Final = ('model', 'files')
VALUES: t.Final = 'values'


def narrowed(about: About, parameters: t.Any) -> About:
    """Return `ABOUT` with only those terms of the campaign that the generator is told, as its command is written.

    :param parameters: of the generator in the campaign.
    """
    name = about.get('honours_in')
    if not name:
        return about
    template = parameters.get(name) if isinstance(parameters, Mapping) else None
    used = _names(template)
    return {**about, 'honours': {term: own for term, own in about.get('honours', {}).items() if own in used}}


def template_findings(entry: t.Any, about: About, keys: Keys) -> Iterator[Finding]:
    """Yield names in a command that stand for nothing, and conditions that the command does not use.

    :param entry: a generator of the campaign, with the conditions of the campaign in it.
    """
    parameters = entry.get('parameters', {}) if isinstance(entry, Mapping) else None
    if not isinstance(parameters, Mapping):
        return
    conditions = about.get('conditions', {})
    values = parameters.get(VALUES)
    for name, form in about.get('parameters', {}).items():
        template = parameters.get(name)
        if 'placeholders' not in form or not isinstance(template, str):
            continue
        here = (*keys, 'parameters', name)
        own = values if isinstance(values, Mapping) else {}
        wrong = problem(template, {*form['placeholders'], *conditions, *own})
        if wrong:
            message, _, remedy = wrong.rpartition(': ')
            yield Finding(here, message, remedy)
            continue
        used = _names(template)
        for one in used:
            is_missing = one in INPUTS and entry.get(one) is None
            if is_missing or (one in conditions and parameters.get(one) is None):
                yield Finding(here, f'the command has {{{one}}}, and there is none', f'give `{one}`')
        for one in [one for one in conditions if parameters.get(one) is not None and one not in used]:
            message = 'the command does not use this condition'
            yield Finding((*keys, 'parameters', one), message, f'put {{{one}}} into the command, or take this out')


def _names(template: t.Any) -> list[str]:
    """Return the names in a template, none where it is malformed."""
    try:
        return list(names(template)) if isinstance(template, str) else []
    except ValueError:
        return []
