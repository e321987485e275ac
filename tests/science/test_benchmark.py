"""Tests of the benchmark table: shares of all requested, groups, distances, subsets."""

import csv
import gzip

import numpy as np
import pytest

from aiida_crystalgen.science import benchmark
from aiida_crystalgen.science.benchmark import Samples, Share, both, distances, shares, spread, subsets
from aiida_crystalgen.science.published import published

from .examples import DATA, crystal, rocksalt, simple_cubic

nothing = crystal([], [], np.zeros((3, 3)))


def test_self_image_is_not_looked_at() -> None:
    """CDVAE's structural validity passes a cell of 0.4 A that holds one atom; ours does not."""
    assert benchmark.structure_valid(simple_cubic(29, 'a', edge=0.47))


def test_structure_validity_looks_at_images_of_other_atoms() -> None:
    """Two atoms that are near across the border of the cell are too close."""
    assert not benchmark.structure_valid(crystal([12, 8], [[0.01, 0, 0], [0.99, 0, 0]], [4, 4, 4]))
    assert benchmark.structure_valid(rocksalt())


@pytest.mark.parametrize('edge', [0.4, 0.0])
def test_small_cells_are_invalid(edge: float) -> None:
    """A cell of at most 0.1 A^3 is no crystal."""
    assert not benchmark.structure_valid(simple_cubic(29, 'a', edge=edge))


def test_row_without_atoms_fails_everything() -> None:
    """What was never made is a failure, and has no properties."""
    assert benchmark.structure_valid(nothing) is False
    assert benchmark.composition_valid(nothing) is False
    assert benchmark.density(nothing) is None
    assert benchmark.n_elements(nothing) is None


def test_composition_validity_has_the_alloy_rule() -> None:
    """Metals alone are valid, and so is what can be neutral; NaF2 cannot."""
    assert benchmark.composition_valid(rocksalt(numbers=(29, 79))) is True
    assert benchmark.composition_valid(rocksalt()) is True
    assert benchmark.composition_valid(crystal([11, 9, 9], np.zeros((3, 3)), [9, 9, 9])) is False


def test_density_of_periclase() -> None:
    """The density agrees with the handbook."""
    assert benchmark.density(rocksalt(edge=4.2117)) == pytest.approx(3.58, abs=0.01)


def test_density_of_a_supercell_is_the_same() -> None:
    """The density does not depend on the cell."""
    double = crystal([29, 29], [[0, 0, 0], [0, 0, 0.5]], [3, 3, 6])
    assert benchmark.density(double) == pytest.approx(benchmark.density(simple_cubic(29, 'a')))


@pytest.mark.parametrize(
    ('first', 'second', 'expected'),
    [(True, True, True), (True, None, None), (None, False, False), (False, None, False), (None, None, None)],
)
def test_one_failure_settles_both(first: bool | None, second: bool | None, expected: bool | None) -> None:
    """Unknown and failed is failed, unknown and passed is unknown."""
    assert both(first, second) is expected


def test_shares_are_of_all_requested() -> None:
    """An unknown verdict counts as not passing, and is told apart."""
    found = shares(Samples(4, {'valid': [True, False, None, True]}))['valid']
    assert (found.count, found.n, found.unknown, found.rate) == (2, 4, 1, 0.5)
    assert found.interval == (pytest.approx(0.15, abs=0.01), pytest.approx(0.85, abs=0.01))


def test_what_nobody_judged_is_unknown() -> None:
    """Without a verdict there is no share: not 0 %."""
    found = shares(Samples(2, {'valid': [None, None]}, [None, None]))
    assert {name: share.rate for name, share in found.items()} == dict.fromkeys(found)
    assert found['valid'] == Share(None, 2, 2)


def test_groups_count_once() -> None:
    """Equal crystals are one; novelty is that of the one that stands for them, untested ones counted both ways."""
    groups = ['a', 'a', 'b', 'c', None]
    found = shares(Samples(5, {}, groups, {'a': True, 'b': False, 'c': None}))
    assert found['unique'].count == 3
    assert found['unique_novel'].count == 1
    assert found['unique_novel_or_untested'].count == 2
    assert (found['novel_of_unique'].count, found['novel_of_unique'].n) == (2, 3)
    assert (found['unique_of_compared'].count, found['unique_of_compared'].n) == (3, 4)


