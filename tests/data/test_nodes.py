"""The nodes: storing, loading, hashing, querying, archives."""

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import ModificationNotAllowed, StoringNotAllowed, ValidationError
from hypothesis import HealthCheck, given, settings

from aiida_crystalgen.data.base import CrystalArrayData
from aiida_crystalgen.data.batch import DRAWS_LISTED, StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.hull import HullReference

from .examples import ENERGY, TEXT, check_queries, crystals_of, phases_of
from .strategies import batches

HULL = {'level': 'EMT', 'source': 'written for this test', 'protocol': 'abc', 'licence': 'CC0'}

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crystals=batches())
def test_stored_batch_gives_back_its_crystals(crystals):
    """Every batch, an empty one too, is the same after storing and loading, and is true."""
    node = orm.load_node(StructureBatch(crystals).store().pk)
    assert isinstance(node, StructureBatch)
    assert node.crystals.equals(crystals)
    assert node.ids == crystals.ids
    assert bool(node)


def test_summary():
    """The attributes say what is inside, and are all a query needs."""
    attributes = StructureBatch(crystals_of()).base.attributes.all
    assert attributes.pop('columns') == crystals_of().meta()
    assert attributes == {
        'schema_version': 1, 'n_crystals': 2, 'elements': ['Cu', 'Mg', 'O'], 'n_sites_min': 1, 'n_sites_max': 2,
        'draws': ['0123456789abcdef'], 'n_draws': 1,
    }  # fmt: skip


def test_listed_draws_are_bounded():
    """A merge of very many draws does not fill the database."""
    attributes = StructureBatch(Crystals.empty([f'{draw:016x}-0' for draw in range(100)])).base.attributes
    assert len(attributes.get('draws')) == DRAWS_LISTED
    assert attributes.get('n_draws') == 100


def test_equal_content_has_equal_hash():
    """Neither time nor identity reaches the hash; content does."""
    first, same = StructureBatch(crystals_of()).store(), StructureBatch(crystals_of()).store()
    other = StructureBatch(crystals_of(energies=(-1.0, -2.0))).store()
    assert first.base.caching.get_hash() == same.base.caching.get_hash()
    assert first.base.caching.get_hash() != other.base.caching.get_hash()
    assert first.base.repository.metadata == same.base.repository.metadata


def test_column_order_does_not_matter():
    """Columns added in another order make the same node."""
    columns = {'b': make_column([1.0, 2.0], ENERGY), 'a': make_column(['x', None], TEXT)}
    there = crystals_of().with_columns(columns)
    back = crystals_of().with_columns(dict(reversed(columns.items())))
    assert StructureBatch(there).store().base.caching.get_hash() == StructureBatch(back).store().base.caching.get_hash()


def test_queries():
    """QueryBuilder finds batches by their summary on SQLite."""
    check_queries()


def test_serialised_summary():
    """The attributes model of AiiDA holds the summary."""
    attributes = StructureBatch(crystals_of()).store().serialize()['attributes']
    assert attributes['n_crystals'] == 2
    assert attributes['columns']['energy']['unit'] == 'eV/atom'


def test_arrays_of_the_layout():
    """The interface of ArrayData works, read-only."""
    node = StructureBatch(crystals_of()).store()
    assert set(node.get_arraynames()) == set(crystals_of().to_arrays()[0])
    assert node.get_array('c_energy').tolist() == [-1, 0]
    assert node.get_shape('cells') == (2, 3, 3)
    assert {name for name, _ in node.get_iterarrays()} == set(node.get_arraynames())
    with pytest.raises(KeyError, match='there is no array `c_gap`'):
        node.get_array('c_gap')
    with pytest.raises(ModificationNotAllowed, match='make a new node'):
        StructureBatch(crystals_of()).set_array('c_gap', np.zeros(2))


def test_clone():
    """A clone holds the same crystals."""
    assert StructureBatch(crystals_of()).store().clone().store().crystals.equals(crystals_of())


def test_wrong_summary_is_not_stored():
    """A node whose attributes disagree with its file is refused."""
    node = StructureBatch(crystals_of())
    node.base.attributes.set('n_crystals', 3)
    with pytest.raises(ValidationError, match='attribute `n_crystals` does not agree'):
        node.store()


def test_damaged_file_is_not_stored():
    """A node whose file cannot be read is refused."""
    node = StructureBatch(crystals_of())
    node.base.repository.put_object_from_bytes(b'no npz', 'crystals.npz')
    with pytest.raises(ValidationError, match='the arrays cannot be read'):
        node.store()


def test_further_files_are_not_stored():
    """A node holds one file."""
    node = StructureBatch(crystals_of())
    node.base.repository.put_object_from_bytes(b'', 'notes.txt')
    with pytest.raises(ValidationError, match=r'must hold the file `crystals\.npz` and no other'):
        node.store()


def test_constructor_wants_crystals():
    """Anything else is refused with a sentence."""
    with pytest.raises(TypeError, match='must be of the type Crystals, not list'):
        StructureBatch([])


def test_the_base_class_cannot_be_stored():
    """Only the final classes are registered."""
    with pytest.raises(StoringNotAllowed):
        CrystalArrayData(crystals_of()).store()


def test_hull_reference():
    """A hull keeps its phases, their level of theory and where they are from."""
    node = orm.load_node(HullReference(phases_of(), **HULL).store().pk)
    assert node.crystals.equals(phases_of())
    assert (node.level, node.protocol, node.licence, node.partial) == ('EMT', 'abc', 'CC0', True)
    assert node.phases_source == 'written for this test'
    assert orm.QueryBuilder().append(HullReference, filters=HullReference.fields.level == 'EMT').count() == 1


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'fingerprint': None}, 'competing phases need a column `fingerprint`'),
        ({'source': make_column([1.0, 2.0], ENERGY)}, 'column `source` of competing phases must be text'),
        ({'enthalpy': make_column([1.0, 2.0], {**ENERGY, 'unit': 'eV'})}, 'must be one number a row, in eV/atom'),
        ({'enthalpy': make_column([1.0, 2.0], {**ENERGY, 'level': 'PBE'})}, 'is at the level `PBE`, not at `EMT`'),
    ],
)
def test_hull_reference_refuses_what_it_cannot_be_a_hull_of(changes, sentence):
    """Columns, units and levels of theory are checked."""
    with pytest.raises(ValueError, match=sentence):
        HullReference(phases_of(**changes), **HULL)


def test_archive_round_trip(tmp_path, aiida_profile):
    """An archive carries both nodes to another profile, hash included."""
    from aiida.tools.archive import create_archive, import_archive

    batch, hull = StructureBatch(crystals_of()).store(), HullReference(phases_of(), **HULL).store()
    hashes = [node.base.caching.get_hash() for node in (batch, hull)]
    create_archive([batch, hull], filename=tmp_path / 'nodes.aiida')
    uuids = [batch.uuid, hull.uuid]
    aiida_profile.reset_storage()
    import_archive(tmp_path / 'nodes.aiida')
    batch, hull = map(orm.load_node, uuids)
    assert batch.crystals.equals(crystals_of())
    assert hull.crystals.equals(phases_of())
    assert [node.base.caching.compute_hash() for node in (batch, hull)] == hashes
