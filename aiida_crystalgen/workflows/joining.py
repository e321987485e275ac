"""Join many nodes into one, never more than 32 at a time."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.calculations.batching import LARGEST_MERGE, merge, sum_reports
from aiida_crystalgen.calculations.phonons import join_force_constants
from aiida_crystalgen.data.batch import StructureBatch


def count(batch: StructureBatch) -> int:
    """Return the number of crystals of a batch without loading it."""
    return int(batch.base.attributes.get('n_crystals'))


def join_batches(nodes: list[StructureBatch], label: str) -> StructureBatch:
    """Join any number of batches as a tree; a single one is passed on as it is."""
    return t.cast(StructureBatch, _join(nodes, merge, label))


def join_reports(nodes: list[orm.Dict]) -> orm.Dict:
    """Add up any number of reports as a tree; a single one is passed on as it is."""
    return t.cast(orm.Dict, _join(nodes, sum_reports, 'sum_reports'))


def join_folders(nodes: list[orm.FolderData]) -> orm.FolderData:
    """Join any number of folders of force constants as a tree; a single one is passed on as it is."""
    return t.cast(orm.FolderData, _join(nodes, join_force_constants, 'join_force_constants'))


def _join(nodes: list[t.Any], join: t.Callable[..., t.Any], label: str) -> t.Any:
    while len(nodes) > 1:
        groups = [nodes[i : i + LARGEST_MERGE] for i in range(0, len(nodes), LARGEST_MERGE)]
        nodes = [
            join(**{f'part_{i:02d}': node for i, node in enumerate(group)}, metadata={'call_link_label': label})
            if len(group) > 1
            else group[0]
            for group in groups
        ]
    return nodes[0]
