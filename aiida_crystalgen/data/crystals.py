"""A batch of crystals in columns: the one place that knows the layout. Plain numpy, no AiiDA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from aiida_crystalgen.data.columns import (
    OFFSETS,
    Column,
    as_dtype,
    checked,
    checked_offsets,
    frozen,
    gather,
    make_column,
    refuse_non_finite,
    unknown_column,
)
from aiida_crystalgen.data.npz import Array, read_npz, write_npz

__all__ = ('ID_META', 'Column', 'Crystals', 'make_column')

GEOMETRY = ('offsets', 'numbers', 'positions', 'cells', 'pbc')
ID_HELP = '<draw>-<index>'
ID_META: dict[str, Any] = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': ID_HELP, 'level': ''}
LARGEST_NUMBER = 118


@dataclass(frozen=True, eq=False)
class Crystals:
    """N crystals with S sites in all, checked on construction and read-only.

    :param offsets: (N + 1,); crystal i owns the sites offsets[i]:offsets[i + 1]. A crystal may have no atoms.
    :param numbers: (S,) atomic numbers.
    :param positions: (S, 3) Cartesian, Å.
    :param cells: (N, 3, 3) lattice vectors as rows, Å.
    :param pbc: (N, 3).
    :param columns: by name, kept in alphabetical order; `id` (text, unique, never unknown) is one of them.
    :raises ValueError: with a sentence.
    """

    offsets: Array
    numbers: Array
    positions: Array
    cells: Array
    pbc: Array
    columns: dict[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check everything and bring it into canonical form."""
        n_sites, n_rows = len(self.numbers), len(self.cells)
        offsets = checked_offsets('the batch', np.asarray(self.offsets), n_rows, n_sites)
        numbers = as_dtype('`numbers`', self.numbers, 'int')
        strange = np.flatnonzero((numbers < 1) | (numbers > LARGEST_NUMBER))
        if len(strange):
            row = int(np.searchsorted(offsets, strange[0], side='right')) - 1
            raise ValueError(f'row {row} holds the atomic number {numbers[strange[0]]}, which no element has.')
        geometry = {
            'numbers': (numbers.astype('<i2'), (n_sites,)),
            'positions': (as_dtype('`positions`', self.positions, 'float'), (n_sites, 3)),
            'cells': (as_dtype('`cells`', self.cells, 'float'), (n_rows, 3, 3)),
            'pbc': (as_dtype('`pbc`', self.pbc, 'bool'), (n_rows, 3)),
        }
        for name, (array, shape) in geometry.items():
            if array.shape != shape:
                raise ValueError(f'`{name}` has shape {list(array.shape)} where {list(shape)} is needed.')
            refuse_non_finite(f'`{name}`', array, offsets if name == 'positions' else None)
            object.__setattr__(self, name, frozen(array))
        object.__setattr__(self, 'offsets', offsets)
        columns = {name: checked(name, self.columns[name], offsets) for name in sorted(self.columns)}
        object.__setattr__(self, 'columns', columns)
        columns['id'] = _checked_ids(columns.get('id'), self.ids)

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.cells)

    @cached_property
    def ids(self) -> list[str]:
        """The column `id`."""
        return self.columns['id'].to_list(self.offsets) if 'id' in self.columns else []

    def values(self, name: str) -> list[Any]:
        """Return the column as one Python value a row, None where unknown."""
        if name not in self.columns:
            raise KeyError(f'there is no column `{name}`; there are: {", ".join(self.columns)}.')
        return self.columns[name].to_list(self.offsets)

    def row(self, index: int) -> dict[str, Any]:
        """Return one crystal as a dictionary (see `rows`)."""
        return next(self.select([range(len(self))[index]]).rows())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Iterate over dictionaries with id, index (within its draw), numbers, positions, cell, pbc and columns."""
        names = [name for name in self.columns if name != 'id']
        table = zip(*(self.values(name) for name in names), strict=True) if names else iter([()] * len(self))
        for place, (crystal_id, entries) in enumerate(zip(self.ids, table, strict=True)):
            sites = slice(self.offsets[place], self.offsets[place + 1])
            last = crystal_id.rpartition('-')[2]
            yield {
                'id': crystal_id,
                'index': int(last) if last.isascii() and last.isdigit() else place,
                'numbers': self.numbers[sites],
                'positions': self.positions[sites],
                'cell': self.cells[place],
                'pbc': self.pbc[place],
                'columns': dict(zip(names, entries, strict=True)),
            }

    def meta(self) -> dict[str, dict[str, Any]]:
        """Describe every column."""
        return {name: column.meta() for name, column in self.columns.items()}

    def equals(self, other: Crystals) -> bool:
        """Say whether the other batch has the same content, bit by bit."""
        (mine, my_meta), (theirs, their_meta) = self.to_arrays(), other.to_arrays()
        return (
            my_meta == their_meta
            and mine.keys() == theirs.keys()
            and all(np.array_equal(mine[name], theirs[name]) for name in mine)
        )

    def select(self, indices: Sequence[int] | Sequence[bool] | Array) -> Crystals:
        """Return the rows in the order of `indices` (or where a mask is True)."""
        index = np.asarray(indices)
        index = np.flatnonzero(index) if index.dtype == np.bool_ and len(index) == len(self) else index
        index = np.arange(len(self))[index.astype(np.intp) if index.size == 0 else index]
        offsets, sites = gather(self.offsets, index)
        columns = {name: column.select(index, self.offsets) for name, column in self.columns.items()}
        return Crystals(
            offsets, self.numbers[sites], self.positions[sites], self.cells[index], self.pbc[index], columns
        )

    def with_columns(self, columns: Mapping[str, Column]) -> Crystals:
        """Return the batch with more columns; an existing one is never overwritten."""
        if taken := sorted(self.columns.keys() & columns.keys()):
            raise ValueError(f'column `{taken[0]}` exists already; a second value of it needs a name of its own.')
        return self._replace(columns={**self.columns, **columns})

    def with_geometry(
        self, numbers: Array, positions: Array, cells: Array, pbc: Array, offsets: Array | None = None
    ) -> Crystals:
        """Return the batch with the same columns on another geometry (`offsets` None: the same sites)."""
        offsets = self.offsets if offsets is None else np.asarray(offsets)
        per_site = [name for name, column in self.columns.items() if column.kind == 'site']
        if per_site and not np.array_equal(offsets, self.offsets):
            raise ValueError(f'column `{per_site[0]}` has one value a site, so the number of sites cannot change.')
        return Crystals(offsets, numbers, positions, cells, pbc, self.columns)

    def drop_columns(self, names: Sequence[str]) -> Crystals:
        """Return the batch without these columns; names that do not exist are ignored."""
        return self._replace(columns={name: column for name, column in self.columns.items() if name not in names})

    @classmethod
    def empty(cls, ids: Sequence[str]) -> Crystals:
        """Make crystals of zero atoms that wait for their content."""
        n_rows = len(ids)
        return cls(
            np.zeros(n_rows + 1, OFFSETS),
            np.zeros(0, '<i2'),
            np.zeros((0, 3)),
            np.zeros((n_rows, 3, 3)),
            np.ones((n_rows, 3), '?'),
            {'id': make_column(list(ids), ID_META, name='id')},
        )

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]], columns_meta: Mapping[str, Mapping[str, Any]]) -> Crystals:
        """Make a batch of dictionaries with id, numbers, positions, cell, pbc and columns.

        :param columns_meta: the columns to read; one that a row lacks is unknown there.
        """
        numbers, positions, cells, pbc = zip(*map(_geometry, rows), strict=True) if rows else ((), (), (), ())
        offsets = np.cumsum([0, *map(len, numbers)], dtype=OFFSETS)
        columns = {'id': make_column([row['id'] for row in rows], ID_META, name='id')}
        for name, meta in columns_meta.items():
            if name != 'id':
                entries = [row.get('columns', {}).get(name) for row in rows]
                columns[name] = make_column(entries, meta, offsets, name)
        return cls(
            offsets,
            np.concatenate([np.zeros(0, '<i8'), *numbers]),
            np.concatenate([np.zeros((0, 3)), *positions]),
            np.concatenate([np.zeros((0, 3, 3)), *cells]),
            np.concatenate([np.zeros((0, 3), '?'), *pbc]),
            columns,
        )

    @staticmethod
    def concatenate(batches: Sequence[Crystals]) -> Crystals:
        """Join batches; a column that one of them lacks is unknown there.

        :raises ValueError: where an id occurs twice or two batches describe a column differently.
        """
        if not batches:
            return Crystals.empty([])
        metas: dict[str, dict[str, Any]] = {}
        for batch in batches:
            for name, meta in batch.meta().items():
                _check_same(name, metas.setdefault(name, meta), meta)
        shifts = np.cumsum([0, *(batch.offsets[-1] for batch in batches)])
        columns = {}
        for name, meta in metas.items():
            parts = [batch.columns.get(name) or unknown_column(meta, batch.offsets) for batch in batches]
            columns[name] = _join(parts, [len(batch) for batch in batches])
        geometry = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in GEOMETRY[1:]}
        offsets = _join_offsets([batch.offsets for batch in batches], shifts)
        return Crystals(offsets=offsets, **geometry, columns=columns)

    def to_arrays(self) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        """Return the arrays (geometry, `c_<name>`, `m_<name>`, `o_<name>`) and the description of the columns."""
        arrays = {name: getattr(self, name) for name in GEOMETRY}
        for name, column in self.columns.items():
            arrays[f'c_{name}'] = column.values
            if column.mask is not None:
                arrays[f'm_{name}'] = column.mask
            if column.offsets is not None:
                arrays[f'o_{name}'] = column.offsets
        return arrays, self.meta()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], meta: Mapping[str, Mapping[str, Any]]) -> Crystals:
        """Make a batch of what `to_arrays` returned."""
        try:
            geometry = {name: arrays[name] for name in GEOMETRY}
            columns = {}
            for name, entry in {'id': ID_META, **meta}.items():
                texts = {key: str(entry.get(key, '')) for key in ('unit', 'help', 'level')}
                dtype = str(entry.get('dtype', 'float'))
                split = arrays[f'o_{name}'] if entry['kind'] in ('ragged', 'text') else None
                values, mask = arrays[f'c_{name}'], arrays.get(f'm_{name}')
                columns[name] = Column(entry['kind'], values, mask, split, dtype, **texts)
        except KeyError as exception:
            raise ValueError(f'the batch lacks {exception}.') from exception
        return cls(**geometry, columns=columns)

    def to_npz(self, target: str | Path | IO[bytes]) -> None:
        """Write the arrays; equal content gives equal bytes."""
        write_npz(target, self.to_arrays()[0])

    @classmethod
    def from_npz(cls, source: str | Path | IO[bytes], meta: Mapping[str, Mapping[str, Any]]) -> Crystals:
        """Read what `to_npz` wrote."""
        return cls.from_arrays(read_npz(source), meta)

    def _replace(self, columns: dict[str, Column]) -> Crystals:
        return Crystals(self.offsets, self.numbers, self.positions, self.cells, self.pbc, columns)


def _checked_ids(column: Column | None, ids: Sequence[str]) -> Column:
    if column is None or column.kind != 'text' or column.mask is not None:
        raise ValueError('every crystal needs an `id`: a text that is never unknown.')
    if len(set(ids)) != len(ids):
        twice = next(crystal_id for crystal_id, count in Counter(ids).items() if count > 1)
        raise ValueError(f'the id `{twice}` occurs more than once.')
    return Column('text', column.values, None, column.offsets, 'text', help=ID_HELP)


def _geometry(row: Mapping[str, Any]) -> tuple[Array, Array, Array, Array]:
    where = f'crystal `{row["id"]}`:'
    numbers = as_dtype(f'{where} `numbers`', row['numbers'], 'int')
    positions = as_dtype(f'{where} `positions`', row['positions'], 'float')
    cell = as_dtype(f'{where} `cell`', row['cell'], 'float')
    pbc = np.asarray(row['pbc'], '?')
    positions = positions.reshape(0, 3) if positions.size == 0 else positions
    if (numbers.ndim, positions.shape, cell.shape, pbc.shape) != (1, (len(numbers), 3), (3, 3), (3,)):
        raise ValueError(f'{where} numbers, positions, cell and pbc must have the shapes (n,), (n, 3), (3, 3), (3,).')
    return numbers, positions, cell[None], pbc[None]


def _check_same(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    for key in ('kind', 'dtype', 'shape', 'unit', 'level'):
        if first[key] != second[key]:
            raise ValueError(f'column `{name}` has two values of `{key}`: `{first[key]}` and `{second[key]}`.')


def _join(parts: Sequence[Column], lengths: Sequence[int]) -> Column:
    first = parts[0]
    masks = [np.zeros(n, '?') if part.mask is None else part.mask for part, n in zip(parts, lengths, strict=True)]
    splits = [part.offsets for part in parts if part.offsets is not None]
    shifts = np.cumsum([0, *(len(part.values) for part in parts)])
    values = np.concatenate([part.values for part in parts])
    offsets = _join_offsets(splits, shifts) if splits else None
    return Column(
        first.kind, values, np.concatenate(masks), offsets, first.dtype, first.unit, first.help, first.level
    )  # fmt: skip


def _join_offsets(offsets: Sequence[Array], shifts: Array) -> Array:
    moved = [part[1:] + shift for part, shift in zip(offsets, shifts[:-1], strict=True)]
    return np.concatenate([np.zeros(1, OFFSETS), *moved])
