"""Calcfunctions of phonons by an engine: displaced supercells, and what the forces on them say."""

from __future__ import annotations

import io
import typing as t

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.dft_hull import level_label
from aiida_crystalgen.calculations.verified import ending_of
from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.structures import from_structure_data
from aiida_crystalgen.science import phonons as science
from aiida_crystalgen.science.supercells import Cell, Supercell, choose_supercell, standardise

CELL: t.Final = 'cell_'
FILENAME: t.Final = 'phonons.npz'
_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_VERDICT, _REASON = 'dft_phonon_verdict', 'dft_phonon_reason'
COLUMNS: t.Final[dict[str, dict[str, t.Any]]] = {
    _VERDICT: {**_TEXT, 'help': 'stable, unstable or inconclusive by the forces of the engine, harmonic and at 0 K.'},
    _REASON: {**_TEXT, 'help': 'Why the verdict is this one.'},
    'dft_phonon_lowest_frequency': {
        'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'level': '',
        'help': 'Lowest frequency at the q-points that the supercell holds, acoustic branches at Gamma apart; '
        'negative: imaginary.',
    },
    'dft_phonon_supercell': {**_TEXT, 'help': 'Cells, atoms and distance between images of the supercell.'},
}  # fmt: skip


class _NotPossible(Exception):  # noqa: N818
    """No phonons of this crystal; the text says why."""


class _Plan(t.NamedTuple):
    """A crystal in its supercell, with its displacements one after the other."""

    supercell: Supercell
    phonon: t.Any
    space_group: int
    amplitudes: dict[float, list[Cell]]
    undisplaced: Cell

    @property
    def cells(self) -> list[Cell]:
        """All cells to be computed, the undisplaced one first."""
        return [self.undisplaced, *(cell for cells in self.amplitudes.values() for cell in cells)]


