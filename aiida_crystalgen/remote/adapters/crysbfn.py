"""CrysBFN: a periodic Bayesian flow over cell, coordinates and elements, by the unmodified script of its clone."""

from __future__ import annotations

import os
import typing as t

ABOUT = {
    'name': 'crysbfn',
    'kind': 'generator',
    'summary': 'CrysBFN: a periodic Bayesian flow network; crystals from nothing, or of a given composition, in as few '
               'as ten steps.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm',
        'Bk', 'Cf', 'Es', 'Fm',
    ],
    'licence': 'MIT by a badge in the README of CrysBFN, which has no licence file',
    'citation': [
        'H. Wu, Y. Song, J. Gong, Z. Cao, Y. Ouyang, J. Zhang, H. Zhou, W.-Y. Ma, J. Liu, A Periodic Bayesian Flow for '
        'Material Generation (2025), doi:10.48550/arXiv.2502.02016',
    ],
    'install': 'git clone https://github.com/GenSI-THUAIR/CrysBFN; then `export CRYSBFN_HOME=<the clone>` before jobs '
               'of the Code',
    'requires': ['torch', 'torch_geometric', 'pytorch_lightning', 'hydra-core', 'pymatgen', 'matminer', 'numpy'],
    'needs': ['tools', 'diffcsp_family', 'outputs', 'crystal_arrays', 'crystal_text', 'torch_file', 'safe_pickle'],
    'unconditional': True,
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    'honours': {'composition': 'composition'},
    'checkpoint': {
        'form': 'folder', 'required': ['hparams.yaml', '*.ckpt*'], 'by_name': False, 'required_input': True,
        'unpickled': ['hparams.yaml', '*.ckpt', '*.ckpt.ema_state_dict'],
    },
    'checkpoints': {
        'mp20_csp_s10': {
            'training': 'MP-20: Materials Project, 27,136 crystals; ten steps', 'elements': '89 elements of MP-20',
            'max_atoms': 20, 'conditions': ['composition'],
            'licence': 'weights: none stated; data CC-BY-4.0', 'files': {},
            'size_mb': None, 'source': 'Google Drive folder linked in the README of CrysBFN, `mp20_csp_s10.zip`',
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'crystals that are drawn at once, with one seed; a job draws whole batches'},
        'steps': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1,
            'help': 'steps of the flow; null for those that the model was trained with, and these only where it was '
                    'trained in steps'},
        'strategy': {'type': 'text', 'default': 'end_back', 'unit': '', 'choices': ['end_back', 'vanilla'],
            'help': 'how a step goes on from the predicted crystal of a given composition; without a composition the '
                    'model says it'},
        'formula_units': {'type': 'list', 'default': [1, 1], 'unit': '',
            'help': 'fewest and most units of `composition` in the cell; batches take all of them in turn'},
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
SCRIPT = os.path.join('scripts', 'evaluate_crysbfn.py')
# Class of the models that predict structures.
PREDICTS = 'CSP'


def versions() -> dict[str, str]:
    """Return the digest of the clone and the versions of its main packages, without importing them."""
    import diffcsp_family as family  # type: ignore[import-not-found]

    return t.cast('dict[str, str]', family.versions('CrysBFN', 'CRYSBFN_HOME', SCRIPT, PACKAGES))


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns that these parameters give."""
    import tools  # type: ignore[import-not-found]

    return t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from one run of the script of CrysBFN."""
    import diffcsp_family as family

    yield from family.run(ABOUT, rows, job, 'CRYSBFN_HOME', CrysBFN)


class CrysBFN:
    """What all batches of a job share."""

    def __init__(self, settings: dict[str, t.Any], home: str, job: t.Any) -> None:
        import diffcsp_family as family

        self.settings, self.home, self.job = settings, home, job
        self.environment = family.environment(home, job)
        if settings['composition']:
            family.amounts(settings['composition'], family.formula_units(settings['formula_units'], 0))
        self.model = family.private_copy(job.model, job.scratch)
        config = family.configuration(self.model)
        self.steps = self.checked(config)
        self.known = [int(number) for number in config.data.atom_type_map]
        self.place(config)

    def checked(self, config: t.Any) -> int:
        """Return the number of steps; refuse a model for another task, and steps that it was not trained with."""
        import diffcsp_family as family
        import tools

        predicts = PREDICTS in str(config.model._target_).rsplit('.', 1)[-1]
        family.check_task(not predicts, self.settings['composition'])
        trained, asked = int(config.model.BFN.dtime_loss_steps), self.settings['steps']
        if asked not in (None, trained) and (predicts or config.model.BFN.dtime_loss):
            words = f'the model was trained with {trained} steps and cannot take {asked}: leave `steps` out'
            raise tools.RefusedError('wrong_steps', words)
        return int(asked or trained)

    def place(self, config: t.Any) -> None:
        """Put the model where the job wants it: CrysBFN makes its tables on the device of its training."""
        from omegaconf import OmegaConf  # type: ignore[import-not-found]

        if self.job.device == 'cpu':
            config.model.BFN.device = 'cpu'
            OmegaConf.save(config, os.path.join(self.model, 'hparams.yaml'))

    def draw(self, piece: t.Any) -> list[dict[str, t.Any]]:
        """Return what becomes of each crystal of a batch, or of a piece of one.

        CrysBFN loads a data set whatever it draws, and takes compositions from it. It gets one with what is wanted;
        to draw from nothing, a single atom that nothing is taken from.
        """
        import diffcsp_family as family
        import tools

        asked, task = tools.requested(ABOUT, self.settings, piece.unit), 'gen'
        contents = [[self.known[0]] * 2] * 2
        if self.settings['composition']:
            task = 'csp'
            asked['formula_units'] = family.formula_units(self.settings['formula_units'], piece.unit)
            contents = [self.atoms(asked['formula_units'])] * piece.size
        family.bring_data(self.model, piece.folder, contents)
        argv = ['--model_path', self.model, '--tasks', task, '--label', piece.label, '--num_evals', '1']
        argv += ['--num_batches_to_samples', '1', '--num_batches_to_csp', '1', '--batch_size', str(piece.size)]
        argv += ['--n_step_each', str(self.steps), '--strategy', self.settings['strategy']]
        path = os.path.join(self.home, SCRIPT)
        tools.run_script(path, argv, seed=piece.seed, cwd=self.home, env=self.environment, job=self.job)
        return t.cast(
            'list[dict[str, t.Any]]',
            family.from_pt(os.path.join(self.model, f'eval_{task}_{piece.label}.pt'), asked),
        )

    def atoms(self, units: int) -> list[int]:
        """Return the atomic numbers of a cell.

        :raises RefusedError: where the model was trained without one of the elements.
        """
        import diffcsp_family as family
        import tools
        from crystal_text import ATOMIC_NUMBERS  # type: ignore[import-not-found]

        amounts = family.amounts(self.settings['composition'], units)
        strange = [symbol for symbol in amounts if ATOMIC_NUMBERS[symbol] not in self.known]
        if strange:
            words = f'the model was trained without {", ".join(strange)}'
            raise tools.RefusedError('untrained_condition', f'{words}: ask for another composition')
        return [ATOMIC_NUMBERS[symbol] for symbol, amount in amounts.items() for _ in range(amount)]
