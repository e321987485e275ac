"""Make reference sets of what is in the profile already: the table of a campaign, the nodes of a group."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from itertools import islice

from aiida import orm

from aiida_crystalgen.calculations.batching import LARGEST_MERGE
from aiida_crystalgen.calculations.references import (
    order_disordered,
    ordered_set,
    reference_from_batch,
    reference_from_nodes,
    set_of_nodes,
)
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.references.find import find_set

Facts = Mapping[str, t.Any]


class NameTakenError(ValueError):
    """A set of this name is in the profile, and it is another one."""


def set_of_table(batch: StructureBatch, facts: Facts) -> ReferenceSet:
    """Return the set of the crystals of a batch; one of this name that is the same is not made again.

    :raises NameTakenError: where the name is taken by another set.
    """
    found = same_as_named(set_of_nodes({'batch': batch}, facts))
    return found or reference_from_batch(batch, orm.Dict(dict(facts)))


def set_of_group(nodes: Sequence[orm.Data], facts: Facts) -> ReferenceSet:
    """Return the set of the crystals of many nodes, joined as a tree of processes with few links each.

    :raises NameTakenError: where the name is taken by another set.
    """
    parts: dict[str, orm.Data] = {f'node_{index:06d}': node for index, node in enumerate(nodes)}
    found = same_as_named(set_of_nodes(parts, facts))
    if found is not None:
        return found
    while len(parts) > LARGEST_MERGE:
        # A part of a set has no name, so that nobody takes it for the whole.
        about = orm.Dict({**facts, 'name': ''})
        items, joined = iter(parts.items()), []
        while chunk := dict(islice(items, LARGEST_MERGE)):
            joined.append(reference_from_nodes(about, **chunk))
        parts = {f'node_{index:06d}': node for index, node in enumerate(joined)}
    return reference_from_nodes(orm.Dict(dict(facts)), **parts)


def set_of_ordered(reference: ReferenceSet, name: str, max_atoms: int) -> ReferenceSet:
    """Return the set with ordered representatives in place of disordered crystals.

    :raises NameTakenError: where the name is taken by another set.
    """
    found = same_as_named(ordered_set(reference, name, max_atoms))
    parameters = orm.Dict({'name': name, 'max_atoms': max_atoms})
    return found or order_disordered(reference, parameters)


def same_as_named(reference: ReferenceSet) -> ReferenceSet | None:
    """Return the stored set that has the name of an unstored one and is the same, None where the name is free.

    :raises NameTakenError: where the name is taken by another set.
    """
    found = find_set(reference.set_name)
    if found is None:
        return None
    if found.facts == reference.facts and found.crystals.equals(reference.crystals):
        return found
    raise NameTakenError(f'there is another reference set with the name `{reference.set_name}` (PK {found.pk})')
