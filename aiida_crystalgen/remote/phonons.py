"""Phonons of crystals with any potential that relaxes with `relaxation.relax`: its model is loaded once for all.

A crystal is made exactly symmetric, relaxed tightly and displaced at two amplitudes; what may be concluded is decided
by `science.phonons`, which travels in the same bundle. No crystal is rejected: what cannot be done is inconclusive.
"""

from __future__ import annotations

import os
import typing as t
from urllib.parse import quote

import dynamics
import numpy as np

Array = t.Any
Row = t.Dict[str, t.Any]

ABOUT = {
    'name': 'phonopy',
    'licence': 'BSD-3-Clause',
    'needs': ['dynamics'],
    'citation': ['A. Togo, J. Phys. Soc. Jpn. 92, 012001 (2023), doi:10.7566/JPSJ.92.012001',
                 'A. Togo et al., J. Phys.: Condens. Matter 35, 353001 (2023), doi:10.1088/1361-648X/acd831'],
    'parameters': {
        'displacements': {'type': 'list', 'default': [0.01, 0.03], 'unit': 'A', 'minimum': 1e-4, 'maximum': 0.5, 'help':
                          'how far atoms are moved; a verdict has to hold at each of these, results are those of the '
                          'first'},
        'min_length': {'type': 'float', 'default': 10.0, 'unit': 'A', 'minimum': 3.0, 'help':
                       'least distance of an atom from its images in the supercell'},
        'enlarge': {'type': 'float', 'default': 1.5, 'minimum': 1.0, 'help':
                    'factor of `min_length` in the second supercell, which is made where the first is inconclusive; '
                    '1 = no second one'},
        'max_supercell_atoms': {'type': 'int', 'default': 500, 'minimum': 1, 'help': 'largest supercell'},
        'max_work': {'type': 'int', 'default': 200000, 'minimum': 1, 'help':
                     'most atoms times displacements of one supercell and amplitude'},
        'symprec': {'type': 'float', 'default': 0.01, 'unit': 'A', 'minimum': 1e-6, 'help':
                    'tolerance within which a crystal is made symmetric, before and after its relaxation'},
        'mesh_length': {'type': 'float', 'default': 40.0, 'unit': 'A', 'minimum': 1.0, 'help':
                        'density of the mesh of q-points: their number along an axis times the spacing of planes'},
        'stable_above': {'type': 'float', 'default': -0.1, 'unit': 'THz', 'maximum': 0.0, 'help':
                         'a crystal is stable if no frequency is below this (imaginary ones are negative)'},
        'unstable_below': {'type': 'float', 'default': -0.5, 'unit': 'THz', 'maximum': 0.0, 'help':
                           'a crystal is unstable if a frequency is below this at a q-point that the supercell holds'},
        'temperatures': {'type': 'list', 'default': [300.0], 'unit': 'K', 'minimum': 0.0, 'help':
                         'where free energy and heat capacity are wanted'},
    },
    'columns': {
        'phonon_verdict': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help':
                           'stable, unstable or inconclusive, by the potential, harmonic and at 0 K'},
        'phonon_reason': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help': 'why the verdict is this one'},
        'phonon_lowest_frequency': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'help':
                                    'lowest frequency at the q-points that the supercell holds, after the sum rule, '
                                    'acoustic branches at Gamma apart; negative: imaginary'},
        'phonon_where': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help':
                         'that q-point, in the reciprocal primitive cell'},
        'phonon_n_imaginary': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help':
                               'modes below `stable_above` at all q-points that the supercell holds'},
        'phonon_lowest_interpolated': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'help':
                                       'lowest frequency on the mesh between those q-points'},
        'phonon_lowest_other': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'help':
                                'lowest frequency with the last of `displacements`: the self-check'},
        'phonon_displacement': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'help':
                                'how far atoms were moved, the first of `displacements`'},
        'phonon_supercell': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help':
                             'cells, atoms and distance between images of the supercell that the verdict rests on'},
        'phonon_mesh': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help': 'mesh of q-points, Gamma in it'},
        'phonon_space_group': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help':
                               'space group in which the crystal was relaxed and displaced'},
        'phonon_energy': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help':
                          'energy after the tight relaxation, in the precision of the phonons'},
        'phonon_fmax': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/A', 'help':
                        'largest force after the tight relaxation, cell forces included'},
        'phonon_precision': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'help':
                             'number format of the potential'},
        'phonon_n_evaluations': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help':
                                 'evaluations of the potential, relaxation included'},
    },
}  # fmt: skip

