"""MatterGen: a diffusion model of crystals with up to 20 atoms, unconditional or steered by properties."""

from __future__ import annotations

import typing as t

ABOUT = {
    'name': 'mattergen',
    'kind': 'generator',
    'summary': 'Diffusion model over elements, places and cell; fine-tuned checkpoints follow chemical system, space '
               'group, magnetic density, band gap, bulk modulus, HHI score or energy above hull.',
    'elements': [
        'H', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'K', 'Ca', 'Sc', 'Ti', 'V',
        'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Rb', 'Sr', 'Y', 'Zr', 'Nb', 'Mo',
        'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Cs', 'Ba', 'La', 'Ce', 'Pr', 'Nd', 'Sm', 'Eu',
        'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir', 'Pt', 'Au', 'Hg', 'Tl',
        'Pb', 'Bi',
    ],
    'licence': 'MIT (code and checkpoints)',
    'citation': [
        'C. Zeni et al., A generative model for inorganic materials design, Nature 639, 624 (2025), '
        'doi:10.1038/s41586-025-08628-5',
    ],
    'install': 'see docs/howto/generators/mattergen.md: a clone, or pip install --no-deps mattergen',
    'requires': ['mattergen', 'torch', 'torch-geometric', 'torch-scatter', 'torch-sparse', 'pymatgen', 'numpy'],
    'needs': ['tools', 'mattergen_batches', 'mattergen_draw', 'mattergen_model', 'mattergen_outputs', 'hosts'],
    'unconditional': True,
    'training': {'name': 'Alex-MP-20 or MP-20, see the checkpoint', 'licence': 'CC-BY-4.0'},
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    'asset': 'host',
    'asset_optional': True,
    'honours': {
        'chemical_system': 'chemical_system', 'composition': 'composition', 'space_group': 'space_group',
        'min_atoms': 'min_atoms', 'max_atoms': 'max_atoms', 'energy_above_hull': 'energy_above_hull',
        'formation_energy': 'formation_energy', 'band_gap': 'band_gap', 'magnetic_density': 'magnetic_density',
        'bulk_modulus': 'bulk_modulus', 'hhi_score': 'hhi_score', 'host': 'host', 'insert': 'insert',
    },
    'always': ['composition', 'min_atoms', 'max_atoms', 'insert'],
    'checkpoint': {
        'form': 'folder', 'required_input': True, 'required': ['config.yaml', '*last.ckpt'], 'unpickled': ['*.ckpt'],
        'by_name': True,
    },
    'checkpoints': {
        'mattergen_base': {
            'training': 'Alex-MP-20: 607,683 crystals', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': [], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 461.4,
            'files': {
                'checkpoints/last.ckpt': '81668ee12afc1ee1b037f362420730de3460bfd2d36e547585fdcb911a3dfdef',
                'config.yaml': '01648f40a8227b01b1dbc1090bf0f8229bb3241845ae9ac57af96b31e595bda7',
            },
        },
        'mp_20_base': {
            'training': 'MP-20: 45,231 crystals of the Materials Project', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': [], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 461.4,
            'files': {
                'checkpoints/last.ckpt': 'ffb80e4425a6f99f479a67b8cd111885d45117234e8947ff77eb3a55df420b9a',
                'config.yaml': 'cf2798a87227fb332f5ff4cb7030149ea0099ffbd61bfe7b6da19a1290667d43',
            },
        },
        'chemical_system': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['chemical_system'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 512.4,
            'files': {
                'checkpoints/last.ckpt': '4ad21d977c2b776a31c92498c4d1c88d3e1e286deeb941e997af8e082310b80e',
                'config.yaml': '0640de891dc75e34c92c4da022344767918fe4a2300908b1013fe6161f3c2c81',
            },
        },
        'space_group': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['space_group'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 513.2,
            'files': {
                'checkpoints/last.ckpt': '1b6ab06739f4319d75f4a19960840ec3c8d3d32ee842c996876ef9d8b188e4bb',
                'config.yaml': '75ebcb5bcf3fc2f1c78aeb9a99c88bd99ebd61fcdaa5fe9463344a7c29df62ac',
            },
        },
        'dft_mag_density': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['magnetic_density'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 511.8,
            'files': {
                'checkpoints/last.ckpt': '01dd3e86805165412e0810e2a77a4756f8e1020f3ff2707c74af0a3f88a1bb8e',
                'config.yaml': '6129b1a2329c8031ae162687ab02c3652faf8ef3e59ae9b74163b9f829233155',
            },
        },
        'dft_band_gap': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['band_gap'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 511.8,
            'files': {
                'checkpoints/last.ckpt': '864ebbfd360e0a8287287d290a552da6b6bd92d67418a6a40be419ed3acd5e7e',
                'config.yaml': '0e14dfe5ce3906fb5c6d80f9ef000278a9c679f639f7712e7690f7c4a9431e6e',
            },
        },
        'ml_bulk_modulus': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['bulk_modulus'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 511.8,
            'files': {
                'checkpoints/last.ckpt': '67f7f5e28695776ed285a293b30160f8b546063cbac4a763a36f6ca3f6242db6',
                'config.yaml': '4313ef58d14b14941434a33e6003e77a3b168e53cececa268384555edeef8e2a',
            },
        },
        'dft_mag_density_hhi_score': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['magnetic_density', 'hhi_score'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 562.2,
            'files': {
                'checkpoints/last.ckpt': '98a4f2f9263b013d7d94a04c08e6928f90933d5f02c75f9b58c12609dddef016',
                'config.yaml': '2d0bf4632917d19449a170125e0fe2d8d00dc709137b63612d53e3aa7fa901f3',
            },
        },
        'chemical_system_energy_above_hull': {
            'training': 'Alex-MP-20, those with the property', 'elements': '76 of Z <= 83', 'max_atoms': 20,
            'conditions': ['chemical_system', 'energy_above_hull'], 'licence': 'MIT', 'source': 'https://huggingface.co/microsoft/mattergen',
            'size_mb': 562.8,
            'files': {
                'checkpoints/last.ckpt': '50d4a51b109b178db98de82849d0ad14397b663526b2387caee3a643f27e326a',
                'config.yaml': '41dd8cdbeed13c13b2dcfa9d6657b79be3bf9c738bad75c57a6b40f9c948e73d',
            },
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 16, 'unit': '', 'minimum': 1, 'maximum': 4096,
            'help': 'crystals that are drawn together, with one seed; as many as the memory holds is fastest'},
        'guidance': {'type': 'float', 'default': 2.0, 'unit': '', 'minimum': 0.01, 'maximum': 20.0,
            'help': 'how far conditions push, 1 as trained; above 0, for at 0 MatterGen ignores every condition'},
        'distribution': {'type': 'text', 'default': 'training', 'unit': '', 'choices': ['training', 'uniform'],
            'help': 'numbers of atoms as often as in Alex-MP-20, or all equally often, within the range asked for'},
        'steps': {'type': 'int', 'default': None, 'unit': '', 'minimum': 2,
            'help': 'steps of the diffusion, null for those of the checkpoint (1000 in the published ones); only a '
                    'model of crystal structure prediction can do with others'},
        'corrector_steps': {'type': 'int', 'default': 1, 'unit': '', 'minimum': 0, 'maximum': 10,
            'help': 'Langevin steps at each step of the diffusion, each of them as long as the step itself'},
    },
    'conditions': {
        'chemical_system': {'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Li-Fe-O; all others are masked, but some of these may be missing'},
        'space_group': {'type': 'int', 'default': None, 'unit': '', 'many': True, 'minimum': 1, 'maximum': 230,
            'help': 'number of the space group; a wish, no guarantee'},
        'energy_above_hull': {'type': 'float', 'default': None, 'unit': 'eV/atom', 'many': True, 'minimum': -1.0,
            'maximum': 10.0, 'help': 'energy above hull of PBE; a wish, no guarantee'},
        'formation_energy': {'type': 'float', 'default': None, 'unit': 'eV/atom', 'many': True, 'minimum': -20.0,
            'maximum': 20.0, 'help': 'formation energy; no published checkpoint was trained on it'},
        'band_gap': {'type': 'float', 'default': None, 'unit': 'eV', 'many': True, 'minimum': 0.0, 'maximum': 20.0,
            'help': 'band gap of PBE; a wish, no guarantee'},
        'magnetic_density': {'type': 'float', 'default': None, 'unit': '1/A^3', 'many': True, 'minimum': 0.0,
            'maximum': 1.0, 'help': 'magnetic moment [Bohr magnetons] per volume; a wish, no guarantee'},
        'bulk_modulus': {'type': 'float', 'default': None, 'unit': 'GPa', 'many': True, 'minimum': 0.1,
            'maximum': 1000.0, 'help': 'bulk modulus, of a machine-learned potential in training; no guarantee'},
        'hhi_score': {'type': 'float', 'default': None, 'unit': '', 'many': True, 'minimum': 0.0, 'maximum': 10000.0,
            'help': 'Herfindahl-Hirschman index of the elements, low where supply is spread; no guarantee'},
        'composition': {'type': 'text', 'default': None, 'unit': '',
            'help': 'formula such as LiFePO4, in whole multiples; exact. Models that draw elements are held to it'},
        'min_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 20,
            'help': 'fewest atoms in the cell, null for 1'},
        'max_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 20,
            'help': 'most atoms in the cell, null for 20'},
        'insert': {'type': 'dict', 'default': None, 'unit': '', 'minimum': 1,
            'help': 'atoms to put into the cell of the host, by element, such as {Li: 4}; the host stays'},
    },
    'columns': {
        'n_inserted': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'atoms that were put into the host'},
        'host_site': {'kind': 'site', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the site in the file of the host, from 0; -1 for an atom that was put in'},
        'host_position': {'kind': 'site', 'dtype': 'float', 'shape': [3], 'unit': '', 'level': '',
            'help': 'fractional coordinates in the cell of the host before relaxation; of an atom that was put in, of '
                    'the place where it was put'},
        'host_volume': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A^3', 'level': '',
            'help': 'volume of the cell of the host before relaxation'},
    },
}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them; a clone has the digest of its sources as well.

    :raises RuntimeError: with a sentence, when one is not there.
    """
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    import tools  # type: ignore[import-not-found]

    found: dict[str, str] = {}
    requires: t.Any = ABOUT['requires']
    for name in requires:
        spec = find_spec(name.replace('-', '_'))
        if spec is None:
            raise RuntimeError(f'{name} is not installed in this Python, see docs/howto/generators/mattergen.md')
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = 'unpackaged'
        if name == 'mattergen' or found[name] == 'unpackaged':
            # The clone and the package of PyPI both call themselves 1.0.3, and differ.
            found[name] += '+' + tools.sources_digest(next(iter(spec.submodule_search_locations or [])))
    return found


def columns(job: t.Any) -> dict[str, t.Any]:
    """Return the columns of this job: those of a host only where there is one."""
    import tools

    about: t.Any = ABOUT
    own = about['columns'] if job.assets else {}
    return dict(tools.declared({**about, 'columns': own}, job))


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from one batch, which is drawn whole."""
    import mattergen_batches  # type: ignore[import-not-found]
    import tools

    settings = tools.settings_of(ABOUT, job.parameters)
    batches = mattergen_batches.Batches(ABOUT, settings, job)
    size, seed, drawn = settings['batch_size'], None, []
    for row in rows:
        # A batch is drawn whole, so that a row is the same crystal whatever else was asked for.
        if row['seed'] != seed:
            seed = row['seed']
            drawn = batches.draw(row['index'] // size, seed, job.batch_size)
        yield {'id': row['id'], **drawn[row['index'] % size]}
