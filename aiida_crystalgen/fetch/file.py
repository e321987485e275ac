"""The file that a fetch writes, and the partial file beside it from which an interrupted fetch goes on."""

from __future__ import annotations

import datetime
import fcntl
import gzip
import io
import json
import os
import typing as t
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if t.TYPE_CHECKING:
    from pymatgen.core import Structure

FORMAT: t.Final = 'crystalgen.reference'
FORMAT_VERSION: t.Final = 1
ENDINGS: t.Final = ('.json', '.json.gz')

Entry: t.TypeAlias = dict[str, t.Any]


class FetchError(RuntimeError):
    """A fetch that cannot go on; its text says what is wrong and how to mend it."""


@dataclass(frozen=True)
class About:
    """What a file of crystals says of itself; all energies in its entries are of one level of theory."""

    name: str
    database: str
    query: str
    date: str
    """Of the first page [YYYY-MM-DD]."""
    database_version: str = ''
    licence: str = ''
    citation: tuple[str, ...] = ()
    level: str = ''
    convention: str = ''
    partial: bool = True
    """Whether crystals of the chemical systems asked for are missing: by a filter, a limit, or because of skips."""
    url: str = ''
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason -> number of entries of the database that are not in the file."""
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as it stands in the file."""
        plain = {'format': FORMAT, 'format_version': FORMAT_VERSION, **vars(self)}
        plain |= {'citation': list(self.citation), 'notes': list(self.notes), 'skipped': dict(self.skipped)}
        return plain


def make_entry(
    name: str,
    structure: Structure,
    energy: float | None,
    parameters: Mapping[str, t.Any],
    data: Mapping[str, t.Any],
) -> Entry:
    """Return an entry of the file; with an energy it is also a `ComputedStructureEntry` of pymatgen.

    :param energy: total energy of the cell [eV], as computed, without any correction.
    :param data: what is None is unknown and left out.
    """
    return {
        'entry_id': name,
        'structure': structure.as_dict(),
        'energy': energy,
        'correction': 0.0,  # without it pymatgen does not read an entry
        'parameters': dict(parameters),
        'data': {key: value for key, value in data.items() if value is not None},
    }


def today() -> str:
    """Return the date in UTC [YYYY-MM-DD]."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def check_target(path: Path, *, force: bool = False) -> None:
    """Look whether a file can be written there, before anything is asked of a server.

    Raises:
        FetchError: with another ending than `.json` or `.json.gz`, in a folder that does not exist, or over a file.
    """
    if not path.name.endswith(ENDINGS):
        raise FetchError(f'`{path}` must end with `.json` or `.json.gz`: name such a file.')
    if not path.parent.is_dir():
        raise FetchError(f'the folder `{path.parent}` does not exist: make it first.')
    if path.exists() and not force:
        raise FetchError(f'`{path}` exists already: name another file, or write over it with `--force`.')


def write_reference(path: Path, about: About, entries: Iterable[Entry]) -> int:
    """Write a reference file in one step and return the number of entries; equal content gives equal bytes.

    Entries are ordered by `entry_id`, since a server may send them in any order.

    Raises:
        FetchError: for a number that is not finite, which JSON cannot hold.
    """
    ordered = sorted(entries, key=lambda entry: str(entry['entry_id']))
    try:
        lines = [dumps(entry) for entry in ordered]
        text = f'{{"about":{dumps(about.as_dict())},\n"entries":[\n' + ',\n'.join(lines) + '\n]}\n'
    except ValueError as exception:
        raise FetchError(f'an entry holds a number that is not finite ({exception}).') from exception
    content = text.encode()
    partial = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        partial.write_bytes(_compressed(content) if path.name.endswith('.gz') else content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return len(ordered)


def dumps(value: t.Any) -> str:
    """Return canonical JSON on one line."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


