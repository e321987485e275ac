"""Reference sets made by processes: of a table, of nodes, and of ordered representatives."""

import io
import json
import warnings

import pytest
from aiida import orm

from aiida_crystalgen.calculations.references import order_disordered, reference_from_batch, reference_from_nodes
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.references.find import list_sets
from aiida_crystalgen.references.make import NameTakenError, set_of_group, set_of_ordered, set_of_table
from aiida_crystalgen.references.read import read_reference
from tests.data.examples import ENERGY, crystals_of

from .examples import CU3AU, HALF, MGO, cif

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


def survivors(**levels):
    """Return a batch as a campaign leaves it."""
    more = {'enthalpy': make_column([-1.5, None], {**ENERGY, 'level': 'EMT', **levels})}
    return StructureBatch(crystals_of().with_columns(more))


def structure_data(structure):
    """Return a structure as AiiDA's node; mixed sites are alloys there."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return orm.StructureData(pymatgen=structure)


def cif_data(text):
    """Return a CIF as AiiDA's node, which only reads it when it is asked to."""
    return orm.CifData(file=io.BytesIO(text.encode()), parse_policy='lazy')


def disordered(tmp_path, *structures):
    """Return a stored set of crystals from CIFs."""
    for place, structure in enumerate(structures):
        (tmp_path / f'{place}.cif').write_text(cif(structure))
    return read_reference(tmp_path, name='alloys').store()


def test_survivors_keep_their_energies_and_level():
    """The rows of a table become known crystals under the level of its potential; their ids are the sources."""
    batch = survivors()
    node = reference_from_batch(batch, orm.Dict({'name': 'first', 'licence': 'CC0'}))
    assert (node.set_name, node.level, node.licence) == ('first', 'EMT', 'CC0')
    assert node.crystals.values('source') == batch.ids
    assert node.crystals.values('energy') == [-1.0, None]
    assert node.crystals.values('enthalpy') == [-1.5, None]
    assert node.creator.process_label == 'reference_from_batch'


@pytest.mark.parametrize(('levels', 'facts'), [({'level': 'PBE'}, {}), ({}, {'level': 'PBE'})])
def test_two_levels_are_refused_and_both_are_named(levels, facts):
    """Energies of two levels never meet in one set."""
    with pytest.raises(ValueError, match='two levels: `EMT`, `PBE`' if levels else 'here are `EMT`, `PBE`'):
        reference_from_batch(survivors(**levels), orm.Dict({'name': 'a', **facts}))


def test_nodes_of_several_kinds():
    """Structures, CIFs and batches become rows in the order of their names; alloys are disordered rows."""
    alloy = structure_data(CU3AU)
    molecule = orm.StructureData(cell=[[9, 0, 0], [0, 9, 0], [0, 0, 9]], pbc=[False] * 3)
    molecule.append_atom(symbols='H', position=(0, 0, 0))
    mgo = structure_data(MGO)
    mgo.label = 'periclase'
    nodes = {'a': mgo, 'b': alloy, 'c': cif_data(cif(HALF)), 'd': molecule, 'e': cif_data(cif(MGO)[:-40])}
    node = reference_from_nodes(orm.Dict({'name': 'group'}), **nodes, f=StructureBatch(crystals_of()))
    crystals = node.crystals
    assert crystals.values('source')[:5] == ['periclase', 'b', 'c', 'd', 'e']
    assert (node.n_disordered, node.n_unusable, node.level) == (2, 2, 'EMT')
    assert json.loads(crystals.values('occupancies')[1]) == [{'Cu': 0.75, 'Au': 0.25}] * 4
    assert crystals.values('unusable_reason')[3] == 'it is not periodic in all three directions'
    assert crystals.values('energy') == [None] * 5 + [-1.0, None]


@pytest.mark.parametrize('n', [1, 33])
def test_a_group_becomes_a_tree(n):
    """Every process has at most 32 nodes, every part has a creator and no name, and the order is kept."""
    nodes = []
    for place in range(n):
        node = orm.StructureData(cell=[[3 + place, 0, 0], [0, 3, 0], [0, 0, 3]])
        node.append_atom(symbols='Cu', position=(0, 0, 0))
        nodes.append(node.store())
    found = set_of_group(nodes, {'name': 'copper'})
    assert found.crystals.cells[:, 0, 0].tolist() == [3 + place for place in range(n)]
    assert found.crystals.values('source') == [f'node_{place:06d}' for place in range(n)]
    assert [node.pk for node in list_sets()] == [found.pk]
    assert len(found.creator.base.links.get_incoming().all()) == (2 if n == 1 else 3)


def test_too_many_nodes_are_refused():
    """Links are checked against each other: a process with hundreds of them is slow."""
    nodes = {f'n{place}': orm.Int(place) for place in range(33)}
    with pytest.raises(ValueError, match='33 nodes are too many'):
        reference_from_nodes(orm.Dict({'name': 'a'}), **nodes)


def test_nodes_without_crystals_are_refused():
    """Another kind of node is named."""
    with pytest.raises(ValueError, match='`a` is of the kind Int, which holds no crystals'):
        reference_from_nodes(orm.Dict({'name': 'a'}), a=orm.Int(1))


def test_the_same_set_is_not_made_twice():
    """The same table under the same name is the same set; another one under that name is refused."""
    batch = survivors().store()
    first = set_of_table(batch, {'name': 'first'})
    assert set_of_table(batch, {'name': 'first'}).pk == first.pk
    with pytest.raises(NameTakenError, match='another reference set with the name `first`'):
        set_of_table(batch, {'name': 'first', 'licence': 'CC0'})


def test_ordered_representatives(tmp_path):
    """A disordered row gets atoms, a new id and its parent; ordered rows stay as they are."""
    parent = disordered(tmp_path, CU3AU, MGO)
    node = set_of_ordered(parent, 'ordered', 64)
    before, after = parent.crystals, node.crystals
    assert (node.n_disordered, node.n_unusable, node.sha256) == (0, 0, '')
    assert node.creator.process_label == 'order_disordered'
    assert sorted(after.numbers[:4].tolist()) == [29, 29, 29, 79]
    assert after.values('parent') == [before.ids[0], None]
    assert after.ids[0] not in before.ids
    assert after.ids[0].endswith('-0')
    assert after.select([1]).row(0)['id'] == before.ids[1]
    assert set_of_ordered(parent, 'ordered', 64).pk == node.pk


def test_what_cannot_be_ordered_stays_with_its_reason(tmp_path):
    """No crystal is lost: one that needs too many atoms keeps its occupancies and says why."""
    parent = disordered(tmp_path, CU3AU, HALF)
    node = order_disordered(parent, orm.Dict({'max_atoms': 3}))
    assert node.set_name == 'alloys ordered'
    assert (node.n_disordered, node.n_unusable) == (2, 2)
    assert node.crystals.values('unusable_reason')[0].startswith('no supercell of at most 3 sites')
    assert node.crystals.ids == parent.crystals.ids


def test_representatives_have_no_energies_of_their_parents(tmp_path):
    """The energy that a source gives belongs to the disordered crystal."""
    entry = {'structure': CU3AU.as_dict(), 'entry_id': 'a', 'energy': -4.0}
    good = {'structure': MGO.as_dict(), 'entry_id': 'b', 'energy': -8.0}
    (tmp_path / 'a.json').write_text(json.dumps([entry, good]))
    parent = read_reference(tmp_path / 'a.json', level='PBE').store()
    assert parent.crystals.values('energy') == [-1.0, -1.0]
    assert order_disordered(parent, orm.Dict({})).crystals.values('energy') == [None, -1.0]
