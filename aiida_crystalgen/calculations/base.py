"""The one batch CalcJob: a batch of crystals and a bundle go to the compute node, finished rows come back."""

from __future__ import annotations

import json
import typing as t

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.engine import CalcJob

from aiida_crystalgen.bundles import read_about, units_of
from aiida_crystalgen.data.base import CrystalArrayData
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.reference import ReferenceSet

if t.TYPE_CHECKING:
    from aiida.common.folders import Folder
    from aiida.engine import CalcJobProcessSpec

# Share of the wall time that is kept back for start-up, the last rows and the report; never less than a minute.
_WALLTIME_RESERVE: t.Final = 0.05
_WALLTIME_RESERVE_SECONDS: t.Final = 60
# What is worked on may be known crystals as well as new ones.
BATCH_TYPES: t.Final = (StructureBatch, ReferenceSet)
_RUNTIME_DEFAULTS: t.Final = {
    'processes': 0,
    'threads': 1,
    'device': 'cpu',
    'batch_size': 1,
    'row_seconds_limit': None,
    'model_path': None,
}

# What a tool cannot do whatever is tried, by the status that its adapter gives: exit code, label, message.
DOOMS: t.Final = {
    'untrained_condition': (
        312,
        'ERROR_UNTRAINED_CONDITION',
        'The model was not trained on a condition that was asked for',
    ),
    'wrong_steps': (313, 'ERROR_WRONG_STEPS', 'The number of sampling steps is not that of the training'),
    'guidance_ignored': (314, 'ERROR_GUIDANCE_IGNORED', 'The tool ignored the conditions'),
    'unfit_model': (315, 'ERROR_UNFIT_MODEL', 'The model cannot be used'),
    'wrong_parameters': (316, 'ERROR_WRONG_PARAMETERS', 'The parameters contradict each other or the model'),
}
# What outputs of a tool can lack although every row has its verdict, by the reason of the rows.
SHORTFALLS: t.Final = {
    'appended_again': (
        500,
        'ERROR_REPEATED_OUTPUT',
        'The tool wrote {count} crystals a second time behind those that were there.',
    ),
    'partial_output': (
        501,
        'ERROR_PARTIAL_OUTPUT',
        'The tool left {count} of its files incomplete; the others were read.',
    ),
    'too_few': (502, 'ERROR_TOO_FEW', 'The tool made {count} crystals fewer than it was asked for.'),
    'unsafe': (503, 'ERROR_UNSAFE_FILE', '{count} files would have run code when loaded; they were not read.'),
    'untrained_condition': (
        504,
        'ERROR_READ_UNTRAINED_CONDITION',
        '{count} of the files tell of a model that was not trained on what it was asked for.',
    ),
    'wrong_steps': (
        505,
        'ERROR_READ_WRONG_STEPS',
        '{count} of the files tell of a model that was given another number of steps than that of its training.',
    ),
    'guidance_ignored': (
        506,
        'ERROR_READ_GUIDANCE_IGNORED',
        '{count} of the files tell of a model that ran without guidance, at which it ignores every condition.',
    ),
}


def validate_runtime(value: t.Any, _: t.Any) -> str | None:
    """Return a sentence when `runtime` holds a key that the harness does not know."""
    unknown = sorted(set(value or {}) - set(_RUNTIME_DEFAULTS))
    return f'`runtime` does not know {unknown}; it takes {sorted(_RUNTIME_DEFAULTS)}' if unknown else None


