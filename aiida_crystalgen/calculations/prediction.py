"""Calcfunctions of crystal structure prediction: what each draw is told, and what was found of the targets."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.science.crystal import CompositionKey, reduced
from aiida_crystalgen.science.prediction import matches_of
from aiida_crystalgen.science.prediction_rates import Candidate, Draw, summary

# Endings of the columns of the criterion `prediction`: of crystals as they were drawn, and of relaxed ones.
GENERATED: t.Final = '_generated'
RELAXED: t.Final = ''
_DUPLICATE_OF: t.Final = 'duplicate_of_generated'


@calcfunction
def tell_targets(draws: orm.Dict, **parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return for each draw the parameters of its generator with the composition in them, and its label.

    :param draws: what is drawn: `draws`, by label, with the `generator` and the `parameters` that it is told.
    :param parameters: parameters by generator.
    """
    outputs: dict[str, orm.Data] = {}
    for label, draw in draws.get_dict()['draws'].items():
        if draw['parameters'] is not None:
            told = {**parameters[draw['generator']].get_dict(), **draw['parameters']}
            outputs[f'parameters_{label}'] = orm.Dict(told)
            outputs[f'label_{label}'] = orm.Str(label)
    return outputs


@calcfunction
def judge_prediction(
    table: StructureBatch,
    targets: ReferenceSet,
    draws: orm.Dict,
    rejected: StructureBatch | None = None,
    relaxed_targets: StructureBatch | None = None,
) -> orm.Dict:
    """Return match rates, METRe and displacements of every generator at three tolerances, and of every target.

    Rows that were rejected count with what was found of them until then. A copy that was removed before relaxation
    counts after it as the crystal that it is a copy of.

    :param draws: `draws`, by label: the `generator`, the ids of its `targets`, the number of candidates `n`.
    :param relaxed_targets: the targets as the potential of the campaign relaxed them.
    """
    rows = _rows(table.crystals) + ([] if rejected is None else _rows(rejected.crystals))
    groups: dict[tuple[str, CompositionKey | None], list[dict[str, t.Any]]] = {}
    for row in sorted(rows, key=lambda row: int(row['index'])):
        # Each row is found by its label, and by its label and formula: a lost row has no formula.
        for key in {None, reduced(row['numbers'])}:
            groups.setdefault((row['columns'].get('generator'), key), []).append(row)
    formulas = {row['id']: reduced(row['numbers']) for row in targets.crystals.rows()}
    generated: dict[str, list[Draw]] = {}
    after: dict[str, list[Draw]] = {}
    by_id = {row['id']: row for row in rows}
    for label, draw in draws.get_dict()['draws'].items():
        # What reads files is told no composition: its crystals are those of the formula, whatever their number.
        told = draw['parameters'] is not None
        members = groups.get((label if told else draw['generator'], None if told else formulas[draw['targets'][0]]), [])
        members = members[: draw['n']]
        for ending, by_generator in ((GENERATED, generated), (RELAXED, after)):
            candidates = tuple(_candidate(_standing_for(row, by_id, ending), ending) for row in members)
            by_generator.setdefault(draw['generator'], []).append(Draw(tuple(draw['targets']), draw['n'], candidates))
    columns = {} if relaxed_targets is None else relaxed_targets.crystals.columns
    content = {
        **summary(generated, None if relaxed_targets is None else after),
        'candidates': draws.get_dict()['candidates'],
        'level': columns['enthalpy'].level if 'enthalpy' in columns else '',
        'targets': _targets(targets, generated, after, relaxed_targets),
    }
    return orm.Dict(content)


def _rows(crystals: Crystals) -> list[dict[str, t.Any]]:
    return list(crystals.rows())


def _standing_for(row: dict[str, t.Any], by_id: dict[str, dict[str, t.Any]], ending: str) -> dict[str, t.Any]:
    """Return the row that was relaxed in the place of one: of a copy that was removed, its representative."""
    twin = row['columns'].get(_DUPLICATE_OF) if ending == RELAXED else None
    return by_id.get(twin, row) if twin is not None else row


def _candidate(row: dict[str, t.Any], ending: str) -> Candidate:
    columns = row['columns']
    return Candidate(
        matches=matches_of(columns.get(f'target_matches{ending}')),
        enthalpy=columns.get('enthalpy') if ending == RELAXED else None,
        over_target=columns.get('energy_over_target') if ending == RELAXED else None,
    )


def _targets(
    targets: ReferenceSet,
    generated: dict[str, list[Draw]],
    relaxed: dict[str, list[Draw]],
    relaxed_targets: StructureBatch | None,
) -> list[dict[str, t.Any]]:
    """Return every target with its energy, and how near each generator came to it at the loosest tolerance."""
    known: dict[str, dict[str, t.Any]] = {}
    if relaxed_targets is not None:
        known = {row['id']: row['columns'] for row in relaxed_targets.crystals.rows()}
    found = []
    for row in targets.crystals.rows():
        columns = known.get(row['id'], {})
        found.append(
            {
                'id': row['id'],
                'name': row['columns'].get('source') or row['id'],
                'enthalpy': columns.get('enthalpy'),
                'volume_change': columns.get('volume_change'),
                'as_drawn': {name: _nearest(row['id'], draws) for name, draws in generated.items()},
                'relaxed': {name: _nearest(row['id'], draws) for name, draws in relaxed.items()} if known else None,
            }
        )
    return found


def _nearest(target: str, draws: list[Draw]) -> float | None:
    """Return the smallest displacement of all candidates of a generator from a target, None where none matches."""
    values = (draw.best(target, 'loose', draw.requested) for draw in draws)
    return min((value for value in values if value is not None), default=None)
