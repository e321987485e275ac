"""Displacement of a host: against arrangements whose displacements are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_crystalgen.science import framework
from aiida_crystalgen.science.crystal import Crystal

CELL = np.array([[6.0, 0, 0], [1.5, 5.5, 0], [-0.7, 1.1, 7.0]])
BEFORE = np.array([[0.05, 0.1, 0.2], [0.5, 0.5, 0.95], [0.7, 0.2, 0.4], [0.3, 0.8, 0.6], [0.9, 0.9, 0.1]])
# The last site was put in; it moves with the others and counts for nothing.
SITES = [0, 1, 2, 3, -1]


def crystal(positions, cell=CELL, **columns) -> Crystal:
    """Return a crystal of four host sites and an inserted one."""
    known = {'host_site': SITES, 'host_position': BEFORE.tolist(), 'host_volume': abs(np.linalg.det(CELL)), **columns}
    row = {'id': 'a-0', 'numbers': [14, 14, 14, 14, 3], 'positions': positions, 'cell': cell, 'pbc': [True] * 3}
    return Crystal.from_row({**row, 'columns': known})


def evaluated(*crystals) -> dict[str, list]:
    """Return the columns of the criterion."""
    return framework.evaluate(crystals, {}, {})


def test_nothing_moved():
    """As it was put together a crystal has a displacement and a change of volume of zero."""
    found = evaluated(crystal(BEFORE @ CELL))
    assert all(values == [pytest.approx(0.0, abs=1e-12)] for values in found.values())


def test_two_sites_move_apart():
    """Two of four sites that move by 0.3 A each way give 0.3 at most and 0.15 on average; what was put in is free."""
    moves = np.zeros((5, 3))
    moves[0, 0], moves[1, 0], moves[4] = 0.3, -0.3, [1.0, 2.0, 3.0]
    found = evaluated(crystal(BEFORE @ CELL + moves))
    assert found['framework_max_displacement'] == [pytest.approx(0.3)]
    assert found['framework_mean_displacement'] == [pytest.approx(0.15)]


def test_mean_translation_is_taken_out():
    """One site of four that moves by 0.4 A moved 0.3 A with respect to the host, the other three 0.1 A."""
    moves = np.zeros((5, 3))
    moves[0, 2] = 0.4
    found = evaluated(crystal(BEFORE @ CELL + moves))
    assert found['framework_max_displacement'] == [pytest.approx(0.3)]
    assert found['framework_mean_displacement'] == [pytest.approx(0.15)]


@settings(deadline=None, max_examples=50)
@given(
    shift=st.tuples(*[st.floats(-20, 20)] * 3),
    images=st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=5, max_size=5),
    moves=st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=5, max_size=5),
)
def test_translation_and_choice_of_images_do_not_matter(shift, images, moves):
    """A host as a whole may drift any distance, and each atom may be written in any cell."""
    plain = evaluated(crystal(BEFORE @ CELL + np.array(moves)))
    drifted = evaluated(crystal((BEFORE + np.array(images)) @ CELL + np.array(moves) + np.array(shift)))
    for name, values in plain.items():
        assert drifted[name] == [pytest.approx(values[0], abs=1e-9)]


def test_skewed_cell_gives_the_same_displacement():
    """The nearest image is found in a cell whose vectors are far from orthogonal."""
    turn = np.array([[1, 0, 0], [4, 1, 0], [-3, 5, 1]])
    moves = np.zeros((5, 3))
    moves[0, 1] = 0.8
    skewed = {'cell': turn @ CELL, 'host_position': (BEFORE @ np.linalg.inv(turn)).tolist()}
    plain = evaluated(crystal(BEFORE @ CELL + moves))
    assert evaluated(crystal(BEFORE @ CELL + moves, **skewed))['framework_max_displacement'] == [
        pytest.approx(plain['framework_max_displacement'][0])
    ]
    assert plain['framework_max_displacement'] == [pytest.approx(0.6)]


def test_strain_is_a_change_of_volume_and_no_displacement():
    """A cell that grows by 2 % along each vector takes its atoms along: 6.1 % more volume."""
    found = evaluated(crystal(BEFORE @ (1.02 * CELL), cell=1.02 * CELL))
    assert found['framework_max_displacement'] == [pytest.approx(0.0, abs=1e-9)]
    assert found['framework_volume_change'] == [pytest.approx(1.02**3 - 1)]


@pytest.mark.parametrize(
    'columns',
    [{'host_site': None}, {'host_position': None}, {'host_site': [-1] * 5}, {'host_site': [0, 1]}],
    ids=['no host', 'no positions', 'all put in', 'another number of sites'],
)
def test_without_a_host_nothing_is_known(columns):
    """A crystal that was not made of a host has none of the three numbers."""
    found = evaluated(crystal(BEFORE @ CELL, **columns))
    assert set(found) == set(framework.ABOUT['columns'])
    assert all(values == [None] for values in found.values())


def test_without_a_volume_the_displacement_is_known():
    """The change of volume alone is unknown where the volume of the host is."""
    found = evaluated(crystal(BEFORE @ CELL, host_volume=None))
    assert found['framework_volume_change'] == [None]
    assert found['framework_max_displacement'] == [pytest.approx(0.0, abs=1e-12)]


def test_faulty_crystals_are_unknown():
    """A row without atoms and one with a NaN are no reason to fail."""
    empty = Crystal.from_row({'id': 'a-1', 'numbers': [], 'positions': [], 'cell': np.zeros((3, 3)), 'pbc': [True] * 3})
    broken = crystal(np.full((5, 3), np.nan))
    assert all(values == [None, None] for values in evaluated(empty, broken).values())


def test_unknown_parameter_is_refused():
    """The criterion has no parameters."""
    with pytest.raises(ValueError, match='has no parameter `tolerance`'):
        framework.evaluate([], {'tolerance': 1}, {})
