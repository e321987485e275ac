"""Tests of the geometry gates."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings

from aiida_crystalgen.science import validity
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.geometry import lattice_vectors, reduce_cell, shortest_distances
from benchmarks.real_crystals import read
from tests.science.examples import MP, crystal, needs_data, rocksalt, simple_cubic, small_crystals

RNG = np.random.default_rng(1)
RANDOM_2000 = RNG.random((2000, 3))
GRID_2000 = [(x / 20, y / 10, z / 10) for x, y, z in itertools.product(range(20), range(10), range(10))]

INFINITE = Crystal('a', np.array([29]), np.zeros((1, 3)), np.diag([np.inf, 3, 3]), np.ones(3, dtype=bool))

HOSTILE = {
    'no atoms': (crystal([], [], [3, 3, 3]), 'no_atoms'),
    'NaN position': (crystal([29], [[np.nan, 0, 0]], [3, 3, 3]), 'non_finite'),
    'infinite cell': (INFINITE, 'non_finite'),
    'cell of 1e300 A': (crystal([29], [[0, 0, 0]], [1e300, 3, 3]), 'non_finite'),
    'slab': (crystal([29], [[0, 0, 0]], [3, 3, 3], pbc=(True, True, False)), 'not_periodic'),
    'dummy element': (crystal([0], [[0, 0, 0]], [3, 3, 3]), 'unknown_element'),
    'element 119': (crystal([119], [[0, 0, 0]], [3, 3, 3]), 'unknown_element'),
    'zero volume': (crystal([29], [[0, 0, 0]], [[3, 0, 0], [3, 0, 0], [0, 0, 3]]), 'zero_volume'),
    'collapsed to 0.4 A': (crystal([29], [[0, 0, 0]], [0.4, 0.4, 0.4]), 'zero_volume'),
    'own image at 0.4 A': (crystal([29], [[0, 0, 0]], [0.4, 6, 6]), 'self_image_too_close'),
    'needle': (crystal([29, 3], [[0, 0, 0], [0, 0, 0.05]], [0.3, 0.6, 1000]), 'self_image_too_close'),
    'extreme needle': (crystal([29, 3], [[0, 0, 0], [0, 0, 0.05]], [1e-3, 1e-3, 1e6]), 'self_image_too_close'),
    'pair across the boundary': (crystal([29, 29], [[0.01, 0, 0], [0.99, 0, 0]], [5, 5, 5]), 'atoms_too_close'),
    'two atoms at one point': (crystal([29, 29], [[0, 0, 0], [0, 0, 0]], [5, 5, 5]), 'atoms_too_close'),
    '2,000 atoms at one point': (crystal([29] * 2000, np.zeros((2000, 3)), [1e4] * 3), 'too_many_atoms'),
    'overlapping radii': (crystal([55, 55], [[0, 0, 0], [0.25, 0, 0]], [8, 8, 8]), 'atoms_overlap'),
    '10,000 A cell': (crystal([29, 8], [[0, 0, 0], [1e-4, 1e-4, 1e-4]], [1e4] * 3), 'volume_out_of_range'),
    '2,000 atoms': (crystal([29] * 2000, GRID_2000, [50, 25, 25]), 'too_many_atoms'),
    '2,000 atoms at random': (crystal([29] * 2000, RANDOM_2000, [30, 30, 30]), 'too_many_atoms'),
    'left-handed': (crystal([29], [[0, 0, 0]], [2.5, 2.5, -2.5]), None),
    'sheared by 1e6': (crystal([29], [[0, 0, 0]], [[2.5, 0, 0], [2.5e6, 2.5, 0], [0, 0, 2.5]]), None),
    'oganesson': (crystal([118], [[0, 0, 0]], [3, 3, 3]), None),
}  # fmt: skip


def judge(one: Crystal, **parameters: object) -> dict[str, object]:
    """Return the columns of one crystal."""
    return {name: values[0] for name, values in validity.evaluate([one], parameters, {}).items()}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_crystals_get_their_reason_quickly(name: str) -> None:
    """Every broken crystal is judged in less than a second, with the reason that fits."""
    one, reason = HOSTILE[name]
    validity.evaluate([rocksalt()], {}, {})
    start = time.process_time()
    found = judge(one)
    assert time.process_time() - start < 1
    assert found['invalid_reason'] == reason
    assert found['valid'] is (reason is None)


def test_large_cell_is_quick_where_it_is_allowed() -> None:
    """A 2,000-atom cell passes in seconds when there is no limit of atoms."""
    found = judge(HOSTILE['2,000 atoms'][0], max_atoms=None)
    assert found['valid'] is True
    assert found['min_distance'] == pytest.approx(2.5)
    assert found['space_group'] == 221


def test_self_image_counts_for_us_and_not_for_the_literature() -> None:
    """A one-atom cell 0.4 A wide is invalid; the literature, which checks no self-images, lets it pass."""
    found = judge(HOSTILE['own image at 0.4 A'][0])
    assert (found['valid'], found['valid_cdvae']) == (False, True)
    assert (found['invalid_value'], found['invalid_threshold']) == (pytest.approx(0.4), 0.5)


def test_min_ratio_null_turns_the_gate_off() -> None:
    """Without the ratio to the radii, two caesium atoms 2 A apart are valid."""
    assert judge(HOSTILE['overlapping radii'][0], min_ratio=None)['valid'] is True


def test_columns_of_periclase() -> None:
    """Distance, volume and space group of a known crystal are right."""
    found = judge(rocksalt())
    assert found['valid_cdvae'] is True
    assert found['min_distance'] == pytest.approx(4.21 / 2)
    assert found['min_distance_ratio'] == pytest.approx(4.21 / 2**0.5 / (1.5 + 1.5))  # Mg to Mg
    assert found['volume_per_atom'] == pytest.approx(4.21**3 / 8)
    assert found['space_group'] == 225


def test_unknown_parameter_is_refused_with_a_sentence() -> None:
    """A parameter that does not exist is an error that names those that do."""
    with pytest.raises(ValueError, match='has no parameter `min_distnace`; it has: min_distance'):
        judge(simple_cubic(29, 'a'), min_distnace=1.0)


@needs_data
def test_known_crystals_are_valid() -> None:
    """Of 1,000 crystals of the Materials Project at least 99.5 % pass the default gates."""
    found = validity.evaluate(read(MP, 1000), {'symprec': 0.01}, {})
    assert sum(found['valid']) >= 995


def brute_force(one: Crystal) -> tuple[float, float]:
    """Return shortest distance and ratio from all images within three cells of the reduced lattice."""
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    basis = reduce_cell(one.cell)
    fractional = one.positions @ np.linalg.inv(basis)
    positions = (fractional - np.floor(fractional)) @ basis
    vectors = positions[None, :, None] - positions[:, None, None] + (shifts @ basis)[None, None]
    distances = np.linalg.norm(vectors, axis=-1)
    distances[np.arange(one.n_sites), np.arange(one.n_sites), len(shifts) // 2] = np.inf
    radii = validity.radii()[one.numbers]
    return float(distances.min()), float((distances / (radii[None, :] + radii[:, None])[..., None]).min())


@settings(deadline=None, max_examples=200)
@given(one=small_crystals())
def test_distances_agree_with_brute_force(one: Crystal) -> None:
    """The bounded search over images finds the shortest distance and ratio of any crystal."""
    assume(one.fault is None)
    found = shortest_distances(one.cell, one.positions, validity.radii()[one.numbers])
    assert (found.shortest, found.ratio) == pytest.approx(brute_force(one), abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(one=small_crystals())
def test_reduced_cell_spans_the_same_lattice_with_its_shortest_vectors(one: Crystal) -> None:
    """The reduced basis is unimodular to the cell, and no lattice vector is shorter than its first one."""
    assume(one.volume > 0.1)
    basis = reduce_cell(one.cell)
    relation = one.cell @ np.linalg.inv(basis)
    assert relation == pytest.approx(np.round(relation), abs=1e-6)
    assert abs(np.linalg.det(relation)) == pytest.approx(1)
    shortest = np.linalg.norm(basis, axis=1)
    others = np.linalg.norm(lattice_vectors(one.cell, float(shortest[0]) * 1.5), axis=1)
    assert others.min() == pytest.approx(shortest[0])
    assert (np.diff(shortest) >= -1e-9).all()
