"""Stand-in for torch_sparse in plain torch: the part of SparseTensor that GemNet asks for its triplets."""

from __future__ import annotations

import torch

__version__ = '0.6.18+plain'


class SparseStorage:
    """Entries of a sparse matrix, sorted by row and then by column."""

    def __init__(self, row: torch.Tensor, col: torch.Tensor, value: torch.Tensor | None, sizes: tuple[int, int]):
        """Sort the entries; equal places keep their order."""
        order = torch.argsort(row * max(sizes[1], 1) + col, stable=True)
        self._row, self._col = row[order], col[order]
        self._value = None if value is None else value[order]
        counts = torch.bincount(self._row, minlength=sizes[0])
        self._rowptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)])

    def row(self) -> torch.Tensor:
        """Return the rows of the entries."""
        return self._row

    def col(self) -> torch.Tensor:
        """Return the columns of the entries."""
        return self._col

    def value(self) -> torch.Tensor | None:
        """Return the values of the entries."""
        return self._value

    def rowptr(self) -> torch.Tensor:
        """Return where each row begins, shape (rows+1,)."""
        return self._rowptr


class SparseTensor:
    """A sparse matrix that can be built and whose rows can be gathered."""

    def __init__(
        self,
        row: torch.Tensor,
        col: torch.Tensor,
        value: torch.Tensor | None = None,
        sparse_sizes: tuple[int | torch.Tensor, int | torch.Tensor] | None = None,
    ):
        """Build the matrix from its entries."""
        if sparse_sizes is None:
            sizes = (int(row.max()) + 1, int(col.max()) + 1) if row.numel() else (0, 0)
        else:
            sizes = (int(sparse_sizes[0]), int(sparse_sizes[1]))
        self.sizes = sizes
        self.storage = SparseStorage(row, col, value, sizes)

    def __getitem__(self, index: torch.Tensor) -> SparseTensor:
        """Return the matrix whose row i is row `index[i]` of this one."""
        rowptr = self.storage.rowptr()
        counts = rowptr[index + 1] - rowptr[index]
        row = torch.repeat_interleave(torch.arange(index.numel(), device=index.device), counts)
        first = torch.repeat_interleave(rowptr[index] - (counts.cumsum(0) - counts), counts)
        entries = first + torch.arange(row.numel(), device=index.device)
        value = self.storage.value()
        picked = None if value is None else value[entries]
        return SparseTensor(row, self.storage.col()[entries], picked, (index.numel(), self.sizes[1]))

    def to(self, device: torch.device | str) -> SparseTensor:
        """Return the matrix on another device."""
        value = self.storage.value()
        moved = None if value is None else value.to(device)
        return SparseTensor(self.storage.row().to(device), self.storage.col().to(device), moved, self.sizes)

    def set_value(self, value: torch.Tensor | None) -> SparseTensor:
        """Return the matrix with other values, given in the order of the storage."""
        return SparseTensor(self.storage.row(), self.storage.col(), value, self.sizes)

    def sum(self, dim: int) -> torch.Tensor:
        """Return the sums along an axis; an entry without value counts as 1."""
        place = self.storage.row() if dim in (1, -1) else self.storage.col()
        value = self.storage.value()
        if value is None:
            value = torch.ones_like(place, dtype=torch.get_default_dtype())
        size = self.sizes[0] if dim in (1, -1) else self.sizes[1]
        return value.new_zeros(size).scatter_add_(0, place, value)
