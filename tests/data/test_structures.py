"""AiiDA's own structures."""

import numpy as np
import pytest
from aiida import orm
from hypothesis import HealthCheck, given, settings

from aiida_crystalgen.data.convert import CrystalLossWarning
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.structures import from_structure_data, to_structure_data

from .strategies import batches

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crystals=batches(min_sites=1, columns=False))
def test_round_trip(crystals):
    """A StructureData keeps the geometry to 1e-10, and the id as its label."""
    nodes = [node.store() for node in to_structure_data(crystals)]
    again = from_structure_data(nodes, ids=[node.label for node in nodes])
    assert again.ids == crystals.ids
    for name in ('offsets', 'numbers', 'pbc', 'positions', 'cells'):
        assert np.allclose(getattr(again, name), getattr(crystals, name), rtol=0, atol=1e-10)


def test_columns_and_zero_atom_rows_are_lost_with_a_warning():
    """Rows without atoms make no node."""
    with pytest.warns(CrystalLossWarning, match='crystal `x-0`'):
        assert to_structure_data(Crystals.empty(['x-0'])) == []


def test_names_of_kinds_are_lost_with_a_warning():
    """Only the element of a site is kept."""
    node = orm.StructureData(cell=np.eye(3).tolist())
    node.append_atom(position=(0, 0, 0), symbols='Fe', name='Fe1')
    with pytest.warns(CrystalLossWarning, match='names of the kinds'):
        assert from_structure_data([node]).numbers.tolist() == [26]


def test_alloys_are_refused():
    """A site of two elements is no crystal of ours."""
    node = orm.StructureData(cell=np.eye(3).tolist())
    node.append_atom(position=(0, 0, 0), symbols=['Fe', 'Ni'], weights=[0.5, 0.5], name='alloy')
    with pytest.raises(ValueError, match='kind `alloy` of node None is not one atom of one element'):
        from_structure_data([node])
