"""Relax crystals one at a time, cell and positions together, with any potential that gives energy, forces and stress.

The largest force counts the cell as ASE's `FrechetCellFilter` does (rows of virial / number of atoms, taken at the cell
that is returned). On a CPU a batch of crystals is slower than one after another, so there is none.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
import typing as t

import numpy as np
from descent import OPTIMIZERS, Fire, Lbfgs

Array = t.Any
Row = t.Dict[str, t.Any]

ABOUT = {
    'parameters': {
        'fmax': {'type': 'float', 'default': 0.05, 'unit': 'eV/A', 'minimum': 1e-5, 'help':
                 'converged when every force, and every row of the virial over the number of atoms, is below this'},
        'max_steps': {'type': 'int', 'default': 500, 'minimum': 0, 'help': 'most steps of one crystal'},
        'seconds': {'type': 'float', 'default': 0.0, 'unit': 's', 'minimum': 0.0, 'help':
                    'a crystal is left unconverged after this; 0 = never (otherwise results depend on the machine)'},
        'pressure': {'type': 'float', 'default': 0.0, 'unit': 'GPa', 'help': 'hydrostatic pressure'},
        'relax_cell': {'type': 'bool', 'default': True, 'help': 'relax the cell as well as the positions'},
        'optimizer': {'type': 'text', 'default': 'lbfgs', 'choices': ['lbfgs', 'fire'], 'help':
                      'lbfgs needs less than half of the evaluations of fire'},
        'max_atoms': {'type': 'int', 'default': 500, 'minimum': 1, 'help': 'larger crystals are rejected'},
    },
    'columns': {
        'energy': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help':
                   'energy of the crystal as relaxed'},
        'enthalpy': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help':
                     'energy + pressure x volume'},
        'fmax': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/A', 'help':
                 'largest force at the geometry of the row, cell forces included'},
        'converged': {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'help':
                      'fmax is below the limit asked for'},
        'n_steps': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help': 'steps taken'},
        'n_evaluations': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help':
                          'evaluations of the potential, those of refused steps included'},
        'volume_change': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'help': 'volume / volume before'},
        'displacement': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'help':
                         'rms displacement of the atoms, without translation and change of cell'},
        'pressure': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'GPa', 'help': 'hydrostatic pressure'},
        'model_sha256': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help':
                         'sha256 of the weights or settings'},
        'precision': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help': 'number format of the model'},
    },
}  # fmt: skip

EV_PER_A3 = 160.21766208  # GPa
VOLUME_RATIO = (0.2, 5.0)
VOLUME_PER_ATOM = (1.5, 1000.0)  # A^3; outside, neighbour lists explode or are empty
MIN_DISTANCE = 0.3  # A
MAX_FORCE = 1e4  # eV/A
CELL_LENGTH = 2.0  # A, see `State.relax`
MAX_MOVE = 0.2  # A, of an atom in one step
MAX_STRAIN = 0.05  # in one step
NOISE = 1e-5  # eV/atom, rise of the energy that single precision makes


class Rejected(Exception):  # noqa: N818
    """A crystal ends here: a reason (a word), one sentence, and the value that passed a threshold."""

    def __init__(self, reason: str, detail: str, value: float | None = None, threshold: float | None = None) -> None:
        super().__init__(detail)
        finite = value if value is not None and math.isfinite(value) else None
        self.verdict = {'reason': reason, 'detail': detail, 'value': finite, 'threshold': threshold}


class Potential(t.Protocol):
    """What the driver asks of a model; `numbers` are the atomic numbers that it knows, None for any."""

    name: str
    sha256: str
    precision: str
    numbers: t.Collection[int] | None

    def evaluate(self, numbers: Array, positions: Array, cell: Array) -> tuple[float, Array, Array]:
        """Return energy [eV], forces (n, 3) [eV/A] and stress (3, 3) [eV/A^3], positive under tension."""


class FromCalculator:
    """Any ASE calculator as a potential."""

    def __init__(self, calculator: t.Any, name: str, sha256: str, precision: str = 'float64',
                 numbers: t.Collection[int] | None = None) -> None:  # fmt: skip
        self.calculator, self.name, self.sha256 = calculator, name, sha256
        self.precision, self.numbers = precision, numbers

    def evaluate(self, numbers: Array, positions: Array, cell: Array) -> tuple[float, Array, Array]:
        """Return energy, forces and stress in one calculation."""
        from ase import Atoms

        atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True, calculator=self.calculator)
        stress, forces = atoms.get_stress(voigt=False), atoms.get_forces()
        return float(atoms.get_potential_energy()), forces, stress


def settings(about: t.Mapping[str, t.Any], job: t.Any) -> dict[str, t.Any]:
    """Return the parameters of a job over the defaults of an adapter."""
    defaults = {name: entry['default'] for name, entry in about['parameters'].items() if 'default' in entry}
    return {**defaults, **job.parameters}


def sha256_of(filepath: t.Any) -> str:
    """Return the sha256 of a file."""
    with open(filepath, 'rb') as handle:
        return hashlib.sha256(handle.read()).hexdigest()


def trusted(filepath: str, trust: str) -> str:
    """Return the sha256 of a model file that is about to be opened."""
    found = sha256_of(filepath)
    if found != trust:
        raise ValueError(f'The model file has sha256 {found} but `trust` is {trust or "not given"}; opening such a '
                         'file can run code: set `trust` to its sha256 if you know where it comes from.')  # fmt: skip
    return found


def level_of_theory(name: str, sha256: str, precision: str, job: t.Any) -> str:
    """Return the text by which energies that may be compared are recognised."""
    pressure = settings(ABOUT, job)['pressure']
    return f'mlip:{name}:{sha256[:12]}:{precision}' + (f':P={pressure:g}GPa' if pressure else '')


def relax(rows: t.Iterable[Row], job: t.Any, potential: Potential) -> t.Iterator[Row]:
    """Yield every row relaxed, or rejected with a reason; a job with a task of its own gets the potential for that."""
    task = getattr(job, 'task', None)
    if task is not None:
        yield from task(rows, job, potential)
        return
    options = settings(ABOUT, job)
    for row in rows:
        state = State(potential, options)
        try:
            yield {'id': row['id'], **state.relax(row)}
        except Rejected as end:
            yield {'id': row['id'], 'columns': {'n_evaluations': state.n_evaluations}, 'rejected': end.verdict}


class State:
    """One crystal on its way down: geometry, enthalpy and generalised forces."""

    def __init__(self, potential: Potential, options: t.Mapping[str, t.Any]) -> None:
        self.potential, self.options = potential, options
        self.pressure = options['pressure'] / EV_PER_A3
        self.n_evaluations = 0

    def relax(self, row: Row) -> Row:
        """Return structure and columns of the relaxed row."""
        self.numbers, positions, cell = check(row, self.potential, self.options)
        # A strain e counts as a displacement of e * sqrt(n) * CELL_LENGTH: atoms and cell are then about equally stiff.
        self.scale = np.ones((len(self.numbers) + 3, 1))
        self.scale[-3:] = math.sqrt(len(self.numbers)) * CELL_LENGTH
        self.first_volume = volume_of(cell)
        self.place(positions, cell, *self.evaluate(positions, cell))
        if self.fmax() > MAX_FORCE:
            raise Rejected('unphysical_forces', f'The first force is {self.fmax():.3g} eV/A.', self.fmax(), MAX_FORCE)
        limits = np.full((len(self.scale), 1), MAX_MOVE)
        limits[-3:] = MAX_STRAIN * self.scale[-3:]
        n_steps = self.descend(OPTIMIZERS[self.options['optimizer']](limits, NOISE * len(self.numbers)))
        check_distance(self.positions, self.cell)
        moved = self.positions @ np.linalg.inv(self.cell) - positions @ np.linalg.inv(cell)
        moved = (moved - moved.mean(axis=0)) @ self.cell
        structure = {'numbers': self.numbers.tolist(), 'positions': self.positions.tolist(),
                     'cell': self.cell.tolist(), 'pbc': [True] * 3}  # fmt: skip
        columns = {
            'energy': (self.enthalpy - self.pressure * volume_of(self.cell)) / len(self.numbers),
            'enthalpy': self.enthalpy / len(self.numbers),
            'fmax': self.fmax(),
            'converged': self.fmax() < self.options['fmax'],
            'n_steps': n_steps,
            'n_evaluations': self.n_evaluations,
            'volume_change': volume_of(self.cell) / self.first_volume,
            'displacement': float(np.sqrt((moved**2).sum(axis=1).mean())),
            'pressure': float(self.options['pressure']),
            'model_sha256': self.potential.sha256,
            'precision': self.potential.precision,
        }
        return {'structure': structure, 'columns': columns}

    def place(self, positions: Array, cell: Array, enthalpy: float, forces: Array) -> None:
        """Put the crystal where it has just been evaluated."""
        self.positions, self.cell, self.enthalpy, self.forces = positions, cell, enthalpy, forces

    def evaluate(self, positions: Array, cell: Array) -> tuple[float, Array]:
        """Return the enthalpy [eV] and the forces: n rows on atoms [eV/A], 3 rows on the symmetric strain [eV]."""
        volume = volume_of(cell)
        ratio = volume / self.first_volume
        if not VOLUME_RATIO[0] <= ratio <= VOLUME_RATIO[1]:
            raise Rejected('volume_runaway', f'The volume became {ratio:.3g} times what it was.', ratio,
                           VOLUME_RATIO[int(ratio > 1)])  # fmt: skip
        self.n_evaluations += 1
        energy, forces, stress = self.potential.evaluate(self.numbers, positions, cell)
        if not (forces.any() or stress.any()):
            raise Rejected('isolated_atoms', f'The atoms are too far apart for {self.potential.name}.')
        virial = -volume * ((stress + stress.T) / 2 + self.pressure * np.eye(3)) * self.options['relax_cell']
        result = np.concatenate([forces - forces.mean(axis=0), virial])
        if not (math.isfinite(energy) and np.isfinite(result).all()):
            raise Rejected('non_finite_energy', f'{self.potential.name} gave an energy or force that is not finite.')
        return energy + self.pressure * volume, result

    def fmax(self) -> float:
        """Return the largest force [eV/A], cell forces included."""
        per_atom = np.concatenate([self.forces[:-3], self.forces[-3:] / len(self.numbers)])
        return float(np.sqrt((per_atom**2).sum(axis=1)).max())

    def descend(self, optimizer: Lbfgs | Fire) -> int:
        """Step until converged or out of steps or time; return the number of steps tried."""
        end = time.monotonic() + (self.options['seconds'] or math.inf)
        for step in range(self.options['max_steps']):
            if self.fmax() < self.options['fmax'] or time.monotonic() > end:
                return step
            if step % 10 == 0:
                check_distance(self.positions, self.cell)
            move = optimizer.step(self.forces / self.scale)
            strain = expm(move[-3:] / self.scale[-3:])
            positions, cell = self.positions @ strain + move[:-3], self.cell @ strain
            enthalpy, forces = self.evaluate(positions, cell)
            if optimizer.accept(enthalpy - self.enthalpy, forces / self.scale):
                self.place(positions, cell, enthalpy, forces)
        return int(self.options['max_steps'])


def expm(strain: Array) -> Array:
    """Return the exponential of a symmetric matrix."""
    values, vectors = np.linalg.eigh(strain)
    return (vectors * np.exp(values)) @ vectors.T


def volume_of(cell: Array) -> float:
    """Return the volume of a cell [A^3], negative for a left-handed one."""
    return float(np.dot(cell[0], np.cross(cell[1], cell[2])))


def check(row: Row, potential: Potential, options: t.Mapping[str, t.Any]) -> tuple[Array, Array, Array]:
    """Return numbers, positions and right-handed cell of a row that can be relaxed."""
    numbers, positions, cell = (np.array(row[key], dtype) for key, dtype in
                                (('numbers', int), ('positions', float), ('cell', float)))  # fmt: skip
    n_atoms, most = len(numbers), options['max_atoms']
    if n_atoms == 0:
        raise Rejected('no_atoms', 'The row has no atoms.')
    if n_atoms > most:
        raise Rejected('too_many_atoms', f'It has {n_atoms} atoms; the limit `max_atoms` is {most}.', n_atoms, most)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Rejected('non_finite', 'The geometry holds a NaN or an infinity.')
    if not all(row['pbc']):
        raise Rejected('not_periodic', 'Only crystals that are periodic in three directions can be relaxed.')
    unknown = sorted(set(numbers.tolist()) - set(numbers.tolist() if potential.numbers is None else potential.numbers))
    if unknown:
        from ase.data import chemical_symbols

        symbols = ', '.join(chemical_symbols[z] if 0 < z < len(chemical_symbols) else f'Z={z}' for z in unknown)
        raise Rejected('unsupported_element', f'{potential.name} does not know {symbols}.')
    if volume_of(cell) < 0:  # the same crystal: a lattice holds -a with every a
        cell = -cell
    volume = volume_of(cell)
    if volume < 1e-9:
        raise Rejected('zero_volume', 'The cell has no volume.', volume, 0.0)
    low, high = VOLUME_PER_ATOM
    if not low <= volume / n_atoms <= high:
        raise Rejected('volume_per_atom', f'The volume is {volume / n_atoms:.3g} A^3 an atom.', volume / n_atoms,
                       low if volume / n_atoms < low else high)  # fmt: skip
    check_distance(positions, cell)
    return numbers, positions, cell


def check_distance(positions: Array, cell: Array) -> None:
    """Reject a crystal in which two atoms, or an atom and its image, are closer than `MIN_DISTANCE`."""
    inverse = np.linalg.inv(cell)
    # A vector shorter than the limit has fractional coordinates below the limit over the distance of lattice planes.
    reach = np.ceil(MIN_DISTANCE * np.linalg.norm(inverse, axis=0) - 0.5).clip(0, 100).astype(int)
    if np.prod(2 * reach + 1) > 1000:
        raise Rejected('skewed_cell', 'Lattice planes of the cell are closer than 0.1 A; reduce the cell first.')
    images = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))))
    fractional, nearest = positions @ inverse, math.inf
    for site, origin in enumerate(fractional):
        apart = fractional[site:] - origin
        distances = np.linalg.norm(((apart - np.round(apart))[:, None] + images) @ cell, axis=2)
        distances[0, len(images) // 2] = math.inf  # the atom itself
        nearest = min(nearest, float(distances.min()))
    if nearest < MIN_DISTANCE:
        raise Rejected('collapsed', f'Two atoms are {nearest:.3f} A apart.', nearest, MIN_DISTANCE)
