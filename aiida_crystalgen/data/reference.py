"""The node for a set of known crystals: a reference for hulls, novelty and training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, final

import numpy as np

from aiida_crystalgen.data.base import SYMBOLS, CrystalArrayData, attribute
from aiida_crystalgen.data.crystals import Crystals

# Energies that the level of theory of the set belongs to, and those that may come from elsewhere.
ENERGIES = ('energy', 'enthalpy', 'formation_energy')
LISTED = 'listed_e_hull'
TEXTS = ('source', 'run_type', 'hubbards', 'occupancies', 'parent', 'unusable_reason')
CONVENTIONS = ('raw_mp_pbe_u', 'mp2020', 'formation', 'other', '')
FACTS = ('database', 'database_version', 'date', 'query', 'licence', 'level', 'convention', 'sha256')
SUM_TOLERANCE = 1e-6


@final
class ReferenceSet(CrystalArrayData):
    """Known crystals with their source, licence and level of theory; energies of two levels are never in one set.

    Columns, all optional but `source`: `energy`, `enthalpy` and `formation_energy` [eV/atom] at the level of the set,
    `listed_e_hull` [eV/atom] as the source has it, `run_type` and `hubbards` (for corrections), `occupancies` (of
    disordered crystals), `parent` (of ordered representatives) and `unusable_reason`. An entry that could not be read
    is a row of zero atoms.
    """

    class AttributesModel(CrystalArrayData.AttributesModel):
        """The summary that QueryBuilder can filter and project."""

        set_name: str = attribute('Name by which the set is found; empty for a part of another set.')
        database: str = attribute('Database that the crystals are from.')
        database_version: str = attribute('Version of the database.')
        date: str = attribute('Date on which they were retrieved, as their file says.')
        query: str = attribute('Query by which they were retrieved.')
        licence: str = attribute('Licence of the data.')
        citation: list[str] = attribute('What to cite.')
        level: str = attribute('Level of theory of the energies; empty where there are none.')
        convention: str = attribute('Corrections of the energies: raw_mp_pbe_u, mp2020, formation or other.')
        partial: bool = attribute('Whether crystals of its chemical systems may be missing.')
        sha256: str = attribute('Of the file or files that the set was read from; empty where a process made it.')
        n_disordered: int = attribute('Number of crystals with partly occupied sites.')
        n_unusable: int = attribute('Number of entries that could not be read or ordered.')

    def __init__(
        self,
        crystals: Crystals,
        *,
        name: str,
        database: str = '',
        database_version: str = '',
        date: str = '',
        query: str = '',
        licence: str = '',
        citation: Sequence[str] = (),
        level: str = '',
        convention: str = '',
        partial: bool = True,
        sha256: str = '',
        **kwargs: Any,
    ) -> None:
        """Make an unstored node; `name` becomes the attribute `set_name`.

        :raises ValueError: with a sentence, where crystals and facts do not agree.
        """
        super().__init__(crystals, **kwargs)
        texts = (database, database_version, date, query, licence, level, convention, sha256)
        self.base.attributes.set_many({key: str(value) for key, value in zip(FACTS, texts, strict=True)})
        self.base.attributes.set_many({'set_name': str(name), 'citation': [str(text) for text in citation]})
        self.base.attributes.set('partial', bool(partial))
        if problem := self._check_facts(crystals):
            raise ValueError(problem)

    @property
    def set_name(self) -> str:
        """Name by which the set is found."""
        return str(self.base.attributes.get('set_name'))

    @property
    def level(self) -> str:
        """Level of theory of the energies."""
        return str(self.base.attributes.get('level'))

    @property
    def convention(self) -> str:
        """Which corrections the energies have."""
        return str(self.base.attributes.get('convention'))

    @property
    def licence(self) -> str:
        """Licence of the data."""
        return str(self.base.attributes.get('licence'))

    @property
    def citation(self) -> list[str]:
        """What to cite."""
        return list(self.base.attributes.get('citation'))

    @property
    def partial(self) -> bool:
        """Whether crystals of its chemical systems may be missing: absence then proves nothing."""
        return bool(self.base.attributes.get('partial'))

    @property
    def sha256(self) -> str:
        """Of the file or files that the set was read from."""
        return str(self.base.attributes.get('sha256'))

    @property
    def n_disordered(self) -> int:
        """Number of crystals with partly occupied sites."""
        return int(self.base.attributes.get('n_disordered'))

    @property
    def n_unusable(self) -> int:
        """Number of entries that could not be read or ordered."""
        return int(self.base.attributes.get('n_unusable'))

    @property
    def energy_columns(self) -> list[str]:
        """The columns of energies [eV/atom] that the set has."""
        columns = self.base.attributes.get('columns')
        return [name for name in (*ENERGIES, LISTED) if name in columns]

    @property
    def facts(self) -> dict[str, Any]:
        """What the constructor takes besides the crystals: a set made with the same facts says the same of itself."""
        attributes = self.base.attributes
        known = {key: attributes.get(key) for key in (*FACTS, 'citation', 'partial')}
        return {'name': self.set_name, **known}

    @classmethod
    def summarise(cls, crystals: Crystals) -> dict[str, Any]:
        """Add how many crystals are disordered, and how many entries cannot be used."""
        counts = {'n_disordered': 'occupancies', 'n_unusable': 'unusable_reason'}
        return {**super().summarise(crystals), **{key: _n_known(crystals, name) for key, name in counts.items()}}

    @classmethod
    def check_crystals(cls, crystals: Crystals) -> str | None:
        """Ask for the source of each crystal, and for the right kind of the columns that are there."""
        if 'source' not in crystals.columns:
            return 'known crystals need a column `source`.'
        for name in (*ENERGIES, LISTED):
            column = crystals.columns.get(name)
            if column is not None and (column.kind, column.dtype, column.values.shape[1:], column.unit) != (
                'row', 'float', (), 'eV/atom',
            ):  # fmt: skip
                return f'column `{name}` of known crystals must be one number a row, in eV/atom.'
        for name in TEXTS:
            if name in crystals.columns and crystals.columns[name].kind != 'text':
                return f'column `{name}` of known crystals must be text.'
        return _check_reasons(crystals) or _check_occupancies(crystals)

    def _check_facts(self, crystals: Crystals) -> str | None:
        if self.convention not in CONVENTIONS:
            known = ', '.join(name for name in CONVENTIONS if name)
            return f'the convention of the energies is `{self.convention}`; it must be one of: {known}.'
        for name in ENERGIES:
            if name in crystals.columns and crystals.columns[name].level != self.level:
                return f'column `{name}` is at the level `{crystals.columns[name].level}`, not at `{self.level}`.'
        return None

    def _validate(self) -> bool:
        """Check that the energies are at the level that the node states."""
        valid = super()._validate()
        if problem := self._check_facts(self.crystals):
            from aiida.common.exceptions import ValidationError

            raise ValidationError(problem)
        return valid


def _n_known(crystals: Crystals, name: str) -> int:
    column = crystals.columns.get(name)
    if column is None:
        return 0
    return len(crystals) if column.mask is None else int((~column.mask).sum())


def _check_reasons(crystals: Crystals) -> str | None:
    """Ask why an entry has no atoms."""
    column = crystals.columns.get('unusable_reason')
    told = np.zeros(len(crystals), bool)
    if column is not None:
        told = np.ones(len(crystals), bool) if column.mask is None else ~column.mask
    silent = np.flatnonzero((np.diff(crystals.offsets) == 0) & ~told)
    return f'row {silent[0]} has no atoms and no `unusable_reason`.' if len(silent) else None


def _check_occupancies(crystals: Crystals) -> str | None:
    """Ask for one object a site, whose first element is the one in `numbers`."""
    if not _n_known(crystals, 'occupancies'):
        return None
    for row, text in enumerate(crystals.values('occupancies')):
        if text is None:
            continue
        numbers = crystals.numbers[crystals.offsets[row] : crystals.offsets[row + 1]]
        try:
            sites = json.loads(text)
            right = [_checked_majority(site) for site in sites] == [SYMBOLS[number - 1] for number in numbers]
        except (TypeError, ValueError, AttributeError, KeyError):
            right = False
        if not right:
            return f'the `occupancies` of row {row} do not describe its sites: one object a site, its shares at most 1.'
    return None


def majority(site: dict[str, float]) -> str:
    """Return the element with the largest share, of equal ones the first of the alphabet."""
    return min(site, key=lambda symbol: (-site[symbol], symbol))


def _checked_majority(site: dict[str, float]) -> str:
    """Return the element with the largest share, empty where the shares are impossible."""
    if any(value <= 0 for value in site.values()) or sum(site.values()) > 1 + SUM_TOLERANCE:
        return ''
    return majority(site)
