"""What generators are told, in which units they draw, and in which order."""

from __future__ import annotations

import math
import typing as t

from aiida_crystalgen.bundles import about, units_of
from aiida_crystalgen.schema.conditions import told, unheard
from aiida_crystalgen.schema.targets import READER
from aiida_crystalgen.schema.templates import narrowed

if t.TYPE_CHECKING:
    from aiida_crystalgen.schema.parameters import About
    from aiida_crystalgen.schema.spec import CampaignSpec, GeneratorSpec

Inputs = dict[str, t.Any]


def told_generator(spec: CampaignSpec, generator: GeneratorSpec) -> GeneratorSpec:
    """Return a generator with the conditions of the campaign among its parameters."""
    entry, _ = told(generator.model_dump(), _heard(generator), _conditions(spec))
    changes: Inputs = {key: entry[key] for key in ('parameters', 'files') if key in entry}
    if generator.n is None and generator.type != READER and spec.targets is not None:
        changes['n'] = spec.targets.candidates
    return generator.model_copy(update=changes)


def not_told(spec: CampaignSpec) -> dict[str, list[str]]:
    """Return the conditions that generators cannot be told, by their labels."""
    missing = {g.name: unheard(_heard(g), _conditions(spec)) for g in spec.generators}
    return {name: terms for name, terms in missing.items() if terms}


def schedule(spec: CampaignSpec, lanes: int) -> Inputs:
    """Return how many generators draw side by side, and which one has to wait for which."""
    after = {generator.name: generator.after for generator in spec.generators if generator.after is not None}
    return {'window': lanes, 'after': after}


def chunk_size(spec: CampaignSpec, name: str, usual: int) -> int:
    """Return how many crystals a generator makes in a job: as the campaign says, else the generator, else as usual."""
    asked: int | None = spec.resources.chunk_size
    return int(about('generator', name).get('chunk_size', usual)) if asked is None else asked


def draw_parameters(spec: CampaignSpec, generator: GeneratorSpec, n_crystals: int) -> tuple[Inputs, int | None]:
    """Return the parameters of a draw, and the crystals of a draw unit where the tool draws many at once.

    Units are as few as with the size asked for, and as even as can be, because a unit is drawn whole: 100 crystals are
    two units of 50 and not 64 and another 64, of which 28 would be wasted.
    """
    description = about('generator', generator.type)
    parameters = {**generator.parameters, 'seed': spec.seed}
    name = description.get('units', 1)
    if not isinstance(name, str):
        return parameters, None
    n_units = math.ceil(n_crystals / units_of(description, parameters))
    parameters[name] = math.ceil(n_crystals / n_units)
    return parameters, parameters[name]


def _heard(generator: GeneratorSpec) -> About:
    """Return the `ABOUT` of a generator with only the terms that it is told, as its command is written."""
    return narrowed(about('generator', generator.type), generator.parameters)


def _conditions(spec: CampaignSpec) -> Inputs:
    return spec.conditions.model_dump(exclude_none=True)
