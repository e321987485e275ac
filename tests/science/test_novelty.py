"""Tests of novelty: verdicts, the nearest known crystals, and that an index changes nothing but the time."""

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from aiida_crystalgen.science import identity, indexing, novelty, reduction
from aiida_crystalgen.science.amd import average_minimum_distances, distance
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import COPIES, copy_of, read
from tests.science.examples import CARBON, MP, caesium_chloride, crystal, needs_data, rocksalt, simple_cubic

Tables = dict[str, list[Crystal]]


def evaluate(one: Crystal, tables: Tables, **parameters: object) -> dict[str, object]:
    """Return the columns of one crystal."""
    return {name: values[0] for name, values in novelty.evaluate([one], parameters, tables).items()}


def row(one: Crystal) -> dict[str, Any]:
    """Return a crystal as a row of the row protocol."""
    geometry = {name: getattr(one, name) for name in ('id', 'numbers', 'positions', 'cell', 'pbc')}
    return {**geometry, 'columns': dict(one.columns)}


def indexed(crystals: list[Crystal], **parameters: Any) -> list[Crystal]:
    """Return the index of known crystals as the table that an analysis job gets."""
    results = indexing.run(map(row, crystals), SimpleNamespace(parameters=parameters))
    kept = [result for result in results if 'rejected' not in result]
    return [Crystal.from_row({**r['structure'], 'id': r['id'], 'columns': r['columns']}) for r in kept]


def with_index(**tables: list[Crystal]) -> Tables:
    """Return the tables with an index of each."""
    return {**tables, **{f'{name}_index': indexed(crystals) for name, crystals in tables.items()}}


def anew(crystals: list[Crystal]) -> list[Crystal]:
    """Return the crystals without anything derived from their geometry."""
    return [Crystal.from_row(row(one)) for one in crystals]


def test_known_crystal_is_named() -> None:
    """A match is not novel, and the source of the known crystal is given; without one, its id."""
    known = [rocksalt('z', edge=4.3, source='MgO.cif'), caesium_chloride('y')]
    gap = distance(*(average_minimum_distances(one.positions, one.cell) for one in known))
    assert evaluate(rocksalt(), {'known': known}) == {
        'novel_known': False,
        'novel_known_reason': None,
        'matches_known': 'MgO.cif',
        'nearest_known': 'MgO.cif',
        'nearest_known_distance': 0.0,
        'other_known': f'y {gap:.2g}',
        'known_disorder': None,
        'novel_training': None,
    }
    assert evaluate(caesium_chloride('q'), {'known': known})['matches_known'] == 'y'


def test_other_polymorph_is_novel_and_the_nearest_ones_are_named_with_their_distances() -> None:
    """Another structure of a known formula is novel; of equally near ones the smaller id comes first."""
    known = [rocksalt(name, edge=edge) for name, edge in (('y', 4.3), ('z', 4.2), ('x', 4.1), ('w', 4.4))]
    found = evaluate(caesium_chloride(), {'known': known})
    assert (found['novel_known'], found['matches_known'], found['nearest_known']) == (True, None, 'w')
    gap = found['nearest_known_distance']
    assert 0.1 < gap < 1
    assert found['other_known'] == f'x {gap:.2g}, y {gap:.2g}'


def test_nearest_match_is_named_whatever_its_id() -> None:
    """Of two known crystals that it is, the one that is nearer is named, not the one of smaller id."""
    known = [copy_of(rocksalt('a'), 'rattled', np.random.default_rng(0)), rocksalt('b')]
    assert evaluate(rocksalt('q'), {'known': known})['matches_known'] == 'b'


def test_lacking_chemical_system_is_not_tested_where_the_reference_is_partial() -> None:
    """A partial reference without the chemical system says nothing; a complete one says novel."""
    known = {'known': [simple_cubic(12, 'z'), simple_cubic(8, 'y')]}
    partial = evaluate(rocksalt(), known)
    assert partial['novel_known'] is None
    assert partial['novel_known_reason'] == 'the known crystals are partial and have none of Mg-O'
    assert evaluate(rocksalt(), known, known_partial=False)['novel_known'] is True


def test_training_set_is_another_question() -> None:
    """Novelty against the training set needs the training set alone."""
    for tables in ({'training': [rocksalt('z')]}, with_index(training=[rocksalt('z')])):
        found = evaluate(rocksalt(), tables)
        assert found['novel_training'] is False
        assert (found['novel_known'], found['novel_known_reason']) == (None, 'no known crystals were given')
        assert evaluate(caesium_chloride(), tables)['novel_training'] is True


