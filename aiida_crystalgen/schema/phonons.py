"""Phonons of the short list: which potential computes them, with which numbers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Field

from .parameters import About, parameter_findings
from .part import Part, Values
from .problem import Finding, Keys

# What the relaxation of the campaign says of the crystals; how tightly it relaxes is no matter here.
KEPT_OF_RELAXATION: t.Final = ('pressure', 'relax_cell', 'max_atoms')
_LISTS: t.Final = ('displacements', 'temperatures')


class PhononsSpec(Part):
    """Phonons of the crystals on the short list. They flag crystals and never reject one."""

    parameters: Values = Field(
        default_factory=dict,
        description='displacements (A), min_length (A) of the supercell, stable_above and unstable_below (THz), '
        'mesh_length (A), temperatures (K), fmax (eV/A) of the tight relaxation, and those of the potential',
    )
    hull: bool = Field(
        default=False,
        description='phonons of the competing phases too, for distances to the hull at `temperatures`; needs '
        '`references: {phases: ...}` relaxed by the potential',
    )


def phonon_parameters(
    numbers: Mapping[str, t.Any], relax: Mapping[str, t.Any], own: Values, about: About, shared: About
) -> Values:
    """Return the parameters of a phonon job.

    :param numbers: those of the protocol, changed by the campaign.
    :param relax: those of the relaxation of the campaign.
    :param own: the parameters of the potential in the campaign file.
    :param about: `ABOUT` of the potential, that of the relaxation in it.
    :param shared: `ABOUT` of the module `relaxation`.
    """
    parameters = {key: value for key, value in own.items() if key not in shared['parameters']}
    chosen = {key: value for key, value in {**relax, **own}.items() if key in KEPT_OF_RELAXATION}
    form = about['parameters'].get('precision', {})
    changes = {
        key: value
        for key, value in numbers.items()
        # A calculator whose precision is only stated cannot be told another one.
        if key != 'precision' or (form and not form.get('stated') and value in form.get('choices', []))
    }
    displacements = changes['displacements']
    if isinstance(displacements, Mapping):
        changes['displacements'] = displacements.get(about['name'], displacements['default'])
    return {**parameters, **chosen, **changes}


def phonon_findings(raw: Mapping[str, t.Any], potential: About, shared: Mapping[str, About]) -> Iterator[Finding]:
    """Yield phonons without a potential, with one that cannot do them, and wrong parameters.

    :param potential: the `ABOUT` of the potential, empty where there is none.
    :param shared: the `ABOUT` of the modules `phonons` and `relaxation`.
    """
    section = raw.get('phonons')
    if section is None and 'phonons' in raw:
        yield Finding(('phonons',), 'this has no value', 'write `phonons: {}` for the numbers of the protocol')
    if not isinstance(section, Mapping):
        return
    if raw.get('potential') is None:
        yield Finding(('phonons',), 'nothing computes the forces', 'add `potential`, or take `phonons` out')
        return
    if potential and 'relaxation' not in potential.get('needs', []):
        message = f'`{potential["name"]}` does not relax with the shared module `relaxation`, so it gives no phonons'
        yield Finding(('phonons',), message, 'take another potential, or take `phonons` out')
    references = raw.get('references')
    relaxed = isinstance(references, Mapping) and references.get('phases') and 'mode' not in references
    if section.get('hull') is True and not relaxed:
        message = 'there are no competing phases that the potential relaxes'
        yield Finding(('phonons', 'hull'), message, 'name them in `references: {phases: ...}`, or take `hull` out')
    given = section.get('parameters', {})
    if isinstance(given, Mapping) and potential:
        keys: Keys = ('phonons', 'parameters')
        forms = {**potential['parameters'], **shared['phonons']['parameters']}
        yield from _value_findings(given, keys)
        # What a potential cannot do without is said of it once, in `potential`.
        own = {name: form for name, form in forms.items() if 'default' in form or name in given}
        yield from parameter_findings(given, {'name': 'phonons', 'parameters': own}, keys)


def _value_findings(given: Mapping[str, t.Any], keys: Keys) -> Iterator[Finding]:
    """Yield lists that hold something else than numbers, and limits that cross."""
    for name in _LISTS:
        value = given.get(name)
        if isinstance(value, list) and not all(_is_number(item) for item in value):
            yield Finding((*keys, name), 'this holds something that is no number', 'give a list of numbers')
    if given.get('displacements') == []:
        yield Finding((*keys, 'displacements'), 'the list is empty', 'give one displacement in A, or better two')
    limits = [given.get('unstable_below', -0.5), given.get('stable_above', -0.1)]
    if all(_is_number(limit) for limit in limits) and limits[0] > limits[1]:
        message = f'`unstable_below` ({limits[0]:g} THz) is above `stable_above` ({limits[1]:g} THz)'
        yield Finding(keys, message, 'give limits with `unstable_below` the lower one')


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
