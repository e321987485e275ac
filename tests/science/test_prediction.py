"""Tests of crystal structure prediction: what matches a target, and the rates that are counted of it."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from aiida_crystalgen.science import prediction
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.identity import PROFILES
from aiida_crystalgen.science.metrics import wilson
from aiida_crystalgen.science.prediction_rates import Candidate, Draw, energies, rates, rates_at, summary
from benchmarks.real_crystals import COPIES, copy_of
from tests.science.examples import DATA, caesium_chloride, crystal, needs_data, rocksalt, simple_cubic

PEROVSKITES = DATA / 'perov_5_test.csv.gz'
TARGETS = {'targets': [rocksalt('t0', source='periclase'), caesium_chloride('t1')]}
STOL = {name: profile.stol for name, profile in PROFILES.items()}


def shifted(name: str, share: float, edge: float = 4.21) -> Crystal:
    """Return periclase with its oxygen moved along [111] so far that atoms are displaced by a share of (V/N)^(1/3).

    The best origin halves the way d of the oxygen, and (V/N)^(1/3) is half an edge: the share is d over the edge.
    """
    cell = edge / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    place = 0.5 * cell.sum(axis=0) - share * edge / np.sqrt(3)
    return Crystal(name, np.array([12, 8]), np.array([np.zeros(3), place]), cell, np.ones(3, dtype=bool))


def evaluate(*crystals: Crystal, **tables: list[Crystal]) -> dict[str, list[Any]]:
    """Return the columns of some crystals."""
    return prediction.evaluate(list(crystals), {}, {**TARGETS, **tables})


@pytest.mark.parametrize('kind', COPIES)
def test_copy_matches_with_no_displacement(kind: str) -> None:
    """Another cell, order, origin or size is the target at displacement 0; a rattle of 0.05 A is near it."""
    found = evaluate(copy_of(rocksalt('a'), kind, np.random.default_rng(0)))
    assert (found['target'], found['target_id']) == (['periclase'], ['t0'])
    for name in PROFILES:
        assert found[f'rmsd_{name}'] == [pytest.approx(0.0, abs=0.04 if kind == 'rattled' else 1e-5)]


def test_wrong_polymorph_and_other_elements_match_nothing() -> None:
    """Each polymorph is its own target; a formula without a target says so."""
    layers = crystal([12, 12, 8, 8], [[0, 0, 0], [0, 0, 0.3], [0, 0, 0.5], [0, 0, 0.8]], [2.5, 2.5, 16], 'b')
    found = evaluate(caesium_chloride('a'), layers, simple_cubic(29, 'c'), crystal([], [], [0, 0, 0], 'd'))
    assert found['target_id'] == ['t1', None, None, None]
    assert found['rmsd_loose'] == [0.0, None, None, None]
    assert found['no_target_reason'] == [
        None, None, 'no target has the formula Cu', 'the crystal is invalid: no_atoms',
    ]  # fmt: skip


def test_loose_tolerance_takes_zinc_blende_for_rocksalt() -> None:
    """Half of the way from (1/2, 1/2, 1/2) to (1/4, 1/4, 1/4) is 0.433 (V/N)^(1/3): within 0.5, not within 0.3."""
    blende = crystal([12, 8], [[0, 0, 0], [0.25] * 3], 2.1 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), 'b')
    found = evaluate(blende)
    assert found['target_id'] == ['t0']
    assert (found['rmsd_loose'], found['rmsd_default']) == ([pytest.approx(3**0.5 / 4, abs=1e-5)], [None])


def test_crystal_above_the_limit_of_sites_says_so() -> None:
    """What is not compared has a reason, so that it can be told from what does not match."""
    found = prediction.evaluate([shifted('a', 0.0)], {'max_sites': 1}, TARGETS)
    assert found['no_target_reason'] == ['the crystal is too large to be compared']


@pytest.mark.parametrize(('share', 'matched'), [(0.0, 3), (0.09, 3), (0.11, 2), (0.29, 2), (0.31, 1), (0.4, 1)])
def test_tolerances_are_those_of_displacements(share: float, matched: int) -> None:
    """A displacement of a share of (V/N)^(1/3) is found as such, at the tolerances of sites that it is within."""
    (entry,) = json.loads(evaluate(shifted('a', share))['target_matches'][0])
    values = [value for value in entry[1:] if value is not None]
    assert entry[0] == 't0'
    assert len(values) == matched
    assert values == pytest.approx([share] * matched, abs=1e-5)


def test_matches_are_read_back() -> None:
    """The text of a crystal's matches says the displacement at every tolerance."""
    found = evaluate(shifted('a', 0.2), simple_cubic(29, 'b'))
    matches = [prediction.matches_of(text) for text in found['target_matches']]
    assert matches[0]['t0'] == {'default': found['rmsd_default'][0], 'loose': found['rmsd_loose'][0]}
    assert matches[1] == {}


