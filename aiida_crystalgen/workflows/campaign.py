"""The root WorkChain: any mix of generators, the funnel, the ranked table."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain, if_, while_

from aiida_crystalgen.calculations.phonons import choose_shortlisted, widen
from aiida_crystalgen.calculations.prediction import judge_prediction, tell_targets
from aiida_crystalgen.calculations.ranking import rank, rerank
from aiida_crystalgen.calculations.selection import funnel
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.workflows.committee import CommitteeWorkChain
from aiida_crystalgen.workflows.generate import GenerateWorkChain
from aiida_crystalgen.workflows.joining import count, join_batches, join_reports
from aiida_crystalgen.workflows.lanes import first_failure, submit_once
from aiida_crystalgen.workflows.phonons import FORCE_CONSTANTS, PhononWorkChain
from aiida_crystalgen.workflows.screen import ScreenWorkChain
from aiida_crystalgen.workflows.verify_batch import VerifyBatchWorkChain

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

# What a campaign may have besides, by the namespace of its inputs: its WorkChain, and the inputs that are made here.
OPTIONAL: t.Final = {
    'committee': (CommitteeWorkChain, ('batch',), 'Further potentials that judge the short list'),
    'phonons': (PhononWorkChain, ('batch', 'hull'), 'Phonons of the short list'),
    'verify': (VerifyBatchWorkChain, ('batch', 'rejected'), 'The engine that computes the short list'),
}


@t.final
class CampaignWorkChain(WorkChain):
    """Generate, screen and rank crystals."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('spec', valid_type=orm.Dict, help='The campaign as it was asked for, defaults filled in.')
        spec.input_namespace('generators', dynamic=True, help='Inputs of one GenerateWorkChain for every label.')
        spec.input(
            'schedule', valid_type=orm.Dict, help='How many generators draw side by side, and who waits for whom.'
        )
        spec.input(
            'not_told', valid_type=orm.Dict, required=False, help='Conditions a generator cannot be told, by label.'
        )
        spec.input(
            'draws', valid_type=orm.Dict, required=False, help='What is drawn for which target, by label of the draw.'
        )
        spec.expose_inputs(ScreenWorkChain, namespace='screen', exclude=('batch',))
        spec.input('shortlist', valid_type=orm.Int, help='Number of crystals on the short list.')
        spec.input('ranking', valid_type=orm.Dict, required=False, help='Rules of the order; absent: by energy.')
        for name, (process, excluded, text) in OPTIONAL.items():
            options = {'required': False, 'populate_defaults': False, 'help': f'{text}; absent: none.'}
            spec.expose_inputs(process, namespace=name, exclude=excluded, namespace_options=options)
        spec.input('warm_hull', valid_type=orm.Bool, required=False, help='Whether the hull vibrates too.')
        spec.outline(
            cls.plan_draws,
            while_(cls.has_draws)(
                cls.run_generate,
                cls.inspect_generate,
            ),
            cls.join_draws,
            cls.run_screen,
            cls.inspect_screen,
            cls.run_rank,
            if_(cls.should_run_committee)(cls.run_committee, cls.inspect_committee),
            if_(cls.should_run_phonons)(
                cls.run_phonons,
                cls.inspect_phonons,
            ),
            if_(cls.should_verify)(
                cls.run_verify,
                cls.inspect_verify,
            ),
            cls.collect_results,
        )
        spec.output('table', valid_type=StructureBatch, help='The survivors, best first.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='All others, with stage and reason.')
        spec.output('funnel', valid_type=orm.Dict, help='Counts, reasons, costs and S.U.N. of every stage.')
        spec.output('hull', valid_type=HullReference, required=False, help='The competing phases, relaxed alike.')
        spec.output(
            FORCE_CONSTANTS, valid_type=orm.FolderData, required=False, help='Of the short list, as `<id>.npz`.'
        )
        spec.output('targets', valid_type=StructureBatch, required=False, help='The targets, relaxed alike.')
        spec.output(
            'prediction', valid_type=orm.Dict, required=False, help='How many targets were found, by generator.'
        )
        spec.output('dft_hull', valid_type=HullReference, required=False, help='The competing phases by the engine.')
        spec.output('dft_level', valid_type=orm.Dict, required=False, help='The level of theory of the engine.')
        spec.output('calibration', valid_type=orm.Dict, required=False, help='The potential against the engine.')
        spec.exit_code(340, 'ERROR_GENERATION_FAILED', message='A generator failed: {reason}')
        spec.exit_code(341, 'ERROR_SCREEN_FAILED', message='The screen failed: {reason}')
        message = 'The ranked table is there, but {what}: {{reason}}'
        spec.exit_code(540, 'ERROR_WITHOUT_PHONONS', message=message.format(what='the phonons failed'))
        spec.exit_code(541, 'WARNING_NOT_VERIFIED', message=message.format(what='the engine failed'))
        spec.exit_code(542, 'WARNING_COMMITTEE_INCOMPLETE', message=message.format(what='the committee lacks a member'))

    def plan_draws(self) -> None:
        """List the draws: one of each generator, or with targets one of each generator for each composition."""
        self.ctx.draws = {label: label for label in self.inputs.generators}
        if 'draws' not in self.inputs:
            return
        parameters = {label: inputs['job']['parameters'] for label, inputs in self.inputs.generators.items()}
        self.ctx.told = tell_targets(self.inputs.draws, **parameters, metadata={'call_link_label': 'tell_targets'})
        draws = self.inputs.draws.get_dict()['draws'].items()
        # What reads files draws once, whatever the targets are.
        own = {label if draw['parameters'] else draw['generator']: draw['generator'] for label, draw in draws}
        self.ctx.draws = own

    def has_draws(self) -> bool:
        """Say whether anything has not been drawn yet."""
        return any(f'draw_{label}' not in self.ctx for label in self.ctx.draws)

    def run_generate(self) -> t.Any:
        """Draw from as many generators as the window is wide; one that needs the crystals of another waits for it."""
        schedule = self.inputs.schedule.get_dict()
        after = schedule['after']
        waiting = [label for label in sorted(self.ctx.draws) if f'draw_{label}' not in self.ctx]
        ready = [label for label in waiting if label not in after or f'draw_{after[label]}' in self.ctx]
        children = {}
        for label in ready[: schedule['window']]:
            inputs = self._inputs_of(label)
            if label in after:
                tables = {'templates': self.ctx[f'draw_{after[label]}'].outputs.batch}
                inputs['job'] = {**inputs['job'], 'tables': tables}
            children[f'draw_{label}'] = submit_once(self, GenerateWorkChain, f'draw_{label}', inputs)
        return ToContext(**children)

    def _inputs_of(self, label: str) -> dict[str, t.Any]:
        """Return the inputs of a draw; one for a target is told its composition."""
        inputs = dict(self.inputs.generators[self.ctx.draws[label]])
        if 'told' in self.ctx and f'label_{label}' in self.ctx.told:
            inputs['job'] = {**inputs['job'], 'parameters': self.ctx.told[f'parameters_{label}']}
            inputs['generator'] = self.ctx.told[f'label_{label}']
        return inputs

    def inspect_generate(self) -> ExitCode | None:
        """Stop where a draw failed: its crystals would be missing from every count."""
        draws = [self.ctx[f'draw_{label}'] for label in self.ctx.draws if f'draw_{label}' in self.ctx]
        if failure := first_failure(draws):
            return self.exit_codes.ERROR_GENERATION_FAILED.format(reason=failure)
        return None

    def join_draws(self) -> None:
        """Join the draws."""
        draws = {label: self.ctx[f'draw_{label}'] for label in sorted(self.ctx.draws)}
        self.ctx.batch = join_batches([node.outputs.batch for node in draws.values()], 'merge_draws')
        reports: dict[str, list[orm.Dict]] = {}
        for label, node in draws.items():
            reports.setdefault(f'generate_{self.ctx.draws[label]}', []).append(node.outputs.report)
        self.ctx.reports = {name: join_reports(nodes) for name, nodes in reports.items()}
        self.ctx.rejected = [node.outputs.rejected for node in draws.values() if 'rejected' in node.outputs]
        self.report(f'{count(self.ctx.batch)} crystals were drawn')

    def run_screen(self) -> t.Any:
        """Send all crystals through the funnel."""
        inputs = {**self.exposed_inputs(ScreenWorkChain, 'screen'), 'batch': self.ctx.batch}
        return ToContext(screen=submit_once(self, ScreenWorkChain, 'screen', inputs))

    def inspect_screen(self) -> ExitCode | None:
        """Collect survivors, rejected crystals and reports."""
        if failure := first_failure([self.ctx.screen]):
            return self.exit_codes.ERROR_SCREEN_FAILED.format(reason=failure)
        outputs = self.ctx.screen.outputs
        self.ctx.reports = {**self.ctx.reports, **outputs.reports}
        if 'rejected' in outputs:
            self.ctx.rejected = [*self.ctx.rejected, outputs.rejected]
        if 'hull' in outputs:
            self.out('hull', outputs.hull)
        if 'targets' in outputs:
            self.out('targets', outputs.targets)
        return None

    def run_rank(self) -> None:
        """Rank the survivors."""
        screened = self.ctx.screen.outputs.batch
        rules = {'rules': self.inputs.ranking} if 'ranking' in self.inputs else {}
        metadata = {'call_link_label': 'rank'}
        self.ctx.table = rank(screened, self.inputs.shortlist, **rules, metadata=metadata)
        if self.ctx.rejected:
            self.ctx.rejected = [join_batches(self.ctx.rejected, 'merge_rejected')]
        self.ctx.shortfall = None

    def should_run_committee(self) -> bool:
        """Say whether further potentials are asked for, and any crystal is left."""
        return 'committee' in self.inputs and count(self.ctx.table) > 0

    def run_committee(self) -> t.Any:
        """Let further potentials judge the short list."""
        inputs = {**self.exposed_inputs(CommitteeWorkChain, 'committee'), 'batch': self.ctx.table}
        return ToContext(committee=submit_once(self, CommitteeWorkChain, 'committee', inputs))

    def inspect_committee(self) -> None:
        """Take the table with what they say; without that it is the same table."""
        if failure := first_failure([self.ctx.committee]):
            self.ctx.shortfall = self.exit_codes.WARNING_COMMITTEE_INCOMPLETE.format(reason=failure)
        if 'batch' in self.ctx.committee.outputs:
            self.ctx.table = self.ctx.committee.outputs.batch

    def should_run_phonons(self) -> bool:
        """Say whether phonons are asked for, and any crystal is left."""
        return 'phonons' in self.inputs and count(self.ctx.table) > 0

    def run_phonons(self) -> t.Any:
        """Compute the phonons of the crystals on the short list."""
        inputs = self.exposed_inputs(PhononWorkChain, 'phonons')
        if 'warm_hull' in self.inputs and 'hull' in self.ctx.screen.outputs:
            inputs['hull'] = self.ctx.screen.outputs.hull
        chosen = choose_shortlisted(self.ctx.table, metadata={'call_link_label': 'choose_shortlisted'})
        return ToContext(phonons=submit_once(self, PhononWorkChain, 'phonons', {**inputs, 'batch': chosen}))

    def inspect_phonons(self) -> None:
        """Add the verdicts to the table; without them it is the same table."""
        if failure := first_failure([self.ctx.phonons]):
            self.ctx.shortfall = self.ctx.shortfall or self.exit_codes.ERROR_WITHOUT_PHONONS.format(reason=failure)
            return
        outputs = self.ctx.phonons.outputs
        self.ctx.table = widen(self.ctx.table, outputs.batch, metadata={'call_link_label': 'add_phonons'})
        self.ctx.reports = {**self.ctx.reports, 'phonons': outputs.report}
        if FORCE_CONSTANTS in outputs:
            self.out(FORCE_CONSTANTS, outputs[FORCE_CONSTANTS])

    def should_verify(self) -> bool:
        """Say whether an engine is asked for, and any crystal is left."""
        return 'verify' in self.inputs and count(self.ctx.table) > 0

    def run_verify(self) -> t.Any:
        """Send the short list to the engine."""
        inputs = {**self.exposed_inputs(VerifyBatchWorkChain, 'verify'), 'batch': self.ctx.table}
        if self.ctx.rejected:
            inputs['rejected'] = self.ctx.rejected[0]
        return ToContext(verify=submit_once(self, VerifyBatchWorkChain, 'verify', inputs))

    def inspect_verify(self) -> None:
        """Take the table with what the engine found; without that it is the same table."""
        if failure := first_failure([self.ctx.verify]):
            self.ctx.shortfall = self.ctx.shortfall or self.exit_codes.WARNING_NOT_VERIFIED.format(reason=failure)
        names = {'hull': 'dft_hull', 'level_of_theory': 'dft_level', 'calibration': 'calibration'}
        for name, output in names.items():
            if name in self.ctx.verify.outputs:
                self.out(output, self.ctx.verify.outputs[name])
        if 'batch' in self.ctx.verify.outputs:
            self.ctx.table = self.ctx.verify.outputs.batch

    def collect_results(self) -> ExitCode | None:
        """Attach the table, and count."""
        if 'ranking' in self.inputs:
            self.ctx.table = rerank(self.ctx.table, self.inputs.ranking, metadata={'call_link_label': 'rerank'})
        self.out('table', self.ctx.table)
        batches = {'table': self.ctx.table}
        if self.ctx.rejected:
            batches['rejected'] = self.ctx.rejected[0]
            self.out('rejected', batches['rejected'])
        if 'draws' in self.inputs:
            self._judge_prediction(dict(batches))
        if 'not_told' in self.inputs:
            batches['not_told'] = self.inputs.not_told
        self.out('funnel', funnel(**batches, **self.ctx.reports, metadata={'call_link_label': 'funnel'}))
        self.report(f'{count(self.ctx.table)} crystals ranked')
        return self.ctx.shortfall

    def _judge_prediction(self, batches: dict[str, t.Any]) -> None:
        """Count how many targets were found."""
        relaxed = self.ctx.screen.outputs
        inputs = {'targets': self.inputs.screen.targets, 'draws': self.inputs.draws}
        inputs.update({'relaxed_targets': relaxed.targets} if 'targets' in relaxed else {})
        metadata = {'call_link_label': 'judge_prediction'}
        self.out('prediction', judge_prediction(**batches, **inputs, metadata=metadata))

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        generators: list[dict[str, t.Any]],
        potential: str | dict[str, t.Any] | None = 'chgnet',
        *,
        protocol: str | None = None,
        overrides: dict[str, t.Any] | None = None,
        options: dict[str, t.Any] | None = None,
        **more: t.Any,
    ) -> ProcessBuilder:
        """Return the builder of a campaign in which one Code runs everything.

        :param generators: entries as in a campaign file: `type`, `n`, `parameters`, ...
        :param potential: name of a potential, or an entry as in a campaign file; None judges crystals as they are.
        :param overrides: other keys of a campaign file: `filters`, `screen`, `references`, `resources`, ...
        :param options: `metadata.options` of every job.
        :param more: `name` and `seed` of the campaign.
        """
        from aiida_crystalgen.workflows.builder import get_builder
        from aiida_crystalgen.workflows.specs import spec_from_protocol

        return get_builder(spec_from_protocol(code, generators, potential, protocol, overrides, options, **more))
