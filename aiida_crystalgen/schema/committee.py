"""Checks of the part `committee`: further potentials that judge the short list, each at its own hull."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from .problem import Finding

# The campaign's potential has its own columns, and these endings make columns that exist.
TAKEN: t.Final = ('spread', 'with_candidates', 'reason')


LIMIT: t.Final = 0.1  # eV/atom; where the screen has no one limit


def limit_of(filters: Mapping[str, t.Any]) -> float:
    """Return the energy above the hull up to which a committee calls a crystal stable [eV/atom]: that of the screen."""
    limit = filters.get('e_hull', {}).get('max')
    return float(limit) if isinstance(limit, int | float) else LIMIT


def members(raw: Mapping[str, t.Any]) -> list[t.Any]:
    """Return the entries of the committee, as they stand in the file."""
    given = raw.get('committee')
    return given if isinstance(given, list) else []


def committee_findings(raw: Mapping[str, t.Any]) -> Iterator[Finding]:
    """Yield a committee that has nothing to judge against, and labels that are not of their own."""
    entries = members(raw)
    references = raw.get('references')
    if entries and not (isinstance(references, Mapping) and references.get('phases')):
        message = 'without competing phases there is no hull that the committee could judge by'
        yield Finding(('committee',), message, 'add `references: {phases: <folder of CIFs>}`')
    if entries and raw.get('potential') is None:
        yield Finding(('committee',), 'there is no potential that these stand beside', 'add `potential`')
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        label = (entry.get('label') or entry.get('type')) if isinstance(entry, Mapping) else None
        if isinstance(label, str) and (label in seen or label in TAKEN):
            yield Finding(('committee', index), f'the label `{label}` is taken', 'give this one a `label` of its own')
        seen.add(str(label))
