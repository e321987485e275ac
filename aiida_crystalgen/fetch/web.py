"""Asking a public server politely: pauses between requests, patience with a busy server, sentences for the rest."""

from __future__ import annotations

import email.utils
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiida_crystalgen import __version__

from .file import FetchError

if t.TYPE_CHECKING:
    import requests

BUSY: t.Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Manners:
    """How a server is treated; times in seconds."""

    pause: float = 0.5
    """Between two requests, whatever the server says."""
    tries: int = 6
    """Of one request, before the fetch ends with a sentence."""
    first_wait: float = 2.0
    """Before the second try; each further wait is twice as long, up to `longest_wait`."""
    longest_wait: float = 120.0
    most_patience: float = 900.0
    """A server that asks for a longer wait than this ends the fetch."""
    timeout: float = 90.0
    sleep: Callable[[float], None] = time.sleep


class RefusedError(FetchError):
    """The server answered that it will not do this: asking again is of no use."""


class _BusyError(Exception):
    """The server could not answer now; `wait` [s] is what it asked for, if it did."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


@t.final
class Client:
    """A connection that asks for JSON documents one after the other."""

    def __init__(self, manners: Manners | None = None) -> None:
        import requests

        self.manners = manners or Manners()
        self._session = requests.Session()
        self._session.headers.update(
            {'User-Agent': f'aiida-crystalgen/{__version__}', 'Accept': 'application/vnd.api+json, application/json'}
        )
        self._asked = False

    def get(self, url: str, parameters: Mapping[str, str | int] | None = None) -> dict[str, t.Any]:
        """Return a JSON document, asking again for as long as the server is busy.

        Raises:
            FetchError: if the server refuses, if it cannot be reached, or if it stays busy.
        """
        wait = self.manners.first_wait
        for attempt in range(1, self.manners.tries + 1):
            if self._asked:
                self.manners.sleep(self.manners.pause)
            self._asked = True
            try:
                return self._get_once(url, parameters)
            except _BusyError as busy:
                if attempt == self.manners.tries:
                    raise FetchError(f'{_host(url)} did not answer after {attempt} tries ({busy}).') from busy
                asked = busy.wait or 0.0
                if asked > self.manners.most_patience:
                    raise FetchError(f'{_host(url)} asks for a pause of {asked:.0f} s ({busy}).') from busy
                self.manners.sleep(max(asked, wait))
                wait = min(2 * wait, self.manners.longest_wait)
        raise FetchError('at least one try is needed.')

    def _get_once(self, url: str, parameters: Mapping[str, str | int] | None) -> dict[str, t.Any]:
        import requests

        try:
            response = self._session.get(url, params=parameters, timeout=self.manners.timeout)
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
            raise FetchError(f'`{url}` is no address of a server: it must begin with `https://`.') from None
        except requests.exceptions.RequestException as exception:
            raise _BusyError(_network_reason(exception)) from exception
        if response.status_code in BUSY:
            raise _BusyError(f'status {response.status_code}', retry_after(response.headers.get('Retry-After')))
        try:
            document = response.json()
        except ValueError as exception:
            if response.ok:
                raise _BusyError('an answer that is no whole JSON document') from exception
            document = {}
        if not response.ok:
            said = _detail(document) or response.reason
            if 'page_limit' in said:
                said += ' (choose another `--page-limit`)'
            raise RefusedError(f'{_host(url)} refused the request with status {response.status_code}: {said}.')
        if not isinstance(document, dict):
            raise FetchError(f'{_host(url)} answers with something else than a JSON document: check the address.')
        return document


def retry_after(text: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the wait [s] that a `Retry-After` header asks for: a number of seconds, or a date."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now())
    except (TypeError, ValueError):
        return None


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return f'`{urlsplit(url).netloc or url}`'


def _network_reason(exception: requests.exceptions.RequestException) -> str:
    import requests

    if isinstance(exception, requests.exceptions.Timeout):
        return 'no answer in time'
    return 'no connection' if isinstance(exception, requests.exceptions.ConnectionError) else 'a broken answer'


def _detail(document: t.Any) -> str:
    """Return what an OPTIMADE server says of an error."""
    errors = document.get('errors') if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return ' '.join(str(first.get('detail') or first.get('title') or '').split()).rstrip('.')
