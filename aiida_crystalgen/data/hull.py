"""The node for the competing phases of an energy hull."""

from __future__ import annotations

from typing import Any, final

from aiida_crystalgen.data.base import CrystalArrayData, attribute
from aiida_crystalgen.data.crystals import Crystals

ENERGIES = ('energy', 'enthalpy')
TEXTS = ('source', 'fingerprint')


@final
class HullReference(CrystalArrayData):
    """Known phases relaxed with one potential by one protocol: the corners of a same-model hull.

    Columns: `energy` and `enthalpy` [eV/atom], `source` (where the phase is from) and `fingerprint` (sha256 of its
    geometry before relaxation, by which it is found again).
    """

    class AttributesModel(CrystalArrayData.AttributesModel):
        """The summary that QueryBuilder can filter and project."""

        level: str = attribute('Level of theory of the energies.')
        protocol: str = attribute('Fingerprint of bundle, model and parameters of the relaxation.')
        phases_source: str = attribute('Where the set of phases is from.')
        licence: str = attribute('Licence of the set of phases.')
        partial: bool = attribute('Whether chemical systems may be missing: absence then proves nothing.')

    def __init__(
        self,
        crystals: Crystals,
        *,
        level: str,
        source: str,
        protocol: str = '',
        licence: str = '',
        partial: bool = True,
        **kwargs: Any,
    ) -> None:
        """Make an unstored node; `source` becomes the attribute `phases_source` (`Data.source` is a dictionary)."""
        super().__init__(crystals, **kwargs)
        texts = {'level': level, 'protocol': protocol, 'phases_source': source, 'licence': licence}
        self.base.attributes.set_many({**texts, 'partial': bool(partial)})
        if problem := self._check_level(crystals):
            raise ValueError(problem)

    @property
    def level(self) -> str:
        """Level of theory of the energies."""
        return str(self.base.attributes.get('level'))

    @property
    def protocol(self) -> str:
        """Fingerprint of bundle, model and parameters of the relaxation."""
        return str(self.base.attributes.get('protocol'))

    @property
    def phases_source(self) -> str:
        """Where the set of phases is from."""
        return str(self.base.attributes.get('phases_source'))

    @property
    def licence(self) -> str:
        """Licence of the set of phases."""
        return str(self.base.attributes.get('licence'))

    @property
    def partial(self) -> bool:
        """Whether chemical systems may be missing."""
        return bool(self.base.attributes.get('partial'))

    @classmethod
    def check_crystals(cls, crystals: Crystals) -> str | None:
        """Ask for the energies, the source and the fingerprint of each phase."""
        for name in (*ENERGIES, *TEXTS):
            if name not in crystals.columns:
                return f'competing phases need a column `{name}`.'
        for name in ENERGIES:
            column = crystals.columns[name]
            if (column.kind, column.dtype, column.values.shape[1:], column.unit) != ('row', 'float', (), 'eV/atom'):
                return f'column `{name}` of competing phases must be one number a row, in eV/atom.'
        wrong = [name for name in TEXTS if crystals.columns[name].kind != 'text']
        return f'column `{wrong[0]}` of competing phases must be text.' if wrong else None

    def _check_level(self, crystals: Crystals) -> str | None:
        for name in ENERGIES:
            if crystals.columns[name].level != self.level:
                return f'column `{name}` is at the level `{crystals.columns[name].level}`, not at `{self.level}`.'
        return None

    def _validate(self) -> bool:
        """Check that the energies are at the level that the node states."""
        valid = super()._validate()
        if problem := self._check_level(self.crystals):
            from aiida.common.exceptions import ValidationError

            raise ValidationError(problem)
        return valid
