"""The part `ranking`: what makes one crystal better than another, and how varied the short list is."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from aiida_crystalgen.science.priority import DEFAULTS, terms

from .part import Part, Values
from .problem import Finding, Keys, choose

Column: t.TypeAlias = Mapping[str, t.Any]

Share: t.TypeAlias = t.Annotated[float, Field(ge=0, le=1)]
Weight: t.TypeAlias = t.Annotated[float, Field(ge=0)]

# The criterion that a short list needs which is varied by prototype.
CRITERION: t.Final = 'prototype'
# How columns begin that are written after the screen, and the part of the campaign that they come from.
LATER: t.Final = {
    'phonon_': 'phonons',
    'dft_': 'verify',
    'e_hull_': 'committee',
    'stable_agreement': 'committee',
    'committee_size': 'committee',
}


class TermSpec(Part):
    """What a column counts for in the priority, from 0 at its worst to 1 at its best value, linear between."""

    weight: Weight = Field(default=1.0, description='how much it counts, relative to the others')
    best: float | None = Field(default=None, description='the value from which it is as good as can be')
    worst: float | None = Field(default=None, description='the value from which it counts nothing')
    values: dict[str, Share] | None = Field(
        default=None, description='of a column of text: what each text counts for, from 0 to 1'
    )
    unknown: Share | None = Field(
        default=0.0, description='what an unknown value counts for; null: the priority is then unknown too'
    )


def _form_of_weight(value: t.Any) -> str:
    return 'term' if isinstance(value, (dict, TermSpec)) else 'number'


WeightOrTerm: t.TypeAlias = t.Annotated[
    t.Annotated[Weight, Tag('number')] | t.Annotated[TermSpec, Tag('term')], Discriminator(_form_of_weight)
]


class DiversitySpec(Part):
    """How many crystals of a kind the short list may hold; the next best take the places."""

    max_per_formula: int | None = Field(default=None, ge=1, description='crystals of one reduced formula')
    max_per_system: int | None = Field(default=None, ge=1, description='crystals of the same elements')
    max_per_prototype: int | None = Field(
        default=None, ge=1, description='crystals of one prototype (column `prototype`), whatever their elements'
    )


class RankingSpec(Part):
    """The order of the table, instead of that by energy."""

    objectives: dict[str, t.Literal['min', 'max']] = Field(
        default_factory=dict, description='columns to be made small or large; they give the column `pareto_front`'
    )
    weights: dict[str, WeightOrTerm] = Field(
        default_factory=dict,
        description='what the columns count for in `priority`, which then gives the order: a weight, or a term',
    )
    diversity: DiversitySpec = Field(default_factory=DiversitySpec, description='limits of the short list')

    @model_validator(mode='after')
    def _says_something(self) -> t.Self:
        if not (self.objectives or self.weights or self.diversity.model_dump(exclude_none=True)):
            raise ValueError('nothing is asked for here; give `objectives`, `weights` or `diversity`')
        return self

    def rules(self) -> Values:
        """Return the rules as plain values, with only what was written."""
        return self.model_dump(mode='json', exclude_unset=True)


def steps_of_ranking(screens: Values, ranking: RankingSpec | None) -> Values:
    """Return changes to the screens with the criterion in them that the short list needs.

    :param screens: the changes that the campaign makes itself, in the form of the protocol.
    """
    if ranking is None or ranking.diversity.max_per_prototype is None:
        return screens
    after = dict(screens.get('postscreen', {}))
    after[CRITERION] = after.get(CRITERION) or {}
    return {**screens, 'postscreen': after}


def set_ranking(raw: Mapping[str, t.Any]) -> RankingSpec | None:
    """Return what a campaign says of the ranking; None where it says nothing, or nothing of the right form."""
    try:
        return RankingSpec.model_validate(raw['ranking'])
    except (KeyError, ValidationError):
        return None


def ranking_findings(raw: Mapping[str, t.Any], columns: Mapping[str, Column]) -> Iterator[Finding]:
    """Yield objectives and weights on columns that do not exist, or whose kind has no order.

    :param columns: descriptions of the columns of the screened crystals.
    """
    if set_ranking(raw) is None:
        return
    for key in ('objectives', 'weights'):
        for name, value in raw['ranking'].get(key, {}).items():
            yield from _column_findings(raw, str(name), value, columns, ('ranking', key, name))


def _column_findings(
    raw: Mapping[str, t.Any], name: str, value: t.Any, columns: Mapping[str, Column], keys: Keys
) -> Iterator[Finding]:
    section = next((section for start, section in LATER.items() if name.startswith(start)), None)
    meta = columns.get(name, {})
    if not meta and section is None:
        yield Finding(keys, f'no column has the name `{name}`', choose(name, columns))
    elif not meta and not isinstance(raw.get(str(section)), (Mapping, list)):
        yield Finding(keys, f'`{name}` is unknown for every crystal without `{section}`', f'add `{section}`')
    elif meta.get('kind', 'row') not in {'row', 'text'} or meta.get('shape'):
        yield Finding(keys, f'`{name}` holds many values for each crystal', 'take a column with one value')
    elif keys[1] == 'weights' and meta.get('kind') == 'text' and 'values' not in _scale(name, value):
        remedy = f'write `{name}: {{values: {{good: 1, bad: 0}}}}`'
        yield Finding(keys, f'`{name}` is text, so each text needs what it counts for', remedy)
    elif keys[1] == 'weights':
        yield from _term_findings(name, value, frozenset({name} if meta.get('dtype') == 'bool' else ()), keys)
    elif meta.get('kind') == 'text':
        yield Finding(keys, f'`{name}` is text and has no order', 'take a column of numbers')


def _scale(name: str, value: t.Any) -> t.Any:
    own = isinstance(value, Mapping) and {'best', 'worst', 'values'} & set(value)
    return value if own else DEFAULTS.get(name, {})


def _term_findings(name: str, value: t.Any, flags: frozenset[str], keys: Keys) -> Iterator[Finding]:
    try:
        terms({name: value}, flags)
    except (ValueError, TypeError) as error:
        known = f'; columns with a scale of their own are {", ".join(DEFAULTS)}' if 'no default' in str(error) else ''
        yield Finding(keys, f'{error}{known}', f'write `{name}: {{weight: 1, best: ..., worst: ...}}`')