def test_what_cannot_be_compared_is_unknown() -> None:
    """A broken crystal, or one too large to be compared with its formula, is neither known nor novel."""
    broken = evaluate(crystal([], [], [1, 1, 1]), {'known': [rocksalt('z')]})
    assert broken['novel_known_reason'] == 'the crystal is invalid: no_atoms'
    large = evaluate(rocksalt(), {'known': [rocksalt('z')]}, max_sites=1)
    assert (large['novel_known'], large['novel_known_reason']) == (None, 'the crystal is too large to be compared')


def test_known_crystal_that_is_not_in_the_index_leaves_the_answer_open() -> None:
    """Where the index could not reduce a crystal of the formula, there is no verdict but a match."""
    known = [rocksalt('y'), copy_of(caesium_chloride('z'), 'recelled', np.random.default_rng(0))]
    tables = {'known': known, 'known_index': indexed(known, max_sites=2)}
    zincblende = crystal([12, 8], [[0, 0, 0], [0.25] * 3], [[0, 2, 2], [2, 0, 2], [2, 2, 0]], 'q')
    found = evaluate(zincblende, tables)
    assert (found['novel_known'], found['nearest_known']) == (None, 'y')
    assert found['novel_known_reason'] == 'a known crystal of MgO is too large to be compared'
    assert evaluate(rocksalt('q'), tables)['novel_known'] is False


def test_disordered_known_crystal_is_no_ordered_one() -> None:
    """Where sites are mixed, the majority elements are not compared; the chemical system is covered all the same."""
    mixed = '[{"Mg":0.6,"O":0.4},{"Mg":0.4,"O":0.6}]'
    for tables in ({'known': [rocksalt('z', occupancies=mixed)]}, with_index(known=[rocksalt('z', occupancies=mixed)])):
        found = evaluate(rocksalt('q'), tables)
        assert (found['novel_known'], found['nearest_known'], found['known_disorder']) == (True, None, None)


def test_index_of_another_reference_is_refused() -> None:
    """An index with rows that the table lacks would give wrong verdicts."""
    with pytest.raises(ValueError, match='`known_index` is no index of table `known`, which has no crystal `b`'):
        evaluate(rocksalt(), {'known': [rocksalt('a')], 'known_index': indexed([rocksalt('b')])})


def test_with_an_index_no_known_crystal_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the crystal that is looked up is brought into its primitive cell."""
    tables = with_index(known=[rocksalt('y'), caesium_chloride('z')])
    reduced = []

    def primitive_cell(one: Crystal, max_sites: int) -> Any:
        reduced.append(one.id)
        return reduction.primitive_cell(one, max_sites)

    monkeypatch.setattr(identity, 'primitive_cell', primitive_cell)
    assert evaluate(caesium_chloride('q'), {**tables, 'known': anew(tables['known'])})['matches_known'] == 'z'
    assert reduced == ['q']


@needs_data
@pytest.mark.parametrize('profile', identity.PROFILES)
def test_verdicts_are_those_of_exhaustive_matching_with_and_without_an_index(profile: str) -> None:
    """On crystals of one formula the order by distance and the early end change no verdict."""
    rng = np.random.default_rng(2)
    crystals = read(CARBON, 36)
    known = crystals[:26]
    candidates = [copy_of(one, kind, rng) for one, kind in zip(known, itertools.cycle(COPIES), strict=False)][:8]
    candidates += crystals[26:]
    settings = identity.PROFILES[profile]
    plain = StructureMatcher(settings.ltol, settings.stol, settings.angle_tol)
    expected = [
        not any(plain.fit(one.structure, k.structure) or plain.fit(k.structure, one.structure) for k in known)
        for one in candidates
    ]
    tables = with_index(known=anew(known))
    found = novelty.evaluate(candidates, {'profile': profile}, {**tables, 'known': anew(known)})
    assert found['novel_known'] == expected
    assert found == novelty.evaluate(anew(candidates), {'profile': profile}, {'known': anew(known)})


@needs_data
def test_known_crystals_are_found_among_thousands() -> None:
    """Of real crystals that lie in the reference none is novel."""
    known = read(MP, 400)
    found = novelty.evaluate(known[::8], {}, {'known': known, 'training': known[::16]})
    assert found['novel_known'] == [False] * 50
    assert found['novel_training'][::2] == [False] * 25
