"""Crystals to descriptions and back."""

from __future__ import annotations

import csv
import gzip
import itertools
import warnings

import numpy as np
import pytest
from known_crystals import KNOWN, rocksalt

from aiida_crystalgen.models.wyckoff import data, tokens
from aiida_crystalgen.models.wyckoff.encode import encode
from aiida_crystalgen.models.wyckoff.symmetry import count_operations, has_its_group
from aiida_crystalgen.models.wyckoff.table import group, n_positions
from tests.science.examples import MP, needs_data

VOLUMES = np.full(119, 15.0)


def structure(numbers, positions, cell):
    """Return a pymatgen Structure of Cartesian positions."""
    from pymatgen.core import Structure

    return Structure(cell, numbers, positions, coords_are_cartesian=True)


def same(first, second) -> bool:
    """Return whether pymatgen takes two structures for the same."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    with warnings.catch_warnings(action='ignore'):
        return StructureMatcher(ltol=0.05, stol=0.1, angle_tol=2).fit(first, second)


def redescribed(numbers, points, cell, seed):
    """Return the same crystal with another origin, other axes, another order and twice the cell."""
    rng = np.random.default_rng(seed)
    matrix = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]])[:, rng.permutation(3)]
    matrix = np.diag([2, 1, 1]) @ matrix
    cell = np.asarray(cell, float)
    new = matrix @ cell
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    # Cartesian copies of all atoms, those of one new cell kept.
    copies = ((np.asarray(points)[:, None] + shifts).reshape(-1, 3) @ cell) @ np.linalg.inv(new)
    elements = np.repeat(numbers, len(shifts))
    inside = ((copies > -1e-6) & (copies < 1 - 1e-6)).all(1)
    order = rng.permutation(int(inside.sum()))
    return elements[inside][order], (copies[inside][order] + rng.random(3)) % 1.0, new


@pytest.mark.parametrize('number', KNOWN)
def test_known_crystals_come_back(number):
    """The space group is the right one and the decoded atoms are the same crystal in a primitive cell."""
    numbers, points, cell = KNOWN[number]
    found = encode(numbers, points, cell, 0.01)
    assert found.space_group == number
    decoded = found.primitive()
    assert len(decoded[0]) == len(numbers)
    assert np.linalg.det(decoded[2]) > 0
    assert same(structure(numbers, points @ cell, cell), structure(*decoded))


@pytest.mark.parametrize('number', KNOWN)
def test_the_description_does_not_depend_on_the_cell(number):
    """Other axes, origins, orders of atoms and supercells give the same sites."""
    first = encode(*KNOWN[number], 0.01)
    second = encode(*redescribed(*KNOWN[number], seed=number), 0.01)
    assert [(site.number, site.letter) for site in second.sites] == [(site.number, site.letter) for site in first.sites]
    for one, other in zip(first.sites, second.sites, strict=True):
        offset = np.array(one.free) - np.array(other.free)
        assert np.abs(offset - np.round(offset)).max(initial=0) < 0.005


@pytest.mark.parametrize('number', KNOWN)
def test_steps_come_back(number):
    """The steps of a crystal say everything: sites, cell to 0.5 %, coordinates to a thousandth."""
    crystal = encode(*KNOWN[number], 0.01)
    steps = tokens.to_steps(crystal, VOLUMES)
    cell, coordinate = steps.role >= tokens.CELL, steps.role >= tokens.COORDINATE
    levels = steps.choice * 9 + steps.fine
    sites = [(site.number, site.letter) for site in crystal.sites]
    back = tokens.to_crystal(number, sites, levels[cell & ~coordinate].tolist(), levels[coordinate].tolist(), VOLUMES)
    assert sum((site.free for site in back.sites), ()) == pytest.approx(
        sum((site.free for site in crystal.sites), ()), abs=1e-3
    )
    lengths = [np.linalg.norm(given.cell, axis=1) for given in (back, crystal)]
    assert lengths[0] == pytest.approx(lengths[1], rel=5e-3)


def test_a_polar_crystal_begins_at_its_origin():
    """The first site of a polar space group rests at 0 along the polar axis and its coordinate takes no step."""
    crystal = encode(*KNOWN[186], 0.01)
    assert crystal.group.polar == (2,)
    assert crystal.sites[0].free == (0.0,)
    assert tokens.n_steps(crystal) == 1 + 4 + 1 + 2 + 1


@pytest.mark.parametrize('number', KNOWN)
def test_symmetry_is_counted_without_spglib(number):
    """A crystal has as many operations as its space group; one more tolerance finds none that are not there."""
    assert has_its_group(encode(*KNOWN[number], 0.01), 0.05)


def test_a_more_symmetric_crystal_is_found_out():
    """Rocksalt written in a subgroup has more operations than the subgroup."""
    from aiida_crystalgen.models.wyckoff.crystal import Site, SymmetricCrystal

    real = encode(*rocksalt(), 0.01)
    lower = SymmetricCrystal(196, tuple(Site(site.number, site.letter, ()) for site in real.sites), real.cell)
    assert not has_its_group(lower, 0.05)
    assert count_operations(*real.primitive(), 0.05, 1000) == 48


def test_the_table_is_that_of_the_international_tables():
    """There are 1,731 Wyckoff positions; those of Fm-3m and P6_3/mmc have the known multiplicities."""
    assert n_positions() == 1731
    labels = {number: ' '.join(p.label for p in group(number).positions) for number in (225, 194)}
    assert labels[225] == '4a 4b 8c 24d 24e 32f 48g 48h 48i 96j 96k 192l'
    assert labels[194] == '2a 2b 2c 2d 4e 4f 6g 6h 12i 12j 12k 24l'
    with pytest.raises(ValueError, match='from 1 to 230'):
        group(231)


def test_data_files_keep_everything(tmp_path):
    """A data set that was written is read back, labels and parts of the split included."""
    crystals = [encode(*KNOWN[number], 0.01) for number in KNOWN]
    labels = np.linspace(0, 1, 2 * len(crystals)).reshape(-1, 2)
    given = data.Dataset([str(number) for number in KNOWN], crystals, labels)
    given.save(tmp_path / 'data.npz')
    found = data.Dataset.load(tmp_path / 'data.npz')
    assert found.names == given.names
    assert found.labels.tolist() == labels.tolist()
    assert [crystal.sites for crystal in found.crystals] == [crystal.sites for crystal in crystals]
    assert sum(len(found.part(name).names) for name in data.PARTS) == len(crystals)


def test_a_table_is_encoded(tmp_path, capsys):
    """A table of CIFs becomes a data file with its labels; a crystal with too many sites is named."""
    cifs = {str(number): structure(KNOWN[number][0], *atoms(*KNOWN[number][1:])).to(fmt='cif') for number in (225, 1)}
    with gzip.open(tmp_path / 'table.csv.gz', 'wt', newline='') as stream:
        writer = csv.DictWriter(stream, ['material_id', 'cif', 'e_above_hull', 'formation_energy_per_atom'])
        writer.writeheader()
        for name, cif in cifs.items():
            writer.writerow({'material_id': name, 'cif': cif, 'e_above_hull': 0.01, 'formation_energy_per_atom': ''})
    data.main([str(tmp_path / 'table.csv.gz'), str(tmp_path / 'data.npz'), '--max-sites', '2'])
    found = data.Dataset.load(tmp_path / 'data.npz')
    assert found.names == ['225']
    assert found.labels[0][0] == 0.01
    assert np.isnan(found.labels[0][1])
    assert '1: 3 sites are more than 2' in capsys.readouterr().out


def atoms(points, cell):
    """Return Cartesian positions and the cell."""
    return points @ np.asarray(cell), cell


@needs_data
def test_real_crystals_come_back():
    """Of 40 Materials Project crystals every one is encoded and decoded to the same crystal."""
    with gzip.open(MP, 'rt') as stream:
        rows = list(itertools.islice(csv.DictReader(stream), 0, 4000, 100))
    from pymatgen.core import Structure

    with warnings.catch_warnings(action='ignore'):
        real = [Structure.from_str(row['cif'], fmt='cif') for row in rows]
    for crystal in real:
        found = encode(list(crystal.atomic_numbers), crystal.frac_coords, crystal.lattice.matrix, 0.1)
        assert same(crystal, structure(*found.primitive()))
