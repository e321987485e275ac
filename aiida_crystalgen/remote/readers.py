"""List and read the crystals in files of many formats; nothing that a file holds is ever run or unpacked to disk.

Listing is cheap and needs the standard library alone; a crystal is parsed when it is asked for. Every file gives at
least one entry, so that an unreadable one is a row with a reason and not a loss.
"""

from __future__ import annotations

import re
import types
import typing as t
import warnings
from pathlib import Path, PurePosixPath

# The modules that travel with this one.
ABOUT = {
    'needs': [
        'crystal_archives', 'crystal_text', 'crystal_tables', 'crystal_arrays', 'mattergen_outputs',
        'outputs', 'search_outputs', 'text_outputs', 'wyckoff_outputs', 'torch_file', 'safe_pickle',
    ],
}  # fmt: skip

# Bytes that one file, or all members of one archive together, may have once uncompressed.
MAX_BYTES = 512 * 1024**2
FORMATS = (
    '.cif, .vasp, POSCAR*, CONTCAR*, .xyz, .extxyz, .json, .csv, .pt of the DiffCSP family, .res of AIRSS, '
    'gatheredPOSCARS of USPEX, pso_opt_* of CALYPSO, each also as .gz, and .zip, .tar or .tar.gz of these'
)
PARSE_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RecursionError, SyntaxError,
    TypeError, ValueError,
)  # fmt: skip


