"""MatterGen's own code draws crystals, in an environment of its own, with the tiny checkpoints of the shared data."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time

import numpy as np
import pytest
import torch
from generator_job import DATA, ROOT, data, literal_about, structure

ABOUT = literal_about('mattergen')
RUNS = 'generators/mattergen'
TINY = DATA / RUNS / 'tiny_checkpoints'
PYTHON = os.environ.get('CRYSTALGEN_MATTERGEN_PYTHON', '')
pytestmark = [
    pytest.mark.skipif(not PYTHON, reason='CRYSTALGEN_MATTERGEN_PYTHON is not set, see tests/generators/README.md'),
    pytest.mark.timeout(1800),
]
ONE_THREAD = {f'{name}_NUM_THREADS': '1' for name in ('OMP', 'OPENBLAS', 'MKL')}
NOTHING_OUTSIDE = {'HF_HUB_OFFLINE': '1', 'HF_HOME': '/nonexistent', 'CUDA_VISIBLE_DEVICES': ''}


def request(folder: str, *, indices=range(4), seed=7, most=None, assets=None, **parameters) -> dict:
    """Return a job of `draw.py`; the tiny checkpoints are untrained and have 20 steps."""
    given = {'corrector_steps': 0, 'batch_size': 4, **parameters}
    return {
        'model': str(TINY / folder), 'parameters': given, 'indices': list(indices), 'seed': seed,
        'assets': assets or {}, 'most': most or given['batch_size'],
    }  # fmt: skip


HOST = """data_host
_cell_length_a 4.2
_cell_length_b 4.2
_cell_length_c 5.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 100
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg1 Mg 0 0 0
O1 O 0.5 0.5 0.3
"""


@pytest.fixture(scope='module')
def answers(tmp_path_factory) -> dict:
    """Return what MatterGen answered to many jobs, run in one process."""
    data(f'{RUNS}/tiny_checkpoints')
    folder = tmp_path_factory.mktemp('mattergen')
    (folder / 'host.cif').write_text(HOST)
    strange = folder / 'strange'
    (strange / 'checkpoints').mkdir(parents=True)
    (strange / 'checkpoints' / 'last.ckpt').write_bytes((TINY / 'base' / 'checkpoints' / 'last.ckpt').read_bytes())
    text = (TINY / 'base' / 'config.yaml').read_text()
    (strange / 'config.yaml').write_text(text.replace('torch.optim.Adam', 'os.getcwd'))
    pickled = folder / 'pickled'
    (pickled / 'checkpoints').mkdir(parents=True)
    (pickled / 'config.yaml').write_text(text)
    weights = torch.load(TINY / 'base' / 'checkpoints' / 'last.ckpt', weights_only=True)
    torch.save({**weights, 'arguments': argparse.Namespace(seed=1)}, pickled / 'checkpoints' / 'last.ckpt')
    jobs = {
        'base': request('base'),
        'again, some rows': request('base', indices=[3, 1]),
        'other seed': request('base', seed=8),
        'pieces': request('base', most=3),
        'few atoms': request('base', min_atoms=3, max_atoms=5, distribution='uniform'),
        'system': request('cond', chemical_system='Li-O', energy_above_hull=0.05),
        'values': request('cond', indices=range(5), batch_size=2, energy_above_hull=[0.0, 0.1], max_atoms=4),
        'space group': request('sg', space_group=225, max_atoms=6),
        'too large cells': request('sg', space_group=225, corrector_steps=1),
        'prediction': request('csp', composition='NaCl', max_atoms=4, steps=20),
        'held composition': request('base', composition='NaCl', max_atoms=8),
        'host': request('base', assets={'host': str(folder / 'host.cif')}, insert={'Li': 2}),
        'untrained': request('base', chemical_system='Li-O'),
        'other untrained': request('cond', space_group=225),
        'steps': request('base', steps=50),
        'no formula': request('csp'),
        'no room': request('csp', composition='NaCl', max_atoms=1),
        'no checkpoint': {**request('base'), 'model': str(folder)},
        'strange': {**request('base'), 'model': str(strange)},
        'pickled': {**request('base'), 'model': str(pickled)},
        'no device': {**request('base'), 'device': 'cuda'},
        'no network': {**request('base', space_group=225, model='space_group'), 'model': None},
        'no model': {**request('base'), 'model': None},
    }
    command = [PYTHON, '-W', 'ignore', str(ROOT / 'tests' / 'generators' / 'draw.py'), 'mattergen']
    done = subprocess.run(
        command,
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD, **NOTHING_OUTSIDE},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def crystals(answers: dict, name: str) -> list:
    """Return the crystals of a job; none may be rejected."""
    rows = answers['jobs'][name]['rows']
    assert [row for row in rows if 'rejected' in row] == []
    return [structure(row) for row in rows]


def symbols(crystal) -> set[str]:
    """Return the elements of a crystal."""
    return {element.symbol for element in crystal.composition.elements}


def test_every_row_is_a_crystal_of_known_elements(answers):
    """Unconditional: four crystals of 1 to 20 atoms, of the elements that `ABOUT` names."""
    for crystal in crystals(answers, 'base'):
        assert 1 <= len(crystal) <= 20
        assert symbols(crystal) <= set(ABOUT['elements'])
        assert crystal.volume > 0
    assert answers['versions']['mattergen'].startswith('1.0.3+')


def test_seed_and_place_alone_decide(answers):
    """Some rows of a batch are those of the whole batch; another seed draws others."""
    base = {row['id']: row for row in answers['jobs']['base']['rows']}
    again = answers['jobs']['again, some rows']['rows']
    assert again == [base['draw-3'], base['draw-1']]
    assert answers['jobs']['other seed']['rows'][0] != base['draw-0']


def test_smaller_pieces_are_recorded(answers):
    """Where the memory holds three of four crystals, they come in pieces of three and one, and say so."""
    rows = answers['jobs']['pieces']['rows']
    assert [row['columns']['drawn_with'] for row in rows] == [3, 3, 3, 1]
    assert {row['columns']['drawn_with'] for row in answers['jobs']['base']['rows']} == {4}


def test_a_checkpoint_of_more_than_tensors_is_opened(answers):
    """What torch 2.6 and later refuses at first is unpickled, since it was trusted, and draws the same crystals."""
    assert answers['jobs']['pickled']['rows'] == answers['jobs']['base']['rows']


def test_numbers_of_atoms_are_those_asked_for(answers):
    """`min_atoms` and `max_atoms`, which its command line does not have, hold."""
    assert {len(crystal) for crystal in crystals(answers, 'few atoms')} <= {3, 4, 5}


def test_chemical_system_holds(answers):
    """Only lithium and oxygen; what was asked for stands beside what was found."""
    assert all(symbols(crystal) <= {'Li', 'O'} for crystal in crystals(answers, 'system'))
    answer = answers['jobs']['system']
    for row in answer['rows']:
        assert row['columns']['chemical_system_requested'] == 'Li-O'
        assert row['columns']['energy_above_hull_requested'] == 0.05
        assert set(row['columns']) <= set(answer['declared'])


def test_values_go_round_the_batches(answers):
    """Of a list of values, the first batch has the first, the second the second, the third the first again."""
    found = [row['columns']['energy_above_hull_requested'] for row in answers['jobs']['values']['rows']]
    assert found == [0.0, 0.0, 0.1, 0.1, 0.0]


def test_space_group_model_runs(answers):
    """The model of space groups draws, and says what it was asked for."""
    assert len(crystals(answers, 'space group')) == 4
    assert {row['columns']['space_group_requested'] for row in answers['jobs']['space group']['rows']} == {225}


def test_a_crystal_without_neighbours_costs_only_itself(answers):
    """Where MatterGen's network stops with an IndexError the batch is halved; what fails alone is a rejected row."""
    rows = answers['jobs']['too large cells']['rows']
    assert len(rows) == 4
    assert min(row['columns']['drawn_with'] for row in rows) < 4
    for row in rows:
        assert ('structure' in row) != ('rejected' in row)
        assert row.get('rejected', {'reason': 'no_neighbours'})['reason'] == 'no_neighbours'


