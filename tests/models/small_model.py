"""A model that was not trained: its network is noise, so that only the masks keep its crystals in order."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import torch

from aiida_crystalgen.models.wyckoff.model import WyckoffModel
from aiida_crystalgen.models.wyckoff.network import Network, Shape

SHAPE = Shape(width=16, layers=2, heads=2)


@cache
def small_model() -> WyckoffModel:
    """Return a network of 16 numbers a state; it knows all elements but neon."""
    torch.manual_seed(3)
    network = Network(SHAPE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(8.0)
        # Without this the lists of sites of an untrained network have no end.
        network.element_bias[0] = 4.0
    elements = [number for number in range(1, 119) if number != 10]
    return WyckoffModel(network, np.full(119, 15.0), {'elements': json.dumps(elements)})
