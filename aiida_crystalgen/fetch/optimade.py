"""Fetch crystals from any OPTIMADE database, page after page, into a reference file."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .conversion import FIELDS, UnusableError, number_at, structure_of
from .elements import optimade_filter
from .file import About, Entry, FetchError, PartFile, make_entry, part_file, today, write_reference
from .providers import OPTIMADE_CITATION, THERMO_TYPES, Fields, Provider, provider_at, provider_named
from .server import Server, announced, describe, following
from .web import Client

MOST_REPEATED_PAGES: t.Final = 3


@dataclass(frozen=True)
class Request:
    """What is asked of which database."""

    source: str
    """A name in `providers.PROVIDERS`, or the address of an API."""
    elements: tuple[str, ...] = ()
    """All crystals made of some of these elements and of no other."""
    filter: str = ''
    """In the language of OPTIMADE; together with `elements` both hold."""
    thermo_type: str = 'GGA_GGA+U'
    """Of the Materials Project, whose OPTIMADE server lists several."""
    limit: int | None = None
    page_limit: int = 100

    def full_filter(self) -> str:
        """Return the filter that is sent."""
        parts = [f'({part})' for part in (optimade_filter(self.elements), self.filter) if part]
        return ' AND '.join(parts) if len(parts) > 1 else optimade_filter(self.elements) or self.filter


@dataclass(frozen=True)
class Progress:
    """How far a fetch has come; `announced` entries match the query, as far as the server says."""

    pages: int
    entries: int
    skipped: int
    announced: int | None


Report: t.TypeAlias = Callable[[Progress], None]


def fetch_optimade(
    target: Path, request: Request, client: Client | None = None, report: Report | None = None, date: str | None = None
) -> About:
    """Write the crystals that match a query; an earlier, interrupted fetch of the same goes on where it stopped.

    :param target: file to write, `.json` or `.json.gz`.
    :param report: called after each page.
    :param date: of the fetch [YYYY-MM-DD], default today.
    :raises FetchError: with a sentence; finished pages are kept.
    """
    if not (request.elements or request.filter or request.limit):
        raise FetchError('this would fetch a whole database: say which part with `--elements`, `--filter` or `--max`.')
    client = client or Client()
    named = provider_named(request.source)
    server = describe(client, named.url if named else request.source)
    provider = named or provider_at(server.base.rsplit('/', 1)[0], server.prefix)
    fields = fields_of(provider, server, request.thermo_type)
    query = {
        'database': server.base,
        'database_version': server.database_version,
        'fields': sorted('.'.join(path) for path in fields.all_paths()),
        'filter': request.full_filter(),
        'limit': request.limit,
    }
    with part_file(target, query, date or today()) as part:
        for _ in _pages(part, client, server, request, fields):
            if report is not None:
                report(Progress(part.pages, len(part.entries), len(part.skipped), part.announced))
        about = _about(part, server, provider, request)
        write_reference(target, about, part.entries.values())
        part.close()
    return about


def fields_of(provider: Provider | None, server: Server, thermo_type: str) -> Fields:
    """Return the paths to the energies, only those that the server has, one for each quantity.

    Raises:
        FetchError: for a thermo type that the Materials Project does not have.
    """
    if thermo_type not in THERMO_TYPES:
        raise FetchError(f'there is no thermo type `{thermo_type}`: choose one of {", ".join(THERMO_TYPES)}.')
    known = provider.fields if provider else Fields()
    key = THERMO_TYPES[thermo_type][0]

    def served(paths: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        chosen = [path for path in paths if server.serves(path[0])][:1]
        return tuple(tuple(key if part == '*' else part for part in path) for path in chosen)

    return Fields(served(known.formation_energy), served(known.e_above_hull), served(known.energy))


def _pages(part: PartFile, client: Client, server: Server, request: Request, fields: Fields) -> Iterator[None]:
    """Fetch the pages that are missing, and keep each."""
    wanted = {*FIELDS, *(path[0] for path in fields.all_paths())}
    parameters: dict[str, str | int] = {'response_fields': ','.join(sorted(wanted)), 'page_limit': request.page_limit}
    if request.full_filter():
        parameters['filter'] = request.full_filter()
    address, n_repeated = f'{server.base}/structures', 0
    if part.pages:
        if part.next is None:
            return
        address, parameters = part.next, {}
    while True:
        document = client.get(address, parameters or None)
        listed = document.get('data')
        if not isinstance(listed, list):
            raise FetchError(f'`{address}` answers without a list of structures.')
        entries, skipped = _read_page(listed, part, request, fields)
        link = following(document, server.base)
        n_repeated = 0 if entries or skipped else n_repeated + 1
        if link is not None and n_repeated == MOST_REPEATED_PAGES:
            raise FetchError(f'the last {n_repeated} pages brought nothing new: the server does not turn its pages.')
        if request.limit is not None and len(part.entries) + len(entries) >= request.limit:
            entries, link = entries[: request.limit - len(part.entries)], None
        part.add_page(entries, skipped, link, announced(document))
        yield
        if link is None:
            return
        address, parameters = link, {}


def _read_page(
    listed: list[t.Any], part: PartFile, request: Request, fields: Fields
) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries of a page, and the reasons of those that are none; what is known already is left out."""
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    for place, resource in enumerate(listed):
        found = resource if isinstance(resource, Mapping) else {}
        name = str(found.get('id') or '')
        if not name:
            skipped[f'page {part.pages + 1}, entry {place + 1}'] = 'it has no id'
        elif name not in part and name not in entries and name not in skipped:
            try:
                entries[name] = entry_of(name, found.get('attributes') or {}, fields, request.elements)
            except UnusableError as reason:
                skipped[name] = str(reason)
    return list(entries.values()), skipped


