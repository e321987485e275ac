"""Ionic substitution with the real table of pymatgen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from generator_job import ABOUT_KEYS, REMOTE, job, literal_about, load, requests, structure
from pymatgen.core import Lattice, Species, Structure

adapter = load('substitution')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves

PROTOTYPES = {
    'rocksalt': ('Fm-3m', Lattice.cubic(5.64), ['Na', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    'wurtzite': ('P6_3mc', Lattice.hexagonal(3.25, 5.2), ['Zn', 'O'], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]),
    'pyrite': ('Pa-3', Lattice.cubic(4.871), ['Zn', 'O'], [[0, 0, 0], [0.413] * 3]),
    'perovskite': ('Pm-3m', Lattice.cubic(3.905), ['Sr', 'Ti', 'O'], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
    'hcp': ('P6_3/mmc', Lattice.hexagonal(3.2, 5.2), ['Mg'], [[1 / 3, 2 / 3, 0.25]]),
    'laves': ('Fd-3m', Lattice.cubic(7.05), ['Mg', 'Cu'], [[0] * 3, [0.625] * 3]),
}


@pytest.fixture(scope='module')
def prototypes(tmp_path_factory):
    """Return a folder of CIFs of textbook structures and one broken file."""
    folder = tmp_path_factory.mktemp('prototypes')
    for name, (group, lattice, species, coordinates) in PROTOTYPES.items():
        Structure.from_spacegroup(group, lattice, species, coordinates).to(str(folder / f'{name}.cif'))
    (folder / 'broken.cif').write_text('data_nothing\n')
    return folder


def substitute(prototypes, count, **parameters) -> list[dict]:
    """Return finished rows."""
    return list(adapter.run(requests(count), job(parameters, prototypes=prototypes)))


def test_about_is_complete():
    """`ABOUT` is a literal with every key, a DOI in every citation and a help for every parameter."""
    about = literal_about('substitution')
    assert set(about) >= ABOUT_KEYS
    assert all('doi:10.' in citation for citation in about['citation'])
    for specification in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert specification['help']
        assert 'unit' in specification
    assert set(adapter.versions()) == set(about['requires'])


def test_candidates_come_by_probability_and_then_end(prototypes):
    """Row i holds the i-th most probable candidate; the rows left over are rejected and name what was left out."""
    rows = substitute(prototypes, 4, chemical_system='Mg-O')
    assert [row['columns']['prototype'] for row in rows[:3]] == ['pyrite.cif', 'wurtzite.cif', 'rocksalt.cif']
    probabilities = [row['columns']['substitution_probability'] for row in rows[:3]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert rows[3]['rejected']['reason'] == 'no_more_candidates'
    for words in ('3 substitutions', 'hcp.cif (a pure element', 'broken.cif (no data block'):
        assert words in rows[3]['rejected']['detail']


def test_probability_is_that_of_pymatgen(prototypes):
    """NaCl -> MgO has the conditional probability that pymatgen's Substitutor gives."""
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    row = substitute(prototypes, 3, species=['Mg2+', 'O2-'])[1]
    new, old = [Species('Mg', 2), Species('O', -2)], [Species('Na', 1), Species('Cl', -1)]
    expected = SubstitutionProbability().cond_prob_list(new, old)
    assert row['columns']['substitution'] == 'Cl- -> O2-, Na+ -> Mg2+'
    assert row['columns']['substitution_probability'] == pytest.approx(expected, rel=1e-8)


def test_rocksalt_becomes_periclase(prototypes):
    """NaCl -> MgO keeps Fm-3m in a primitive cell, within 5 % of the measured volume of MgO (18.67 A^3)."""
    crystal = structure(substitute(prototypes, 3, chemical_system='Mg-O')[2])
    assert crystal.get_space_group_info()[1] == 225
    assert len(crystal) == 2
    assert crystal.volume == pytest.approx(18.67, rel=0.05)


def test_peroxide_keeps_its_anion(prototypes):
    """ZnO2 -> MgO2 exchanges the cation alone, although the model knows no O-; MgO2 is measured at 28.3 A^3."""
    row = substitute(prototypes, 1, chemical_system='Mg-O')[0]
    assert structure(row).composition.reduced_formula == 'MgO2'
    assert row['columns']['substitution'] == 'Zn2+ -> Mg2+'
    assert structure(row).volume / 4 == pytest.approx(28.3, rel=0.05)