def test_energy_is_over_the_lowest_target_of_the_formula() -> None:
    """Both polymorphs count, whichever the crystal is; one of unknown enthalpy leaves the difference unknown."""
    relaxed = [rocksalt('t0', enthalpy=-6.0), caesium_chloride('t1', enthalpy=-5.2)]
    crystals = [rocksalt('a', enthalpy=-6.0), caesium_chloride('b', enthalpy=-5.0), rocksalt('c')]
    found = evaluate(*crystals, targets_relaxed=relaxed)['energy_over_target']
    assert found == [pytest.approx(0.0), pytest.approx(1.0), None]
    assert evaluate(*crystals, targets_relaxed=relaxed[1:])['energy_over_target'] == [None] * 3


def test_two_levels_of_theory_are_refused() -> None:
    """Energies of another potential than that of the targets are not compared, and both are named."""
    levels = {'level_candidates': 'mlip:a', 'level_targets': 'mlip:b'}
    with pytest.raises(ValueError, match='level `mlip:a` and targets of level `mlip:b`'):
        prediction.evaluate([rocksalt()], levels, TARGETS)
    assert prediction.columns({**levels, 'level_targets': ''})['energy_over_target']['level'] == 'mlip:a'
    assert 'energy_over_target' not in prediction.evaluate([rocksalt()], {**levels, 'energies': False}, TARGETS)


