"""Calcfunction that reads what VASP found, in the words that all engines share."""

from __future__ import annotations

import typing as t

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.verify import forces_node


@calcfunction
def read_vasp(
    level: orm.Dict,
    sent: orm.StructureData,
    misc: orm.Dict,
    structure: orm.StructureData | None = None,
    arrays: orm.ArrayData | None = None,
) -> dict[str, orm.Data]:
    """Return `results`, `structure` and `forces` of a calculation with VASP.

    :param sent: the structure that was sent.
    :param misc, structure, arrays: outputs of aiida-vasp.
    """
    told = misc.get_dict()
    crystal = sent if structure is None else structure
    n_atoms, volume = len(crystal.sites), crystal.get_cell_volume()
    energies = told['total_energies']
    energy = float(energies['energy_extrapolated'])
    magnetization = _first(told.get('magnetization'))
    found = {} if arrays is None else {name: np.asarray(arrays.get_array(name)) for name in arrays.get_arraynames()}
    forces = found.get('final_forces', found.get('forces'))
    forces = forces[-1] if forces is not None and forces.ndim == 3 else forces
    status = told.get('run_status') or {}
    content = {
        'energy_eV': energy,
        'energy_free_eV': energies.get('energy_free'),
        'energy_per_atom': energy / n_atoms,
        'n_atoms': n_atoms,
        'volume_A3': volume,
        'max_force': told.get('maximum_force'),
        'pressure_GPa': None,
        'band_gap_eV': (told.get('band_properties') or {}).get('band_gap'),
        'total_magnetization': magnetization,
        'absolute_magnetization': None,
        'magnetization_density': None if magnetization is None else abs(magnetization) / volume,
        'kpoints': None,
        'starting_magnetization': None,
        'functional': None,
        'converged': status.get('electronic_converged'),
        'code_version': told.get('version'),
        'wall_seconds': (told.get('run_stats') or {}).get('elapsed_time'),
        'n_jobs': 1,
        'fingerprint': level['fingerprint'],
    }
    outputs: dict[str, orm.Data] = {'results': orm.Dict(content)}
    if structure is not None:
        outputs['structure'] = structure.clone()
    if forces is not None:
        outputs['forces'] = forces_node(forces)
    return outputs


def _first(value: t.Any) -> float | None:
    """Return a number that may stand in a list."""
    if isinstance(value, list):
        return float(value[0]) if value else None
    return None if value is None else float(value)
