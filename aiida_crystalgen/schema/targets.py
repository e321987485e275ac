"""Crystal structure prediction as a campaign: crystals that are to be found, each composition drawn by itself."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Field

from .conditions import told
from .parameters import About
from .part import Part, Text, Values
from .problem import Finding, Keys

# Draws of one campaign: above this, waiting for jobs to be written and read takes longer than the draws.
MOST_DRAWS: t.Final = 64
# What a target says of every draw, so that nothing else may say it.
SAID: t.Final = ('composition', 'chemical_system', 'min_atoms', 'max_atoms')
COMPOSITION: t.Final = 'composition'
# The criterion that compares crystals with targets.
CRITERION: t.Final = 'prediction'
# The generator that is told nothing: the crystals in its files are compared as they come.
READER: t.Final = 'files'
_EXAMPLE: t.Final = 'Si'


class TargetsSpec(Part):
    """Known crystals that the generators are to find from their composition alone."""

    structures: Text = Field(description='the crystals to be found: a file, a folder of CIFs or set:NAME')
    candidates: int = Field(
        default=20,
        ge=1,
        description='the number of crystals that each generator draws for every composition and number of formula '
        'units of the targets',
    )


def screens_with_prediction(screens: Values, has_targets: bool, has_potential: bool) -> Values:
    """Return changes to the screens with the comparison in them: before relaxation, and after it where there is one.

    :param screens: the changes that the campaign makes itself, in the form of the protocol.
    """
    if not has_targets:
        return screens
    own: Values = {'prescreen': {'energies': False}, **({'postscreen': {}} if has_potential else {})}
    merged = dict(screens)
    for screen, parameters in own.items():
        steps = dict(merged.get(screen, {}))
        if steps.get(CRITERION, {}) is not None:
            step = steps.get(CRITERION, {})
            steps[CRITERION] = {**step, 'parameters': {**parameters, **step.get('parameters', {})}}
        merged[screen] = steps
    return merged


def set_targets(raw: Mapping[str, t.Any]) -> Mapping[str, t.Any] | None:
    """Return what a campaign says of targets, None where it has none."""
    given = raw.get('targets')
    return given if isinstance(given, Mapping) else None


def with_example(entry: Mapping[str, t.Any], about: About, potential: About) -> Values:
    """Return an entry of `generators` as one of its draws would have it: with a composition, and a number.

    :param potential: the `ABOUT` of the potential, empty where there is none.
    """
    if COMPOSITION not in about.get('honours', {}):
        return dict(entry)
    known = [part.get('elements', 'any') for part in (about, potential)]
    lists = [set(symbols) for symbols in known if symbols != 'any'] or [{_EXAMPLE}]
    common = sorted(set.intersection(*lists))
    asked = {COMPOSITION: (common or [_EXAMPLE])[0], 'min_atoms': 1, 'max_atoms': 1}
    example, _ = told(entry, about, asked)
    return {'n': 1, **example}


def target_findings(raw: Mapping[str, t.Any], abouts: list[About]) -> Iterator[Finding]:
    """Yield generators that cannot be told a composition, and what says once more what the targets say.

    :param abouts: the `ABOUT` of every generator, empty where there is none.
    """
    if set_targets(raw) is None:
        return
    given = raw.get('conditions')
    conditions: Mapping[str, t.Any] = given if isinstance(given, Mapping) else {}
    for term in SAID:
        if conditions.get(term) is not None:
            yield Finding(('conditions', term), 'the targets say this', 'take it out, or take `targets` out')
    generators = raw.get('generators')
    for index, entry in enumerate(generators if isinstance(generators, list) else []):
        if isinstance(entry, Mapping) and abouts[index]:
            yield from _entry_findings(entry, abouts[index], ('generators', index))


def _entry_findings(entry: Mapping[str, t.Any], about: About, keys: Keys) -> Iterator[Finding]:
    honours: Mapping[str, str] = about.get('honours', {})
    if entry.get('after') is not None:
        yield Finding((*keys, 'after'), 'with `targets` no generator follows another', 'take `after` out')
    if entry.get('type') == READER:
        return
    if COMPOSITION not in honours:
        message = f'`{about["name"]}` cannot be told a composition, so it cannot look for the targets'
        remedy = 'see `aiida-crystalgen list generators --verbose` for one that can, or take `targets` out'
        yield Finding((*keys, 'type'), message, remedy)
        return
    if entry.get('n') is not None:
        message = '`targets.candidates` says how many crystals are drawn for every composition'
        yield Finding((*keys, 'n'), message, 'take it out')
    given = entry.get('parameters')
    parameters: Mapping[str, t.Any] = given if isinstance(given, Mapping) else {}
    for term in SAID:
        own = honours.get(term, term)
        if parameters.get(own) is not None:
            yield Finding((*keys, 'parameters', own), 'the targets say this', 'take it out, or take `targets` out')
