"""Reading reference sets: what becomes of entries, and what the files say of themselves."""

import gzip
import hashlib
import itertools
import json

import pytest

from aiida_crystalgen.references.read import (
    NOT_STATED,
    files_adapter,
    load_reference,
    read_reference,
    require_complete,
)
from aiida_crystalgen.schema import CampaignError

from .examples import CU3AU, HALF, MGO, MP, cif, entries, fetched, needs_data, table

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


def test_folder_of_cifs(tmp_path):
    """A folder gives its crystals with file and entry as source, and claims nothing."""
    (tmp_path / 'rocksalt').mkdir()
    (tmp_path / 'rocksalt' / 'mgo.cif').write_text(cif(MGO))
    node = read_reference(tmp_path / 'rocksalt')
    assert (node.set_name, node.level, node.licence, node.partial) == ('rocksalt', '', '', True)
    assert node.crystals.values('source') == ['mgo.cif 0 MgO']
    assert node.crystals.numbers.tolist() == [12] * 4 + [8] * 4
    assert node.energy_columns == []


def test_computed_entries(tmp_path):
    """Energies are per atom and uncorrected; without a level they equal no other level."""
    (tmp_path / 'mp.json').write_text(json.dumps(entries('mp-1', 'mp-2')))
    node = read_reference(tmp_path / 'mp.json')
    assert node.crystals.values('energy') == [pytest.approx(-5.0), pytest.approx(-5.0125)]
    assert node.crystals.values('source') == ['mp-1', 'mp-2']
    assert node.crystals.values('run_type') == ['GGA', 'GGA']
    assert (node.level, node.crystals.columns['energy'].level) == (NOT_STATED, NOT_STATED)


def test_file_of_a_fetcher_and_overrides(tmp_path):
    """What the file says of itself is taken, and what is given takes its place."""
    about = {'database': 'MP', 'date': '2026-01-02', 'licence': 'CC-BY-4.0', 'citation': ['x'], 'partial': False}
    (tmp_path / 'a.json').write_text(fetched('mp-1', **about))
    node = read_reference(tmp_path / 'a.json', name='mine', level='PBE+U', licence=None)
    expected = {**about, 'name': 'mine', 'level': 'PBE+U'}
    assert {key: node.facts[key] for key in expected} == expected
    assert node.crystals.columns['energy'].level == 'PBE+U'


def test_table_of_formation_energies(tmp_path):
    """Formation energies and listed hull distances are columns of their own; an empty cell is unknown."""
    text = table('material_id,cif,formation_energy_per_atom,e_above_hull', 'mp-1,CIF,-3.0,0.0', 'mp-2,CIF,,0.5')
    (tmp_path / 'a.csv.gz').write_bytes(gzip.compress(text.encode()))
    node = read_reference(tmp_path / 'a.csv.gz')
    assert node.set_name == 'a'
    assert node.crystals.values('formation_energy') == [-3.0, None]
    assert node.crystals.values('listed_e_hull') == [0.0, 0.5]
    assert node.crystals.columns['listed_e_hull'].level == ''


def test_entries_that_cannot_be_read_are_rows(tmp_path):
    """An unreadable entry is a row of zero atoms with its reason, and the others are there."""
    (tmp_path / 'a.csv').write_text(table('material_id,cif,energy_per_atom', 'x-1,CIF,-1.0', 'x-2,nothing,-2.0'))
    node = read_reference(tmp_path / 'a.csv')
    assert node.n_unusable == 1
    assert node.crystals.offsets.tolist() == [0, 8, 8]
    assert node.crystals.values('energy') == [-1.0, None]
    assert node.crystals.values('unusable_reason')[0] is None
    assert 'no crystal could be read' in node.crystals.values('unusable_reason')[1]


def test_disordered_entries_keep_their_occupancies(tmp_path):
    """A mixed crystal is kept with the shares of its sites as canonical JSON."""
    (tmp_path / 'alloy.cif').write_text(cif(CU3AU))
    (tmp_path / 'mgo.cif').write_text(cif(MGO))
    node = read_reference(tmp_path)
    assert (node.n_disordered, node.n_unusable) == (1, 0)
    assert node.crystals.values('occupancies') == ['[' + ','.join(['{"Au":0.25,"Cu":0.75}'] * 4) + ']', None]
    assert node.crystals.numbers.tolist()[:4] == [29] * 4


def test_ids_follow_from_content(tmp_path):
    """The same crystals have the same ids, wherever they lie; occupancies are content."""
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'x.cif').write_text(cif(MGO))
    (tmp_path / 'c.cif').write_text(cif(HALF))
    (tmp_path / 'd.cif').write_text(cif(HALF).replace('0.5\n', '0.25\n'))
    found = [read_reference(tmp_path / name).crystals.ids for name in ('a', 'b', 'c.cif', 'd.cif')]
    assert found[0] == found[1]
    assert found[2] != found[3]
    assert found[0][0].endswith('-0')


def test_the_same_files_give_the_same_node(tmp_path):
    """Nothing of the machine or of the time is in a set."""
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'x.json').write_text(fetched('mp-1'))
    first, second = (read_reference(tmp_path / name).store() for name in ('a', 'b'))
    assert first.base.caching.get_hash() == second.base.caching.get_hash()