def entry_of(name: str, attributes: Mapping[str, t.Any], fields: Fields, elements: tuple[str, ...] = ()) -> Entry:
    """Return an entry of the file; quantities that the database does not have are not in it.

    :raises UnusableError: if it is no crystal with known atoms.
    """
    try:
        structure = structure_of(attributes, elements)
    except UnusableError:
        raise
    except Exception as exception:  # whatever a database may send, one bad entry must not end a fetch
        raise UnusableError(f'it cannot be read ({type(exception).__name__})') from exception

    def first(paths: tuple[tuple[str, ...], ...]) -> float | None:
        return number_at(attributes, paths[0]) if paths else None

    data = {'formation_energy_per_atom': first(fields.formation_energy), 'e_above_hull': first(fields.e_above_hull)}
    return make_entry(name, structure, first(fields.energy), {}, data)


def _about(part: PartFile, server: Server, provider: Provider | None, request: Request) -> About:
    """Return what the finished file says of itself."""
    has_energies = any('formation_energy_per_atom' in entry['data'] for entry in part.entries.values())
    level = provider.level if provider else ''
    if provider is not None and provider.name == 'mp':
        level = THERMO_TYPES[request.thermo_type][1]
    n_received = len(part.entries) + len(part.skipped)
    fewer = part.announced is not None and part.announced > n_received
    at_limit = request.limit is not None and len(part.entries) >= request.limit and part.announced != n_received
    missing = fewer and not at_limit
    notes = [provider.warning] if provider and provider.warning else []
    if missing:
        notes.append(f'the server announced {part.announced} entries and sent {n_received}')
    source = provider.name if provider else server.prefix or 'optimade'
    limit = f', the first {request.limit}' if request.limit else ''
    return About(
        name='-'.join([source, *request.elements]),
        database=provider.title if provider else server.name or server.base,
        database_version=server.database_version,
        date=part.date,
        query=f'{request.full_filter() or "everything"}{limit}',
        licence=server.licence or (provider.licence if provider else ''),
        citation=(*(provider.citation if provider else ()), *OPTIMADE_CITATION),
        level=level if has_energies else '',
        convention='formation' if has_energies else '',
        partial=bool(not request.elements or request.filter or at_limit or missing or part.skipped),
        url=server.base,
        skipped=part.counts,
        notes=tuple(notes),
    )
