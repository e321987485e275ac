"""The model of a generator or potential: a file, folder, name, or path on the computer; and whether to trust it."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import os
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from .parameters import About, value_findings
from .problem import Finding, Keys, choose

REMOTE: t.Final = 'remote:'  # before the path of a model on the computer of the Code
NODE: t.Final = 'node:'  # before the number or UUID of a model that lies in the profile
# Reading these runs no code, whatever they hold.
SAFE_SUFFIXES: t.Final = frozenset({'.safetensors'})
MODEL_SUFFIXES: t.Final = SAFE_SUFFIXES | {'.model', '.pt', '.pth', '.ckpt', '.tar', '.npz', '.json', '.bin', '.pkl'}

# Files of a model: sha256 by path, relative to its folder.
Files: t.TypeAlias = Mapping[str, str]


def is_path(model: str, folder: Path) -> bool:
    """Return whether a model is meant as a file or folder; a bare word that is none is a name the adapter knows."""
    return os.path.exists(_path(model, folder)) or '/' in model or Path(model).suffix in MODEL_SUFFIXES


def files_of(path: Path) -> dict[str, str]:
    """Return the sha256 of every file of a model; a hidden file is none of its files."""
    found = [path] if path.is_file() else sorted(file for file in path.rglob('*') if file.is_file())
    top = path.parent if path.is_file() else path
    names = {file.relative_to(top).as_posix(): file for file in found}
    return {
        name: _sha256(file, file.stat().st_size, file.stat().st_mtime_ns)
        for name, file in names.items()
        if not any(part.startswith('.') for part in Path(name).parts)
    }


@functools.cache
def _sha256(file: Path, _size: int, _changed: int) -> str:
    """Return the sha256 of a file, read once as long as it stays the same: checkpoints have half a gigabyte."""
    with file.open('rb') as handle:
        return hashlib.file_digest(handle, 'sha256').hexdigest()


def unpickled(files: Files, about: About) -> dict[str, str]:
    """Return the files whose loading can run code: those that the tool unpickles, or else all that are not safe."""
    patterns = about.get('checkpoint', {}).get('unpickled')
    if patterns is None:
        return {name: digest for name, digest in files.items() if Path(name).suffix not in SAFE_SUFFIXES}
    return {
        name: digest
        for name, digest in files.items()
        if any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(Path(name).name, pattern) for pattern in patterns)
    }


def digest_to_trust(dangerous: Files) -> str:
    """Return what `trust` has to be: the sha256 of the file, of several that of their list as `sha256sum` prints it."""
    if len(dangerous) == 1:
        return next(iter(dangerous.values()))
    listing = ''.join(f'{dangerous[name]}  {name}\n' for name in sorted(dangerous))
    return hashlib.sha256(listing.encode()).hexdigest()


def recognised(files: Files, about: About) -> str | None:
    """Return the name of the published checkpoint that these files are; None where they are none that is listed."""
    found = set(files.values())
    for name, checkpoint in about.get('checkpoints', {}).items():
        listed = checkpoint.get('files') or {}
        if listed and set(listed.values()) <= found:
            return str(name)
    return None


def model_findings(entry: t.Any, about: About, keys: Keys, folder: Path) -> Iterator[Finding]:
    """Yield a model that does not exist, that its adapter does not know, or that is not trusted."""
    model = entry.get('model') if isinstance(entry, Mapping) else None
    form: Mapping[str, t.Any] = about.get('checkpoint', {})
    if model is None and form.get('required_input'):
        yield Finding((*keys, 'model'), 'this is missing', _remedy(about))
    if not isinstance(model, str) or not model:
        return
    trust = entry.get('trust')
    if model.startswith(NODE):
        return  # there may be no profile yet; it is looked for when the campaign is planned
    if model.startswith(REMOTE):
        yield from _remote_findings(model, about, keys)
    elif not is_path(model, folder):
        yield from _name_findings(model, about, (*keys, 'model'))
        if trust is not None:
            message = f'`{model}` is not a file, so there is nothing to trust'
            yield Finding((*keys, 'trust'), message, 'name a file in `model`, or take `trust` out')
    elif not os.path.exists(_path(model, folder)):
        yield Finding((*keys, 'model'), f'the model `{model}` does not exist', 'correct the path')
    else:
        files = files_of(_path(model, folder))
        problem = form_problem(model, _path(model, folder).is_dir(), files, about)
        if problem is not None:
            yield Finding((*keys, 'model'), *problem)
        else:
            yield from trust_findings(model, files, about, trust, keys)


def form_problem(model: str, is_folder: bool, files: Files, about: About) -> tuple[str, str] | None:
    """Return message and remedy where a model is a file instead of a folder, or lacks files; None where it is right."""
    form: Mapping[str, t.Any] = about.get('checkpoint', {})
    wanted = form.get('form', 'file')
    if wanted != 'either' and is_folder != (wanted == 'folder'):
        what = f'the model of `{about["name"]}` is a {wanted}, and `{model}` is a {"folder" if is_folder else "file"}'
        return what, f'name the {wanted} that its tool calls the checkpoint'
    missing = [
        pattern
        for pattern in form.get('required', [])
        if not any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(Path(name).name, pattern) for name in files)
    ]
    if missing:
        return f'`{model}` holds no {" and no ".join(missing)}', 'name the folder that its tool calls the checkpoint'
    return None


def trust_findings(model: str, files: Files, about: About, trust: t.Any, keys: Keys) -> Iterator[Finding]:
    """Yield a model that is not trusted although loading it can run code, or whose sha256 is another."""
    dangerous = unpickled(files, about)
    digest = digest_to_trust(dangerous) if dangerous else digest_to_trust(files)
    if trust is None and (not dangerous or recognised(files, about)):
        return
    if trust is None:
        message = 'loading a model file can run any code that was put into it, and `trust` is missing'
        yield Finding((*keys, 'model'), message, f'if you trust its source, add `trust: {digest}`')
    elif trust != digest:
        message = f'the sha256 of `{model}` is `{digest}`, not the one that is trusted'
        yield Finding((*keys, 'trust'), message, 'find out why the file changed before you trust it')


def trained_findings(checkpoint: str | None, asked: Mapping[str, t.Any], about: About, keys: Keys) -> Iterator[Finding]:
    """Yield conditions that a published checkpoint was not trained on, and numbers of atoms beyond its limit.

    :param asked: parameters and conditions of the generator.
    """
    known: Mapping[str, t.Any] = about.get('checkpoints', {}).get(checkpoint, {})
    if not known:
        return
    offered = [name for name in about.get('conditions', {}) if name not in known.get('conditions', [])]
    always = about.get('always', [])
    for name in [name for name in offered if asked.get(name) is not None and name not in always]:
        others = [other for other, it in about['checkpoints'].items() if name in it.get('conditions', [])]
        remedy = f'take the model {" or ".join(f"`{other}`" for other in others)}' if others else 'take it out'
        yield Finding((*keys, name), f'the model `{checkpoint}` was not trained on `{name}`', remedy)
    limit = known.get('max_atoms')
    for name in ('min_atoms', 'max_atoms'):
        value = asked.get(name)
        if limit is not None and isinstance(value, int) and value > limit:
            message = f'the model `{checkpoint}` was trained on at most {limit} atoms in a cell'
            yield Finding((*keys, name), message, f'give {limit} or less')


def _path(model: str, folder: Path) -> Path:
    return folder / os.path.expanduser(model)


def _remote_findings(model: str, about: About, keys: Keys) -> Iterator[Finding]:
    path = model[len(REMOTE) :]
    if not about.get('checkpoint'):
        message = f'`{about.get("name", "")}` takes no model from the computer of its Code'
        yield Finding((*keys, 'model'), message, 'name a file that is here')
    elif not path.startswith('/'):
        message = f'`{path}` is not an absolute path of the computer of the Code'
        yield Finding((*keys, 'model'), message, f'write `{REMOTE}/path/of/the/checkpoint`')


def _name_findings(model: str, about: About, keys: Keys) -> Iterator[Finding]:
    """Yield a name that is not one of the models that an adapter knows, or that its tool does not fetch by itself."""
    checkpoints: Mapping[str, t.Any] = about.get('checkpoints', {})
    form = about.get('parameters', {}).get('model')
    if checkpoints and model not in checkpoints:
        yield Finding(keys, f'`{about["name"]}` knows no model `{model}`', choose(model, checkpoints))
    elif checkpoints and not about.get('checkpoint', {}).get('by_name'):
        message = f'`{model}` is known, but `{about["name"]}` does not fetch it by itself'
        yield Finding(
            keys, message, f'get it ({checkpoints[model].get("source", "see its documentation")}), give its path'
        )
    elif not checkpoints and form is None:
        message = f'there is no file `{model}`, and `{about.get("name", "")}` knows no models by name'
        yield Finding(keys, message, 'correct the path')
    elif not checkpoints:
        yield from value_findings(model, form, keys)


def _remedy(about: About) -> str:
    names = ', '.join(f'`{name}`' for name in about.get('checkpoints', {}))
    known = f'; published ones: {names}' if names else ''
    return f'give the checkpoint of `{about["name"]}`, a file, a folder or `{REMOTE}/path`{known}'
