"""WorkChain in which further potentials judge the short list, each at a hull of its own."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import ExitCode, ToContext, WorkChain

from aiida_crystalgen.calculations.committee import HULL, PHASES, RELAXED, choose_bare, judge_committee
from aiida_crystalgen.calculations.fingerprints import recipe_of
from aiida_crystalgen.calculations.selection import build_hull, choose_phases
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.workflows.base import RelaxBaseWorkChain
from aiida_crystalgen.workflows.joining import count
from aiida_crystalgen.workflows.lanes import first_failure, submit_once

if t.TYPE_CHECKING:
    from aiida.engine.processes.workchains.workchain import WorkChainSpec

Inputs = dict[str, t.Any]


@t.final
class CommitteeWorkChain(WorkChain):
    """Relax the short list and its competing phases with every member, and say how far they are apart."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:  # type: ignore[override]
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('batch', valid_type=StructureBatch, help='Crystals; those on the short list are judged.')
        spec.input('phases', valid_type=ReferenceSet, help='Competing phases; each member relaxes them once.')
        spec.input('limit', valid_type=orm.Float, help='Energy above the hull that counts as stable [eV/atom].')
        spec.input_namespace(
            'members', dynamic=True, help='By label `relax` (a RelaxBaseWorkChain), and `known_hull` of earlier.'
        )
        spec.outline(cls.run_members, cls.inspect_members)
        spec.output('batch', valid_type=StructureBatch, help='The same rows with the columns of the committee.')
        spec.exit_code(523, 'WARNING_MEMBER_MISSING', message='A potential of the committee judged nothing: {reason}')

    def run_members(self) -> t.Any:
        """Submit two relaxations for each member: the short list, and the phases that it has not relaxed before."""
        chosen = choose_bare(self.inputs.batch, metadata={'call_link_label': 'choose_bare'})
        children = {}
        self.ctx.phases = {}
        for label in sorted(self.inputs.members):
            member = self.inputs.members[label]
            metadata = {'call_link_label': f'choose_phases_{label}'}
            phases = choose_phases(self.inputs.phases, chosen, **_known(member), metadata=metadata)
            self.ctx.phases = {**self.ctx.phases, label: phases['phases']}
            batches = {f'relax_{label}': chosen, f'phases_{label}': phases['missing']}
            for name, batch in batches.items():
                if count(batch):
                    inputs = {**member['relax'], 'batch': batch}
                    children[name] = submit_once(self, RelaxBaseWorkChain, name, inputs)
        return ToContext(**children)

    def inspect_members(self) -> ExitCode | None:
        """Build the hull of each member, and bring what they say into the batch."""
        nodes: Inputs = {}
        failures = []
        for label in sorted(self.inputs.members):
            member, phases = self.inputs.members[label], self.ctx.phases[label]
            names = [name for name in (f'relax_{label}', f'phases_{label}') if name in self.ctx]
            failure = first_failure([self.ctx[name] for name in names])
            if failure is None and not count(phases):
                failure = f'there are no competing phases for `{label}`'
            if failure is not None or f'relax_{label}' not in self.ctx:
                failures.append(failure or 'the short list is empty')
                continue
            new = {'relaxed': self.ctx[f'phases_{label}'].outputs.batch} if f'phases_{label}' in self.ctx else {}
            inputs = {**new, **_known(member), **recipe_of(member['relax']['job'])}
            metadata = {'call_link_label': f'build_hull_{label}'}
            nodes[HULL + label] = build_hull(phases, self.inputs.phases, **inputs, metadata=metadata)
            nodes[RELAXED + label] = self.ctx[f'relax_{label}'].outputs.batch
            nodes[PHASES] = phases
        metadata = {'call_link_label': 'judge_committee'}
        self.out('batch', judge_committee(self.inputs.batch, self.inputs.limit, **nodes, metadata=metadata))
        return self.exit_codes.WARNING_MEMBER_MISSING.format(reason=failures[0]) if failures else None


def _known(member: t.Any) -> Inputs:
    """Return the hull that an earlier campaign left for a member, where there is one."""
    return {'known_hull': member['known_hull']} if 'known_hull' in member else {}
