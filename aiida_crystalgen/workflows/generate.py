"""WorkChain that draws crystals from one generator."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain

from aiida_crystalgen.calculations.batching import plan
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.workflows.base import GenerateBaseWorkChain
from aiida_crystalgen.workflows.lanes import first_failure, joined_lanes, submit_lanes

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

# What determines a draw; the Code, the computer and the number of crystals do not. A model that is named by the
# sha256 of its files is the same one wherever it lies.
_SOURCES: t.Final = ('bundle', 'parameters')


@t.final
class GenerateWorkChain(WorkChain):
    """Plan a draw, fill its rows lane by lane, and join what came back."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(GenerateBaseWorkChain, exclude=('batch',))
        spec.input('n_crystals', valid_type=orm.Int, help='Number of crystals to draw.')
        spec.input('generator', valid_type=orm.Str, help='Label of the generator, which becomes a column.')
        spec.input('n_lanes', valid_type=orm.Int, help='Number of jobs that may run side by side.')
        spec.outline(
            cls.run_plan,
            cls.run_lanes,
            cls.inspect_lanes,
        )
        spec.output('batch', valid_type=StructureBatch, help='The crystals that were drawn.')
        spec.output('rejected', valid_type=StructureBatch, required=False, help='Rows that could not be filled.')
        spec.output('report', valid_type=orm.Dict, help='Counts, seconds and versions.')
        spec.exit_code(320, 'ERROR_GENERATOR_FAILED', message='The generator failed: {reason}')

    def run_plan(self) -> None:
        """Write the request: as many empty rows as crystals were asked for."""
        job = self.inputs.job
        model = 'checkpoint' if 'checkpoint' in job else 'model'
        sources = {name: job[name] for name in (*_SOURCES, model) if name in job}
        for kind in ('asset', 'table'):
            sources.update({f'{kind}_{name}': node for name, node in dict(job.get(f'{kind}s', {})).items()})
        metadata = {'call_link_label': 'plan'}
        self.ctx.request = plan(self.inputs.n_crystals, self.inputs.generator, **sources, metadata=metadata)

    def run_lanes(self) -> t.Any:
        """Submit the lanes."""
        inputs = self.exposed_inputs(GenerateBaseWorkChain)
        lanes = submit_lanes(self, GenerateBaseWorkChain, inputs, self.ctx.request, 'draw')
        return ToContext(**{f'lane_{i:02d}': node for i, node in enumerate(lanes)})

    def inspect_lanes(self) -> ExitCode | None:
        """Join the lanes."""
        lanes = [self.ctx[name] for name in sorted(self.ctx) if name.startswith('lane_')]
        if failure := first_failure(lanes):
            return self.exit_codes.ERROR_GENERATOR_FAILED.format(reason=failure)
        self.out_many(joined_lanes(lanes, 'draw'))
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        generator: str,
        n_crystals: int,
        parameters: dict[str, t.Any],
        *,
        protocol: str | None = None,
        overrides: dict[str, t.Any] | None = None,
        options: dict[str, t.Any] | None = None,
        seed: int = 1,
    ) -> ProcessBuilder:
        """Return a builder that draws crystals from one registered generator.

        :param parameters: parameters and conditions of the generator, see `aiida-crystalgen list generators --verbose`.
        :param overrides: other keys of a campaign file, `resources` for instance.
        :param options: `metadata.options` of every job.
        """
        from aiida_crystalgen.workflows.builder import get_generate_builder
        from aiida_crystalgen.workflows.specs import spec_from_protocol

        entry = {'type': generator, 'n': n_crystals, 'parameters': parameters}
        # A campaign names a potential; the draw does not look at it.
        spec = spec_from_protocol(code, [entry], 'emt', protocol, overrides, options, seed=seed)
        return get_generate_builder(spec)