def test_novelty_that_nobody_tested_is_unknown() -> None:
    """Uniqueness is known without known crystals, novelty is not."""
    found = shares(Samples(2, {}, ['a', 'b'], {'a': None, 'b': None}))
    assert found['unique'].rate == 1
    assert found['unique_novel'].rate is None
    assert found['unique_novel_or_untested'].rate is None


def test_subsets_are_disjoint_and_the_same_every_time() -> None:
    """Ten subsets of equal size share no row; few rows have none."""
    parts = subsets(1005)
    assert [len(part) for part in parts] == [100] * 10
    assert len(np.unique(np.concatenate(parts))) == 1000
    assert all((first == second).all() for first, second in zip(parts, subsets(1005), strict=True))
    assert subsets(99) == []


def test_spread_over_subsets_of_a_random_verdict() -> None:
    """The spread of a share over ten subsets is about that of the binomial distribution."""
    verdicts = (np.random.default_rng(1).random(10_000) < 0.3).tolist()
    found = shares(Samples(10_000, {'valid': verdicts}))['valid']
    assert found.mean == pytest.approx(found.rate)
    assert found.deviation == pytest.approx((0.3 * 0.7 / 1000) ** 0.5, rel=0.6)


def test_spread_of_one_value_is_unknown() -> None:
    """One subset says nothing of a spread."""
    assert spread([0.5]) == (None, None)
    assert spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))


def test_distance_is_over_valid_crystals() -> None:
    """An invalid crystal does not move the distribution; a shift by one is a distance of one."""
    samples = Samples(3, {'valid_cdvae': [True, True, False]}, numbers={'n_elements': [2, 3, 40]})
    found = distances(samples, {'n_elements': [3.0, 4.0]})['n_elements']
    assert (found.value, found.n) == (pytest.approx(1.0), 2)


def test_distance_to_nothing_is_unknown() -> None:
    """Without known crystals there is no distance."""
    samples = Samples(1, {'valid_cdvae': [True]}, numbers={'density': [2.0]})
    assert distances(samples, {})['density'].value is None


@pytest.mark.parametrize('name', ['DiffCSP++', 'diffcsp_pp', 'diffcsp-pp'])
def test_published_values_are_found_however_the_name_is_spelt(name: str) -> None:
    """A generator is known by its name in any spelling; an unknown one has no values."""
    assert [entry.generator for entry in published(name)] == ['diffcsp_pp']
    assert published('my own') == []


def test_published_values_name_metrics_of_the_table() -> None:
    """Every published value is one of the table, and every source says where it stands."""
    from aiida_crystalgen.science.published import TABLE
    from aiida_crystalgen.tools.benchmark import DISTANCES, SHARES

    assert {key for entry in TABLE for key in entry.values} <= {*SHARES, *DISTANCES}
    assert all('arXiv:' in entry.source and entry.samples for entry in TABLE)


def test_composition_validity_agrees_with_the_published_one() -> None:
    """Of the published CrystalFormer crystals 85 % are valid, within half a percent of what its evaluation says."""
    import ast

    path = DATA / 'generators' / 'crystalformer' / 'published' / 'CrystalFormer_mp_20.csv.gz'
    if not path.is_file():
        pytest.skip('the shared data folder is not beside the checkout')
    csv.field_size_limit(10**8)
    verdicts = []
    with gzip.open(path, 'rt') as handle:
        for row in csv.DictReader(handle):
            sites = ast.literal_eval(row['cif'])['sites']
            symbols = [site['species'][0]['element'] for site in sites]
            from pymatgen.core import Element

            numbers = [Element(symbol).Z for symbol in symbols]
            verdicts.append(benchmark.composition_valid(crystal(numbers, np.zeros((len(numbers), 3)), [9, 9, 9])))
    share = shares(Samples(len(verdicts), {'composition_cdvae': verdicts}))['composition_cdvae']
    (value,) = [e.values['composition_cdvae'] for e in published('crystalformer') if 'composition_cdvae' in e.values]
    assert share.rate == pytest.approx(value, abs=0.005)
