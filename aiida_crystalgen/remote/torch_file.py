"""Read the tensors of a `.pt` file without torch, and without running anything that the file holds.

torch saves a zip with one pickle and one member for the bytes of each storage. `safe_pickle` interprets the pickle;
the tables here say what it may make: arrays, and the plain containers that hold them.
"""

from __future__ import annotations

import functools
import io
import lzma
import math
import re
import struct
import typing as t
import zipfile
import zlib

import numpy as np
from safe_pickle import Global, Open, UnreadableError, read  # type: ignore[import-not-found]

# Bytes that the members of a file, and what is made of them, may have together.
MAX_BYTES = 512 * 1024**2
MOST_AXES = 32
MAGIC_BEFORE_ZIP = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'
# numpy has no bfloat16: its 16 bits are the upper half of a float32.
BFLOAT16 = 'bfloat16'
DTYPES = {
    'torch.float32': 'f4', 'torch.float64': 'f8', 'torch.float16': 'f2', 'torch.bfloat16': BFLOAT16,
    'torch.int64': 'i8', 'torch.int32': 'i4', 'torch.int16': 'i2', 'torch.int8': 'i1', 'torch.uint8': 'u1',
    'torch.uint16': 'u2', 'torch.uint32': 'u4', 'torch.uint64': 'u8', 'torch.bool': '?', 'torch.complex64': 'c8',
    'torch.complex128': 'c16',
}  # fmt: skip
STORAGES = {
    'FloatStorage': 'f4', 'DoubleStorage': 'f8', 'HalfStorage': 'f2', 'BFloat16Storage': BFLOAT16, 'LongStorage': 'i8',
    'IntStorage': 'i4', 'ShortStorage': 'i2', 'CharStorage': 'i1', 'ByteStorage': 'u1', 'BoolStorage': '?',
    'ComplexFloatStorage': 'c8', 'ComplexDoubleStorage': 'c16', 'UntypedStorage': 'u1',
}  # fmt: skip
NAMES = {
    *DTYPES, 'numpy.ndarray', 'torch.Tensor',
    *(f'{module}.{name}' for module in ('torch', 'torch.cuda', 'torch.storage') for name in STORAGES),
}  # fmt: skip
# Of a damaged zip; `zipfile` lets those of its own parsing through.
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, LookupError, OSError, OverflowError,
    RuntimeError, ValueError,
)  # fmt: skip


def load(data: bytes, limit: int = MAX_BYTES) -> t.Any:
    """Return what torch saved: containers as they are, tensors as arrays, bfloat16 as float32, namespaces as dicts.

    Arrays of one storage share their memory, as the tensors did, and cannot be written to.

    :param limit: bytes that the file may have once unpacked.
    :raises UnreadableError: with a sentence, where the file is damaged or holds more than tensors and plain data.
    """
    if not data.startswith(b'PK'):
        words = 'is no zip, which torch 1.6 and later write'
        if data.startswith(MAGIC_BEFORE_ZIP):
            words = 'has the format of torch before 1.6; load it where it was made and save it again with a newer torch'
        raise UnreadableError('unreadable', f'the file {words}')
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _Members(archive, limit)
            tensors = _Tensors(members)
            return read(members.read('data.pkl'), tensors.calls(), NAMES, tensors.storage)
    except UnreadableError:
        raise
    except ZIP_ERRORS as error:
        raise UnreadableError('unreadable', f'the file is cut short or damaged: {error}') from error


