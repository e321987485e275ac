"""Parse one crystal from CIF, POSCAR, extended XYZ or the dictionary of a pymatgen Structure.

Atoms keep their order and coordinates, and an atom is never dropped or merged in silence: a file that lists all atoms
of its cell (P 1) is read here as it stands; pymatgen reads POSCAR and applies the symmetry of the other CIFs.
"""

from __future__ import annotations

import ast
import json
import re
import typing as t

import numpy as np

SYMBOLS = [
    'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
    'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
    'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La',
    'Ce', 'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re',
    'Os', 'Ir', 'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np',
    'Pu', 'Am', 'Cm', 'Bk', 'Cf', 'Es', 'Fm', 'Md', 'No', 'Lr', 'Rf', 'Db', 'Sg', 'Bh', 'Hs', 'Mt', 'Ds', 'Rg',
    'Cn', 'Nh', 'Fl', 'Mc', 'Lv', 'Ts', 'Og',
]  # fmt: skip
# Deuterium and tritium are hydrogen here.
ATOMIC_NUMBERS = {'D': 1, 'T': 1, **{symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}}
CELL_TAGS = [f'_cell_length_{axis}' for axis in 'abc'] + [f'_cell_angle_{name}' for name in ('alpha', 'beta', 'gamma')]
OPERATION_TAGS = [
    f'{name}{end}' for name in ('_symmetry_equiv_pos_as_xyz', '_space_group_symop_operation_xyz') for end in ('', '_')
]
OCCUPANCY_TOLERANCE = 1e-6

# Symbols, Cartesian positions [A] and lattice vectors as rows [A].
Parsed = t.Tuple[t.List[str], t.Any, t.Any]


class UnusableError(ValueError):
    """Why a text gives no ordered crystal; `reason` is a word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def parse(kind: str, content: t.Any) -> dict[str, t.Any]:
    """Return `numbers`, `positions` [A], `cell` [A] and `pbc`; any error means that there is no crystal."""
    parser = {'cif': from_cif, 'poscar': from_poscar, 'xyz': from_xyz, 'dict': from_dict, 'cell': from_cell}[kind]
    symbols, positions, cell = parser(content)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise UnusableError('non_finite', 'a coordinate or a cell vector is not a finite number')
    if not symbols or np.shape(positions) != (len(symbols), 3) or np.shape(cell) != (3, 3):
        raise ValueError('there are no atoms, or not three coordinates for each')
    numbers = [_number(symbol) for symbol in symbols]
    return {'numbers': numbers, 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': [True] * 3}


def _number(symbol: str) -> int:
    number = ATOMIC_NUMBERS.get(symbol)
    if number is None:
        raise UnusableError('unknown_element', f'`{symbol}` is no chemical element')
    return number


def _check_occupancy(value: float) -> None:
    if abs(value - 1) > OCCUPANCY_TOLERANCE:
        raise UnusableError(
            'partial_occupancy', f'a site has an occupancy of {value:g}; only ordered crystals can be used'
        )


def from_cell(text: t.Any) -> Parsed:
    """Read a cell of a table: a CIF, or the JSON or the Python literal of a Structure's dictionary."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError('the cell of the table is empty')
    if not text.lstrip().startswith('{'):
        return from_cif(text)
    try:
        return from_dict(json.loads(text))
    except json.JSONDecodeError:
        return from_dict(ast.literal_eval(text.strip()))


def from_cif(text: str) -> Parsed:
    """Read the first data block that holds atoms."""
    from pymatgen.io.cif import CifFile

    blocks = [block.data for block in CifFile.from_str(text).data.values() if '_atom_site_fract_x' in block.data]
    if not blocks:
        raise ValueError('the CIF lists no atoms with fractional coordinates')
    block = blocks[0]
    columns = [_column(block, f'_atom_site_fract_{axis}') for axis in 'xyz']
    fractional = np.array([[_float(value) for value in column] for column in columns]).T
    for value in _column(block, '_atom_site_occupancy') if '_atom_site_occupancy' in block else []:
        _check_occupancy(1.0 if value in {'.', '?'} else _float(value))
    names = '_atom_site_type_symbol' if '_atom_site_type_symbol' in block else '_atom_site_label'
    symbols = [_symbol(name) for name in _column(block, names)]
    for symbol in symbols:
        _number(symbol)
    if not np.isfinite(fractional).all():
        raise UnusableError('non_finite', 'a coordinate is not a finite number')
    operations = [operation for tag in OPERATION_TAGS if tag in block for operation in _column(block, tag)]
    if len(operations) != 1:
        return _symmetric_cif(text)
    cell = _cell([_float(block[tag]) for tag in CELL_TAGS])
    return symbols, fractional @ cell, cell


