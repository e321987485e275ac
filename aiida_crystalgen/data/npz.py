"""Write and read `.npz` files whose bytes depend on nothing but their content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

EPOCH = (1980, 1, 1, 0, 0, 0)


def write_npz(target: str | Path | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write the arrays in the given order, uncompressed and without time stamps."""
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f'{name}.npy', date_time=EPOCH)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, npy_bytes(array))


def read_npz(source: str | Path | IO[bytes]) -> dict[str, Array]:
    """Read every array of the file; pickled objects are refused."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, EOFError, ValueError, AttributeError, TypeError) as exception:
        raise ValueError(f'the arrays cannot be read ({exception}): the file is damaged or no npz file.') from exception


def npy_bytes(array: Array) -> bytes:
    """Return the array in numpy's own file format, version 1.0 and C order."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()
