"""WorkChain that computes the phonons of one crystal from the forces of a DFT engine, whichever it is."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain, if_, while_

from aiida_crystalgen.calculations.engine_phonons import CELL, displace_crystal, judge_forces, tell_impossible
from aiida_crystalgen.workflows.lanes import submit_once
from aiida_crystalgen.workflows.verify import VerifyWorkChain
from aiida_crystalgen.workflows.window import fill_window, is_open, open_window, those_done

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.processes.workchains.workchain import WorkChainSpec


@t.final
class EnginePhononWorkChain(WorkChain):
    """Relax a crystal, displace its atoms, and judge its stability by the forces of an engine.

    Every supercell goes through a VerifyWorkChain of its own with the task `forces`, at one level of theory and on one
    mesh of k points.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('structure', valid_type=orm.StructureData, help='The crystal.')
        spec.expose_inputs(VerifyWorkChain, namespace='verify', exclude=('structure', 'batch', 'crystal_id'))
        spec.inputs['verify'].validator = None
        spec.input(
            'relax_tasks', valid_type=orm.List, required=False, help='Tasks before; without any it is taken as relaxed.'
        )
        spec.input('phonons', valid_type=orm.Dict, help='Section `phonons` of `workflows/protocols/verify.yaml`.')
        spec.input('max_concurrent', valid_type=orm.Int, help='Number of supercells that are computed side by side.')
        spec.outline(
            if_(cls.should_relax)(
                cls.run_relaxation,
                cls.inspect_relaxation,
            ),
            cls.displace,
            while_(cls.has_cells)(
                cls.run_cells,
                cls.inspect_cells,
            ),
            cls.collect_results,
        )
        spec.output('results', valid_type=orm.Dict, help='Verdict, frequencies and what they rest on.')
        spec.output('structure', valid_type=orm.StructureData, required=False, help='The crystal as it was relaxed.')
        spec.output(
            'force_constants', valid_type=orm.SinglefileData, required=False, help='Force constants [eV/A^2], cells.'
        )
        spec.output('level_of_theory', valid_type=orm.Dict, help='The level of the forces.')
        spec.exit_code(351, 'ERROR_NOT_RELAXED', message='The crystal was not relaxed: {reason}')
        spec.exit_code(352, 'ERROR_FORCES_FAILED', message='The forces on a supercell are missing: {reason}')
        spec.exit_code(353, 'ERROR_MESH_DIFFERS', message='Supercells were computed on different k points: {reason}')

    def should_relax(self) -> bool:
        """Say whether the crystal is to be relaxed."""
        self.ctx.crystal = self.inputs.structure
        return 'relax_tasks' in self.inputs

    def run_relaxation(self) -> t.Any:
        """Relax the crystal."""
        shared = self.exposed_inputs(VerifyWorkChain, 'verify')
        inputs = {**shared, 'structure': self.ctx.crystal, 'tasks': self.inputs.relax_tasks}
        return ToContext(relaxation=submit_once(self, VerifyWorkChain, 'relax', inputs))

    def inspect_relaxation(self) -> ExitCode | None:
        """Take the relaxed crystal."""
        node = self.ctx.relaxation
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_NOT_RELAXED.format(reason=_said(node))
        self.ctx.crystal = node.outputs.structure
        self.out('structure', self.ctx.crystal)
        return None

    def displace(self) -> None:
        """Make the supercells."""
        found = displace_crystal(self.ctx.crystal, self.inputs.phonons, metadata={'call_link_label': 'displace'})
        self.ctx.plan = found['plan']
        self.ctx.cells = {name: node for name, node in found.items() if name.startswith(CELL)}
        self.ctx.done, self.ctx.failure = {}, ''
        open_window(self, sorted(self.ctx.cells))
        self.report(self.ctx.plan['reason'] or f'{len(self.ctx.cells)} supercells: {self.ctx.plan["supercell"]}')

    def has_cells(self) -> bool:
        """Say whether anything is left to be computed; after a failure those that run are waited for."""
        if self.ctx.failure:
            self.ctx.waiting = []
        return is_open(self)

    def run_cells(self) -> t.Any:
        """Fill the window."""

        def submit(label: str) -> t.Any:
            inputs = self.exposed_inputs(VerifyWorkChain, 'verify')
            return submit_once(self, VerifyWorkChain, label, {**inputs, 'structure': self.ctx.cells[label]})

        return fill_window(self, self.inputs.max_concurrent.value, submit)

    def inspect_cells(self) -> None:
        """Note which supercells are done."""
        for label, node in those_done(self):
            if node.is_finished_ok and 'forces' in node.outputs:
                self.ctx.done = {**self.ctx.done, label: node.pk}
            elif not self.ctx.failure:
                self.ctx.failure = f'{label}, {_said(node)}'

    def collect_results(self) -> ExitCode | None:
        """Judge the forces."""
        level = self.inputs.verify.level
        if self.ctx.failure:
            return self.exit_codes.ERROR_FORCES_FAILED.format(reason=self.ctx.failure)
        self.out('level_of_theory', level)
        if not self.ctx.cells:
            self.out('results', tell_impossible(self.ctx.plan, level, metadata={'call_link_label': 'impossible'}))
            return None
        nodes = {label: orm.load_node(pk) for label, pk in sorted(self.ctx.done.items())}
        meshes = {str(node.outputs.results['kpoints']) for node in nodes.values()}
        if len(meshes) > 1:
            return self.exit_codes.ERROR_MESH_DIFFERS.format(reason=' and '.join(sorted(meshes)))
        first = next(iter(nodes.values()))
        found: dict[str, t.Any] = judge_forces(
            self.ctx.crystal,
            self.inputs.phonons,
            level,
            first.outputs.results,
            **{label: node.outputs.forces for label, node in nodes.items()},
            metadata={'call_link_label': 'judge_forces'},
        )
        self.out('results', found['results'])
        self.out('force_constants', found['force_constants'])
        told = found['results'].get_dict()
        self.report(f'{told["phonon_verdict"]}: {told["phonon_reason"]}')
        return None

    @classmethod
    def get_builder_from_protocol(
        cls,
        structure: orm.StructureData,
        engine: str,
        codes: dict[str, t.Any],
        *,
        relax: t.Sequence[str] = ('vc-relax',),
        phonons: dict[str, t.Any] | None = None,
        max_concurrent: int = 2,
        **choices: t.Any,
    ) -> ProcessBuilder:
        """Return the builder of the phonons of one crystal.

        :param relax: tasks before the displacements; none where the crystal is relaxed at this very level.
        :param phonons: changes to the section `phonons` of the protocol.
        :param choices: see `aiida_crystalgen.workflows.engines.planning.verify_inputs`.
        :raises EngineError: with one sentence, before anything is spent.
        """
        from aiida_crystalgen.workflows.engines.planning import phonon_inputs

        builder = cls.get_builder()
        for name, value in phonon_inputs(engine, codes, relax=relax, phonons=phonons, **choices).items():
            builder[name] = value
        builder.structure = structure
        builder.max_concurrent = orm.Int(max_concurrent)
        return builder


def _said(node: t.Any) -> str:
    how = node.exit_message or f'it is {node.process_state.value if node.process_state else "gone"}'
    return f'{node.process_label}<{node.pk}>: {how}'
