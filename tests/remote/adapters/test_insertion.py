"""Random insertion into real hosts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from generator_job import ABOUT_KEYS, cif_text, job, literal_about, load, requests, structure
from pymatgen.core import Lattice, Structure

adapter = load('insertion')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves

SILICON = Structure.from_spacegroup('Fd-3m', Lattice.cubic(5.43), ['Si'], [[0, 0, 0]])
COPPER = Structure.from_spacegroup('Fm-3m', Lattice.cubic(3.61), ['Cu'], [[0, 0, 0]])
# The same lattice as the cubic cell in vectors that are far from orthogonal, as primitive cells may be.
SKEWED = Structure(
    np.array([[1, 0, 0], [3, 1, 0], [-2, 3, 1]]) @ SILICON.lattice.matrix, SILICON.species, SILICON.cart_coords,
    coords_are_cartesian=True,
)  # fmt: skip


def insert(folder, host, count, **parameters) -> list[dict]:
    """Return finished rows."""
    path = folder / 'host.json'
    path.write_text(json.dumps(host.as_dict()))
    return list(adapter.run(requests(count), job(parameters, host=path)))


def test_about_is_complete():
    """`ABOUT` is a literal with every key, a DOI in every citation and a help for every parameter and column."""
    about = literal_about('insertion')
    assert set(about) >= ABOUT_KEYS
    assert all('doi:10.' in citation for citation in about['citation'])
    for specification in [*about['parameters'].values(), *about['columns'].values()]:
        assert specification['help']
        assert 'unit' in specification
    assert set(adapter.versions()) == set(about['requires'])


def test_radii_are_those_of_cordero():
    """The table of radii is the one that ASE has, for all elements of `ABOUT`."""
    from ase.data import chemical_symbols, covalent_radii

    assert len(adapter.RADII) == len(adapter.ELEMENTS)
    assert np.allclose(adapter.RADII, covalent_radii[1 : len(adapter.RADII) + 1])
    assert chemical_symbols[1 : len(adapter.RADII) + 1] == adapter.ELEMENTS


@pytest.mark.parametrize('host', [SILICON, SKEWED], ids=['cubic', 'skewed'])
def test_inserted_atoms_keep_their_distance(tmp_path, host):
    """No inserted atom is nearer to any other, all images counted, than the factor times the sum of the radii."""
    rows = insert(tmp_path, host, 6, insert={'Li': 2, 'O': 1})
    assert not [row for row in rows if 'rejected' in row]
    for row in rows:
        crystal = structure(row)
        assert crystal.composition.formula == 'Li2 Si8 O1'
        for site in crystal[8:]:
            for other in crystal.get_neighbors(site, 5.0):
                radii = [adapter.RADII[one.specie.Z - 1] for one in (site, other)]
                assert other.nn_distance >= 0.75 * sum(radii) - 1e-9


def test_host_and_cell_stay(tmp_path):
    """Atoms and cell of the host come first and are those of the file; the columns say where each site comes from."""
    (row,) = insert(tmp_path, SILICON, 1, insert={'Li': 3})
    crystal, columns = structure(row), row['columns']
    assert np.allclose(crystal.lattice.matrix, SILICON.lattice.matrix)
    assert np.allclose(crystal.cart_coords[:8], SILICON.cart_coords)
    assert columns['n_inserted'] == 3
    assert columns['host_site'] == [*range(8), -1, -1, -1]
    assert np.allclose(columns['host_position'], crystal.frac_coords)
    assert columns['host_volume'] == pytest.approx(SILICON.volume)


def test_supercell_repeats_the_host(tmp_path):
    """A supercell is the same crystal; each of its sites names the site of the file that it repeats."""
    (row,) = insert(tmp_path, SILICON, 1, insert={'Li': 1}, supercell=[2, 1, 3])
    crystal, sites = structure(row), row['columns']['host_site']
    host = crystal.copy()
    host.remove_species(['Li'])
    assert row['columns']['host_volume'] == pytest.approx(6 * SILICON.volume)
    assert [sites.count(site) for site in range(8)] == [6] * 8
    expected = SILICON.copy()
    expected.make_supercell([2, 1, 3])
    distances = expected.lattice.get_all_distances(host.frac_coords, expected.frac_coords)
    assert distances.min(axis=1).max() < 1e-9
    assert len(np.unique(distances.argmin(axis=1))) == 48
    # Every copy lies where its site lies, up to a vector of the cell of the file.
    found = np.array([crystal[i].coords for i in range(48)]) - SILICON.cart_coords[sites[:48]]
    shifts = found @ np.linalg.inv(SILICON.lattice.matrix)
    assert np.allclose(shifts, np.round(shifts))


def test_places_are_spread_over_the_free_space(tmp_path):
    """Helium in silicon is found around both tetrahedral voids of the primitive cell, and never where an atom is."""
    rows = insert(tmp_path, SILICON, 60, insert={'He': 1}, min_distance_factor=1.0)
    places = np.array([structure(row)[8].frac_coords for row in rows])
    voids = Structure.from_spacegroup('Fd-3m', SILICON.lattice, ['He'], [[0.5, 0.5, 0.5]])
    distances = SILICON.lattice.get_all_distances(places, voids.frac_coords)
    assert distances.min(axis=1).max() < 2.0
    assert len(np.unique(distances.argmin(axis=1))) == len(voids)


def test_the_seed_decides(tmp_path):
    """Rows are the same whichever were asked for before, and differ from each other."""
    first = insert(tmp_path, SILICON, 3, insert={'Li': 2})
    again = list(adapter.run(requests(1, first=2), job({'insert': {'Li': 2}}, host=tmp_path / 'host.json')))
    assert again == first[2:]
    assert len({str(row['structure']['positions']) for row in first}) == 3


def test_what_finds_no_place_is_rejected_with_the_widest_one(tmp_path):
    """In copper the octahedral void, half a lattice parameter from six atoms, is too narrow for gold."""
    rows = insert(tmp_path, COPPER, 2, insert={'Au': 1}, supercell=[2, 2, 2], tries=20)
    rejected = rows[0]['rejected']
    assert rejected['reason'] == 'no_space'
    widest = 3.61 / 2 / (1.32 + 1.36)
    assert f'the widest place for Au has {widest - 0.02:.2f}'[:-1] in rejected['detail']
    assert (rejected['value'], rejected['threshold']) == (0, 1)
    assert rows[0]['columns'] == {'draws': 20}


def test_a_full_host_says_how_many_fitted(tmp_path):
    """Forty lithium atoms find no room in eight atoms of silicon."""
    (row,) = insert(tmp_path, SILICON, 1, insert={'Li': 40}, tries=3)
    assert 0 < row['rejected']['value'] < 40
    assert 'insert fewer atoms' in row['rejected']['detail']


def test_vacancies_are_filled(tmp_path):
    """With the radii of metals, aluminium finds the vacancies of a copper lattice and nothing else."""
    host = COPPER.copy()
    host.make_supercell(2)
    holes = [host[0].frac_coords, host[9].frac_coords]
    host.remove_sites([0, 9])
    rows = insert(tmp_path, host, 3, insert={'Al': 2}, min_distance_factor=0.8, tries=200)
    for row in rows:
        crystal = structure(row)
        distances = crystal.lattice.get_all_distances([site.frac_coords for site in crystal[-2:]], holes)
        assert distances.min(axis=1).max() < 1.0
        assert sorted(distances.argmin(axis=1)) == [0, 1]


def test_left_handed_host_is_turned(tmp_path):
    """A left-handed cell becomes right-handed as relaxations take it, the atoms staying where they are."""
    flipped = Structure(SILICON.lattice.matrix[[1, 0, 2]], SILICON.species, SILICON.cart_coords,
                        coords_are_cartesian=True)  # fmt: skip
    (row,) = insert(tmp_path, flipped, 1, insert={'Li': 1})
    crystal = structure(row)
    assert np.linalg.det(crystal.lattice.matrix) > 0
    assert np.allclose(crystal.cart_coords[:8], SILICON.cart_coords)


@pytest.mark.parametrize('suffix', ['cif', 'vasp'])
def test_hosts_of_other_formats(tmp_path, suffix):
    """CIF and POSCAR are hosts too."""
    path = tmp_path / f'host.{suffix}'
    SILICON.to(str(path), fmt={'cif': 'cif', 'vasp': 'poscar'}[suffix])
    (row,) = adapter.run(requests(1), job({'insert': {'Li': 1}}, host=path))
    assert structure(row).composition.formula == 'Li1 Si8'


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'write it as {Li: 4}'),
        ({'insert': {'Xx': 1}}, 'names Xx'),
        ({'insert': {'Li': 0}}, 'whole numbers of atoms above 0'),
        ({'insert': {'Li': 1}, 'supercell': [2, 2]}, 'three whole numbers'),
        ({'insert': {'Cs': 1}, 'supercell': [1, 1, 1]}, r'images of Cs would be 2\.55 A apart'),
    ],
)
def test_wrong_requests_are_refused_with_a_sentence(tmp_path, parameters, words):
    """A request that cannot be met at all fails before the first row."""
    with pytest.raises(ValueError, match=words):
        insert(tmp_path, COPPER.get_primitive_structure(), 1, **parameters)


def test_host_must_be_one_readable_crystal(tmp_path):
    """A file with two crystals, and one with none, are refused with a sentence."""
    both = tmp_path / 'both.cif'
    both.write_text(cif_text(SILICON) + cif_text(COPPER).replace('data_Cu', 'data_other'))
    with pytest.raises(ValueError, match='holds 2'):
        next(adapter.run(requests(1), job({'insert': {'Li': 1}}, host=both)))
    broken = tmp_path / 'broken.cif'
    broken.write_text('data_nothing\n')
    with pytest.raises(ValueError, match=r'`broken\.cif` cannot be read'):
        next(adapter.run(requests(1), job({'insert': {'Li': 1}}, host=broken)))
