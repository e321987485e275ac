"""One crystal with GPAW in plane waves: relaxed by our own driver, then told with all that an engine tells."""

from __future__ import annotations

import hashlib
import math
import os
import typing as t

import numpy as np

Array = t.Any
Row = t.Dict[str, t.Any]

ABOUT = {
    'name': 'gpaw',
    'kind': 'calculation',
    'install': "apt install gpaw gpaw-data, or `pip install 'aiida-crystalgen[gpaw]'`",
    'requires': ['gpaw', 'ase', 'numpy'],
    'needs': ['relaxation', 'descent'],
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'functional': {'type': 'text', 'default': 'PBE', 'help': 'exchange and correlation; its PAW datasets are used'},
        'cutoff_eV': {'type': 'float', 'default': 400.0, 'unit': 'eV', 'help': 'cut-off of the plane waves'},
        'k_spacing': {'type': 'float', 'default': 0.2, 'unit': '1/A', 'help': 'largest distance of k points'},
        'kpoints': {'type': 'list', 'default': None, 'help': 'a mesh instead'},
        'width_eV': {'type': 'float', 'default': 0.1, 'unit': 'eV', 'help': 'width of the Fermi-Dirac smearing'},
        'energy_eV': {'type': 'float', 'default': 1e-5, 'unit': 'eV/electron', 'help': 'convergence of the energy'},
        'max_scf': {'type': 'int', 'default': 200, 'help': 'most steps of the electrons'},
        'spin': {'type': 'text', 'default': 'auto', 'help': 'auto, none or collinear'},
        'moments': {'type': 'dict', 'default': {}, 'unit': 'Bohr magneton', 'help': 'starting moment by element'},
    },
    'columns': {
        'free_energy': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': 'with smearing'},
        'max_force': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/A', 'help': 'largest on an atom'},
        'cell_pressure': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'GPa', 'help': 'of the cell'},
        'band_gap': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV', 'help': 'on the k points used'},
        'total_magnetization': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'Bohr magneton', 'help':
                                'of the cell'},
        'kpoints': {'kind': 'row', 'dtype': 'int', 'shape': [3], 'unit': '', 'help': 'mesh of k points'},
        'forces': {'kind': 'site', 'dtype': 'float', 'shape': [3], 'unit': 'eV/A', 'help': 'on the atoms'},
        'stress': {'kind': 'row', 'dtype': 'float', 'shape': [3, 3], 'unit': 'eV/A^3', 'help': 'positive: tension'},
        'starting_moments': {'kind': 'site', 'dtype': 'float', 'shape': [], 'unit': 'Bohr magneton', 'help':
                             'moments at the start'},
        'functional': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help': 'exchange and correlation'},
    },
}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions that results depend on, the elements with a PAW dataset of PBE, and a digest of these."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    digest, elements = hashlib.sha256(), []
    for name, path in sorted(datasets('PBE').items()):
        elements.append(name)
        with open(path, 'rb') as handle:
            digest.update(name.encode() + hashlib.sha256(handle.read()).digest())
    found = {name: version(name) for name in requires}
    return {**found, 'elements': ' '.join(elements), 'datasets': digest.hexdigest()[:16]}


def datasets(functional: str) -> dict[str, str]:
    """Return the files of the default PAW datasets of a functional by element."""
    import gpaw

    found: dict[str, str] = {}
    for folder in reversed(gpaw.setup_paths):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            element, _, rest = name.partition('.')
            if rest in (functional, functional + '.gz'):
                found[element] = os.path.join(folder, name)
    return found