@pytest.mark.parametrize('name', ['prediction', 'held composition'])
def test_composition_is_exact(answers, name):
    """A model of crystal structure prediction and one that is held to elements give nothing but NaCl."""
    found = crystals(answers, name)
    assert {crystal.composition.reduced_formula for crystal in found} == {'NaCl'}
    assert all(len(crystal) <= (4 if name == 'prediction' else 8) for crystal in found)


def test_host_stays(answers):
    """The host keeps cell, elements and places; the atoms that were put in are the ones asked for."""
    first, *_ = found = crystals(answers, 'host')
    for crystal, row in zip(found, answers['jobs']['host']['rows'], strict=True):
        assert [site.specie.symbol for site in crystal] == ['Mg', 'O', 'Li', 'Li']
        assert np.allclose(crystal.lattice.parameters, (4.2, 4.2, 5.0, 90, 90, 100), atol=1e-6)
        assert np.allclose(crystal.frac_coords[:2], [[0, 0, 0], [0.5, 0.5, 0.3]], atol=1e-9)
        assert row['columns']['host_site'] == [0, 1, -1, -1]
        assert row['columns']['n_inserted'] == 2
    assert not np.allclose(first.frac_coords[2:], found[1].frac_coords[2:], atol=1e-3)


@pytest.mark.parametrize(
    ('name', 'status', 'words'),
    [
        ('untrained', 'untrained_condition', 'not trained on `chemical_system`: it was trained on no condition'),
        ('other untrained', 'untrained_condition', 'it was trained on chemical_system, energy_above_hull'),
        ('steps', 'wrong_steps', 'trained with 20 steps'),
        ('no formula', 'unfit_model', 'give `composition`'),
        ('no room', '', 'widen `min_atoms` and `max_atoms`'),
        ('no checkpoint', 'unfit_model', 'has no `config.yaml`'),
        ('strange', 'unfit_model', 'names `os.getcwd`'),
        ('no device', 'no_device', 'the device `cuda`, but torch finds none'),
        ('no network', 'unfit_model', 'give `model: remote:/path/to/space_group`'),
        ('no model', 'unfit_model', 'needs a `model`'),
    ],
)
def test_what_dooms_a_job_is_one_sentence(answers, name, status, words):
    """What MatterGen answers with a bare assertion, or runs without a word, is refused with a sentence."""
    assert answers['jobs'][name]['status'] == status
    assert words in answers['jobs'][name]['sentence']


