"""The evidence card of a crystal: what is known that bears on making it, line by line, each with its source.

A line says whether its rule applies at all. What is outside of the class of bonding of a rule is `no`, what nobody
computed is `not assessed`; neither counts against the crystal. A percentile is the share of a named population, of
crystals of the same class of bonding, with a smaller value; it says how usual a value is, not how good. Nothing on the
card is the chance that a crystal can be made: lines like these do not tell made crystals from others.
"""

from __future__ import annotations

import itertools
import json
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources

from aiida_crystalgen.tools.evidence_lines import LINES, Rule

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.crystals import Crystals

Row = Mapping[str, t.Any]
Applicable: t.TypeAlias = t.Literal['yes', 'no', 'not assessed']
Value: t.TypeAlias = bool | int | float | str | None


@dataclass(frozen=True)
class Line:
    """One line of an evidence card; `dataclasses.asdict` makes it JSON."""

    name: str
    """The column of the table, or a name of its own where there is no such column."""
    group: str
    """Heading under which it is shown."""
    label: str
    """What it is, in words."""
    value: Value
    """None unless it applies."""
    unit: str
    level: str
    """Level of theory of an energy, empty otherwise."""
    applicable: Applicable
    percentile: float | None
    """Percent of the population with a smaller value, ties half; None where there is no population."""
    population: str
    """Name of the population, empty where there is no percentile."""
    source: str
    """What to cite for the rule."""
    note: str
    """How to read it, or why it does not apply or was not assessed."""


def evidence_card(
    row: Row,
    units: Mapping[str, str] | None = None,
    levels: Mapping[str, str] | None = None,
    populations: Mapping[str, t.Any] | None = None,
) -> list[Line]:
    """Return the lines of the card of one crystal, always the same ones in the same order.

    :param row: the columns of the crystal by name, unknown values None; a column that is absent was not assessed.
    :param units: units of the columns where they are not those of the criteria.
    :param levels: levels of theory of the columns.
    :param populations: what `benchmarks/populations.py` writes; default: the table that comes with the package.
    """
    chosen = default_populations() if populations is None else populations
    return [_line(rule, row, units or {}, levels or {}, chosen) for rule in LINES]


def card_of(crystals: Crystals, crystal_id: str) -> list[Line]:
    """Return the card of a crystal of a table.

    :raises ValueError: if the table has no such crystal.
    """
    from aiida_crystalgen.tools.table import column_values, table_columns

    if crystal_id not in crystals.ids:
        raise ValueError(f'there is no crystal `{crystal_id}` in this table')
    chosen = crystals.select([crystals.ids.index(crystal_id)])
    row = {name: column_values(chosen, name)[0] for name in table_columns(chosen)}
    units = {name: column.unit for name, column in chosen.columns.items()}
    return evidence_card(row, units, {name: column.level for name, column in chosen.columns.items()})


def as_records(card: Sequence[Line]) -> list[dict[str, t.Any]]:
    """Return a card as plain values, for JSON."""
    return [asdict(line) for line in card]


@cache
def default_populations() -> dict[str, t.Any]:
    """Return the quantiles of crystals of the Materials Project that come with the package."""
    text = resources.files('aiida_crystalgen.tools').joinpath('populations.json').read_text(encoding='utf-8')
    return dict(json.loads(text))


def percentile(value: float, quantiles: Sequence[float]) -> float:
    """Return the percent of a population with a smaller value, half of those with the same, from its quantiles."""
    steps = len(quantiles) - 1
    low = _place(value, quantiles)
    high = float(steps) - _place(-value, [-one for one in reversed(quantiles)])
    return 100.0 * (low + high) / 2 / steps


def _place(value: float, ascending: Sequence[float]) -> float:
    """Return where a value first fits into ascending numbers, counted in steps between them."""
    if value <= ascending[0]:
        return 0.0
    for place, (low, high) in enumerate(itertools.pairwise(ascending)):
        if value <= high:
            return place + (value - low) / (high - low)
    return float(len(ascending) - 1)


def _line(
    rule: Rule, row: Row, units: Mapping[str, str], levels: Mapping[str, str], populations: Mapping[str, t.Any]
) -> Line:
    kind = row.get('bonding_class')
    applicable, note = _applies(rule, row)
    value = row.get(rule.name) if applicable == 'yes' else None
    share, population = None, ''
    quantiles = populations['classes'].get(kind, {}).get('quantiles', {}).get(rule.name)
    if quantiles is not None and isinstance(value, int | float) and not isinstance(value, bool):
        share = round(percentile(float(value), quantiles['values']), 1)
        population = f'{populations["name"]}, class {kind} (n = {quantiles["n"]})'
    return Line(
        name=rule.name,
        group=rule.group,
        label=rule.label,
        value=value,
        unit=units.get(rule.name, rule.unit),
        level=levels.get(rule.name, ''),
        applicable=applicable,
        percentile=share,
        population=population,
        source=rule.source,
        note=note,
    )


def _applies(rule: Rule, row: Row) -> tuple[Applicable, str]:
    """Return whether a rule applies to a crystal, and why or how its value is read."""
    if rule.never:
        return 'not assessed', rule.never
    kind = row.get('bonding_class')
    if kind is not None and rule.classes and kind not in rule.classes:
        return 'no', f'the rule is for {" and ".join(rule.classes)} crystals, and this one is {kind}'
    if row.get(rule.name) is not None:
        return 'yes', rule.note
    if rule.name not in row:
        return 'not assessed', f'nothing computed it: {rule.how}'
    if rule.needs and row.get(rule.needs) is not True:
        return 'no', rule.without
    reason = row.get(rule.reason) if rule.reason else None
    return 'not assessed', str(reason or 'it was looked for, and it is unknown')
