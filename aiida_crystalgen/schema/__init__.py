"""The campaign file: what may stand in it, how it is read, and everything that is wrong with it."""

from __future__ import annotations

from .checks import problems
from .load import load_campaign
from .problem import CampaignError, Problem
from .protocols import available_protocols, default_protocol, protocol_inputs
from .spec import CampaignSpec

__all__ = [
    'CampaignError',
    'CampaignSpec',
    'Problem',
    'available_protocols',
    'default_protocol',
    'load_campaign',
    'problems',
    'protocol_inputs',
]
