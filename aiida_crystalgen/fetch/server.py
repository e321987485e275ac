"""What an OPTIMADE server says of itself, before anything is fetched from it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from .file import FetchError
from .web import Client, RefusedError

VERSION: t.Final = re.compile(r'v\d+(\.\d+)*')


@dataclass(frozen=True)
class Server:
    """A database that answers; '' for what it does not say."""

    base: str
    """Address with the version of the API, for example `https://.../v1`."""
    prefix: str
    """Of its own fields, for example `oqmd` for `_oqmd_delta_e`."""
    name: str
    database_version: str
    licence: str
    properties: frozenset[str] | None
    """Fields of its structures; None if it does not list them."""

    def serves(self, name: str) -> bool:
        """Return whether structures have a field; True where the server does not say."""
        return self.properties is None or name in self.properties


def describe(client: Client, url: str) -> Server:
    """Ask a server what it is.

    Raises:
        FetchError: if it cannot be reached, is no OPTIMADE server, or only lists other servers.
    """
    base = versioned(url)
    try:
        document = client.get(f'{base}/info')
    except RefusedError as exception:
        raise FetchError(f'there is no OPTIMADE server at `{base}` ({exception})') from exception
    attributes = _at(document, 'data', 'attributes')
    if not isinstance(attributes, Mapping) or 'api_version' not in attributes:
        raise FetchError(f'`{base}/info` is not the answer of an OPTIMADE server: check the address.')
    if attributes.get('is_index'):
        raise FetchError(f'`{base}` is an index of databases: {_children(client, base)}')
    database, provider = _at(document, 'meta', 'database'), _at(document, 'meta', 'provider')
    return Server(
        base=base,
        prefix=_text(provider, 'prefix'),
        name=_text(database, 'name') or _text(provider, 'name'),
        database_version=_text(database, 'version'),
        licence=_licence(attributes),
        properties=_properties(client, base),
    )


def versioned(url: str) -> str:
    """Return a base address with the version of the API; without one it is `v1`."""
    base = url.rstrip('/').removesuffix('/structures').rstrip('/')
    return base if VERSION.fullmatch(base.rsplit('/', 1)[-1]) else f'{base}/v1'


def _properties(client: Client, base: str) -> frozenset[str] | None:
    try:
        listed = _at(client.get(f'{base}/info/structures'), 'data', 'properties')
    except RefusedError:
        return None
    return frozenset(map(str, listed)) if isinstance(listed, Mapping) and listed else None


def _children(client: Client, base: str) -> str:
    links = _at(client.get(f'{base}/links'), 'data')
    found = [_at(link, 'attributes') for link in links] if isinstance(links, list) else []
    urls = [_address(link.get('base_url')) for link in found if _text(link, 'link_type') == 'child']
    return f'choose one of {", ".join(f"`{url}`" for url in urls if url)}.' if any(urls) else 'give one of them.'


def _licence(attributes: Mapping[str, t.Any]) -> str:
    """Return the licence of the content that a server states: names, or the address of a text."""
    names = attributes.get('available_licenses')
    if isinstance(names, list) and names:
        return ' or '.join(map(str, names))
    return _address(attributes.get('license'))


def _address(link: t.Any) -> str:
    """Return the address in a link, which JSON:API writes as a string or as an object."""
    return str(link.get('href') or '') if isinstance(link, Mapping) else str(link or '')


def following(document: Mapping[str, t.Any], base: str) -> str | None:
    """Return the address of the next page, None after the last one.

    Raises:
        FetchError: for an address that is none.
    """
    from urllib.parse import urljoin, urlsplit

    link = _address(_at(document, 'links', 'next'))
    if not link:
        return None
    address = urljoin(f'{base}/structures', link)
    if urlsplit(address).scheme not in {'http', 'https'}:
        raise FetchError(f'the server gives `{link}` as the address of its next page.')
    return address


def _at(document: t.Any, *keys: str) -> t.Any:
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _text(document: t.Any, key: str) -> str:
    value = _at(document, key)
    return '' if value is None else str(value)


def announced(document: Mapping[str, t.Any]) -> int | None:
    """Return how many entries match the query, where the server says so."""
    number = _at(document, 'meta', 'data_returned')
    return number if isinstance(number, int) and not isinstance(number, bool) else None
