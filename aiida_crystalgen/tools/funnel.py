"""The funnel of a campaign as values: what each stage got, kept and rejected, and what it cost."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTE: t.Final = 60.0  # s
HOUR: t.Final = 3600.0  # s


@dataclass(frozen=True)
class Stage:
    """One stage.

    :param rejected: number of crystals by reason, the most frequent first.
    :param seconds: time of its rows, summed over processes; None where it was not measured.
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
    """A share of `n` crystals with its 95 % Wilson interval; None where it is unknown."""

    count: int | None
    n: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Sun:
    """Stable, unique and novel crystals at one limit of stability.

    :param limit: largest energy above the hull that counts as stable [eV/atom].
    :param tested: where novelty that was not tested counts as not novel.
    :param untested_novel: where it counts as novel, the literature's habit.
    """

    limit: float
    tested: Rate
    untested_novel: Rate

    @property
    def is_known(self) -> bool:
        """Whether there was a hull to be stable against."""
        return self.untested_novel.count is not None

    @property
    def is_one_number(self) -> bool:
        """Whether every stable crystal was tested for novelty, so that both ways of counting agree."""
        return self.tested.count == self.untested_novel.count


@dataclass(frozen=True)
class Funnel:
    """What became of the crystals of a campaign.

    :param level: level of theory of the energies.
    :param cost: seconds and evaluations, in all and per S.U.N. crystal at the largest limit.
    :param not_told: conditions of the campaign that a generator could not be told, by its label.
    """

    requested: int
    stages: tuple[Stage, ...]
    sun: tuple[Sun, ...]
    level: str
    cost: dict[str, t.Any]
    not_told: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Number of crystals in the table."""
        return self.stages[-1].n_out if self.stages else 0

    @property
    def seconds(self) -> float | None:
        """Seconds of all stages, competing phases included."""
        seconds = self.cost.get('seconds')
        return None if seconds is None else float(seconds)

    @classmethod
    def from_dict(cls, content: Mapping[str, t.Any]) -> Funnel:
        """Read the funnel that a campaign stored."""
        return cls(
            requested=int(content['requested']),
            stages=tuple(_stage(entry) for entry in content['stages']),
            sun=tuple(sorted((_sun(limit, ways) for limit, ways in content['sun'].items()), key=lambda sun: sun.limit)),
            level=str(content['level']),
            cost=dict(content['cost']),
            not_told=dict(content.get('not_told') or {}),
        )


def _stage(entry: Mapping[str, t.Any]) -> Stage:
    return Stage(
        name=str(entry['stage']),
        n_in=int(entry['in']),
        n_out=int(entry['out']),
        rejected=dict(sorted(entry['rejected'].items(), key=lambda item: (-item[1], item[0]))),
        seconds=entry.get('seconds'),
        evaluations=entry.get('evaluations'),
        device=str(entry.get('device') or ''),
    )


def _sun(limit: str, ways: Mapping[str, t.Any]) -> Sun:
    return Sun(float(limit), _rate(ways['tested_only']), _rate(ways['untested_as_novel']))


def _rate(entry: Mapping[str, t.Any]) -> Rate:
    return Rate(entry['k'], int(entry['n']), entry['rate'], entry['low'], entry['high'])


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that a person would choose."""
    if seconds is None:
        return ''
    if seconds < 2 * MINUTE:
        return f'{seconds:.1f} s' if seconds < 10 else f'{seconds:.0f} s'
    return f'{seconds / MINUTE:.0f} min' if seconds < 2 * HOUR else f'{seconds / HOUR:.1f} h'
