"""The base of every part of a campaign file, and the kinds of values that several parts share."""

from __future__ import annotations

import typing as t

from pydantic import BaseModel, ConfigDict, Field

Values: t.TypeAlias = dict[str, t.Any]
Text: t.TypeAlias = t.Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A frozen part of a campaign that knows all its keys."""

    model_config = ConfigDict(
        frozen=True, extra='forbid', strict=True, allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )
