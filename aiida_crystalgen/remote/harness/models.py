"""Models that lie on the computer of the job: known by the sha256 of their files."""

from __future__ import annotations

import hashlib
import os
import typing as t

BLOCK = 1 << 20


def files_of(path: str) -> dict[str, str]:
    """Return the sha256 of every file of a model, by path relative to its folder; hidden files are left out."""
    if os.path.isfile(path):
        return {os.path.basename(path): sha256_of(path)}
    found: dict[str, str] = {}
    for root, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(name for name in files if not name.startswith('.')):
            file = os.path.join(root, name)
            found[os.path.relpath(file, path).replace(os.sep, '/')] = sha256_of(file)
    return found


def sha256_of(path: str) -> str:
    """Return the sha256 of one file, however large."""
    digest = hashlib.sha256()
    with open(path, 'rb') as handle:
        for block in iter(lambda: handle.read(BLOCK), b''):
            digest.update(block)
    return digest.hexdigest()


def difference(path: str | None, planned: t.Mapping[str, str]) -> str:
    """Return in what a model differs from the planned one, empty where it does not."""
    if not planned or path is None:
        return ''
    if not os.path.exists(path):
        return f'the model `{path}` is not there any more'
    found = files_of(path)
    wrong = sorted(name for name in planned if found.get(name) != planned[name])
    return f'{", ".join(wrong)} of the model `{path}` changed since the job was planned' if wrong else ''
