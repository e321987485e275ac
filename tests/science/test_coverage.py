"""Tests of coverage: which crystals are near to which, and the fingerprints of matminer where it is installed."""

import importlib.util

import numpy as np
import pytest

from aiida_crystalgen.science.coverage import Fingerprint, MissingLibraryError, coverage, fingerprints
from aiida_crystalgen.science.magpie_scale import DEVIATIONS, MEANS

from .examples import crystal, rocksalt, simple_cubic

HAS_MATMINER = importlib.util.find_spec('matminer') is not None
needs_matminer = pytest.mark.skipif(not HAS_MATMINER, reason='the extra `metrics` (matminer) is not installed')


def mark(structure: float, composition: float) -> Fingerprint:
    """Return a fingerprint of one number each."""
    return Fingerprint(np.array([structure]), np.array([composition]))


def test_near_in_structure_and_in_composition() -> None:
    """Both distances have to be within their cutoffs."""
    known = [mark(0, 0)]
    generated = [mark(0.4, 10), mark(0.41, 0), mark(0, 10.1)]
    found = coverage(generated, known)
    assert found.precision.tolist() == [True, False, False]
    assert found.recall.tolist() == [True]


def test_each_distance_has_its_own_neighbour() -> None:
    """As published, the nearest structure and the nearest composition may be two different crystals."""
    found = coverage([mark(0, 0)], [mark(0, 50), mark(5, 0)])
    assert found.precision.tolist() == [True]
    assert found.recall.tolist() == [False, False]


def test_what_has_no_fingerprint_counts_and_is_near_to_none() -> None:
    """A failure lowers the precision; it is not left out."""
    found = coverage([None, mark(0, 0)], [mark(0, 0), None])
    assert found.precision.tolist() == [False, True]
    assert found.recall.tolist() == [True, False]


@pytest.mark.parametrize(('generated', 'known'), [([], [mark(0, 0)]), ([None], [mark(0, 0)]), ([mark(0, 0)], [])])
def test_nothing_to_compare(generated: list[Fingerprint | None], known: list[Fingerprint | None]) -> None:
    """An empty side leaves the other one uncovered."""
    found = coverage(generated, known)
    assert not found.precision.any()
    assert not found.recall.any()


def test_many_rows_are_compared_in_pieces() -> None:
    """The size of the pieces does not show in the result."""
    generated = [mark(0.5 * i, 0) for i in range(2300)]
    found = coverage(generated, [mark(1149.5, 0), mark(-1, 0)])
    assert np.flatnonzero(found.precision).tolist() == [2299]
    assert found.recall.tolist() == [True, False]


def test_scale_has_all_features() -> None:
    """There is a mean and a positive deviation for each of the 132 features."""
    assert len(MEANS) == len(DEVIATIONS) == 132
    assert min(DEVIATIONS) > 0


@pytest.mark.skipif(HAS_MATMINER, reason='matminer is installed')
def test_without_matminer_one_sentence_says_what_to_do() -> None:
    """The absence of the library is said, with the command that mends it."""
    with pytest.raises(MissingLibraryError, match=r"pip install 'aiida-crystalgen\[metrics\]'"):
        fingerprints([rocksalt()])


@needs_matminer
def test_fingerprint_does_not_depend_on_the_cell() -> None:
    """A supercell has the fingerprint of its primitive cell: sites that are equal are looked at once."""
    cubes = [simple_cubic(29, 'a'), crystal([29] * 8, np.argwhere(np.ones((2, 2, 2))) / 2, [6, 6, 6])]
    first, second = fingerprints(cubes)
    assert first is not None
    assert second is not None
    assert np.allclose(first.structure, second.structure, atol=1e-6)
    assert np.allclose(first.composition, second.composition)


@needs_matminer
@pytest.mark.filterwarnings('ignore')  # CrystalNN warns of every crystal without oxidation states
def test_fingerprint_is_the_mean_over_all_sites() -> None:
    """Looking at one site of each orbit gives the mean over all sites of matminer itself."""
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    featurizer = CrystalNNFingerprint.from_preset('ops')
    spinel = crystal(
        [12, 12, 13, 13, 13, 13, *[8] * 8],
        [
            [0.125] * 3, [0.875] * 3, [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5],
            [0.26] * 3, [0.26, 0.26, 0.72], [0.26, 0.72, 0.26], [0.72, 0.26, 0.26],
            [0.74] * 3, [0.74, 0.74, 0.28], [0.74, 0.28, 0.74], [0.28, 0.74, 0.74],
        ],
        8.08 / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    )  # fmt: skip
    (found,) = fingerprints([spinel])
    sites = [featurizer.featurize(spinel.structure, i) for i in range(spinel.n_sites)]
    assert found is not None
    assert np.linalg.norm(found.structure - np.mean(sites, axis=0)) < 1e-3


@needs_matminer
def test_no_fingerprint_of_what_is_no_crystal() -> None:
    """A row without atoms has none, and is no error."""
    assert fingerprints([crystal([], [], np.zeros((3, 3)))]) == [None]
