"""What a campaign asks of all its generators, written once in its own terms and mapped to each of them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Field, field_validator

from .chemistry import elements_of_system
from .parameters import About
from .part import Part, Text, Values
from .problem import Finding, Keys

_Number: t.TypeAlias = float | t.Annotated[list[float], Field(min_length=1)]
# A list of values is drawn one draw unit after the other.
_MANY: t.Final = 'several values as a list, one draw unit after the other'


class ConditionsSpec(Part):
    """What the crystals should be; a generator that cannot be told something draws without it, as the funnel says."""

    chemical_system: Text | None = Field(default=None, description='elements such as Li-Fe-O')
    composition: Text | None = Field(default=None, description='a formula such as LiFePO4')
    space_group: t.Annotated[int, Field(ge=1, le=230)] | None = Field(default=None, description='number, 1 to 230')
    min_atoms: int | None = Field(default=None, ge=1, description='fewest atoms in the primitive cell')
    max_atoms: int | None = Field(default=None, ge=1, description='most atoms in the primitive cell')
    energy_above_hull: _Number | None = Field(default=None, description=f'in eV/atom; {_MANY}')
    formation_energy: _Number | None = Field(default=None, description=f'in eV/atom; {_MANY}')
    band_gap: _Number | None = Field(default=None, description=f'in eV; {_MANY}')
    magnetic_density: _Number | None = Field(default=None, description=f'in 1/A^3; {_MANY}')
    bulk_modulus: _Number | None = Field(default=None, description=f'in GPa; {_MANY}')
    hhi_score: _Number | None = Field(default=None, description=f'Herfindahl-Hirschman index, 0 to 10000; {_MANY}')
    host: Text | None = Field(default=None, description='a file with one crystal that stays, relative to this file')
    insert: dict[str, int] | None = Field(default=None, description='atoms to put into the host, as `{Li: 4}`')

    @field_validator('chemical_system')
    @classmethod
    def _sort_system(cls, value: str | None) -> str | None:
        elements = elements_of_system(value)
        return value if elements is None else '-'.join(elements)


# The condition that is a file, and the key of a generator that names it.
HOST: t.Final = 'host'
FILES: t.Final = 'files'
# What can be compared with a crystal as it was generated.
CHECKED: t.Final = ('chemical_system', 'composition', 'space_group', 'min_atoms', 'max_atoms')


def told(entry: Mapping[str, t.Any], about: About, conditions: Mapping[str, t.Any]) -> tuple[Values, dict[Keys, str]]:
    """Return an entry of `generators` with the conditions of the campaign in it, and what came from where.

    What the entry says itself wins.

    :param conditions: the conditions that are set, by term.
    :returns: the entry, and the terms of the campaign by the keys of the entry that they went to.
    """
    honours: Mapping[str, str] = about.get('honours', {})
    forms = {**about.get('parameters', {}), **about.get('conditions', {})}
    told_entry: Values = dict(entry)
    given = entry.get('parameters', {})
    parameters: Values = dict(given) if isinstance(given, Mapping) else {}
    origins: dict[Keys, str] = {}
    for term in [term for term in conditions if term in honours]:
        value, own = conditions[term], honours[term]
        if term == HOST:
            if told_entry.get(FILES) is None:
                told_entry[FILES] = value
                origins[(FILES,)] = term
        elif own not in parameters:
            is_list = forms.get(own, {}).get('type') == 'list'
            parameters[own] = [value] if is_list and not isinstance(value, list) else value
            origins[('parameters', own)] = term
    if parameters:
        told_entry['parameters'] = parameters
    return told_entry, origins


def unheard(about: About, conditions: Mapping[str, t.Any]) -> list[str]:
    """Return the conditions that a generator cannot be told."""
    return sorted(set(conditions) - set(about.get('honours', {})))


def set_conditions(raw: Mapping[str, t.Any]) -> Values:
    """Return the conditions of a campaign that are set, by term; none where their form is wrong."""
    given = raw.get('conditions')
    if not isinstance(given, Mapping):
        return {}
    return {term: value for term, value in given.items() if value is not None and term in ConditionsSpec.model_fields}


def condition_findings(conditions: Mapping[str, t.Any], abouts: list[About]) -> Iterator[Finding]:
    """Yield conditions that no generator of the campaign can be told, and those that contradict each other."""
    for term in conditions:
        if abouts and not any(term in about.get('honours', {}) for about in abouts):
            names = ', '.join(f'`{about["name"]}`' for about in abouts)
            remedy = 'see `aiida-crystalgen list generators --verbose` for one that can, or gate on a column instead'
            yield Finding(('conditions', term), f'none of the generators ({names}) can be told this', remedy)
    least, most = conditions.get('min_atoms'), conditions.get('max_atoms')
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Finding(('conditions', 'min_atoms'), f'{least} is above `max_atoms`, {most}', 'exchange the two')
    if conditions.get('composition') is not None and conditions.get('chemical_system') is not None:
        message = 'a composition says the chemical system already'
        yield Finding(('conditions', 'chemical_system'), message, 'take one of the two out')


def moved(findings: Iterator[Finding], keys: Keys, origins: Mapping[Keys, str]) -> Iterator[Finding]:
    """Yield findings of an entry, those on what came from the conditions at their place in `conditions`."""
    for finding in findings:
        term = origins.get(finding.keys[len(keys) : len(keys) + 2]) or origins.get(finding.keys[len(keys) :][:1])
        yield Finding(('conditions', term), finding.message, finding.remedy) if term else finding
