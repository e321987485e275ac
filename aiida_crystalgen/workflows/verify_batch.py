"""WorkChain that sends the short list and its competing phases to an engine, and brings the results back."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, WorkChain, if_, while_

from aiida_crystalgen.calculations.dft_hull import build_dft_hull, choose_competitors, level_label
from aiida_crystalgen.calculations.engine_phonons import add_phonons, tell_phonons
from aiida_crystalgen.calculations.verified import calibrate_potential, judge_verified, promote_rows, tell_outcome
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.workflows.engine_phonons import EnginePhononWorkChain
from aiida_crystalgen.workflows.joining import count
from aiida_crystalgen.workflows.lanes import submit_once
from aiida_crystalgen.workflows.verify import VerifyWorkChain
from aiida_crystalgen.workflows.window import fill_window, is_open, open_window, those_done

if t.TYPE_CHECKING:
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

PHASE, CANDIDATE, VIBRATION = 'phase_', 'verify_', 'phonons_'


def validate_known_hull(inputs: t.Any, _: t.Any) -> str | None:
    """Return a sentence when an earlier hull is at another level of theory than this one would be."""
    if 'known_hull' not in inputs or inputs['known_hull'].protocol == inputs['verify']['level']['fingerprint']:
        return None
    ours = level_label(inputs['verify']['level'])
    return (
        f'`known_hull` is at the level `{inputs["known_hull"].level}`, this one would be at `{ours}`: energies of two '
        'levels of theory do not meet in one hull; leave it out, and the phases are computed anew'
    )


@t.final
class VerifyBatchWorkChain(WorkChain):
    """Compute the short list of a batch, and the phases that it competes with, by one engine at one level of theory.

    A crystal that fails is a row with a reason. As many are computed at a time as the window is wide; places are
    filled again whenever the crystal that waited longest is done.
    """

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('batch', valid_type=StructureBatch, help='Crystals; those on the short list are computed.')
        spec.input('rejected', valid_type=StructureBatch, required=False, help='Those that the screen removed.')
        spec.expose_inputs(VerifyWorkChain, namespace='verify', exclude=('structure', 'batch', 'crystal_id'))
        spec.inputs['verify'].validator = None
        spec.input('n_crystals', valid_type=orm.Int, required=False, help='Only so many of the short list.')
        spec.input('max_concurrent', valid_type=orm.Int, help='Number of crystals that are computed side by side.')
        spec.input('phases', valid_type=ReferenceSet, required=False, help='Competing phases, computed alike.')
        spec.input(
            'known_hull',
            valid_type=HullReference,
            required=False,
            help='Phases that an earlier campaign computed at this level: they are not computed again.',
        )
        spec.input('seed', valid_type=orm.Int, help='Seed of the bootstrap intervals.')
        spec.expose_inputs(
            EnginePhononWorkChain,
            namespace='phonons',
            exclude=('structure', 'relax_tasks'),
            namespace_options={
                'required': False,
                'populate_defaults': False,
                'help': 'Phonons of the crystals that finished, one crystal after the other; absent: none.',
            },
        )
        spec.input('n_phonons', valid_type=orm.Int, required=False, help='Only of so many of them, the first ones.')
        spec.outline(
            cls.plan_crystals,
            while_(cls.has_crystals)(
                cls.run_crystals,
                cls.inspect_crystals,
            ),
            if_(cls.should_vibrate)(
                cls.plan_phonons,
                while_(cls.has_crystals)(
                    cls.run_phonons,
                    cls.inspect_phonons,
                ),
            ),
            cls.collect_results,
        )
        spec.output('batch', valid_type=StructureBatch, help='The same rows with the columns `dft_...`.')
        spec.output('hull', valid_type=HullReference, required=False, help='The competing phases at this level.')
        spec.output('calibration', valid_type=orm.Dict, help='The potential against the engine.')
        spec.output('level_of_theory', valid_type=orm.Dict, help='The level of all energies.')
        spec.exit_code(
            520, 'WARNING_NOTHING_VERIFIED', message='The engine finished none of {n} crystals; the first: {reason}'
        )
        spec.inputs.validator = validate_known_hull

    def plan_crystals(self) -> None:
        """List the phases that are lacking and the crystals, as one crystal each."""
        self.ctx.crystals = {}
        self.ctx.outcomes, self.ctx.relaxed, self.ctx.told = {}, {}, {}
        if 'phases' in self.inputs:
            known = {'known_hull': self.inputs.known_hull} if 'known_hull' in self.inputs else {}
            metadata = {'call_link_label': 'choose_competitors'}
            chosen = choose_competitors(self.inputs.phases, self.inputs.batch, **known, metadata=metadata)
            self.ctx.phases = chosen['phases']
            if count(chosen['missing']):
                self._promote(chosen['missing'], PHASE)
            n_known = count(chosen['phases']) - count(chosen['missing'])
            self.report(f'{count(chosen["phases"])} competing phases, {n_known} of them known at this level')
        wanted = {'n_crystals': self.inputs.n_crystals} if 'n_crystals' in self.inputs else {}
        self._promote(self.inputs.batch, CANDIDATE, **wanted)
        open_window(self, self.ctx.crystals)

    def _promote(self, batch: StructureBatch, prefix: str, **wanted: orm.Int) -> None:
        """Add the crystals of a batch to those to be computed."""
        structures = promote_rows(batch, **wanted, metadata={'call_link_label': f'promote_{prefix}rows'})
        found = {prefix + name: structures[name] for name in sorted(structures, key=_place)}
        self.ctx.crystals = {**self.ctx.crystals, **found}

    def has_crystals(self) -> bool:
        """Say whether anything is left to be computed."""
        return is_open(self)

    def run_crystals(self) -> t.Any:
        """Fill the window, and wait for the one that has been in it longest."""

        def submit(label: str) -> t.Any:
            inputs = self.exposed_inputs(VerifyWorkChain, 'verify')
            return submit_once(self, VerifyWorkChain, label, {**inputs, 'structure': self.ctx.crystals[label]})

        return fill_window(self, self.inputs.max_concurrent.value, submit)

    def inspect_crystals(self) -> None:
        """Note what became of those that are done."""
        for label, node in those_done(self):
            names = {'results': 'results', 'relaxed': 'structure'}
            found = {name: node.outputs[output] for name, output in names.items() if output in node.outputs}
            level, metadata = self.inputs.verify.level, {'call_link_label': f'outcome_{label}'}
            outcome = tell_outcome(self.ctx.crystals[label], level, **found, metadata=metadata)
            self.ctx.outcomes = {**self.ctx.outcomes, label: outcome}
            if 'relaxed' in found:
                self.ctx.relaxed = {**self.ctx.relaxed, label: found['relaxed']}
            if outcome['status'] != 'finished':
                self.report(f'{self.ctx.crystals[label].label} {outcome["status"]}: {outcome["reason"]}')

    def should_vibrate(self) -> bool:
        """Say whether phonons are asked for."""
        return 'phonons' in self.inputs

    def plan_phonons(self) -> None:
        """List the crystals that finished, best first."""
        finished = [
            label
            for label in self.ctx.crystals
            if label.startswith(CANDIDATE) and self.ctx.outcomes[label]['status'] == 'finished'
        ]
        most = self.inputs.n_phonons.value if 'n_phonons' in self.inputs else len(finished)
        open_window(self, [VIBRATION + label.removeprefix(CANDIDATE) for label in finished[:most]])

    def run_phonons(self) -> t.Any:
        """Compute the phonons of the next crystal; its supercells fill a window of their own."""

        def submit(label: str) -> t.Any:
            inputs = self.exposed_inputs(EnginePhononWorkChain, 'phonons')
            structure = self.ctx.relaxed[CANDIDATE + label.removeprefix(VIBRATION)]
            return submit_once(self, EnginePhononWorkChain, label, {**inputs, 'structure': structure})

        return fill_window(self, 1, submit)

    def inspect_phonons(self) -> None:
        """Note what the phonons say."""
        for label, node in those_done(self):
            name = CANDIDATE + label.removeprefix(VIBRATION)
            found = {'results': node.outputs.results} if 'results' in node.outputs else {}
            told = tell_phonons(
                self.ctx.crystals[name], self.ctx.relaxed[name], **found, metadata={'call_link_label': f'told_{label}'}
            )
            self.ctx.told = {**self.ctx.told, label: told}

    def collect_results(self) -> ExitCode | None:
        """Build the hull, and bring everything back into the batch."""
        level = self.inputs.verify.level
        outcomes = {
            prefix: {label: node for label, node in self.ctx.outcomes.items() if label.startswith(prefix)}
            for prefix in (PHASE, CANDIDATE)
        }
        facts: dict[str, t.Any] = {}
        if 'phases' in self.ctx:
            known = {'known_hull': self.inputs.known_hull} if 'known_hull' in self.inputs else {}
            metadata = {'call_link_label': 'build_dft_hull'}
            inputs = {**known, **outcomes[PHASE]}
            hull = build_dft_hull(self.ctx.phases, self.inputs.phases, level, **inputs, metadata=metadata)
            facts = {'hull': hull, 'phases': self.ctx.phases}
            self.out('hull', hull)
        metadata = {'call_link_label': 'judge_verified'}
        batch = judge_verified(self.inputs.batch, level, **facts, **outcomes[CANDIDATE], metadata=metadata)
        if self.ctx.told:
            of_forces, metadata = self.inputs.phonons.verify.level, {'call_link_label': 'add_phonons'}
            batch = add_phonons(batch, of_forces, **self.ctx.told, metadata=metadata)
        others = {'rejected': self.inputs.rejected} if 'rejected' in self.inputs else {}
        metadata = {'call_link_label': 'calibrate_potential'}
        self.out('calibration', calibrate_potential(batch, level, self.inputs.seed, **others, metadata=metadata))
        self.out('batch', batch)
        self.out('level_of_theory', level)
        return self._verdict(list(outcomes[CANDIDATE].values()))

    def _verdict(self, outcomes: list[orm.Dict]) -> ExitCode | None:
        """Warn where the engine finished nothing."""
        finished = sum(outcome['status'] == 'finished' for outcome in outcomes)
        self.report(f'the engine finished {finished} of {len(outcomes)} crystals')
        if finished or not outcomes:
            return None
        return self.exit_codes.WARNING_NOTHING_VERIFIED.format(n=len(outcomes), reason=outcomes[0]['reason'])


def _place(name: str) -> tuple[str, int]:
    """Return what sorts names of crystals by draw and index."""
    draw, _, index = name.rpartition('_')
    return draw, int(index)
