"""From the arguments of a `get_builder_from_protocol` to a campaign."""

from __future__ import annotations

import typing as t
from pathlib import Path

from aiida_crystalgen.schema import CampaignSpec

if t.TYPE_CHECKING:
    from aiida import orm

Inputs = dict[str, t.Any]


def spec_from_protocol(
    code: orm.AbstractCode,
    generators: list[Inputs],
    potential: str | Inputs | None,
    protocol: str | None = None,
    overrides: Inputs | None = None,
    options: Inputs | None = None,
    **more: t.Any,
) -> CampaignSpec:
    """Return a campaign in which one Code runs everything; the arguments mean what the keys of a campaign file mean."""
    potential = {'type': potential} if isinstance(potential, str) else potential
    content: Inputs = {'version': 1, 'name': 'campaign', 'seed': 1, **more, **(overrides or {})}
    content['generators'] = [{'code': code.full_label, **generator} for generator in generators]
    if potential is not None:
        content['potential'] = {'code': code.full_label, **potential}
    if protocol is not None:
        content['protocol'] = protocol
    if options is not None:
        content['resources'] = {**content.get('resources', {}), 'options': options}
    return CampaignSpec.model_validate(content).within(Path.cwd())
