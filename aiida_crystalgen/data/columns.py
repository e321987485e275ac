"""One column of a batch of crystals: typed values with an explicit "unknown"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from aiida_crystalgen.data.npz import Array

KINDS = ('row', 'site', 'ragged', 'text')
DTYPES = {'float': '<f8', 'int': '<i8', 'bool': '?'}
ZEROS: dict[str, float | int | bool] = {'float': 0.0, 'int': 0, 'bool': False}
NAME = re.compile(r'[A-Za-z0-9_]+')
OFFSETS = '<i8'
CONTINUATION_MASK, CONTINUATION = 0xC0, 0x80


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one quantity, one entry a row.

    :param kind: `row` (values (N, *shape)), `site` (values (S, *shape), split by the offsets of the batch), `ragged`
        (values (M, *shape), split by `offsets`) or `text` (UTF-8 bytes, split by `offsets`).
    :param mask: (N,), True where the value is unknown; None if every value is known. Unknown values are zero or empty.
    :param offsets: (N + 1,), for `ragged` and `text` only.
    :param unit: empty for a dimensionless quantity.
    :param level: level of theory of an energy-like quantity.
    """

    kind: str
    values: Array
    mask: Array | None = None
    offsets: Array | None = None
    dtype: str = 'float'
    unit: str = ''
    help: str = ''
    level: str = ''

    def meta(self) -> dict[str, Any]:
        """Describe the column without its values."""
        shape = [] if self.kind == 'text' else [int(length) for length in self.values.shape[1:]]
        dtype = 'text' if self.kind == 'text' else self.dtype
        return {
            'kind': self.kind, 'dtype': dtype, 'shape': shape, 'unit': self.unit, 'help': self.help, 'level': self.level
        }  # fmt: skip

    def select(self, index: Array, site_offsets: Array) -> Column:
        """Return the rows `index` of the column; `site_offsets` are those of the batch."""
        mask = None if self.mask is None else self.mask[index]
        if self.kind == 'row':
            return self._replace(self.values[index], mask, None)
        split = site_offsets if self.offsets is None else self.offsets
        offsets, flat = gather(split, index)
        return self._replace(self.values[flat], mask, None if self.offsets is None else offsets)

    def to_list(self, site_offsets: Array) -> list[Any]:
        """Return one Python value a row, None where unknown."""
        if self.kind == 'row':
            entries = self.values.tolist()
        else:
            bounds = pairwise((site_offsets if self.offsets is None else self.offsets).tolist())
            if self.kind == 'text':
                content = self.values.tobytes()
                entries = [content[start:stop].decode() for start, stop in bounds]
            else:
                flat = self.values.tolist()
                entries = [flat[start:stop] for start, stop in bounds]
        if self.mask is None:
            return list(entries)
        return [None if unknown else entry for entry, unknown in zip(entries, self.mask.tolist(), strict=True)]

    def _replace(self, values: Array, mask: Array | None, offsets: Array | None) -> Column:
        return Column(self.kind, values, mask, offsets, self.dtype, self.unit, self.help, self.level)


def make_column(
    values: Sequence[Any], meta: Mapping[str, Any], site_offsets: Array | None = None, name: str = ''
) -> Column:
    """Make a column of one Python value a row (None: unknown).

    :param site_offsets: (N + 1,) offsets of the batch; needed by the kind `site`.
    :param name: used in error messages only.
    :raises ValueError: with a sentence that names the column and the row.
    """
    kind, dtype, shape = meta['kind'], meta.get('dtype', 'float'), tuple(meta.get('shape', ()))
    if kind not in KINDS or (kind != 'text' and dtype not in DTYPES):
        raise ValueError(f'column `{name}`: kind `{kind}` with dtype `{dtype}` does not exist.')
    mask = np.array([value is None for value in values], dtype='?')
    offsets = None
    if kind == 'row':
        blank = np.full(shape, ZEROS[dtype]).tolist()
        filled = [blank if value is None else value for value in values]
        flat = _row_values(filled, dtype, shape, name)
    elif kind == 'text':
        pieces = [_encode(value, name, row) for row, value in enumerate(values)]
        flat, offsets = np.frombuffer(b''.join(pieces), dtype='u1'), _cumulate(pieces)
    else:
        entries = _entries(values, dtype, shape, name, site_offsets if kind == 'site' else None)
        flat = np.concatenate([np.empty((0, *shape), DTYPES[dtype]), *entries])
        offsets = _cumulate(entries) if kind == 'ragged' else None
    texts = {key: str(meta.get(key, '')) for key in ('unit', 'help', 'level')}
    return Column(kind, flat, mask if mask.any() else None, offsets, 'text' if kind == 'text' else dtype, **texts)


