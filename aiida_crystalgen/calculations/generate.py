"""CalcJob that draws crystals from a generator."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.calculations.base import BatchCalculation


@t.final
class GenerateCalculation(BatchCalculation):
    """Fill the empty rows of a request with crystals drawn from a generator."""

    _STAGE = 'generate'
