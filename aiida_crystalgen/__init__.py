"""Generate, screen and rank crystals in AiiDA: every accept and every reject in the provenance graph."""

from __future__ import annotations

import typing as t

__version__ = '0.1.0'

__all__ = [
    'CampaignSpec',
    'CampaignWorkChain',
    'HullReference',
    'ReferenceSet',
    'StructureBatch',
    'get_builder',
    'load_campaign',
    'read_reference',
]

_HOMES = {
    'CampaignSpec': 'aiida_crystalgen.schema',
    'CampaignWorkChain': 'aiida_crystalgen.workflows.campaign',
    'HullReference': 'aiida_crystalgen.data.hull',
    'ReferenceSet': 'aiida_crystalgen.data.reference',
    'StructureBatch': 'aiida_crystalgen.data.batch',
    'get_builder': 'aiida_crystalgen.workflows.builder',
    'load_campaign': 'aiida_crystalgen.schema',
    'read_reference': 'aiida_crystalgen.references.read',
}


def __getattr__(name: str) -> t.Any:
    """Import a public name when it is first asked for, so that `import aiida_crystalgen` stays instant."""
    if name not in _HOMES:
        raise AttributeError(f'module `aiida_crystalgen` has no attribute `{name}`; public names: {", ".join(__all__)}')
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, '__version__'])
