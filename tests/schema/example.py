"""A small registry and a good campaign, which the tests of the schema change."""

from __future__ import annotations

NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom'}
FLAG = {'kind': 'row', 'dtype': 'bool', 'shape': []}
TEXT = {'kind': 'text'}

REGISTRY = {
    'generator': {
        'random': {
            'name': 'random',
            'parameters': {
                'max_atoms': {'type': 'int', 'default': 10, 'minimum': 1, 'maximum': 100, 'help': 'atoms in the cell'},
                'volume': {'type': 'list', 'default': None, 'unit': 'A^3', 'minimum': 1.0},
            },
            'conditions': {
                'composition': {'type': 'text', 'default': None},
                'chemical_system': {'type': 'text', 'default': None},
            },
            'columns': {'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': []}},
        },
        'files': {
            'name': 'files',
            'parameters': {},
            'conditions': {'chemical_system': {'type': 'text', 'default': None}},
            'columns': {},
        },
    },
    'potential': {
        'tiny': {
            'name': 'tiny',
            'elements': ['Mg', 'O'],
            'parameters': {
                'fmax': {'type': 'float', 'default': 0.05, 'unit': 'eV/A', 'minimum': 1e-4, 'help': 'largest force'},
                'precision': {'type': 'text', 'default': 'float64', 'choices': ['float32', 'float64']},
                'model': {'type': 'text', 'default': 'small', 'choices': ['small', 'large']},
                'cutoff': {'type': 'float', 'unit': 'A', 'help': 'range of the potential'},
            },
            'columns': {'energy': NUMBER, 'forces': {'kind': 'site', 'shape': [3]}},
        },
    },
    'criterion': {
        'validity': {
            'name': 'validity',
            'parameters': {'min_distance': {'type': 'float', 'default': 0.5, 'unit': 'A', 'minimum': 0.0}},
            'columns': {
                'valid': FLAG,
                'volume_per_atom': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A^3'},
            },
        },
        'composition': {'name': 'composition', 'parameters': {}, 'columns': {'formula': TEXT, 'chemical_system': TEXT}},
        'uniqueness': {'name': 'uniqueness', 'parameters': {}, 'columns': {'unique': FLAG}},
        'stability': {'name': 'stability', 'parameters': {}, 'columns': {'e_hull': NUMBER}},
        'extra': {'name': 'extra', 'parameters': {}, 'columns': {'hardness': {**NUMBER, 'unit': 'GPa'}}},
    },
}

GOOD = """\
version: 1
name: Mg-O
seed: 1
generators:
  - type: random
    n: 5
    parameters: {chemical_system: O-Mg}
potential:
  type: tiny
  parameters: {cutoff: 5}
"""
