"""WorkChain that sends one crystal to a DFT engine: look at it, relax it, compute its energy at one fixed setting."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain, while_

from aiida_crystalgen.calculations.selection import promote
from aiida_crystalgen.calculations.verify import check_geometry
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.workflows import engines
from aiida_crystalgen.workflows.engines.base import EngineError, Verdict
from aiida_crystalgen.workflows.lanes import submit_once

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

_RELAXATIONS: t.Final = ('relax', 'vc-relax')


def validate_crystal(inputs: t.Any, _: t.Any) -> str | None:
    """Return a sentence unless there is one crystal: a structure, or a batch and the id of one in it."""
    if 'structure' in inputs:
        return '`structure` is given already; leave `batch` and `crystal_id` out' if 'batch' in inputs else None
    if 'batch' in inputs and 'crystal_id' in inputs:
        found = inputs['crystal_id'].value in inputs['batch'].ids
        return None if found else f'`batch` holds no crystal `{inputs["crystal_id"].value}`'
    return 'no crystal is given: pass `structure`, or `batch` and `crystal_id`'


@t.final
class VerifyWorkChain(WorkChain):
    """Compute one crystal with a DFT engine, whichever it is.

    The plugin of the engine restarts what it knows to mend; only what the machine broke is tried again here.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('structure', valid_type=orm.StructureData, required=False, help='The crystal.')
        spec.input('batch', valid_type=StructureBatch, required=False, help='Or a batch with the crystal in it.')
        spec.input('crystal_id', valid_type=orm.Str, required=False, help='The id of the crystal in the batch.')
        spec.input('engine', valid_type=orm.Str, help='Name of the engine (`aiida-crystalgen list engines`).')
        spec.input_namespace(
            'codes', valid_type=orm.AbstractCode, dynamic=True, help='Codes of the engine by their role.'
        )
        spec.input('tasks', valid_type=orm.List, help='Tasks in order; the last one gives the energy.')
        spec.input('protocol', valid_type=orm.Str, help='Where the numbers come from: fast, balanced or stringent.')
        spec.input('spin', valid_type=orm.Str, help='Spin: auto, none or collinear.')
        spec.input('settings', valid_type=orm.Dict, help='Settings of the engine; it refuses what it does not know.')
        spec.input_namespace(
            'nodes', valid_type=orm.Data, dynamic=True, help='What the engine found before: versions, bundles, models.'
        )
        spec.input('level', valid_type=orm.Dict, help='The level of theory as planned, with its fingerprint.')
        spec.input('limits', valid_type=orm.Dict, help='Limits of the geometry: see `check_geometry`.')
        spec.input('max_attempts', valid_type=orm.Int, help='Most attempts of a task that the machine breaks.')
        spec.input('clean_workdir', valid_type=orm.Bool, help='Clean the remote folders when all went well.')
        spec.input('options', valid_type=dict, non_db=True, required=False, default=dict, help='Options of every job.')
        spec.inputs.validator = validate_crystal
        spec.outline(
            cls.check_crystal,
            while_(cls.has_tasks)(
                cls.run_task,
                cls.inspect_task,
            ),
            cls.collect_results,
        )
        spec.output('results', valid_type=orm.Dict, required=False, help='Energy and what else the last task told.')
        spec.output('structure', valid_type=orm.StructureData, required=False, help='The crystal as it was relaxed.')
        spec.output('forces', valid_type=orm.ArrayData, required=False, help='Forces and stress of the last task.')
        spec.output('level_of_theory', valid_type=orm.Dict, required=False, help='The level of the energy.')
        spec.output('geometry', valid_type=orm.Dict, required=False, help='The last look at the geometry.')
        spec.exit_code(300, 'ERROR_UNPHYSICAL_STRUCTURE', message='The crystal was not sent: {reason}')
        spec.exit_code(301, 'ERROR_ENGINE_UNSUPPORTED', message='The engine cannot compute this crystal: {reason}')
        spec.exit_code(302, 'ERROR_INVALID_SETTINGS', message='The settings are wrong: {reason}')
        spec.exit_code(310, 'ERROR_CODE_UNAVAILABLE', message='The Code cannot be used: {reason}')
        spec.exit_code(311, 'ERROR_LEVEL_MISMATCH', message='What ran is not what was planned: {reason}')
        spec.exit_code(401, 'ERROR_ENGINE_FAILED', message='The engine failed: {reason}')
        spec.exit_code(402, 'ERROR_OUTPUT_MISSING', message='The engine left no usable output: {reason}')
        spec.exit_code(403, 'ERROR_SCF_NOT_CONVERGED', message='The electrons did not converge: {reason}')
        spec.exit_code(404, 'ERROR_GEOMETRY_NOT_CONVERGED', message='The relaxation did not converge: {reason}')
        spec.exit_code(405, 'ERROR_OUT_OF_WALLTIME', message='The time ran out for good: {reason}')
        spec.exit_code(406, 'ERROR_OUT_OF_MEMORY', message='The memory ran out for good: {reason}')
        spec.exit_code(407, 'ERROR_MACHINE_FAILED', message='The machine broke every attempt: {reason}')
        spec.exit_code(410, 'ERROR_COLLAPSED', message='The relaxation led to another crystal: {reason}')

    def check_crystal(self) -> ExitCode | None:
        """Look at the crystal and ask the engine, before anything is spent."""
        self.ctx.crystal = self._promoted()
        self.ctx.place, self.ctx.attempt, self.ctx.unconverged = 0, 1, ''
        metadata = {'call_link_label': 'check_geometry'}
        geometry = check_geometry(self.ctx.crystal, self.inputs.limits, metadata=metadata)
        self.out('geometry', geometry)
        if not geometry['fine']:
            return self.exit_codes.ERROR_UNPHYSICAL_STRUCTURE.format(reason=geometry['reason'])
        try:
            engine = engines.load(self.inputs.engine.value)
            engine.check(self.ctx.crystal, settings=self.inputs.settings.get_dict(), nodes=self._namespace('nodes'))
        except EngineError as error:
            return self._refusal(error)
        return None

    def _promoted(self) -> orm.StructureData:
        if 'structure' in self.inputs:
            return self.inputs.structure
        return promote(self.inputs.batch, self.inputs.crystal_id, metadata={'call_link_label': 'promote'})

    def _namespace(self, name: str) -> dict[str, t.Any]:
        return dict(self.inputs[name]) if name in self.inputs else {}

    def _refusal(self, error: EngineError) -> ExitCode:
        code: ExitCode = getattr(self.exit_codes, error.label).format(reason=str(error))
        return code

    def has_tasks(self) -> bool:
        """Say whether there is a task to do."""
        return self.ctx.place < len(self.inputs.tasks)

    def run_task(self) -> t.Any:
        """Submit the next task, or a broken one again."""
        task = self.inputs.tasks[self.ctx.place]
        engine = engines.load(self.inputs.engine.value)
        try:
            builder = engine.get_builder(
                codes=self._namespace('codes'),
                structure=self.ctx.crystal,
                task=task,
                protocol=self.inputs.protocol.value,
                spin=self.inputs.spin.value,
                settings=self.inputs.settings.get_dict(),
                options=self.inputs.options,
                nodes=self._namespace('nodes'),
            )
        except EngineError as error:
            return self._refusal(error)
        # Labels of links hold no hyphens.
        label = f'{task.replace("-", "_")}_{self.ctx.place + 1}_{self.ctx.attempt}'
        node = submit_once(self, builder.process_class, label, builder._inputs(prune=True))
        return ToContext(child=node)

    def inspect_task(self) -> ExitCode | None:
        """Go on, try again, or end with the sentence of the engine."""
        node, task = self.ctx.child, self.inputs.tasks[self.ctx.place]
        engine = engines.load(self.inputs.engine.value)
        verdict = _broken(node) or engine.classify(node)
        said = f'task `{task}`, {node.process_label}<{node.pk}>: {verdict.reason}'
        if verdict.status == 'again' and self.ctx.attempt < self.inputs.max_attempts.value:
            self.report(f'attempt {self.ctx.attempt} was broken by the machine, trying again; {said}')
            self.ctx.attempt += 1
            return None
        if verdict.status in ('again', 'failed'):
            return getattr(self.exit_codes, verdict.label).format(reason=said)  # type: ignore[no-any-return]
        if verdict.status == 'unconverged':
            self.ctx.unconverged = said
        self.ctx.found = engine.extract(node, self.inputs.level)
        self.ctx.place, self.ctx.attempt = self.ctx.place + 1, 1
        return self._other_level() or self._look_again(task)

    def _other_level(self) -> ExitCode | None:
        """Stop where another version or functional ran than the level of theory names."""
        planned, found = self.inputs.level.get_dict(), self.ctx.found['results'].get_dict()
        for name in ('code_version', 'functional'):
            if planned.get(name) and found.get(name) and str(planned[name]).upper() != str(found[name]).upper():
                reason = f'`{name}` was planned as {planned[name]} and is {found[name]}; plan it anew'
                return self.exit_codes.ERROR_LEVEL_MISMATCH.format(reason=reason)
        return None

    def _look_again(self, task: str) -> ExitCode | None:
        """Take the relaxed crystal, unless it became another one."""
        if task not in _RELAXATIONS:
            return None
        before, self.ctx.crystal = self.ctx.crystal, self.ctx.found['structure']
        metadata = {'call_link_label': 'check_relaxed'}
        geometry = check_geometry(self.ctx.crystal, self.inputs.limits, before, metadata=metadata)
        self.out('geometry', geometry)
        if geometry['fine']:
            return None
        self.out('structure', self.ctx.crystal)
        return self.exit_codes.ERROR_COLLAPSED.format(reason=geometry['reason'])

    def collect_results(self) -> ExitCode | None:
        """Attach what the last task found."""
        self.out('results', self.ctx.found['results'])
        self.out('level_of_theory', self.inputs.level)
        self.out('structure', self.ctx.crystal)
        if 'forces' in self.ctx.found:
            self.out('forces', self.ctx.found['forces'])
        if self.ctx.unconverged:
            return self.exit_codes.ERROR_GEOMETRY_NOT_CONVERGED.format(reason=self.ctx.unconverged)
        return None

    def on_terminated(self) -> None:
        """Clean the remote folders of a crystal that went well; what failed stays to be looked at."""
        super().on_terminated()
        if not (self.inputs.clean_workdir.value and self.node.is_finished_ok):
            return
        for node in self.node.called_descendants:
            if isinstance(node, orm.CalcJobNode) and 'remote_folder' in node.outputs:
                try:
                    node.outputs.remote_folder._clean()
                except OSError as error:
                    self.report(f'remote folder of job<{node.pk}> was not cleaned: {error}')

    @classmethod
    def get_builder_from_protocol(
        cls, structure: orm.StructureData, engine: str, codes: dict[str, t.Any], **choices: t.Any
    ) -> ProcessBuilder:
        """Return the builder of one crystal.

        :param choices: see `aiida_crystalgen.workflows.engines.planning.verify_inputs`.
        :raises EngineError: with one sentence, before anything is spent.
        """
        from aiida_crystalgen.workflows.engines.planning import verify_inputs

        builder = cls.get_builder()
        for name, value in verify_inputs(engine, codes, **choices).items():
            builder[name] = value
        builder.structure = structure
        return builder


def _broken(node: t.Any) -> Verdict | None:
    """Return the verdict on a process that did not end by itself."""
    if node.is_finished:
        return None
    how = 'was killed' if node.is_killed else 'ended with an exception of AiiDA'
    return Verdict('again', 'ERROR_MACHINE_FAILED', f'it {how}')
