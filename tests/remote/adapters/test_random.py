"""Symmetric random search with the real PyXtal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import spglib
from generator_job import ABOUT_KEYS, REMOTE, job, literal_about, load, requests, structure

adapter = load('random')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves


def draw(count: int, first: int = 0, **parameters) -> list[dict]:
    """Return finished rows."""
    return list(adapter.run(requests(count, first), job(parameters)))


def test_about_is_complete():
    """`ABOUT` is a literal with every key, a DOI in every citation and a help for every parameter."""
    about = literal_about('random')
    assert set(about) >= ABOUT_KEYS
    assert all('doi:10.' in citation for citation in about['citation'])
    for specification in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert specification['help']
        assert 'unit' in specification
    assert set(adapter.versions()) == set(about['requires'])


def test_seed_alone_decides():
    """A row is the same alone, among others, in another order, and whatever numpy's global state is."""
    together = {row['id']: row for row in draw(6, chemical_system='Mg-O')}
    np.random.seed(5)
    state = np.random.get_state()[1].tolist()
    backwards = list(adapter.run(reversed(requests(6)), job({'chemical_system': 'Mg-O'})))
    assert {row['id']: row for row in backwards} == together
    assert np.random.get_state()[1].tolist() == state
    assert draw(1, first=4, chemical_system='Mg-O') == [together['0123456789abcdef-4']]


def test_another_process_draws_the_same_bytes():
    """A fresh process with other string hashes gives the same crystals to the last digit."""
    script = (
        'import importlib.util as u, json, sys, types\n'
        'spec = u.spec_from_file_location("adapter", sys.argv[1]); m = u.module_from_spec(spec)\n'
        'spec.loader.exec_module(m)\n'
        'rows = [{"id": f"0123456789abcdef-{i}", "index": i, "seed": 7919 * i + 1} for i in range(4)]\n'
        'print(json.dumps(list(m.run(rows, types.SimpleNamespace(parameters={"composition": "MgO"})))))\n'
    )
    command = [sys.executable, '-c', script, str(REMOTE / 'adapters' / 'random.py')]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env={'PYTHONHASHSEED': '7'})
    assert json.loads(answer.stdout) == json.loads(json.dumps(draw(4, composition='MgO')))
    assert answer.stderr == ''


def test_composition_is_kept_in_primitive_right_handed_cells():
    """Every crystal is a whole number of formula units in a primitive cell of at most `max_atoms` atoms."""
    for row in draw(8, composition='Mg2O4Ti2', max_atoms=8):
        crystal = structure(row)
        assert crystal.composition.reduced_formula == 'MgTiO2'
        assert row['columns']['formula_units'] == len(crystal) // 4
        assert len(crystal) <= 8
        assert crystal.lattice.volume > 0
        assert np.linalg.det(crystal.lattice.matrix) > 0
        cell = (crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers)
        assert len(spglib.find_primitive(cell, symprec=1e-3)[2]) == len(crystal)


def test_requested_space_group_is_found():
    """The point group of every crystal has at least the 48 operations of the space group asked for."""
    for row in draw(10, composition='MgO', space_groups=[225]):
        crystal = structure(row)
        cell = (crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers)
        assert row['columns']['space_group_requested'] == 225
        assert len(spglib.get_symmetry(cell, symprec=1e-3)['rotations']) >= 48


def test_chemical_system_covers_elements_and_compounds():
    """Of 80 rows about 30 % are pure elements, and MgO is the most frequent compound."""
    rows = draw(80, chemical_system='O-Mg', max_atoms=6)
    formulas = Counter(structure(row).composition.reduced_formula for row in rows)
    assert 12 <= formulas['Mg'] + formulas['O2'] <= 36
    assert formulas['Mg'] > 3
    assert formulas.most_common(1)[0][0] == 'MgO'
    assert len(formulas) > 5


def test_no_distance_is_shorter_than_asked_for():
    """Over all periodic images, no pair is closer than the factor times its sum of covalent radii."""
    from ase import Atoms
    from ase.neighborlist import neighbor_list
    from pyxtal.database.element import Element

    for row in draw(20, chemical_system='Mg-O'):
        crystal = row['structure']
        atoms = Atoms(numbers=crystal['numbers'], positions=crystal['positions'], cell=crystal['cell'], pbc=True)
        radii = np.array([Element(symbol).covalent_radius for symbol in atoms.get_chemical_symbols()])
        i, j, distances = neighbor_list('ijd', atoms, 3.0)
        assert np.all(distances >= 0.6 * (radii[i] + radii[j]) - 1e-6)


@pytest.mark.parametrize(('pressure', 'compression'), [(0.0, 1.0), (100.0, 5 ** (-1 / 4))])
def test_volumes_follow_prior_and_pressure(pressure, compression):
    """The volume of MgO lies in the range of the prior, compressed as the help of `pressure` says."""
    prior = 2 / 3 * np.pi * sum(r**3 for r in (1.41, 1.73, 0.70, 1.52))
    rows = draw(10, composition='MgO', volume_factor=[0.9, 1.1], pressure=pressure, formula_units=[1, 2])
    volumes = np.array([structure(row).volume / row['columns']['formula_units'] for row in rows])
    assert np.all((volumes >= 0.9 * compression * prior - 1e-6) & (volumes <= 1.1 * compression * prior + 1e-6))


def test_impossible_request_is_rejected_with_a_sentence():
    """Nine formula units of MgO fit no primitive cell of Ia-3d: the rows end with a reason and no warning."""
    (row,) = draw(1, composition='MgO', space_groups=[230], formula_units=[9, 9], max_atoms=18)
    assert row['rejected']['reason'] == 'no_crystal_found'
    assert 'fitted none of the space groups' in row['rejected']['detail']
    assert 'structure' not in row


def test_crowded_cells_end_after_the_tries():
    """A volume too small for the distances asked for is given up after `tries` draws."""
    crowded = {'volume_factor': [0.2, 0.2], 'min_distance_factor': 1.0, 'formula_units': [1, 1]}
    (row,) = draw(1, composition='MgO', tries=2, **crowded)
    assert row['rejected']['reason'] == 'no_crystal_found'
    assert row['columns']['draws'] == 2


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'give either `composition`'),
        ({'composition': 'MgO', 'chemical_system': 'Mg-O'}, 'give either `composition`'),
        ({'chemical_system': 'Mg-Xx'}, 'no radii for Xx'),
        ({'composition': 'MgO', 'space_groups': [231]}, 'numbers from 1 to 230'),
        ({'composition': 'Mg17Al12'}, 'no cell of Mg17Al12'),
        ({'composition': 'Mg0.5O0.5'}, 'whole numbers'),
    ],
)
def test_wrong_conditions_are_refused_with_a_sentence(parameters, words):
    """A request that cannot be met at all fails before the first row."""
    with pytest.raises(ValueError, match=words):
        draw(1, **parameters)
