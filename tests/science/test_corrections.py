"""Tests of the corrections of the Materials Project against their published values and against pymatgen."""

import json
import random
import warnings

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.vasp.sets import MPRelaxSet

from aiida_crystalgen.science.corrections import ANIONS, STRICT_ANIONS, calculated_as, mp2020
from aiida_crystalgen.science.crystal import Crystal, composition_of
from benchmarks import hull as figures
from benchmarks.real_crystals import read
from tests.science.examples import MP, crystal, needs_data, rocksalt

TETRAGONAL, CUBIC = Lattice.tetragonal, Lattice.cubic


def of_space_group(name: str, group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    """Return a crystal from its space group and independent sites."""
    structure = Structure.from_spacegroup(group, lattice, species, sites)
    numbers = np.array(structure.atomic_numbers)
    return Crystal(name, numbers, structure.cart_coords, structure.lattice.matrix, np.ones(3, dtype=bool))


HEMATITE_LIKE = [[0, 0, 0.355], [0.306, 0, 0.25]]
RUTILE_LIKE = [[0, 0, 0], [0.305, 0.305, 0]]
# Experimental structures, and the published corrections [eV/atom].
PUBLISHED = [
    (of_space_group('Fe2O3', 'R-3c', Lattice.hexagonal(5.04, 13.75), ['Fe', 'O'], HEMATITE_LIKE), -1.315),
    (of_space_group('Cr2O3', 'R-3c', Lattice.hexagonal(4.96, 13.59), ['Cr', 'O'], HEMATITE_LIKE), -1.212),
    (of_space_group('MnF2', 'P4_2/mnm', TETRAGONAL(4.87, 3.31), ['Mn', 'F'], RUTILE_LIKE), -0.864),
    (
        of_space_group(
            'LiCoO2', 'R-3m', Lattice.hexagonal(2.82, 14.05), ['Li', 'Co', 'O'], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
        ),
        -0.753,
    ),
    (of_space_group('TiO2', 'P4_2/mnm', TETRAGONAL(4.59, 2.96), ['Ti', 'O'], RUTILE_LIKE), -0.458),
    (rocksalt('NaCl', edge=5.64, numbers=(11, 17)), -0.307),
    (
        of_space_group(
            'GaN', 'P6_3mc', Lattice.hexagonal(3.19, 5.19), ['Ga', 'N'], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.377]]
        ),
        -0.180,
    ),
    (of_space_group('Ni3Al', 'Pm-3m', CUBIC(3.57), ['Al', 'Ni'], [[0, 0, 0], [0.5, 0.5, 0]]), 0.0),
]
KCL8 = crystal(
    [19, *[17] * 8], [[0, 0, 0], *np.stack(np.meshgrid(*[[0.25, 0.75]] * 3), axis=-1).reshape(-1, 3)], [7.5] * 3, 'KCl8'
)


def by_pymatgen(one: Crystal, strict_anions: str) -> float | None:
    """Return the correction of a plain entry with its structure [eV/atom]."""
    run_type, hubbards = calculated_as(one.composition_key)
    entry = ComputedStructureEntry(one.structure, -3.0, parameters={'run_type': run_type, 'hubbards': hubbards})
    with warnings.catch_warnings(action='ignore'):
        scheme = MaterialsProject2020Compatibility(strict_anions=strict_anions, check_potcar=False)
        done = scheme.process_entries([entry])
    return float(done[0].correction_per_atom) if done else None


@pytest.mark.parametrize(('one', 'published'), PUBLISHED, ids=[one.id for one, _ in PUBLISHED])
def test_published_corrections(one: Crystal, published: float) -> None:
    """Oxides, fluorides, chlorides and nitrides shift as published, alloys do not; pymatgen says the same."""
    assert one.composition == Composition(one.id)
    found = mp2020(one)
    assert found.value == pytest.approx(published, abs=6e-4)
    assert found.value == pytest.approx(by_pymatgen(one, 'require_exact'), abs=1e-12)


def test_strict_anions_decides_on_crystals_rich_in_halogens() -> None:
    """Eight chlorines on one potassium are no anions by oxidation state: 0.546 eV/atom hang on the option."""
    found = {strict: mp2020(KCL8, strict_anions=strict).value for strict in STRICT_ANIONS}
    assert found == pytest.approx({'no_check': -0.546, 'require_bound': -0.546, 'require_exact': 0.0}, abs=5e-4)


def test_corrected_energies_are_refused_a_second_correction() -> None:
    """Energies of CHGNet hold the corrections; those of other functionals never get them."""
    with pytest.raises(ValueError, match='MP2020 corrections already, as those of CHGNet do: a second correction'):
        mp2020(PUBLISHED[0][0], convention='mp2020')
    with pytest.raises(ValueError, match='not to energies of the convention `other`'):
        mp2020(PUBLISHED[0][0], convention='other')
    with pytest.raises(ValueError, match='`strict_anions` is one of no_check, require_bound, require_exact'):
        mp2020(PUBLISHED[0][0], strict_anions='some')


