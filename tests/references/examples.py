"""Crystals and files that several tests of reference sets share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.cif import CifWriter

DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data'
MP = DATA / 'mp_reference.csv.gz'
needs_data = pytest.mark.skipif(not MP.is_file(), reason='the shared data folder is not beside the checkout')

MGO = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.212), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
CU3AU = Structure.from_spacegroup('Fm-3m', Lattice.cubic(3.75), [{'Cu': 0.75, 'Au': 0.25}], [[0, 0, 0]])
HALF = Structure(Lattice.cubic(4.0), [{'Na': 0.5}, 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]])


def cif(structure: Structure) -> str:
    """Return a CIF in P1."""
    return str(CifWriter(structure))


def table(columns: str, *rows: str) -> str:
    """Return a CSV in which `CIF` stands for the CIF of MgO."""
    return '\n'.join([columns, *(row.replace('CIF', f'"{cif(MGO)}"') for row in rows)]) + '\n'


def entries(*names: str, energy: float = -40.0) -> list[dict]:
    """Return computed entries of MgO as pymatgen writes them, each 0.1 eV below the one before."""
    made = [
        ComputedStructureEntry(MGO, energy - 0.1 * place, entry_id=name, parameters={'run_type': 'GGA', 'hubbards': {}})
        for place, name in enumerate(names)
    ]
    return [json.loads(json.dumps(entry.as_dict())) for entry in made]


def fetched(*names: str, **about) -> str:
    """Return the text of a fetcher's file."""
    told = {'format': 'crystalgen.reference', 'format_version': 1, 'name': 'oxides', 'level': 'PBE', **about}
    return json.dumps({'about': told, 'entries': entries(*names)})
