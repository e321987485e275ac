"""Check that the files and folders of a campaign exist, and that model files are trusted by their sha256."""

from __future__ import annotations

import hashlib
import os
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from .problem import Finding, Keys
from .spec import SET

REFERENCES: t.Final = ('phases', 'known', 'training')
# Reading these runs no code, whatever they hold.
SAFE_SUFFIXES: t.Final = frozenset({'.safetensors'})
MODEL_SUFFIXES: t.Final = SAFE_SUFFIXES | {'.model', '.pt', '.pth', '.ckpt', '.tar', '.npz', '.json', '.bin'}


def file_findings(raw: Mapping[str, t.Any], folder: Path) -> Iterator[Finding]:
    """Yield paths that lead nowhere, empty folders, and model files without the right sha256."""
    generators = raw.get('generators')
    for index, entry in enumerate(generators if isinstance(generators, list) else []):
        yield from _path_findings(entry, 'files', ('generators', index), folder)
        yield from _model_findings(entry, ('generators', index), folder)
    yield from _model_findings(raw.get('potential'), ('potential',), folder)
    for name in REFERENCES:
        yield from _path_findings(raw.get('references'), name, ('references',), folder)


def _path_findings(part: t.Any, name: str, keys: Keys, folder: Path) -> Iterator[Finding]:
    value = part.get(name) if isinstance(part, Mapping) else None
    if not isinstance(value, str) or not value or (name in REFERENCES and value.startswith(SET)):
        return
    path = folder / os.path.expanduser(value)
    if not os.path.exists(path):
        message = f'`{value}` does not exist in the folder of the campaign, `{folder.resolve()}`'
        yield Finding((*keys, name), message, 'correct the path')
    elif path.is_dir() and not any(item.is_file() and not item.name.startswith('.') for item in path.rglob('*')):
        yield Finding((*keys, name), f'the folder `{value}` holds no files', 'put crystals into it, for example as CIF')


def is_model_file(model: str, folder: Path) -> bool:
    """Return whether a model is meant as a file; a bare word that is no file is a name that the adapter knows."""
    exists = os.path.isfile(folder / os.path.expanduser(model))
    return exists or '/' in model or Path(model).suffix in MODEL_SUFFIXES


def _model_findings(part: t.Any, keys: Keys, folder: Path) -> Iterator[Finding]:
    """Yield a model file that does not exist or is not trusted."""
    model = part.get('model') if isinstance(part, Mapping) else None
    if not isinstance(model, str) or not model:
        return
    path = folder / os.path.expanduser(model)
    if not os.path.isfile(path):
        if is_model_file(model, folder):
            yield Finding((*keys, 'model'), f'the model file `{model}` does not exist', 'correct the path')
        elif part.get('trust') is not None:
            message = f'`{model}` is not a file, so there is nothing to trust'
            yield Finding((*keys, 'trust'), message, 'name a file in `model`, or take `trust` out')
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if part.get('trust') is None and path.suffix in SAFE_SUFFIXES:
        return
    if part.get('trust') is None:
        message = 'loading a model file can run any code that was put into it, and `trust` is missing'
        yield Finding((*keys, 'model'), message, f'if you trust its source, add `trust: {digest}`')
    elif part['trust'] != digest:
        message = f'the sha256 of `{model}` is `{digest}`, not the one that is trusted'
        yield Finding((*keys, 'trust'), message, 'find out why the file changed before you trust it')
