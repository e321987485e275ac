"""Calcfunctions of the validation by an engine: the look at a crystal before and after, and what a potential found."""

from __future__ import annotations

import typing as t

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.structures import from_structure_data, to_structure_data
from aiida_crystalgen.science.geometry import shortest_distances

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.crystals import Crystals

# Longer texts among the versions are lists and digests.
_SHORT: t.Final = 16
# What every engine tells of a crystal, unknown as None.
RESULTS: t.Final = {
    'energy_eV': 'energy of the cell, smearing extrapolated to zero (E0) [eV]',
    'energy_free_eV': 'free energy of the cell, F = E - TS of the smearing [eV]',
    'energy_per_atom': 'energy_eV / n_atoms [eV/atom]',
    'n_atoms': 'atoms of the cell',
    'volume_A3': 'volume of the cell [A^3]',
    'max_force': 'largest force on an atom [eV/A]',
    'pressure_GPa': 'hydrostatic pressure, positive under compression [GPa]',
    'band_gap_eV': 'gap between occupied and empty states on the k points of the calculation: an upper bound [eV]',
    'total_magnetization': 'total magnetisation of the cell [Bohr magneton]',
    'absolute_magnetization': 'integral of the absolute magnetisation of the cell [Bohr magneton]',
    'magnetization_density': 'absolute value of the total magnetisation over the volume [Bohr magneton/A^3]',
    'kpoints': 'mesh of k points',
    'starting_magnetization': 'magnetic moments at the start, by kind of atom; None without spin',
    'functional': 'as the code says it, in its words',
    'converged': 'whether the engine says so',
    'code_version': 'version of the code as it says itself',
    'wall_seconds': 'wall time of the code [s]',
    'n_jobs': 'jobs that it took',
}  # fmt: skip


@calcfunction
def check_geometry(structure: orm.StructureData, limits: orm.Dict, before: orm.StructureData | None = None) -> orm.Dict:
    """Look at a crystal as no code does: atoms that overlap, a cell without volume, a relaxation to something else.

    :param limits: `min_ratio` (of a distance and the sum of the covalent radii), `max_volume_change` (relative) and
        `max_atoms`.
    :param before: the crystal before it was relaxed.
    :returns: `fine`, `reason` (one sentence, empty where it is fine), `shortest_A`, `ratio`, `volume_A3` and
        `volume_change` (None without `before`).
    """
    return orm.Dict(judged(structure, limits.get_dict(), before))


def judged(
    structure: orm.StructureData, limits: dict[str, t.Any], before: orm.StructureData | None = None
) -> dict[str, t.Any]:
    """Return what `check_geometry` tells, without a node."""
    from ase.data import atomic_numbers, covalent_radii

    found: dict[str, t.Any] = dict.fromkeys(('shortest_A', 'ratio', 'volume_A3', 'volume_change'))
    found['n_atoms'] = len(structure.sites)
    cell, positions = np.array(structure.cell, dtype=float), np.array([site.position for site in structure.sites])
    symbols = [structure.get_kind(site.kind_name).symbol for site in structure.sites]
    volume = abs(float(np.linalg.det(cell)))
    if not symbols:
        return _verdict(found, 'the crystal has no atoms')
    if len(symbols) > limits['max_atoms']:
        return _verdict(found, f'the cell has {len(symbols)} atoms; `max_atoms` allows {limits["max_atoms"]}')
    if not (np.isfinite(positions).all() and volume > 1e-3):
        return _verdict(found, f'the cell has a volume of {volume:.3g} A^3 or positions that are no numbers')
    radii = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in symbols])
    distances = shortest_distances(cell, positions, radii)
    found.update(shortest_A=distances.shortest, ratio=distances.ratio, volume_A3=volume)
    if distances.ratio < limits['min_ratio']:
        return _verdict(
            found,
            f'two atoms are {distances.shortest:.3g} A apart, {distances.ratio:.2f} of the sum of their radii; '
            f'`min_ratio` asks for {limits["min_ratio"]}',
        )
    if before is not None:
        change = volume / before.get_cell_volume() - 1.0
        found['volume_change'] = change
        if abs(change) > limits['max_volume_change']:
            allowed = f'`max_volume_change` allows {limits["max_volume_change"]:.0%}'
            return _verdict(found, f'the volume changed by {change:+.0%} in the relaxation; {allowed}')
    return _verdict(found, '')


def _verdict(found: dict[str, t.Any], reason: str) -> dict[str, t.Any]:
    return {**found, 'fine': not reason, 'reason': reason}


@calcfunction
def to_batch(structure: orm.StructureData) -> StructureBatch:
    """Return a batch of one crystal, for the jobs that work on batches."""
    return StructureBatch(from_structure_data([structure]))


@calcfunction
def read_batch(batch: StructureBatch, report: orm.Dict, level: orm.Dict) -> dict[str, orm.Data]:
    """Return `results` and `structure` of a batch of one crystal that an adapter computed, and `forces` where known."""
    crystals = batch.crystals
    row = next(iter(crystals.rows()))
    columns, n_atoms = row['columns'], len(row['numbers'])
    volume = abs(float(np.linalg.det(row['cell'])))
    energy = columns['energy'] * n_atoms
    versions = report.get_dict().get('versions', {})
    free, total = columns.get('free_energy'), columns.get('total_magnetization')
    content = {
        'energy_eV': energy,
        'energy_free_eV': free * n_atoms if free is not None else energy,
        'energy_per_atom': columns['energy'],
        'n_atoms': n_atoms,
        'volume_A3': volume,
        'max_force': columns.get('max_force', columns.get('fmax')),
        'pressure_GPa': columns.get('cell_pressure'),
        'band_gap_eV': columns.get('band_gap'),
        'total_magnetization': total,
        'absolute_magnetization': columns.get('absolute_magnetization'),
        'magnetization_density': None if total is None else abs(total) / volume,
        'kpoints': columns.get('kpoints'),
        'starting_magnetization': columns.get('starting_moments'),
        'functional': columns.get('functional'),
        'converged': columns['converged'],
        'code_version': ', '.join(f'{k} {v}' for k, v in sorted(versions.items()) if len(v) < _SHORT),
        'wall_seconds': report.get_dict()['seconds']['wall'],
        'n_jobs': report.get_dict().get('n_jobs'),
        'fingerprint': level['fingerprint'],
    }
    outputs: dict[str, orm.Data] = {'results': orm.Dict(content), 'structure': _structure(crystals)}
    if columns.get('forces') is not None:
        outputs['forces'] = forces_node(columns['forces'], columns.get('stress'))
    return outputs


def _structure(crystals: Crystals) -> orm.StructureData:
    return to_structure_data(crystals.drop_columns([name for name in crystals.columns if name != 'id']))[0]


def forces_node(forces: t.Any, stress: t.Any = None) -> orm.ArrayData:
    """Return `forces` (n, 3) [eV/A] and, where known, `stress` (3, 3) [eV/A^3], positive under tension."""
    node = orm.ArrayData()
    node.set_array('forces', np.asarray(forces, dtype=float))
    if stress is not None:
        node.set_array('stress', np.asarray(stress, dtype=float))
    return node
