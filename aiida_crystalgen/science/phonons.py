"""Dynamic stability: phonons from forces on displaced atoms, and what may be concluded from them.

Finite displacements and force constants are those of phonopy (Togo, J. Phys. Soc. Jpn. 92, 012001 (2023)). A verdict
rests on the q-points that the supercell holds: there the frequencies are those of the potential itself, while between
them they are interpolated, which makes false soft modes near Gamma.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .supercells import Cell, Supercell

Array = Any

STABLE, UNSTABLE, INCONCLUSIVE = 'stable', 'unstable', 'inconclusive'
N_ACOUSTIC = 3
# Modes below this [THz] are left out of sums over thermal occupations: they are the acoustic ones at Gamma.
THERMAL_CUTOFF = 0.01
# J/mol in eV
JOULE_PER_MOLE = 1.0 / 96485.33212


@dataclass(frozen=True)
class Limits:
    """Where stable ends and unstable begins [THz]; imaginary frequencies are negative."""

    stable: float = -0.1
    unstable: float = -0.5


@dataclass(frozen=True)
class Spectrum:
    """What one set of force constants says, acoustic branches at Gamma apart.

    :param displacement: how far the atoms were moved [A].
    :param lowest: lowest frequency [THz] at the q-points that the supercell holds.
    :param where: that q-point, in the reciprocal primitive cell.
    :param n_imaginary: modes at those points below the limit of stability.
    :param interpolated: lowest frequency [THz] on the mesh between them.
    :param where_interpolated: that q-point.
    """

    displacement: float
    lowest: float
    where: tuple[float, float, float]
    n_imaginary: int
    interpolated: float
    where_interpolated: tuple[float, float, float]


@dataclass(frozen=True)
class Verdict:
    """Stable, unstable or inconclusive, and why."""

    word: str
    reason: str


def make_phonon(supercell: Supercell, symprec: float) -> Any:
    """Return the `Phonopy` of a supercell, primitive cell and tolerance of the symmetry [A] explicit."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    unit = supercell.unit
    try:
        atoms = PhonopyAtoms(numbers=unit.numbers, positions=unit.positions, cell=unit.cell)
    except RuntimeError:  # phonopy knows no mass of elements without stable isotopes
        masses = [_mass_of(int(number)) for number in unit.numbers]
        atoms = PhonopyAtoms(numbers=unit.numbers, positions=unit.positions, cell=unit.cell, masses=masses)
    matrix: Any = supercell.primitive_matrix
    return Phonopy(
        atoms, supercell_matrix=np.diag(supercell.repeats), primitive_matrix=matrix, symprec=symprec, log_level=0
    )


def _mass_of(number: int) -> float:
    """Return the mass of an element [u], that of its longest-lived isotope where none is stable."""
    from pymatgen.core import Element

    return float(Element.from_Z(number).atomic_mass)


def displaced_cells(phonon: Any, displacement: float) -> list[Cell]:
    """Return the supercells whose forces are needed for one amplitude [A], the undisplaced one first."""
    phonon.generate_displacements(distance=displacement, is_plusminus='auto')
    atoms = [phonon.supercell, *phonon.supercells_with_displacements]
    return [Cell(np.asarray(one.numbers), np.asarray(one.positions), np.asarray(one.cell)) for one in atoms]


def set_forces(phonon: Any, forces: Sequence[Array]) -> None:
    """Make force constants that obey the sum rule of the forces on the supercells of `displaced_cells`.

    What is left of forces in the undisplaced supercell is taken off, since it is no answer to a displacement.

    :param forces: (n, 3) [eV/A] of each, the undisplaced one first.
    """
    phonon.forces = [np.asarray(one) - np.asarray(forces[0]) for one in forces[1:]]
    phonon.produce_force_constants(calculate_full_force_constants=False, show_drift=False)
    phonon.symmetrize_force_constants(show_drift=False)


def spectrum_of(phonon: Any, displacement: float, mesh_length: float, limits: Limits) -> Spectrum:
    """Return the spectrum of a phonon calculation whose force constants are there.

    :param mesh_length: density of the mesh of q-points between the commensurate ones, as a length in real space [A].
    """
    points = commensurate_points(phonon)
    phonon.run_qpoints(points)
    exact = without_acoustic(points, np.array(phonon.qpoints.frequencies))
    phonon.run_mesh(mesh_numbers(phonon.primitive.cell, mesh_length), is_gamma_center=True)
    mesh_points = np.array(phonon.mesh.qpoints)
    meshed = without_acoustic(mesh_points, np.array(phonon.mesh.frequencies))
    place, mesh_place = (int(np.nanargmin(np.nanmin(one, axis=1))) for one in (exact, meshed))
    return Spectrum(
        displacement,
        float(np.nanmin(exact)),
        _point(points[place]),
        int((exact < limits.stable).sum()),
        float(np.nanmin(meshed)),
        _point(mesh_points[mesh_place]),
    )


def commensurate_points(phonon: Any) -> Array:
    """Return the q-points (n, 3) at which the supercell gives frequencies without interpolation."""
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    return get_commensurate_points(np.rint(np.linalg.inv(phonon.primitive.primitive_matrix)).astype(int))


def without_acoustic(points: Array, frequencies: Array) -> Array:
    """Return frequencies (q, bands) [THz] with NaN for the three of each Gamma point that are nearest to zero."""
    kept = np.array(frequencies, dtype=float)
    for row in np.flatnonzero(np.abs(np.asarray(points) - np.rint(points)).max(axis=1) < 1e-8):
        kept[row, np.argsort(np.abs(kept[row]))[:N_ACOUSTIC]] = np.nan
    # A crystal of one atom has no other branch at Gamma.
    kept[np.isnan(kept).all(axis=1)] = math.inf
    return kept


