"""The screen of crystals that nothing relaxes."""

import numpy as np
import pytest


@pytest.fixture
def pair(python_code):
    """Return a batch of rocksalt MgO and a copy of it in another cell."""
    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.crystals import Crystals

    cell = 2.1 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    rows = [
        {'id': f'a-{index}', 'numbers': [12, 8], 'positions': [[0, 0, 0], 0.5 * cell.sum(axis=0)], 'cell': shape @ cell}
        for index, shape in enumerate((np.eye(3), np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])))
    ]
    return StructureBatch(Crystals.from_rows([{**row, 'pbc': [True] * 3, 'columns': {}} for row in rows], {}))


def test_screen_without_a_potential_relaxes_nothing(python_code, pair):
    """Crystals are judged as they are: the copy goes, the geometry stays, and no relaxation is in the graph."""
    from aiida import engine

    from aiida_crystalgen.workflows.screen import ScreenWorkChain

    builder = ScreenWorkChain.get_builder_from_protocol(python_code, pair, None, protocol='fast')
    node = engine.run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.batch.ids == ['a-0']
    assert np.array_equal(node.outputs.batch.crystals.cells[0], pair.crystals.cells[0])
    assert not any('Relax' in process.process_label for process in node.called_descendants)
