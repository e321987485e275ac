"""Tests of `reference`: adding, listing, showing and ordering sets of known crystals."""

import json

import pytest
from aiida import orm

from aiida_crystalgen.calculations.references import DEFAULT_MAX_ATOMS
from aiida_crystalgen.cli.lazy import LazyGroup
from aiida_crystalgen.cli.reference import COMMANDS, CONVENTIONS, MAX_ATOMS, reference
from aiida_crystalgen.data import reference as data
from tests.handmade import LEVEL, make_campaign
from tests.references.examples import CU3AU, MGO, cif, entries, fetched

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


@pytest.fixture
def oxides(tmp_path):
    """Return the file of a fetcher."""
    path = tmp_path / 'oxides.json'
    path.write_text(fetched('mp-1', 'mp-2', licence='CC-BY-4.0', database='MP', citation=['A. Jain (2013)']))
    return path


@pytest.fixture
def alloys(tmp_path):
    """Return a folder with an ordered, a disordered and a torn CIF."""
    folder = tmp_path / 'alloys'
    folder.mkdir()
    (folder / 'mgo.cif').write_text(cif(MGO))
    (folder / 'cu3au.cif').write_text(cif(CU3AU))
    (folder / 'torn.cif').write_text(cif(MGO)[:300])
    return folder


def test_help_imports_no_command():
    """The commands are listed from a table; each of this module's is there under its name."""
    assert isinstance(reference, LazyGroup)
    context = reference.make_context('reference', [], resilient_parsing=True)
    own = [name for name, entry in COMMANDS.items() if entry[0] == 'reference']
    assert [reference.get_command(context, name).name for name in own] == own
    assert reference.get_command(context, 'odd') is None
    assert 'Write a file of known crystals' in reference.get_help(context)


def test_numbers_and_names_are_those_of_the_data():
    """What the commands offer without importing AiiDA is what the data accept."""
    assert set(CONVENTIONS) == set(data.CONVENTIONS) - {''}
    assert MAX_ATOMS == DEFAULT_MAX_ATOMS


def test_add_a_file_once(call, oxides):
    """A file becomes a set; the same file is there already."""
    output = call('reference', 'add', oxides).output
    assert 'Reference set `oxides`' in output
    assert 'added: 2 crystals' in output
    assert 'Energies: energy; level: PBE' in output
    assert 'licence is unknown' not in output
    assert 'is there already' in call('reference', 'add', oxides).output
    assert orm.QueryBuilder().append(data.ReferenceSet).count() == 1


def test_a_name_used_twice_is_refused(call, oxides, alloys):
    """Another content needs another name."""
    call('reference', 'add', oxides)
    output = call('reference', 'add', alloys, '--name', 'oxides', code=1).output
    assert 'there is another reference set with the name `oxides`' in output
    assert 'Give another one with `--name`.' in output


def test_options_take_the_place_of_what_the_file_says(call, oxides):
    """Facts may be given; what is given several times is a list."""
    facts = ['--name', 'mine', '--level', 'PBE+U', '--convention', 'raw_mp_pbe_u', '--licence', 'CC0', '--complete']
    call('reference', 'add', oxides, *facts, '--version', '2026', '--citation', 'x', '--citation', 'y')
    (node,) = orm.QueryBuilder().append(data.ReferenceSet).all(flat=True)
    assert (node.set_name, node.level, node.convention, node.licence) == ('mine', 'PBE+U', 'raw_mp_pbe_u', 'CC0')
    assert (node.partial, node.citation, node.facts['database_version']) == (False, ['x', 'y'], '2026')


def test_what_was_read_and_what_not(call, alloys):
    """Unusable entries are counted with their reasons; disordered ones and an unknown licence get a hint."""
    output = call('reference', 'add', alloys).output
    assert 'added: 2 crystals' in output
    assert 'Not usable: 1' in output
    assert '1 x ' in output
    assert 'reference order' in output
    assert 'Its licence is unknown' in output


