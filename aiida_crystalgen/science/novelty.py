"""Novelty against known crystals and against the training set of a generator.

A crystal is novel if it matches none of the known crystals of its reduced formula. These are asked nearest first, by
their average minimum distances (see `amd`), which order them and decide nothing: the verdict is that of the matcher on
all of them. With the tables `known_index` and `training_index` (see `indexing`) no known crystal is reduced again;
without them, those of the formulas that are asked for are reduced here, with the same verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .amd import average_minimum_distances, distance
from .crystal import CompositionKey, Crystal, as_columns, with_defaults
from .disorder import Alloy, Substitutions, Verdict
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
        'Widdowson et al., Average minimum distances of periodic point sets, MATCH Commun. Math. Comput. Chem. 87, '
        '529 (2022)',
        'Zeni et al., A generative model for inorganic materials design, Nature 639, 624 (2025), '
        'doi:10.1038/s41586-025-08628-5 (profile disordered)',
    ],
    'install': 'numpy scipy pymatgen',
    'requires': ['numpy', 'scipy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'profile': {
            'type': 'text', 'default': 'default', 'unit': '',
            'choices': ['strict', 'default', 'loose', 'disordered'],
            'help': 'Tolerances (lengths, sites, degrees): strict 0.1/0.1/3, default 0.2/0.3/5, loose 0.3/0.5/10; '
            'disordered: as default, and ordered cuts of known disordered crystals and crystals that differ from a '
            'known one in which of some similar elements sits where are no new ones.',
        },
        'composition_tolerance': {
            'type': 'float', 'default': 0.1, 'unit': '', 'minimum': 0,
            'help': 'Profile disordered: relative difference of atomic fractions, beside 0.01, at which a crystal is '
            'still a cut of a known disordered one; 2: any composition of the solid solution.',
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
        'matches_known': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Source, or else id, of the known crystal that it is: of several, the nearest.',
        },
        'nearest_known': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Source, or else id, of the known crystal of its formula that is nearest in average minimum '
            'distances, whether it is the same or not.',
        },
        'nearest_known_distance': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Largest difference of the first 40 average minimum distances to the nearest known crystal, in '
            'units of (V/N)^(1/3).',
        },
        'other_known': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'The next two known crystals of its formula with their distances, for instance '
            '`mp-1 0.21, mp-2 0.35`.',
        },
        'known_disorder': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Profile disordered: why it is taken for an ordered cut of a known disordered crystal, or for a '
            'known ordered crystal with elements exchanged, or which alloy has its lattice at another composition.',
        },
        'novel_training': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the crystal matches none of the training set; unknown where the set is not at hand.',
        },
    },
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Entry:
    """A known crystal with, where there is an index, its fingerprint."""

    crystal: Crystal
    indexed: Crystal | None

    @cached_property
    def fingerprint(self) -> NDArray[np.float64]:
        """Average minimum distances, in units of (V/N)^(1/3)."""
        if self.indexed is not None:
            return np.array(self.indexed.columns['amd'])
        return average_minimum_distances(self.crystal.positions, self.crystal.cell)


@dataclass(frozen=True)
class _Finding:
    """What is known of a crystal among known ones."""

    match: Crystal | None = None
    """The nearest of those that it is."""
    reason: str | None = None
    """Why there is no answer."""
    nearest: Sequence[tuple[float, Crystal]] = ()
    """Known crystals of its formula with their distances, nearest first."""


class _Known:
    """Known crystals by reduced formula; of those with other elements than the candidates nothing is asked."""

    def __init__(
        self, name: str, tables: Mapping[str, Sequence[Crystal]], wanted: set[frozenset[int]], matcher: Matcher
    ):
        self._matcher = matcher
        self._by_formula: dict[CompositionKey, list[_Entry]] = {}
        self.alloys: dict[frozenset[int], list[Alloy]] = {}
        self._systems: set[frozenset[int]] = set()
        index = _index(name, tables)
        for crystal in tables[name]:
            alloy = Alloy.from_crystal(crystal)
            elements = frozenset(alloy.fractions if alloy else crystal.numbers.tolist())
            if elements not in wanted or crystal.fault is not None:
                continue
            self._systems.add(elements)
            if alloy is not None:
                self.alloys.setdefault(elements, []).append(alloy)
                continue
            entry = _Entry(crystal, None if index is None else index.get(crystal.id))
            if index is not None:
                matcher.adopt(crystal, entry.indexed)
            self._by_formula.setdefault(crystal.composition_key, []).append(entry)

    def look_up(self, crystal: Crystal, *, partial: bool) -> _Finding:
        """Return the nearest known crystal that is the same, or why there is no answer, and the nearest ones."""
        if crystal.fault is not None:
            return _Finding(reason=f'the crystal is invalid: {crystal.fault}')
        entries = self._by_formula.get(crystal.composition_key, [])
        if entries and not self._matcher.comparable(crystal):
            return _Finding(reason='the crystal is too large to be compared')
        nearest = self._nearest(crystal, entries)
        match = next((known for _, known in nearest if self._matcher.match(crystal, known)), None)
        reason = None
        if match is None and len(nearest) < len(entries):
            reason = f'a known crystal of {crystal.formula} is too large to be compared'
        elif partial and frozenset(crystal.numbers.tolist()) not in self._systems:
            reason = f'the known crystals are partial and have none of {crystal.chemical_system}'
        return _Finding(match, reason, nearest)

    def _nearest(self, crystal: Crystal, entries: Sequence[_Entry]) -> list[tuple[float, Crystal]]:
        """Return the comparable ones of some known crystals with their distances, nearest first, equal ones by id."""
        comparable = [entry for entry in entries if self._matcher.comparable(entry.crystal)]
        if not comparable:
            return []
        own = average_minimum_distances(crystal.positions, crystal.cell)
        # Rounded, distances of equal crystals are equal whatever their cells are.
        found = [(round(distance(own, entry.fingerprint), 6), entry.crystal) for entry in comparable]
        return sorted(found, key=lambda pair: (pair[0], pair[1].id))


def _index(name: str, tables: Mapping[str, Sequence[Crystal]]) -> dict[str, Crystal] | None:
    """Return the index of a table by id, None where there is none.

    Raises:
        ValueError: if it is the index of another table.
    """
    if f'{name}_index' not in tables:
        return None
    index = {crystal.id: crystal for crystal in tables[f'{name}_index']}
    strange = index.keys() - {crystal.id for crystal in tables[name]}
    if strange:
        raise ValueError(
            f'table `{name}_index` is no index of table `{name}`, which has no crystal `{min(strange)}`; build the '
            'index of this reference set'
        )
    return index


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Look each crystal up in both tables; an absent table makes the answer unknown."""
    settings = with_defaults(ABOUT, parameters)
    disordered = settings['profile'] == 'disordered'
    matcher = Matcher('default' if disordered else settings['profile'], settings['max_sites'])
    substitutions = Substitutions(settings['max_sites'], settings['composition_tolerance']) if disordered else None
    wanted = {frozenset(crystal.numbers.tolist()) for crystal in crystals}
    known, training = (
        _Known(name, tables, wanted, matcher) if name in tables else None for name in ('known', 'training')
    )
    rows = []
    for crystal in crystals:
        columns = _against_known(crystal, known, substitutions, partial=settings['known_partial'])
        rows.append({**columns, 'novel_training': _novel(crystal, training, substitutions)})
    return as_columns(ABOUT, rows)