LONGER = 0.1  # A, by which the second supercell is longer at least


def versions() -> dict[str, str]:
    """Return the versions that results depend on: those of the potential, of phonopy and of spglib."""
    from importlib.metadata import version

    import adapter

    return {**adapter.versions(), **{name: version(name) for name in ('phonopy', 'spglib')}}


def level(job: t.Any) -> str:
    """Return the level of theory of the energies."""
    import adapter

    return str(adapter.level(job))


def columns(job: t.Any) -> dict[str, t.Any]:
    """Return the columns, two for each temperature among them."""
    shape: dict[str, t.Any] = {'kind': 'row', 'dtype': 'float', 'shape': []}
    own: t.Any = ABOUT['columns']
    options = options_of(job)
    found: dict[str, t.Any] = {**own, **dynamics.columns(options)}
    for one in options['temperatures']:
        text = f'at {one:g} K, harmonic; unknown unless the crystal is stable'
        energy, capacity = thermal_names(one)
        found[energy] = {**shape, 'unit': 'eV/atom', 'help': f'vibrational free energy {text}'}
        found[capacity] = {**shape, 'unit': 'J/(mol K)', 'help': f'heat capacity of a mole of atoms {text}'}
    return found


def thermal_names(temperature: float) -> tuple[str, str]:
    """Return the columns of free energy and heat capacity at a temperature [K]."""
    text = f'{temperature:g}K'.replace('.', '_')
    return f'phonon_free_energy_{text}', f'phonon_heat_capacity_{text}'


