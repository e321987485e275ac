"""A short list, and the phases that it competes with, computed by the potential as engine."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.invariant import check_stage
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.references.find import find_known_hull
from aiida_crystalgen.workflows.engines.planning import verify_inputs
from aiida_crystalgen.workflows.verify_batch import VerifyBatchWorkChain

TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
FLAG = {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'help': '', 'level': ''}
NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
CU, AU, HG = 29, 79, 80
FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
CUBE = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def row(place, numbers, edge, fractions, cell=None, draw='a', **columns):
    """Return a crystal with the lattice constant [A] and the fractional positions given."""
    cell = edge * (np.eye(3) if cell is None else cell)
    positions = np.asarray(fractions) @ cell
    return {'id': f'{draw * 16}-{place}', 'numbers': numbers, 'positions': positions, 'cell': cell, 'pbc': [True] * 3,
            'columns': columns}  # fmt: skip


def table():
    """Return a ranked table: a good crystal, one whose atoms overlap, and one that is not on the short list."""
    rows = [
        row(3, [AU, CU, CU, CU], 3.75, CUBE, shortlisted=True, e_hull=0.0),
        row(2, [CU, AU], 2.9, [[0, 0, 0], [0.1, 0, 0]], shortlisted=True, e_hull=0.05),
        row(0, [CU], 3.6, [[0, 0, 0]], FCC, shortlisted=False, e_hull=0.06),
    ]
    return StructureBatch(Crystals.from_rows(rows, {'shortlisted': FLAG, 'e_hull': NUMBER}))


def phases():
    """Return fcc copper and gold, and a phase in another system."""
    rows = [
        row(0, [CU], 3.61, [[0, 0, 0]], FCC, 'b', source='copper'),
        row(1, [AU], 4.08, [[0, 0, 0]], FCC, 'b', source='gold'),
        row(2, [47], 4.09, [[0, 0, 0]], FCC, 'b', source='silver'),
    ]
    return ReferenceSet(Crystals.from_rows(rows, {'source': TEXT}), name='textbook', licence='CC0-1.0', partial=False)


@pytest.fixture
def verify_batch(python_code):
    """Return a function that computes the table with EMT."""

    def run(max_concurrent=2, potential='emt', **inputs):
        settings = {'potential': potential, 'parameters': inputs.pop('parameters', {})}
        shared = verify_inputs('potential', {'python': python_code}, settings=settings, tasks=('static',))
        builder = VerifyBatchWorkChain.get_builder()
        for name, value in {'batch': table(), 'verify': shared, **inputs}.items():
            builder[name] = value
        builder.max_concurrent = orm.Int(max_concurrent)
        builder.seed = orm.Int(1)
        return run_get_node(builder)

    return run


def column(batch, name):
    """Return a column by the last part of the id."""
    return {crystal.rpartition('-')[2]: value
            for crystal, value in zip(batch.ids, batch.crystals.values(name), strict=True)}  # fmt: skip


def verified(node):
    """Return the processes that computed a crystal."""
    return [child for child in node.called if child.process_label == 'VerifyWorkChain']


def most_at_once(node):
    """Return how many children lived at the same time."""
    lives = [(child.ctime, child.mtime) for child in verified(node)]
    return max(sum(start <= moment < end for start, end in lives) for moment, _ in lives)


def test_results_come_back_as_columns_of_the_same_rows(verify_batch):
    """Rows that were not sent are unknown, one that the engine refuses has its reason, the others have a hull.

    A second run finds the phases of the first at the same level, whatever the window is, and its table is the same.
    """
    reference = phases()
    outputs, node = verify_batch(phases=reference)
    assert node.is_finished_ok, node.exit_message
    batch = outputs['batch']
    assert check_stage(table().crystals, batch.crystals, batch.crystals.select([])) is None
    assert column(batch, 'dft_status') == {'3': 'finished', '2': 'failed', '0': None}
    assert 'min_ratio' in column(batch, 'dft_reason')['2']
    assert column(batch, 'dft_e_hull_reason') == {'3': None, '2': 'the calculation is failed', '0': None}
    above = column(batch, 'dft_e_hull')
    assert above == {**column(batch, 'dft_formation_energy'), '2': None, '0': None}
    assert above['3'] < 0
    assert column(batch, 'dft_volume_per_atom')['3'] == pytest.approx(3.75**3 / 4)
    label = f'potential:potential emt:{outputs["level_of_theory"]["fingerprint"]}'
    meta = batch.crystals.meta()
    assert {meta[name]['level'] for name in ('dft_energy_per_atom', 'dft_e_hull')} == {label}
    assert (outputs['hull'].level, outputs['hull'].crystals.values('source')) == (label, ['copper', 'gold'])
    calibration = outputs['calibration'].get_dict()
    assert [calibration[name] for name in ('tried', 'finished', 'compared', 'level_potential', 'level_dft')] == [
        2, 1, 1, 'toy', label,
    ]  # fmt: skip
    assert len(verified(node)) == 4
    assert most_at_once(node) <= 2

    known = find_known_hull(outputs['level_of_theory']['fingerprint'], reference)
    assert known.uuid == outputs['hull'].uuid
    again, node = verify_batch(1, phases=reference, known_hull=known)
    assert len(verified(node)) == 2
    assert most_at_once(node) == 1
    assert again['batch'].base.caching.get_hash() == batch.base.caching.get_hash()

    with pytest.raises(ValueError, match='do not meet in one hull') as error:
        verify_batch(phases=reference, known_hull=known, parameters={'fmax': 0.2})
    assert label in str(error.value)


def test_an_engine_that_does_nothing_is_a_warning_with_all_rows(verify_batch):
    """The batch comes back whole, with a reason in each row, and the exit code says that there is nothing."""
    mercury = StructureBatch(Crystals.from_rows([row(0, [HG], 3.0, [[0, 0, 0]], FCC)], {}))
    outputs, node = verify_batch(batch=mercury)
    assert (node.exit_status, outputs['batch'].ids) == (520, mercury.ids)
    assert 'Hg' in column(outputs['batch'], 'dft_reason')['0']
    assert column(outputs['batch'], 'dft_e_hull')['0'] is None
    assert outputs['calibration']['finished'] == 0