def level(job: t.Any) -> str:
    """Return the level of theory of the energies in short; the engine knows all of it."""
    return f'gpaw:{job.parameters.get("functional", "PBE")}'


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row relaxed and told, or rejected with a reason."""
    import relaxation
    from gpaw import KohnShamConvergenceError

    parameters: t.Any = {**relaxation.ABOUT['parameters'], **ABOUT['parameters']}  # type: ignore[dict-item]
    options = relaxation.settings({'parameters': parameters}, job)
    for row in rows:
        potential = Gpaw(row, options, os.path.join(job.scratch, f'{row["index"]}.txt'))
        state = relaxation.State(potential, options)
        try:
            result = state.relax(row)
            result['columns'].update(potential.told(result['structure']))
            yield {'id': row['id'], **result}
        except relaxation.Rejected as end:
            yield {'id': row['id'], 'columns': {'n_evaluations': state.n_evaluations}, 'rejected': end.verdict}
        except KohnShamConvergenceError as error:
            detail = f'The electrons did not converge in {options["max_scf"]} steps ({" ".join(str(error).split())}).'
            yield {'id': row['id'], 'rejected': {'reason': 'scf_not_converged', 'detail': detail}}


class Gpaw:
    """GPAW with one mesh of k points for the whole relaxation of a crystal."""

    name, precision = 'gpaw', 'float64'

    def __init__(self, row: Row, options: t.Mapping[str, t.Any], log: str) -> None:
        from ase.data import atomic_numbers
        from gpaw import GPAW, PW

        found = datasets(options['functional'])
        self.numbers = frozenset(atomic_numbers[element] for element in found)
        self.options, self.sha256 = options, ''
        self.mesh = options['kpoints'] or mesh_of(np.asarray(row['cell']), options['k_spacing'])
        self.moments = starting_moments(row['numbers'], options['spin'], options['moments'])
        self.calculator = GPAW(
            mode=PW(options['cutoff_eV']),
            xc=options['functional'],
            kpts={'size': tuple(self.mesh), 'gamma': True},
            occupations={'name': 'fermi-dirac', 'width': options['width_eV']},
            convergence={'energy': options['energy_eV']},
            maxiter=options['max_scf'],
            txt=log,
        )

    def atoms(self, numbers: Array, positions: Array, cell: Array) -> t.Any:
        """Return a crystal with its starting moments, and the calculator."""
        from ase import Atoms

        return Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True, magmoms=self.moments,
                     calculator=self.calculator)  # fmt: skip

    def evaluate(self, numbers: Array, positions: Array, cell: Array) -> tuple[float, Array, Array]:
        """Return free energy [eV], of which forces [eV/A] and stress [eV/A^3] are the slopes."""
        atoms = self.atoms(numbers, positions, cell)
        energy = atoms.get_potential_energy(force_consistent=True)
        return float(energy), atoms.get_forces(), atoms.get_stress(voigt=False)

    def told(self, structure: Row) -> Row:
        """Return the columns of a geometry; it is computed anew where the last one computed was another one."""
        atoms = self.atoms(*(np.asarray(structure[name]) for name in ('numbers', 'positions', 'cell')))
        n_atoms = len(atoms)
        energy, free = (atoms.get_potential_energy(force_consistent=flag) / n_atoms for flag in (False, True))
        forces, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
        spins = self.calculator.get_number_of_spins()
        return {
            'energy': energy,
            'enthalpy': energy,
            'free_energy': free,
            'max_force': float(np.linalg.norm(forces, axis=1).max()),
            'cell_pressure': -float(np.trace(stress) / 3) * 160.21766208,
            'band_gap': self.gap(spins),
            'total_magnetization': float(self.calculator.get_magnetic_moment()) if spins == 2 else None,
            'kpoints': list(self.mesh),
            'forces': forces.tolist(),
            'stress': stress.tolist(),
            'starting_moments': self.moments,
            'functional': self.options['functional'],
        }

    def gap(self, spins: int) -> float | None:
        """Return the gap at the Fermi level [eV], 0 for a metal, None where no state lies above it."""
        calculator, fermi = self.calculator, self.calculator.get_fermi_level()
        n_points = len(calculator.get_ibz_k_points())
        below, above = -math.inf, math.inf
        for spin in range(spins):
            bands = np.array([calculator.get_eigenvalues(kpt=k, spin=spin) for k in range(n_points)])
            filled = (bands < fermi).sum(axis=1)
            if filled.min() != filled.max():
                return 0.0
            if bands.shape[1] == filled[0]:
                return None
            below = max(below, bands[:, filled[0] - 1].max() if filled[0] else -math.inf)
            above = min(above, bands[:, filled[0]].min())
        return max(float(above - below), 0.0) if math.isfinite(below) else None


def mesh_of(cell: Array, spacing: float) -> list[int]:
    """Return the numbers of k points along the reciprocal vectors (2 pi included) that are at most a distance apart."""
    lengths = 2 * math.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    return [max(math.ceil(length / spacing - 1e-9), 1) for length in lengths]


def starting_moments(numbers: Array, spin: str, moments: t.Mapping[str, float]) -> list[float] | None:
    """Return a moment for every site, None without spin: `auto` is for crystals with an element that has one."""
    from ase.data import chemical_symbols

    found = [float(moments.get(chemical_symbols[number], 0.0)) for number in numbers]
    if spin == 'none' or (spin == 'auto' and not any(found)):
        return None
    return [moment or 0.1 for moment in found] if spin == 'collinear' else found
