"""Weights in the safetensors format: a JSON header and raw numbers. Nothing in a file is executed.

The format (https://github.com/huggingface/safetensors): 8 bytes with the length of the header, the header, the data;
the header says type, shape and place of each array, and holds text under `__metadata__`.
"""

from __future__ import annotations

import json
import math
import typing as t
from pathlib import Path

import numpy as np

TYPES: dict[str, t.Any] = {'F16': np.float16, 'F32': np.float32, 'F64': np.float64, 'I64': np.int64}
MOST_HEADER_BYTES = 10_000_000


class WeightsError(ValueError):
    """A file that is not in the safetensors format, or is damaged."""


def write(filepath: str | Path, arrays: t.Mapping[str, np.ndarray], metadata: t.Mapping[str, str]) -> None:
    """Write arrays and text; equal content gives equal bytes."""
    names = {np.dtype(dtype): name for name, dtype in TYPES.items()}
    header: dict[str, t.Any] = {'__metadata__': dict(sorted(metadata.items()))}
    end = 0
    for name, array in sorted(arrays.items()):
        begin, end = end, end + array.nbytes
        header[name] = {'dtype': names[array.dtype], 'shape': list(array.shape), 'data_offsets': [begin, end]}
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    data = b''.join(np.ascontiguousarray(array).tobytes() for _, array in sorted(arrays.items()))
    Path(filepath).write_bytes(len(text).to_bytes(8, 'little') + text + data)


def read(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return arrays and text of a file.

    :raises WeightsError: the content is no safetensors file, or a part of it is missing.
    """
    length = int.from_bytes(content[:8], 'little')
    if not 2 <= length <= min(MOST_HEADER_BYTES, len(content) - 8):
        raise WeightsError('this is no safetensors file: the length of its header is impossible')
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = {str(name): str(text) for name, text in header.pop('__metadata__', {}).items()}
        return {name: _array(content[8 + length :], entry) for name, entry in header.items()}, metadata
    except WeightsError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f'the header of this safetensors file cannot be understood: {error}') from error


def _array(data: bytes, entry: t.Mapping[str, t.Any]) -> np.ndarray:
    """Return one array as the header describes it."""
    dtype, sizes, (begin, end) = np.dtype(TYPES[entry['dtype']]), entry['shape'], entry['data_offsets']
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(sizes) * dtype.itemsize:
        raise WeightsError('an array of this safetensors file has a size other than its shape; fetch the file again')
    return np.frombuffer(data[begin:end], dtype).reshape(sizes).copy()
