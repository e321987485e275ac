"""Short molecular dynamics at constant volume: does a crystal keep its structure when its atoms move?

Langevin dynamics of ASE in a supercell, then the atoms are led downhill and compared with where they came from. What
falls apart within picoseconds is no crystal; what stays may still change later. It is a look, not a proof.
"""

from __future__ import annotations

import hashlib
import math
import typing as t

import numpy as np

Array = t.Any

ABOUT = {
    'parameters': {
        'md_temperature': {'type': 'float', 'default': 0.0, 'unit': 'K', 'minimum': 0.0, 'help':
                           'temperature of a short molecular dynamics of every crystal; 0 = none'},
        'md_time': {'type': 'float', 'default': 1.0, 'unit': 'ps', 'minimum': 0.01, 'help': 'how long it is'},
        'md_timestep': {'type': 'float', 'default': 2.0, 'unit': 'fs', 'minimum': 0.05, 'maximum': 10.0, 'help':
                        'length of a step; 1 or less for crystals with hydrogen'},
        'md_min_length': {'type': 'float', 'default': 8.0, 'unit': 'A', 'minimum': 3.0, 'help':
                          'least distance of an atom from its images in the supercell of the dynamics'},
    },
    'columns': {
        'dynamics_kept': {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'help':
                          'whether the structure is the same after a short molecular dynamics, its atoms led downhill'},
        'dynamics_reason': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help': 'why this is said'},
        'dynamics_temperature': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'K', 'help':
                                 'mean temperature of the second half of the dynamics'},
        'dynamics_time': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'ps', 'help': 'how long it was'},
        'dynamics_displacement': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'help':
                                  'rms displacement of the atoms, led downhill, from where they were before'},
        'dynamics_seed': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help':
                          'seed of the velocities and of the heat bath'},
    },
}  # fmt: skip

FRICTION = 0.01  # 1/fs
RUNAWAY = 10.0  # times the temperature asked for: the crystal explodes
QUENCH = {'fmax': 0.05, 'max_steps': 300, 'relax_cell': False}
BLOCK = 10  # steps between two looks


