"""CalcJob that trains the packaged model, or goes on training one, on crystals of the user."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.calculations.base import BatchCalculation
from aiida_crystalgen.schema.parameters import parameter_findings

if t.TYPE_CHECKING:
    from aiida.common.datastructures import CalcInfo
    from aiida.common.folders import Folder
    from aiida.engine import CalcJobProcessSpec

# What the bundle says of itself; the harness runs the training like an adapter that needs all rows at once.
TRAINING: t.Final[dict[str, t.Any]] = {
    'name': 'training',
    'kind': 'training',
    'summary': 'Trains the packaged model on crystals.',
    'install': 'pip install torch spglib',
    'whole_batch': True,
    'units': 1,
    'parameters': {
        'epochs': {'type': 'int', 'default': 15, 'minimum': 1, 'help': 'times that every crystal is seen'},
        'patience': {'type': 'int', 'default': 5, 'minimum': 1, 'help':
                     'epochs without a better validation after which training ends'},
        'held_out': {'type': 'float', 'default': 0.1, 'minimum': 0.001, 'maximum': 0.5, 'help':
                     'share of the crystals that is held out, whole chemical systems'},
        'seed': {'type': 'int', 'default': 0, 'minimum': 0, 'help': 'decides the first weights and all orders'},
        'rate': {'type': 'float', 'default': None, 'minimum': 0.0, 'maximum': 1.0, 'help':
                 'highest learning rate, null for 2e-3, or 5e-4 where a model is trained further'},
        'batch': {'type': 'int', 'default': 1024, 'minimum': 16, 'help':
                  'steps of crystals in a batch; a crystal has some 20'},
        'warm_up': {'type': 'int', 'default': None, 'minimum': 1, 'help':
                    'updates until the highest learning rate, null for a twentieth of all, at most 200'},
        'decay': {'type': 'float', 'default': 0.6, 'minimum': 0.01, 'maximum': 1.0, 'help':
                  'share of the epochs, the last ones, over which the learning rate falls to 0'},
        'weight_decay': {'type': 'float', 'default': 0.05, 'minimum': 0.0, 'help': 'how strongly weights go to 0'},
        'dropout': {'type': 'float', 'default': 0.1, 'minimum': 0.0, 'maximum': 0.9, 'help':
                    'share of the inner values left out in training; new networks only'},
        'width': {'type': 'int', 'default': 160, 'minimum': 8, 'help':
                  'width of the network, a multiple of `heads`; new networks only'},
        'layers': {'type': 'int', 'default': 4, 'minimum': 1, 'help': 'layers of the network; new networks only'},
        'heads': {'type': 'int', 'default': 5, 'minimum': 1, 'help': 'heads of attention; new networks only'},
        'tell_atoms': {'type': 'bool', 'default': True, 'help':
                       'whether the number of atoms is a label; new networks only'},
        'symprec': {'type': 'float', 'default': 0.1, 'unit': 'A', 'minimum': 1e-4, 'maximum': 1.0, 'help':
                    'tolerance of the symmetry search'},
    },
    'columns': {
        'part': {'kind': 'text', 'dtype': '', 'shape': [], 'unit': '', 'level': '', 'help':
                 'part of the split: `train` or `validation`'},
    },
}  # fmt: skip


def with_defaults(parameters: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the parameters of a training over their defaults."""
    return {**{name: form['default'] for name, form in TRAINING['parameters'].items()}, **parameters}


def validate_parameters(value: orm.Dict | None, _: t.Any) -> str | None:
    """Return a sentence when a parameter is unknown, of another type, or out of range."""
    given = value.get_dict() if value is not None else {}
    for found in parameter_findings(given, TRAINING, ()):
        return f'{".".join(map(str, found.keys))}: {found.message}; {found.remedy}'
    full = with_defaults(given)
    if full['width'] % full['heads']:
        return f'`width` {full["width"]} is no multiple of `heads` {full["heads"]}; change one of them'
    return None


@t.final
class TrainCalculation(BatchCalculation):
    """Train a model on all crystals of a batch; `model` is one to go on from."""

    FILENAME_WEIGHTS: t.Final = 'weights.safetensors'
    FILENAME_CHECKPOINT: t.Final = 'checkpoint.pt'
    FILENAME_ENCODED: t.Final = 'encoded.npz'
    FILENAME_LOG: t.Final = 'log.jsonl'
    FILENAME_SUMMARY: t.Final = 'training.json'

    _STAGE = 'train'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:  # type: ignore[override]
        """Define what differs from a job that works row by row."""
        super().define(spec)
        inputs: t.Any = spec.inputs
        inputs['parameters'].validator = validate_parameters
        inputs['parameters'].help = 'How to train, see `TRAINING`.'
        inputs['model'].help = 'Weights to go on from; without them a new network is made.'
        inputs['metadata']['options']['parser_name'].default = 'crystalgen.train'
        del spec.outputs['batch']
        spec.output('model', valid_type=orm.SinglefileData, required=False, help='The best weights so far.')
        spec.output('history', valid_type=orm.Dict, required=False, help='Curves: lists with one entry an epoch.')
        spec.output('checkpoint', valid_type=orm.SinglefileData, required=False, help='To go on from; if unfinished.')
        spec.output('encoded', valid_type=orm.SinglefileData, required=False, help='Crystals as read; if unfinished.')
        spec.exit_code(
            317,
            'ERROR_CANNOT_TRAIN',
            invalidates_cache=True,
            message='These crystals cannot be trained on: {reason}',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job folder; what was learned comes back even when the job did not end well."""
        calcinfo = super().prepare_for_submission(folder)
        calcinfo.retrieve_list = [*(calcinfo.retrieve_list or []), self.FILENAME_LOG, self.FILENAME_SUMMARY]
        files = [self.FILENAME_WEIGHTS, self.FILENAME_CHECKPOINT, self.FILENAME_ENCODED]
        calcinfo.retrieve_temporary_list = [*(calcinfo.retrieve_temporary_list or []), *files]
        return calcinfo

    def _job(self, about: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the content of `job.json`; parameters that were left out have their defaults."""
        job = super()._job(about)
        parameters = {name: value for name, value in with_defaults(job['parameters']).items() if name != 'seed'}
        return {**job, 'parameters': parameters}