def perovskites(n: int) -> list[Structure]:
    """Return evenly spread perovskites of the test set, one of each formula."""
    with gzip.open(PEROVSKITES, 'rt') as handle:
        rows = {row['formula']: row['cif'] for row in csv.DictReader(handle)}
    cifs = list(rows.values())[:: max(len(rows) // n, 1)]
    return [Structure.from_str(cif, fmt='cif') for cif in cifs[:n]]


def as_crystal(structure: Structure, name: str) -> Crystal:
    """Return a pymatgen structure as a crystal."""
    matrix = structure.lattice.matrix
    return Crystal(name, np.array(structure.atomic_numbers), structure.cart_coords, matrix, np.ones(3, dtype=bool))


@needs_data
def test_displacements_are_those_of_pymatgen() -> None:
    """On disturbed real crystals, verdict and displacement are pymatgen's, of the better direction."""
    rng = np.random.default_rng(0)
    for i, structure in enumerate(perovskites(12)):
        moved = structure.copy()
        moved.lattice = moved.lattice.matrix @ (np.eye(3) + rng.normal(scale=0.03, size=(3, 3)))
        for site in range(len(moved)):
            moved.translate_sites([site], rng.normal(scale=0.35, size=3), frac_coords=False)
        found = prediction.evaluate([as_crystal(moved, 'a')], {}, {'targets': [as_crystal(structure, 't')]})
        for name, profile in PROFILES.items():
            matcher = StructureMatcher(profile.ltol, profile.stol, profile.angle_tol)
            both = [matcher.get_rms_dist(moved, structure), matcher.get_rms_dist(structure, moved)]
            expected = min((one[0] for one in both if one is not None), default=None)
            assert found[f'rmsd_{name}'] == [expected if expected is None else pytest.approx(expected, abs=2e-6)], i


@needs_data
def test_rates_of_real_crystals_known_by_construction() -> None:
    """Of 40 perovskites 30 are copied and displaced by known amounts, 10 get the wrong elements on their sites."""
    structures = perovskites(40)
    rng = np.random.default_rng(1)
    targets, candidates = [], []
    for i, structure in enumerate(structures):
        targets.append(as_crystal(structure, f't{i}'))
        moved = structure.copy()
        if i % 4 == 3:
            # A and B, and one anion, change places: far from the perovskite of this formula.
            order = [moved[j].specie for j in (1, 2, 3, 4, 0)]
            moved = Structure(moved.lattice, order, rng.random((5, 3)))
        else:
            moves = rng.normal(size=(5, 3))
            moves -= moves.mean(axis=0)
            unit = (moved.volume / 5) ** (1 / 3)
            moves *= 0.05 * unit / np.sqrt((moves**2).sum(axis=1).mean())
            moved = Structure(moved.lattice, moved.species, moved.cart_coords + moves, coords_are_cartesian=True)
        candidates.append(as_crystal(moved, f'c{i}'))
    found = prediction.evaluate(candidates, {}, {'targets': targets})
    matches = [prediction.matches_of(text) for text in found['target_matches']]
    draws = [Draw((f't{i}',), 1, (Candidate(one),)) for i, one in enumerate(matches)]
    # Strictly, only the displaced copies are found again, and all of them at what they were displaced by.
    strict = rates_at(draws, 'strict', 1)
    assert strict['match_rate']['count'] == 30
    assert strict['rmse'] == pytest.approx(0.05, abs=0.003)
    assert strict['crmse'] == pytest.approx((30 * 0.05 + 10 * 0.1) / 40, abs=0.003)


def draw(*targets: str, requested: int = 3, found: list[Mapping[str, Mapping[str, float]]]) -> Draw:
    """Return a draw whose candidates match what is given for each."""
    return Draw(targets, requested, tuple(Candidate(matches) for matches in found))


DRAWS = [
    # The first candidate misses, the second is the target, the third is nearer.
    draw('a', found=[{}, {'a': {'default': 0.2, 'loose': 0.2}}, {'a': {'loose': 0.1, 'default': 0.1}}]),
    # Two polymorphs, one of which every candidate finds.
    draw('b', 'c', found=[{'b': {'loose': 0.4}}, {'b': {'loose': 0.3}}, {'b': {'loose': 0.3}}]),
    # Nothing is found, and a row is missing altogether.
    draw('d', found=[{}, {}]),
]


def test_rates_count_over_what_was_requested() -> None:
    """Match rate is per draw, METRe per target; misses count in cRMSE with the tolerance, in RMSE not at all."""
    found = rates(DRAWS)['loose']
    assert list(found) == ['1', '3']
    assert (found['1']['match_rate']['count'], found['3']['match_rate']['count']) == (1, 2)
    assert (found['3']['match_rate']['low'], found['3']['match_rate']['high']) == wilson(2, 3)
    assert found['3']['rmse'] == pytest.approx((0.1 + 0.3) / 2)
    assert found['3']['metre']['rate'] == pytest.approx(2 / 4)
    assert found['3']['crmse'] == pytest.approx((0.1 + 0.3 + 2 * STOL['loose']) / 4)
    strict = rates(DRAWS)['strict']['3']
    assert (strict['match_rate']['count'], strict['rmse'], strict['crmse']) == (0, None, STOL['strict'])


def test_candidate_of_another_draw_counts_in_recall_alone() -> None:
    """A crystal that was drawn for another cell of the formula finds the target, but not for its own draw."""
    draws = [draw('a', found=[{'b': {'loose': 0.1}}]), draw('b', found=[{}])]
    found = rates_at(draws, 'loose', 1)
    assert (found['match_rate']['count'], found['metre']['count']) == (0, 1)


def test_depths_end_at_what_was_requested() -> None:
    """Rates are given at 1, 5, 20 and 100 candidates, as far as so many were asked for."""
    depths = {n: list(rates([draw('a', requested=n, found=[{}])])['strict']) for n in (1, 8, 20, 50)}
    assert depths == {1: ['1'], 8: ['1', '5', '8'], 20: ['1', '5', '20'], 50: ['1', '5', '20', '50']}


def test_energies_count_lower_candidates_apart() -> None:
    """Lower than the target is one number, lower and another structure the difference to the next."""
    same = {'a': {'default': 0.0, 'loose': 0.0}}
    candidates = (Candidate({}, -5.1, -0.1), Candidate(same, -5.01, -0.01), Candidate({}, -4.9, 0.1), Candidate(same))
    found = energies([Draw(('a',), 4, candidates), Draw(('b',), 4, (Candidate({}, -3.0, 0.0005),))])
    assert found is not None
    assert (found['candidates'], found['lower_candidates'], found['lower_and_matching']) == (4, 2, 1)
    assert found['lower_draws']['count'] == 1
    assert found['lowest_over_target'] == pytest.approx((-0.1 + 0.0005) / 2)
    assert energies(DRAWS) is None


def test_order_by_enthalpy_puts_the_lowest_first() -> None:
    """At depth 1 the lowest candidate decides; candidates that were not relaxed come last."""
    same = {'a': {'strict': 0.0, 'default': 0.0, 'loose': 0.0}}
    one = Draw(('a',), 3, (Candidate(), Candidate({}, -4.0, 0.1), Candidate(same, -5.0, 0.0)))
    found = summary({'x': [one]}, {'x': [one]})['generators']['x']
    assert found['relaxed']['strict']['1']['match_rate']['count'] == 0
    assert found['relaxed_by_enthalpy']['strict']['1']['match_rate']['count'] == 1


def test_summary_says_what_its_numbers_are() -> None:
    """Definitions, units and tolerances travel with the rates; without a potential nothing is said of relaxed ones."""
    found = summary({'x': DRAWS})
    assert {'match_rate', 'rmse', 'metre', 'crmse', 'lower'} <= set(found['definitions'])
    assert found['tolerances']['loose'] == {'lengths': 0.3, 'sites': 0.5, 'degrees': 10}
    assert found['generators']['x']['requested'] == 9
    assert (found['generators']['x']['draws'], found['generators']['x']['targets']) == (3, 4)
    assert found['generators']['x']['relaxed'] is None
    assert json.loads(json.dumps(found)) == found


@given(
    found=st.lists(st.lists(st.one_of(st.none(), st.floats(0, 0.49)), max_size=5), min_size=1, max_size=6),
    depth=st.integers(1, 5),
)
def test_rates_obey_their_order(found: list[list[float | None]], depth: int) -> None:
    """More candidates never find less, and cRMSE lies between the best and the tolerance."""
    matches = [[{} if value is None else {f't{i}': {'loose': value}} for value in one] for i, one in enumerate(found)]
    draws = [draw(f't{i}', requested=5, found=one) for i, one in enumerate(matches)]
    now, more = rates_at(draws, 'loose', depth), rates_at(draws, 'loose', depth + 1)
    assert now['match_rate']['count'] <= more['match_rate']['count'] <= len(draws)
    assert now['metre'] == now['match_rate']
    assert 0 <= more['crmse'] <= now['crmse'] <= STOL['loose']
