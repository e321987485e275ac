"""Fetching from the Materials Project, with the real client `mp-api` and a server on this machine.

The server answers in the form of the API with the facts of nine real entries (CC-BY-4.0, see `about` in
`mp_thermo.json`). They are no recording of its answers: none were to be had, so the form follows the models of the API
(`emmet.api`) and of the client, which reads it.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry

from aiida_crystalgen.fetch.file import FetchError, part_path
from aiida_crystalgen.fetch.materials_project import entry_of, fetch_materials_project
from tests.fetch.servers import MaterialsProject

DOCUMENTS = json.loads(Path(__file__).with_name('mp_thermo.json').read_text())['documents']
DATE = '2025-01-31'
needs_client = pytest.mark.skipif(
    importlib.util.find_spec('mp_api') is None, reason="`mp-api` is not installed: pip install 'aiida-crystalgen[mp]'"
)


@pytest.fixture
def server(monkeypatch):
    """Return a server with a database, and a key that it takes."""
    server = MaterialsProject(DOCUMENTS)
    monkeypatch.setenv('MP_API_KEY', server.key)
    yield server
    server.stop()


def fetch(server, target, *elements, **options):
    """Fetch a chemical system from the server of a test."""
    return fetch_materials_project(target, elements, endpoint=server.url, date=DATE, **options)


def read(path):
    """Return a file: what it says of itself, and its entries by id."""
    document = json.loads(path.read_text())
    return document['about'], {entry['entry_id']: entry for entry in document['entries']}


@needs_client
def test_a_system_comes_with_every_system_within(server, tmp_path):
    """Li-O: the elements and the oxides; one request for each chemical system, at one thermo type."""
    steps = []
    fetch(server, tmp_path / 'known.json', 'O', 'Li', report=steps.append)
    about, entries = read(tmp_path / 'known.json')
    assert sorted(entries) == ['mp-1018134', 'mp-12957', 'mp-135', 'mp-1960', 'mp-841']
    assert [step.system for step in steps] == ['Li', 'O', 'Li-O']
    assert {asked['thermo_types'] for asked in server.asked} == {'GGA_GGA+U'}
    assert (about['database'], about['database_version']) == ('Materials Project', 'test-1')
    assert (about['licence'], about['convention'], about['partial']) == ('CC-BY-4.0', 'raw_mp_pbe_u', False)
    assert about['query'] == 'Li-O and every system within it, thermo type GGA_GGA+U'
    assert about['date'] == DATE


@needs_client
@pytest.mark.filterwarnings('ignore:Failed to guess oxidation states')  # of the alloy LiFe
def test_energies_are_uncorrected_and_come_with_what_the_corrections_need(server, tmp_path):
    """MP2020, applied to what is in the file, gives back the formation energies that are listed."""
    fetch(server, tmp_path / 'known.json', 'Fe', 'Li', 'O')
    _, entries = read(tmp_path / 'known.json')
    assert entries['mp-1960']['energy'] == -14.26360048
    assert entries['mp-19419']['parameters'] == {'run_type': 'GGA+U', 'hubbards': {'Fe': 5.3, 'Li': 0.0, 'O': 0.0}}
    corrected = [ComputedStructureEntry.from_dict(entry) for entry in entries.values()]
    MaterialsProject2020Compatibility(check_potcar=False).process_entries(corrected, inplace=True)
    hull = PhaseDiagram(corrected)
    for entry in corrected:
        listed = entries[entry.entry_id]['data']['formation_energy_per_atom']
        assert hull.get_form_energy_per_atom(entry) == pytest.approx(listed, abs=1e-9)


@needs_client
def test_a_system_that_fails_ends_the_fetch_and_the_next_one_goes_on(server, tmp_path):
    """What has come is kept; only what is missing is asked for; the file is the same."""
    fetch(server, tmp_path / 'undisturbed.json', 'Li', 'O')
    server.failing, server.asked = {'O'}, []
    with pytest.raises(
        FetchError, match=r'status code 500.*1 finished pages with 2 crystals are kept.*goes on from there'
    ):
        fetch(server, tmp_path / 'known.json', 'Li', 'O')
    server.failing, server.asked = set(), []
    fetch(server, tmp_path / 'known.json', 'Li', 'O')
    assert [asked['chemsys'] for asked in server.asked] == ['O', 'Li-O']
    assert (tmp_path / 'known.json').read_bytes() == (tmp_path / 'undisturbed.json').read_bytes()
    assert not part_path(tmp_path / 'known.json').exists()


@needs_client
def test_thermo_types_are_never_mixed(server, tmp_path):
    """A document of another type is left out with a reason, whatever the server sends; nothing is at r2SCAN here."""
    assert fetch(server, tmp_path / 'r2scan.json', 'Li', thermo_type='R2SCAN').convention == 'other'
    assert read(tmp_path / 'r2scan.json')[1] == {}
    server.documents = [{**document, 'thermo_type': 'GGA_GGA+U_R2SCAN'} for document in DOCUMENTS]
    about = fetch(server, tmp_path / 'mixed.json', 'Li', thermo_type='GGA_GGA+U_R2SCAN')
    assert (about.convention, about.level) == ('formation', 'Materials Project PBE(+U)/r2SCAN')
    assert {entry['energy'] for entry in read(tmp_path / 'mixed.json')[1].values()} == {None}
    with pytest.raises(FetchError, match='no thermo type `PBE`'):
        fetch(server, tmp_path / 'pbe.json', 'Li', thermo_type='PBE')


@needs_client
def test_entries_that_are_not_for_commerce_are_told(server, tmp_path):
    """The Materials Project marks what came from GNoME; file and entry say so."""
    server.documents = [{**DOCUMENTS[0], 'builder_meta': {'license': 'BY-NC'}}, *DOCUMENTS[1:]]
    about = fetch(server, tmp_path / 'known.json', 'Li')
    assert about.licence == 'CC-BY-4.0 and CC-BY-NC-4.0'
    assert about.notes == ('NON-COMMERCIAL: 1 entries are under CC-BY-NC-4.0',)
    assert read(tmp_path / 'known.json')[1]['mp-1018134']['data']['licence'] == 'CC-BY-NC-4.0'


@needs_client
def test_another_release_of_the_database_is_another_fetch(server, tmp_path):
    """Systems of two releases are never in one file."""
    from mp_api.client import MPRester

    server.failing = {'O'}
    with pytest.raises(FetchError, match='status code 500'):
        fetch(server, tmp_path / 'known.json', 'Li', 'O')
    server.db_version = 'test-2'
    MPRester._get_heartbeat_info.cache_clear()
    with pytest.raises(FetchError, match=r'another fetch.*test-1.*test-2'):
        fetch(server, tmp_path / 'known.json', 'Li', 'O')


@needs_client
def test_without_a_key_a_sentence_says_where_to_get_one(server, tmp_path, monkeypatch):
    """No key in the environment or in the settings of pymatgen: nothing is asked."""
    from pymatgen.core import SETTINGS

    monkeypatch.delenv('MP_API_KEY')
    monkeypatch.delitem(SETTINGS, 'PMG_MAPI_KEY', raising=False)
    with pytest.raises(FetchError, match=r'needs a key.*materialsproject.org/api.*MP_API_KEY'):
        fetch(server, tmp_path / 'known.json', 'Li')


@needs_client
@pytest.mark.parametrize(('key', 'message'), [('x' * 32, 'refuses the key'), ('short', '32 characters')])
def test_a_wrong_key_is_told(server, tmp_path, monkeypatch, key, message):
    """Refused by the server, or of a form that no key has."""
    monkeypatch.setenv('MP_API_KEY', key)
    with pytest.raises(FetchError, match=message):
        fetch(server, tmp_path / 'known.json', 'Li')


@needs_client
def test_without_network_a_sentence_says_so(server, tmp_path):
    """Nothing listens there."""
    with pytest.raises(FetchError, match='cannot be reached: this needs a connection to the internet'):
        fetch_materials_project(tmp_path / 'known.json', ('Li',), endpoint='http://127.0.0.1:9')


def test_without_the_client_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    """The package is an extra."""
    monkeypatch.setitem(sys.modules, 'mp_api.client', None)
    with pytest.raises(FetchError, match=r"pip install 'aiida-crystalgen\[mp\]'"):
        fetch_materials_project(tmp_path / 'known.json', ('Li',))


@pytest.mark.parametrize(
    'changes',
    [
        {'entries': {}},
        {'entries': None},
        {'uncorrected_energy_per_atom': -1.0},
        {'thermo_type': 'R2SCAN'},
        {'entries': {'GGA': {'energy': -1.0, 'structure': {'lattice': None}}}},
        {'entries': {'GGA': {**DOCUMENTS[0]['entries']['GGA'], 'energy': None}}},
    ],
)
def test_a_document_that_contradicts_itself_is_skipped(changes):
    """Each with a reason; a fetch never ends because of one entry."""
    from aiida_crystalgen.fetch.conversion import UnusableError

    with pytest.raises(UnusableError):
        entry_of('mp-1', {**DOCUMENTS[0], **changes}, 'GGA_GGA+U')
