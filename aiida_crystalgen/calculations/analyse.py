"""CalcJob that runs criteria of the science floor."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.calculations.base import BatchCalculation


@t.final
class AnalyseCalculation(BatchCalculation):
    """Run a sequence of criteria over a batch and reject the rows that fail a gate."""

    _STAGE = 'analyse'
