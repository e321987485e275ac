"""From what a campaign says of known crystals to nodes, and to what earlier campaigns made of them."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.calculations.fingerprints import digest_of, recipe_of
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.references.find import find_known_hull, find_set
from aiida_crystalgen.references.read import load_reference, require_complete
from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem
from aiida_crystalgen.schema.spec import SAME_MODEL, SET
from aiida_crystalgen.workflows.base import AnalyseBaseWorkChain

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet

Inputs = dict[str, t.Any]

INDEXED: t.Final = {'known': 'Known crystals, for novelty.', 'training': 'Training set of the generators.'}
# How many earlier indexes of a reference set are looked at.
_INDEXES_LOOKED_AT: t.Final = 20


def reference_sets(spec: CampaignSpec) -> dict[str, ReferenceSet]:
    """Return the reference sets that a campaign names, by what they are for; what is named twice is one node.

    :raises CampaignError: when one does not exist, or cannot be read, or has a hole where that matters.
    """
    references = spec.references
    named: dict[str, str | None] = {}
    if references is not None:
        named = {name: getattr(references, name) for name in ('phases', 'known', 'training')}
        named['known'] = named['known'] or named['phases']
    if spec.targets is not None:
        named['targets'] = spec.targets.structures
    if spec.verify is not None:
        named['verified'] = spec.verify.references or (references.phases if references is not None else None)
    sets: dict[str, ReferenceSet] = {}
    for name, value in named.items():
        if value is not None:
            same = next((other for other in sets if named[other] == value), None)
            sets[name] = sets[same] if same else _reference_set(spec, name, value)
    for name in [name for name in ('targets', 'verified') if name in sets]:
        require_complete(sets[name])
    mode = references.mode if references is not None else SAME_MODEL
    if 'phases' in sets and mode == SAME_MODEL:
        require_complete(sets['phases'])
    elif 'phases' in sets and spec.potential is None and mode != 'mp2020':
        _require_one_level(spec, sets['phases'])
    return sets


def _require_one_level(spec: CampaignSpec, phases: ReferenceSet) -> None:
    """Refuse energies in files that are not said to be at the level of those of the competing phases."""
    problems = []
    for index, generator in enumerate(spec.generators):
        level = str(generator.parameters.get('level') or '')
        if not level or level != phases.level:
            message = f'the energies are at the level `{level}`, those of the competing phases at `{phases.level}`'
            remedy = 'one hull has one level: if it is the same, state it here and in `references.level` alike'
            problems.append(Problem(None, f'generators[{index}].parameters.level', message, remedy))
    if problems:
        raise CampaignError(problems)


def _reference_set(spec: CampaignSpec, name: str, value: str) -> ReferenceSet:
    if not value.startswith(SET):
        references = None if name == 'targets' else spec.references
        facts = references.model_dump(include={'level', 'partial', 'source', 'licence'}) if references else {}
        facts['name'] = facts.pop('source', None)
        given = {key: fact for key, fact in facts.items() if fact is not None}
        return load_reference(spec.resolve(value), **given)
    found = find_set(value.removeprefix(SET))
    if found is None:
        remedy = 'see `aiida-crystalgen reference list`, or add it with `aiida-crystalgen reference add`'
        where = {'targets': 'targets.structures', 'verified': 'verify.references'}.get(name, f'references.{name}')
        raise CampaignError([Problem(None, where, f'there is no reference set `{value.removeprefix(SET)}`', remedy)])
    return found


def known_hull(relax: Inputs, phases: ReferenceSet) -> Inputs:
    """Return as `known_hull` the phases that an earlier campaign relaxed in exactly the way of these relaxations."""
    found = find_known_hull(digest_of(recipe_of(relax)), phases)
    return {} if found is None else {'known_hull': found}


def find_index(reference: ReferenceSet, job: Inputs) -> StructureBatch | None:
    """Return the index of a reference set that was built earlier by exactly such a job, None where there is none."""
    if not reference.is_stored:
        return None
    recipe = digest_of(recipe_of(job))
    query = orm.QueryBuilder(limit=_INDEXES_LOOKED_AT)
    query.append(type(reference), filters={'id': reference.pk}, tag='reference')
    query.append(
        orm.WorkChainNode,
        filters={'attributes.process_label': AnalyseBaseWorkChain.__name__, 'attributes.exit_status': 0},
        with_incoming='reference',
        edge_filters={'label': 'batch'},
        tag='chain',
    )
    query.order_by({'chain': {'id': 'desc'}})
    for chain in query.all(flat=True):
        if digest_of(recipe_of(chain.inputs.job)) == recipe:
            return t.cast(StructureBatch, chain.outputs.batch)
    return None
