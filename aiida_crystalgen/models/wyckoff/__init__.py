"""A transformer that writes crystals as space group, Wyckoff sites, cell and free coordinates."""

from .grammar import WishError, Wishes
from .model import Sample, WyckoffModel
from .weights import WeightsError

__all__ = ['Sample', 'WeightsError', 'WishError', 'Wishes', 'WyckoffModel']
