"""CIF in P1: the geometry of one crystal, without orientation."""

from __future__ import annotations

import re
import warnings

import numpy as np

from aiida_crystalgen.data.records import Record

TIGHT = 1e-8


def write_cif(record: Record) -> str:
    """Return the text of the file."""
    from ase.data import chemical_symbols

    edges = np.linalg.norm(record.cell, axis=1)
    a, b, c = record.cell / edges[:, None]
    angles = np.degrees(np.arccos(np.clip([b @ c, a @ c, a @ b], -1, 1)))
    fractional = np.linalg.solve(record.cell.T, record.positions.T).T
    lines = [f'data_{re.sub(r"[^A-Za-z0-9_-]", "_", record.info["id"])}', "_symmetry_space_group_name_H-M 'P 1'"]
    lines += ['_symmetry_Int_Tables_number 1']
    lines += [f'_cell_length_{name} {length:.10f}' for name, length in zip('abc', edges, strict=True)]
    names = ('alpha', 'beta', 'gamma')
    lines += [f'_cell_angle_{name} {angle:.10f}' for name, angle in zip(names, angles, strict=True)]
    lines += ['loop_', '_symmetry_equiv_pos_site_id', '_symmetry_equiv_pos_as_xyz', "1 'x, y, z'"]
    lines += ['loop_', '_atom_site_label', '_atom_site_type_symbol', '_atom_site_occupancy']
    lines += [f'_atom_site_fract_{axis}' for axis in 'xyz']
    for place, (number, (x, y, z)) in enumerate(zip(record.numbers.tolist(), fractional, strict=True)):
        symbol = chemical_symbols[number]
        lines.append(f'{symbol}{place} {symbol} 1.0 {x:.12f} {y:.12f} {z:.12f}')
    return '\n'.join([*lines, ''])


def read_cif(text: str, name: str) -> Record:
    """Read the first structure of the text without rounding or merging its sites.

    :raises ValueError: where the text is no CIF of an ordered structure.
    """
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            parser = CifParser.from_str(text, site_tolerance=TIGHT, frac_tolerance=0)
            structure = parser.parse_structures(primitive=False)[0]
    except Exception as exception:  # the parser raises many kinds
        raise ValueError(f'the CIF of `{name}` cannot be read ({exception}).') from exception
    if not structure.is_ordered or not all(hasattr(site.specie, 'Z') for site in structure):
        raise ValueError(f'the CIF of `{name}` has a site that is not one atom of one element.')
    numbers = np.array([site.specie.Z for site in structure], dtype=int)
    return Record(numbers, structure.cart_coords, structure.lattice.matrix, np.ones(3, bool))
