"""The node for a batch of crystals."""

from __future__ import annotations

from typing import Any, final

from aiida_crystalgen.data.base import CrystalArrayData, attribute
from aiida_crystalgen.data.crystals import Crystals

DRAWS_LISTED = 64


@final
class StructureBatch(CrystalArrayData):
    """Crystals on their way from a generator to the ranked table."""

    class AttributesModel(CrystalArrayData.AttributesModel):
        """The summary that QueryBuilder can filter and project."""

        draws: list[str] = attribute(f'Draws of the crystals, in alphabetical order, at most {DRAWS_LISTED}.')
        n_draws: int = attribute('Number of draws.')

    @classmethod
    def summarise(cls, crystals: Crystals) -> dict[str, Any]:
        """Add the draws: what stands before the last `-` of an id."""
        draws = sorted({crystal_id.rpartition('-')[0] for crystal_id in crystals.ids} - {''})
        return {**super().summarise(crystals), 'draws': draws[:DRAWS_LISTED], 'n_draws': len(draws)}
