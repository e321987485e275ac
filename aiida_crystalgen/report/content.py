"""Gather what the page shows from the nodes of a campaign."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from aiida import orm

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.report.words import HALF_A_DIGIT
from aiida_crystalgen.tools.funnel import Funnel
from aiida_crystalgen.tools.sources import Source, sources_of

DISTANCE: t.Final = 'e_hull'


@dataclass(frozen=True)
class Content:
    """What one page is about."""

    node: orm.WorkChainNode
    spec: dict[str, t.Any]
    table: Crystals
    rejected: Crystals | None
    funnel: Funnel
    hull: HullReference | None
    references: dict[str, ReferenceSet]
    sources: list[Source]

    @property
    def name(self) -> str:
        """The name of the campaign."""
        return str(self.spec.get('name') or self.node.label or f'Campaign {self.node.pk}')

    @property
    def elements(self) -> list[str]:
        """The elements of the table and of the competing phases, in alphabetical order."""
        numbers = set(self.table.numbers.tolist())
        if self.hull is not None:
            numbers |= set(self.hull.crystals.numbers.tolist())
        return sorted(SYMBOLS[number - 1] for number in numbers)

    @property
    def hull_is_partial(self) -> bool:
        """Whether competing phases may be missing."""
        phases = self.hull or self.references.get('entries')
        return phases is not None and phases.partial

    @property
    def hull_level(self) -> str:
        """Level of theory of the competing phases, empty where there are none."""
        if self.hull is not None:
            return self.hull.level
        return self.references['entries'].level if 'entries' in self.references else ''

    def limit(self, column: str) -> float | None:
        """Return the upper limit of a filter, None where it is a table or there is none."""
        value = (self.spec.get('filters') or {}).get(column) or {}
        limit = value.get('max') if isinstance(value, dict) else None
        return float(limit) if isinstance(limit, (int, float)) else None

    def reasons(self) -> list[tuple[str, str, int, str]]:
        """Return (stage, reason, crystals, an example in words) of what was rejected, the most frequent first."""
        if self.rejected is None:
            return []
        names = ('rejected_stage', 'rejected_reason', 'rejected_detail')
        rows = list(zip(*(self.rejected.values(name) for name in names), strict=True))
        examples = {(stage, reason): detail for stage, reason, detail in reversed(rows)}
        counts = Counter((stage, reason) for stage, reason, _ in rows)
        return [(*pair, n, str(examples[pair] or '')) for pair, n in counts.most_common()]


def read_content(node: orm.WorkChainNode) -> Content:
    """Return the content of the page of a finished campaign."""
    outputs, inputs = node.outputs, node.inputs
    return Content(
        node=node,
        spec=inputs.spec.get_dict() if 'spec' in inputs else {},
        table=outputs.table.crystals,
        rejected=outputs.rejected.crystals if 'rejected' in outputs else None,
        funnel=Funnel.from_dict(outputs.funnel.get_dict()),
        hull=outputs.hull if 'hull' in outputs else None,
        references=_references(node),
        sources=sources_of(node),
    )


def _references(node: orm.WorkChainNode) -> dict[str, ReferenceSet]:
    """Return the reference sets that are used as they are, by the last part of their input's name."""
    found = node.base.links.get_incoming(node_class=ReferenceSet).all()
    named = {link.link_label.rpartition('__')[2]: t.cast(ReferenceSet, link.node) for link in found}
    return {name: named[name] for name in ('entries', 'known', 'training') if name in named}


def distances(crystals: Crystals | None) -> list[float]:
    """Return the known distances to the hull [eV/atom]; what is printed as zero is zero."""
    if crystals is None or DISTANCE not in crystals.columns:
        return []
    known = (value for value in crystals.values(DISTANCE) if value is not None)
    return [0.0 if abs(value) < HALF_A_DIGIT else value for value in known]
