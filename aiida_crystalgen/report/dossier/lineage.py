"""Where a crystal is from: its draw and seed, what made and relaxed it, every step between."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.calculations.fingerprints import node_digest
from aiida_crystalgen.report.dossier.model import Condition, Job, Provenance, Tool
from aiida_crystalgen.report.words import chemists_formula
from aiida_crystalgen.tools.trace import Step, trace

if t.TYPE_CHECKING:
    from aiida_crystalgen.report.content import Content

GENERATE, RELAX = 'GenerateCalculation', 'RelaxCalculation'
# What was asked, the column that says whether it came, and what came.
TERMS: t.Final = {
    'chemical_system': ('system_match', 'chemical_system'),
    'composition': ('composition_match', 'formula'),
    'space_group': ('space_group_match', 'space_group_loose'),
    'min_atoms': ('n_atoms_match', None),
    'max_atoms': ('n_atoms_match', None),
}  # fmt: skip


def provenance_of(content: Content, crystal_id: str) -> Provenance:
    """Return the way of a crystal through the campaign."""
    steps = trace(crystal_id, content.node)
    draw, _, index = crystal_id.rpartition('-')
    seeds = [step.columns['seed'] for step in steps if step.columns.get('seed') is not None]
    told = [step for step in steps if not step.is_bookkeeping]
    return Provenance(
        campaign=content.name,
        campaign_uuid=content.node.uuid,
        campaign_seed=content.spec.get('seed'),
        draw=draw,
        index=int(index),
        seed=seeds[0] if seeds else None,
        generator=_tool(steps, GENERATE),
        potential=_tool(steps, RELAX),
        steps=tuple(_job(step) for step in told),
    )


def _job(step: Step) -> Job:
    found = {name: value for name, value in step.columns.items() if value is not None and not isinstance(value, list)}
    if step.moved:
        found = {'geometry': 'new', **found}
    return Job(
        process=step.process_label,
        link=step.link,
        uuid=orm.load_node(step.pk).uuid,
        verdict=step.verdict,
        reused=step.cached,
        found=found,
    )


def _tool(steps: list[Step], label: str) -> Tool | None:
    """Return the tool of the last job of a kind that had the crystal."""
    pks = [step.pk for step in steps if step.process_label == label and not step.is_of_engine]
    if not pks:
        return None
    job = t.cast(orm.CalcJobNode, orm.load_node(pks[-1]))
    named = {link.link_label: t.cast(orm.Data, link.node) for link in job.base.links.get_incoming().all()}
    if 'bundle' not in named:
        return None
    from aiida_crystalgen.bundles import read_about

    bundle = t.cast(orm.SinglefileData, named['bundle'])
    with bundle.open(mode='rb') as handle:
        about = read_about(handle)
    parameters, environment, checkpoint = (named.get(name) for name in ('parameters', 'environment', 'checkpoint'))
    in_rows = [step.columns.get('model_sha256') for step in steps if step.pk == job.pk]
    return Tool(
        name=str(about.get('name', '')),
        process_uuid=job.uuid,
        bundle_sha256=node_digest(bundle).hex(),
        model_sha256=node_digest(named['model']).hex() if 'model' in named else next(filter(None, in_rows), None),
        checkpoint=checkpoint.get_dict() if isinstance(checkpoint, orm.Dict) else None,
        parameters=parameters.get_dict() if isinstance(parameters, orm.Dict) else {},
        versions=environment.get_dict() if isinstance(environment, orm.Dict) else {},
    )


def conditions_of(
    content: Content, provenance: Provenance, values: dict[str, t.Any]
) -> tuple[tuple[Condition, ...], bool | None]:
    """Return what was asked of the generator of a crystal beside what came, and whether all of it did.

    :param values: columns of the crystal, and its `symbols`. What the screen did not test is compared here.
    """
    of_tool = provenance.generator.parameters if provenance.generator else {}
    asked = {name: value for name, value in of_tool.items() if name in TERMS}
    asked |= {name: value for name, value in (content.spec.get('conditions') or {}).items() if value is not None}
    rows = []
    for name, value in asked.items():
        verdict, found = TERMS.get(name, (None, None))
        met = values.get(verdict) if verdict else None
        met = met == 'exact' if isinstance(met, str) else met
        if met is None:
            met = _compared(name, value, values, smaller=bool(of_tool.get('subsystems')))
        came = values.get('n_sites') if verdict == 'n_atoms_match' else values.get(found) if found else None
        if name == 'chemical_system':
            came = '-'.join(sorted(values['symbols']))
        rows.append(Condition(name=name, asked=value, found=came, met=met))
    verdicts = [row.met for row in rows]
    return tuple(rows), False if False in verdicts else None if None in verdicts or not rows else True


def _compared(name: str, asked: t.Any, values: dict[str, t.Any], *, smaller: bool) -> bool | None:
    """Say whether a condition is met as far as that is plain; None where it is not.

    :param smaller: whether systems of fewer elements were asked for too.
    """
    symbols, n_sites = values['symbols'], values['n_sites']
    if name == 'chemical_system' and isinstance(asked, str):
        wanted = set(asked.split('-'))
        return bool(symbols <= wanted) if smaller else bool(symbols == wanted)
    if name == 'composition' and isinstance(asked, str):
        return chemists_formula(asked) == chemists_formula(values['formula'])
    if name == 'max_atoms' and n_sites <= asked:  # of a larger cell the primitive one may be small enough
        return True
    return None


def short(digest: str | None) -> str:
    """Return the head of a sha256, enough to compare by eye."""
    return digest[:16] if digest else 'in no node'
