"""Soft modes: atoms of dynamically unstable crystals moved along their softest mode, in a cell that holds it."""

from __future__ import annotations

import itertools
import math
import os
import typing as t
from fractions import Fraction
from urllib.parse import unquote

import numpy as np

ABOUT = {
    'name': 'soft_modes',
    'kind': 'generator',
    'summary': 'Dynamically unstable crystals with their atoms moved along the softest mode, in the smallest cell that '
               'holds it; relaxed, they find the structures that the mode leads to.',
    'elements': 'any',
    'licence': 'BSD-3-Clause (phonopy)',
    'citation': [
        'A. Togo, J. Phys. Soc. Jpn. 92, 012001 (2023), doi:10.7566/JPSJ.92.012001',
        'A. Togo, I. Tanaka, Evolution of crystal structures in metallic elements, Phys. Rev. B 87, 184104 (2013), '
        'doi:10.1103/PhysRevB.87.184104',
    ],
    'install': 'pip install phonopy',
    'requires': ['phonopy', 'numpy'],
    'needs': [],
    'science': ['supercells', 'phonons'],
    'training': None,
    'energy_convention': None,
    'asset': 'force_constants',
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'amplitudes': {'type': 'list', 'default': [0.25, 0.4, 0.1], 'unit': 'A', 'minimum': 1e-3, 'maximum': 2.0,
            'help': 'how far the atom that moves most is moved; one after the other'},
        'below': {'type': 'float', 'default': -0.1, 'unit': 'THz', 'maximum': 0.0,
            'help': 'crystals whose lowest frequency is not below this are left out (imaginary ones are negative)'},
        'max_atoms': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'largest cell; a mode that needs a larger one gives a rejected row'},
    },
    'conditions': {},
    'columns': {
        'born_from': {'kind': 'text', 'unit': '', 'level': '', 'help': 'id of the crystal that is unstable'},
        'soft_mode_frequency': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'level': '',
            'help': 'frequency of the mode in that crystal, by the potential of its phonons; negative: imaginary'},
        'soft_mode_where': {'kind': 'text', 'unit': '', 'level': '',
            'help': 'q-point of the mode, in the reciprocal primitive cell'},
        'soft_mode_amplitude': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'level': '',
            'help': 'how far the atom that moves most was moved'},
    },
}  # fmt: skip

# Modes of one q-point within this of the softest one [THz] count as one, and q-points likewise.
DEGENERATE = 1e-3
SUFFIX = '.npz'


