"""What was asked of the generators, compared with what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .crystal import Crystal
from .validity import space_group

ABOUT = {
    'name': 'conditions',
    'kind': 'criterion',
    'summary': 'Compares crystals as they were generated with what the campaign or their generator was asked for.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [],
    'install': 'pymatgen spglib',
    'requires': ['numpy', 'pymatgen', 'spglib'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'chemical_system': {'type': 'text', 'default': None, 'unit': '', 'help': 'Elements, such as Li-O.'},
        'composition': {'type': 'text', 'default': None, 'unit': '', 'help': 'A formula, such as LiFePO4.'},
        'space_group': {'type': 'int', 'default': None, 'unit': '', 'help': 'Number of the space group.'},
        'min_atoms': {'type': 'int', 'default': None, 'unit': '', 'help': 'Fewest atoms in the primitive cell.'},
        'max_atoms': {'type': 'int', 'default': None, 'unit': '', 'help': 'Most atoms in the primitive cell.'},
    },
    'conditions': {},
    'columns': {
        'system_match': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'exact, subset (some elements are missing) or off-system, against the chemical system asked for.',
        },
        'composition_match': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the reduced formula is the one asked for.',
        },
        'space_group_strict': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of the space group within 0.01 A, where one was asked for.',
        },
        'space_group_loose': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of the space group within 0.1 A, where one was asked for.',
        },
        'space_group_match': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the space group within 0.1 A is the one asked for.',
        },
        'n_atoms_match': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether the primitive cell holds as many atoms as were asked for.',
        },
        'conditions_met': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether all of this holds, the chemical system exactly; unknown where nothing of it was asked.',
        },
    },
}  # fmt: skip

STRICT = 0.01
"""Tolerance [A] of the Materials Project."""
LOOSE = 0.1
"""Tolerance [A] that generated crystals are judged with; Zeni et al. (MatterGen), Nature 639, 624 (2025)."""


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return the columns; what was asked for one crystal (`<term>_requested`) goes before what was asked of all."""
    found = [_compare(crystal, parameters) for crystal in crystals]
    columns: dict[str, Any] = ABOUT['columns']  # type: ignore[assignment]
    return {name: [row.get(name) for row in found] for name in columns}


def _compare(crystal: Crystal, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of one crystal."""
    forms: dict[str, Any] = ABOUT['parameters']  # type: ignore[assignment]
    asked = {term: crystal.columns.get(f'{term}_requested', parameters.get(term)) for term in forms}
    asked = {term: parameters.get(term) if value is None else value for term, value in asked.items()}
    if crystal.fault is not None or all(value is None for value in asked.values()):
        return {}
    found: dict[str, Any] = {}
    if asked['chemical_system'] is not None:
        found['system_match'] = _system_match(crystal, str(asked['chemical_system']))
    if asked['composition'] is not None:
        found['composition_match'] = _formula(str(asked['composition'])) == crystal.composition.reduced_formula
    if asked['space_group'] is not None:
        found['space_group_strict'] = space_group(crystal, STRICT)
        found['space_group_loose'] = space_group(crystal, LOOSE)
        loose = found['space_group_loose']
        found['space_group_match'] = None if loose is None else loose == asked['space_group']
    if asked['min_atoms'] is not None or asked['max_atoms'] is not None:
        n_atoms = crystal.n_sites if crystal.primitive is None else len(crystal.primitive)
        fits = bool((asked['min_atoms'] or 1) <= n_atoms)
        found['n_atoms_match'] = fits and (asked['max_atoms'] is None or n_atoms <= asked['max_atoms'])
    verdicts = [found[name] for name in ('composition_match', 'space_group_match', 'n_atoms_match') if name in found]
    if 'system_match' in found:
        verdicts.append(found['system_match'] == 'exact')
    return {**found, 'conditions_met': None if None in verdicts else all(verdicts)}


def _system_match(crystal: Crystal, system: str) -> str:
    """Return how the elements of a crystal compare with a chemical system."""
    asked = set(system.split('-'))
    there = {element.symbol for element in crystal.composition.elements}
    if there == asked:
        return 'exact'
    return 'subset' if there < asked else 'off-system'


def _formula(text: str) -> str:
    """Return a formula in the reduced form of pymatgen."""
    from pymatgen.core import Composition

    return str(Composition(text).reduced_formula)