def test_nothing_that_can_be_read(call, tmp_path):
    """A file without crystals is one sentence with its remedy."""
    (tmp_path / 'a.csv').write_text('a,b\n1,2\n')
    output = call('reference', 'add', tmp_path / 'a.csv', code=1).output
    assert '`a.csv` cannot be used: the CSV has neither a column `cif`' in output
    assert 'Mend the file' in output


def test_one_thing_at_a_time(call, oxides):
    """A path, a campaign or a group is asked for, and only one of them."""
    assert 'Name one of' in call('reference', 'add', code=1).output
    assert 'Name one of' in call('reference', 'add', oxides, '--group', 'a', code=1).output


def test_add_the_survivors_of_a_campaign(call):
    """The table of a campaign becomes a set under its name, with its level; adding it again changes nothing."""
    campaign = make_campaign()
    output = call('reference', 'add', '--campaign', campaign.pk).output
    assert 'Reference set `by hand`' in output
    assert LEVEL in output
    assert 'is there already' in call('reference', 'add', '--campaign', campaign.pk).output
    named = {'attributes.set_name': 'by hand'}
    (node,) = orm.QueryBuilder().append(data.ReferenceSet, filters=named).all(flat=True)
    assert node.convention == 'other'
    assert node.crystals.values('source') == campaign.outputs.table.ids


def test_add_a_group(call):
    """The structures of a group become a set; nodes that hold no crystals are counted."""
    structure = orm.StructureData(cell=[[3, 0, 0], [0, 3, 0], [0, 0, 3]])
    structure.append_atom(symbols='Cu', position=(0, 0, 0))
    group = orm.Group(label='metals').store()
    assert 'no node of the group' in call('reference', 'add', '--group', 'metals', code=1).output
    group.add_nodes([structure.store(), orm.Int(1).store()])
    output = call('reference', 'add', '--group', 'metals').output
    assert 'Left out: 1 nodes' in output
    assert 'Reference set `metals`' in output
    assert 'there is no group `odd`' in call('reference', 'add', '--group', 'odd', code=1).output


def test_list(call, oxides):
    """Sets are listed with their level and licence; an empty profile says how to begin."""
    assert 'reference add PATH' in call('reference', 'list').output
    call('reference', 'add', oxides)
    header, row = call('reference', 'list').output.splitlines()
    assert header.split() == ['pk', 'name', 'crystals', 'energies', 'level', 'licence', 'partial']
    assert row.split()[1:] == ['oxides', '2', 'energy', 'PBE', 'CC-BY-4.0', 'yes']


def test_show(call, oxides):
    """A set is shown by its name or its PK: its origin, its elements, its energies."""
    call('reference', 'add', oxides)
    output = call('reference', 'show', 'oxides').output
    for words in ('MP', 'A. Jain (2013)', '2 entries, 2 elements', 'energy [eV/atom]: known for 2', 'sha256'):
        assert words in output
    (node,) = orm.QueryBuilder().append(data.ReferenceSet).all(flat=True)
    assert call('reference', 'show', node.pk).output == output


def test_show_what_is_none(call):
    """A name that is not there, and a node of another kind, are sentences."""
    assert 'there is no reference set `odd`' in call('reference', 'show', 'odd', code=1).output
    assert 'is no reference set' in call('reference', 'show', orm.Int(1).store().pk, code=1).output


def test_order(call, alloys):
    """Disordered crystals get representatives in a set of its own; what could not be read stays counted."""
    call('reference', 'add', alloys)
    output = call('reference', 'order', 'alloys').output
    assert 'Reference set `alloys ordered`' in output
    assert '1 ordered' in output
    assert 'Not usable: 1' in output
    assert 'has no disordered crystals' in call('reference', 'order', 'alloys ordered').output
    assert 'there is another reference set' in call('reference', 'order', 'alloys', '--max-atoms', 4, code=1).output


def test_reasons_are_grouped(call, tmp_path):
    """The same reason is said once, with how often it holds."""
    broken = [{**entry, 'structure': None} for entry in entries('b', 'c')]
    (tmp_path / 'a.json').write_text(json.dumps([*entries('a'), *broken]))
    assert '2 x no crystal could be read' in call('reference', 'add', tmp_path / 'a.json').output
