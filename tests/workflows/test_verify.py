"""VerifyWorkChain with a potential as engine: the whole way from a crystal to energy, crystal and level of theory."""

import re

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_crystalgen.workflows.verify import VerifyWorkChain


def copper(edge=3.5, symbols='Cu', shift=None):
    """Return face-centred cubic copper in its primitive cell, or two atoms when a shift [A] is given."""
    half = edge / 2
    structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
    structure.append_atom(position=(0, 0, 0), symbols=symbols)
    if shift is not None:
        structure.append_atom(position=(shift, 0, 0), symbols=symbols)
    return structure


@pytest.fixture
def verify(python_code):
    """Return a function that verifies a crystal with EMT."""

    def run(structure, **choices):
        settings = {'potential': 'emt', **choices.pop('settings', {})}
        builder = VerifyWorkChain.get_builder_from_protocol(
            structure, 'potential', {'python': python_code}, settings=settings, **choices
        )
        return run_get_node(builder)

    return run


def test_relaxed_then_computed_at_one_setting(verify):
    """The crystal is relaxed, its energy computed at the relaxed geometry, and the level has a fingerprint."""
    results, node = verify(copper(3.5))
    assert node.is_finished_ok, node.exit_message
    edge = results['structure'].get_cell_volume() * 4
    assert edge ** (1 / 3) == pytest.approx(3.594, abs=0.01)  # EMT copper
    content = results['results'].get_dict()
    assert content['n_atoms'] == 1
    assert content['energy_per_atom'] == pytest.approx(-0.007, abs=0.01)
    assert content['max_force'] < 0.01
    assert re.fullmatch('[0-9a-f]{16}', results['level_of_theory']['fingerprint'])
    assert content['fingerprint'] == results['level_of_theory']['fingerprint']
    assert [child.process_label for child in node.called][-1] == 'read_batch'
