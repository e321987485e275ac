"""Tests of the gates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.gates import judge, problem

TABLE = {'by': 'chemical_system', 'default': 0.1, 'values': {'Mg-O': 0.02}}


@pytest.mark.parametrize(
    ('gate', 'value', 'reason'),
    [
        ({'max': 0.1}, 0.1, None),
        ({'max': 0.1}, 0.1 + 5e-9, None),
        ({'max': 0.1}, 0.11, 'x_above_limit'),
        ({'min': 1}, 1.0, None),
        ({'min': 1}, 0.5, 'x_below_limit'),
        ({'min': 1, 'max': 2}, 3, 'x_above_limit'),
        ({'equals': True}, True, None),
        ({'equals': True}, False, 'x_false'),
        ({'equals': False}, True, 'x_true'),
        ({'equals': 225}, 1, 'x_not_equal'),
        ({'in': ['oxide', 'nitride']}, 'oxide', None),
        ({'in': ['oxide', 'nitride']}, 'sulfide', 'x_not_in_list'),
        ({'max': 0.1}, None, None),
        ({'max': 0.1, 'unknown': 'reject'}, None, 'x_unknown'),
    ],
)
def test_each_kind_of_gate(gate: dict[str, object], value: object, reason: str | None) -> None:
    """A gate passes or gives the reason that names its column."""
    verdict = judge(gate, {'x': value}, 'x')
    assert (verdict and verdict['reason']) == reason


def test_limit_of_a_class_comes_before_the_default() -> None:
    """A table holds a limit for a chemical system and a default for all others."""
    gate = {'max': TABLE}
    verdict = judge(gate, {'e_hull': 0.05, 'chemical_system': 'Mg-O'}, 'e_hull')
    assert verdict == {
        'reason': 'e_hull_above_limit',
        'detail': '`e_hull` is 0.05, above the limit of 0.02 for Mg-O',
        'value': 0.05,
        'threshold': 0.02,
    }
    assert judge(gate, {'e_hull': 0.05, 'chemical_system': 'Ca-O'}, 'e_hull') is None


def test_validity_gives_its_own_reason() -> None:
    """A gate on `valid_relaxed` is rejected for what the validity criterion found."""
    row = {
        'valid_relaxed': False,
        'invalid_reason_relaxed': 'atoms_too_close',
        'invalid_value_relaxed': 0.31,
        'invalid_threshold_relaxed': 0.5,
    }
    assert judge({'equals': True}, row, 'valid_relaxed') == {
        'reason': 'atoms_too_close',
        'detail': 'the crystal is not valid, atoms too close: 0.31, the limit is 0.5',
        'value': 0.31,
        'threshold': 0.5,
    }


@pytest.mark.parametrize(
    ('gate', 'sentence'),
    [
        ({'max': 'low'}, 'a limit is a number'),
        ({'maximum': 0.1}, 'a gate has no key `maximum`; it has: equals, max, min, in, unknown'),
        ({'unknown': 'reject'}, 'a gate needs one of'),
        ({'max': 1, 'unknown': 'drop'}, '`unknown` is `keep` or `reject`'),
        ({'in': 'oxide'}, '`in` is a list'),
        ({'max': {'by': 'colour', 'default': 1}}, 'a table has `by`'),
        ({'max': {'by': 'anion_class', 'values': {}}}, 'are numbers'),
        (0.1, 'a gate is a mapping'),
    ],
)
def test_what_is_wrong_with_a_gate_is_a_sentence(gate: object, sentence: str) -> None:
    """A gate that is not well formed is refused with what would be right."""
    assert sentence in str(problem(gate))
    with pytest.raises(ValueError, match='gate on `x`'):
        judge(gate, {'x': 1}, 'x')  # type: ignore[arg-type]


@given(value=st.floats(allow_nan=False), limit=st.floats(-1e6, 1e6))
def test_a_maximum_rejects_exactly_what_exceeds_it(value: float, limit: float) -> None:
    """Beyond rounding, rejected means greater."""
    assert (judge({'max': limit}, {'x': value}, 'x') is not None) == (value > limit + 1e-8)


def test_a_duplicate_names_the_crystal_that_is_kept():
    """A crystal that is not the representative of its group says of which one it is a copy."""
    verdict = judge({'equals': True}, {'unique': False, 'duplicate_of': 'a-3'}, 'unique')
    assert verdict['reason'] == 'duplicate'
    assert 'a-3' in verdict['detail']