def _compressed(content: bytes) -> bytes:
    """Compress without the name and the time that gzip writes into its header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename='', mode='wb', fileobj=buffer, mtime=0) as stream:
        stream.write(content)
    return buffer.getvalue()


@t.final
class PartFile:
    """The finished pages of a fetch, kept beside its target until the file is whole.

    The first line says what was asked for; then every entry and every skipped one is a line; a mark ends each page.
    What follows the last mark is an unfinished page, which is asked for again.
    """

    def __init__(self, path: Path, query: Mapping[str, t.Any], date: str) -> None:
        self.path = path
        self.query = dict(query)
        self.date = date
        self.entries: dict[str, Entry] = {}
        self.skipped: dict[str, str] = {}
        self.pages = 0
        self.next: str | None = None
        self.announced: int | None = None

    @classmethod
    def open(cls, target: Path, query: Mapping[str, t.Any], date: str) -> PartFile:
        """Begin a fetch, or go on with the one whose pages are there already.

        Raises:
            FetchError: if the pages belong to another query, or if the file is damaged before its last line.
        """
        part = cls(part_path(target), query, date)
        if part.path.exists() and part._read():
            return part
        part.path.write_text(dumps({'query': part.query, 'date': date}) + '\n', encoding='utf-8')
        return part

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self.entries or entry_id in self.skipped

    @property
    def counts(self) -> dict[str, int]:
        """The skipped entries, by reason."""
        return dict(sorted(Counter(self.skipped.values()).items()))

    def add_page(
        self, entries: Iterable[Entry], skipped: Mapping[str, str], following: str | None, announced: int | None = None
    ) -> None:
        """Keep a finished page; on return it is on the disk.

        :param skipped: id of an entry -> why it is left out.
        :param following: what leads to the page after this one, None after the last.
        :param announced: how many entries the server has in all.
        """
        lines: list[dict[str, t.Any]] = [{'entry': entry} for entry in entries]
        lines += [{'skipped': name, 'reason': reason} for name, reason in skipped.items()]
        lines.append({'page': self.pages + 1, 'next': following, 'announced': announced})
        with self.path.open('a', encoding='utf-8') as stream:
            stream.write(''.join(dumps(line) + '\n' for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
        for line in lines:
            self._take(line)

    def close(self) -> None:
        """Take the partial file away: its content is in the finished one."""
        self.path.unlink(missing_ok=True)

    def _take(self, line: Mapping[str, t.Any]) -> None:
        if 'entry' in line:
            self.entries[str(line['entry']['entry_id'])] = line['entry']
        elif 'skipped' in line:
            self.skipped[line['skipped']] = line['reason']
        else:
            self.pages, self.next, self.announced = line['page'], line['next'], line['announced']

    def _read(self) -> bool:
        """Read the finished pages and cut off what follows them; False if not even the first line was finished."""
        lines, end, marked = [], 0, 0
        content = self.path.read_bytes()
        for raw in content.splitlines(keepends=True):
            if not raw.endswith(b'\n'):
                break  # a torn last line
            try:
                lines.append(json.loads(raw))
            except ValueError as exception:
                remedy = 'delete it to begin again.'
                raise FetchError(f'`{self.path}` is damaged in line {len(lines) + 1}: {remedy}') from exception
            end += len(raw)
            if 'page' in lines[-1] or len(lines) == 1:
                marked, n_finished = end, len(lines)
        if not lines:
            return False
        self._check_header(lines[0])
        for line in lines[1:n_finished]:
            self._take(line)
        if marked < len(content):
            os.truncate(self.path, marked)
        return True

    def _check_header(self, header: Mapping[str, t.Any]) -> None:
        query = header.get('query')
        if query != self.query:
            known = query if isinstance(query, dict) else {}
            other = [name for name in sorted({*known, *self.query}) if known.get(name) != self.query.get(name)]
            there, here = ({name: q.get(name) for name in other} for q in (known, self.query))
            raise FetchError(
                f'`{self.path}` holds the pages of another fetch ({dumps(there)} there, {dumps(here)} here): '
                'ask for the same, name another file, or delete it.'
            )
        self.date = str(header.get('date', self.date))


@contextmanager
def part_file(target: Path, query: Mapping[str, t.Any], date: str) -> Iterator[PartFile]:
    """Give the pages of a fetch to one program at a time; what stops it is told with what is kept.

    Raises:
        FetchError: while another program fetches into the same file, and as `PartFile.open`.
    """
    with part_path(target).open('ab') as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exception:
            raise FetchError(f'another fetch is writing `{target}`: wait for it, or name another file.') from exception
        part = PartFile.open(target, query, date)
        try:
            yield part
        except FetchError as exception:
            if not part.pages:
                raise
            kept = f'{part.pages} finished pages with {len(part.entries)} crystals are kept in `{part.path}`'
            raise FetchError(f'{exception} {kept}: the same command goes on from there.') from exception
        finally:
            if not part.pages:
                part.close()


def part_path(target: Path) -> Path:
    """Return the name of the partial file beside a target."""
    return target.with_name(f'{target.name}.part.jsonl')
