"""WorkChain that sends crystals through the funnel."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain, if_

from aiida_crystalgen.calculations.fingerprints import digest_of, recipe_of
from aiida_crystalgen.calculations.selection import build_hull, choose_phases, filter_rows
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.workflows.base import AnalyseBaseWorkChain, RelaxBaseWorkChain
from aiida_crystalgen.workflows.joining import count, join_batches
from aiida_crystalgen.workflows.lanes import first_failure, joined_lanes, submit_lanes, submit_once
from aiida_crystalgen.workflows.references import INDEXED

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec


def validate_known_hull(inputs: t.Any, _: t.Any) -> str | None:
    """Return a sentence when an earlier hull was made in another way than this one would be."""
    if 'known_hull' not in inputs or 'relax' not in inputs:
        return None
    if digest_of(recipe_of(inputs['relax']['job'])) == inputs['known_hull'].protocol:
        return None
    return (
        f'`known_hull` is at the level `{inputs["known_hull"].level}`, made with another potential, model, version '
        'or parameters than `relax`; leave it out, and the phases are relaxed anew'
    )


@t.final
class ScreenWorkChain(WorkChain):
    """Validity and first uniqueness, relaxation, then validity, uniqueness, novelty and hull of what was relaxed.

    The first pass sees all crystals at once and the lanes only share out the relaxations, so that neither their
    number nor the size of the chunks changes the result.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('batch', valid_type=StructureBatch, help='The crystals to screen.')
        spec.input('n_lanes', valid_type=orm.Int, help='Number of jobs that may run side by side.')
        spec.input('filters', valid_type=orm.Dict, help='Gates on columns, applied at the end.')
        for stage in ('prescreen', 'postscreen'):
            spec.expose_inputs(AnalyseBaseWorkChain, namespace=stage, exclude=('batch', 'job.tables'))
        absent_by_default = {'required': False, 'populate_defaults': False}
        spec.expose_inputs(
            RelaxBaseWorkChain,
            namespace='relax',
            exclude=('batch',),
            namespace_options={**absent_by_default, 'help': 'The potential; absent: crystals are judged as they are.'},
        )
        spec.input(
            'phases',
            valid_type=ReferenceSet,
            required=False,
            help='Competing phases; the same potential relaxes each of them once.',
        )
        spec.input(
            'entries',
            valid_type=ReferenceSet,
            required=False,
            help='Competing phases whose energies are used as they are, instead of `phases`.',
        )
        spec.input(
            'known_hull',
            valid_type=HullReference,
            required=False,
            help='Phases that an earlier campaign relaxed in the same way: they are not relaxed again.',
        )
        spec.input(
            'targets',
            valid_type=ReferenceSet,
            required=False,
            help='Crystals that were to be found; the potential relaxes them too.',
        )
        for name, text in INDEXED.items():
            spec.input(name, valid_type=ReferenceSet, required=False, help=text)
            spec.input(
                f'{name}_index', valid_type=StructureBatch, required=False, help=f'Index of `{name}` built earlier.'
            )
            spec.expose_inputs(
                AnalyseBaseWorkChain,
                namespace=f'index_{name}',
                exclude=('batch', 'job.tables'),
                namespace_options={**absent_by_default, 'help': f'How to build the index of `{name}`.'},
            )
        spec.outline(
            cls.run_prescreen,
            cls.inspect_prescreen,
            if_(cls.should_relax)(
                cls.run_relax,
                cls.inspect_relax,
            ),
            if_(cls.should_postscreen)(
                cls.run_postscreen,
                cls.inspect_postscreen,
            ),
            cls.run_filter,
            cls.collect_results,
        )
        spec.output('batch', valid_type=StructureBatch, help='Crystals that passed every gate, with all columns.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='All others, with stage and reason.')
        spec.output('hull', valid_type=HullReference, required=False, help='The competing phases, relaxed alike.')
        spec.output('targets', valid_type=StructureBatch, required=False, help='The targets, relaxed alike.')
        spec.output_namespace('reports', valid_type=orm.Dict, dynamic=True, help='Counts and seconds of every stage.')
        spec.exit_code(330, 'ERROR_PRESCREEN_FAILED', message='The first screen failed: {reason}')
        spec.exit_code(331, 'ERROR_RELAX_FAILED', message='The relaxation failed: {reason}')
        spec.exit_code(332, 'ERROR_REFERENCES_FAILED', message='The competing phases were not relaxed: {reason}')
        spec.exit_code(333, 'ERROR_POSTSCREEN_FAILED', message='The second screen failed: {reason}')
        spec.exit_code(334, 'ERROR_INDEX_FAILED', message='The index of the known crystals failed: {reason}')
        spec.exit_code(335, 'ERROR_TARGETS_FAILED', message='The targets were not relaxed: {reason}')
        spec.inputs.validator = validate_known_hull

    def run_prescreen(self) -> t.Any:
        """Judge the crystals as they were drawn; meanwhile, build the indexes of known crystals that are lacking."""
        self.ctx.rejected = []
        self.ctx.reports = {}
        batches = {'prescreen': self.inputs.batch, **{f'index_{name}': self.inputs[name] for name in self._to_index()}}
        children = {}
        for label, batch in batches.items():
            inputs = {**self.exposed_inputs(AnalyseBaseWorkChain, label), 'batch': batch}
            if label == 'prescreen' and 'targets' in self.inputs:
                inputs['job']['tables'] = {'targets': self.inputs.targets}
            children[label] = submit_once(self, AnalyseBaseWorkChain, label, inputs)
        return ToContext(**children)

    def _to_index(self) -> list[str]:
        """Return the references of which an index is to be built."""
        return [name for name in INDEXED if f'index_{name}' in self.inputs and f'{name}_index' not in self.inputs]

    def inspect_prescreen(self) -> ExitCode | None:
        """Keep what passed."""
        if failure := first_failure([self.ctx.prescreen]):
            return self.exit_codes.ERROR_PRESCREEN_FAILED.format(reason=failure)
        if failure := first_failure([self.ctx[f'index_{name}'] for name in self._to_index()]):
            return self.exit_codes.ERROR_INDEX_FAILED.format(reason=failure)
        indexes = {f'index_{name}': self.ctx[f'index_{name}'].outputs.report for name in self._to_index()}
        self.ctx.reports = {**self.ctx.reports, **indexes}
        self._advance('prescreen', joined_lanes([self.ctx.prescreen], 'prescreen'))
        return None

    def should_relax(self) -> bool:
        """Say whether there is a potential, and any crystal left."""
        return 'relax' in self.inputs and count(self.ctx.batch) > 0

    def run_relax(self) -> t.Any:
        """Relax the crystals, and the competing phases that no earlier campaign relaxed in the same way."""
        inputs = self.exposed_inputs(RelaxBaseWorkChain, 'relax')
        lanes = submit_lanes(self, RelaxBaseWorkChain, inputs, self.ctx.batch, 'relax')
        children = {f'relax_{i:02d}': node for i, node in enumerate(lanes)}
        self.ctx.n_relax = len(lanes)
        if 'phases' in self.inputs:
            known = {'known_hull': self.inputs.known_hull} if 'known_hull' in self.inputs else {}
            metadata = {'call_link_label': 'choose_phases'}
            chosen = choose_phases(self.inputs.phases, self.ctx.batch, **known, metadata=metadata)
            self.ctx.phases = chosen['phases']
            if count(chosen['missing']):
                inputs = self.exposed_inputs(RelaxBaseWorkChain, 'relax')
                inputs['batch'] = chosen['missing']
                children['references'] = submit_once(self, RelaxBaseWorkChain, 'references', inputs)
        if 'targets' in self.inputs:
            metadata = {'call_link_label': 'choose_targets'}
            chosen = choose_phases(self.inputs.targets, self.ctx.batch, metadata=metadata)
            if count(chosen['phases']):
                inputs = self.exposed_inputs(RelaxBaseWorkChain, 'relax')
                inputs['batch'] = chosen['phases']
                children['targets'] = submit_once(self, RelaxBaseWorkChain, 'targets', inputs)
        return ToContext(**children)

    def inspect_relax(self) -> ExitCode | None:
        """Keep what was relaxed, and build the hull."""
        lanes = [self.ctx[f'relax_{i:02d}'] for i in range(self.ctx.n_relax)]
        if failure := first_failure(lanes):
            return self.exit_codes.ERROR_RELAX_FAILED.format(reason=failure)
        self._advance('relax', joined_lanes(lanes, 'relax'))
        if 'targets' in self.ctx:
            if failure := first_failure([self.ctx.targets]):
                return self.exit_codes.ERROR_TARGETS_FAILED.format(reason=failure)
            self.ctx.reports = {**self.ctx.reports, 'targets': self.ctx.targets.outputs.report}
        if 'phases' not in self.ctx or not count(self.ctx.phases):
            return None
        new = {}
        if 'references' in self.ctx:
            if failure := first_failure([self.ctx.references]):
                return self.exit_codes.ERROR_REFERENCES_FAILED.format(reason=failure)
            new = {'relaxed': self.ctx.references.outputs.batch}
            self.ctx.reports = {**self.ctx.reports, 'references': self.ctx.references.outputs.report}
        if 'known_hull' in self.inputs:
            new['known_hull'] = self.inputs.known_hull
        recipe = recipe_of(self.inputs.relax.job)
        metadata = {'call_link_label': 'build_hull'}
        self.ctx.hull = build_hull(self.ctx.phases, self.inputs.phases, **new, **recipe, metadata=metadata)
        return None

    def should_postscreen(self) -> bool:
        """Say whether any crystal is left."""
        return count(self.ctx.batch) > 0

    def run_postscreen(self) -> t.Any:
        """Judge the crystals as they were relaxed, against the hull and against what is known."""
        inputs = self.exposed_inputs(AnalyseBaseWorkChain, 'postscreen')
        names = [*INDEXED, *(f'{name}_index' for name in INDEXED)]
        tables = {name: self.inputs[name] for name in names if name in self.inputs}
        tables.update({f'{name}_index': self.ctx[f'index_{name}'].outputs.batch for name in self._to_index()})
        if 'hull' in self.ctx:
            tables['hull'] = self.ctx.hull
        elif 'entries' in self.inputs:
            tables['hull'] = self.inputs.entries
        if 'targets' in self.inputs:
            tables['targets'] = self.inputs.targets
        if 'targets' in self.ctx:
            tables['targets_relaxed'] = self.ctx.targets.outputs.batch
        inputs['job']['tables'] = tables
        inputs['batch'] = self.ctx.batch
        return ToContext(postscreen=submit_once(self, AnalyseBaseWorkChain, 'postscreen', inputs))

    def inspect_postscreen(self) -> ExitCode | None:
        """Keep what passed."""
        if failure := first_failure([self.ctx.postscreen]):
            return self.exit_codes.ERROR_POSTSCREEN_FAILED.format(reason=failure)
        self._advance('postscreen', joined_lanes([self.ctx.postscreen], 'postscreen'))
        return None

    def run_filter(self) -> None:
        """Apply the gates on columns."""
        outputs = filter_rows(self.ctx.batch, self.inputs.filters, metadata={'call_link_label': 'filter'})
        self._advance('filter', outputs)

    def collect_results(self) -> None:
        """Attach the survivors, all rejected crystals, the hull and the reports."""
        self.out('batch', self.ctx.batch)
        if self.ctx.rejected:
            self.out('rejected', join_batches(self.ctx.rejected, 'merge_rejected'))
        if 'hull' in self.ctx:
            self.out('hull', self.ctx.hull)
        if 'targets' in self.ctx:
            self.out('targets', self.ctx.targets.outputs.batch)
        self.out('reports', self.ctx.reports)
        self.report(f'{count(self.ctx.batch)} of {count(self.inputs.batch)} crystals passed every gate')

    def _advance(self, stage: str, outputs: dict[str, t.Any]) -> None:
        """Go on with what a stage kept."""
        before = count(self.ctx.batch) if 'batch' in self.ctx else count(self.inputs.batch)
        self.ctx.batch = outputs['batch']
        if 'rejected' in outputs:
            self.ctx.rejected = [*self.ctx.rejected, outputs['rejected']]
        if 'report' in outputs:
            self.ctx.reports = {**self.ctx.reports, stage: outputs['report']}
        self.report(f'{stage}: {before} crystals in, {count(self.ctx.batch)} out')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        batch: StructureBatch,
        potential: str | dict[str, t.Any] | None = 'chgnet',
        *,
        protocol: str | None = None,
        overrides: dict[str, t.Any] | None = None,
        options: dict[str, t.Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that sends a batch of crystals through the funnel.

        :param potential: name of a potential, or an entry as in a campaign file; None judges crystals as they are.
        :param overrides: other keys of a campaign file: `filters`, `screen`, `references`, `resources`, ...
        :param options: `metadata.options` of every job.
        """
        from aiida_crystalgen.workflows.builder import get_screen_builder
        from aiida_crystalgen.workflows.specs import spec_from_protocol

        # A campaign names a generator; the screen does not look at it.
        spec = spec_from_protocol(code, [{'type': 'files'}], potential, protocol, overrides, options)
        return get_screen_builder(spec, batch)
