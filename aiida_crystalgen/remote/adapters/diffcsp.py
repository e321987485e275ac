"""DiffCSP: joint equivariant diffusion of cell, coordinates and elements, by the unmodified scripts of its clone."""

from __future__ import annotations

import ast
import os
import typing as t

ABOUT = {
    'name': 'diffcsp',
    'kind': 'generator',
    'summary': 'DiffCSP: joint equivariant diffusion; crystals from nothing, of a given composition, or guided to low '
               'formation energy.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm',
        'Bk', 'Cf', 'Es', 'Fm',
    ],
    'licence': 'MIT (DiffCSP)',
    'citation': [
        'R. Jiao, W. Huang, P. Lin, J. Han, P. Chen, Y. Lu, Y. Liu, Crystal Structure Prediction by Joint Equivariant '
        'Diffusion (2023), doi:10.48550/arXiv.2309.04475',
    ],
    'install': 'git clone https://github.com/jiaor17/DiffCSP; then `export DIFFCSP_HOME=<the clone>` before jobs of '
               'the Code',
    'requires': ['torch', 'torch_geometric', 'pytorch_lightning', 'hydra-core', 'pymatgen', 'pyxtal', 'numpy'],
    'needs': ['tools', 'diffcsp_family', 'outputs', 'crystal_arrays', 'crystal_text', 'torch_file', 'safe_pickle'],
    'unconditional': True,
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    'honours': {'composition': 'composition'},
    'checkpoint': {
        'form': 'folder', 'required': ['hparams.yaml', '*.ckpt'], 'by_name': False, 'required_input': True,
        'unpickled': [
            'hparams.yaml', '*.ckpt', 'lattice_scaler.pt', 'prop_scaler.pt', 'energy/hparams.yaml', 'energy/*.ckpt',
            'energy/lattice_scaler.pt', 'energy/prop_scaler.pt',
        ],
    },
    'checkpoints': {
        'csp_mp_20': {
            'training': 'MP-20: Materials Project, 27,136 crystals', 'elements': '89 elements of MP-20',
            'max_atoms': 20, 'conditions': ['composition'],
            'licence': 'weights: none stated; data CC-BY-4.0', 'files': {},
            'size_mb': None, 'source': 'Google Drive folder linked in the README of DiffCSP, prediction on MP-20',
        },
        'csp_mpts_52': {
            'training': 'MPTS-52: Materials Project in order of publication, 27,380 crystals',
            'elements': 'those of MPTS-52', 'max_atoms': 52, 'conditions': ['composition'],
            'licence': 'weights: none stated; data CC-BY-4.0', 'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP, prediction on MPTS-52',
        },
        'csp_perov_5': {
            'training': 'Perov-5: perovskites, 11,356 crystals', 'elements': '56 elements of Perov-5', 'max_atoms': 5,
            'conditions': ['composition'], 'licence': 'weights: none stated', 'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP, prediction on Perov-5',
        },
        'csp_carbon_24': {
            'training': 'Carbon-24: carbon at 10 GPa, 6,091 crystals', 'elements': ['C'], 'max_atoms': 24,
            'conditions': ['composition'], 'licence': 'weights: none stated', 'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP, prediction on Carbon-24',
        },
        'gen_mp_20': {
            'training': 'MP-20: Materials Project, 27,136 crystals', 'elements': '89 elements of MP-20',
            'max_atoms': 20, 'conditions': ['energy_guidance'],
            'licence': 'weights: none stated; data CC-BY-4.0', 'files': {},
            'size_mb': None, 'source': 'Google Drive folder linked in the README of DiffCSP, generation on MP-20',
        },
        'gen_perov_5': {
            'training': 'Perov-5: perovskites, 11,356 crystals', 'elements': '56 elements of Perov-5', 'max_atoms': 5,
            'conditions': ['energy_guidance'], 'licence': 'weights: none stated', 'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP, generation on Perov-5',
        },
        'gen_carbon_24': {
            'training': 'Carbon-24: carbon at 10 GPa, 6,091 crystals', 'elements': ['C'], 'max_atoms': 24,
            'conditions': ['energy_guidance'], 'licence': 'weights: none stated', 'files': {}, 'size_mb': None,
            'source': 'Google Drive folder linked in the README of DiffCSP, generation on Carbon-24',
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'crystals that are drawn at once, with one seed; a job draws whole batches. 1,000 steps of 100 '
                    'crystals with up to 20 atoms are kept in memory, about 1 GB'},
        'dataset': {'type': 'text', 'default': 'mp_20', 'unit': '', 'choices': ['mp_20', 'perov_5', 'carbon_24'],
            'help': 'data set whose numbers of atoms per cell are drawn, and whose step is recommended, where no '
                    'composition is given'},
        'step_lr': {'type': 'float', 'default': None, 'unit': '', 'minimum': 0.0,
            'help': 'step of the corrector; null for what DiffCSP recommends (from nothing: 5e-6 for mp_20, 1e-6 for '
                    'perov_5, 1e-5 for carbon_24; else 1e-5)'},
        'formula_units': {'type': 'list', 'default': [1, 1], 'unit': '',
            'help': 'fewest and most units of `composition` in the cell; batches take all of them in turn'},
        'energy_guidance': {'type': 'float', 'default': 0.0, 'unit': '', 'minimum': 0.0,
            'help': 'how hard crystals are pushed to low formation energy (DiffCSP: `--aug`, default 50); above 0 the '
                    'model needs a subfolder `energy` with the checkpoint of an energy model. No value can be aimed '
                    'at'},
    },
    'conditions': {
        'composition': {'type': 'text', 'default': None, 'unit': '',
            'help': 'formula such as NaCl or Na4Cl4, taken as it stands; the cell holds `formula_units` of it'},
    },
    'columns': {
        'formula_units': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'units of the formula asked for that the cell holds'},
    },
}  # fmt: skip
PACKAGES = ('torch', 'torch_geometric', 'pytorch_lightning', 'numpy')
SCRIPTS = os.path.join('scripts', 'generation.py')
# Modules of the models that draw elements, and that tell energies.
DRAWS_ELEMENTS = 'diffusion_w_type'
TELLS_ENERGY = 'energy_model'