@calcfunction
def displace_crystal(structure: orm.StructureData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the supercells whose forces are needed as `cell_000`, ..., the undisplaced one first, and a `plan`.

    :param parameters: the section `phonons` of `workflows/protocols/verify.yaml`.
    :returns: the plan has `supercell`, `n_cells`, `space_group` and `reason`: why there are no cells, else empty.
    """
    try:
        plan = _planned(structure, parameters.get_dict())
    except _NotPossible as end:
        return {'plan': orm.Dict({'supercell': None, 'n_cells': 0, 'space_group': None, 'reason': str(end)})}
    told = {'supercell': str(plan.supercell), 'n_cells': len(plan.cells), 'space_group': plan.space_group}
    nodes: dict[str, orm.Data] = {f'{CELL}{i:03d}': _node(cell) for i, cell in enumerate(plan.cells)}
    return {**nodes, 'plan': orm.Dict({**told, 'reason': ''})}


def _planned(structure: orm.StructureData, options: dict[str, t.Any]) -> _Plan:
    """Return the displacements of a crystal; the same ones whenever it is asked."""
    row = from_structure_data([structure]).row(0)
    try:
        standard = standardise(row['numbers'], row['positions'], row['cell'], options['symprec'])
    except ValueError as error:
        raise _NotPossible(str(error)) from error
    most = options['max_supercell_atoms']
    supercell = choose_supercell(standard, options['min_length'], most)
    if supercell is None:
        raise _NotPossible(
            f'a supercell of {options["min_length"]:g} A would have more than {most} atoms (`max_supercell_atoms`)'
        )
    phonon = science.make_phonon(supercell, options['symprec'])
    amplitudes, undisplaced = {}, None
    for amplitude in options['displacements']:
        undisplaced, *amplitudes[amplitude] = science.displaced_cells(phonon, amplitude)
    if undisplaced is None:
        raise _NotPossible('`displacements` is empty')
    plan = _Plan(supercell, phonon, standard.space_group, amplitudes, undisplaced)
    if len(plan.cells) > options['max_cells']:
        allowed = f'`max_cells` allows {options["max_cells"]}'
        raise _NotPossible(f'{len(plan.cells)} supercells would have to be computed; {allowed}')
    return plan


def _node(cell: Cell) -> orm.StructureData:
    structure = orm.StructureData(cell=np.asarray(cell.cell).tolist())
    for number, position in zip(cell.numbers, cell.positions, strict=True):
        structure.append_atom(position=position.tolist(), symbols=SYMBOLS[int(number) - 1])
    return structure


@calcfunction
def judge_forces(
    structure: orm.StructureData,
    parameters: orm.Dict,
    level: orm.Dict,
    undisplaced: orm.Dict,
    **forces: orm.ArrayData,
) -> dict[str, orm.Data]:
    """Return `results`, the columns of phonons as a potential's jobs give them, and the `force_constants`.

    :param structure: the crystal that `displace_crystal` was given, with the same parameters.
    :param undisplaced: results of the engine for the undisplaced supercell.
    :param forces: those on the cells of `displace_crystal`, under the same names.
    """
    options = parameters.get_dict()
    plan = _planned(structure, options)
    on_cells = [forces[name].get_array('forces') for name in sorted(forces)]
    spectra, limits = [], science.Limits(options['stable_above'], options['unstable_below'])
    place = len(on_cells)
    for amplitude, cells in reversed(plan.amplitudes.items()):  # results are those of the first
        place -= len(cells)
        science.displaced_cells(plan.phonon, amplitude)
        science.set_forces(plan.phonon, [on_cells[0], *on_cells[place : place + len(cells)]])
        spectra.append(science.spectrum_of(plan.phonon, amplitude, options['mesh_length'], limits))
    spectra.reverse()
    left = float(np.linalg.norm(on_cells[0], axis=1).max())
    verdict = science.judge(spectra, limits)
    if left > options['max_force']:
        reason = f'the crystal is not at rest at this level: a force of {left:.3g} eV/A is left; relax it first'
        verdict = science.Verdict(science.INCONCLUSIVE, reason)
    temperatures = options['temperatures'] if verdict.word == science.STABLE else []
    thermal = science.thermal_properties(plan.phonon, temperatures)
    content = {
        **science.columns_of(plan.phonon, plan.supercell, spectra, verdict, options['mesh_length']),
        'phonon_energy': undisplaced['energy_per_atom'],
        'phonon_fmax': left,
        'phonon_pressure_GPa': undisplaced['pressure_GPa'],
        'phonon_space_group': plan.space_group,
        'phonon_n_evaluations': len(on_cells),
        'phonon_kpoints': undisplaced['kpoints'],
        'thermal': [
            {'temperature_K': temperature, 'free_energy_eV_per_atom': energy, 'heat_capacity_J_per_mol_K': capacity}
            for temperature, (energy, capacity) in zip(temperatures, thermal, strict=True)
        ],
        'level': level_label(level),
    }
    return {'results': orm.Dict(content), 'force_constants': _kept(plan, options['symprec'])}


@calcfunction
def tell_impossible(plan: orm.Dict, level: orm.Dict) -> orm.Dict:
    """Return the `results` of a crystal whose supercells were not computed."""
    return orm.Dict(
        {'phonon_verdict': science.INCONCLUSIVE, 'phonon_reason': plan['reason'], 'level': level_label(level)}
    )


def _kept(plan: _Plan, symprec: float) -> orm.SinglefileData:
    """Return the force constants [eV/A^2], as `aiida_crystalgen.science.phonons.phonon_from_record` reads them."""
    stream = io.BytesIO()
    np.savez(stream, **science.record_of(plan.phonon, plan.supercell, symprec))
    stream.seek(0)
    return orm.SinglefileData(stream, filename=FILENAME)


@calcfunction
def tell_phonons(crystal: orm.StructureData, relaxed: orm.StructureData, results: orm.Dict | None = None) -> orm.Dict:
    """Return the columns of the phonons of a crystal, by its id; without results, how their process ended.

    :param crystal: as it was promoted, labelled with the id.
    :param relaxed: what the phonons were computed of.
    """
    if results is None:
        _, message = ending_of(relaxed)
        told: dict[str, t.Any] = {_VERDICT: science.INCONCLUSIVE, _REASON: message}
    else:
        told = {name: results.get(name.removeprefix('dft_')) for name in COLUMNS}
    return orm.Dict({'id': crystal.label, 'columns': told})


@calcfunction
def add_phonons(batch: StructureBatch, level: orm.Dict, **told: orm.Dict) -> StructureBatch:
    """Return the batch with what `tell_phonons` says of some of its crystals; unknown for the others."""
    rows = {node['id']: node['columns'] for node in told.values()}
    columns = {
        name: make_column(
            [rows.get(crystal_id, {}).get(name) for crystal_id in batch.ids],
            {**meta, 'level': level_label(level) if meta['kind'] == 'row' else ''},
            name=name,
        )
        for name, meta in COLUMNS.items()
    }
    return StructureBatch(batch.crystals.with_columns(columns))
