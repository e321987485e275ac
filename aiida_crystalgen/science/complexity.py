"""How much it takes to describe a crystal: kinds of sites, information content, electrons of intermetallics."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .composition import bonding_class
from .crystal import CompositionKey, Crystal, as_columns, composition_of, with_defaults

ABOUT = {
    'name': 'complexity',
    'kind': 'criterion',
    'summary': 'Inequivalent sites and Shannon information of the structure; valence electrons of intermetallics.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Krivovichev, Structural complexity of minerals: information storage and processing in the mineral world, '
        'Mineral. Mag. 77, 275 (2013), doi:10.1180/minmag.2013.077.3.05',
        'Hume-Rothery, Powell, On the theory of super-lattice structures in alloys, Z. Kristallogr. 91, 23 (1935), '
        'doi:10.1524/zkri.1935.91.1.23',
    ],
    'install': 'spglib smact pymatgen',
    'requires': ['numpy', 'pymatgen', 'smact', 'spglib'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'symprec': {
            'type': 'float', 'default': 0.1, 'unit': 'A', 'minimum': 1e-5, 'maximum': 1.0,
            'help': 'Distance within which sites count as equivalent.',
        },
    },
    'conditions': {},
    'columns': {
        'n_site_kinds': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of symmetry-inequivalent sites.',
        },
        'information_per_atom': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'bits/atom', 'level': '',
            'help': 'Shannon information of the distribution of atoms over inequivalent sites.',
        },
        'information_per_cell': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'bits', 'level': '',
            'help': 'The same times the atoms of the primitive cell: below 20 very simple, above 1000 very complex.',
        },
        'valence_electrons': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '1/atom', 'level': '',
            'help': 'Valence electrons per atom of an intermetallic: group number, less ten from group 13 on, three '
            'for lanthanides; unknown for other crystals and for actinides.',
        },
    },
}  # fmt: skip


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return sites, information [bits] and valence electrons per atom of each crystal."""
    settings = with_defaults(ABOUT, parameters)
    return as_columns(ABOUT, [_found(crystal, settings['symprec']) for crystal in crystals])


def _found(crystal: Crystal, symprec: float) -> dict[str, Any]:
    """Return what is known of one crystal."""
    if crystal.fault is not None:
        return {}
    found = {'valence_electrons': valence_electrons(crystal.composition_key)}
    cell = crystal.primitive
    shares = None if cell is None else orbits(cell, symprec)
    if shares is None:
        return found
    n_atoms = sum(shares)
    bits = -sum(share / n_atoms * math.log2(share / n_atoms) for share in shares) + 0.0
    information = {'information_per_atom': bits, 'information_per_cell': bits * n_atoms}
    return {**found, 'n_site_kinds': len(shares), **information}


def orbits(structure: Any, symprec: float) -> list[int] | None:
    """Return the number of atoms of every kind of site, in falling order, None where spglib finds no symmetry.

    :param structure: a pymatgen structure, primitive for numbers that do not depend on the cell.
    :param symprec: distance within which sites count as equivalent [A].
    """
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, [site.specie.Z for site in structure])
    try:
        # spglib 2.8 warns that it will raise errors one day.
        with warnings.catch_warnings(action='ignore'):
            dataset = spglib.get_symmetry_dataset(cell, symprec=symprec)
    except Exception:
        return None
    return None if dataset is None else sorted(Counter(dataset.equivalent_atoms.tolist()).values(), reverse=True)


def valence_electrons(key: CompositionKey) -> float | None:
    """Return the valence electrons per atom of an intermetallic, None of anything else."""
    if bonding_class(key) != 'intermetallic':
        return None
    total = 0
    composition = composition_of(key)
    for element, count in composition.items():
        if element.is_actinoid:
            return None
        group = 3 if element.is_lanthanoid else element.group
        total += (group - 10 if group > 12 else group) * int(count)
    return total / float(composition.num_atoms)
