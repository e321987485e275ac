"""The packaged model: crystals written as space group, Wyckoff sites, cell and coordinates by a transformer."""

from __future__ import annotations

import typing as t

ABOUT = {
    'name': 'wyckoff',
    'kind': 'generator',
    'summary': 'Transformer over space group, Wyckoff sites, cell and coordinates, trained on the Materials Project; '
               'symmetry, elements, formula and numbers of atoms hold by construction.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca', 'Sc',
        'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y', 'Zr',
        'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce', 'Pr',
        'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir', 'Pt',
        'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu',
    ],
    'licence': 'MIT; trained on data of the Materials Project, CC-BY-4.0',
    'citation': [
        'A. Jain et al., Commentary: The Materials Project, APL Mater. 1, 011002 (2013), doi:10.1063/1.4812323',
        'Z. Cao, X. Luo, J. Lv, L. Wang, Space group informed transformer for crystalline materials generation '
        '(2024), doi:10.48550/arXiv.2403.15734',
    ],
    'install': 'pip install torch',
    'requires': ['torch', 'numpy'],
    'needs': [],
    'unconditional': True,
    'packages': {'wyckoff_model': 'models/wyckoff'},
    'weights': 'models/wyckoff/weights.safetensors',
    'training': {
        'name': 'Materials Project: 27,248 crystals of the MP-20 and MPTS-52 tables', 'licence': 'CC-BY-4.0',
    },
    'energy_convention': None,
    'whole_batch': False,
    'units': 64,
    'parameters': {
        'temperature': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.05, 'maximum': 5.0,
            'help': 'below 1 the probable becomes more probable among Wyckoff letters, cells and coordinates'},
        'variety': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.05, 'maximum': 5.0,
            'help': 'the temperature of space groups and elements; below 1 crystals repeat each other'},
        'guidance': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.0, 'maximum': 10.0,
            'help': 'how far the conditions on energies push beyond what the model learned; the more, the less varied '
                    'are large sets'},
        'clearance': {'type': 'float', 'default': 0.6, 'unit': '', 'minimum': 0.0, 'maximum': 1.2,
            'help': 'cells and coordinates are masked that bring atoms closer than this share of the sum of their '
                    'atomic radii; where there is no room, the widest places are left; 0 for no mask'},
        'tolerance': {'type': 'float', 'default': 0.1, 'unit': 'A', 'minimum': 1e-4, 'maximum': 1.0,
            'help': 'distance within which atoms count as the same when the space group is checked'},
    },
    'honours': {
        'chemical_system': 'chemical_system', 'composition': 'composition', 'space_group': 'space_groups',
        'min_atoms': 'min_atoms', 'max_atoms': 'max_atoms', 'energy_above_hull': 'e_above_hull',
        'formation_energy': 'formation_energy',
    },
    'conditions': {
        'space_groups': {'type': 'list', 'default': None, 'unit': '', 'help': 'numbers to draw from, null for all'},
        'chemical_system': {'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Li-Fe-O: all of them and no others'},
        'subsystems': {'type': 'bool', 'default': False, 'unit': '',
            'help': 'whether crystals may lack some elements of `chemical_system`'},
        'required': {'type': 'list', 'default': [], 'unit': '', 'help': 'symbols of elements that must occur'},
        'excluded': {'type': 'list', 'default': [], 'unit': '', 'help': 'symbols of elements that must not occur'},
        'composition': {'type': 'text', 'default': None, 'unit': '',
            'help': 'formula such as LiFePO4; the primitive cell holds whole multiples of it'},
        'min_atoms': {'type': 'int', 'default': 1, 'unit': '', 'minimum': 1, 'help': 'fewest atoms, primitive cell'},
        'max_atoms': {'type': 'int', 'default': 20, 'unit': '', 'minimum': 1, 'maximum': 52,
            'help': 'most atoms, primitive cell'},
        'template': {'type': 'text', 'default': None, 'unit': '',
            'help': 'Wyckoff letters of all sites, such as abc; needs exactly one space group'},
        'e_above_hull': {'type': 'float', 'default': 0.0, 'unit': 'eV/atom',
            'help': 'energy above hull that the crystals should be like, null for any; a wish, no guarantee'},
        'formation_energy': {'type': 'float', 'default': None, 'unit': 'eV/atom',
            'help': 'formation energy that the crystals should be like, null for any; a wish, no guarantee'},
    },
    'columns': {
        'logp': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'log-probability [nats] of the crystal in the model, before temperature and masks'},
        'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the space group that the crystal was built in, and has within `tolerance`'},
        'wyckoff': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Wyckoff sites, such as Mg:4a O:4b'},
    },
}  # fmt: skip

REASONS = {
    'dead_end': 'No choice was left that kept the conditions; allow more atoms, space groups or elements.',
    'no_cell': 'The angles of the cell close no cell.',
    'more_symmetric': 'The crystal has a higher space group than the one it was built in.',
}


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from one draw of a whole unit."""
    import torch
    from wyckoff_model import WyckoffModel  # type: ignore[import-not-found]

    # Sums depend on the number of threads; a job gets its speed from its processes.
    torch.set_num_threads(1)
    about: t.Any = ABOUT
    specifications = {**about['parameters'], **about['conditions']}
    settings = {name: job.parameters.get(name, specifications[name]['default']) for name in specifications}
    settings['formula'] = settings.pop('composition')
    model = WyckoffModel.load(job.model, job.device)
    units, seed, samples = about['units'], None, []
    for row in rows:
        # A unit is drawn whole, so that a row is the same crystal whatever else was asked for.
        if row['seed'] != seed:
            seed = row['seed']
            samples = model.sample(units, seed=seed, batch_size=units, **settings)
        yield {'id': row['id'], **_answer(samples[row['index'] % units])}


def _answer(sample: t.Any) -> dict[str, t.Any]:
    """Return what a sample makes of its row."""
    columns = {
        'logp': sample.columns['logp'],
        'space_group_requested': sample.columns.get('space_group'),
        'wyckoff': sample.columns.get('wyckoff'),
    }
    if sample.reason:
        rejected = {'reason': sample.reason, 'detail': REASONS[sample.reason], 'value': None, 'threshold': None}
        return {'columns': columns, 'rejected': rejected}
    structure = {
        'numbers': sample.numbers.tolist(),
        'positions': sample.positions.tolist(),
        'cell': sample.cell.tolist(),
        'pbc': [True, True, True],
    }
    return {'structure': structure, 'columns': columns}