class Mode(t.NamedTuple):
    """The softest modes of an unstable crystal: they have one frequency, so that any sum of them is one too."""

    parent: str
    """Id of the crystal."""
    phonon: t.Any
    """Its `Phonopy`."""
    frequency: float
    """[THz]"""
    points: list[t.Any]
    """q-points at which it occurs, each with its bands."""


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one moved crystal per request row: the unstable ones in turn, then the next amplitude.

    Which of the q-points that symmetry makes alike, and which sum of degenerate modes, the seed of the row decides.
    """
    about: t.Any = ABOUT
    settings = {name: job.parameters.get(name, form['default']) for name, form in about['parameters'].items()}
    modes = unstable_modes(job.assets['force_constants'], settings['below'])
    amplitudes = settings['amplitudes']
    for row in rows:
        mode = modes[row['index'] % len(modes)]
        amplitude = float(amplitudes[row['index'] // len(modes) % len(amplitudes)])
        rng = np.random.default_rng(row['seed'])
        yield {'id': row['id'], **moved(mode, amplitude, settings['max_atoms'], rng)}


def unstable_modes(path: str, below: float) -> list[Mode]:
    """Return the softest modes of the crystals of a file, or of all files of a folder, that are unstable.

    :param path: force constants as a phonon job keeps them, `<id>.npz`.
    :raises ValueError: when there are no such files, or none of an unstable crystal.
    """
    names = sorted(os.listdir(path)) if os.path.isdir(path) else ['']
    files = [os.path.join(path, name) if name else path for name in names if not name or name.endswith(SUFFIX)]
    if not files:
        raise ValueError('there are no force constants: give the output `force_constants` of phonons, files `<id>.npz`')
    modes = [mode for file in files for mode in [softest(file)] if mode.frequency < below]
    if not modes:
        raise ValueError(f'none of {len(files)} crystals has a frequency below {below:g} THz: nothing leads away')
    return modes


def softest(path: str) -> Mode:
    """Return the softest modes of the crystal of one file, at the q-points that its supercell holds."""
    from science import phonons  # type: ignore[import-not-found]

    try:
        with np.load(path, allow_pickle=False) as record:
            phonon = phonons.phonon_from_record(record)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f'`{os.path.basename(path)}` holds no force constants of a phonon job: {error}') from error
    points = phonons.commensurate_points(phonon)
    phonon.run_qpoints(points)
    frequencies = phonons.without_acoustic(points, np.array(phonon.qpoints.frequencies))
    lowest = float(np.nanmin(frequencies))
    alike = [
        (point, np.flatnonzero(bands <= lowest + DEGENERATE))
        for point, bands in zip(points, frequencies)
        if np.nanmin(bands) <= lowest + DEGENERATE
    ]
    return Mode(unquote(os.path.basename(path))[: -len(SUFFIX)], phonon, lowest, alike)


def smallest_cell(point: t.Any) -> t.Any:
    """Return the smallest cell that holds whole waves of a q-point, vectors as rows in units of the primitive ones.

    It has as many primitive cells as the q-point has multiples that differ; of the cells of that size (in Hermite
    normal form) that hold the wave the first one in the order of their vectors is taken.
    """
    parts = [Fraction(float(part)).limit_denominator(64) for part in point]
    size = math.lcm(*(part.denominator for part in parts))
    divisors = [n for n in range(1, size + 1) if size % n == 0]
    for a, c in itertools.product(divisors, divisors):
        f, rest = divmod(size, a * c)
        for b, d, e in itertools.product(range(c), range(max(f, 1)), range(max(f, 1))) if rest == 0 and f else ():
            cell = np.array([[a, b, d], [0, c, e], [0, 0, f]])
            if all(sum(int(n) * part for n, part in zip(row, parts)).denominator == 1 for row in cell):
                return cell
    raise AssertionError(f'no cell of {size} primitive ones holds the q-point {point}')  # there is one for every point


def moved(mode: Mode, amplitude: float, max_atoms: int, rng: np.random.Generator) -> dict[str, t.Any]:
    """Return the crystal with its atoms moved along a mode, or why there is none."""
    point, bands = mode.points[int(rng.integers(len(mode.points)))]
    columns = {
        'born_from': mode.parent,
        'soft_mode_frequency': mode.frequency,
        'soft_mode_where': ' '.join(f'{part:g}' for part in np.round(point, 4) + 0.0),
        'soft_mode_amplitude': amplitude,
    }
    cell_of_mode = smallest_cell(point)
    n_atoms = len(mode.phonon.primitive) * round(abs(np.linalg.det(cell_of_mode)))
    if n_atoms > max_atoms:
        detail = f'the mode needs a cell of {n_atoms} atoms, and `max_atoms` is {max_atoms}'
        rejected = {'reason': 'cell_too_large', 'detail': detail, 'value': n_atoms, 'threshold': max_atoms}
        return {'columns': columns, 'rejected': rejected}
    shares = rng.normal(size=len(bands))
    phases = rng.uniform(0.0, 360.0, len(bands))
    wanted = [[list(point), int(band), float(share), phase] for band, share, phase in zip(bands, shares, phases)]
    found = mode.phonon.run_modulations(cell_of_mode.T, wanted)  # phonopy's vectors are columns
    shift, cell = np.real(np.sum(found.modulations, axis=0)), found.supercell
    positions = cell.positions + shift * (amplitude / np.linalg.norm(shift, axis=1).max())
    structure = {
        'numbers': np.asarray(cell.numbers).tolist(),
        'positions': positions.tolist(),
        'cell': np.asarray(cell.cell).tolist(),
        'pbc': [True, True, True],
    }
    return {'structure': structure, 'columns': columns}
