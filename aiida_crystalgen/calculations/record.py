"""Calcfunction that ties an attempt in the laboratory to the crystal of a campaign."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.data.batch import StructureBatch

# What was predicted of the crystal, as far as the table says it.
VERDICTS: t.Final = (
    'rank', 'formula', 'e_hull', 'dft_e_hull', 'phonon_verdict', 'novel_known', 'pareto_front', 'priority',
    'e_hull_spread', 'stable_agreement',
)  # fmt: skip


@calcfunction
def record_attempt(
    table: StructureBatch, crystal_id: orm.Str, attempt: orm.Dict, pattern: orm.SinglefileData | None = None
) -> orm.Dict:
    """Return the attempt together with what was predicted of the crystal.

    :param attempt: `made` (whether the crystal was made), `conditions` (a text) and whatever else.
    :param pattern: a measured powder pattern or another file of the laboratory.
    :raises ValueError: for a crystal that is not in the table.
    """
    crystals = table.crystals
    if crystal_id.value not in crystals.ids:
        raise ValueError(f'the table holds no crystal `{crystal_id.value}`')
    row = crystals.row(crystals.ids.index(crystal_id.value))['columns']
    return orm.Dict(
        {
            'id': crystal_id.value,
            **attempt.get_dict(),
            'pattern': None if pattern is None else pattern.filename,
            'predicted': {name: row[name] for name in VERDICTS if name in row},
        }
    )
