"""Read the host that atoms are put into."""

from __future__ import annotations

import typing as t

import numpy as np

ABOUT = {'needs': ['readers']}


def read_host(path: str) -> tuple[t.Any, t.Any, t.Any]:
    """Return numbers (n,), fractional coordinates (n, 3) and cell (3, 3) [A] of the one crystal of a file.

    :raises ValueError: with a sentence, where there is none, more than one, or one that cannot be read.
    """
    import readers  # type: ignore[import-not-found]

    entries = readers.entries(path)
    if len(entries) != 1:
        raise ValueError(f'the host must be one crystal, and its file holds {len(entries)}: give a file with one')
    try:
        crystal = readers.read(entries[0])
    except readers.RefusedError as error:
        raise ValueError(f'the host `{entries[0].source_file}` cannot be read: {error}; mend the file') from None
    cell = np.array(crystal['cell'], float)
    if np.linalg.det(cell) < 0:  # the same lattice, as a relaxation takes it too
        cell = -cell
    fractional = np.array(crystal['positions'], float) @ np.linalg.inv(cell)
    return np.array(crystal['numbers']), fractional, cell
