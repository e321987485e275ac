"""Parse one crystal from CIF, POSCAR, extended XYZ or the dictionary of a pymatgen Structure.

Atoms keep their order and coordinates, and an atom is never dropped or merged in silence: a file that lists all atoms
of its cell (P 1) is read here as it stands; pymatgen reads POSCAR and applies the symmetry of the other CIFs. Partly
occupied sites are refused unless they are asked for.
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
# A P 1 CIF exactly as pymatgen writes it, read a hundred times faster than any CIF; everything else takes the long way.
_NUMBER = r'-?\d+(?:\.\d+)?'
WRITTEN_CIF = re.compile(
    r"(?:#[^\n]*\n)?data_[^\n]*\n_symmetry_space_group_name_H-M +'P 1'\n"
    + ''.join(rf'{tag} +({_NUMBER})\n' for tag in CELL_TAGS)
    + r'_symmetry_Int_Tables_number +1\n_chemical_formula_structural +[^\n]+\n_chemical_formula_sum +[^\n]+\n'
    + rf'_cell_volume +{_NUMBER}\n_cell_formula_units_Z +\d+\n'
    + r"loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'\nloop_\n"
    + r' _atom_site_type_symbol\n _atom_site_label\n _atom_site_symmetry_multiplicity\n'
    + r' _atom_site_fract_x\n _atom_site_fract_y\n _atom_site_fract_z\n _atom_site_occupancy\n'
    + rf"((?:  [A-Za-z]+(?:\d*[+-])?  [^\s'\"]+  1(?:  {_NUMBER}){{4}}\n)+)\s*"
)
OCCUPANCY_TOLERANCE = 1e-6
# Published occupancies have two or three digits: a third three times is 0.99.
SUM_TOLERANCE = 0.0101
# Sites of a CIF that are nearer than this [A] and partly occupied share one position.
SAME_PLACE = 0.01

# What occupies each site (symbols and shares), Cartesian positions [A] and lattice vectors as rows [A].
Sites = t.List[t.Dict[str, float]]
Parsed = t.Tuple[Sites, t.Any, t.Any]


class UnusableError(ValueError):
    """Why a text gives no ordered crystal; `reason` is a word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def parse(kind: str, content: t.Any, partial: bool = False) -> dict[str, t.Any]:
    """Return `numbers`, `positions` [A], `cell` [A] and `pbc`; any error means that there is no crystal.

    :param partial: keep partly occupied sites: a crystal that has them gets `occupancies` too, for each site the shares
        of its elements (the rest is vacancy), and `numbers` holds the element with the largest share.
    """
    parser = {'cif': from_cif, 'poscar': from_poscar, 'xyz': from_xyz, 'dict': from_dict, 'cell': from_cell}[kind]
    sites, positions, cell = parser(content, partial)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise UnusableError('non_finite', 'a coordinate or a cell vector is not a finite number')
    occupied = [(shares, place) for shares, place in ((_shares(site), i) for i, site in enumerate(sites)) if shares]
    if not occupied or np.shape(positions) != (len(sites), 3) or np.shape(cell) != (3, 3):
        raise ValueError('there are no atoms, or not three coordinates for each')
    if len(occupied) < len(sites):
        positions = positions[[place for _, place in occupied]]
    mixed = [shares for shares, _ in occupied]
    # Of equal shares the first symbol of the alphabet counts.
    numbers = [ATOMIC_NUMBERS[min(shares, key=lambda symbol: (-shares[symbol], symbol))] for shares in mixed]
    crystal = {'numbers': numbers, 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': [True] * 3}
    if any(1 not in shares.values() for shares in mixed):
        crystal['occupancies'] = mixed
    return crystal


def _shares(site: t.Mapping[str, float]) -> dict[str, float]:
    """Return the shares of a site by element, empty where nothing is there; rounded ones of a full site add up to 1."""
    shares: dict[str, float] = {}
    for name, value in site.items():
        symbol = SYMBOLS[_number(name) - 1]
        if value < 0:
            raise UnusableError('partial_occupancy', f'a site has an occupancy of {value:g}')
        if value > 0:
            shares[symbol] = shares.get(symbol, 0.0) + value
    total = sum(shares.values())
    if total > 1 + SUM_TOLERANCE:
        raise UnusableError('partial_occupancy', f'the occupancies of a site add up to {total:g}')
    full = abs(total - 1) <= (OCCUPANCY_TOLERANCE if len(shares) == 1 and total < 1 else SUM_TOLERANCE)
    return {symbol: value / total for symbol, value in shares.items()} if full else shares


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


def from_cell(text: t.Any, partial: bool = False) -> Parsed:
    """Read a cell of a table: a CIF, or the JSON or the Python literal of a Structure's dictionary."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError('the cell of the table is empty')
    if not text.lstrip().startswith('{'):
        return from_cif(text, partial)
    try:
        return from_dict(json.loads(text), partial)
    except json.JSONDecodeError:
        return from_dict(ast.literal_eval(text.strip()), partial)


def from_cif(text: str, partial: bool = False) -> Parsed:
    """Read the first data block that holds atoms."""
    written = WRITTEN_CIF.fullmatch(text)
    if written is not None:
        words = written.group(7).split()
        names, columns, shares = words[::7], [words[start::7] for start in (3, 4, 5)], words[6::7]
        lengths_angles, operations = list(written.groups()[:6]), ['x, y, z']
    else:
        block = _block(text)
        columns = [_column(block, f'_atom_site_fract_{axis}') for axis in 'xyz']
        shares = _column(block, '_atom_site_occupancy') if '_atom_site_occupancy' in block else ['.'] * len(columns[0])
        names = _column(block, '_atom_site_type_symbol' if '_atom_site_type_symbol' in block else '_atom_site_label')
        operations = [operation for tag in OPERATION_TAGS if tag in block for operation in _column(block, tag)]
        lengths_angles = [block.get(tag) for tag in CELL_TAGS]
    fractional = np.array([[_float(value) for value in column] for column in columns]).T
    occupancies = [1.0 if value in {'.', '?'} else _float(value) for value in shares]
    for value in [] if partial else occupancies:
        _check_occupancy(value)
    symbols = [_symbol(name) for name in names]
    for symbol in symbols:
        _number(symbol)
    if not np.isfinite(fractional).all():
        raise UnusableError('non_finite', 'a coordinate is not a finite number')
    if len(operations) != 1:
        return _symmetric_cif(text, partial)
    cell = _cell([_float(value) for value in lengths_angles])
    if not len(symbols) == len(occupancies) == len(fractional):
        raise ValueError('the columns of the atoms have different lengths')
    sites = [{symbol: value} for symbol, value in zip(symbols, occupancies)]
    if partial:
        sites, fractional = _merged(sites, fractional, cell)
    return sites, fractional @ cell, cell


def _block(text: str) -> dict[str, t.Any]:
    """Return the first data block of a CIF that holds atoms."""
    from pymatgen.io.cif import CifFile

    blocks = [block.data for block in CifFile.from_str(text).data.values() if '_atom_site_fract_x' in block.data]
    if not blocks:
        raise ValueError('the CIF lists no atoms with fractional coordinates')
    return dict(blocks[0])


def _merged(sites: Sites, fractional: t.Any, cell: t.Any) -> tuple[Sites, t.Any]:
    """Make one site of partly occupied ones that share a position; the first of them gives its place in the list."""
    found: Sites = [dict(site) for site in sites]
    partly = [i for i, site in enumerate(sites) if max(site.values()) < 1 - OCCUPANCY_TOLERANCE]
    firsts: list[int] = []
    for i in partly:
        apart = fractional[firsts] - fractional[i]
        near = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1) < SAME_PLACE
        if not near.any():
            firsts.append(i)
            continue
        first = found[firsts[int(np.argmax(near))]]
        for symbol, value in sites[i].items():
            first[symbol] = first.get(symbol, 0.0) + value
    lost = set(partly) - set(firsts)
    kept = [i for i in range(len(sites)) if i not in lost]
    return [found[i] for i in kept], fractional[kept]


def _symmetric_cif(text: str, partial: bool) -> Parsed:
    """Let pymatgen apply the symmetry operations of a CIF."""
    from pymatgen.io.cif import CifParser

    structure = CifParser.from_str(text, occupancy_tolerance=1 + SUM_TOLERANCE).parse_structures(
        primitive=False, on_error='raise'
    )[0]
    return _from_structure(structure, partial)


def _from_structure(structure: t.Any, partial: bool) -> Parsed:
    sites: Sites = []
    for site in structure:
        shares: dict[str, float] = {}
        for species, share in site.species.items():
            shares[species.symbol] = shares.get(species.symbol, 0.0) + float(share)
        if not partial:
            _check_occupancy(max(shares.values()))
        sites.append(shares)
    return sites, structure.cart_coords, structure.lattice.matrix


def from_poscar(text: str, partial: bool = False) -> Parsed:
    """Read a POSCAR or CONTCAR that names its elements."""
    from pymatgen.io.vasp import Poscar

    poscar = Poscar.from_str(text, read_velocities=False)
    if not poscar.true_names:
        raise UnusableError('unknown_element', 'the POSCAR names no elements (the format of VASP 4)')
    return _from_structure(poscar.structure, partial)


def from_xyz(lines: t.Sequence[str], partial: bool = False) -> Parsed:
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
    sites = [{row[starts['species']]: 1.0} for row in rows]
    first = starts['pos']
    return sites, np.array([[float(value) for value in row[first : first + 3]] for row in rows]), cell


def from_dict(value: t.Any, partial: bool = False) -> Parsed:
    """Read the dictionary of a Structure, or of an entry that holds one; classes that it names are never imported."""
    structure = value.get('structure', value)
    lattice = structure['lattice']
    if 'matrix' in lattice:
        cell = np.array(lattice['matrix'], dtype=float)
    else:
        cell = _cell([float(lattice[name]) for name in ('a', 'b', 'c', 'alpha', 'beta', 'gamma')])
    sites: Sites = []
    for site in structure['sites']:
        shares: dict[str, float] = {}
        for one in site['species']:
            shares[str(one['element'])] = shares.get(str(one['element']), 0.0) + float(one['occu'])
        if not partial:
            _check_occupancy(max(shares.values()))
        sites.append(shares)
    fractional = np.array([site['abc'] for site in structure['sites']], dtype=float)
    return sites, fractional @ cell, cell


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
