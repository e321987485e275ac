"""The node for known crystals: what it keeps, what it refuses, and how it is found."""

import json

import pytest
from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.reference import ReferenceSet

from .examples import ENERGY, TEXT, crystals_of

FACTS = {
    'name': 'textbook', 'database': 'a shelf', 'database_version': '2', 'date': '2026-01-02', 'query': 'oxides',
    'licence': 'CC0-1.0', 'citation': ['A. Nobody (1999)'], 'level': 'EMT', 'convention': 'other', 'partial': False,
    'sha256': 'ab',
}  # fmt: skip
MIXED = json.dumps([{'Mg': 0.5, 'Ca': 0.5}, {'O': 0.9}])

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


def known(**changes) -> Crystals:
    """Return two crystals with their sources and an energy; None takes a column away."""
    columns = {'source': make_column(['mp-1', 'mp-2'], TEXT), **changes}
    return crystals_of().with_columns({name: column for name, column in columns.items() if column is not None})


def text(*values):
    """Return a column of text."""
    return make_column(list(values), TEXT)


def test_stored_set_gives_back_crystals_and_facts():
    """All that is known of the origin of the crystals is kept with them."""
    node = orm.load_node(ReferenceSet(known(), **FACTS).store().pk)
    assert node.crystals.equals(known())
    assert node.facts == FACTS
    assert (node.set_name, node.level, node.partial, node.energy_columns) == ('textbook', 'EMT', False, ['energy'])
    assert (node.n_disordered, node.n_unusable) == (0, 0)


def test_unknown_facts_are_empty_and_the_set_partial():
    """Nothing is claimed that was not said."""
    node = ReferenceSet(known().drop_columns(['energy']), name='a')
    assert node.facts == {**dict.fromkeys(FACTS, ''), 'name': 'a', 'citation': [], 'partial': True}


def test_sets_are_found_by_their_facts():
    """QueryBuilder finds a set by what it says of itself."""
    ReferenceSet(known(), **FACTS).store()
    fields = ReferenceSet.fields
    query = orm.QueryBuilder().append(ReferenceSet, filters=(fields.set_name == 'textbook') & (fields.level == 'EMT'))
    assert query.count() == 1


def test_equal_content_has_equal_hash():
    """Equal crystals with equal facts are equal; another level is another set."""
    first, same = (ReferenceSet(known(), **FACTS).store() for _ in range(2))
    other = ReferenceSet(known(), **{**FACTS, 'licence': 'CC-BY-4.0'}).store()
    assert first.base.caching.get_hash() == same.base.caching.get_hash()
    assert first.base.caching.get_hash() != other.base.caching.get_hash()


def test_disordered_and_unusable_rows_are_counted():
    """A mixed site lists its elements, the rest is vacancy; an entry without atoms says why."""
    crystals = known(occupancies=text(MIXED, None))
    numbers = crystals.numbers.copy()
    numbers[0] = 20  # of equal shares the first symbol of the alphabet counts
    crystals = crystals.with_geometry(numbers, crystals.positions, crystals.cells, crystals.pbc)
    empty = Crystals.empty(['0123456789abcdef-2'])
    empty = empty.with_columns({'source': text('bad.cif'), 'unusable_reason': text('it is torn')})
    node = ReferenceSet(Crystals.concatenate([crystals, empty]), **FACTS)
    assert (node.n_disordered, node.n_unusable) == (1, 1)


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'source': None}, 'known crystals need a column `source`'),
        ({'source': make_column([1.0, 2.0], ENERGY)}, 'column `source` of known crystals must be text'),
        ({'formation_energy': make_column([1.0, 2.0], {**ENERGY, 'unit': 'eV'})}, 'must be one number a row, in eV/at'),
        ({'formation_energy': make_column([1.0, 2.0], {**ENERGY, 'level': 'PBE'})}, 'the level `PBE`, not at `EMT`'),
        ({'occupancies': text(MIXED, None)}, 'the `occupancies` of row 0 do not describe its sites'),
        ({'occupancies': text('[{"Mg": 1.0}]', None)}, 'the `occupancies` of row 0'),
        ({'occupancies': text(None, '[{"Cu": 0.9, "Au": 0.2}]')}, 'the `occupancies` of row 1'),
        ({'occupancies': text(None, 'Cu')}, 'the `occupancies` of row 1'),
    ],
)
def test_what_does_not_fit_is_refused(changes, sentence):
    """Columns, units, levels of theory and occupancies are checked."""
    with pytest.raises(ValueError, match=sentence):
        ReferenceSet(known(**changes), **FACTS)


def test_listed_hull_distances_may_be_of_another_level():
    """What a source lists is kept as it is."""
    listed = make_column([0.0, None], {**ENERGY, 'level': ''})
    assert ReferenceSet(known(listed_e_hull=listed), **FACTS).energy_columns == ['energy', 'listed_e_hull']


def test_no_atoms_need_a_reason():
    """A row of zero atoms is an entry that could not be read, and says why."""
    with pytest.raises(ValueError, match='row 0 has no atoms and no `unusable_reason`'):
        ReferenceSet(Crystals.empty(['a-0']).with_columns({'source': text('bad.cif')}), name='a')


def test_unknown_convention_is_refused():
    """Only conventions that the hull knows are accepted."""
    with pytest.raises(ValueError, match='convention of the energies is `mp2010`; it must be one of: raw_mp_pbe_u'):
        ReferenceSet(known(), **{**FACTS, 'convention': 'mp2010'})


def test_wrong_level_is_not_stored():
    """A node whose attributes disagree with its energies is refused."""
    node = ReferenceSet(known(), **FACTS)
    node.base.attributes.set('level', 'PBE')
    with pytest.raises(ValidationError, match='is at the level `EMT`, not at `PBE`'):
        node.store()
