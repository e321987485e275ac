"""Tests of sameness: the match graph, its components, and what is skipped on the way."""

import itertools
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher

from aiida_crystalgen.science import identity
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import COPIES, copies, copy_of, read
from tests.science.examples import CARBON, MP, caesium_chloride, crystal, needs_data, rocksalt, simple_cubic

POOL = [
    rocksalt('a'),
    rocksalt('b', edge=4.3),
    caesium_chloride('c'),
    caesium_chloride('d', edge=2.7),
    rocksalt('e', numbers=(20, 8)),
    simple_cubic(29, 'f'),
    simple_cubic(29, 'g', edge=2.5),
    crystal([], [], [1, 1, 1], 'h'),
]


def named_groups(crystals: list[Crystal], profile: str = 'default') -> set[frozenset[str]]:
    """Return the groups as sets of ids."""
    return {frozenset(crystals[i].id for i in group) for group in identity.groups(crystals, profile)}


@pytest.mark.parametrize('profile', identity.PROFILES)
@pytest.mark.parametrize('kind', COPIES)
@pytest.mark.parametrize('original', [rocksalt('a'), caesium_chloride('a')])
def test_copies_of_a_crystal_are_the_crystal(original: Crystal, kind: str, profile: str) -> None:
    """Another cell, order, origin, size or a rattle of 0.05 A does not make a new crystal."""
    copy = copy_of(original, kind, np.random.default_rng(0))
    assert identity.Matcher(profile).match(original, copy)


def test_other_structures_and_other_elements_are_other_crystals() -> None:
    """Rocksalt and caesium chloride differ, and so do MgO and CaO."""
    assert named_groups(POOL) == {
        frozenset({'a', 'b'}),
        frozenset({'c', 'd'}),
        frozenset('e'),
        frozenset({'f', 'g'}),
        frozenset('h'),
    }


def test_left_handed_cell_is_the_same_crystal() -> None:
    """A cell given in left-handed order describes the same crystal."""
    original = rocksalt('a')
    left = Crystal('b', original.numbers, original.positions, original.cell[[1, 0, 2]], original.pbc)
    assert np.linalg.det(original.cell) * np.linalg.det(left.cell) < 0
    assert identity.Matcher().match(original, left)


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(len(POOL))))
def test_groups_do_not_depend_on_order(order: list[int]) -> None:
    """Permuting the input leaves the groups as they are."""
    assert named_groups([POOL[i] for i in order]) == named_groups(POOL)


@pytest.mark.parametrize('cell', [[0.6, 0.6, 900], [0.6, 900, 900], [1e4, 1e4, 1e4]])
def test_needles_and_plates_are_not_compared(cell: list[float]) -> None:
    """Cells that would cost the matcher gigabytes match nothing, quickly."""
    start = time.process_time()
    crystals = [crystal([29, 29], [[0, 0, 0], [0.5, 0.5, x]], cell, str(x)) for x in (0.4, 0.5)]
    identity.groups(crystals)
    assert time.process_time() - start < 5


def test_unknown_profile_is_a_sentence() -> None:
    """A profile that does not exist is refused with those that do."""
    with pytest.raises(ValueError, match='choose one of: strict, default, loose'):
        identity.Matcher('exact')


@needs_data
@pytest.mark.parametrize('profile', identity.PROFILES)
def test_prefilters_never_change_the_verdict(profile: str) -> None:
    """On pairs of one formula the verdict is that of the plain matcher, unreduced and unfiltered, in both orders."""
    rng = np.random.default_rng(2)
    crystals = read(CARBON, 14)
    crystals += [copy_of(one, kind, rng) for one, kind in zip(crystals, itertools.cycle(COPIES), strict=False)][:6]
    settings = identity.PROFILES[profile]
    plain = StructureMatcher(settings.ltol, settings.stol, settings.angle_tol)
    matcher = identity.Matcher(profile)
    verdicts = set()
    for one, two in itertools.combinations(crystals, 2):
        expected = bool(plain.fit(one.structure, two.structure) or plain.fit(two.structure, one.structure))
        assert matcher.match(one, two) is expected, (one.id, two.id)
        assert matcher.match(two, one) is expected, (two.id, one.id)
        verdicts.add(expected)
    assert verdicts == {True, False}


@needs_data
def test_carbon_has_the_published_number_of_components_in_any_order() -> None:
    """100 carbon crystals have 72 components, whatever their order, where greedy counting gives 74 to 75."""
    crystals = read(CARBON, 100)
    groups = named_groups(crystals)
    assert len(groups) == 72
    for seed in range(2):
        shuffled = random.Random(seed).sample(crystals, len(crystals))
        assert named_groups(shuffled) == groups


@needs_data
@pytest.mark.parametrize('profile', ['strict', 'default'])
def test_real_crystals_and_their_copies_are_one_group(profile: str) -> None:
    """Known crystals and four copies of each form as many groups as the crystals alone."""
    rng = np.random.default_rng(0)
    crystals = read(MP, 60)
    everything = [entry for one in crystals for entry in (one, *copies(one, rng))]
    groups = named_groups(everything, profile)
    assert groups == {frozenset({one.id, *(f'{one.id}-{kind}' for kind in COPIES)}) for one in crystals}


def test_rattled_superstructure_is_the_same_crystal() -> None:
    """GeI2 (mp-1540935) is threefold by 0.03 A: rattled, its smaller cell is not found, and it is still the same."""
    cell = [[4.304631, 0, 0], [-2.152315, 3.727919, 0], [0, 0, 23.370382]]
    heights = (0, 0.667854, 0.332146, 0.742476, 0.257524, 0.925384, 0.074616, 0.406777, 0.593223)
    columns = ((0, 0), (2 / 3, 1 / 3), (1 / 3, 2 / 3))
    sites = [(*columns[i], z) for i, z in zip((0, 1, 2, 0, 0, 1, 2, 1, 2), heights, strict=True)]
    original = crystal([32] * 3 + [53] * 6, sites, cell)
    rattled = copy_of(original, 'rattled', np.random.default_rng(0))
    assert (len(original.primitive), len(rattled.primitive)) == (3, 9)
    assert identity.Matcher('strict').match(original, rattled)


@needs_data
def test_primitive_cell_is_that_of_pymatgen() -> None:
    """Skipping a search that is bound to find no smaller cell changes no cell, given or doubled."""
    rng = np.random.default_rng(1)
    known = read(MP, 60)
    shortened = 0
    for one in [*known, *(copy_of(one, COPIES[i % 4], rng) for i, one in enumerate(known))]:
        expected = one.structure.get_reduced_structure('niggli').get_primitive_structure()
        assert len(one.primitive) == len(expected)
        assert np.allclose(one.primitive.lattice.matrix, expected.lattice.matrix, atol=1e-9)
        gaps = one.primitive.frac_coords - expected.frac_coords
        assert np.abs(gaps - np.round(gaps)).max() < 1e-8
        shortened += len(expected) < one.n_sites
    assert shortened >= 15
