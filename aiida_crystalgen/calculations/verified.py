"""Calcfunctions between a batch and an engine: crystals to be computed, and their results back as columns."""

from __future__ import annotations

import re
import typing as t

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.dft_hull import distances, level_label, shortlisted
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.structures import from_structure_data, to_structure_data
from aiida_crystalgen.science.calibration import calibrate
from aiida_crystalgen.science.crystal import Crystal

PROMOTED: t.Final = 'crystal_'
UNCONVERGED: t.Final = 404
_OURS: t.Final = ('VerifyWorkChain', 'EnginePhononWorkChain')

_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_NUMBER: t.Final = {'kind': 'row', 'dtype': 'float', 'shape': [], 'level': ''}
_ENERGY: t.Final = {**_NUMBER, 'unit': 'eV/atom'}
COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    'dft_status': {**_TEXT, 'help': 'What the engine made of the crystal: finished, unconverged or failed.'},
    'dft_reason': {**_TEXT, 'help': 'Why it did not finish.'},
    'dft_energy_per_atom': {**_ENERGY, 'help': 'Total energy, smearing extrapolated to zero.'},
    'dft_formation_energy': {**_ENERGY, 'help': 'Energy relative to the elements, computed at the same level.'},
    'dft_e_hull': {
        **_ENERGY,
        'help': 'Energy above the hull of the competing phases, computed at the same level; negative where the crystal '
        'breaks it.',
    },
    'dft_e_hull_reason': {**_TEXT, 'help': 'Why the energy above the hull is unknown.'},
    'dft_decomposition': {**_TEXT, 'help': 'Phases on the hull at this composition, amounts as fractions of atoms.'},
    'dft_volume_per_atom': {**_NUMBER, 'unit': 'A^3', 'help': 'Volume over atoms, as the engine relaxed the crystal.'},
    'dft_pressure': {**_NUMBER, 'unit': 'GPa', 'help': 'What pressure is left in the relaxed cell, at the last step.'},
    'dft_max_force': {**_NUMBER, 'unit': 'eV/A', 'help': 'Largest force on an atom at the last step.'},
    'dft_band_gap': {
        **_NUMBER,
        'unit': 'eV',
        'help': 'Gap between the states on the mesh of k points: an upper bound of that of the functional, which is '
        'itself below the measured one for PBE.',
    },
    'dft_magnetic_density': {
        **_NUMBER,
        'unit': '1/A^3',
        'help': 'Total magnetisation over volume, in Bohr magnetons, of the ferromagnetic start; 0 without spin.',
    },
}
_LEVELS: t.Final = ('dft_energy_per_atom', 'dft_formation_energy', 'dft_e_hull')
_RESULTS: t.Final = {
    'dft_energy_per_atom': 'energy_per_atom',
    'dft_pressure': 'pressure_GPa',
    'dft_max_force': 'max_force',
    'dft_band_gap': 'band_gap_eV',
    'dft_magnetic_density': 'magnetization_density',
}
# What the comparison calls a quantity of the potential, and the columns that hold it.
_COMPARED: t.Final = {'volume': 'volume_per_atom_relaxed', 'dft_volume': 'dft_volume_per_atom'}


@calcfunction
def promote_rows(batch: StructureBatch, n_crystals: orm.Int | None = None) -> dict[str, orm.StructureData]:
    """Turn the crystals on the short list into one `StructureData` each, labelled with the id.

    :param n_crystals: only so many of them, the first ones.
    """
    chosen = shortlisted(batch.crystals)
    if n_crystals is not None:
        chosen = chosen.select(list(range(min(n_crystals.value, len(chosen)))))
    chosen = chosen.drop_columns([name for name in chosen.columns if name != 'id'])
    return {PROMOTED + node.label.replace('-', '_'): node for node in to_structure_data(chosen)}


@calcfunction
def tell_outcome(
    crystal: orm.StructureData,
    level: orm.Dict,
    results: orm.Dict | None = None,
    relaxed: orm.StructureData | None = None,
) -> orm.Dict:
    """Return what became of one crystal: `id`, `status`, `reason`, `level`, `results` and the `relaxed` geometry.

    How a process ended is no node, so it is read off the process that the crystal went into.

    :param results: of a process that has some; it may have failed later.
    """
    status, message = ending_of(crystal)
    word = 'finished' if status == 0 else 'unconverged' if status == UNCONVERGED and results is not None else 'failed'
    content: dict[str, t.Any] = {
        'id': crystal.label,
        'status': word,
        'exit_status': status,
        'reason': message,
        'level': level_label(level),
        'results': None if results is None or word == 'failed' else results.get_dict(),
    }
    if relaxed is not None and word != 'failed':
        row = from_structure_data([relaxed]).row(0)
        content['relaxed'] = {
            key: np.asarray(row[key]).tolist() for key in ('numbers', 'positions', 'cell', 'pbc')
        }  # fmt: skip
    return orm.Dict(content)


