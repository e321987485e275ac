"""Extended XYZ with typed values: what the format cannot type is JSON, as ASE reads and writes it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_crystalgen.data.npz import Array
from aiida_crystalgen.data.records import META_KEY, Record

if TYPE_CHECKING:
    from ase import Atoms

WORD = re.compile(r'[A-Za-z_][A-Za-z0-9_.+-]*')
NOT_WORDS = frozenset({'t', 'f', 'true', 'false', 'nan', 'inf', 'infinity'})
TYPES = {'f': 'R', 'i': 'I', 'b': 'L'}
SITE_INTEGER = 'i4'


def write_frames(records: Iterator[Record], meta: Mapping[str, Any]) -> str:
    """Return the text of the file; the first frame describes the columns."""
    from ase.data import chemical_symbols

    lines: list[str] = []
    for place, record in enumerate(records):
        info = {META_KEY: meta, **record.info} if place == 0 else dict(record.info)
        sites = _tabular(record.sites)
        info.update({name: values.tolist() for name, values in record.sites.items() if name not in sites})
        lattice = ' '.join(map(repr, record.cell.ravel().tolist()))
        layout = ''.join(f':{name}:{TYPES[values.dtype.kind]}:{_width(values)}' for name, values in sites.items())
        pbc = ' '.join('T' if periodic else 'F' for periodic in record.pbc)
        header = [f'Lattice="{lattice}"', f'Properties=species:S:1:pos:R:3{layout}', f'pbc="{pbc}"']
        header += [f'{name}={_text(value)}' for name, value in info.items()]
        lines += [str(len(record.numbers)), ' '.join(header)]
        blocks = [record.positions, *sites.values()]
        table = [block.reshape(len(record.numbers), _width(block)).tolist() for block in blocks]
        for number, *parts in zip(record.numbers.tolist(), *table, strict=True):
            lines.append(' '.join([chemical_symbols[number], *(_number(entry) for part in parts for entry in part)]))
    return '\n'.join([*lines, ''])


def read_frames(text: str) -> list[Atoms]:
    """Read every frame with ASE.

    :raises ValueError: where the text is no extended XYZ.
    """
    from ase.io.extxyz import read_xyz

    try:
        return list(read_xyz(io.StringIO(text), index=slice(None)))
    except Exception as exception:  # whatever the reader raises, the text is at fault
        raise ValueError(f'the text is no extended XYZ file ({exception}).') from exception


def _tabular(sites: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays that ASE reads back unchanged as columns of the table; the others become JSON."""
    taken = {'species', 'pos', 'pos0', 'pos1', 'pos2'}
    result = {}
    for name, values in sites.items():
        names = {name} if _width(values) == 1 else {f'{name}{part}' for part in range(_width(values))}
        large = values.dtype.kind == 'i' and not np.array_equal(values, values.astype(SITE_INTEGER))
        if not (large or names & taken or _width(values) == 0):
            taken |= names | {name}
            result[name] = values
    return result


def _width(values: Array) -> int:
    return int(np.prod(values.shape[1:], dtype=int))


def _number(value: float | bool) -> str:
    return ('T' if value else 'F') if isinstance(value, bool) else repr(value)


def _text(value: Any) -> str:
    if isinstance(value, (bool, int, float)):
        return _number(value)
    if isinstance(value, str) and WORD.fullmatch(value) and value.lower() not in NOT_WORDS:
        return value
    coded = json.dumps(value, allow_nan=False)
    return '"_JSON ' + coded.replace('\\', '\\\\').replace('"', '\\"') + '"'