def test_sha256_is_of_the_bytes(tmp_path):
    """A file has the sum that `sha256sum` prints; a folder one of names and contents."""
    (tmp_path / 'x.cif').write_text(cif(MGO))
    (tmp_path / '.hidden').write_text('a')
    assert read_reference(tmp_path / 'x.cif').sha256 == hashlib.sha256((tmp_path / 'x.cif').read_bytes()).hexdigest()
    before = read_reference(tmp_path).sha256
    (tmp_path / '.hidden').write_text('b')
    assert read_reference(tmp_path).sha256 == before
    (tmp_path / 'x.cif').rename(tmp_path / 'y.cif')
    assert read_reference(tmp_path).sha256 != before


def test_energies_of_two_levels_do_not_come_into_one_set(tmp_path):
    """The error names both levels; a level that holds for all of them may be given; files without energies are free."""
    (tmp_path / 'a.json').write_text(fetched('mp-1', level='PBE'))
    (tmp_path / 'b.json').write_text(fetched('mp-2', level='r2SCAN'))
    (tmp_path / 'c.cif').write_text(cif(MGO))
    with pytest.raises(CampaignError, match='more than one level: `PBE`, `r2SCAN`; read them one by one'):
        read_reference(tmp_path)
    assert read_reference(tmp_path, level='DFT').level == 'DFT'
    (tmp_path / 'b.json').unlink()
    assert read_reference(tmp_path).level == 'PBE'


def test_of_several_files_only_what_all_say_holds(tmp_path):
    """A licence that one file has does not become that of the others; what is to be cited adds up."""
    (tmp_path / 'a.json').write_text(fetched('mp-1', licence='CC-BY-4.0', database='MP', citation=['x']))
    (tmp_path / 'b.json').write_text(fetched('mp-2', licence='CC0', database='MP', citation=['x', 'y']))
    node = read_reference(tmp_path)
    assert (node.licence, node.facts['database'], node.citation) == ('', 'MP', ['x', 'y'])


@pytest.mark.parametrize(
    ('name', 'content', 'sentence'),
    [
        ('bad.cif', 'nothing', '`bad.cif` cannot be used: no data block of the CIF holds atoms'),
        ('empty', None, '`empty` holds no crystal'),
        ('missing', ..., 'there is no file or folder'),
    ],
)
def test_nothing_that_can_be_used(tmp_path, name, content, sentence):
    """Where nothing can be used there is no set, and a sentence says why."""
    path = tmp_path / name
    if content is None:
        path.mkdir()
    elif content is not ...:
        path.write_text(content)
    with pytest.raises(CampaignError, match=sentence):
        read_reference(path)


def test_a_fact_that_there_is_not(tmp_path):
    """A misspelt fact is refused with those that there are."""
    (tmp_path / 'x.cif').write_text(cif(MGO))
    with pytest.raises(ValueError, match='`license` is no fact of a reference set; there are: name, database'):
        read_reference(tmp_path / 'x.cif', license='CC0')


def test_a_hull_wants_every_entry(tmp_path):
    """Unreadable and disordered entries are named, all of them; an ordinary set passes."""
    (tmp_path / 'good.cif').write_text(cif(MGO))
    require_complete(read_reference(tmp_path))
    (tmp_path / 'alloy.cif').write_text(cif(CU3AU))
    (tmp_path / 'torn.cif').write_text(cif(MGO)[:300])
    with pytest.raises(CampaignError) as caught:
        require_complete(read_reference(tmp_path))
    messages = [problem.message for problem in caught.value.problems]
    assert [message.split('`')[1].split()[0] for message in messages] == ['torn.cif', 'alloy.cif']
    assert messages[1].endswith('cannot be used: it is disordered')


def test_a_file_is_parsed_once(tmp_path, monkeypatch):
    """The stored set of the same content and facts is taken; other facts or other bytes are another set."""
    path = tmp_path / 'a.json'
    path.write_text(fetched('mp-1'))
    first = load_reference(path).store()
    monkeypatch.setattr('aiida_crystalgen.references.read._read', None)
    assert load_reference(path).pk == first.pk
    monkeypatch.undo()
    assert not load_reference(path, level='DFT').is_stored
    path.write_text(fetched('mp-1', 'mp-2'))
    assert not load_reference(path).is_stored


def test_the_generator_is_at_hand_here_too(tmp_path):
    """The adapter that travels counts crystals in this process."""
    (tmp_path / 'two.json').write_text(json.dumps(entries('a', 'b')))
    assert files_adapter().count(str(tmp_path)) == 2


@needs_data
def test_slice_of_a_real_table(tmp_path):
    """The first 200 rows of the real table are recognised, labelled and read; hull distances are listed ones."""
    with gzip.open(MP, 'rt', encoding='utf-8') as stream:
        text = ''.join(itertools.islice(stream, 9000))
    (tmp_path / 'mp.csv').write_text(text[: text.rindex('\nmp-') + 1])
    node = read_reference(tmp_path / 'mp.csv')
    assert node.set_name == 'MP-20 and MPTS-52'
    assert (node.convention, node.licence, node.partial) == ('formation', 'CC-BY-4.0', True)
    assert node.level == 'PBE(+U), corrections as in the table'
    assert len(node.crystals) > 150
    assert node.energy_columns == ['formation_energy', 'listed_e_hull']
    assert all(source.startswith(('mp-', 'mvc-')) for source in node.crystals.values('source'))
    assert (node.n_unusable, node.n_disordered) == (0, 0)