def job_folder(folder, ids: list[str]):
    """Write a job folder as the engine does, for batches of two crystals."""
    from aiida_crystalgen.bundles import adapter_bundle

    folder.mkdir()
    (folder / 'bundle.zip').write_bytes(adapter_bundle('generator', 'mattergen'))
    text = ''.join(ids).encode()
    np.savez(
        folder / 'batch.npz', offsets=np.zeros(len(ids) + 1, int), numbers=np.zeros(0, np.int16),
        positions=np.zeros((0, 3)), cells=np.zeros((len(ids), 3, 3)), pbc=np.ones((len(ids), 3), bool),
        c_id=np.frombuffer(text, np.uint8), o_id=np.cumsum([0, *map(len, ids)]),
    )  # fmt: skip
    content = {
        'module': 'adapter', 'stage': 'generate', 'draw': '0123456789abcdef', 'seed': 1, 'units': 2, 'batch_size': 2,
        'whole_batch': False, 'device': 'cpu', 'processes': 1, 'threads': 1, 'seconds_limit': None,
        'row_seconds_limit': None, 'environment': {}, 'model': str(TINY / 'base'), 'assets': {}, 'tables': {},
        'columns': {'id': {'kind': 'text'}}, 'table_columns': {},
        'parameters': {'corrector_steps': 0, 'batch_size': 2, 'max_atoms': 6},
    }  # fmt: skip
    (folder / 'job.json').write_text(json.dumps(content))
    return subprocess.Popen(
        [PYTHON, '-W', 'ignore', 'bundle.zip'], cwd=folder, env={**os.environ, **ONE_THREAD}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def finished(folder) -> dict[str, str]:
    """Return the finished rows of a job folder by id, without their seconds."""
    rows = [
        json.loads(line) for line in (folder / 'out.jsonl').read_text().splitlines(keepends=True) if line[-1] == '\n'
    ]
    return {row['id']: json.dumps({**row, 'seconds': 0}) for row in rows}


def test_a_killed_job_loses_only_the_batch_in_flight(tmp_path):
    """After `kill -9`, whole batches are there; a job with the missing rows completes what an undisturbed one gives."""
    data(f'{RUNS}/tiny_checkpoints')
    ids = [f'0123456789abcdef-{index}' for index in range(12)]
    killed = job_folder(tmp_path / 'killed', ids)
    out, end = tmp_path / 'killed' / 'out.jsonl', time.monotonic() + 300
    while not (out.exists() and out.read_text().count('\n') >= 2):
        assert time.monotonic() < end, 'no batch was finished'
        time.sleep(0.02)
    os.killpg(killed.pid, 9)
    killed.wait()
    kept = finished(tmp_path / 'killed')
    assert 2 <= len(kept) < 12
    assert len(kept) % 2 == 0
    started = [json.loads(line)['id'] for line in (tmp_path / 'killed' / 'started.jsonl').read_text().splitlines()]
    assert len(set(started) - set(kept)) <= 2
    missing = [row for row in ids if row not in kept]
    assert job_folder(tmp_path / 'missing', missing).wait(300) == 0
    assert job_folder(tmp_path / 'whole', ids).wait(300) == 0
    assert {**kept, **finished(tmp_path / 'missing')} == finished(tmp_path / 'whole')
    report = json.loads((tmp_path / 'whole' / 'report.json').read_text())
    assert report['status'] == 'finished'
    assert report['device'] == 'cpu'
