"""Tests of average minimum distances: values by hand, what changes nothing, and cells that are hard to search."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiida_crystalgen.science.amd import K, average_minimum_distances, distance
from aiida_crystalgen.science.crystal import Crystal
from tests.science.examples import caesium_chloride, crystal, rocksalt, simple_cubic, small_crystals

FCC = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))


def fingerprint(one: Crystal) -> NDArray[np.float64]:
    """Return the average minimum distances of a crystal."""
    return average_minimum_distances(one.positions, one.cell)


def shells(*shells: tuple[int, float]) -> NDArray[np.float64]:
    """Return the first distances of an atom with so many neighbours at each distance."""
    return np.repeat([length for _, length in shells], [count for count, _ in shells])[:K]


@pytest.mark.parametrize('edge', [1.0, 3.0])
def test_simple_cubic_by_hand(edge: float) -> None:
    """Six neighbours at one edge, twelve at its root of 2, and so on; the volume does not count."""
    expected = shells((6, 1), (12, 2**0.5), (8, 3**0.5), (6, 2), (24, 5**0.5))
    assert fingerprint(simple_cubic(29, 'a', edge)) == pytest.approx(expected, abs=1e-12)


def test_face_centred_cubic_by_hand() -> None:
    """Twelve neighbours at half a face diagonal, six at an edge, 24 at its root of 3/2; elements do not count."""
    edge = 4 ** (1 / 3)
    expected = shells((12, edge / 2**0.5), (6, edge), (24, edge * 1.5**0.5))
    assert fingerprint(crystal([29, 29, 79, 79], FCC, [4.0] * 3)) == pytest.approx(expected, abs=1e-12)
    assert distance(fingerprint(rocksalt()), shells((6, 1), (12, 2**0.5), (8, 3**0.5), (6, 2), (24, 5**0.5))) < 1e-12


def test_distance_is_the_largest_difference() -> None:
    """Rocksalt and caesium chloride differ by what their farthest apart neighbours do."""
    first, second = fingerprint(rocksalt()), fingerprint(caesium_chloride())
    assert distance(first, second) == pytest.approx(max(abs(first - second)))
    assert distance(first, first) == 0


@settings(deadline=None, max_examples=40)
@given(one=small_crystals().filter(lambda c: c.volume > 2), seed=st.integers(0, 2**32 - 1))
def test_another_description_of_the_crystal_changes_nothing(one: Crystal, seed: int) -> None:
    """A supercell in a sheared cell, another order, a turned axis system, a shifted origin and a scale are the same."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    positions = np.concatenate([one.positions, one.positions + one.cell[1]])
    cell = np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ (one.cell * [[1], [2], [1]])
    positions = rng.permutation(positions + rng.random(3) @ cell)
    again = average_minimum_distances(1.7 * positions @ turn, 1.7 * cell @ turn)
    assert again == pytest.approx(fingerprint(one), abs=1e-9)


@pytest.mark.parametrize(
    'cell',
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 25]],
        [[0.7, 0, 0], [0, 9, 0], [0, 0, 9]],
        [[2, 0, 0], [11.3, 2, 0], [-7.1, 5.2, 2]],
    ],
    ids=['needle', 'plate', 'skew'],
)
def test_search_is_exact_in_any_cell(cell: list[list[float]]) -> None:
    """The distances are those of a search of far too many images."""
    one = crystal([29, 29, 29], [[0, 0, 0], [0.1, 0.4, 0.55], [0.3, 0.2, 0.1]], cell)
    images = np.array(list(itertools.product(range(-45, 46), range(-25, 26), range(-25, 26)))) @ one.cell
    found = []
    for site in one.positions:
        gaps = np.concatenate([np.linalg.norm(other - site + images, axis=1) for other in one.positions])
        found.append(np.sort(gaps)[1 : K + 1])
    expected = np.mean(found, axis=0) * (3 / one.volume) ** (1 / 3)
    assert fingerprint(one) == pytest.approx(expected, abs=1e-9)


def test_atoms_on_one_another_have_no_distance() -> None:
    """Two atoms on one place are each other's nearest neighbours at distance zero."""
    assert fingerprint(crystal([29, 29], [[0, 0, 0], [0, 0, 0]], [3, 3, 3]))[0] == 0
