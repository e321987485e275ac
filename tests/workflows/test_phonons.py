"""Phonons through real jobs: verdicts beside the rows, force constants, restarts, and rows that cannot be done."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_crystalgen.bundles import deterministic_zip
from aiida_crystalgen.calculations.phonons import choose_shortlisted, gather_phonons, widen
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.convert import from_ase
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.rejections import rejected_rows
from aiida_crystalgen.workflows.phonons import PhononWorkChain

DRAW = '0123456789abcdef'


@pytest.fixture
def builder_of(python_code):
    """Return a factory of builders that compute the phonons of ASE crystals with EMT."""

    def factory(crystals, **parameters):
        ids = [f'{DRAW}-{index}' for index in range(len(crystals))]
        batch = StructureBatch(from_ase(crystals, ids))
        changes = {'phonons': {'parameters': {'min_length': 5.0, 'mesh_length': 20.0, **parameters}}}
        changes['resources'] = {'processes': 1}
        return PhononWorkChain.get_builder_from_protocol(python_code, batch, 'emt', overrides=changes)

    return factory


def phonon_from(folder, crystal_id):
    """Return the Phonopy of a crystal from the force constants that were kept."""
    from aiida_crystalgen.science.phonons import phonon_from_record

    content = folder.base.repository.get_object_content(f'{crystal_id}.npz', mode='rb')
    with np.load(io.BytesIO(content), allow_pickle=False) as record:
        return phonon_from_record(record)


def test_verdicts_stand_beside_the_rows(builder_of):
    """Close-packed copper is stable, simple cubic copper is not; what cannot be done is inconclusive and stays."""
    crystals = [bulk('Cu', a=3.6), bulk('Cu', 'sc', a=2.4), bulk('W', a=3.16)]
    results, node = run_get_node(builder_of(crystals, temperatures=[300.0, 600.0]))
    assert node.is_finished_ok
    found = results['batch'].crystals
    assert found.ids == [f'{DRAW}-{index}' for index in range(3)]
    assert found.values('phonon_verdict') == ['stable', 'unstable', 'inconclusive']
    assert 'does not know W' in found.values('phonon_reason')[2]
    assert found.values('phonon_lowest_frequency')[1] < -0.5
    assert found.values('phonon_n_imaginary')[2] is None
    # Copper at 300 K: 24.4 J/(mol K) at constant pressure, CODATA; EMT is within 2.
    capacities = found.values('phonon_heat_capacity_300K')
    assert capacities[0] == pytest.approx(23.8, abs=1.5)
    assert capacities[1:] == [None, None]
    assert found.values('phonon_free_energy_600K')[0] < found.values('phonon_free_energy_300K')[0]
    assert found.columns['phonon_free_energy_300K'].level.startswith('mlip:emt')
    assert found.columns['phonon_lowest_frequency'].unit == 'THz'
    names = results['force_constants'].base.repository.list_object_names()
    assert sorted(names) == [f'{DRAW}-0.npz', f'{DRAW}-1.npz']


def test_force_constants_give_the_same_frequencies(builder_of):
    """From what is kept, phonopy makes the frequency of the table again."""
    results, _ = run_get_node(builder_of([bulk('Cu', a=3.6)]))
    found = results['batch'].crystals
    phonon = phonon_from(results['force_constants'], f'{DRAW}-0')
    where = [float(part) for part in found.values('phonon_where')[0].split()]
    phonon.run_qpoints([where])
    assert phonon.qpoints.frequencies.min() == pytest.approx(found.values('phonon_lowest_frequency')[0], abs=1e-6)


def test_geometry_and_columns_of_the_rows_stay(builder_of):
    """The tight relaxation is for the phonons alone."""
    builder = builder_of([bulk('Cu', a=3.7)])
    results, _ = run_get_node(builder)
    before, after = builder.batch.crystals, results['batch'].crystals
    assert np.array_equal(before.cells, after.cells)
    assert set(before.columns) <= set(after.columns)


def test_lanes_give_the_same_rows(builder_of):
    """However many jobs run side by side."""
    crystals = [bulk('Cu', a=3.6), bulk('Au', a=4.1)]
    builder = builder_of(crystals)
    one, _ = run_get_node(builder)
    builder = builder_of(crystals)
    builder.n_lanes = orm.Int(2)
    two, node = run_get_node(builder)
    assert two['batch'].crystals.equals(one['batch'].crystals)
    assert len([child for child in node.called if child.process_label == 'PhononBaseWorkChain']) == 2
    assert len(two['force_constants'].base.repository.list_object_names()) == 2


KILLER = """
_run = run


