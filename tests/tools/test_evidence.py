"""Tests of the evidence card: nothing is silently absent, and no rule fails a crystal outside of its class."""

from __future__ import annotations

import json
import typing as t

import pytest

from aiida_crystalgen.science import bonds, complexity, composition, perovskite, supply
from aiida_crystalgen.tools.evidence import (
    Line,
    as_records,
    card_of,
    default_populations,
    evidence_card,
    percentile,
)
from aiida_crystalgen.tools.evidence_lines import LINES
from tests.science import textbook

CRITERIA = (composition, bonds, perovskite, complexity, supply)


def card(name: str) -> dict[str, Line]:
    """Return the card of a crystal of the textbook by the names of its lines."""
    crystal = getattr(textbook, name)
    found = [module.evaluate([crystal], {}, {}) for module in CRITERIA]
    row = {column: values[0] for columns in found for column, values in columns.items()}
    return {line.name: line for line in evidence_card(row)}


@pytest.mark.parametrize(
    ('name', 'kind', 'expected'),
    [
        # By hand from the radii of Shannon: Ba 1.61, Sr 1.44, Ca 1.34, Ti 0.605, O 1.40 A.
        ('BATIO3', 'ionic', {'goldschmidt_factor': 1.062, 'bartel_factor': 3.752, 'octahedral_factor': 0.432}),
        ('SRTIO3', 'ionic', {'goldschmidt_factor': 1.002, 'bartel_factor': 3.804, 'coordination': 'Sr12 Ti6'}),
        ('CATIO3', 'ionic', {'goldschmidt_factor': 0.966, 'perovskite_net': True}),
        # Normal spinel: Mg in tetrahedra, Al in octahedra.
        ('SPINEL', 'ionic', {'valences': 'Al+3 Mg+2 O-2', 'coordination': 'Al6 Mg4', 'pauling2_deviation': 0.0}),
        ('LICOO2', 'ionic', {'valences': 'Co+3 Li+1 O-2', 'coordination': 'Co6 Li6', 'charge_balanced': True}),
        # (3 * 10 + 3) / 4.
        ('NI3AL', 'intermetallic', {'valence_electrons': 8.25, 'information_per_cell': 3.245}),
        ('GAAS', 'ionic', {'coordination': 'Ga4', 'toxic_elements': 'As'}),
        ('NACL', 'ionic', {'coordination': 'Na6', 'pauling2_deviation': 0.0, 'toxic_elements': 'none'}),
        # Seven oxygens need copper of mean valence 7/3.
        ('YBCO', 'ionic', {'oxidation_states': 'Y+3 Cu+2.33 Ba+2 O-2', 'charge_balanced': True}),
    ],
)
def test_cards_say_what_the_literature_says(name: str, kind: str, expected: dict[str, t.Any]) -> None:
    """Tolerance factors, valences, coordination and electron counts of nine crystals that everybody knows."""
    lines = card(name)
    assert lines['bonding_class'].value == kind
    found = {column: lines[column].value for column in expected}
    numbers = {column: value for column, value in expected.items() if isinstance(value, float)}
    for column, value in numbers.items():
        assert found.pop(column) == pytest.approx(value, abs=1e-3)
    assert found == {column: value for column, value in expected.items() if column not in numbers}


def test_a_rule_outside_of_its_class_abstains() -> None:
    """An intermetallic has no charge balance, not a failed one, and a salt no electron count."""
    lines = card('NI3AL')
    for name in ('charge_balanced', 'smact_valid_no_alloys', 'instability_index', 'coordination'):
        assert (lines[name].applicable, lines[name].value) == ('no', None)
        assert 'intermetallic' in lines[name].note
    salt = card('NACL')
    assert salt['valence_electrons'].applicable == 'no'
    assert salt['goldschmidt_factor'].applicable == 'no'
    assert salt['perovskite_net'].note == 'the composition is no ABX3'


def test_nothing_is_silently_absent() -> None:
    """Every card has every line; what nobody computed is not assessed, with a sentence on why."""
    lines = evidence_card({'bonding_class': 'ionic'})
    assert [line.name for line in lines] == [rule.name for rule in LINES]
    for line in lines[1:]:
        assert line.applicable in {'not assessed', 'no'}
        assert line.value is None
        assert line.percentile is None
        assert line.note
    never = {line.name: line for line in lines}
    assert never['solubility'].applicable == never['crystal_growth'].applicable == 'not assessed'


def test_a_reason_of_the_table_is_told() -> None:
    """Why the distance to the hull is unknown is on the card."""
    row = {'e_hull': None, 'e_hull_reason': 'no reference for element Tc', 'bonding_class': 'ionic'}
    line = next(line for line in evidence_card(row) if line.name == 'e_hull')
    assert (line.applicable, line.note) == ('not assessed', 'no reference for element Tc')


def test_lines_have_a_source_unless_nothing_assesses_them() -> None:
    """A value without a source is worth nothing."""
    assert [rule.name for rule in LINES if not rule.source] == ['solubility', 'crystal_growth']


def test_percentiles_are_of_the_own_class() -> None:
    """The population is named, and the middle of it is at 50 percent."""
    table = default_populations()
    middle = table['classes']['ionic']['quantiles']['instability_index']['values'][20]
    rows = [{'bonding_class': kind, 'instability_index': middle} for kind in ('ionic', 'intermetallic')]
    ionic, metal = (next(x for x in evidence_card(row) if x.name == 'instability_index') for row in rows)
    assert ionic.percentile == pytest.approx(50.0, abs=2.0)
    assert 'Materials Project' in ionic.population
    assert 'ionic' in ionic.population
    assert metal.percentile is None
    assert table['licence'] == 'CC-BY-4.0'


def test_percentile_of_ties_is_their_middle() -> None:
    """Half of the equal values count as smaller; beyond the ends it is 0 and 100."""
    quantiles = [1.0, 2.0, 2.0, 2.0, 3.0]
    assert [percentile(x, quantiles) for x in (0.0, 1.0, 1.5, 2.0, 3.0, 9.0)] == [0.0, 0.0, 12.5, 50.0, 100.0, 100.0]


def test_a_card_is_json_and_of_a_table() -> None:
    """A card made from the crystals of a batch carries its units and levels of theory, and is plain JSON."""
    from aiida_crystalgen.data.crystals import make_column
    from tests.data.examples import crystals_of

    table = crystals_of()
    meta = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': 'toy', 'help': ''}
    table = table.with_columns({'e_hull': make_column([0.01] * len(table.ids), meta)})
    lines = json.loads(json.dumps(as_records(card_of(table, table.ids[0]))))
    line = next(line for line in lines if line['name'] == 'e_hull')
    assert (line['value'], line['unit'], line['level'], line['applicable']) == (0.01, 'eV/atom', 'toy', 'yes')
    with pytest.raises(ValueError, match='no crystal'):
        card_of(table, 'nowhere')