def test_cation_alone_where_no_oxidation_state_can_be_guessed(prototypes):
    """MgCu2 has no ions, yet Mg can give way to Ca, for the exchange of like charges keeps the balance."""
    (row,) = substitute(prototypes, 1, chemical_system='Ca-Cu')
    assert structure(row).composition.reduced_formula == 'CaCu2'
    assert row['columns']['substitution'] == 'Mg2+ -> Ca2+'


def test_subsystems_can_be_left_out(prototypes):
    """Without sub-systems only crystals with all three elements are made."""
    rows = substitute(prototypes, 30, chemical_system='Ba-Ti-O', subsystems=False)
    formulas = {structure(row).composition.reduced_formula for row in rows if 'structure' in row}
    assert formulas == {'BaTiO3'}
    everything = substitute(prototypes, 30, chemical_system='Ba-Ti-O')
    assert {structure(row).composition.reduced_formula for row in everything if 'structure' in row} > formulas


def test_every_candidate_is_neutral_and_different(prototypes):
    """No candidate repeats its prototype, and all are made of the elements asked for."""
    for row in substitute(prototypes, 40, chemical_system='Na-Zn-O-Cl', threshold=1e-5):
        if 'structure' in row:
            assert ' -> ' in row['columns']['substitution']
            assert structure(row).chemical_system_set <= {'Na', 'Zn', 'O', 'Cl'}
            assert row['columns']['substitution_probability'] >= 1e-5


def test_another_process_lists_the_same_candidates(prototypes):
    """A fresh process with other string hashes gives the same rows to the last digit."""
    script = (
        'import importlib.util as u, json, sys, types\n'
        'sys.path.append(sys.argv[1])\n'
        'spec = u.spec_from_file_location("adapter", sys.argv[1] + "/adapters/substitution.py")\n'
        'm = u.module_from_spec(spec); spec.loader.exec_module(m)\n'
        'job = types.SimpleNamespace(parameters={"chemical_system": "Ba-Ti-O"}, assets={"prototypes": sys.argv[2]})\n'
        'print(json.dumps(list(m.run([{"id": str(i), "index": i} for i in range(8)], job))))\n'
    )
    command = [sys.executable, '-c', script, str(REMOTE), str(prototypes)]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True, env={'PYTHONHASHSEED': seed}).stdout
        for seed in ('1', '2')
    )
    assert first == second
    assert 'BaTiO3' not in first
    assert 'Sr2+ -> Ba2+' in first


def test_large_prototypes_are_left_out(prototypes):
    """A prototype above `max_sites` is named as left out."""
    rows = substitute(prototypes, 4, chemical_system='Mg-O', max_sites=2)
    assert [row.get('columns', {}).get('prototype') for row in rows if 'structure' in row] == ['rocksalt.cif']
    assert 'more than 2 atoms' in rows[-1]['rejected']['detail']


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'give either'),
        ({'chemical_system': 'Mg-O', 'species': ['Mg2+', 'O2-']}, 'give either'),
        ({'chemical_system': 'Mg'}, 'at least two'),
        ({'chemical_system': 'Mg-Xx'}, 'Xx'),
    ],
)
def test_wrong_conditions_are_refused_with_a_sentence(prototypes, parameters, words):
    """A request that cannot be met at all fails before the first row."""
    with pytest.raises(ValueError, match=words):
        substitute(prototypes, 1, **parameters)


def test_positions_scale_with_the_cell(prototypes):
    """All distances are those of the prototype times one factor."""
    row = substitute(prototypes, 2, chemical_system='Mg-O')[1]
    wurtzite, crystal = Structure.from_spacegroup(*PROTOTYPES['wurtzite']), structure(row)
    assert crystal.lattice.c / crystal.lattice.a == pytest.approx(5.2 / 3.25)
    scale = (crystal.volume / wurtzite.volume) ** (1 / 3)
    lengths = [np.sort(one.distance_matrix.ravel()) for one in (wurtzite, crystal)]
    assert np.allclose(scale * lengths[0], lengths[1], atol=1e-6)
