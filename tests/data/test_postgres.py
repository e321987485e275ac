"""The nodes on PostgreSQL, which orders and queries JSON in its own way."""

import gc
import secrets

import pytest
from aiida import orm

from aiida_crystalgen.data.batch import StructureBatch

from .examples import check_queries, crystals_of

SERVER = {'host': 'localhost', 'port': 5432, 'user': 'postgres'}

pytestmark = [
    pytest.mark.postgres,
    # AiiDA leaves the connections of its migrator to the garbage collector
    pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning', 'ignore::ResourceWarning'),
]


@pytest.fixture
def postgres_profile(aiida_config_tmp, aiida_profile_factory):
    """Load a profile on a database of its own, which is dropped afterwards."""
    import psycopg

    try:
        server = psycopg.connect(**SERVER, dbname='postgres', autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as exception:
        pytest.skip(f'no PostgreSQL: {exception}')
    name = f'crystalgen_test_{secrets.token_hex(4)}'
    server.execute(f'CREATE DATABASE {name}')
    storage = {
        'database_hostname': SERVER['host'],
        'database_port': SERVER['port'],
        'database_username': SERVER['user'],
        'database_password': '',
        'database_name': name,
        'repository_uri': f'file://{aiida_config_tmp.dirpath}/repository',
    }
    with aiida_profile_factory(aiida_config_tmp, storage_backend='core.psql_dos', storage_config=storage) as profile:
        yield profile
    gc.collect()
    server.execute(f'DROP DATABASE {name} WITH (FORCE)')
    server.close()


@pytest.mark.usefixtures('postgres_profile')
def test_queries():
    """QueryBuilder finds batches by their summary on PostgreSQL."""
    check_queries()


@pytest.mark.usefixtures('postgres_profile')
def test_hash_survives_the_database():
    """PostgreSQL reorders attributes; crystals and hash stay the same."""
    stored = StructureBatch(crystals_of()).store()
    loaded = orm.QueryBuilder().append(StructureBatch, filters={'uuid': stored.uuid}).one()[0]
    assert loaded.crystals.equals(crystals_of())
    assert loaded.base.caching.compute_hash() == stored.base.caching.get_hash()