def test_what_cannot_be_corrected_says_why() -> None:
    """A run of another kind, without its U, or with parameters that cannot be read, has no correction."""
    hematite = PUBLISHED[0][0]
    assert mp2020(hematite, run_type='GGA+U', hubbards='{"Fe": 5.3}').value == mp2020(hematite).value
    assert mp2020(hematite, run_type='GGA').reason == (
        'the Hubbard parameters (none) are not those of MP2020 for Fe2O3'
    )
    assert mp2020(hematite, run_type='R2SCAN').reason == 'MP2020 corrects runs of type GGA and GGA+U, not `R2SCAN`'
    assert 'are no JSON of symbols' in (mp2020(hematite, run_type='GGA+U', hubbards='[1]').reason or '')
    assert 'are no JSON of symbols' in (mp2020(hematite, run_type='GGA+U', hubbards='{').reason or '')
    assert mp2020(crystal([], [], [0, 0, 0])).reason == 'the crystal is invalid: no_atoms'


def test_hubbard_parameters_are_those_of_the_relaxation_set() -> None:
    """By composition the rule gives the U that MPRelaxSet writes, on oxides, fluorides and anything else."""
    others = [*(one for one, _ in PUBLISHED), KCL8, rocksalt('FeS', numbers=(26, 16)), rocksalt('WN', numbers=(74, 7))]
    mixed = crystal([26, 27, 9, 8], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], [4, 4, 4], 'FeCoOF')
    for one in [*others, mixed]:
        with warnings.catch_warnings(action='ignore'):
            incar = MPRelaxSet(one.structure).incar
        symbols = [site.specie.symbol for site in one.structure]
        sites = [symbol for i, symbol in enumerate(symbols) if i == 0 or symbol != symbols[i - 1]]
        values = dict(zip(sites, incar.get('LDAUU', []), strict=False))
        run_type, hubbards = calculated_as(one.composition_key)
        assert hubbards == {symbol: value for symbol, value in values.items() if value}
        assert run_type == ('GGA+U' if incar.get('LDAU') else 'GGA')


def test_values_and_anions_are_those_of_pymatgen() -> None:
    """The U values and the anions written here are those that pymatgen corrects."""
    configured = MPRelaxSet.CONFIG['INCAR']['LDAUU']
    heavy = crystal([23, 24, 25, 26, 27, 28, 42, 74, 8], [[i / 9, 0, 0] for i in range(9)], [20, 4, 4])
    assert calculated_as(heavy.composition_key)[1] == configured['O'] == configured['F']
    scheme = MaterialsProject2020Compatibility(check_potcar=False)
    symbols = {next(iter(composition_of(((number, 1),)))).symbol for number in ANIONS}
    assert symbols == set(scheme.comp_correction) - {'oxide', 'peroxide', 'superoxide', 'ozonide', 'S'}


def test_bonds_between_anions_count() -> None:
    """Peroxides, superoxides and sulfates are told apart by the structure; a stated run type changes nothing there."""
    near = crystal([3, 8, 8], [[0.5, 0.5, 0], [0, 0, 0], [0, 0, 0.325]], [4, 4, 4], 'superoxide')
    far = crystal([3, 3, 8, 8], [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 0], [0, 0, 0.365]], [4, 4, 4], 'peroxide')
    for one in (near, far, rocksalt('CaS', edge=5.69, numbers=(20, 16))):
        assert mp2020(one).value == pytest.approx(by_pymatgen(one, 'require_exact'), abs=1e-12)
    assert mp2020(near).value == pytest.approx(-0.161 * 2 / 3)
    assert mp2020(far).value == pytest.approx(-0.465 / 2)


@needs_data
def test_real_crystals_agree_with_pymatgen() -> None:
    """A hundred crystals of the Materials Project get the correction that pymatgen gives the full entry."""
    drawn = [one for one in read(MP, 130) if 16 not in one.numbers and one.n_sites < 40][:100]
    choice = random.Random(0)
    for one in drawn:
        strict = choice.choice(STRICT_ANIONS)
        run_type, hubbards = calculated_as(one.composition_key)
        found = mp2020(one, strict_anions=strict, run_type=run_type, hubbards=json.dumps(hubbards)).value
        assert found == pytest.approx(by_pymatgen(one, strict), abs=1e-12), one.formula
    assert len(drawn) == 100
    assert figures.key_of(f"_chemical_formula_sum   '{drawn[0].composition.formula}'") == drawn[0].composition_key
