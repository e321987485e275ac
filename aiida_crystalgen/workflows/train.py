"""WorkChain that trains a model, going on from the last finished epoch whenever a job ends early."""

from __future__ import annotations

import io
import typing as t

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport, process_handler, while_

from aiida_crystalgen.bundles import HERE, bundle_of_files, packaged_weights
from aiida_crystalgen.calculations.train import TRAINING
from aiida_crystalgen.calculations.train import TrainCalculation as Job
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.workflows.environment import tool_versions

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

    from aiida_crystalgen.data.reference import ReferenceSet

_PACKAGE: t.Final = 'wyckoff_model'
_PACKAGED: t.Final = 'packaged'
_CARRIED: t.Final = ('checkpoint', 'encoded')
_RESULTS: t.Final = ('model', 'history', 'report', 'rejected')
# Jobs in a row that may end without a new epoch before the chain gives up.
_MOST_STALLS: t.Final = 3


def training_bundle() -> bytes:
    """Return the zip of the packaged model's code with the harness, ready to train."""
    files = [path for path in sorted((HERE / 'models' / 'wyckoff').iterdir()) if path.suffix in ('.py', '.npz')]
    members = {f'{_PACKAGE}/{path.name}': path.read_bytes() for path in files}
    return bundle_of_files(f'{_PACKAGE}.job', TRAINING, members)


@t.final
class TrainWorkChain(BaseRestartWorkChain):
    """Train a model on a batch of crystals; a killed, timed-out or out-of-memory job is taken up where it was."""

    _process_class = Job

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline and exit codes."""
        super().define(spec)
        spec.expose_inputs(Job, namespace='job')
        spec.outline(
            cls.setup,
            cls.prepare,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.collect_results,
        )
        spec.output('model', valid_type=orm.SinglefileData, help='The weights of the best epoch, `model` of a draw.')
        spec.output('history', valid_type=orm.Dict, help='Curves: lists with one entry an epoch.')
        spec.output('report', valid_type=orm.Dict, help='The report of the last job, with figures of the training.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='Crystals that were left out.')
        spec.exit_code(310, 'ERROR_CANNOT_START', message='The training cannot run: {reason}')
        spec.exit_code(311, 'ERROR_NO_PROGRESS', message='Job after job ended without a new epoch: {reason}')

    def prepare(self) -> None:
        """Take the inputs of the first job."""
        self.ctx.inputs = AttributeDict(self.exposed_inputs(Job, 'job'))
        self.ctx.stalls = 0
        self.ctx.epochs = -1

    @process_handler(
        priority=600,
        exit_codes=[
            Job.exit_codes.ERROR_ENVIRONMENT_MISMATCH,
            Job.exit_codes.ERROR_ADAPTER_FAILED,
            Job.exit_codes.ERROR_CANNOT_TRAIN,
            Job.exit_codes.ERROR_UNREADABLE_OUTPUT,
        ],
    )
    def handle_cannot_start(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Give up: this does not mend itself."""
        return ProcessHandlerReport(True, self.exit_codes.ERROR_CANNOT_START.format(reason=node.exit_message))

    @process_handler(
        priority=500,
        exit_codes=[
            Job.exit_codes.ERROR_OUT_OF_TIME,
            Job.exit_codes.ERROR_OUT_OF_MEMORY,
            Job.exit_codes.ERROR_TERMINATED,
            Job.exit_codes.ERROR_DIED,
        ],
    )
    def handle_unfinished(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Go on from the checkpoint, with the crystals as they were read."""
        carried = {name: node.outputs[name] for name in _CARRIED if name in node.outputs}
        self.ctx.inputs.assets = {**self.ctx.inputs.get('assets', {}), **carried}
        epochs = len(node.outputs.history.get_dict()['epoch']) if 'history' in node.outputs else 0
        self.ctx.stalls = self.ctx.stalls + 1 if epochs <= self.ctx.epochs else 0
        self.ctx.epochs = max(epochs, self.ctx.epochs)
        if self.ctx.stalls >= _MOST_STALLS:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS.format(reason=node.exit_message))
        self.report(f'job<{node.pk}> ended after {epochs} epochs ({node.exit_message}): going on from there')
        return ProcessHandlerReport(True, ExitCode(0))

    def collect_results(self) -> None:
        """Attach what the last job left."""
        node = self.ctx.children[self.ctx.iteration - 1]
        for name in _RESULTS:
            if name in node.outputs:
                self.out(name, node.outputs[name])
        training = node.outputs.report.get_dict()['training']
        best, epoch = training.get('best_validation'), training.get('best_epoch')
        self.report(f'best epoch {epoch}: {best} nats a crystal held out, in {self.ctx.iteration} jobs')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        batch: StructureBatch | ReferenceSet,
        parameters: dict[str, t.Any] | None = None,
        *,
        start: orm.SinglefileData | str | None = _PACKAGED,
        options: dict[str, t.Any] | None = None,
        threads: int = 1,
    ) -> ProcessBuilder:
        """Return a builder that trains on a batch of crystals.

        :param code: a Code of a Python with torch and spglib.
        :param parameters: how to train, see `aiida_crystalgen.calculations.train.TRAINING`.
        :param start: the weights to go on from: `packaged`, a file of a node, or None for a new network.
        :param options: `metadata.options` of every job.
        :param threads: threads of torch; sums, and with them the last digits of the curves, depend on it.
        """
        if start == _PACKAGED:
            weights = packaged_weights('generator', 'wyckoff')
            start = None if weights is None else orm.SinglefileData(weights)
        bundle = training_bundle()
        builder = cls.get_builder()
        job = builder.job
        job.code = code
        job.batch = batch
        job.bundle = orm.SinglefileData(io.BytesIO(bundle), filename='bundle.zip', label='training')
        job.parameters = orm.Dict(parameters or {})
        job.environment = orm.Dict(tool_versions(code, bundle))
        if start is not None:
            job.model = start
        job.runtime = {'processes': 1, 'threads': threads}
        job.metadata.options = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, **(options or {})}
        return builder