def options_of(job: t.Any) -> dict[str, t.Any]:
    """Return the parameters of a job over the defaults of relaxation and phonons."""
    import relaxation

    options: dict[str, t.Any] = {}
    for about in (relaxation.ABOUT, dynamics.ABOUT, ABOUT):
        options.update(relaxation.settings(about, job))
    return options


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row with what its phonons say; the adapter makes the potential and hands it to `phonons`."""
    import adapter

    job.task = phonons
    yield from adapter.run(rows, job)


def phonons(rows: t.Iterable[Row], job: t.Any, potential: t.Any) -> t.Iterator[Row]:
    """Yield every row with its verdict."""
    options = options_of(job)
    for row in rows:
        vibration = Vibration(potential, options, job)
        try:
            found = vibration.verdict_of(row)
        except Inconclusive as end:
            found = {'phonon_verdict': 'inconclusive', 'phonon_reason': str(end)}
        count = vibration.n_evaluations
        # The first is what the harness adds up; the table has a column of that name from the relaxation.
        more = {'n_evaluations': count, 'phonon_n_evaluations': count, 'phonon_precision': potential.precision}
        yield {'id': row['id'], 'columns': {**found, **more}}


class Inconclusive(Exception):  # noqa: N818
    """Nothing can be said of a crystal; the text says why."""


class Vibration:
    """One crystal, from its relaxation to its verdict."""

    def __init__(self, potential: t.Any, options: t.Mapping[str, t.Any], job: t.Any) -> None:
        from science.phonons import Limits

        self.potential, self.options, self.job = potential, options, job
        self.limits = Limits(options['stable_above'], options['unstable_below'])
        self.n_evaluations = 0

    def verdict_of(self, row: Row) -> Row:
        """Return the columns of a row, and write its force constants."""
        standard, known = self.relaxed(row)
        found, cost = dynamics.looked_at(str(row['id']), standard, self.potential, self.options)
        self.n_evaluations += cost
        known.update(found)
        supercell = self.supercell(standard, self.options['min_length'])
        found = self.judged(row['id'], supercell)
        if found['phonon_verdict'] != 'inconclusive' or self.options['enlarge'] <= 1:
            return {**known, **found}
        try:
            longer = max(self.options['min_length'] * self.options['enlarge'], supercell.length + LONGER)
            found = self.judged(row['id'], self.supercell(standard, longer))
        except Inconclusive as end:
            found['phonon_reason'] += f'; a larger supercell was not made: {end}'
        return {**known, **found}

    def relaxed(self, row: Row) -> tuple[t.Any, Row]:
        """Return the crystal relaxed in its own symmetry, and columns on that."""
        from relaxation import Rejected, State

        standard = self.standard(row['numbers'], row['positions'], row['cell'])
        state = State(self.potential, self.options)
        primitive = standard.primitive
        try:
            found = state.relax({**row, **primitive._asdict()})
        except Rejected as end:
            raise Inconclusive(f'the tight relaxation ended early: {end.verdict["detail"]}') from end
        finally:
            self.n_evaluations += state.n_evaluations
        columns = found['columns']
        if not columns['converged']:
            text = f'{columns["n_steps"]} steps left a force of {columns["fmax"]:.1g} eV/A'
            raise Inconclusive(f'the tight relaxation did not converge: {text}, {self.options["fmax"]:g} is asked for')
        structure = found['structure']
        standard = self.standard(*(np.array(structure[name]) for name in ('numbers', 'positions', 'cell')))
        return standard, {
            'phonon_energy': columns['energy'],
            'phonon_fmax': columns['fmax'],
            'phonon_space_group': standard.space_group,
        }

    def standard(self, numbers: Array, positions: Array, cell: Array) -> t.Any:
        """Return a crystal with exact symmetry."""
        from science.supercells import standardise

        if len(numbers) == 0:
            raise Inconclusive('the row has no atoms')
        try:
            return standardise(numbers, positions, cell, self.options['symprec'])
        except ValueError as error:
            raise Inconclusive(str(error)) from error

    def supercell(self, standard: t.Any, min_length: float) -> t.Any:
        """Return the supercell of a least length [A]."""
        from science.supercells import choose_supercell

        most = self.options['max_supercell_atoms']
        supercell = choose_supercell(standard, min_length, most)
        if supercell is None:
            raise Inconclusive(f'a supercell of {min_length:.3g} A would have more than {most} atoms')
        return supercell

    def judged(self, name: str, supercell: t.Any) -> Row:
        """Return the columns that one supercell gives."""
        from science import phonons as science

        options = self.options
        phonon = science.make_phonon(supercell, options['symprec'])
        spectra = []
        for displacement in reversed(options['displacements']):  # results are those of the first
            science.set_forces(phonon, self.forces(science.displaced_cells(phonon, displacement)))
            spectra.append(science.spectrum_of(phonon, displacement, options['mesh_length'], self.limits))
        spectra.reverse()
        verdict = science.judge(spectra, self.limits)
        temperatures = options['temperatures'] if verdict.word == science.STABLE else []
        thermal = science.thermal_properties(phonon, temperatures)
        found: Row = science.columns_of(phonon, supercell, spectra, verdict, options['mesh_length'])
        for temperature, (energy, capacity) in zip(temperatures, thermal):
            found.update(zip(thermal_names(temperature), (energy, capacity)))
        self.keep(name, science.record_of(phonon, supercell, options['symprec']))
        return found

    def forces(self, cells: t.Sequence[t.Any]) -> list[Array]:
        """Return the forces [eV/A] on every atom of some supercells of one lattice."""
        work, most = sum(len(cell.numbers) for cell in cells), self.options['max_work']
        if work > most:
            text = f'{len(cells)} supercells of {len(cells[0].numbers)} atoms'
            raise Inconclusive(f'{text} would be too much work; `max_work` is {most} atoms')
        self.n_evaluations += len(cells)
        together = getattr(self.potential, 'forces_of', None)
        size = max(int(getattr(self.job, 'batch_size', 1)), 1)
        if together is None or size == 1:
            return [self.potential.evaluate(*cell)[1] for cell in cells]
        batches = [cells[start : start + size] for start in range(0, len(cells), size)]
        return [forces for batch in batches for forces in together(batch)]

    def keep(self, name: str, record: t.Mapping[str, Array]) -> None:
        """Write the force constants of a crystal, whole or not at all."""
        folder = getattr(self.job, 'blobs', None)
        if folder is None:
            return
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f'{quote(name, safe="")}.npz')
        with open(f'{path}.part', 'wb') as handle:
            np.savez(handle, **record)
        os.replace(f'{path}.part', path)
