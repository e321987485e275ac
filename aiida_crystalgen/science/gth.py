"""Goedecker-Teter-Hutter pseudopotentials, written in the format UPF that Quantum ESPRESSO reads.

The form is analytic (Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703, 1996; Hartwigsen, Goedecker, Hutter, ibid. 58,
3641, 1998), so it can be put on the logarithmic grid that pw.x integrates on. The UPF files that the program ATOM of
CP2K writes are on another grid, and pw.x makes wrong energies of them without a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .disorder import number_of

Array = NDArray[np.float64]

SOFT = ('Mg', 'Al', 'Si', 'P', 'S', 'Ga', 'Ge', 'As', 'Se', 'In', 'Sn', 'Sb', 'Te')
"""Elements whose potential of fewest electrons needs a cutoff of 25 to 30 Ry only; first rows and semicore are hard."""

SOFT_CUTOFF = 25.0
"""Cutoff of wave functions [Ry] for the soft elements; 35 Ry changes the formation energy of Mg2Si by 1 meV/atom."""

X_MIN, STEP, R_MAX = -7.0, 0.0125, 100.0
"""The grid r_i = exp(X_MIN + i STEP) / Z, up to R_MAX [bohr]: the one that pw.x and its atomic code use themselves."""

_NAME = re.compile(r'^GTH-(?P<functional>[A-Z0-9]+)-q(?P<electrons>\d+)$')
_COLUMNS = 4


@dataclass(frozen=True)
class Channel:
    """The projectors of one angular momentum."""

    radius: float
    """[bohr]."""
    matrix: Array
    """Coupling of the projectors [Hartree], symmetric, shape (n, n); n may be 0."""


@dataclass(frozen=True)
class Gth:
    """One pseudopotential."""

    symbol: str
    name: str
    """As in the file, `GTH-PBE-q4`."""
    electrons: int
    """Number of valence electrons."""
    radius: float
    """Radius of the local part [bohr]."""
    coefficients: tuple[float, ...]
    """Coefficients of the local part [Hartree]."""
    channels: tuple[Channel, ...]
    """By angular momentum, s first."""

    @property
    def functional(self) -> str:
        """Density functional that it was fitted with."""
        match = _NAME.match(self.name)
        return match['functional'] if match else ''

    def local(self, r: Array) -> Array:
        """Return the local part at radii [bohr], in Hartree."""
        from scipy.special import erf

        x = r / self.radius
        polynomial = sum(value * x ** (2 * power) for power, value in enumerate(self.coefficients))
        coulomb = -self.electrons / r * erf(x / math.sqrt(2))
        return np.asarray(coulomb + np.exp(-(x**2) / 2) * polynomial, dtype=np.float64)

    def projectors(self, r: Array) -> list[tuple[int, Array]]:
        """Return angular momentum and radial function p(r) [bohr^-3/2] of every projector; r^2 p^2 integrates to 1."""
        found = []
        for momentum, channel in enumerate(self.channels):
            for index in range(1, len(channel.matrix) + 1):
                half = momentum + (4 * index - 1) / 2
                norm = math.sqrt(2) / (channel.radius**half * math.sqrt(math.gamma(half)))
                gaussian = np.exp(-((r / channel.radius) ** 2) / 2)
                found.append((momentum, np.asarray(norm * r ** (momentum + 2 * (index - 1)) * gaussian)))
        return found

    @property
    def coupling(self) -> Array:
        """The coupling of all projectors [Hartree], zero between angular momenta."""
        from scipy.linalg import block_diag

        blocks = [channel.matrix for channel in self.channels if len(channel.matrix)]
        return np.asarray(block_diag(*blocks) if blocks else np.zeros((0, 0)), dtype=np.float64)


def read_gth(text: str, functional: str = 'PBE') -> dict[str, list[Gth]]:
    """Return the pseudopotentials of a file of CP2K (`GTH_POTENTIALS`) by element, fewest valence electrons first.

    Raises:
        ValueError: if an entry is cut off or does not have the numbers that it announces.
    """
    lines = [line.split('#', 1)[0].split() for line in text.splitlines()]
    lines = [words for words in lines if words]
    starts = [i for i, words in enumerate(lines) if words[0].isalpha() and len(words) > 1]
    found: dict[str, list[Gth]] = {}
    for start, end in pairwise([*starts, len(lines)]):
        symbol, *names = lines[start]
        matches = [name for name in names if (m := _NAME.match(name)) and m['functional'] == functional]
        if matches:
            found.setdefault(symbol, []).append(_entry(symbol, matches[0], lines[start + 1 : end]))
    return {symbol: sorted(entries, key=lambda entry: entry.electrons) for symbol, entries in found.items()}


def _entry(symbol: str, name: str, lines: Sequence[Sequence[str]]) -> Gth:
    """Read one entry, its first line excepted."""
    words = iter([word for line in lines[1:] for word in line])
    try:
        electrons = sum(int(word) for word in lines[0])
        radius = float(next(words))
        coefficients = [float(next(words)) for _ in range(int(next(words)))]
        channels = [_channel(words) for _ in range(int(next(words)))]
    except (ValueError, StopIteration, IndexError):
        raise ValueError(f'the entry `{symbol} {name}` does not have the numbers that it announces') from None
    if list(words) or f'-q{electrons}' not in name:
        raise ValueError(f'the entry `{symbol} {name}` has other numbers than it announces')
    return Gth(symbol, name, electrons, radius, tuple(coefficients), tuple(channels))


def _channel(words: Iterator[str]) -> Channel:
    radius, n = float(next(words)), int(next(words))
    matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(i, n):
            matrix[i, j] = matrix[j, i] = float(next(words))
    return Channel(radius, matrix)


def grid(symbol: str) -> tuple[Array, Array]:
    """Return the radii [bohr] of the logarithmic grid of an element, an odd number of them, and their weights."""
    number = number_of(symbol)
    count = int((math.log(number * R_MAX) - X_MIN) / STEP) + 1
    count += 1 - count % 2
    r = np.exp(X_MIN + STEP * np.arange(count)) / number
    return r, r * STEP


def to_upf(gth: Gth) -> str:
    """Return a pseudopotential as the text of a UPF file (version 2.0.1, energies in Rydberg, lengths in bohr).

    The density of the atom in it is a smooth guess of the right charge; there are no atomic wave functions, so that
    pw.x starts from random ones.
    """
    r, rab = grid(gth.symbol)
    betas = gth.projectors(r)
    widest = max([gth.radius, *(channel.radius for channel in gth.channels if len(channel.matrix))])
    cutoff = int(np.searchsorted(r, 10 * widest))
    cutoff += 1 - cutoff % 2
    density = r**2 * np.exp(-2 * r)
    density *= gth.electrons / float(density @ rab)
    sections = [
        f'<PP_INFO>\n{gth.symbol} {gth.name}: Goedecker-Teter-Hutter, from its analytic form\n</PP_INFO>',
        _header(gth, len(r), len(betas)),
        f'<PP_MESH dx="{STEP}" mesh="{len(r)}" xmin="{X_MIN}" rmax="{r[-1]:.10E}" zmesh="{number_of(gth.symbol)}.0">',
        _block('PP_R', r),
        _block('PP_RAB', rab),
        '</PP_MESH>',
        _block('PP_LOCAL', 2 * gth.local(r)),
        '<PP_NONLOCAL>',
    ]
    for index, (momentum, p) in enumerate(betas, start=1):
        more = f' index="{index}" label="{"SPDF"[momentum]}" angular_momentum="{momentum}"'
        more += f' cutoff_radius_index="{cutoff}" cutoff_radius="{r[cutoff - 1]:.10E}"'
        sections.append(_block(f'PP_BETA.{index}', r * p, more))
    if betas:
        sections.append(_block('PP_DIJ', 2 * gth.coupling.ravel()))
    sections += ['</PP_NONLOCAL>', '<PP_PSWFC>\n</PP_PSWFC>', _block('PP_RHOATOM', density)]
    return '<UPF version="2.0.1">\n' + '\n'.join(sections) + '\n</UPF>\n'


def _header(gth: Gth, n_mesh: int, n_projectors: int) -> str:
    used = [momentum for momentum, channel in enumerate(gth.channels) if len(channel.matrix)]
    flags = ('is_ultrasoft', 'is_paw', 'is_coulomb', 'has_so', 'has_wfc', 'has_gipaw', 'core_correction')
    attributes = {
        'generated': 'from the analytic form of Goedecker, Teter and Hutter',
        'author': '',
        'date': '',
        'comment': gth.name,
        'element': gth.symbol,
        'pseudo_type': 'NC',
        'relativistic': 'scalar',
        **dict.fromkeys(flags, 'F'),
        'functional': gth.functional,
        'z_valence': f'{gth.electrons:.2f}',
        'total_psenergy': '0.0',
        'l_max': max(used, default=0),
        'l_local': -1,
        'mesh_size': n_mesh,
        'number_of_wfc': 0,
        'number_of_proj': n_projectors,
    }
    return '<PP_HEADER\n' + '\n'.join(f'{key}="{value}"' for key, value in attributes.items()) + '/>'


def _block(tag: str, values: Array, more: str = '') -> str:
    rows = (values[i : i + _COLUMNS] for i in range(0, len(values), _COLUMNS))
    numbers = '\n'.join(' '.join(f'{value:.12E}' for value in row) for row in rows)
    return f'<{tag} type="real" size="{len(values)}" columns="{_COLUMNS}"{more}>\n{numbers}\n</{tag}>'
