"""What a row has to fulfil in a column."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from pydantic import Discriminator, Field, Tag, model_validator

from .part import Part, Values


class LimitTable(Part):
    """A limit that depends on the chemistry of the row."""

    by: t.Literal['chemical_system', 'anion_class'] = Field(description='the column that chooses the limit')
    default: float = Field(description='the limit of all others, in the unit of the gated column')
    values: dict[str, float] = Field(
        description='limits by the value of that column, as `Mg-O: 0.05`, in the unit of the gated column'
    )


def _form_of_limit(value: t.Any) -> str:
    return 'table' if isinstance(value, (dict, LimitTable)) else 'number'


Limit: t.TypeAlias = t.Annotated[
    t.Annotated[float, Tag('number')] | t.Annotated[LimitTable, Tag('table')], Discriminator(_form_of_limit)
]


class Gate(Part):
    """What a row has to fulfil in one column: `min`, `max`, `equals` or `in`, or several of them."""

    min: Limit | None = Field(default=None, description='the smallest value that passes, in the unit of the column')
    max: Limit | None = Field(default=None, description='the largest value that passes, in the unit of the column')
    equals: bool | int | float | str | None = Field(default=None, description='the only value that passes')
    in_: t.Annotated[list[bool | int | float | str], Field(min_length=1)] | None = Field(
        default=None, alias='in', description='the values that pass'
    )
    unknown: t.Literal['keep', 'reject'] = Field(default='keep', description='what to do with a row of unknown value')

    @model_validator(mode='after')
    def _has_a_condition(self) -> t.Self:
        if all(value is None for value in (self.min, self.max, self.equals, self.in_)):
            raise ValueError('a gate needs one of `min`, `max`, `equals` and `in`; write it as `{max: 0.1}`')
        return self


def dumped(gates: Mapping[str, Gate | None]) -> Values:
    """Return gates as plain values, with only what was written."""
    return {
        column: gate and gate.model_dump(mode='json', exclude_unset=True, exclude_none=True)
        for column, gate in gates.items()
    }
