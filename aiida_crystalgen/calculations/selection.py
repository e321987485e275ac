"""Calcfunctions that choose: competing phases, gates on columns, the funnel, one crystal for DFT."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.fingerprints import digest_of, geometry_digests
from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.data.rejections import rejected_rows
from aiida_crystalgen.science import metrics
from aiida_crystalgen.science.gates import judge

_FINGERPRINT: t.Final = {
    'kind': 'text',
    'dtype': 'text',
    'shape': [],
    'unit': '',
    'level': '',
    'help': 'sha256 of the geometry before relaxation.',
}
ATOMIC_NUMBERS: t.Final = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}
_PHASE_COLUMNS: t.Final = ('id', 'source', 'fingerprint', 'energy', 'enthalpy', 'converged', 'pressure')


@calcfunction
def choose_phases(
    reference: ReferenceSet, candidates: StructureBatch, known_hull: HullReference | None = None
) -> dict[str, StructureBatch]:
    """Return as `phases` the competing phases that matter for the candidates, as `missing` those yet to be relaxed.

    Their energies stay behind: those of the hull are computed anew.
    """
    wanted = {ATOMIC_NUMBERS[element] for element in candidates.base.attributes.get('elements')}
    index = [i for i, row in enumerate(reference.crystals.rows()) if set(row['numbers'].tolist()) <= wanted]
    crystals = reference.crystals.select(index)
    crystals = crystals.drop_columns([name for name in crystals.columns if name not in {'id', 'source'}])
    known = set(known_hull.crystals.values('fingerprint')) if known_hull is not None else set()
    missing = [i for i, digest in enumerate(geometry_digests(crystals)) if digest not in known]
    return {'phases': StructureBatch(crystals), 'missing': StructureBatch(crystals.select(missing))}


@calcfunction
def build_hull(phases: StructureBatch, reference: ReferenceSet, **sources: orm.Data) -> HullReference:
    """Return the relaxed competing phases, newly relaxed ones and those of an earlier campaign alike.

    Only phases that matter for this campaign enter, so that the hull is the same whether an earlier one was at hand or
    not, and whatever else that one holds.

    :param phases: the competing phases that matter, as they were given.
    :param reference: the set that they are from, which says source and licence, and whether it is partial.
    :param sources: `relaxed` and `known_hull`, and what fixes the level: bundle, parameters, environment, model.
    :raises ValueError: when the earlier hull was made in another way; both levels are named.
    """
    relaxed, known = sources.pop('relaxed', None), sources.pop('known_hull', None)
    protocol = digest_of(sources)
    digests = dict(zip(phases.ids, geometry_digests(phases.crystals), strict=True))
    found: dict[str, Crystals] = {}
    levels = set()
    if known is not None:
        if known.protocol != protocol:
            raise ValueError(f'the earlier hull is at the level `{known.level}`, made in another way than this one')
        levels.add(known.level)
        for i, digest in enumerate(known.crystals.values('fingerprint')):
            found[digest] = known.crystals.select([i])
    if relaxed is not None:
        levels.add(relaxed.crystals.columns['enthalpy'].level)
        fresh = relaxed.crystals
        fresh = fresh.with_columns({'fingerprint': make_column([digests[name] for name in fresh.ids], _FINGERPRINT)})
        fresh = fresh.drop_columns([name for name in fresh.columns if name not in _PHASE_COLUMNS])
        found.update({digest: fresh.select([i]) for i, digest in enumerate(fresh.values('fingerprint'))})
    if len(levels) != 1:
        raise ValueError(f'one hull needs one level of theory, here are {sorted(levels)}')
    # The order and the ids are those of the phases as given, whichever campaign relaxed them.
    rows = [{**found[digest].row(0), 'id': name} for name, digest in digests.items() if digest in found]
    meta = next(iter(found.values())).meta()
    return HullReference(
        Crystals.from_rows(rows, meta),
        level=levels.pop(),
        protocol=protocol,
        source=reference.set_name,
        licence=reference.licence,
        partial=reference.partial,
    )


@calcfunction
def filter_rows(batch: StructureBatch, filters: orm.Dict) -> dict[str, StructureBatch]:
    """Apply gates on columns: `batch` holds the rows that pass all of them, `rejected` the others."""
    crystals = batch.crystals
    verdicts = []
    for row in crystals.rows():
        judged = (judge(gate, row['columns'], name) for name, gate in filters.get_dict().items())
        verdicts.append(next((verdict for verdict in judged if verdict is not None), None))
    kept = crystals.select([i for i, verdict in enumerate(verdicts) if verdict is None])
    lost = crystals.select([i for i, verdict in enumerate(verdicts) if verdict is not None])
    outputs = {'batch': StructureBatch(kept)}
    if len(lost):
        outputs['rejected'] = StructureBatch(rejected_rows(lost, 'filter', [v for v in verdicts if v is not None]))
    return outputs


@calcfunction
def funnel(
    table: StructureBatch,
    rejected: StructureBatch | None = None,
    not_told: orm.Dict | None = None,
    **reports: orm.Dict,
) -> orm.Dict:
    """Count every stage, with reasons, cost, and S.U.N. with intervals both ways.

    :param not_told: conditions of the campaign that a generator could not be told, by its label.
    :param reports: reports of the stages; the draws are `generate_<label>`, the competing phases `references`.
    """
    rows = [*_flat(table.crystals), *(_flat(rejected.crystals) if rejected is not None else [])]
    jobs: dict[str, list[dict[str, t.Any]]] = {}
    for name, report in reports.items():
        jobs.setdefault(name.partition('_')[0], []).append(report.get_dict())
    level = _level_of_hull(table) or str(jobs.get('relax', [{}])[0].get('level', ''))
    rates = metrics.sun(rows, len(rows), level)
    cost = metrics.cost(jobs, rates[-1]['sun']['count'])
    stages = [counts for counts in metrics.funnel(rows) if counts['stage'] != 'relax' or 'relax' in jobs]
    return orm.Dict(
        {
            'requested': len(rows),
            'level': level,
            'stages': [_stage(counts, cost['stages'].get(counts['stage'], {})) for counts in stages],
            'sun': {f'{rate["tau"]:g}': _both_ways(rate, len(rows)) for rate in rates},
            'cost': cost,
            'not_told': not_told.get_dict() if not_told is not None else {},
        }
    )


def _level_of_hull(table: StructureBatch) -> str:
    """Return the level of theory of the distances to the hull, empty where there are none."""
    columns = table.crystals.columns
    return columns['e_hull'].level if 'e_hull' in columns else ''


def _stage(counts: dict[str, t.Any], cost: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return one stage of the funnel: what came in and went out, reasons, and what it cost."""
    return {
        'stage': counts['stage'],
        'in': counts['entered'],
        'out': counts['kept'],
        'rejected': counts['reasons'],
        'seconds': cost.get('seconds'),
        'evaluations': cost.get('evaluations'),
        'device': ', '.join(cost.get('devices', [])),
    }


def _both_ways(rate: dict[str, t.Any], n: int) -> dict[str, t.Any]:
    """Return S.U.N. at one limit: novelty that was not tested counts as not novel, and as novel."""
    ways = {'tested_only': rate['sun'], 'untested_as_novel': rate['sun_untested_novel']}
    return {
        way: {'k': found['count'], 'n': n, **{key: found[key] for key in ('rate', 'low', 'high')}}
        for way, found in ways.items()
    }


def _flat(crystals: Crystals) -> list[dict[str, t.Any]]:
    """Return rows as dictionaries of id and columns."""
    return [{'id': row['id'], **row['columns']} for row in crystals.rows()]


@calcfunction
def promote(batch: StructureBatch, crystal_id: orm.Str) -> orm.StructureData:
    """Turn one crystal into a `StructureData`, for DFT: from here provenance is per crystal."""
    from aiida_crystalgen.data.structures import to_structure_data

    chosen = batch.crystals.select([batch.ids.index(crystal_id.value)])
    # The columns stay with the batch, one link away: a `StructureData` holds geometry alone.
    return to_structure_data(chosen.drop_columns([name for name in chosen.columns if name != 'id']))[0]
