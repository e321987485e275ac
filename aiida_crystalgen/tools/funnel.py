"""The funnel of a campaign as values: what each stage got, kept and rejected, and what it cost."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

TESTED_ONLY: t.Final = 'tested_only'
UNTESTED_AS_NOVEL: t.Final = 'untested_as_novel'
MINUTE: t.Final = 60.0  # s
HOUR: t.Final = 3600.0  # s


@dataclass(frozen=True)
class Stage:
    """One stage.

    :param seconds: process time of its jobs summed over rows, None where unknown.
    :param evaluations: energy evaluations of the model.
    """

    name: str
    n_in: int
    n_out: int
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    evaluations: int | None = None
    device: str = ''


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % Wilson interval."""

    k: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Funnel:
    """What became of the crystals of a campaign.

    :param sun: stable, unique and novel by limit on E_hull [eV/atom], counted both ways.
    :param level: level of theory of the energies.
    """

    requested: int
    stages: tuple[Stage, ...]
    sun: dict[float, dict[str, Rate]]
    level: str
    cost: dict[str, t.Any]

    @property
    def kept(self) -> int:
        """Number of crystals in the table."""
        return self.stages[-1].n_out if self.stages else 0

    @property
    def seconds(self) -> float | None:
        """Seconds of all stages that counted them."""
        known = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return sum(known) if known else None

    @classmethod
    def from_dict(cls, content: Mapping[str, t.Any]) -> Funnel:
        """Read the funnel that a campaign stored."""
        return cls(
            requested=int(content.get('requested', 0)),
            stages=tuple(_stage(entry) for entry in content.get('stages', [])),
            sun={
                float(limit): {way: _rate(entry) for way, entry in ways.items()}
                for limit, ways in sorted((content.get('sun') or {}).items(), key=lambda item: float(item[0]))
            },
            level=str(content.get('level') or ''),
            cost=dict(content.get('cost') or {}),
        )


def _stage(entry: Mapping[str, t.Any]) -> Stage:
    return Stage(
        name=str(entry['stage']),
        n_in=int(entry['in']),
        n_out=int(entry['out']),
        rejected=dict(sorted((entry.get('rejected') or {}).items(), key=lambda item: (-item[1], item[0]))),
        seconds=entry.get('seconds'),
        evaluations=entry.get('evaluations'),
        device=str(entry.get('device') or ''),
    )


def _rate(entry: Mapping[str, t.Any]) -> Rate:
    return Rate(int(entry['k']), int(entry['n']), entry.get('rate'), entry.get('low'), entry.get('high'))


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that a person would choose."""
    if seconds is None:
        return ''
    if seconds < 2 * MINUTE:
        return f'{seconds:.1f} s' if seconds < 10 else f'{seconds:.0f} s'
    return f'{seconds / MINUTE:.0f} min' if seconds < 2 * HOUR else f'{seconds / HOUR:.1f} h'