def _symmetric_cif(text: str) -> Parsed:
    """Let pymatgen apply the symmetry operations of a CIF."""
    from pymatgen.io.cif import CifParser

    structure = CifParser.from_str(text).parse_structures(primitive=False, on_error='raise')[0]
    return _from_structure(structure)


def _from_structure(structure: t.Any) -> Parsed:
    for site in structure:
        _check_occupancy(sum(site.species.values()) if len(site.species) == 1 else max(site.species.values()))
    symbols = [site.specie.symbol for site in structure]
    return symbols, structure.cart_coords, structure.lattice.matrix


def from_poscar(text: str) -> Parsed:
    """Read a POSCAR or CONTCAR that names its elements."""
    from pymatgen.io.vasp import Poscar

    poscar = Poscar.from_str(text, read_velocities=False)
    if not poscar.true_names:
        raise UnusableError('unknown_element', 'the POSCAR names no elements (the format of VASP 4)')
    return _from_structure(poscar.structure)


def from_xyz(lines: t.Sequence[str]) -> Parsed:
    """Read an extended XYZ frame: the comment line with `Lattice` and `Properties`, then one line for each atom."""
    pairs = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|(\S+))', lines[0])
    fields = {key.lower(): quoted or plain for key, quoted, plain in pairs}
    if 'lattice' not in fields:
        raise ValueError('the comment line has no `Lattice="..."`')
    if 'F' in fields.get('pbc', '').upper():
        raise UnusableError('not_periodic', 'the frame is not periodic in all three directions')
    cell = np.array([float(value) for value in fields['lattice'].split()]).reshape(3, 3)
    words = fields.get('properties', 'species:S:1:pos:R:3').split(':')
    starts, start = {}, 0
    for name, width in zip(words[0::3], words[2::3]):
        starts[name.lower()], start = start, start + int(width)
    rows = [line.split() for line in lines[1:]]
    symbols = [row[starts['species']] for row in rows]
    first = starts['pos']
    return symbols, np.array([[float(value) for value in row[first : first + 3]] for row in rows]), cell


def from_dict(value: t.Any) -> Parsed:
    """Read the dictionary of a Structure, or of an entry that holds one; classes that it names are never imported."""
    structure = value.get('structure', value)
    lattice = structure['lattice']
    if 'matrix' in lattice:
        cell = np.array(lattice['matrix'], dtype=float)
    else:
        cell = _cell([float(lattice[name]) for name in ('a', 'b', 'c', 'alpha', 'beta', 'gamma')])
    symbols = []
    for site in structure['sites']:
        species = site['species']
        _check_occupancy(max(float(one['occu']) for one in species))
        symbols.append(str(species[0]['element']))
    fractional = np.array([site['abc'] for site in structure['sites']], dtype=float)
    return symbols, fractional @ cell, cell


def _column(block: dict[str, t.Any], tag: str) -> list[str]:
    value = block[tag]
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _float(text: t.Any) -> float:
    """Return a number of a CIF; `1.234(5)` has its uncertainty in brackets."""
    return float(str(text).split('(')[0])


def _symbol(name: str) -> str:
    """Return the element of a CIF type symbol or label (`Mg2+`, `O1`, `CL3`), or the letters where there is none."""
    letters = ''.join(re.findall(r'^[A-Za-z]+', name))
    for length in (2, 1):
        symbol = letters[:length].capitalize()
        if symbol in ATOMIC_NUMBERS and (length == 2 or len(letters) == 1 or not letters[1].islower()):
            return symbol
    return letters or name


def _cell(parameters: t.Sequence[float]) -> t.Any:
    """Return lattice vectors from lengths [A] and angles [degrees]: a along x, b in the xy plane."""
    a, b, c, *angles = parameters
    if not np.isfinite(parameters).all():
        raise UnusableError('non_finite', 'a length or an angle of the cell is not a finite number')
    (cos_alpha, cos_beta, cos_gamma), sin_gamma = np.cos(np.radians(angles)), np.sin(np.radians(angles[2]))
    x, y = cos_beta, (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    if min(a, b, c) <= 0 or x * x + y * y >= 1:
        raise UnusableError('zero_volume', 'the lengths and angles of the cell span no volume')
    return np.array([[a, 0, 0], [b * cos_gamma, b * sin_gamma, 0], [c * x, c * y, c * np.sqrt(1 - x * x - y * y)]])
