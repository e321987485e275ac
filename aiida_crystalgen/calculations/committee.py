"""Calcfunction of a committee of potentials: what each says of the short list, at its own hull."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.dft_hull import distances, shortlisted
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.science.committee import summarise
from aiida_crystalgen.science.crystal import Crystal

RELAXED, HULL, PHASES = 'relaxed_', 'hull_', 'phases'
FIRST: t.Final = 'e_hull_'
_PLAIN: t.Final = {'kind': 'row', 'shape': [], 'level': ''}
MEMBER: t.Final = {
    **_PLAIN,
    'dtype': 'float',
    'unit': 'eV/atom',
    'help': 'Energy above the hull by another potential of the committee, crystal and phases relaxed by it.',
}
COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    'e_hull_spread': {
        **_PLAIN,
        'dtype': 'float',
        'unit': 'eV/atom',
        'help': 'Largest minus smallest energy above the hull among the potentials, each at its own hull; unknown '
        'where fewer than two know it.',
    },
    'stable_agreement': {
        **_PLAIN,
        'dtype': 'float',
        'unit': '',
        'help': 'Share of the potentials, that of the campaign among them, that agree with it whether the energy above '
        'the hull is at most the limit; unknown where fewer than two know it.',
    },
    'committee_size': {
        **_PLAIN,
        'dtype': 'int',
        'unit': '',
        'help': 'Number of potentials, that of the campaign among them, that know an energy above the hull.',
    },
}


@calcfunction
def choose_bare(table: StructureBatch) -> StructureBatch:
    """Return the crystals on the short list by their geometry alone: energies of another potential stay behind."""
    chosen = shortlisted(table.crystals)
    return StructureBatch(chosen.drop_columns([name for name in chosen.columns if name != 'id']))


@calcfunction
def judge_committee(table: StructureBatch, limit: orm.Float, **nodes: orm.Data) -> StructureBatch:
    """Return the table with the energy above the hull by every member, their spread and their agreement.

    What a member did not relax is unknown to it. Each has a hull of phases that it relaxed itself: no two levels of
    theory meet.

    :param limit: energy above the hull up to which a crystal counts as stable [eV/atom].
    :param nodes: of each member `relaxed_<label>`, the crystals, and `hull_<label>`; `phases` that should be in them.
    :raises ValueError: when an energy is of another level than its hull.
    """
    crystals = table.crystals
    labels = sorted(name.removeprefix(HULL) for name in nodes if name.startswith(HULL))
    columns = {}
    told: list[list[float | None]] = [crystals.values('e_hull')] if 'e_hull' in crystals.columns else []
    for label in labels:
        hull = t.cast(HullReference, nodes[HULL + label])
        relaxed = t.cast(StructureBatch, nodes[RELAXED + label]).crystals
        # Where a member relaxed nothing there is no energy, and so no level.
        level = relaxed.columns['enthalpy'].level if 'enthalpy' in relaxed.columns else hull.level
        judged = distances([(Crystal.from_row(row), level) for row in relaxed.rows()], level, hull, nodes[PHASES])
        found = dict(zip(relaxed.ids, [row.get('e_hull') for row in judged], strict=True))
        values = [found.get(name) for name in crystals.ids]
        told.append(values)
        columns[FIRST + label] = make_column(values, {**MEMBER, 'level': hull.level}, name=FIRST + label)
    summaries = [summarise(entries, limit.value) for entries in zip(*told, strict=True)]
    for name, meta in COLUMNS.items():
        columns[name] = make_column([summary[name] for summary in summaries], meta, name=name)
    return StructureBatch(crystals.with_columns(columns))