def ending_of(crystal: orm.StructureData) -> tuple[int | None, str | None]:
    """Return exit status and message of the process that a crystal went into last; labels and PKs taken out."""
    query = orm.QueryBuilder()
    query.append(orm.StructureData, filters={'id': crystal.pk}, tag='crystal')
    query.append(
        orm.WorkChainNode,
        with_incoming='crystal',
        edge_filters={'label': 'structure'},
        # The WorkChains of an engine inside take the same crystal, and say less.
        filters={'attributes.process_label': {'in': _OURS}},
        tag='chain',
        project='*',
    )
    query.order_by({'chain': {'id': 'desc'}})
    chain = query.first(flat=True)
    if chain is None:
        return None, 'it was never sent to the engine'
    if not chain.is_finished:
        return None, f'the process was {chain.process_state.value if chain.process_state else "lost"}'
    if chain.is_finished_ok:
        return 0, None
    return chain.exit_status, re.sub(r'<\d+>', '', chain.exit_message or f'exit status {chain.exit_status}')


@calcfunction
def judge_verified(
    batch: StructureBatch,
    level: orm.Dict,
    hull: HullReference | None = None,
    phases: StructureBatch | None = None,
    **outcomes: orm.Dict,
) -> StructureBatch:
    """Return the batch with what the engine found as columns; unknown for crystals that were not sent to it.

    :param hull: the competing phases at this level.
    :param phases: all phases that should be in it; where one is not, the distance is unknown, with the reason.
    :param outcomes: what `tell_outcome` says of the crystals.
    :raises ValueError: when energies of two levels would meet; both are named.
    """
    label = level_label(level)
    told = {outcome['id']: outcome for outcome in (node.get_dict() for node in outcomes.values())}
    rows = {name: _columns(outcome) for name, outcome in told.items()}
    finished = [outcome for outcome in told.values() if outcome['status'] == 'finished']
    crystals = [(_crystal(outcome), outcome['level']) for outcome in finished]
    for outcome, judged in zip(finished, distances(crystals, label, hull, phases), strict=True):
        rows[outcome['id']].update({f'dft_{name}': value for name, value in judged.items()})
    for name, outcome in told.items():
        if outcome['status'] != 'finished':
            rows[name]['dft_e_hull_reason'] = f'the calculation is {outcome["status"]}'
    columns = {
        name: make_column(
            [rows.get(crystal_id, {}).get(name) for crystal_id in batch.ids],
            {**meta, 'level': label if name in _LEVELS else ''},
            name=name,
        )
        for name, meta in COLUMNS.items()
    }
    return StructureBatch(batch.crystals.with_columns(columns))


def _columns(outcome: dict[str, t.Any]) -> dict[str, t.Any]:
    row = {'dft_status': outcome['status'], 'dft_reason': outcome['reason']}
    results = outcome['results']
    if results is None:
        return row
    row.update({name: results.get(key) for name, key in _RESULTS.items()})
    return {**row, 'dft_volume_per_atom': results['volume_A3'] / results['n_atoms']}


def _crystal(outcome: dict[str, t.Any]) -> Crystal:
    energy = outcome['results']['energy_per_atom']
    return Crystal.from_row({**outcome['relaxed'], 'id': outcome['id'], 'columns': {'enthalpy': energy}})


@calcfunction
def calibrate_potential(
    table: StructureBatch, level: orm.Dict, seed: orm.Int, rejected: StructureBatch | None = None
) -> orm.Dict:
    """Return how far the potential can be trusted, judged by what the engine says of the same crystals.

    :param seed: of the bootstrap.
    """
    batches = [table.crystals, *([] if rejected is None else [rejected.crystals])]
    rows = [row['columns'] for crystals in batches for row in crystals.rows()]
    columns = table.crystals.columns
    found = calibrate(rows, len(rows), seed.value, columns=_COMPARED)
    return orm.Dict(
        {
            **found,
            'level_potential': columns['e_hull'].level if 'e_hull' in columns else '',
            'level_dft': level_label(level),
            'seed': seed.value,
        }
    )
