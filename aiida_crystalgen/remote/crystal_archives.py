"""Read the members of zip and tar archives in memory; nothing is ever unpacked to disk, and no path is followed."""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import typing as t
import zipfile
import zlib
from pathlib import Path, PurePosixPath

SUFFIXES = ('.zip', '.tar.gz', '.tgz', '.tar')
ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, OverflowError, RuntimeError,
    NotImplementedError, ValueError,
)  # fmt: skip

# Name of a member with its bytes, or with a word and a sentence why it is not read.
Member = t.Tuple[str, t.Union[bytes, t.Tuple[str, str]]]


class TooLargeError(Exception):
    """A file that unpacks to more than is allowed."""


def members(path: Path, limit: int) -> list[Member]:
    """Return the members of an archive in the order of their names; folders and hidden files are left out.

    :param limit: bytes that all members together may have once unpacked.
    :raises TooLargeError: where a compressed tar unpacks to more.
    """
    if path.name.lower().endswith('.zip'):
        return _zip(path, limit)
    data = path.read_bytes()
    return _tar(gunzip(data, limit) if data.startswith(b'\x1f\x8b') else data, limit)


def gunzip(data: bytes, limit: int) -> bytes:
    """Return what a gzip file holds.

    :raises TooLargeError: where that is more than `limit` bytes.
    """
    with gzip.open(io.BytesIO(data)) as stream:
        unpacked = stream.read(limit + 1)
    if len(unpacked) > limit:
        raise TooLargeError(f'the file unpacks to more than {limit} bytes')
    return unpacked


def is_hidden(name: str) -> bool:
    """Say whether a path is hidden, or what macOS puts beside the files of an archive."""
    return any((part.startswith('.') and part != '..') or part == '__MACOSX' for part in PurePosixPath(name).parts)


def _zip(path: Path, limit: int) -> list[Member]:
    found: list[Member] = []
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            refusal = _refusal(info.filename, stat.S_ISLNK(info.external_attr >> 16))
            if not refusal and (info.is_dir() or is_hidden(info.filename)):
                continue
            total += 0 if refusal else info.file_size
            refusal = refusal or _size_refusal(total, limit)
            try:
                found.append((info.filename, refusal or archive.read(info)))
            except ERRORS as error:
                found.append((info.filename, ('unreadable', f'the member cannot be unpacked: {error}')))
    return found


def _tar(data: bytes, limit: int) -> list[Member]:
    """Return the members of a tar; what is no plain file is refused, and whatever follows a damage is told as one."""
    found: list[Member] = []
    total = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode='r:') as archive:
        try:
            for info in archive:
                refusal = _refusal(info.name, info.issym() or info.islnk())
                if not refusal and (info.isdir() or is_hidden(info.name)):
                    continue
                if not refusal and not info.isfile():
                    refusal = ('unsafe_path', 'the archive member is a device, and no file')
                total += 0 if refusal else info.size
                refusal = refusal or _size_refusal(total, limit)
                stream = None if refusal else archive.extractfile(info)
                found.append((info.name, refusal or (b'' if stream is None else stream.read())))
            damaged = bool(data[archive.offset :].strip(b'\0'))
        except tarfile.TarError:
            damaged = True
    if damaged:
        words = f'the archive is cut short or damaged after {len(found)} of its members'
        found.append(('', ('unreadable', words)))
    return sorted(found, key=lambda member: member[0])


def _refusal(name: str, is_link: bool) -> tuple[str, str] | None:
    """Return why a member is not read: it points outside the archive, or is a link or an archive."""
    if name.startswith(('/', '\\')) or re.match(r'[A-Za-z]:', name) or '..' in re.split(r'[/\\]', name):
        return 'unsafe_path', 'the path of the archive member points outside the archive'
    if is_link:
        return 'unsafe_path', 'the archive member is a link'
    if name.lower().endswith(SUFFIXES):
        return 'unreadable', 'an archive inside an archive is not opened'
    return None


def _size_refusal(total: int, limit: int) -> tuple[str, str] | None:
    return ('too_large', f'the archive unpacks to more than {limit} bytes') if total > limit else None