def mesh_numbers(cell: Array, length: float) -> list[int]:
    """Return the q-points along each reciprocal axis of a cell [A]; the same density whatever its size."""
    reciprocal = np.linalg.norm(np.linalg.inv(cell), axis=0)
    return [max(1, math.ceil(length * float(one) - 1e-6)) for one in reciprocal]


def _point(point: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(part), 4) + 0.0 for part in point)
    return x, y, z


def point_text(point: Sequence[float]) -> str:
    """Return a q-point as text."""
    return ' '.join(f'{part:g}' for part in point)


def classify(spectrum: Spectrum, limits: Limits) -> str:
    """Return what one spectrum says by itself."""
    if spectrum.lowest < limits.unstable:
        return UNSTABLE
    return STABLE if min(spectrum.lowest, spectrum.interpolated) > limits.stable else INCONCLUSIVE


def judge(spectra: Sequence[Spectrum], limits: Limits) -> Verdict:
    """Return the verdict on the spectra of one supercell, one for each amplitude of the displacements.

    Stable: no frequency below the limit, at any amplitude. Unstable: at every amplitude one below its own limit, at a
    q-point that the supercell holds. Everything else is inconclusive.
    """
    words = {classify(one, limits) for one in spectra}
    lowest = min(spectra, key=lambda one: one.lowest)
    if words == {STABLE}:
        least = min(min(one.lowest, one.interpolated) for one in spectra)
        return Verdict(STABLE, f'no frequency is below {limits.stable:g} THz (lowest: {least:.3f} THz)')
    if words == {UNSTABLE}:
        at = f'at q = {point_text(lowest.where)}'
        return Verdict(UNSTABLE, f'{lowest.lowest:.2f} THz {at}, whatever the size of the displacement')
    if len(words) > 1:
        listed = ', '.join(f'{one.lowest:.2f} THz for {one.displacement:g} A' for one in spectra)
        return Verdict(INCONCLUSIVE, f'the lowest mode depends on the size of the displacement: {listed}')
    if lowest.lowest <= limits.stable:
        at = f'{lowest.lowest:.2f} THz at q = {point_text(lowest.where)}'
        return Verdict(INCONCLUSIVE, f'{at} lies between the limits {limits.unstable:g} and {limits.stable:g} THz')
    between = min(spectra, key=lambda one: one.interpolated)
    at = f'{between.interpolated:.2f} THz at q = {point_text(between.where_interpolated)}'
    return Verdict(INCONCLUSIVE, f'imaginary only between the q-points that the supercell holds: {at}')


def columns_of(phonon: Any, supercell: Supercell, spectra: Sequence[Spectrum], verdict: Verdict, mesh: float) -> Any:
    """Return the columns that one supercell gives.

    :param spectra: one for each amplitude, that of the results first.
    :param mesh: density of the mesh of q-points [A].
    """
    main = spectra[0]
    return {
        'phonon_verdict': verdict.word,
        'phonon_reason': verdict.reason,
        'phonon_lowest_frequency': main.lowest,
        'phonon_where': point_text(main.where),
        'phonon_n_imaginary': main.n_imaginary,
        'phonon_lowest_interpolated': main.interpolated,
        'phonon_lowest_other': spectra[-1].lowest if len(spectra) > 1 else None,
        'phonon_displacement': main.displacement,
        'phonon_supercell': str(supercell),
        'phonon_mesh': 'x'.join(map(str, mesh_numbers(phonon.primitive.cell, mesh))),
    }


def thermal_properties(phonon: Any, temperatures: Sequence[float]) -> list[tuple[float, float]]:
    """Return vibrational free energy [eV/atom] and heat capacity [J/(mol K), a mole of atoms] at temperatures [K].

    They are sums over the mesh of the last spectrum and mean nothing for a crystal with imaginary modes.
    """
    if not temperatures:
        return []
    phonon.run_thermal_properties(temperatures=list(temperatures), cutoff_frequency=THERMAL_CUTOFF)
    found = phonon.thermal_properties
    n_atoms = len(phonon.primitive)
    return [
        (float(energy) * 1000.0 * JOULE_PER_MOLE / n_atoms, float(capacity) / n_atoms)
        for energy, capacity in zip(found.free_energy, found.heat_capacity, strict=True)
    ]


def record_of(phonon: Any, supercell: Supercell, symprec: float) -> Mapping[str, Array]:
    """Return what is needed to make the phonons again, as arrays: see `phonon_from_record`."""
    return {
        'force_constants': np.asarray(phonon.force_constants),
        'numbers': np.asarray(supercell.unit.numbers),
        'positions': np.asarray(supercell.unit.positions),
        'cell': np.asarray(supercell.unit.cell),
        'repeats': np.asarray(supercell.repeats),
        'primitive_matrix': np.asarray(supercell.primitive_matrix),
        'symprec': np.asarray(symprec),
    }


def phonon_from_record(record: Mapping[str, Array]) -> Any:
    """Return the `Phonopy` with its force constants [eV/A^2] from what `record_of` returned."""
    unit = Cell(*(np.asarray(record[name]) for name in ('numbers', 'positions', 'cell')))
    x, y, z = (int(number) for number in record['repeats'])
    supercell = Supercell(unit, (x, y, z), str(record['primitive_matrix']))
    phonon = make_phonon(supercell, float(record['symprec']))
    phonon.force_constants = np.asarray(record['force_constants'])
    return phonon