def run(rows, job):
    def watched():
        import os
        import signal
        import time

        for row in rows:
            if row['index'] == 1 and not os.path.exists({path!r}):
                open({path!r}, 'w').close()
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(30)
            yield row

    yield from _run(watched(), job)
"""


def test_killed_job_keeps_its_finished_crystals(builder_of, tmp_path):
    """After `kill -9` of the job, rows and force constants of what was finished are kept, the others are sent again."""
    builder = builder_of([bulk('Cu', a=3.6), bulk('Au', a=4.1)])
    with zipfile.ZipFile(io.BytesIO(builder.job.bundle.get_content(mode='rb'))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members['adapter.py'] += KILLER.format(path=str(tmp_path / 'killed')).encode()
    builder.job.bundle = orm.SinglefileData(io.BytesIO(deterministic_zip(members)), filename='bundle.zip')
    results, node = run_get_node(builder)
    jobs = sorted((n for n in node.called_descendants if n.process_label == 'PhononCalculation'), key=lambda n: n.pk)
    assert [job.exit_status for job in jobs] == [403, 0]
    assert [job.inputs.batch.ids for job in jobs] == [[f'{DRAW}-0', f'{DRAW}-1'], [f'{DRAW}-1']]
    assert results['batch'].crystals.values('phonon_verdict') == ['stable', 'stable']
    names = results['force_constants'].base.repository.list_object_names()
    assert sorted(names) == [f'{DRAW}-0.npz', f'{DRAW}-1.npz']


def test_rows_that_were_lost_are_inconclusive(aiida_profile_clean):
    """A row that a job gave up is in the batch again, with the reason as its reason."""
    batch = StructureBatch(from_ase([bulk('Cu', a=3.6), bulk('Au', a=4.1)], ['a-0', 'a-1']))
    text = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': 'verdict', 'level': ''}
    verdict = {'phonon_verdict': make_column(['stable'], text), 'phonon_reason': make_column(['why'], text)}
    kept = StructureBatch(batch.crystals.select([0]).with_columns(verdict))
    end = {'reason': 'timeout', 'detail': 'It took longer than 5 s.'}
    lost = StructureBatch(rejected_rows(batch.crystals.select([1]), 'phonons', [end]))
    found = gather_phonons(batch, kept, lost).crystals
    assert found.values('phonon_verdict') == ['stable', 'inconclusive']
    assert found.values('phonon_reason') == ['why', 'timeout: It took longer than 5 s.']
    assert not [name for name in found.columns if name.startswith('rejected')]


def test_short_list_and_table(aiida_profile_clean):
    """The rows on the short list are chosen, and what they gain is unknown for the others."""
    flag = {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'help': 'listed', 'level': ''}
    lowest = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'THz', 'help': 'lowest', 'level': ''}
    crystals = from_ase([bulk('Cu', a=3.6), bulk('Au', a=4.1), bulk('Ag', a=4.1)], ['a-0', 'a-1', 'a-2'])
    table = StructureBatch(crystals.with_columns({'shortlisted': make_column([True, False, True], flag)}))
    chosen = choose_shortlisted(table)
    assert chosen.ids == ['a-0', 'a-2']
    found = StructureBatch(chosen.crystals.with_columns({'lowest': make_column([1.5, -2.5], lowest)}))
    wide = widen(table, found).crystals
    assert wide.ids == table.ids
    assert wide.values('lowest') == [1.5, None, -2.5]
    assert wide.columns['lowest'].unit == 'THz'
    assert wide.values('shortlisted') == [True, False, True]


def test_a_potential_without_the_shared_relaxation_is_refused(tmp_path, monkeypatch):
    """What does not hand itself over cannot be used, and the sentence says so."""
    from aiida_crystalgen import bundles

    path = tmp_path / 'loner.py'
    path.write_text("ABOUT = {'name': 'loner', 'needs': [], 'install': 'pip install ase'}\n")
    monkeypatch.setattr(bundles, 'find', lambda kind, name: path)
    with pytest.raises(bundles.AdapterError, match='gives no phonons'):
        bundles.phonon_bundle('loner')
