"""Uniqueness: one representative for each connected component of the symmetric match graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .crystal import Crystal, as_columns, with_defaults
from .identity import Matcher

ABOUT = {
    'name': 'uniqueness',
    'kind': 'criterion',
    'summary': 'Groups equal crystals and keeps one of each group: the smallest id, or the lowest value of a column.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Ong et al., Python Materials Genomics, Comput. Mater. Sci. 68, 314 (2013), '
        'doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'pymatgen',
    'requires': ['numpy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': True,
    'units': 1,
    'parameters': {
        'profile': {
            'type': 'text', 'default': 'default', 'unit': '', 'choices': ['strict', 'default', 'loose'],
            'help': 'Tolerances (lengths, sites, degrees): strict 0.1/0.1/3, default 0.2/0.3/5, loose 0.3/0.5/10.',
        },
        'prefer': {
            'type': 'text', 'default': None, 'unit': '',
            'help': 'Column whose lowest value makes the representative, for instance enthalpy; ties and null: the '
            'smallest id.',
        },
        'max_sites': {
            'type': 'int', 'default': 300, 'unit': '', 'minimum': 1,
            'help': 'Crystals with more atoms than this are not compared: their uniqueness is unknown.',
        },
    },
    'conditions': {},
    'columns': {
        'unique': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the crystal represents its group of equal crystals; unknown where it cannot be compared.',
        },
        'duplicate_of': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Id of the representative of the group; unknown for representatives.',
        },
        'n_duplicates': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of crystals in the group, this one included.',
        },
    },
}  # fmt: skip


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Group the crystals and name a representative of each group."""
    settings = with_defaults(ABOUT, parameters)
    matcher = Matcher(settings['profile'], settings['max_sites'])
    rows: list[dict[str, Any]] = [{} for _ in crystals]
    counts = Counter(crystal.composition_key for crystal in crystals if crystal.fault is None)
    for group in matcher.groups(crystals):
        best = min(group, key=lambda i: _preference(crystals[i], settings['prefer']))
        for i in group:
            if len(group) == 1 and counts[crystals[i].composition_key] != 1 and not matcher.comparable(crystals[i]):
                continue
            duplicate_of = None if i == best else crystals[best].id
            rows[i] = {'unique': i == best, 'duplicate_of': duplicate_of, 'n_duplicates': len(group)}
    return as_columns(ABOUT, rows)


def _preference(crystal: Crystal, column: str | None) -> tuple[bool, float, str]:
    """Return the key whose smallest value is preferred: known values first, then the value, then the id."""
    value = crystal.columns.get(column) if column else None
    return value is None, 0.0 if value is None else float(value), crystal.id