class BatchCalculation(CalcJob):
    """Run an adapter over a batch of crystals with its bundle; abstract: subclasses name their stage."""

    FILENAME_BUNDLE: t.Final = 'bundle.zip'
    FILENAME_JOB: t.Final = 'job.json'
    FILENAME_BATCH: t.Final = 'batch.npz'
    FILENAME_HELLO: t.Final = 'hello.json'
    FILENAME_STARTED: t.Final = 'started.jsonl'
    FILENAME_ROWS: t.Final = 'out.jsonl'
    FILENAME_REPORT: t.Final = 'report.json'
    FILENAME_STDOUT: t.Final = 'stdout.txt'
    FILENAME_STDERR: t.Final = 'stderr.txt'

    # Raise when the meaning of the files written here changes: they are not part of the hash.
    CACHE_VERSION = 1

    _STAGE: t.ClassVar[str]

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:  # type: ignore[override]
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.input('batch', valid_type=BATCH_TYPES, help='The crystals to work on; rows to be generated are empty.')
        spec.input('bundle', valid_type=orm.SinglefileData, help='Zip of the adapter, the harness and `about.json`.')
        spec.input('parameters', valid_type=orm.Dict, help='Parameters of the adapter, units as in its `ABOUT`.')
        spec.input('environment', valid_type=orm.Dict, help='Versions of the tool on the Code, as it tells them.')
        spec.input(
            'model',
            valid_type=(orm.SinglefileData, orm.FolderData),
            required=False,
            help='Model (weights) of the tool, a file or a folder.',
        )
        spec.input(
            'checkpoint',
            valid_type=orm.Dict,
            required=False,
            help='Name of the model, and sha256 of its files; a job refuses a model on its computer that differs.',
        )
        spec.input_namespace(
            'assets',
            valid_type=(orm.SinglefileData, orm.FolderData),
            required=False,
            dynamic=True,
            help='Files and folders that the adapter reads, by name.',
        )
        spec.input_namespace(
            'tables',
            valid_type=CrystalArrayData,
            required=False,
            dynamic=True,
            help='Other batches that the adapter reads, by name (references, known crystals).',
        )
        spec.input(
            'runtime',
            valid_type=dict,
            non_db=True,
            required=False,
            default=dict,
            validator=validate_runtime,
            help='Processes (0: one per core), threads, device, batch size, seconds per row, path of a model on the '
            'computer: outside the hash.',
        )

        options: t.Any = spec.inputs['metadata']['options']  # type: ignore[index]
        options['parser_name'].default = 'crystalgen.batch'
        spec.input(
            'metadata.options.resources',
            valid_type=dict,
            required=False,
            default=lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        )
        options['withmpi'].default = False
        options['input_filename'].default = cls.FILENAME_JOB
        options['output_filename'].default = cls.FILENAME_STDOUT

        spec.output('batch', valid_type=StructureBatch, required=False, help='Finished rows, with their new columns.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='Rows that ended here, with reasons.')
        spec.output('report', valid_type=orm.Dict, required=False, help='Status, versions, device, counts, seconds.')
        spec.default_output_node = 'report'

        spec.exit_code(
            300,
            'ERROR_NOTHING_FINISHED',
            invalidates_cache=True,
            message='The job ended without a single finished row: {reason}',
        )
        spec.exit_code(
            301,
            'ERROR_UNREADABLE_OUTPUT',
            invalidates_cache=True,
            message='The files of the job could not be read: {reason}',
        )
        spec.exit_code(
            310,
            'ERROR_ENVIRONMENT_MISMATCH',
            invalidates_cache=True,
            message='The tool on the compute node is not the one that was planned with: {reason}',
        )
        for status, label, message in DOOMS.values():
            spec.exit_code(status, label, invalidates_cache=True, message=f'{message}: {{reason}}')
        for status, label, message in SHORTFALLS.values():
            spec.exit_code(status, label, message=message)
        spec.exit_code(
            311, 'ERROR_ADAPTER_FAILED', invalidates_cache=True, message='The adapter could not be started: {reason}'
        )
        spec.exit_code(400, 'ERROR_OUT_OF_TIME', message='The time ran out; finished rows are kept.')
        spec.exit_code(401, 'ERROR_OUT_OF_MEMORY', message='The memory ran out; finished rows are kept.')
        spec.exit_code(402, 'ERROR_TERMINATED', message='The job was terminated; finished rows are kept.')
        spec.exit_code(403, 'ERROR_DIED', message='The job died without a report; finished rows are kept.')
        spec.exit_code(404, 'ERROR_INCOMPLETE', message='Rows are missing although the job ended; the rest is kept.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the job folder: bundle, batch, tables and `job.json`."""
        with self.inputs.bundle.open(mode='rb') as handle:
            about = read_about(handle)
        self._write_crystals(folder, self.FILENAME_BATCH, self.inputs.batch)
        for name, node in self._namespace('tables').items():
            folder.get_subfolder('tables', create=True)
            self._write_crystals(folder, f'tables/{name}.npz', node)
        with folder.open(self.FILENAME_JOB, 'w', encoding='utf-8') as handle:
            json.dump(self._job(about), handle, sort_keys=True, indent=1)

        copies = [(self.inputs.bundle.uuid, self.inputs.bundle.filename, self.FILENAME_BUNDLE)]
        for name, node in [*self._namespace('assets').items(), *self._model()]:
            folder.get_subfolder(f'assets/{name}', create=True)
            copies.append((node.uuid, node.filename if _is_file(node) else '.', _target(name, node)))

        codeinfo = CodeInfo()
        codeinfo.code_uuid = self.inputs.code.uuid
        codeinfo.cmdline_params = [self.FILENAME_BUNDLE]
        codeinfo.withmpi = False
        codeinfo.stdout_name = self.FILENAME_STDOUT
        codeinfo.stderr_name = self.FILENAME_STDERR
        calcinfo = CalcInfo()
        calcinfo.uuid = self.uuid
        calcinfo.codes_info = [codeinfo]
        calcinfo.local_copy_list = copies
        calcinfo.retrieve_list = [self.FILENAME_REPORT, self.FILENAME_HELLO, self.FILENAME_STDERR]
        calcinfo.retrieve_temporary_list = [self.FILENAME_ROWS, self.FILENAME_STARTED]
        # What the inputs hold already is not stored a second time.
        tables = [f'tables/{name}.npz' for name in self._namespace('tables')]
        calcinfo.provenance_exclude_list = [self.FILENAME_BATCH, *tables]
        return calcinfo

    def _job(self, about: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the content of `job.json`."""
        parameters = self.inputs.parameters.get_dict()
        draws = self.inputs.batch.base.attributes.get('draws', [])
        runtime = {**_RUNTIME_DEFAULTS, **self.inputs.runtime}
        checkpoint = self.inputs.checkpoint.get_dict() if 'checkpoint' in self.inputs else {}
        model_path = runtime.pop('model_path')
        return {
            'module': about['module'],
            'stage': parameters.pop('stage', self._STAGE),
            'seed': int(parameters.pop('seed', 0)),
            'parameters': parameters,
            'draw': draws[0] if len(draws) == 1 else '',
            'units': units_of(about, parameters),
            'whole_batch': bool(about.get('whole_batch', False)),
            'environment': self.inputs.environment.get_dict(),
            'model': next((_target(*model) for model in self._model()), model_path),
            'model_files': checkpoint.get('files', {}) if model_path else {},
            'assets': {name: _target(name, node) for name, node in self._namespace('assets').items()},
            'tables': {name: f'tables/{name}.npz' for name in self._namespace('tables')},
            'columns': self.inputs.batch.base.attributes.get('columns'),
            'table_columns': {
                name: node.base.attributes.get('columns') for name, node in self._namespace('tables').items()
            },
            'seconds_limit': self._seconds_limit(),
            **runtime,
        }

    def _seconds_limit(self) -> float | None:
        """Return the seconds after which no new row is begun, from the scheduler's wall time."""
        walltime = self.inputs.metadata.options.get('max_wallclock_seconds')
        if walltime is None:
            return None
        return max(float(walltime) - max(_WALLTIME_RESERVE_SECONDS, _WALLTIME_RESERVE * walltime), 0.5 * walltime)

    def _namespace(self, name: str) -> dict[str, t.Any]:
        return dict(self.inputs[name]) if name in self.inputs else {}

    def _model(self) -> list[tuple[str, t.Any]]:
        return [('model', self.inputs.model)] if 'model' in self.inputs else []

    @staticmethod
    def _write_crystals(folder: Folder, filename: str, node: CrystalArrayData) -> None:
        with folder.open(filename, 'wb') as handle:
            node.crystals.to_npz(handle)


def _target(name: str, node: t.Any) -> str:
    """Return where a file or folder lies in the job folder."""
    return f'assets/{name}/{node.filename}' if _is_file(node) else f'assets/{name}'


def _is_file(node: orm.Data) -> bool:
    return isinstance(node, orm.SinglefileData)
