"""Tests of the evidence from the composition."""

import random
import time

import numpy as np
import pytest
from pymatgen.core import Composition

from aiida_crystalgen.science import composition
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import read
from tests.science.examples import DATA, crystal, needs_data


def of(formula: str, **parameters: object) -> dict[str, object]:
    """Return the columns of a formula."""
    numbers = [element.Z for element, n in Composition(formula).items() for _ in range(int(n))]
    one = crystal(numbers, np.zeros((len(numbers), 3)), [5, 5, 5])
    return {name: values[0] for name, values in composition.evaluate([one], parameters, {}).items()}


@pytest.mark.parametrize(
    ('formula', 'bonding', 'anion', 'balanced', 'states'),
    [
        ('Mg4O4', 'ionic', 'oxide', True, 'Mg+2 O-2'),
        ('Fe3O4', 'ionic', 'oxide', True, 'Fe+2.67 O-2'),
        ('LiFePO4', 'ionic', 'oxide', True, 'P+5 Fe+2 Li+1 O-2'),
        ('KMgF3', 'ionic', 'fluoride', True, 'Mg+2 K+1 F-1'),
        ('NaO3', 'ionic', 'oxide', False, None),
        ('CaH2', 'ionic', 'hydride', True, 'Ca+2 H-1'),
        ('GaAs', 'ionic', 'arsenide', True, 'Ga+3 As-3'),
        ('TiC', 'other', 'carbide', None, 'Ti+4 C-4'),
        ('CO2', 'other', 'oxide', None, 'C+4 O-2'),
        ('FeAl', 'intermetallic', 'none', None, None),
        ('Mg', 'intermetallic', 'none', None, None),
        ('Si', 'other', 'none', None, None),
    ],
)
def test_classes_and_charges_of_textbook_compounds(
    formula: str, bonding: str, anion: str, balanced: bool | None, states: str | None
) -> None:
    """Bonding class, anion class and charge balance are as in the textbook; not applicable is unknown, not failed."""
    found = of(formula)
    assert (found['bonding_class'], found['anion_class']) == (bonding, anion)
    assert (found['charge_balanced'], found['oxidation_states']) == (balanced, states)


def test_alloy_rule_is_the_only_difference_of_the_two_verdicts() -> None:
    """An intermetallic is valid by the alloy rule alone, an oxide by both verdicts."""
    assert (of('FeAl')['smact_valid'], of('FeAl')['smact_valid_no_alloys']) == (True, False)
    assert (of('MgO')['smact_valid'], of('MgO')['smact_valid_no_alloys']) == (True, True)
    assert (of('MgO2F')['smact_valid'], of('MgO2F')['smact_valid_no_alloys']) == (False, False)


def test_names_are_those_of_the_reduced_composition() -> None:
    """Formula, chemical system and number of elements come from the reduced composition."""
    found = of('Mg8Si4')
    assert (found['formula'], found['chemical_system'], found['n_elements']) == ('Mg2Si', 'Mg-Si', 2)


@pytest.mark.parametrize('formula', ['Og', 'Xe', 'XeF2', 'LrO', 'PuO2', 'HeNe'])
def test_odd_elements_neither_raise_nor_warn(formula: str) -> None:
    """Elements without data in one of the tools are described as far as it goes."""
    assert of(formula)['formula'] == Composition(formula).reduced_formula


def test_many_elements_are_bounded_in_time() -> None:
    """Where the oxidation states have too many combinations, SMACT's verdict is unknown, and everything is quick."""
    start = time.process_time()
    found = of('Re3Os5Ru7Mn11W13N3P5Cl2')
    assert time.process_time() - start < 5
    assert found['smact_valid'] is None
    assert found['n_elements'] == 8


def test_rows_without_atoms_or_with_unknown_elements_are_unknown() -> None:
    """Nothing is known of a crystal that has no composition."""
    for numbers in ([], [0], [200]):
        one = crystal(numbers, np.zeros((len(numbers), 3)), [5, 5, 5])
        assert {values[0] for values in composition.evaluate([one], {}, {}).values()} == {None}


@needs_data
def test_oxidation_states_are_the_best_guess_of_pymatgen() -> None:
    """The bounded search finds the same states as pymatgen's search over all combinations."""
    compared = 0
    for one in read(DATA / 'mp_reference.csv.gz', 60, seed=1):
        states = composition.evaluate([one], {}, {})['oxidation_states'][0]
        bonding = composition.evaluate([one], {}, {})['bonding_class'][0]
        if bonding == 'intermetallic' or len(one.composition_key) == 1 or one.composition.num_atoms > 25:
            continue
        best = next(iter(one.composition.oxi_state_guesses(max_sites=-25)), {})
        expected = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        assert states == (' '.join(f'{symbol}{state:+.3g}' for symbol, state in expected) or None)
        compared += 1
    assert compared > 20


@needs_data
def test_evidence_drops_when_the_elements_are_exchanged_at_random() -> None:
    """The control: with elements replaced by others drawn at random, crystals look less like those that were made."""
    draw = random.Random(0)
    made = read(DATA / 'mp_made_or_virtual.csv.gz', 300)
    elements = sorted({int(number) for one in made for number in one.numbers})

    def relabelled(one: Crystal) -> Crystal:
        old = sorted(set(one.numbers.tolist()))
        exchange = dict(zip(old, draw.sample(elements, len(old)), strict=True))
        return Crystal(one.id, np.array([exchange[n] for n in one.numbers.tolist()]), one.positions, one.cell, one.pbc)

    def share(crystals: list[Crystal], column: str) -> float:
        known = [value for value in composition.evaluate(crystals, {}, {})[column] if value is not None]
        return sum(known) / len(known)

    control = [relabelled(one) for one in made]
    for column, gap in (('smact_valid', 0.05), ('smact_valid_no_alloys', 0.2), ('charge_balanced', 0.2)):
        assert share(made, column) > share(control, column) + gap
