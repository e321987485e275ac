"""The cheap calcfunctions: cutting, joining, choosing; each keeps every row."""

import io

import numpy as np
import pytest
from aiida import orm

from aiida_crystalgen.data.crystals import Crystals

ENERGY = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean):
    """Give every test a profile."""


def batch_of(n):
    """Return a batch of n empty rows."""
    from aiida_crystalgen.data.batch import StructureBatch

    return StructureBatch(Crystals.empty([f'{"a" * 16}-{i}' for i in range(n)]))


def phases_of(*numbers):
    """Return elemental cubes, as competing phases are given."""
    rows = [
        {'id': f'{"b" * 16}-{i}', 'numbers': [z], 'positions': [[0, 0, 0]], 'cell': (3 + i) * np.eye(3),
         'pbc': [True] * 3, 'columns': {'source': f'phase {z}'}}
        for i, z in enumerate(numbers)
    ]  # fmt: skip
    return Crystals.from_rows(rows, {'source': TEXT})


def relaxed(crystals, shift=0.0):
    """Return phases as a relaxation would, with energies."""
    energies = [-float(z) + shift for z in crystals.numbers]
    rows = [
        {**row, 'columns': {**row['columns'], 'energy': e, 'enthalpy': e}}
        for row, e in zip(crystals.rows(), energies, strict=True)
    ]
    return Crystals.from_rows(rows, {'source': TEXT, 'energy': ENERGY, 'enthalpy': ENERGY})


@pytest.mark.parametrize(('n', 'size'), [(1, 1), (10, 3), (100, 3), (200, 1), (64, 2)])
def test_cut_gives_at_most_32_pieces_of_whole_chunks(n, size):
    """Every row is in exactly one piece; all pieces but the last are whole chunks."""
    from aiida_crystalgen.calculations.batching import cut

    pieces = cut(batch_of(n), orm.Int(size))
    ids = [name for key in sorted(pieces) for name in pieces[key].ids]
    assert ids == batch_of(n).ids
    assert len(pieces) <= 32
    assert all(len(pieces[key].ids) % size == 0 for key in sorted(pieces)[:-1])


def test_split_deals_rows_evenly():
    """Three lanes of ten rows get three or four each, in order."""
    from aiida_crystalgen.calculations.batching import split

    lanes = split(batch_of(10), orm.Int(3))
    assert [len(lanes[name].ids) for name in sorted(lanes)] == [3, 3, 4]
    assert [name for lane in sorted(lanes) for name in lanes[lane].ids] == batch_of(10).ids


def test_remaining_is_what_did_not_come_back():
    """Rows that are neither kept nor rejected are to be sent again."""
    from aiida_crystalgen.calculations.batching import remaining
    from aiida_crystalgen.data.batch import StructureBatch

    asked = batch_of(5)
    kept = StructureBatch(asked.crystals.select([0, 3]))
    rejected = StructureBatch(asked.crystals.select([1]))
    assert remaining(asked, batch=kept, rejected=rejected).ids == [asked.ids[2], asked.ids[4]]


def reference_of(crystals):
    """Return phases as a reference set."""
    from aiida_crystalgen.data.reference import ReferenceSet

    return ReferenceSet(crystals, name='textbook', licence='CC0-1.0', partial=False)


def test_hull_is_the_same_with_and_without_an_earlier_one():
    """Phases that an earlier campaign relaxed give the same hull, node hash included, whatever else it holds."""
    from aiida_crystalgen.calculations.selection import build_hull, choose_phases
    from aiida_crystalgen.data.batch import StructureBatch

    reference = reference_of(phases_of(29, 79, 47))
    parameters = orm.Dict({'fmax': 0.05})
    wide = phases_of(29, 79)
    first = build_hull(
        StructureBatch(wide), reference_of(wide), relaxed=StructureBatch(relaxed(wide)), parameters=parameters
    )
    chosen = choose_phases(reference, StructureBatch(phases_of(29, 47)), known_hull=first)
    assert chosen['phases'].crystals.numbers.tolist() == [29, 47]
    assert chosen['missing'].crystals.numbers.tolist() == [47]
    fresh = relaxed(chosen['phases'].crystals)
    new = StructureBatch(fresh.select([1]))
    with_it = build_hull(chosen['phases'], reference, relaxed=new, known_hull=first, parameters=parameters)
    without = build_hull(chosen['phases'], reference, relaxed=StructureBatch(fresh), parameters=parameters)
    assert with_it.base.caching.get_hash() == without.base.caching.get_hash()
    assert (with_it.phases_source, with_it.licence, with_it.partial) == ('textbook', 'CC0-1.0', False)


