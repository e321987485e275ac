"""The protocols of the campaign, as the workflows read them (the file `protocols/campaign.yaml` lies beside)."""

from __future__ import annotations

from aiida_crystalgen.schema.protocols import available_protocols, default_protocol, protocol_inputs

__all__ = ['available_protocols', 'default_protocol', 'protocol_inputs']