class _Members:
    """The members of a file, and how many bytes may still be made of them."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive = archive
        self._limit = limit
        self._used = 0
        self._found = {info.filename: info for info in archive.infolist()}
        roots = [name[: -len('data.pkl')] for name in self._found if name.endswith('/data.pkl')]
        if len(roots) != 1:
            raise UnreadableError('unreadable', 'the zip has no single `data.pkl`, so it is no file of `torch.save`')
        self._root = roots[0]
        if any(name.startswith(f'{self._root}code/') for name in self._found):
            raise UnreadableError('unsafe', 'the file holds a TorchScript program, not only tensors; it is not read')
        self.spend(sum(info.file_size for info in archive.infolist()))

    def spend(self, size: int) -> None:
        """Count bytes that are made; refuse the file when there are too many."""
        self._used += size
        if self._used > self._limit:
            raise UnreadableError('too_large', f'the file unpacks to more than {self._limit} bytes')

    def read(self, name: str, default: bytes | None = None) -> bytes:
        """Return the bytes of a member."""
        info = self._found.get(self._root + name)
        if info is None and default is None:
            raise UnreadableError('unreadable', f'the file is damaged: its member `{name}` is missing')
        return default or b'' if info is None else self._archive.read(info)


class _Tensors:
    """Makes arrays of what the pickle of a file says of tensors."""

    def __init__(self, members: _Members) -> None:
        self._members = members
        self._order = '>' if members.read('byteorder', b'little').strip() == b'big' else '<'
        self._values = functools.lru_cache(maxsize=None)(self._read_values)

    def calls(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return what is made for each global that may be called."""
        made: dict[str, t.Callable[..., t.Any]] = {
            'torch._utils._rebuild_tensor': self._tensor,
            'torch._utils._rebuild_tensor_v2': self._tensor_v2,
            'torch._utils._rebuild_tensor_v3': self._tensor_v3,
            'torch._utils._rebuild_parameter': lambda tensor, *rest: tensor,
            'torch._utils._rebuild_parameter_with_state': lambda tensor, *rest: tensor,
            'torch._tensor._rebuild_from_type_v2': self._with_attributes,
            'torch.Size': tuple,
            'torch.device': lambda *words: ':'.join(str(word) for word in words),
            '_codecs.encode': self._encoded,
            'numpy.dtype': _numpy_dtype,
        }
        for module in ('numpy.core', 'numpy._core'):
            made[f'{module}.multiarray._reconstruct'] = _numpy_array
            made[f'{module}.multiarray.scalar'] = lambda dtype, raw: np.frombuffer(raw, _complete(dtype), 1)[0]
        return made

    def storage(self, identity: t.Any) -> tuple[str, str, int]:
        """Return the key, the type and the length of a storage by its persistent id."""
        kind, storage, key, _, length = identity
        if kind != 'storage' or not isinstance(storage, Global):
            raise TypeError('something other than a storage lies outside of it')
        return str(key), STORAGES[storage.name.rsplit('.', 1)[-1]], int(length)

    def _read_values(self, key: str, code: str) -> t.Any:
        """Return all values of a storage."""
        raw = self._members.read(f'data/{key}')
        values = np.frombuffer(raw, np.dtype(self._order + ('u2' if code == BFLOAT16 else code)))
        if code == BFLOAT16:
            self._members.spend(2 * len(raw))
            values = (values.astype('u4') << 16).view('f4')
        elif not values.dtype.isnative:
            self._members.spend(len(raw))
            values = values.astype(values.dtype.newbyteorder('='))
        values.flags.writeable = False
        return values

    def _tensor(self, storage: t.Any, offset: int, size: t.Any, stride: t.Any) -> t.Any:
        key, code, length = storage
        values = self._values(key, code)
        if not len(size) == len(stride) <= MOST_AXES or min((offset, *size, *stride)) < 0 or length > len(values):
            raise ValueError('the shape of a tensor does not fit its storage')
        if 0 in size:
            return np.zeros(size, values.dtype)
        width = values.itemsize
        if math.prod(size) * width > MAX_BYTES:
            raise UnreadableError('too_large', f'a tensor of the file has more than {MAX_BYTES} bytes')
        if offset + sum((count - 1) * step for count, step in zip(size, stride)) >= length:
            raise ValueError('a tensor reaches beyond its storage')
        return np.ndarray(size, values.dtype, values, offset * width, tuple(step * width for step in stride))

    def _tensor_v2(self, storage: t.Any, offset: int, size: t.Any, stride: t.Any, *rest: t.Any) -> t.Any:
        if rest[2:] and rest[2]:
            raise UnreadableError('unreadable', 'a tensor of the file is a lazy conjugate or negative of another one')
        return self._tensor(storage, offset, size, stride)

    def _tensor_v3(self, storage: t.Any, offset: int, size: t.Any, stride: t.Any, *rest: t.Any) -> t.Any:
        code = DTYPES[rest[2].name]
        length = storage[2] // np.dtype('u2' if code == BFLOAT16 else code).itemsize
        return self._tensor_v2((storage[0], code, length), offset, size, stride, *rest[:2], *rest[3:])

    def _with_attributes(self, function: t.Any, _: t.Any, arguments: t.Any, __: t.Any) -> t.Any:
        """Make a tensor that has attributes of its own, which are left out."""
        return self.calls()[function.name](*arguments)

    def _encoded(self, text: str, encoding: str) -> bytes:
        """Make bytes, which old pickles write as text."""
        if encoding != 'latin1':
            raise ValueError(f'bytes are encoded as {encoding}')
        self._members.spend(len(text))
        return text.encode('latin-1')


class _Dtype(t.NamedTuple):
    """A numpy dtype as a pickle has it, in two steps."""

    code: str
    order: str


def _numpy_dtype(code: str, *_: t.Any) -> Open:
    if not re.fullmatch(r'[biufcSU]\d{1,4}', code):
        raise UnreadableError('unsafe', f'the file holds a numpy array of type `{code}`, which is no plain data')
    return Open(_Dtype(code, '='), lambda state: _Dtype(code, str(state[1])))


def _complete(dtype: _Dtype) -> t.Any:
    return np.dtype(dtype.order + dtype.code)


def _numpy_array(kind: t.Any, *_: t.Any) -> Open:
    if kind != Global('numpy.ndarray'):
        raise UnreadableError('unsafe', 'the file holds a numpy array of a class of its own, which is no plain data')

    def finish(state: t.Any) -> t.Any:
        _, shape, dtype, by_columns, raw = state
        if not isinstance(raw, (bytes, bytearray)):
            raise UnreadableError('unsafe', 'the file holds a numpy array of objects, which is no plain data')
        return np.frombuffer(raw, _complete(dtype)).reshape(shape, order='F' if by_columns else 'C')

    return Open(object(), finish)
