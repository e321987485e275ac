"""Tests of formation energies and hulls against pymatgen's PhaseDiagram."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from aiida_crystalgen.science import stability
from aiida_crystalgen.science.crystal import Crystal
from tests.science.examples import MP, crystal, needs_data

# Textbook enthalpies of formation at 298 K, kJ/mol; elements and O2 are zero.
TEXTBOOK = {
    'Ba': 0, 'Ti': 0, 'C': 0, 'O2': 0, 'BaO': -548.0, 'BaO2': -634.3, 'TiO2': -944.0, 'Ti2O3': -1520.9,
    'BaTiO3': -1659.8, 'Ba2TiO4': -2243.0, 'BaCO3': -1213.0, 'CO2': -393.5, 'CO': -110.5,
}  # fmt: skip
KJ_PER_EV = 96.485


def phase(formula: str, enthalpy: float, name: str = '', **columns: object) -> Crystal:
    """Return a crystal of a formula with an enthalpy [eV/atom]; its geometry is of no importance."""
    numbers = [element.Z for element, n in Composition(formula).items() for _ in range(round(n))]
    return crystal(
        numbers,
        np.zeros((len(numbers), 3)),
        [5, 5, 5],
        name or formula,
        enthalpy=enthalpy,
        source='textbook',
        **columns,
    )


def textbook(*without: str) -> list[Crystal]:
    """Return the textbook phases, some left out."""
    return [
        phase(formula, value / KJ_PER_EV / Composition(formula).num_atoms)
        for formula, value in TEXTBOOK.items()
        if formula not in without
    ]


def evaluate(one: Crystal, hull: list[Crystal], **parameters: object) -> dict[str, object]:
    """Return the columns of one crystal."""
    return {name: values[0] for name, values in stability.evaluate([one], parameters, {'hull': hull}).items()}


def by_pymatgen(one: Crystal, hull: list[Crystal]) -> tuple[float, float]:
    """Return formation energy and energy above hull [eV/atom] by PhaseDiagram."""
    entries = [PDEntry(c.composition, c.columns['enthalpy'] * c.composition.num_atoms) for c in hull]
    elements = set(one.composition.elements)
    diagram = PhaseDiagram([entry for entry in entries if set(entry.composition.elements) <= elements])
    entry = PDEntry(one.composition, one.columns['enthalpy'] * one.composition.num_atoms)
    above = diagram.get_decomp_and_e_above_hull(entry, allow_negative=True, check_stable=False)[1]
    return diagram.get_form_energy_per_atom(entry), above


def test_barium_titanate_is_made_of_its_oxides() -> None:
    """BaO + TiO2 -> BaTiO3 releases 0.348 eV/atom, and the products are named by atoms."""
    titanate = next(one for one in textbook() if one.id == 'BaTiO3')
    found = evaluate(titanate, textbook('BaTiO3', 'Ba2TiO4'))
    assert found['e_hull'] == pytest.approx(-0.348, abs=1e-3)
    assert found['decomposition'] == '0.6 TiO2 + 0.4 BaO'
    assert found['formation_energy'] == pytest.approx(-1659.8 / KJ_PER_EV / 5)
    assert (found['hull_phases'], found['hull_source']) == (7, 'textbook')


def test_a_crystal_that_is_a_reference_is_left_out_of_its_hull() -> None:
    """Screening the references themselves gives by how much each breaks the hull of the others."""
    titanate = next(one for one in textbook() if one.id == 'BaTiO3')
    assert evaluate(titanate, textbook())['e_hull'] < 0


@pytest.mark.parametrize('formula', ['BaTiO3', 'Ba3Ti2O7', 'BaC2O5', 'TiCO4', 'Ba', 'O2', 'BaTiCO5'])
def test_textbook_hull_agrees_with_pymatgen(formula: str) -> None:
    """Energies above the textbook hull are those of PhaseDiagram."""
    one = phase(formula, -1.0, 'x')
    found = evaluate(one, textbook())
    assert (found['formation_energy'], found['e_hull']) == pytest.approx(by_pymatgen(one, textbook()), abs=1e-9)


ENERGY = st.floats(-3, 1).map(lambda value: round(value, 3))
COUNTS = st.tuples(*[st.integers(0, 3)] * 3).filter(any)


@settings(deadline=None, max_examples=60)
@given(entries=st.lists(st.tuples(COUNTS, ENERGY), max_size=12), target=COUNTS, energy=ENERGY, seed=st.randoms())
def test_random_hulls_agree_with_pymatgen_in_any_order(entries, target, energy, seed) -> None:
    """For any phases the linear programme finds the hull of PhaseDiagram, and their order changes no digit."""

    def formula(counts: tuple[int, ...]) -> str:
        return ''.join(f'{symbol}{n}' for symbol, n in zip(('Li', 'Mg', 'O'), counts, strict=True) if n)

    hull = [phase(formula(counts), value, str(i)) for i, (counts, value) in enumerate(entries)]
    hull += [phase(symbol, 0.0) for symbol in ('Li', 'Mg', 'O')]
    one = phase(formula(target), energy, 'x')
    found = evaluate(one, hull)
    assert (found['formation_energy'], found['e_hull']) == pytest.approx(by_pymatgen(one, hull), abs=1e-7)
    assert found['e_hull_with_candidates'] == pytest.approx(max(0.0, found['e_hull']), abs=1e-9)
    seed.shuffle(hull)
    assert evaluate(one, hull) == found


def test_other_candidates_are_in_the_second_hull_only() -> None:
    """A more stable candidate of the same formula raises `e_hull_with_candidates`, not `e_hull`."""
    candidates = [phase('BaTiO3', -4.0, 'x'), phase('BaTiO3', -3.9, 'y')]
    found = stability.evaluate(candidates, {}, {'hull': textbook()})
    assert found['e_hull'][1] - found['e_hull'][0] == pytest.approx(0.1)
    assert found['e_hull_with_candidates'] == pytest.approx([0.0, 0.1])
    assert found['e_hull'][1] < 0


def test_missing_elements_and_energies_are_unknown_with_a_reason() -> None:
    """What the hull cannot say is None and says why."""
    found = evaluate(phase('MgSiO3', -1.0, 'x'), textbook())
    assert (found['e_hull'], found['formation_energy']) == (None, None)
    assert found['e_hull_reason'] == 'no reference for elements Mg, Si'
    assert evaluate(phase('MgO', -1.0, 'x'), textbook())['e_hull_reason'] == 'no reference for element Mg'
    assert evaluate(phase('BaO', None, 'x'), textbook())['e_hull_reason'] == 'enthalpy is unknown'  # type: ignore[arg-type]
    assert evaluate(phase('BaO', -1.0, 'x'), [])['e_hull_reason'] == 'no reference for elements O, Ba'


def test_pressures_never_mix() -> None:
    """A crystal relaxed under pressure is compared with phases at that pressure only."""
    under_pressure = phase('BaO', -1.0, 'x', pressure=5.0)
    assert evaluate(under_pressure, textbook())['e_hull_reason'] == 'no reference for elements O, Ba at 5 GPa'
    hull = [phase('Ba', 0.1, 'p', pressure=5.0), phase('O2', 0.2, 'q', pressure=5.0)]
    assert evaluate(under_pressure, textbook() + hull)['e_hull'] == pytest.approx(-1.15)


def test_levels_of_theory_never_mix() -> None:
    """Energies of two levels are refused with a sentence that names both."""
    with pytest.raises(ValueError, match='level `mlip:a` and the competing phases of level `dft:b`'):
        evaluate(phase('BaO', -1.0, 'x'), textbook(), level_candidates='mlip:a', level_hull='dft:b')


def test_energies_carry_their_level() -> None:
    """The level of theory is written on the energies and on nothing else."""
    levels = {name: meta['level'] for name, meta in stability.columns({'level_candidates': 'mlip:a'}).items()}
    labelled = {name for name, level in levels.items() if level == 'mlip:a'}
    assert labelled == {'formation_energy', 'e_hull', 'e_hull_with_candidates'}


def test_correction_carries_its_level_where_there_is_one() -> None:
    """In mode mp2020 the level says that energies were corrected, and how."""
    columns = stability.columns({'mode': 'mp2020', 'level_candidates': 'mlip:a', 'strict_anions': 'no_check'})
    labels = {name: meta['level'] for name, meta in columns.items() if meta['level']}
    assert set(labels) == {'formation_energy', 'e_hull', 'e_hull_with_candidates', 'correction'}
    assert set(labels.values()) == {'mlip:a+MP2020(no_check)'}


def test_competitors_are_named_with_their_distance() -> None:
    """Phases near the hull are counted, the nearest five named; polymorphs of the crystal compete, itself does not."""
    polymorph = phase('BaTiO3', -1659.8 / KJ_PER_EV / 5 + 0.02, 'hexagonal')
    found = evaluate(polymorph, [*textbook(), polymorph], window=0.03)
    assert found['competitors'] == (
        'Ba2TiO4 (textbook) +0.000, BaTiO3 (textbook) +0.000, BaO (textbook) +0.000, BaO2 (textbook) +0.000, '
        'Ti2O3 (textbook) +0.000'
    )
    assert found['competing_phases'] == 9
    stable = evaluate(textbook()[8], [*textbook(), polymorph], window=0.03)
    assert stable['competing_phases'] == 9
    nearest = evaluate(phase('BaTi', 0.0), [phase('Ba', 0), phase('Ti', 0), phase('BaTi', 0.0123, 'x')])
    assert nearest['competitors'] == 'Ba (textbook) +0.000, Ti (textbook) +0.000, BaTi (textbook) +0.012'


def test_phases_without_energy_or_order_are_left_out() -> None:
    """What is disordered, could not be read, has no atoms or no energy is no competing phase."""
    poison = [
        phase('BaTiO3', -9.0, 'disordered', occupancies='[{"Ba":0.5,"Sr":0.5}]'),
        phase('BaTiO3', -9.0, 'broken', unusable_reason='the file ends in the middle'),
        phase('BaTiO3', None, 'unknown'),  # type: ignore[arg-type]
        crystal([], [], [0, 0, 0], 'empty', enthalpy=-9.0),
    ]
    titanate = phase('BaTiO3', -3.5, 'x')
    assert evaluate(titanate, textbook() + poison) == evaluate(titanate, textbook())
    disordered = evaluate(poison[0], textbook())
    assert (disordered['e_hull'], disordered['e_hull_reason']) == (None, 'the crystal is disordered, or was not read')


def test_hulls_with_candidates_know_only_what_lies_lower() -> None:
    """A candidate above the hull changes nothing; one below is part of the second hull of all crystals."""
    candidates = [phase('BaTiO3', -3.0, 'x'), phase('Ba2TiO4', -9.0, 'y'), phase('BaTi', 5.0, 'z')]
    found = stability.evaluate(candidates, {}, {'hull': textbook()})
    entries = [PDEntry(c.composition, c.columns['enthalpy'] * c.composition.num_atoms) for c in textbook() + candidates]
    diagram = PhaseDiagram([entry for entry in entries if 'C' not in entry.composition])
    expected = [diagram.get_e_above_hull(entry) for entry in entries[-3:]]
    assert found['e_hull_with_candidates'] == pytest.approx(expected, abs=1e-9)


@needs_data
def test_materials_project_formation_hull_agrees_with_pymatgen() -> None:
    """On real compounds of Li-Fe-P-O the hull of formation energies is that of PhaseDiagram."""
    csv.field_size_limit(10**7)
    system = {'Li', 'Fe', 'P', 'O'}
    hull = [phase(symbol, 0.0) for symbol in sorted(system)]
    with gzip.open(MP, 'rt', encoding='utf-8') as handle:
        for row in csv.DictReader(handle):
            line = next(line for line in row['cif'].splitlines() if '_chemical_formula_sum' in line)
            composition = Composition(line.split(None, 1)[1].strip("'"))
            if {element.symbol for element in composition} <= system:
                energy = float(row['formation_energy_per_atom'])
                hull.append(phase(composition.reduced_formula, energy, row['material_id']))
    compounds = [one for one in hull if one.id.startswith('mp-')]
    assert len(compounds) == 50
    for one in compounds[::6]:
        others = [other for other in hull if other.id != one.id]
        found = evaluate(one, hull)
        assert (found['formation_energy'], found['e_hull']) == pytest.approx(by_pymatgen(one, others), abs=1e-8)
