"""Read a campaign file, or say everything that is wrong with it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .checks import findings
from .document import located, read_document
from .problem import CampaignError
from .spec import CampaignSpec

if t.TYPE_CHECKING:
    from .checks import Registry


def load_campaign(filepath: str | Path, registry: Registry | None = None) -> CampaignSpec:
    """Return the campaign in a YAML file; nothing runs and nothing is imported that a generator needs.

    :param registry: the `ABOUT` of every adapter by kind and name; default: what is installed here.
    :raises CampaignError: with all problems at once, each with line and remedy.
    """
    path = Path(filepath)
    document = read_document(path)
    if registry is None:
        from aiida_crystalgen import bundles

        registry = bundles.registry()
    problems = located(document, findings(document.raw, registry, path.parent))
    if problems:
        raise CampaignError(problems, path)
    return CampaignSpec.model_validate(document.raw).within(path.parent)
