"""Calcfunctions of the hull at a temperature: which phases need phonons, and the distances to them."""

from __future__ import annotations

import re
import typing as t

from aiida.engine import calcfunction

from aiida_crystalgen.calculations.dft_hull import shortlisted
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.thermal import distances, phases_that_matter

_FREE: t.Final = re.compile(r'phonon_free_energy_(\w+K)')
_REASON: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}


@calcfunction
def choose_warm_phases(hull: HullReference, batch: StructureBatch) -> StructureBatch:
    """Return the competing phases whose phonons are needed for distances to the hull at a temperature."""
    candidates = [Crystal.from_row(row) for row in shortlisted(batch.crystals).rows()]
    crystals = hull.crystals
    wanted = set(phases_that_matter(candidates, [Crystal.from_row(row) for row in crystals.rows()]))
    crystals = crystals.select([place for place, name in enumerate(crystals.ids) if name in wanted])
    return StructureBatch(crystals.drop_columns([name for name in crystals.columns if name not in {'id', 'enthalpy'}]))


@calcfunction
def add_warm_distances(batch: StructureBatch, phases: StructureBatch) -> StructureBatch:
    """Return the crystals with their distances to the hull at every temperature that their phonons were asked for."""
    crystals = batch.crystals
    candidates, competing = ([Crystal.from_row(row) for row in side.crystals.rows()] for side in (batch, phases))
    columns = {}
    for name in list(crystals.columns):
        match = _FREE.fullmatch(name)
        if match is None:
            continue
        temperature = match[1].replace('_', '.').replace('K', ' K')
        found = distances(candidates, competing, name)
        cold = crystals.columns['enthalpy'].level if 'enthalpy' in crystals.columns else 'unknown'
        level = f'{cold} + harmonic vibrations'
        text = f'distance to the hull of harmonic free energies at {temperature}, at the volumes of 0 K'
        energy = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': level, 'help': text}
        reason = {**_REASON, 'help': f'why the distance at {temperature} is not known'}
        values, words = [value for value, _ in found], [word or None for _, word in found]
        columns[f'e_hull_{match[1]}'] = make_column(values, energy)
        columns[f'e_hull_{match[1]}_reason'] = make_column(words, reason)
    return StructureBatch(crystals.with_columns(columns))
