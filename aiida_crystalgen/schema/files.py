"""Check that the files and folders of a campaign exist."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from .models import NODE
from .problem import Finding, Keys
from .spec import SET

REFERENCES: t.Final = ('phases', 'known', 'training')
TARGETS: t.Final = 'structures'
VERIFIED: t.Final = 'references'


def file_findings(raw: Mapping[str, t.Any], folder: Path) -> Iterator[Finding]:
    """Yield paths that lead nowhere, and empty folders."""
    generators = raw.get('generators')
    for index, entry in enumerate(generators if isinstance(generators, list) else []):
        if not _is_node(entry):
            yield from _path_findings(entry, 'files', ('generators', index), folder)
        elif entry.get('n') is None:
            message = 'how many crystals a node of the profile holds is not looked up'
            yield Finding(('generators', index, 'n'), message, 'give `n`')
    yield from _path_findings(raw.get('conditions'), 'host', ('conditions',), folder)
    yield from _path_findings(raw.get('targets'), TARGETS, ('targets',), folder)
    yield from _path_findings(raw.get('verify'), VERIFIED, ('verify',), folder)
    for name in REFERENCES:
        yield from _path_findings(raw.get('references'), name, ('references',), folder)


def _is_node(entry: t.Any) -> bool:
    """Say whether a generator reads a node of the profile, which is looked up when its inputs are made."""
    files = entry.get('files') if isinstance(entry, Mapping) else None
    return isinstance(files, str) and files.startswith(NODE)


def _path_findings(part: t.Any, name: str, keys: Keys, folder: Path) -> Iterator[Finding]:
    value = part.get(name) if isinstance(part, Mapping) else None
    if not isinstance(value, str) or not value or (name in (*REFERENCES, TARGETS, VERIFIED) and value.startswith(SET)):
        return
    path = folder / os.path.expanduser(value)
    if not os.path.exists(path):
        message = f'`{value}` does not exist in the folder of the campaign, `{folder.resolve()}`'
        yield Finding((*keys, name), message, 'correct the path')
    elif path.is_dir() and not any(item.is_file() and not item.name.startswith('.') for item in path.rglob('*')):
        yield Finding((*keys, name), f'the folder `{value}` holds no files', 'put crystals into it, for example as CIF')
