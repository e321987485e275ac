"""Fetching from the real server of the package `optimade`: pages, failures, going on, manners."""

import json
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from aiida_crystalgen.fetch.file import FetchError, part_path
from aiida_crystalgen.fetch.optimade import Request, fetch_optimade
from aiida_crystalgen.fetch.web import Client, Manners
from tests.fetch.crystals import LI_O, NO_CRYSTALS

DATE = '2025-01-31'


def read(path):
    """Return a file: what it says of itself, and its entries by id."""
    document = json.loads(path.read_text())
    return document['about'], {entry['entry_id']: entry for entry in document['entries']}


def lithium_oxides(database, page_limit=5, **changes):
    """Return the query for Li-O and the systems within."""
    return Request(database.url, ('Li', 'O'), page_limit=page_limit, **changes)


@pytest.fixture
def undisturbed(database, client, tmp_path):
    """Return the bytes of a file that was fetched without any trouble."""
    fetch_optimade(tmp_path / 'undisturbed.json', lithium_oxides(database), client, date=DATE)
    return (tmp_path / 'undisturbed.json').read_bytes()


def test_every_page_is_fetched_once(database, client, tmp_path):
    """The file holds the crystals of Li-O, Li and O and no others; each page was asked for once."""
    steps = []
    about = fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client, steps.append, DATE)
    _, entries = read(tmp_path / 'known.json')
    assert set(entries) == LI_O - NO_CRYSTALS
    assert [step.pages for step in steps] == list(range(1, len(steps) + 1))
    assert database.n_pages == len(steps) == -(-len(LI_O) // 5)
    assert steps[-1].announced == len(LI_O)
    assert sum(about.skipped.values()) == len(NO_CRYSTALS)
    assert not part_path(tmp_path / 'known.json').exists()


def test_the_file_says_where_it_comes_from(database, client, tmp_path):
    """Source, query, date, licence, level and skips stand in the file; a known prefix gives fields a meaning."""
    fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client, date=DATE)
    about, entries = read(tmp_path / 'known.json')
    assert about['database'] == 'Open Quantum Materials Database'
    assert about['url'] == f'{database.url}/v1'
    assert (about['date'], about['licence'], about['convention']) == (DATE, 'CC-BY-4.0', 'formation')
    assert about['level'].startswith('OQMD PBE(+U)')
    assert 'elements HAS ALL "Li","O" AND nelements=2' in about['query']
    assert about['partial'] is True
    assert about['skipped']['it is not periodic in three dimensions'] == 1
    assert entries['LiO-3']['data'] == {'formation_energy_per_atom': -0.97, 'e_above_hull': 0.03}
    assert entries['LiO-3']['energy'] is None
    assert entries['LiO-mixed']['structure']['sites'][0]['species'] == [{'element': 'Li', 'occu': 0.5}]


def test_a_system_without_skips_is_whole(database, client, tmp_path):
    """Without a limit, a filter or skipped entries, the file holds all crystals of its systems."""
    request = Request(database.url, ('Mg', 'O'), page_limit=50)
    assert fetch_optimade(tmp_path / 'known.json', request, client).partial is False


@pytest.mark.parametrize('fault', [500, 503, 'drop', 'torn'])
def test_a_page_that_fails_now_and_then_is_asked_again(database, client, tmp_path, undisturbed, waits, fault):
    """Statuses, closed connections and torn answers cost a wait, and nothing is missing or doubled."""
    database.reset({2: fault, 5: fault, 6: fault})
    fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client, date=DATE)
    assert (tmp_path / 'known.json').read_bytes() == undisturbed
    assert [wait for wait in waits if wait >= 1.0] == [1.0, 1.0, 2.0]


