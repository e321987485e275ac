"""Distances to the hull at a temperature."""

import numpy as np
import pytest

from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.thermal import distances, phases_that_matter

FREE = 'phonon_free_energy_300K'


def crystal(name, numbers, enthalpy, free=None):
    """Return a crystal with an enthalpy and a vibrational free energy [eV/atom]."""
    columns = {'enthalpy': enthalpy, FREE: free}
    return Crystal(name, np.array(numbers), np.zeros((len(numbers), 3)), np.eye(3) * 4, np.ones(3, bool), columns)


MAGNESIUM, SILICON = crystal('Mg', [12], 0.0, -0.05), crystal('Si', [14], 0.0, -0.02)
SILICIDE = crystal('Mg2Si', [12, 12, 14], -0.15, -0.03)


def test_vibrations_move_the_distance():
    """By hand: a candidate MgSi 0.05 above the tie line of Mg2Si and Si at 0 K, softer than both."""
    on_line = -0.15 * 0.75
    candidate = crystal('MgSi', [12, 14], on_line + 0.05, -0.06)
    ((distance, reason),) = distances([candidate], [MAGNESIUM, SILICON, SILICIDE], FREE)
    assert reason == ''
    warm_line = 0.75 * (-0.15 - 0.03) + 0.25 * -0.02
    assert distance == pytest.approx(on_line + 0.05 - 0.06 - warm_line)


def test_a_hull_that_is_not_known_gives_no_number():
    """A phase on the hull without free energy, a missing element, or a candidate that is not stable."""
    soft = crystal('Mg2Si', [12, 12, 14], -0.15)
    candidate = crystal('MgSi', [12, 14], -0.05, -0.06)
    assert distances([candidate], [MAGNESIUM, SILICON, soft], FREE)[0][0] is None
    assert 'Mg2Si competes' in distances([candidate], [MAGNESIUM, SILICON, soft], FREE)[0][1]
    assert 'no competing phase' in distances([candidate], [MAGNESIUM], FREE)[0][1]
    assert 'it is unstable' in distances([crystal('x', [12], 0.1)], [MAGNESIUM], FREE)[0][1]


def test_phases_far_above_the_hull_do_not_matter():
    """They need no phonons, and their lack of stability spoils nothing; other systems play no part either."""
    high, other = crystal('bcc', [14], 0.4), crystal('O2', [8, 8], 0.0)
    phases = [MAGNESIUM, SILICON, SILICIDE, high, other]
    candidate = crystal('MgSi', [12, 14], -0.05, -0.06)
    assert phases_that_matter([candidate], phases) == ['Mg', 'Si', 'Mg2Si']
    assert distances([candidate], phases, FREE)[0][0] is not None
