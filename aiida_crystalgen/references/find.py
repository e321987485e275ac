"""Look for reference sets and for hulls that are in the profile already."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from aiida import orm

from aiida_crystalgen.calculations.fingerprints import geometry_digests
from aiida_crystalgen.data.base import CrystalArrayData
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet

# How many earlier hulls at the same level are looked at for phases that were relaxed before.
_HULLS_LOOKED_AT: t.Final = 20


def find_set(name_or_label: str) -> ReferenceSet | None:
    """Return the newest reference set of this name or node label, None where there is none."""
    wanted = [{'attributes.set_name': name_or_label}, {'label': name_or_label}]
    found = _sets({'or': wanted}, limit=1) if name_or_label else []
    return found[0] if found else None


def list_sets() -> list[ReferenceSet]:
    """Return the reference sets that have a name, the newest first."""
    return _sets({'attributes.set_name': {'!==': ''}})


def holds_content(sha256: str) -> bool:
    """Say whether some reference set was read from files of this content."""
    return bool(_sets({'attributes.sha256': sha256}, limit=1))


def find_by_content(sha256: str, facts: Mapping[str, t.Any]) -> ReferenceSet | None:
    """Return the newest reference set that was read from files of this content and says the same of itself.

    :param facts: what `ReferenceSet` takes besides the crystals; those left out may be anything.
    """
    found = _sets({'attributes.sha256': sha256}) if sha256 else []
    return next((node for node in found if all(node.facts[key] == value for key, value in facts.items())), None)


def find_known_hull(protocol: str, phases: CrystalArrayData) -> HullReference | None:
    """Return the earlier hull, made in exactly this way, that holds most of the phases; None where none holds any."""
    builder = orm.QueryBuilder()
    builder.append(HullReference, filters={'attributes.protocol': protocol})
    builder.order_by({HullReference: {'id': 'desc'}})
    builder.limit(_HULLS_LOOKED_AT)
    wanted = set(geometry_digests(phases.crystals))
    held = [(len(wanted & set(hull.crystals.values('fingerprint'))), hull) for hull in builder.all(flat=True)]
    best = max(held, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


def _sets(filters: Mapping[str, t.Any], limit: int | None = None) -> list[ReferenceSet]:
    query = orm.QueryBuilder(limit=limit)
    query.append(ReferenceSet, filters=dict(filters), tag='set')
    query.order_by({'set': {'id': 'desc'}})
    return query.all(flat=True)
