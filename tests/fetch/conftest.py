"""A real OPTIMADE server with a small database, behind a proxy that can fail."""

import importlib.util

import pytest

from aiida_crystalgen.fetch.web import Client, Manners
from tests.fetch.crystals import DATABASE, FIELDS
from tests.fetch.servers import Proxy, start_optimade


@pytest.fixture(scope='session')
def optimade_proxy(tmp_path_factory):
    """Return the proxy before the server of the package `optimade`, whose database is `DATABASE`."""
    for name in ('optimade', 'uvicorn', 'mongomock'):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the package `{name}` is not installed: pip install 'optimade[server]'")
    proxy = Proxy()
    process = start_optimade(tmp_path_factory.mktemp('optimade'), DATABASE, proxy, 'oqmd', FIELDS)
    yield proxy
    proxy.stop()
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture
def database(optimade_proxy):
    """Return the address of a database that does not fail, until its `faults` are set."""
    optimade_proxy.reset()
    return optimade_proxy


@pytest.fixture
def waits():
    """Return the pauses [s] that were made instead of being slept."""
    return []


@pytest.fixture
def client(waits):
    """Return a client that does not sleep."""
    return Client(Manners(pause=0.25, tries=3, first_wait=1.0, timeout=30.0, sleep=waits.append))
