"""CalcJob that relaxes crystals with a machine-learned potential."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.calculations.base import BatchCalculation


@t.final
class RelaxCalculation(BatchCalculation):
    """Relax cell and positions of every crystal with one potential and write its energy."""

    _STAGE = 'relax'