def test_energies_of_references_do_not_enter_a_relaxation():
    """What a source says of energies stays behind when its crystals are relaxed anew."""
    from aiida_crystalgen.calculations.selection import choose_phases
    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.reference import ReferenceSet

    crystals = relaxed(phases_of(29))
    level = crystals.columns['energy'].level
    chosen = choose_phases(ReferenceSet(crystals, name='a', level=level), StructureBatch(phases_of(29)))
    assert set(chosen['missing'].crystals.columns) == {'id', 'source'}


def test_hull_of_another_potential_is_refused():
    """An earlier hull that was made with other parameters is not mixed in."""
    from aiida_crystalgen.calculations.selection import build_hull
    from aiida_crystalgen.data.batch import StructureBatch

    phases = StructureBatch(phases_of(29))
    reference, fresh = reference_of(phases.crystals), StructureBatch(relaxed(phases.crystals))
    first = build_hull(phases, reference, relaxed=fresh, parameters=orm.Dict({'fmax': 0.05}))
    with pytest.raises(ValueError, match='made in another way'):
        build_hull(phases, reference, known_hull=first, parameters=orm.Dict({'fmax': 0.01}))


def test_phases_of_another_model_file_are_not_found():
    """One byte of the model file more, and no phase that was relaxed with it is reused."""
    from aiida_crystalgen.calculations.fingerprints import digest_of
    from aiida_crystalgen.calculations.selection import build_hull
    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.references.find import find_known_hull

    phases = StructureBatch(phases_of(29))
    models = [orm.SinglefileData(io.BytesIO(content), filename='m.model') for content in (b'weights', b'weights!')]
    recipes = [{'parameters': orm.Dict({'fmax': 0.05}), 'model': model} for model in models]
    fresh = StructureBatch(relaxed(phases.crystals))
    first = build_hull(phases, reference_of(phases.crystals), relaxed=fresh, **recipes[0])
    found = [find_known_hull(digest_of(recipe), phases) for recipe in recipes]
    assert found[0] is not None
    assert found[0].pk == first.pk
    assert found[1] is None


def test_filter_tells_value_and_threshold():
    """A row above a limit is rejected with its value and the limit; unknown values pass unless asked otherwise."""
    from aiida_crystalgen.calculations.selection import filter_rows
    from aiida_crystalgen.data.batch import StructureBatch

    crystals = relaxed(phases_of(29, 79))
    outputs = filter_rows(StructureBatch(crystals), orm.Dict({'energy': {'max': -50.0}, 'absent': {'max': 1.0}}))
    assert outputs['batch'].crystals.numbers.tolist() == [79]
    rejected = outputs['rejected'].crystals
    assert rejected.values('rejected_reason') == ['energy_above_limit']
    assert (rejected.values('rejected_value'), rejected.values('rejected_threshold')) == ([-29.0], [-50.0])


def test_promote_turns_one_crystal_into_a_structure():
    """From the short list to DFT: one crystal, one StructureData with a creator."""
    from aiida_crystalgen.calculations.selection import promote
    from aiida_crystalgen.data.batch import StructureBatch

    crystals = phases_of(29, 79)
    structure = promote(StructureBatch(crystals), orm.Str(crystals.ids[1]))
    assert structure.get_formula() == 'Au'
    assert structure.creator.process_label == 'promote'
