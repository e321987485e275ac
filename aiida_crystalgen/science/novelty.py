"""Novelty against known crystals and against the training set of a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .crystal import CompositionKey, Crystal, as_columns, with_defaults
from .identity import Matcher

ABOUT = {
    'name': 'novelty',
    'kind': 'criterion',
    'summary': 'Looks for each crystal among known crystals (table `known`) and training data (table `training`).',
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
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'profile': {
            'type': 'text', 'default': 'default', 'unit': '', 'choices': ['strict', 'default', 'loose'],
            'help': 'Tolerances (lengths, sites, degrees): strict 0.1/0.1/3, default 0.2/0.3/5, loose 0.3/0.5/10.',
        },
        'known_partial': {
            'type': 'bool', 'default': True, 'unit': '',
            'help': 'Whether the known crystals are a part only: then a crystal whose chemical system they lack is not '
            'tested.',
        },
        'max_sites': {
            'type': 'int', 'default': 300, 'unit': '', 'minimum': 1,
            'help': 'Crystals with more atoms than this are not compared: their novelty is unknown.',
        },
    },
    'conditions': {},
    'columns': {
        'novel_known': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the crystal matches none of the known crystals; unknown where it was not tested.',
        },
        'novel_known_reason': {
            'kind': 'text', 'unit': '', 'level': '', 'help': 'Why novelty against known crystals was not tested.',
        },
        'nearest_known': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Source, or else id, of the known crystal that it matches: of several, the first by id.',
        },
        'novel_training': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the crystal matches none of the training set; unknown where the set is not at hand.',
        },
    },
}  # fmt: skip


class _Index:
    """Known crystals by reduced formula; they are reduced only when a crystal of their formula is asked for."""

    def __init__(self, crystals: Sequence[Crystal], matcher: Matcher) -> None:
        self._matcher = matcher
        self._by_formula: dict[CompositionKey, list[Crystal]] = {}
        for crystal in sorted(crystals, key=lambda crystal: crystal.id):
            if crystal.fault is None:
                self._by_formula.setdefault(crystal.composition_key, []).append(crystal)
        self._systems = {_elements(key) for key in self._by_formula}

    def look_up(self, crystal: Crystal, *, partial: bool) -> tuple[Crystal | None, str | None]:
        """Return the first known crystal by id that is the same, and why there is no answer if there is none."""
        if crystal.fault is not None:
            return None, f'the crystal is invalid: {crystal.fault}'
        candidates = self._by_formula.get(crystal.composition_key, [])
        match = next((known for known in candidates if self._matcher.match(crystal, known)), None)
        if match is not None:
            return match, None
        if candidates and not self._matcher.comparable(crystal):
            return None, 'the crystal is too large to be compared'
        if not all(map(self._matcher.comparable, candidates)):
            return None, f'a known crystal of {crystal.formula} is too large to be compared'
        if partial and _elements(crystal.composition_key) not in self._systems:
            return None, f'the known crystals are partial and have none of {crystal.chemical_system}'
        return None, None


def _elements(key: CompositionKey) -> tuple[int, ...]:
    return tuple(number for number, _ in key)


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Look each crystal up in both tables; an absent table makes the answer unknown."""
    settings = with_defaults(ABOUT, parameters)
    matcher = Matcher(settings['profile'], settings['max_sites'])
    known = _Index(tables['known'], matcher) if 'known' in tables else None
    training = _Index(tables['training'], matcher) if 'training' in tables else None
    rows = [
        {**_against_known(crystal, known, settings['known_partial']), 'novel_training': _novel(crystal, training)}
        for crystal in crystals
    ]
    return as_columns(ABOUT, rows)


def _against_known(crystal: Crystal, known: _Index | None, partial: bool) -> dict[str, Any]:
    """Return the columns on known crystals; absent ones are unknown."""
    if known is None:
        return {'novel_known_reason': 'no known crystals were given'}
    match, reason = known.look_up(crystal, partial=partial)
    if reason is not None:
        return {'novel_known_reason': reason}
    name = None if match is None else str(match.columns.get('source') or match.id)
    return {'novel_known': match is None, 'nearest_known': name}


def _novel(crystal: Crystal, training: _Index | None) -> bool | None:
    """Return whether a crystal matches none of the training set, None where this cannot be told."""
    if training is None:
        return None
    match, reason = training.look_up(crystal, partial=False)
    return match is None if reason is None else None