@pytest.mark.parametrize('k', [1, 2, 4])
def test_a_page_that_stays_broken_ends_the_fetch_and_the_next_one_goes_on(
    database, client, tmp_path, undisturbed, k
):  # fmt: skip
    """After so many tries a sentence says what is kept; the same command asks only for what is missing.

    The date is that of the first page.
    """
    database.reset(dict.fromkeys(range(k, k + 3), 500))
    target = tmp_path / 'known.json'
    kept = f'{k - 1} finished pages.*goes on from there' if k > 1 else r'\(status 500\)\.$'
    with pytest.raises(FetchError, match=f'after 3 tries.*{kept}'):
        fetch_optimade(target, lithium_oxides(database), client, date=DATE)
    assert not target.exists()
    assert part_path(target).exists() == (k > 1)
    database.reset()
    fetch_optimade(target, lithium_oxides(database), client, date='2025-02-20' if k > 1 else DATE)
    assert target.read_bytes() == undisturbed
    assert database.n_pages == -(-len(LI_O) // 5) - (k - 1)


def test_a_fetch_that_is_killed_goes_on(database, client, tmp_path, undisturbed):
    """SIGKILL in the middle of the pages: the same set of crystals as of a fetch that nobody disturbed."""
    target = tmp_path / 'known.json'
    source = f"""
        from pathlib import Path
        from aiida_crystalgen.fetch.optimade import Request, fetch_optimade
        from aiida_crystalgen.fetch.web import Client, Manners
        request = Request({database.url!r}, ('Li', 'O'), page_limit=5)
        fetch_optimade(Path({str(target)!r}), request, Client(Manners(pause=0.4)), date={DATE!r})
    """
    database.reset()
    process = subprocess.Popen([sys.executable, '-c', textwrap.dedent(source)])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and database.n_pages < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    n_pages = part_path(target).read_text().count('"page":')
    assert n_pages >= 1
    database.reset()
    fetch_optimade(target, lithium_oxides(database), client, date=DATE)
    assert target.read_bytes() == undisturbed
    assert database.n_pages == -(-len(LI_O) // 5) - n_pages


def test_another_query_does_not_go_on_with_these_pages(database, client, tmp_path):
    """Pages of one query are never completed with those of another."""
    database.reset(dict.fromkeys(range(2, 5), 500))
    with pytest.raises(FetchError):
        fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client)
    with pytest.raises(FetchError, match=r'holds the pages of another fetch.*Mg'):
        fetch_optimade(tmp_path / 'known.json', Request(database.url, ('Mg', 'O')), client)


def test_a_server_that_asks_for_a_pause_gets_it(database, client, tmp_path, undisturbed, waits):
    """`Retry-After` of a 429 is waited for, and between any two requests lies the pause."""
    waits.clear()
    database.reset({2: (429, {'Retry-After': '17'}), 4: (503, {'Retry-After': '5'})})
    fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client, date=DATE)
    assert (tmp_path / 'known.json').read_bytes() == undisturbed
    assert [wait for wait in waits if wait != 0.25] == [17.0, 5.0]
    assert waits.count(0.25) == len(database.asked)


def test_a_server_that_asks_for_too_much_patience_ends_the_fetch(database, client, tmp_path):
    """An hour is not slept away in silence."""
    database.reset({2: (429, {'Retry-After': '3600'})})
    with pytest.raises(FetchError, match=r'asks for a pause of 3600 s.*1 finished pages'):
        fetch_optimade(tmp_path / 'known.json', lithium_oxides(database), client)


def test_real_pauses_are_slept(database, tmp_path):
    """The pause is a real one unless a test takes it away."""
    start = time.monotonic()
    fetch_optimade(tmp_path / 'known.json', lithium_oxides(database, 50), Client(Manners(pause=0.2)))
    assert time.monotonic() - start >= 0.2 * (len(database.asked) - 1) > 0


def test_a_limit_ends_the_fetch(database, client, tmp_path):
    """`--max` takes the first so many crystals, says so, and asks for no further page."""
    about = fetch_optimade(tmp_path / 'known.json', lithium_oxides(database, limit=7), client)
    assert len(read(tmp_path / 'known.json')[1]) == 7
    assert about.partial
    assert about.query.endswith(', the first 7')
    assert database.n_pages == 2


def test_a_filter_of_the_user_holds_too(database, client, tmp_path):
    """Elements and filter together; energies of the provider can be filtered on."""
    fetch_optimade(tmp_path / 'known.json', lithium_oxides(database, filter='_oqmd_stability<=0.02'), client)
    _, entries = read(tmp_path / 'known.json')
    assert entries
    assert all(entry['data']['e_above_hull'] <= 0.02 for entry in entries.values())


def test_what_a_server_refuses_is_told(database, client, tmp_path):
    """A filter with a mistake is the server's sentence, at once and not after many tries."""
    with pytest.raises(FetchError, match='refused the request with status 400'):
        fetch_optimade(tmp_path / 'known.json', Request(database.url, filter='elements HAS'), client)
    assert database.n_pages == 1


def test_a_page_limit_that_is_too_high_is_told(database, client, tmp_path):
    """The server says how much it allows, and we say by which option to ask for less."""
    with pytest.raises(FetchError, match=r'Max allowed page_limit is 50.*`--page-limit`'):
        fetch_optimade(tmp_path / 'known.json', lithium_oxides(database, 51), client)


def test_an_address_without_a_server_is_told(client, tmp_path, database):
    """Not OPTIMADE, not there, not an address."""
    with pytest.raises(FetchError, match='no OPTIMADE server at'):
        fetch_optimade(tmp_path / 'known.json', Request(f'{database.url}/nothing/v9', ('Li',)), client)
    with pytest.raises(FetchError, match=r'after 3 tries \(no connection\)'):
        fetch_optimade(tmp_path / 'known.json', Request('http://127.0.0.1:9', ('Li',)), client)
    with pytest.raises(FetchError, match='no database known here: choose one of mp, alexandria-pbe'):
        fetch_optimade(tmp_path / 'known.json', Request('alexandira', ('Li',)), client)
    with pytest.raises(FetchError, match='whole database'):
        fetch_optimade(tmp_path / 'known.json', Request(database.url), client)