def unknown_column(meta: Mapping[str, Any], site_offsets: Array) -> Column:
    """Make a column in which every value is unknown."""
    return make_column([None] * (len(site_offsets) - 1), meta, site_offsets)


def checked(name: str, column: Column, site_offsets: Array) -> Column:
    """Return the column in canonical form: fixed types, unknown values zeroed, no mask where all is known.

    :raises ValueError: with a sentence that names the column and, where there is one, the row.
    """
    where = f'column `{name}`'
    if not NAME.fullmatch(name):
        raise ValueError(f'`{name}` is not a column name: only letters, digits and underscores are allowed.')
    n_rows, values = len(site_offsets) - 1, column.values
    if column.kind not in KINDS or (column.kind != 'text' and column.dtype not in DTYPES):
        raise ValueError(f'{where}: kind `{column.kind}` with dtype `{column.dtype}` does not exist.')
    owns_offsets = column.kind in ('ragged', 'text')
    if owns_offsets == (column.offsets is None):
        raise ValueError(f'{where} of kind `{column.kind}` must {"" if owns_offsets else "not "}have offsets.')
    offsets = None if column.offsets is None else checked_offsets(where, column.offsets, n_rows, len(values))
    length = {'row': n_rows, 'site': int(site_offsets[-1])}.get(column.kind, len(values))
    if values.ndim < 1 or len(values) != length:
        raise ValueError(f'{where} has {len(values)} values where the batch needs {length}.')
    mask = column.mask
    if mask is not None and (mask.shape != (n_rows,) or mask.dtype != np.bool_):
        raise ValueError(f'the mask of {where} must be one truth value for each of the {n_rows} rows.')
    unknown = np.zeros(n_rows, dtype='?') if mask is None else mask
    if offsets is not None:
        long = np.flatnonzero(unknown & (np.diff(offsets) > 0))
        if len(long):
            raise ValueError(f'{where} has values in row {long[0]}, which is marked as unknown.')
    values = _checked_text(where, values, offsets) if column.kind == 'text' else as_dtype(where, values, column.dtype)
    if offsets is None and unknown.any():
        values = values.copy()
        values[unknown if column.kind == 'row' else np.repeat(unknown, np.diff(site_offsets))] = 0
    split = site_offsets if offsets is None and column.kind == 'site' else offsets
    if column.kind != 'text':
        refuse_non_finite(where, values, split)
    dtype = 'text' if column.kind == 'text' else column.dtype
    mask = frozen(unknown) if unknown.any() else None
    return Column(column.kind, frozen(values), mask, offsets, dtype, column.unit, column.help, column.level)


def gather(offsets: Array, index: Array) -> tuple[Array, Array]:
    """Return the new offsets and the flat positions of the entries of the rows `index`."""
    lengths = np.diff(offsets)[index]
    taken = np.concatenate([np.zeros(1, OFFSETS), np.cumsum(lengths, dtype=OFFSETS)])
    flat = np.arange(taken[-1]) + np.repeat(offsets[:-1][index] - taken[:-1], lengths)
    return taken, flat