def versions() -> dict[str, str]:
    """Return the digest of the clone and the versions of its main packages, without importing them."""
    import diffcsp_family as family  # type: ignore[import-not-found]

    return t.cast('dict[str, str]', family.versions('DiffCSP', 'DIFFCSP_HOME', SCRIPTS, PACKAGES))


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns that these parameters give."""
    import tools  # type: ignore[import-not-found]

    return t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from one run of a script of DiffCSP."""
    import diffcsp_family as family

    yield from family.run(ABOUT, rows, job, 'DIFFCSP_HOME', DiffCSP)


class DiffCSP:
    """What all batches of a job share."""

    def __init__(self, settings: dict[str, t.Any], home: str, job: t.Any) -> None:
        import diffcsp_family as family

        self.settings, self.home, self.job = settings, home, job
        self.environment = family.environment(home, job)
        self.task = 'optimization' if settings['energy_guidance'] else 'generation'
        if settings['composition']:
            self.task = 'optimization' if settings['energy_guidance'] else 'sample'
            family.amounts(settings['composition'], family.formula_units(settings['formula_units'], 0))
        self.model = family.private_copy(job.model, job.scratch)
        self.check(family.configuration(self.model))
        if self.task == 'optimization':
            self.energy = family.private_copy(job.model, job.scratch, 'energy')
            self.check_energy(family.configuration(self.energy))

    def check(self, config: t.Any) -> None:
        """Refuse a model that was trained for another task."""
        import diffcsp_family as family
        import tools

        kind, given = str(config.model._target_), self.settings['composition']
        if TELLS_ENERGY in kind:
            raise tools.RefusedError('unfit_model', 'the model is one of energies: put it into a subfolder `energy`')
        # Of carbon alone there are no elements to draw.
        if given or self.settings['dataset'] != 'carbon_24':
            family.check_task(DRAWS_ELEMENTS in kind, given)

    def check_energy(self, config: t.Any) -> None:
        """Refuse an energy model that does not go with what is asked for."""
        import tools

        if TELLS_ENERGY not in str(config.model._target_):
            raise tools.RefusedError('unfit_model', 'the subfolder `energy` of the model holds no model of energies')
        kept = not config.model.get('update_type', True)
        if kept != bool(self.settings['composition']):
            words = 'keeps the elements, and no' if kept else 'changes the elements, and a'
            words = f'the energy model {words} `composition` is given: take another one'
            raise tools.RefusedError('unfit_model', words)

    def draw(self, piece: t.Any) -> list[dict[str, t.Any]]:
        """Return what becomes of each crystal of a batch, or of a piece of one."""
        import diffcsp_family as family
        import tools

        asked, atoms = tools.requested(ABOUT, self.settings, piece.unit), {}
        if self.settings['composition']:
            asked['formula_units'] = family.formula_units(self.settings['formula_units'], piece.unit)
            atoms = family.amounts(self.settings['composition'], asked['formula_units'])
        task: t.Any = getattr(self, f'_{self.task}')
        return t.cast('list[dict[str, t.Any]]', task(piece, atoms, asked))

    def script(self, name: str, piece: t.Any, *argv: str) -> None:
        """Run a script of the clone with the seed of a piece."""
        import tools

        step = self.settings['step_lr']
        step = [] if step is None else ['--step_lr', repr(float(step))]
        path = os.path.join(self.home, 'scripts', f'{name}.py')
        tools.run_script(
            path, [*argv, *step], seed=piece.seed, cwd=self.home, env=self.environment, job=self.job,
        )  # fmt: skip

    def _generation(self, piece: t.Any, _: t.Any, asked: dict[str, t.Any]) -> t.Any:
        """Draw crystals from nothing."""
        import diffcsp_family as family

        argv = ['--model_path', self.model, '--dataset', self.settings['dataset'], '--label', piece.label]
        self.script('generation', piece, *argv, '--num_batches_to_samples', '1', '--batch_size', str(piece.size))
        return family.from_pt(os.path.join(self.model, f'eval_gen_{piece.label}.pt'), asked)

    def _sample(self, piece: t.Any, atoms: dict[str, int], asked: dict[str, t.Any]) -> t.Any:
        """Draw crystals of a composition; DiffCSP leaves out the CIFs that it cannot write."""
        import diffcsp_family as family

        formula = ''.join(f'{symbol}{amount}' for symbol, amount in atoms.items())
        argv = ['--model_path', self.model, '--save_path', piece.folder, '--formula', formula]
        self.script('sample', piece, *argv, '--num_evals', str(piece.size), '--batch_size', str(piece.size))
        cifs = [os.path.join(piece.folder, formula, f'{formula}_{number + 1}.cif') for number in range(piece.size)]
        return [family.from_cif(cif, asked) for cif in cifs]

    def _optimization(self, piece: t.Any, atoms: dict[str, int], asked: dict[str, t.Any]) -> t.Any:
        """Draw crystals from noise, pushed to low energy.

        DiffCSP takes from its test set how many atoms the crystals have, and of which elements if these are kept; the
        first batch of the set again and again. It gets a test set of one batch, with what is wanted.
        """
        import diffcsp_family as family

        numbers = [_numbers(atoms)] * piece.size if atoms else self._contents(piece)
        family.bring_data(self.energy, piece.folder, numbers)
        argv = ['--model_path', self.energy, '--uncond_path', self.model, '--label', piece.label]
        argv += ['--aug', repr(float(self.settings['energy_guidance'])), '--num_candidates', '1']
        self.script('optimization', piece, *argv, '--test_samples', str(piece.size))
        return family.from_pt(os.path.join(self.energy, f'eval_opt_{piece.label}.pt'), asked)

    def _contents(self, piece: t.Any) -> list[list[int]]:
        """Return for each crystal as many hydrogen atoms as it shall have, drawn from DiffCSP's table."""
        import numpy as np

        shares = histogram(self.home)[self.settings['dataset']]
        sizes = np.random.default_rng(piece.seed).choice(len(shares), piece.size, p=shares)
        return [[1] * int(size) for size in sizes]


def histogram(home: str) -> dict[str, list[float]]:
    """Return the shares of numbers of atoms by data set, read from `generation.py` without running it.

    :raises RuntimeError: where the script has none.
    """
    with open(os.path.join(home, SCRIPTS), encoding='utf-8') as handle:
        tree = ast.parse(handle.read())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'train_dist':
            return t.cast('dict[str, list[float]]', ast.literal_eval(node.value))
    raise RuntimeError(f'`{SCRIPTS}` of the clone has no table `train_dist`: take another version of DiffCSP')


def _numbers(atoms: dict[str, int]) -> list[int]:
    """Return the atomic numbers of a cell."""
    from crystal_text import ATOMIC_NUMBERS  # type: ignore[import-not-found]

    return [ATOMIC_NUMBERS[symbol] for symbol, amount in atoms.items() for _ in range(amount)]
