"""Stand-in for torch_scatter in plain torch: the calls that MatterGen, DiffCSP and their kin make when they sample."""

from __future__ import annotations

import torch

__version__ = '2.1.2+plain'

_REDUCTIONS = {'mean': 'mean', 'max': 'amax', 'amax': 'amax', 'min': 'amin', 'amin': 'amin', 'mul': 'prod'}


def scatter(
    src: torch.Tensor,
    index: torch.Tensor,
    dim: int = -1,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
    reduce: str = 'sum',
) -> torch.Tensor:
    """Return `src` reduced along `dim` over entries of equal `index`; groups without entries are 0."""
    dim = dim % src.dim()
    size = dim_size if dim_size is not None else int(index.max()) + 1 if index.numel() else 0
    if index.dim() == 1:
        index = index.view([-1 if axis == dim else 1 for axis in range(src.dim())])
    index = index.expand_as(src)
    if out is None:
        shape = list(src.shape)
        shape[dim] = size
        out = src.new_zeros(shape)
    if reduce in ('sum', 'add'):
        return out.scatter_add_(dim, index, src)
    return out.scatter_reduce_(dim, index, src, _REDUCTIONS[reduce], include_self=False)


def scatter_add(
    src: torch.Tensor,
    index: torch.Tensor,
    dim: int = -1,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
) -> torch.Tensor:
    """Return the sums of `src` over entries of equal `index`."""
    return scatter(src, index, dim, out, dim_size, 'sum')


scatter_sum = scatter_add


def scatter_mean(
    src: torch.Tensor,
    index: torch.Tensor,
    dim: int = -1,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
) -> torch.Tensor:
    """Return the means of `src` over entries of equal `index`."""
    return scatter(src, index, dim, out, dim_size, 'mean')


def segment_coo(
    src: torch.Tensor,
    index: torch.Tensor,
    out: torch.Tensor | None = None,
    dim_size: int | None = None,
    reduce: str = 'sum',
) -> torch.Tensor:
    """Return `src` reduced along the last axis of `index`, whose values are sorted."""
    return scatter(src, index, index.dim() - 1, out, dim_size, reduce)


def segment_csr(
    src: torch.Tensor, indptr: torch.Tensor, out: torch.Tensor | None = None, reduce: str = 'sum'
) -> torch.Tensor:
    """Return `src` reduced along its first axis over the ranges between the entries of `indptr`, shape (groups+1,)."""
    groups = indptr.numel() - 1
    index = torch.repeat_interleave(torch.arange(groups, device=src.device), indptr[1:] - indptr[:-1])
    # Entries before the first and after the last range belong to none.
    inside = src[int(indptr[0]) : int(indptr[-1])]
    return scatter(inside, index, 0, out, groups, reduce)
