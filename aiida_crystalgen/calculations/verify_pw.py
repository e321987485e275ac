"""Calcfunction that reads what pw.x found, in the words that all engines share."""

from __future__ import annotations

import typing as t

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.verify import forces_node

_GPA_TO_EV_A3: t.Final = 1 / 160.21766208
# Share of -TS that is taken off the free energy to get the energy without smearing (its entropy is quadratic in the
# width for the first two; half of Methfessel-Paxton's first order; cold smearing: none, to third order).
_EXTRAPOLATION: t.Final = {'fermi-dirac': 1 / 2, 'gaussian': 1 / 2, 'methfessel-paxton': 1 / 3, 'cold': 0.0}


@calcfunction
def read_pw(
    level: orm.Dict,
    structure: orm.StructureData,
    parameters: orm.Dict,
    kpoints: orm.KpointsData,
    trajectory: orm.TrajectoryData | None = None,
    band: orm.BandsData | None = None,
    relaxed: orm.StructureData | None = None,
    **jobs: orm.Dict,
) -> dict[str, orm.Data]:
    """Return `results`, `structure` and `forces` of a calculation with pw.x.

    :param structure, parameters, kpoints: inputs of the last job.
    :param jobs: output parameters of every job, as `job_00`, ...; the last one is read, the others are costs.
    """
    told = jobs[max(jobs)].get_dict()
    system = parameters.get_dict()['SYSTEM']
    crystal = structure if relaxed is None else relaxed
    n_atoms, volume = len(crystal.sites), crystal.get_cell_volume()
    free = float(told['energy'])
    energy = free - _EXTRAPOLATION.get(system.get('smearing', ''), 0.0) * float(told.get('energy_smearing') or 0.0)
    arrays = _last_frame(trajectory)
    forces, stress = arrays.get('forces'), arrays.get('stress')
    # Without spin pw.x tells a zero that nobody computed.
    has_spin = int(system.get('nspin', 1)) == 2
    total, absolute = (told.get(f'{word}_magnetization') if has_spin else None for word in ('total', 'absolute'))
    content = {
        'energy_eV': energy,
        'energy_free_eV': free,
        'energy_per_atom': energy / n_atoms,
        'n_atoms': n_atoms,
        'volume_A3': volume,
        'max_force': None if forces is None else float(np.linalg.norm(forces, axis=1).max()),
        # pw.x tells the pressure, positive under compression.
        'pressure_GPa': None if stress is None else float(np.trace(stress) / 3),
        'band_gap_eV': None if band is None else band_gap(band, told),
        'total_magnetization': total,
        'absolute_magnetization': absolute,
        'magnetization_density': None if total is None else abs(float(total)) / volume,
        'kpoints': kpoints.get_kpoints_mesh()[0],
        'starting_magnetization': system.get('starting_magnetization'),
        'functional': told.get('dft_exchange_correlation'),
        'converged': (told.get('convergence_info') or {}).get('scf_conv', {}).get('convergence_achieved'),
        'code_version': told.get('creator_version'),
        'wall_seconds': sum(float(job.get_dict().get('wall_time_seconds') or 0.0) for job in jobs.values()),
        'n_jobs': len(jobs),
        'fingerprint': level['fingerprint'],
    }
    outputs: dict[str, orm.Data] = {'results': orm.Dict(content)}
    if forces is not None:
        outputs['forces'] = forces_node(forces, None if stress is None else -stress * _GPA_TO_EV_A3)
    if relaxed is not None:
        outputs['structure'] = relaxed.clone()
    return outputs


def _last_frame(trajectory: orm.TrajectoryData | None) -> dict[str, t.Any]:
    """Return forces (n, 3) [eV/A] and stress (3, 3) [GPa, positive under compression] of the last geometry."""
    if trajectory is None:
        return {}
    names = trajectory.get_arraynames()
    return {name: np.asarray(trajectory.get_array(name)[-1]) for name in ('forces', 'stress') if name in names}


def band_gap(band: orm.BandsData, told: dict[str, t.Any]) -> float | None:
    """Return the gap on the k points of the calculation [eV]; 0 for a metal, None without empty states."""
    values = np.asarray(band.get_bands())
    n_electrons = float(told['number_of_electrons'])
    if values.ndim == 2:
        n_filled = round(n_electrons / 2)
        if abs(n_electrons - 2 * n_filled) > 1e-6:
            return 0.0
        if values.shape[1] <= n_filled:
            return None
        return max(float(values[:, n_filled].min() - values[:, n_filled - 1].max()), 0.0)
    fermi = told.get('fermi_energy')
    if fermi is None:
        return None
    below, above = [], []
    for spin in values:
        occupied = (spin < fermi).sum(axis=1)
        if occupied.min() != occupied.max():
            return 0.0
        n_filled = int(occupied[0])
        if spin.shape[1] <= n_filled:
            return None
        below += [spin[:, n_filled - 1].max()] if n_filled else []
        above.append(spin[:, n_filled].min())
    return max(float(min(above) - max(below)), 0.0) if below else None
