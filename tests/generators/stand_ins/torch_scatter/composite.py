"""Softmax over groups."""

from __future__ import annotations

import torch

from torch_scatter import scatter


def scatter_softmax(src: torch.Tensor, index: torch.Tensor, dim: int = -1, dim_size: int | None = None) -> torch.Tensor:
    """Return the softmax of `src` along `dim` within entries of equal `index`."""
    dim = dim % src.dim()
    if index.dim() == 1:
        index = index.view([-1 if axis == dim else 1 for axis in range(src.dim())])
    index = index.expand_as(src)
    size = dim_size if dim_size is not None else int(index.max()) + 1 if index.numel() else 0
    highest = scatter(src, index, dim, dim_size=size, reduce='max').gather(dim, index)
    weights = (src - highest).exp()
    return weights / scatter(weights, index, dim, dim_size=size).gather(dim, index)
