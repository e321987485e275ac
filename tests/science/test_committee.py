"""Tests of what several potentials say of a crystal."""

import pytest

from aiida_crystalgen.science.committee import summarise


@pytest.mark.parametrize(
    ('distances', 'spread', 'agreement', 'size'),
    [
        ([0.0, 0.05, 0.2], 0.2, pytest.approx(2 / 3), 3),
        ([0.2, 0.05, 0.0], 0.2, pytest.approx(1 / 3), 3),
        ([0.2, 0.3], pytest.approx(0.1), 1.0, 2),
        ([0.1, None, 0.1 + 1e-12], pytest.approx(0.0, abs=1e-9), 1.0, 2),
        ([None, 0.0, 0.3], 0.3, None, 2),
        ([0.0, None], None, None, 1),
        ([], None, None, 0),
    ],
)
def test_spread_and_agreement(distances, spread, agreement, size):
    """Agreement is with the potential of the campaign, which counts itself; one voice alone is no committee."""
    found = summarise(distances, 0.1)
    assert found == {'e_hull_spread': spread, 'stable_agreement': agreement, 'committee_size': size}
