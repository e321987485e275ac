"""Crystals from and to pymatgen, ASE, extended XYZ and CIF; what a format cannot hold is listed and warned about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.npz import Array
from aiida_crystalgen.data.records import META_KEY, CrystalLossWarning, Record, decode, encode, warn_of

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

__all__ = (
    'CrystalLossWarning',
    'from_ase',
    'from_cif',
    'from_extxyz',
    'from_pymatgen',
    'losses',
    'to_ase',
    'to_cif',
    'to_extxyz',
    'to_pymatgen',
)

FORMATS = ('pymatgen', 'ase', 'extxyz', 'structure_data', 'cif')
GEOMETRY_ONLY = ('structure_data', 'cif')
FLAT = 1e-9
NAMES_LISTED = 5


def losses(crystals: Crystals, target: str) -> list[str]:
    """List what these crystals lose in a format: `pymatgen`, `ase`, `extxyz`, `structure_data` or `cif`."""
    if target not in FORMATS:
        raise ValueError(f'`{target}` is no format; there are: {", ".join(FORMATS)}.')
    if target in ('ase', 'extxyz'):
        return []
    found = []
    fits = representable(crystals)
    if not fits.all():
        found.append(f'{_names(crystals, ~fits)} (no atoms, or a cell without volume)')
    if target in GEOMETRY_ONLY and (names := [name for name in crystals.columns if name != 'id']):
        found.append(f'the columns {", ".join(names)}')
    if target == 'cif':
        aperiodic, left = ~crystals.pbc.all(axis=1), np.linalg.det(crystals.cells) < 0
        found += [f'the open directions of {_names(crystals, aperiodic & fits)}'] if (aperiodic & fits).any() else []
        found += [f'the handedness of {_names(crystals, left & fits)}'] if (left & fits).any() else []
        found += ['the orientation of the cells, lattice translations and the order of the sites'] if fits.any() else []
    return found


def representable(crystals: Crystals) -> Array:
    """Say for each crystal whether it has atoms and a cell with a volume."""
    edges = np.linalg.norm(crystals.cells, axis=2)
    volume = np.abs(np.linalg.det(crystals.cells))
    return np.asarray((np.diff(crystals.offsets) > 0) & (volume > FLAT * np.prod(edges, axis=1)))


def fitting(crystals: Crystals, target: str) -> Crystals:
    """Warn of the losses and return the crystals that the format can hold."""
    warn_of(losses(crystals, target))
    return crystals.select(representable(crystals))


def to_pymatgen(crystals: Crystals) -> list[Structure]:
    """Return structures with the columns in `properties` and `site_properties`; Cartesian positions to 1e-10 Å."""
    from pymatgen.core import Lattice, Structure

    held, meta = fitting(crystals, 'pymatgen'), crystals.meta()
    return [
        Structure(
            Lattice(record.cell, pbc=tuple(record.pbc.tolist())),
            record.numbers.tolist(),
            record.positions,
            coords_are_cartesian=True,
            site_properties={name: values.tolist() for name, values in record.sites.items()},
            properties={**record.info, META_KEY: meta},
        )
        for record in encode(held)
    ]


def from_pymatgen(structures: Sequence[Structure], ids: Sequence[str] | None = None) -> Crystals:
    """Make crystals of ordered structures; properties become columns.

    :raises ValueError: where a site is not one chemical element.
    """
    records, charged = [], False
    gaps: list[str] = []
    for place, structure in enumerate(structures):
        species = [_element(site.species, place) for site in structure]
        charged = charged or any(hasattr(entry, 'oxi_state') and entry.oxi_state for entry in species)
        numbers = np.array([entry.Z for entry in species], dtype=int)
        properties = structure.site_properties
        sites = {name: values for name, values in properties.items() if all(value is not None for value in values)}
        gaps += [f'`{name}` of some sites of structure {place}' for name in properties if name not in sites]
        cell, pbc = structure.lattice.matrix, np.array(structure.lattice.pbc)
        records.append(Record(numbers, structure.cart_coords, cell, pbc, structure.properties, sites))
    warn_of([*gaps, 'the oxidation states of the sites'] if charged else gaps)
    return decode(records, ids)


def to_ase(crystals: Crystals) -> list[Atoms]:
    """Return atoms with the columns in `info` and `arrays`; the geometry is kept bit by bit."""
    from ase import Atoms

    meta, result = crystals.meta(), []
    for record in encode(crystals):
        info = {**record.info, META_KEY: meta}
        atoms = Atoms(record.numbers, positions=record.positions, cell=record.cell, pbc=record.pbc, info=info)
        for name, values in record.sites.items():
            atoms.set_array(name, values)
        result.append(atoms)
    return result


def from_ase(images: Sequence[Atoms], ids: Sequence[str] | None = None) -> Crystals:
    """Make crystals of atoms; `info` and `arrays` become columns, calculators and constraints are dropped."""
    records = []
    for atoms in images:
        sites = {name: values for name, values in atoms.arrays.items() if name not in ('numbers', 'positions')}
        records.append(Record(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, atoms.info, sites))
    warn_of(['calculator results'] if any(atoms.calc for atoms in images) else [])
    warn_of(['constraints'] if any(atoms.constraints for atoms in images) else [])
    return decode(records, ids)


def to_extxyz(crystals: Crystals) -> str:
    """Return the text of an extended XYZ file; every number is written so that it is read back bit by bit."""
    from aiida_crystalgen.data.extxyz import write_frames

    return write_frames(encode(crystals), crystals.meta())


def from_extxyz(text: str, ids: Sequence[str] | None = None) -> Crystals:
    """Read an extended XYZ file, ours or another's.

    :raises ValueError: where the text is no extended XYZ.
    """
    from aiida_crystalgen.data.extxyz import read_frames

    return from_ase(read_frames(text), ids)


def to_cif(crystals: Crystals) -> dict[str, str]:
    """Return the text of a CIF (P1) by crystal id; the geometry is kept to 1e-6 Å."""
    from aiida_crystalgen.data.cif import write_cif

    return {record.info['id']: write_cif(record) for record in encode(fitting(crystals, 'cif'))}


def from_cif(texts: Mapping[str, str]) -> Crystals:
    """Read one structure from each CIF; the keys become the ids.

    :raises ValueError: where a text is no CIF of an ordered structure.
    """
    from aiida_crystalgen.data.cif import read_cif

    return decode([read_cif(text, name) for name, text in texts.items()], list(texts))


def _names(crystals: Crystals, chosen: Array) -> str:
    names = [f'`{crystals.ids[place]}`' for place in np.flatnonzero(chosen)]
    more = f' and {len(names) - NAMES_LISTED} more' if len(names) > NAMES_LISTED else ''
    return f'crystal{"s" if len(names) > 1 else ""} {", ".join(names[:NAMES_LISTED])}{more}'


def _element(composition: Any, place: int) -> Any:
    from pymatgen.core import DummySpecies

    if len(composition) != 1 or abs(composition.num_atoms - 1) > 1e-6:
        raise ValueError(f'structure {place} has a site that is not one atom of one element ({composition}).')
    entry = next(iter(composition))
    if isinstance(entry, DummySpecies):
        raise ValueError(f'structure {place} has a dummy atom ({entry}).')
    return entry