def columns(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the columns, none where no dynamics is asked for."""
    found: dict[str, t.Any] = dict(t.cast('dict[str, t.Any]', ABOUT['columns']))
    return found if options['md_temperature'] > 0 else {}


def looked_at(
    name: str, standard: t.Any, potential: t.Any, options: t.Mapping[str, t.Any]
) -> tuple[dict[str, t.Any], int]:
    """Return the columns of a relaxed crystal, and the evaluations that they cost.

    :param name: its id, which decides the seed.
    :param standard: `science.supercells.Standard`.
    """
    from science.supercells import choose_supercell

    if options['md_temperature'] <= 0:
        return {}, 0
    supercell = choose_supercell(standard, options['md_min_length'], options['max_supercell_atoms'])
    if supercell is None:
        most = options['max_supercell_atoms']
        return {'dynamics_reason': f'a supercell of {options["md_min_length"]:g} A would have over {most} atoms'}, 0
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    begun = repeated(supercell)
    run = Dynamics(begun, potential, options, np.random.default_rng(seed))
    kept, reason, displacement = run.verdict()
    found = {
        'dynamics_kept': kept,
        'dynamics_reason': reason,
        'dynamics_temperature': run.temperature,
        'dynamics_time': run.steps * options['md_timestep'] / 1000.0,
        'dynamics_displacement': displacement,
        'dynamics_seed': seed,
    }
    return found, run.n_evaluations


def repeated(supercell: t.Any) -> tuple[Array, Array, Array]:
    """Return numbers, positions and cell of a supercell."""
    unit, repeats = supercell.unit, np.array(supercell.repeats)
    shifts = np.stack(np.meshgrid(*map(np.arange, repeats), indexing='ij'), axis=-1).reshape(-1, 1, 3) @ unit.cell
    return np.tile(unit.numbers, len(shifts)), (unit.positions + shifts).reshape(-1, 3), unit.cell * repeats[:, None]


class Dynamics:
    """One run."""

    def __init__(
        self, begun: tuple[Array, Array, Array], potential: t.Any, options: t.Mapping[str, t.Any], rng: t.Any
    ) -> None:
        self.begun, self.potential, self.options, self.rng = begun, potential, options, rng
        self.n_evaluations = self.steps = 0
        self.temperature: float | None = None

    def verdict(self) -> tuple[bool | None, str, float | None]:
        """Return whether the structure is kept, why this is said, and how far the atoms went [A]."""
        from relaxation import Rejected, State

        asked = self.options['md_temperature']
        try:
            moved = self.run()
            numbers, _, cell = self.begun
            # The limit on atoms is one of crystals, not of the supercell that was made of one.
            state = State(self.potential, {**self.options, **QUENCH, 'max_atoms': len(numbers)})
            try:
                row = {'numbers': numbers, 'positions': moved, 'cell': cell, 'pbc': [True] * 3}
                found = state.relax(row)
            finally:
                self.n_evaluations += state.n_evaluations
        except Rejected as end:
            return False, f'at {asked:g} K it fell apart: {end.verdict["detail"]}', None
        after = found['structure']
        same = self.is_same(after)
        shift = np.array(after['positions']) - self.begun[1]
        shift -= shift.mean(axis=0)
        displacement = float(np.sqrt((shift**2).sum(axis=1).mean()))
        if same is None:
            return None, 'pymatgen, which compares structures, is not installed where this ran', displacement
        word = 'the same structure' if same else 'another structure'
        word += '' if found['columns']['converged'] else ', not quite led to its minimum,'
        time = self.steps * self.options['md_timestep'] / 1000.0
        return same, f'{word} after {time:g} ps at {asked:g} K ({len(self.begun[0])} atoms)', displacement

    def run(self) -> Array:
        """Return the positions [A] after the dynamics.

        :raises relaxation.Rejected: when the atoms fly apart.
        """
        from ase import Atoms, units
        from ase.md.langevin import Langevin
        from relaxation import Rejected, check_distance

        numbers, positions, cell = self.begun
        asked, step = self.options['md_temperature'], self.options['md_timestep']
        atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
        atoms.calc = calculator_of(self)
        # Twice the temperature asked for, since half of it goes into the springs.
        widths = np.sqrt(atoms.get_masses() * units.kB * 2 * asked)
        atoms.set_momenta(self.rng.normal(size=(len(atoms), 3)) * widths[:, None])
        bath = Langevin(
            atoms, step * units.fs, temperature_K=asked, friction=FRICTION / units.fs, rng=self.rng, fixcm=False
        )
        temperatures = []
        blocks = max(1, math.ceil(self.options['md_time'] * 1000.0 / step / BLOCK))
        for _ in range(blocks):
            bath.run(BLOCK)
            self.steps += BLOCK
            temperatures.append(float(atoms.get_temperature()))
            if not temperatures[-1] < RUNAWAY * asked:
                raise Rejected('runaway', f'It became {temperatures[-1]:.3g} K hot.', temperatures[-1], RUNAWAY * asked)
            check_distance(atoms.positions, cell)
        self.temperature = float(np.mean(temperatures[len(temperatures) // 2 :]))
        return np.asarray(atoms.positions)

    def is_same(self, after: t.Mapping[str, t.Any]) -> bool | None:
        """Say whether pymatgen's matcher finds the structure of before; None without pymatgen."""
        try:
            from pymatgen.analysis.structure_matcher import StructureMatcher
            from pymatgen.core import Structure
        except ImportError:
            return None
        numbers, positions, cell = self.begun
        first = Structure(cell, numbers, positions, coords_are_cartesian=True)
        second = Structure(after['cell'], after['numbers'], after['positions'], coords_are_cartesian=True)
        # Thermal motion that no longer lets the cell be reduced is another structure: both are compared as they are.
        return bool(StructureMatcher(primitive_cell=False).fit(first, second))


def calculator_of(run: Dynamics) -> t.Any:
    """Return the potential of a run as ASE's calculator."""
    from ase.calculators.calculator import Calculator, all_changes

    class Counted(Calculator):  # type: ignore[misc, no-any-unimported]
        """Asks the potential, and counts."""

        implemented_properties = ('energy', 'forces')

        def calculate(self, atoms: t.Any = None, properties: t.Any = ('energy',), changes: t.Any = all_changes) -> None:
            super().calculate(atoms, properties, changes)
            run.n_evaluations += 1
            energy, forces, _ = run.potential.evaluate(atoms.numbers, atoms.positions, atoms.cell.array)
            self.results = {'energy': energy, 'forces': forces}

    return Counted()