def frozen(array: Array) -> Array:
    """Return a read-only, contiguous view of the array."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def as_dtype(where: str, values: Any, dtype: str) -> Array:
    """Convert to the little-endian type of the column; nothing is rounded, parsed from text or wrapped round.

    :raises ValueError: with a sentence that starts with `where`.
    """
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as exception:
        raise ValueError(f'{where} holds values of unequal shape.') from exception
    accepted = {'float': 'fiu', 'int': 'iu', 'bool': 'b'}[dtype]
    if array.size == 0:
        return array.astype(DTYPES[dtype])
    if dtype == 'int' and array.dtype.kind == 'f' and (np.abs(array) < 2**53).all() and (array == np.rint(array)).all():
        return array.astype(DTYPES['int'])
    if array.dtype.kind not in accepted or (dtype == 'int' and array.dtype == np.uint64 and array.max() >= 2**63):
        raise ValueError(f'{where} holds a value that is no {dtype}.')
    return array.astype(DTYPES[dtype], copy=False)


def checked_offsets(where: str, offsets: Array, n_rows: int, length: int) -> Array:
    """Return offsets that start at zero, never fall and end at `length`."""
    if offsets.shape != (n_rows + 1,) or offsets.dtype.kind not in 'iu':
        raise ValueError(f'the offsets of {where} must be {n_rows + 1} integers.')
    offsets = offsets.astype(OFFSETS, copy=False)
    if offsets[0] != 0 or offsets[-1] != length or (np.diff(offsets) < 0).any():
        raise ValueError(f'the offsets of {where} must rise from 0 to {length}.')
    return frozen(offsets)


def refuse_non_finite(where: str, values: Array, offsets: Array | None) -> None:
    """Raise a sentence naming the first row that holds NaN or infinity (`offsets` None: one entry a row)."""
    if values.dtype.kind != 'f' or np.isfinite(values).all():
        return
    entry = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0])
    row = entry if offsets is None else int(np.searchsorted(offsets, entry, side='right')) - 1
    raise ValueError(f'{where} is not finite in row {row}: mark an unknown value as unknown (None).')


def _row_values(filled: Sequence[Any], dtype: str, shape: tuple[int, ...], name: str) -> Array:
    if not filled:
        return np.empty((0, *shape), DTYPES[dtype])
    try:
        array = as_dtype(f'column `{name}`', filled, dtype)
        if array.shape == (len(filled), *shape):
            return array
    except ValueError:
        pass
    for row, value in enumerate(filled):
        where = f'column `{name}`, row {row},'
        if (array := as_dtype(where, value, dtype)).shape != shape:
            raise ValueError(f'{where} has shape {list(array.shape)} where {list(shape)} is declared.')
    return np.stack([as_dtype('', value, dtype) for value in filled])


def _entries(
    values: Sequence[Any], dtype: str, shape: tuple[int, ...], name: str, site_offsets: Array | None
) -> list[Array]:
    counts = [None] * len(values) if site_offsets is None else np.diff(site_offsets).tolist()
    entries = []
    for row, (value, count) in enumerate(zip(values, counts, strict=True)):
        where = f'column `{name}`, row {row},'
        entry = as_dtype(where, np.zeros((count or 0, *shape), DTYPES[dtype]) if value is None else value, dtype)
        entry = entry.reshape((0, *shape)) if entry.size == 0 and entry.ndim <= 1 else entry
        if entry.ndim < 1 or entry.shape[1:] != shape:
            raise ValueError(f'{where} has shape {list(entry.shape)} where entries of {list(shape)} are declared.')
        if count is not None and len(entry) != count:
            raise ValueError(f'{where} has {len(entry)} values for {count} sites.')
        entries.append(entry)
    return entries


def _encode(value: Any, name: str, row: int) -> bytes:
    if value is None:
        return b''
    if not isinstance(value, str):
        raise ValueError(f'column `{name}`, row {row}, holds {value!r}, which is no text.')
    try:
        return value.encode()
    except UnicodeEncodeError as exception:
        raise ValueError(f'column `{name}`, row {row}, holds text that is not valid Unicode.') from exception


def _cumulate(pieces: Sequence[Any]) -> Array:
    return np.concatenate([[0], np.cumsum([len(piece) for piece in pieces], dtype=OFFSETS)]).astype(OFFSETS)


def _checked_text(where: str, values: Array, offsets: Array | None) -> Array:
    if values.dtype != np.uint8 or values.ndim != 1:
        raise ValueError(f'{where} of kind `text` must hold UTF-8 bytes.')
    try:
        values.tobytes().decode()
    except UnicodeDecodeError as exception:
        raise ValueError(f'{where} holds bytes that are not UTF-8.') from exception
    starts = np.empty(0, OFFSETS) if offsets is None else offsets[offsets < len(values)]
    if ((values[starts] & CONTINUATION_MASK) == CONTINUATION).any():
        raise ValueError(f'the offsets of {where} cut a character in two.')
    return values