def _against_known(
    crystal: Crystal, known: _Known | None, substitutions: Substitutions | None, *, partial: bool
) -> dict[str, Any]:
    """Return the columns on known crystals; absent ones are unknown."""
    if known is None:
        return {'novel_known_reason': 'no known crystals were given'}
    found = known.look_up(crystal, partial=partial)
    columns: dict[str, Any] = {'novel_known_reason': found.reason}
    if found.nearest:
        (columns['nearest_known_distance'], nearest), *others = found.nearest[:3]
        columns['nearest_known'] = nearest.name
        columns['other_known'] = ', '.join(f'{other.name} {gap:.2g}' for gap, other in others) or None
    match = found.match
    verdict = None if match is not None else _disorder(crystal, known, found, substitutions)
    if verdict is not None:
        columns['known_disorder'] = verdict.reason
        match = verdict.known if verdict.same else None
    if match is not None:
        return {**columns, 'novel_known': False, 'novel_known_reason': None, 'matches_known': match.name}
    return {**columns, 'novel_known': True if found.reason is None else None}


def _novel(crystal: Crystal, training: _Known | None, substitutions: Substitutions | None) -> bool | None:
    """Return whether a crystal matches none of the training set, None where this cannot be told."""
    if training is None:
        return None
    found = training.look_up(crystal, partial=False)
    if found.match is not None:
        return False
    verdict = _disorder(crystal, training, found, substitutions)
    if verdict is not None and verdict.same:
        return False
    return True if found.reason is None else None


def _disorder(crystal: Crystal, known: _Known, found: _Finding, substitutions: Substitutions | None) -> Verdict | None:
    """Return of which known crystal this one is an ordered cut or a variant; None outside profile disordered."""
    if substitutions is None or crystal.fault is not None:
        return None
    cut = substitutions.cut_of(crystal, known.alloys.get(frozenset(crystal.numbers.tolist()), []))
    if cut is not None and cut.same:
        return cut
    return substitutions.variant_of(crystal, (other for _, other in found.nearest)) or cut
