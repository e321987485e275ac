"""Calcfunctions that cut, join and complete batches; each takes a fraction of a second."""

from __future__ import annotations

import itertools
import math
import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.bundles import read_about, units_of
from aiida_crystalgen.calculations.fingerprints import DRAW_DIGITS, digest_of, seed_of
from aiida_crystalgen.data.base import CrystalArrayData
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.rejections import rejected_rows

_PLAIN: t.Final = {'shape': [], 'unit': '', 'level': ''}
_GENERATOR: t.Final = {**_PLAIN, 'kind': 'text', 'dtype': 'text', 'help': 'Label of the generator.'}
_SEED: t.Final = {**_PLAIN, 'kind': 'row', 'dtype': 'int', 'help': 'Seed of the draw unit that the crystal is from.'}
LARGEST_MERGE: t.Final = 32


@calcfunction
def plan(n_crystals: orm.Int, generator: orm.Str, **sources: orm.Data) -> StructureBatch:
    """Return the request for a draw: empty rows whose ids name the draw and count from zero.

    :param n_crystals: number of rows.
    :param generator: label of the generator, which becomes a column.
    :param sources: what determines the draw: bundle, parameters (with the seed), model, assets, tables.
    """
    draw = digest_of(sources)[:DRAW_DIGITS]
    request = Crystals.empty([f'{draw}-{index}' for index in range(n_crystals.value)])
    with t.cast(orm.SinglefileData, sources['bundle']).open(mode='rb') as handle:
        units = units_of(read_about(handle), sources['parameters'].get_dict())
    columns = {
        'generator': make_column([generator.value] * len(request), _GENERATOR),
        'seed': make_column([seed_of(draw, index // units * units) for index in range(len(request))], _SEED),
    }
    return StructureBatch(request.with_columns(columns))


@calcfunction
def split(batch: StructureBatch, n_lanes: orm.Int) -> dict[str, StructureBatch]:
    """Deal the rows out to lanes, as evenly as can be; every lane gets consecutive rows."""
    crystals = batch.crystals
    bounds = [len(crystals) * lane // n_lanes.value for lane in range(n_lanes.value + 1)]
    return {
        f'lane_{lane:02d}': StructureBatch(crystals.select(range(first, last)))
        for lane, (first, last) in enumerate(itertools.pairwise(bounds))
        if last > first
    }


@calcfunction
def cut(batch: CrystalArrayData, chunk_size: orm.Int) -> dict[str, StructureBatch]:
    """Cut a batch into at most 32 pieces of whole chunks; pieces above the chunk size are to be cut again."""
    crystals = batch.crystals
    size = chunk_size.value * math.ceil(len(crystals) / (chunk_size.value * LARGEST_MERGE))
    starts = range(0, len(crystals), size)
    return {
        f'piece_{piece:02d}': StructureBatch(crystals.select(range(start, min(start + size, len(crystals)))))
        for piece, start in enumerate(starts)
    }


@calcfunction
def remaining(asked: CrystalArrayData, **returned: StructureBatch) -> StructureBatch:
    """Return the rows that were asked for and did not come back, neither kept nor rejected."""
    done = {crystal_id for batch in returned.values() for crystal_id in batch.ids}
    return StructureBatch(asked.crystals.select([i for i, name in enumerate(asked.ids) if name not in done]))


@calcfunction
def give_up(asked: CrystalArrayData, first: orm.Dict, second: orm.Dict) -> StructureBatch:
    """Return as rejected the rows that were in flight at two deaths of a job.

    :param first: report of the earlier death.
    :param second: report of the later one.
    """
    doomed = set(first.get_dict().get('in_flight', [])) & set(second.get_dict().get('in_flight', []))
    rows = asked.crystals.select([i for i, name in enumerate(asked.ids) if name in doomed])
    reason = {'reason': 'killed_process', 'detail': 'It was being worked on at two deaths of the job.'}
    return StructureBatch(rejected_rows(rows, str(second.get_dict().get('stage', '')), [reason] * len(rows)))


@calcfunction
def merge(**batches: StructureBatch) -> StructureBatch:
    """Join at most 32 batches in the order of their names."""
    return StructureBatch(Crystals.concatenate([batches[name].crystals for name in sorted(batches)]))


@calcfunction
def sum_reports(**reports: orm.Dict) -> orm.Dict:
    """Add up the reports of the jobs of one stage."""
    return orm.Dict(add_reports([reports[name].get_dict() for name in sorted(reports)]))


def add_reports(reports: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Return one report with counts, seconds and evaluations summed; unknown stays unknown."""

    def total(*keys: str) -> float | None:
        found: list[float] = []
        for report in reports:
            value: t.Any = report
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                found.append(value)
        return sum(found) if found else None

    return {
        'n_jobs': sum(int(report.get('n_jobs', 1)) for report in reports),
        'counts': {key: total('counts', key) for key in ('given', 'finished', 'rejected')},
        'seconds': {key: total('seconds', key) for key in ('wall', 'rows', 'cpu')},
        'evaluations': total('evaluations'),
        'device': ', '.join(sorted({str(report['device']) for report in reports if report.get('device')})),
        'level': ', '.join(sorted({str(report['level']) for report in reports if report.get('level')})),
        'versions': {name: version for report in reports for name, version in report.get('versions', {}).items()},
    }