class RefusedError(Exception):
    """Why a file or an entry gives no crystal: a word and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = one_line(detail)


class Entry(t.NamedTuple):
    """A crystal that has not been parsed: where it lies, and its text or JSON or its refusal."""

    source_file: str
    source_entry: str
    kind: str
    content: t.Any
    # What stands beside the crystal, and what the file says of itself; `crystal_tables` knows what they mean.
    beside: t.Mapping[str, t.Any] = types.MappingProxyType({})
    about: t.Mapping[str, t.Any] = types.MappingProxyType({})


def one_line(text: t.Any) -> str:
    """Return printable UTF-8 of at most 200 characters on one line."""
    return ' '.join(str(text).encode('utf-8', 'replace').decode('utf-8').split())[:200]


def count(path: str | Path) -> int:
    """Return how many rows the files at `path` give."""
    return len(entries(path))


def entries(path: str | Path, limit: int = MAX_BYTES) -> list[Entry]:
    """List the crystals of a file, or of the files in a folder, by relative path."""
    import outputs  # type: ignore[import-not-found]

    listed = files(path)
    names = {name for name, _ in listed}
    found: list[Entry] = []
    for name, filepath in listed:
        elsewhere = outputs.said_elsewhere(name, names)
        found += (
            [_refused(name, RefusedError('said_elsewhere', elsewhere))] if elsewhere else _file(name, filepath, limit)
        )
    return found


def files(path: str | Path) -> list[tuple[str, Path]]:
    """List the names and paths of a file, or of the files in a folder: recursively, hidden ones left out."""
    import crystal_archives  # type: ignore[import-not-found]

    root = Path(path)
    if root.is_file():
        return [(root.name, root)]
    if not root.is_dir():
        raise FileNotFoundError(f'there is no file or folder `{root}`')
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob('*') if p.is_file())
    return [(name, root / name) for name in names if not crystal_archives.is_hidden(name)]


def entries_as(name: str, path: Path, suffix: str, limit: int = MAX_BYTES) -> list[Entry]:
    """List the crystals of one file of this name.

    :param suffix: the ending of the format that it has, whatever its name says; empty to go by the name.
    """
    pretended = f'{name[:-3]}{suffix}.gz' if suffix and name.endswith('.gz') else f'{name}{suffix}'
    return [entry._replace(source_file=one_line(name)) for entry in _file(pretended, path, limit)]


def _file(name: str, path: Path, limit: int) -> list[Entry]:
    """List the entries of a file on disk; whatever is wrong with it becomes an entry."""
    import crystal_archives

    try:
        if path.stat().st_size > limit:
            raise RefusedError('too_large', f'the file has more than {limit} bytes')
        if name.lower().endswith(crystal_archives.SUFFIXES):
            return _archive(name, path, limit)
        return _content(name, path.read_bytes(), limit, path)
    except RefusedError as refusal:
        return [_refused(name, refusal)]
    except crystal_archives.TooLargeError as error:
        return [_refused(name, RefusedError('too_large', str(error)))]
    except crystal_archives.ERRORS as error:
        return [_refused(name, RefusedError('unreadable', f'the file cannot be opened: {error}'))]


def _refused(name: str, refusal: RefusedError, label: str = '') -> Entry:
    return Entry(one_line(name), label, 'refused', refusal)


def _archive(name: str, path: Path, limit: int) -> list[Entry]:
    """List the entries of the members of an archive, read in memory, in the order of their names."""
    import crystal_archives

    found: list[Entry] = []
    for member, content in crystal_archives.members(path, limit):
        inner = f'{name}/{member}' if member else name
        refused = isinstance(content, tuple)
        found += [_refused(inner, RefusedError(*content))] if refused else _content(inner, content, limit)
    if not found:
        raise RefusedError('unreadable', 'the archive is empty')
    return found


def _content(name: str, data: bytes, limit: int, path: Path | None = None) -> list[Entry]:
    """List the entries in the bytes of a file, by its name.

    :param path: of the file, where it is one by itself: some formats need what lies beside it.
    """
    base = PurePosixPath(name).name.lower()
    try:
        if base.endswith('.gz'):
            base, data = base[:-3], _gunzip(data, limit)
        items, about = _outputs(base, data, limit, path) or _split(base, _text(data))
    except RefusedError as refusal:
        return [_refused(name, refusal)]
    file = one_line(name)
    return [
        Entry(file, one_line(f'{number} {label}'), kind, content, beside, about)
        for number, (label, kind, content, beside) in enumerate(items)
    ]


def _text(data: bytes) -> str:
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        text = data.decode('latin-1')
    if not text.strip():
        raise RefusedError('unreadable', 'the file is empty')
    return text


def _outputs(
    base: str, data: bytes, limit: int, path: Path | None
) -> tuple[list[tuple[str, str, t.Any, Facts]], Facts] | None:
    """Split the output of a generator; None where the file is none."""
    import outputs  # type: ignore[import-not-found]
    import search_outputs  # type: ignore[import-not-found]

    elements = search_outputs.elements_beside(path) if path is not None and base.startswith('pso_') else ()
    try:
        items = outputs.items_of(base, data, limit, elements)
    except ValueError as error:
        raise RefusedError(getattr(error, 'reason', 'unreadable'), str(error)) from error
    return None if items is None else (items, {})


# What a tool printed is no crystal; where it says that the tool failed, that is told.
LOGS = ('.txt', '.log', '.out')
# Label, kind and content.
Items = t.List[t.Tuple[str, str, t.Any]]
Facts = t.Mapping[str, t.Any]


def _split(base: str, text: str) -> tuple[list[tuple[str, str, t.Any, Facts]], Facts]:
    """Split a file of this name into items; say what it is, where it says so or where it is a known table."""
    import crystal_tables  # type: ignore[import-not-found]
    import mattergen_outputs  # type: ignore[import-not-found]

    if base.endswith(LOGS):
        reason, words = mattergen_outputs.failure(text)
        if reason:
            raise RefusedError(reason, words)
    if not base.endswith(('.json', '.csv')):
        return [(*item, {}) for item in _splitter(base)(text)], {}
    try:
        found = crystal_tables.json_items(text) if base.endswith('.json') else crystal_tables.csv_items(text, base)
    except ValueError as error:
        raise RefusedError('unreadable', str(error)) from error
    return found[0], found[1]


def _splitter(base: str) -> t.Callable[[str], Items]:
    """Return what splits a text of one kind of crystals."""
    if base.startswith(('poscar', 'contcar')) or base.endswith(('.vasp', '.poscar', '.contcar')):
        return lambda text: [('', 'poscar', text)]
    for suffixes, split in (
        (('.cif', '.mcif'), _cif_items),
        (('.xyz', '.extxyz'), _xyz_items),
    ):
        if base.endswith(suffixes):
            return split
    raise RefusedError('unreadable', f'the format is not known by the name; known are {FORMATS}')


def _gunzip(data: bytes, limit: int) -> bytes:
    import crystal_archives

    try:
        return bytes(crystal_archives.gunzip(data, limit))
    except crystal_archives.TooLargeError as error:
        raise RefusedError('too_large', str(error)) from error
    except crystal_archives.ERRORS as error:
        raise RefusedError('unreadable', f'the file cannot be unpacked: {error}') from error


def _cif_items(text: str) -> Items:
    """Split a CIF into its data blocks; those without atoms (journals write such) are left out."""
    import text_outputs  # type: ignore[import-not-found]

    blocks: list[list[str]] = []
    in_text = False
    for line in text.splitlines():
        in_text ^= line.startswith(';')
        if not in_text and line[:5].lower() == 'data_':
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    texts = ['\n'.join(block) + '\n' for block in blocks if any('_atom_site_' in line for line in block)]
    items = [(text.partition('\n')[0][5:].strip(), text_outputs.kind_of_cif(text), text) for text in texts]
    if not items:
        raise RefusedError('unreadable', 'no data block of the CIF holds atoms')
    return items


def _xyz_items(text: str) -> Items:
    """Split an extended XYZ into frames; a broken one ends the list, for nothing tells where the next begins."""
    import outputs

    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    items: Items = []
    start = 0
    while start < len(lines):
        header = lines[start].strip()
        atoms = int(header) if header.isdigit() and len(header) < 10 else -1
        stop = start + atoms + 2
        if atoms < 1 or stop > len(lines):
            words = 'has a number of atoms that is none' if atoms < 1 else 'is cut short'
            items.append(('', 'refused', RefusedError('unreadable', f'the frame at line {start + 1} {words}')))
            break
        items.append(('', 'xyz', lines[start + 1 : stop]))
        start = stop
    return t.cast(Items, outputs.without_repeated_frames(items))


def read(entry: Entry, partial: bool = False) -> dict[str, t.Any]:
    """Parse an entry into `numbers`, `positions` [A], `cell` [A] and `pbc`; `RefusedError` says why that fails.

    :param partial: keep partly occupied sites instead of refusing them (see `crystal_text.parse`).
    """
    import crystal_arrays  # type: ignore[import-not-found]
    import crystal_text  # type: ignore[import-not-found]
    import text_outputs

    if entry.kind == 'refused':
        raise entry.content
    try:
        if entry.kind == crystal_arrays.KIND:
            return dict(crystal_arrays.crystal(entry.content))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if entry.kind == text_outputs.KIND:
                return dict(text_outputs.crystallm(entry.content, partial))
            return dict(crystal_text.parse(entry.kind, entry.content, partial))
    except PARSE_ERRORS as error:
        reason = getattr(error, 'reason', 'unreadable')
        if reason == 'unreadable' and re.search(r'(?i)(?<![\w.])[-+]?(nan|inf|infinity)(?!\w)', str(entry.content)):
            raise RefusedError('non_finite', 'a number of the entry is not finite') from error
        words = str(error) if reason != 'unreadable' else f'no crystal could be read ({type(error).__name__}: {error})'
        raise RefusedError(reason, words) from error
