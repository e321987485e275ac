"""WorkChains that compute the phonons of a batch: as many rows come out as went in, with more columns."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain, if_

from aiida_crystalgen.calculations.phonons import PhononCalculation, gather_phonons
from aiida_crystalgen.calculations.thermal import add_warm_distances, choose_warm_phases
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.workflows.base import BatchBaseWorkChain
from aiida_crystalgen.workflows.joining import count, join_folders, join_reports
from aiida_crystalgen.workflows.lanes import first_failure, joined_lanes, submit_lanes

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

FORCE_CONSTANTS: t.Final = 'force_constants'


@t.final
class PhononBaseWorkChain(BatchBaseWorkChain):
    """Compute phonons with one potential, with restarts."""

    _process_class = PhononCalculation

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define the output that the other batch chains do not have."""
        super().define(spec)
        spec.output(FORCE_CONSTANTS, valid_type=orm.FolderData, required=False, help='Force constants as `<id>.npz`.')

    def collect_results(self) -> ExitCode | None:
        """Attach the force constants of all jobs too."""
        found = [node.outputs[FORCE_CONSTANTS] for node in self.ctx.children if FORCE_CONSTANTS in node.outputs]
        if found:
            self.out(FORCE_CONSTANTS, join_folders(found))
        return super().collect_results()


@t.final
class PhononWorkChain(WorkChain):
    """Compute the phonons of crystals lane by lane; a crystal without an answer is inconclusive and stays."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(PhononBaseWorkChain, exclude=('batch',))
        spec.input('batch', valid_type=StructureBatch, help='The crystals.')
        spec.input('n_lanes', valid_type=orm.Int, help='Number of jobs that may run side by side.')
        spec.input(
            'hull',
            valid_type=HullReference,
            required=False,
            help='Competing phases; with them distances to the hull at the temperatures of the phonons are given.',
        )
        spec.outline(
            cls.run_lanes,
            cls.inspect_lanes,
            if_(cls.has_hull)(
                cls.run_phases,
                cls.inspect_phases,
            ),
            cls.collect_results,
        )
        spec.output('batch', valid_type=StructureBatch, help='The same crystals with the columns of their phonons.')
        spec.output(FORCE_CONSTANTS, valid_type=orm.FolderData, required=False, help='Force constants as `<id>.npz`.')
        spec.output('report', valid_type=orm.Dict, help='Counts, seconds and versions.')
        spec.exit_code(350, 'ERROR_PHONONS_FAILED', message='The phonons failed: {reason}')

    def run_lanes(self) -> t.Any:
        """Submit the lanes."""
        inputs = self.exposed_inputs(PhononBaseWorkChain)
        lanes = submit_lanes(self, PhononBaseWorkChain, inputs, self.inputs.batch, 'phonons')
        return ToContext(**{f'lane_{i:02d}': node for i, node in enumerate(lanes)})

    def inspect_lanes(self) -> ExitCode | None:
        """Join what came back."""
        lanes = [self.ctx[name] for name in sorted(self.ctx) if name.startswith('lane_')]
        if failure := first_failure(lanes):
            return self.exit_codes.ERROR_PHONONS_FAILED.format(reason=failure)
        joined = joined_lanes(lanes, 'phonons')
        rejected = {'rejected': joined['rejected']} if 'rejected' in joined else {}
        metadata = {'call_link_label': 'gather_phonons'}
        self.ctx.batch = gather_phonons(self.inputs.batch, joined['batch'], **rejected, metadata=metadata)
        self.ctx.reports = [joined['report']]
        if found := [node.outputs[FORCE_CONSTANTS] for node in lanes if FORCE_CONSTANTS in node.outputs]:
            self.out(FORCE_CONSTANTS, join_folders(found))
        self.report(f'{count(self.inputs.batch)} crystals judged')
        return None

    def has_hull(self) -> bool:
        """Say whether there are competing phases."""
        return 'hull' in self.inputs

    def run_phases(self) -> t.Any:
        """Submit the phases that compete with the crystals."""
        metadata = {'call_link_label': 'choose_warm_phases'}
        self.ctx.phases = choose_warm_phases(self.inputs.hull, self.ctx.batch, metadata=metadata)
        if count(self.ctx.phases) == 0:
            return None
        inputs = self.exposed_inputs(PhononBaseWorkChain)
        lanes = submit_lanes(self, PhononBaseWorkChain, inputs, self.ctx.phases, 'hull')
        return ToContext(**{f'hull_{i:02d}': node for i, node in enumerate(lanes)})

    def inspect_phases(self) -> None:
        """Add the distances to the hull at the temperatures; they are unknown where the phases failed."""
        lanes, phases = [self.ctx[name] for name in sorted(self.ctx) if name.startswith('hull_')], self.ctx.phases
        if failure := first_failure(lanes):
            self.report(f'the phonons of the competing phases failed: {failure}')
        elif lanes:
            joined = joined_lanes(lanes, 'hull')
            rejected = {'rejected': joined['rejected']} if 'rejected' in joined else {}
            phases = gather_phonons(phases, joined['batch'], **rejected, metadata={'call_link_label': 'gather_hull'})
            self.ctx.reports = [*self.ctx.reports, joined['report']]
        metadata = {'call_link_label': 'add_warm_distances'}
        self.ctx.batch = add_warm_distances(self.ctx.batch, phases, metadata=metadata)

    def collect_results(self) -> None:
        """Attach the crystals."""
        self.out('batch', self.ctx.batch)
        self.out('report', join_reports(self.ctx.reports))

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        batch: StructureBatch,
        potential: str | dict[str, t.Any] = 'chgnet',
        *,
        protocol: str | None = None,
        overrides: dict[str, t.Any] | None = None,
        options: dict[str, t.Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder that computes the phonons of a batch of crystals.

        :param potential: name of a potential, or an entry as in a campaign file.
        :param overrides: other keys of a campaign file: `phonons`, `resources`, ...
        :param options: `metadata.options` of every job.
        """
        from aiida_crystalgen.workflows.builder import get_phonon_builder
        from aiida_crystalgen.workflows.specs import spec_from_protocol

        changes = {**(overrides or {}), 'phonons': (overrides or {}).get('phonons', {})}
        # A campaign names a generator; the phonons do not look at it.
        spec = spec_from_protocol(code, [{'type': 'files'}], potential, protocol, changes, options)
        return get_phonon_builder(spec, batch)
