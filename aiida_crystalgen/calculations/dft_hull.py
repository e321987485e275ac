"""Calcfunctions of the hull of an engine: competing phases at one level of theory, and distances to them."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.fingerprints import geometry_digests
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.stability import evaluate

_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_ENERGY: t.Final = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom'}
# What a hull says of a crystal: columns of the criterion `stability`.
JUDGED: t.Final = ('formation_energy', 'e_hull', 'e_hull_reason', 'decomposition')


def level_label(level: orm.Dict) -> str:
    """Return the level of theory as energies carry it: engine, functional and fingerprint."""
    return f'{level["engine"]}:{level.get("functional") or "?"}:{level["fingerprint"]}'


@calcfunction
def choose_competitors(
    reference: ReferenceSet, candidates: StructureBatch, known_hull: HullReference | None = None
) -> dict[str, StructureBatch]:
    """Return as `phases` all phases within the chemical system of a candidate, as `missing` those yet to be computed.

    Phases of equal geometry are one. Their energies stay behind: those of the hull are computed anew.

    :param candidates: the crystals to be compared with them, those on the short list where the batch has one.
    """
    systems = {frozenset(row['numbers'].tolist()) for row in shortlisted(candidates.crystals).rows()}
    crystals = reference.crystals.drop_columns(
        [name for name in reference.crystals.columns if name not in {'id', 'source'}]
    )
    digests, index = geometry_digests(crystals), []
    for i, row in enumerate(crystals.rows()):
        elements = set(row['numbers'].tolist())
        if elements and digests[i] not in digests[:i] and any(elements <= system for system in systems):
            index.append(i)
    known = set(known_hull.crystals.values('fingerprint')) if known_hull is not None else set()
    missing = [i for i in index if digests[i] not in known]
    return {'phases': StructureBatch(crystals.select(index)), 'missing': StructureBatch(crystals.select(missing))}


def shortlisted(crystals: Crystals) -> Crystals:
    """Return the crystals on the short list, all where there is none."""
    if 'shortlisted' not in crystals.columns:
        return crystals
    return crystals.select([i for i, value in enumerate(crystals.values('shortlisted')) if value])


@calcfunction
def build_dft_hull(
    phases: StructureBatch,
    reference: ReferenceSet,
    level: orm.Dict,
    known_hull: HullReference | None = None,
    **outcomes: orm.Dict,
) -> HullReference:
    """Return the competing phases that the engine finished, those of an earlier campaign and new ones alike.

    A phase that it did not finish is not in it; `judge_verified` then calls the hull of its systems incomplete.

    :param phases: the competing phases that matter, as they were given.
    :param outcomes: what `tell_outcome` says of the phases computed now.
    :raises ValueError: when energies of two levels would meet; both are named.
    """
    label = level_label(level)
    found: dict[str, dict[str, t.Any]] = {}
    if known_hull is not None:
        refuse_other_level(label, known_hull.level)
        for row in known_hull.crystals.rows():
            found[row['columns']['fingerprint']] = row
    digests = dict(zip(phases.ids, geometry_digests(phases.crystals), strict=True))
    for node in outcomes.values():
        outcome = node.get_dict()
        if outcome['status'] != 'finished':
            continue
        refuse_other_level(label, outcome['level'])
        energy = outcome['results']['energy_per_atom']
        found[digests[outcome['id']]] = {**outcome['relaxed'], 'columns': {'energy': energy, 'enthalpy': energy}}
    sources = dict(zip(phases.ids, phases.crystals.values('source'), strict=True))
    rows = [
        {**found[digest], 'id': name, 'columns': {
            'energy': found[digest]['columns']['energy'], 'enthalpy': found[digest]['columns']['enthalpy'],
            'source': sources[name], 'fingerprint': digest,
        }}
        for name, digest in digests.items() if digest in found
    ]  # fmt: skip
    energy = {**_ENERGY, 'level': label}
    metas = {
        'energy': {**energy, 'help': 'Total energy, smearing extrapolated to zero.'},
        'enthalpy': {**energy, 'help': 'The energy: the engine relaxes at no pressure.'},
        'source': {**_TEXT, 'help': 'Where the phase is from.'},
        'fingerprint': {**_TEXT, 'help': 'sha256 of the geometry before relaxation.'},
    }
    return HullReference(
        Crystals.from_rows(rows, metas),
        level=label,
        protocol=level['fingerprint'],
        source=reference.set_name,
        licence=reference.licence,
        partial=reference.partial,
    )


def refuse_other_level(ours: str, theirs: str) -> None:
    """Refuse energies of another level of theory.

    :raises ValueError: which names both.
    """
    if ours != theirs:
        raise ValueError(
            f'one hull needs one level of theory: `{ours}` and `{theirs}` do not meet; compute both with the same '
            'engine, Code and settings'
        )


def distances(
    candidates: list[tuple[Crystal, str]],
    label: str,
    hull: HullReference | None,
    phases: StructureBatch | None,
) -> list[dict[str, t.Any]]:
    """Return for each crystal the columns `JUDGED`; where a competing phase has no energy the distance is unknown.

    :param candidates: crystals with a column `enthalpy`, and the level of theory of each.
    :param label: the level of theory of the hull.
    :param phases: all phases that should be in the hull.
    :raises ValueError: when an energy is of another level than the hull; both are named.
    """
    for _, level in candidates:
        refuse_other_level(label, level)
    if hull is None:
        return [{'e_hull_reason': 'no competing phases were computed at this level'} for _ in candidates]
    refuse_other_level(label, hull.level)
    settings = {'level_candidates': label, 'level_hull': hull.level, 'hull_partial': hull.partial}
    table = [Crystal.from_row(row) for row in hull.crystals.rows()]
    found = evaluate([crystal for crystal, _ in candidates], settings, {'hull': table})
    absent = _absent(hull, phases)
    rows = []
    for i, (crystal, _) in enumerate(candidates):
        row = {name: found[name][i] for name in JUDGED if name in found}
        rows.append(_incomplete(row, absent, set(crystal.numbers.tolist())))
    return rows


def _absent(hull: HullReference, phases: StructureBatch | None) -> list[Crystal]:
    """Return the phases without an energy."""
    held = set(hull.crystals.values('fingerprint'))
    if phases is None:
        return []
    digests = geometry_digests(phases.crystals)
    return [
        Crystal.from_row(row) for row, digest in zip(phases.crystals.rows(), digests, strict=True) if digest not in held
    ]


def _incomplete(row: dict[str, t.Any], absent: list[Crystal], elements: set[int]) -> dict[str, t.Any]:
    """Take away what cannot be known without the phases that have no energy."""
    lacking = [phase for phase in absent if set(phase.numbers.tolist()) <= elements]
    if not lacking:
        return row
    names = ', '.join(sorted(f'{phase.formula} ({phase.name})' for phase in lacking))
    reason = f'the reference is incomplete: the engine has no energy of {names}'
    is_pure = any(len(set(phase.numbers.tolist())) == 1 for phase in lacking)
    formation = None if is_pure else row.get('formation_energy')
    return {'formation_energy': formation, 'e_hull_reason': reason}
