"""Crystals as one record a row: the common ground of all conversions to and from other packages."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_crystalgen.data.columns import DTYPES, NAME, Column, make_column
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.npz import Array

META_KEY = 'crystalgen_columns'
PREFIX = 'crystalgen_'
# Names to which ASE, pymatgen or the extended XYZ format give a meaning (and often a unit) of their own.
FOREIGN = (
    'Lattice Properties pbc uid virial species pos Z mass charge symbols symbol numbers positions masses momenta tags '
    'initial_magmoms initial_charges move_mask constraints energy forces stress stresses dipole charges magmom magmoms '
    'free_energy energies dielectric_tensor born_effective_charges polarization comment coords label'
)
RESERVED = frozenset(FOREIGN.split(' '))


class CrystalLossWarning(UserWarning):
    """Something of the crystals does not survive a conversion."""


@dataclass(frozen=True)
class Record:
    """One crystal: numbers (n,), positions (n, 3) and cell (3, 3) [Å], pbc (3,), and what else is known of it."""

    numbers: Array
    positions: Array
    cell: Array
    pbc: Array
    info: dict[str, Any] = field(default_factory=dict)
    sites: dict[str, Any] = field(default_factory=dict)


def encode(crystals: Crystals) -> Iterator[Record]:
    """Give each row its known values under names that no package interprets; the id is `info['id']`."""
    per_site = {name for name, column in crystals.columns.items() if column.kind == 'site'}
    dtypes = {name: DTYPES.get(column.dtype, '') for name, column in crystals.columns.items()}
    for row in crystals.rows():
        known = {name: value for name, value in row['columns'].items() if value is not None}
        info = {outer_name(name): value for name, value in known.items() if name not in per_site}
        shapes = {name: crystals.columns[name].values.shape[1:] for name in known.keys() & per_site}
        sites = {
            outer_name(name): np.asarray(known[name], dtypes[name]).reshape(len(row['numbers']), *shape)
            for name, shape in sorted(shapes.items())
        }
        yield Record(row['numbers'], row['positions'], row['cell'], row['pbc'], {'id': row['id'], **info}, sites)


def decode(records: Sequence[Record], ids: Sequence[str] | None = None) -> Crystals:
    """Join records; columns without a description (see `META_KEY`) get the kind that fits their values.

    :param ids: default: `info['id']` where every record has one, else the index after a hash of all geometries.
    :raises ValueError: with a sentence.
    """
    metas = _metas(records)
    rows = [{'id': str(place), **_geometry(record)} for place, record in enumerate(records)]
    bare = Crystals.from_rows(rows, {})
    columns = {'id': make_column(list(_ids(records, bare) if ids is None else ids), {'kind': 'text'}, name='id')}
    lost = []
    names = dict.fromkeys(name for record in records for name in (*record.info, *record.sites))
    for outer in [*names, *(name for name in map(outer_name, metas) if name not in names)]:
        name = inner_name(outer)
        values = [record.sites.get(outer, record.info.get(outer)) for record in records]
        if outer in ('id', META_KEY):
            continue
        if outer_name(name) == outer and name in metas:
            columns[name] = _described(name, values, metas[name], bare.offsets)
            continue
        per_site = any(outer in record.sites for record in records)
        column = None if outer in RESERVED else _guessed(name, values, per_site, bare.offsets)
        if column is None or name in columns or name in metas:
            lost.append(f'`{outer}` of the source (it has another meaning there, or fits no column)')
        else:
            columns[name] = column
    warn_of(lost)
    return Crystals(bare.offsets, bare.numbers, bare.positions, bare.cells, bare.pbc, columns)


def outer_name(name: str) -> str:
    """Return the name under which a column travels."""
    return PREFIX + name if name in RESERVED or name.lower() == 'uid' or name.startswith(PREFIX) else name


def inner_name(name: str) -> str:
    """Return the column's name for the name under which it travelled; odd characters become underscores."""
    name = name.removeprefix(PREFIX)
    return name if NAME.fullmatch(name) else re.sub(r'[^A-Za-z0-9_]+', '_', name) or '_'


def warn_of(losses: Sequence[str]) -> None:
    """Warn once, with all losses in one sentence."""
    if losses:
        warnings.warn('lost in the conversion: ' + '; '.join(losses) + '.', CrystalLossWarning, stacklevel=3)


def _metas(records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
    metas: dict[str, Mapping[str, Any]] = {}
    last: Any = None
    for record in records:
        described = record.info.get(META_KEY)
        if described is None or described is last:
            continue
        if not isinstance(described, Mapping):
            raise ValueError(f'`{META_KEY}` of the source is no table of columns.')
        for name, meta in described.items():
            if metas.setdefault(name, meta) != meta:
                raise ValueError(f'the source describes column `{name}` in two ways.')
        last = described
    metas.pop('id', None)
    return metas


def _geometry(record: Record) -> dict[str, Any]:
    return {'numbers': record.numbers, 'positions': record.positions, 'cell': record.cell, 'pbc': record.pbc}


def _ids(records: Sequence[Record], bare: Crystals) -> list[str]:
    if all(record.info.get('id') is not None for record in records):
        return [str(record.info['id']) for record in records]
    stream = io.BytesIO()
    bare.to_npz(stream)
    draw = hashlib.sha256(stream.getvalue()).hexdigest()[:16]
    return [f'{draw}-{place}' for place in range(len(records))]


def _described(name: str, values: Sequence[Any], meta: Mapping[str, Any], offsets: Array) -> Column:
    if not isinstance(meta, Mapping) or 'kind' not in meta:
        raise ValueError(f'the source describes column `{name}` without its kind.')
    plain = [_plain(value) for value in values]
    if meta['kind'] == 'site':  # formats of tables flatten what a site has
        plain = [value.reshape(len(value), *meta['shape']) if _is_flat(value, meta) else value for value in plain]
    return make_column(plain, meta, offsets, name)


def _is_flat(value: Any, meta: Mapping[str, Any]) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == np.prod(meta['shape'], dtype=int)


def _guessed(name: str, values: Sequence[Any], per_site: bool, offsets: Array) -> Column | None:
    plain = [_plain(value) for value in values]
    known = [value for value in plain if value is not None]
    if all(isinstance(value, str) for value in known):
        return None if per_site else make_column(plain, {'kind': 'text'}, name=name)
    try:
        arrays = [np.asarray(value) for value in known]
    except ValueError:
        return None
    kinds = {array.dtype.kind for array in arrays if array.size}
    if not kinds <= set('iufb') or ('b' in kinds and len(kinds) > 1):
        return None
    dtype = 'bool' if 'b' in kinds else 'int' if kinds and kinds <= set('iu') else 'float'
    shapes = {array.shape for array in arrays}
    kind = 'site' if per_site else 'row' if len(shapes) == 1 else 'ragged'
    trailing = {shape if kind == 'row' else shape[1:] for shape in shapes if kind == 'row' or shape != (0,)} or {()}
    if len(trailing) > 1 or (kind == 'ragged' and () in shapes):
        return None
    finite = [None if value is None or not np.isfinite(np.asarray(value)).all() else value for value in plain]
    return make_column(finite, {'kind': kind, 'dtype': dtype, 'shape': trailing.pop()}, offsets, name)


def _plain(value: Any) -> Any:
    """Return numpy scalars as Python ones, and NaN as unknown."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
