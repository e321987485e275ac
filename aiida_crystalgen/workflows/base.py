"""Restart WorkChains round the batch jobs: chunk after chunk, and only what is missing is sent again."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.common import AttributeDict
from aiida.common.exceptions import NotExistentAttributeError
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport, process_handler, while_

from aiida_crystalgen.bundles import read_about
from aiida_crystalgen.calculations.analyse import AnalyseCalculation
from aiida_crystalgen.calculations.base import BATCH_TYPES, DOOMS
from aiida_crystalgen.calculations.base import BatchCalculation as Job
from aiida_crystalgen.calculations.batching import LARGEST_MERGE, cut, give_up, remaining
from aiida_crystalgen.calculations.generate import GenerateCalculation
from aiida_crystalgen.calculations.relax import RelaxCalculation
from aiida_crystalgen.data.base import CrystalArrayData
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.workflows.joining import count, join_batches, join_reports

if t.TYPE_CHECKING:
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

# Jobs in a row that may end without a single finished row before the chain gives up.
_MOST_STALLS: t.Final = 3
_RESULTS: t.Final = ('batch', 'rejected', 'report')
_DEATHS: t.Final = (Job.exit_codes.ERROR_DIED.status, Job.exit_codes.ERROR_NOTHING_FINISHED.status)


class BatchBaseWorkChain(BaseRestartWorkChain):
    """Run a batch job over the chunks of a batch until every row is finished or rejected; abstract.

    The chain is one lane: it works through its batch chunk by chunk and repeats what a killed, timed-out or
    out-of-memory job left behind. Rows that were in flight at two deaths of a job are rejected as `killed_process`.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline and exit codes."""
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace='job', exclude=('batch',))
        spec.input('batch', valid_type=BATCH_TYPES, help='All crystals of this lane.')
        spec.input(
            'chunk_size',
            valid_type=orm.Int,
            help='Largest number of crystals of a job that works row by row.',
        )
        spec.outline(
            cls.setup,
            cls.prepare_chunks,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.collect_results,
        )
        spec.output('batch', valid_type=StructureBatch, help='Finished rows of all chunks.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='Rows that ended here, with reasons.')
        spec.output('report', valid_type=orm.Dict, help='Counts, seconds and versions of all jobs.')
        spec.exit_code(310, 'ERROR_CANNOT_START', message='The jobs cannot run: {reason}')
        spec.exit_code(311, 'ERROR_NO_PROGRESS', message='Job after job ended without a finished row: {reason}')
        spec.exit_code(312, 'ERROR_NOTHING_RETURNED', message='No row came back, neither finished nor rejected.')

    def prepare_chunks(self) -> None:
        """Choose the first chunk; what compares all crystals with each other gets them all at once."""
        with self.inputs.job.bundle.open(mode='rb') as handle:
            self.ctx.is_whole = bool(read_about(handle).get('whole_batch', False))
        self.ctx.pending = [self.inputs.batch]
        self.ctx.stalls = 0
        self.ctx.last_death = None
        self.ctx.results = {name: [] for name in _RESULTS}
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, 'job'))
        self._set_runtime()
        self._next_chunk()

    def _set_runtime(self, **changes: int) -> None:
        """Use the runtime that was asked for, with changes."""
        self.ctx.inputs.runtime = {**self.inputs.job.get('runtime', {}), **changes}

    def _next_chunk(self) -> bool:
        """Send the next chunk, if there is one; a batch that is too large is cut into at most 32 pieces, repeatedly."""
        pending = list(self.ctx.pending)
        if not pending:
            return False
        while not self.ctx.is_whole and count(pending[0]) > self.inputs.chunk_size.value:
            pieces = cut(pending[0], self.inputs.chunk_size, metadata={'call_link_label': 'cut'})
            pending[:1] = [pieces[name] for name in sorted(pieces)]
        self.ctx.inputs.batch = pending[0]
        self.ctx.pending = pending[1:]
        return True

    @process_handler(
        priority=600,
        exit_codes=[
            Job.exit_codes.ERROR_ENVIRONMENT_MISMATCH,
            Job.exit_codes.ERROR_ADAPTER_FAILED,
            Job.exit_codes.ERROR_UNREADABLE_OUTPUT,
            *(Job.exit_codes[label] for _, label, _ in DOOMS.values()),
        ],
    )
    def handle_cannot_start(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Give up: what the tool itself refuses does not mend itself."""
        code = self.exit_codes.ERROR_CANNOT_START.format(reason=node.exit_message)
        return ProcessHandlerReport(True, code)

    @process_handler(priority=500, exit_codes=[Job.exit_codes.ERROR_NOTHING_FINISHED])
    def handle_stall(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Give up after some jobs in a row without a single finished row."""
        self.ctx.stalls += 1
        if self.ctx.stalls >= _MOST_STALLS:
            return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS.format(reason=node.exit_message))
        return None

    @process_handler(priority=450, exit_codes=[Job.exit_codes.ERROR_OUT_OF_MEMORY])
    def handle_out_of_memory(self, node: orm.CalcJobNode) -> None:
        """Halve what one process holds at a time."""
        size = max(1, int(self.ctx.inputs.runtime.get('batch_size', 1)) // 2)
        self.report(f'job<{node.pk}> ran out of memory: batch size {size}')
        self._set_runtime(batch_size=size)

    @process_handler(priority=100)
    def handle_rows(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Keep what came back, then send what is missing, or else the next chunk."""
        returned = {name: node.outputs[name] for name in _RESULTS if name in node.outputs}
        if 'report' not in returned:
            return None
        if node.exit_status in _DEATHS:
            returned = self._after_death(node.inputs.batch, returned)
        self._keep(returned)
        batches = {name: batch for name, batch in returned.items() if name != 'report'}
        n_missing = count(node.inputs.batch) - sum(count(batch) for batch in batches.values())
        if n_missing:
            self.report(f'job<{node.pk}> left {n_missing} crystals: sending them again')
            if batches:
                metadata = {'call_link_label': 'remaining'}
                self.ctx.inputs.batch = remaining(node.inputs.batch, **batches, metadata=metadata)
            return ProcessHandlerReport(True, ExitCode(0))
        if self._next_chunk():
            return ProcessHandlerReport(True, ExitCode(0))
        self.ctx.is_finished = True
        return ProcessHandlerReport(True, ExitCode(0)) if node.is_failed else None

    def _after_death(self, asked: CrystalArrayData, returned: dict[str, t.Any]) -> dict[str, t.Any]:
        """Look for the row that kills the job: with one process and one row at a time it shows itself.

        A row that is alone in flight at a death and was in flight at the one before is rejected.
        """
        report, earlier = returned['report'], self.ctx.last_death
        in_flight = set(report.get_dict()['in_flight'])
        self.ctx.last_death = report
        if earlier is None or not in_flight & set(earlier.get_dict()['in_flight']):
            return returned
        if len(in_flight) > 1:
            self.report('crystals were in flight at two deaths of the job: going on with one at a time')
            self._set_runtime(processes=1, batch_size=1)
            return returned
        self.report(f'crystal {in_flight.pop()} was in flight at two deaths of the job: rejected')
        self._set_runtime()
        self.ctx.stalls = 0
        lost = give_up(asked, earlier, report, metadata={'call_link_label': 'give_up'})
        rejected = [batch for batch in (returned.get('rejected'), lost) if batch is not None]
        return {**returned, 'rejected': join_batches(rejected, 'merge_rejected')}

    def _keep(self, returned: dict[str, t.Any]) -> None:
        """Add to what is finished; a long list becomes one merged node, so that the context stays small."""
        results = dict(self.ctx.results)
        for name, node in returned.items():
            # An empty batch still says that every row was rejected.
            if name != 'batch' or count(node) or not results[name]:
                results[name] = [*results[name], node]
            if len(results[name]) == LARGEST_MERGE:
                results[name] = [_joined(name, results[name])]
        self.ctx.results = results
        if 'batch' in returned or 'rejected' in returned:
            self.ctx.stalls = 0

    def collect_results(self) -> ExitCode | None:
        """Attach the joined batches and the summed report."""
        if not self.ctx.results['batch']:
            return self.exit_codes.ERROR_NOTHING_RETURNED
        for name, nodes in self.ctx.results.items():
            if nodes:
                self.out(name, _joined(name, nodes))
        self.report(f'{count(self.outputs["batch"])} crystals kept in {self.ctx.iteration} jobs')
        return None

    def on_terminated(self) -> None:
        """Clean the remote folders if asked to; a job that never reached its computer has none."""
        try:
            super().on_terminated()
        except NotExistentAttributeError as error:
            self.report(f'remote folders were not all cleaned: {error}')


def _joined(name: str, nodes: list[t.Any]) -> t.Any:
    return join_reports(nodes) if name == 'report' else join_batches(nodes, f'merge_{name}')


@t.final
class GenerateBaseWorkChain(BatchBaseWorkChain):
    """Draw crystals from one generator, with restarts."""

    _process_class = GenerateCalculation


@t.final
class RelaxBaseWorkChain(BatchBaseWorkChain):
    """Relax crystals with one potential, with restarts."""

    _process_class = RelaxCalculation


@t.final
class AnalyseBaseWorkChain(BatchBaseWorkChain):
    """Run criteria over crystals, with restarts."""

    _process_class = AnalyseCalculation
