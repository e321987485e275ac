"""Training through AiiDA: killed in the middle, gone on, and the learned model draws crystals."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')

PARAMETERS = {'epochs': 4, 'width': 16, 'layers': 1, 'heads': 2, 'batch': 256, 'held_out': 0.2, 'seed': 3}
CUBIC = {'rock salt': [[0, 0, 0], [0.5, 0.5, 0.5]], 'CsCl': [[0, 0, 0], [0.5, 0.5, 0.5]]}


def crystals(count):
    """Return crystals of pairs of elements in the rock-salt and caesium-chloride structures, and one in none."""
    from aiida_crystalgen.data.crystals import Crystals

    rng = np.random.default_rng(0)
    metals, others = [3, 11, 12, 19, 20, 22, 26, 27, 28, 29, 30, 37, 38], [7, 8, 9, 16, 17, 34, 35]
    pairs = [(metal, other) for metal in metals for other in others]
    rows = []
    for place in range(count):
        metal, other = pairs[place % len(pairs)]
        a = 4.5 + 0.03 * (metal % 7) + 0.02 * (other % 5) + 0.01 * rng.random()
        cell = np.array([[0, a, a], [a, 0, a], [a, a, 0]]) / 2 if place % 2 else np.eye(3) * a * 0.65
        points = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
        columns = {'e_hull': float(rng.exponential(0.05)) if place % 3 else None}
        rows.append(row(f'known-{place}', [metal, other], points @ cell, cell, columns))
    flat = np.diag([4.0, 4.0, 1e-3])
    return Crystals.from_rows([*rows, row(f'known-{count}', [3, 8], np.zeros((2, 3)), flat, {'e_hull': 1.0})], COLUMNS)


COLUMNS = {'e_hull': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': 'toy', 'help': 'toy'}}


def row(name, numbers, positions, cell, columns):
    """Return a row of a batch."""
    return {'id': name, 'numbers': numbers, 'positions': positions, 'cell': cell, 'pbc': [True] * 3, 'columns': columns}


@pytest.fixture
def batch(aiida_profile_clean):
    """Return a batch of 200 crystals and one that has no cell."""
    from aiida_crystalgen.data.batch import StructureBatch

    return StructureBatch(crystals(200)).store()


@pytest.fixture
def train(python_code, batch):
    """Return a function that trains and returns the node."""
    from aiida import engine

    from aiida_crystalgen.workflows.train import TrainWorkChain

    def run(start=None, **parameters):
        builder = TrainWorkChain.get_builder_from_protocol(
            python_code, batch, {**PARAMETERS, **parameters}, start=start
        )
        builder.clean_workdir = False
        return engine.run_get_node(builder).node

    return run


def job_folders():
    """Return the folders of all jobs of the test computers."""
    from aiida import orm

    computers = orm.QueryBuilder().append(orm.Computer).all(flat=True)
    return [path.parent for computer in computers for path in Path(computer.get_workdir()).rglob('job.json')]


def kill_once_learned(after, killed):
    """Kill the first training that has finished some epochs, parent and worker, as a node that fails does."""
    end = time.monotonic() + 120
    while time.monotonic() < end and not killed:
        for entry in Path('/proc').iterdir():
            try:
                folder = Path(os.readlink(entry / 'cwd'))
                is_parent = b'bundle.zip' in (entry / 'cmdline').read_bytes()
                lines = (folder / 'log.jsonl').read_text().splitlines() if is_parent else []
            except OSError:
                continue
            if len(lines) >= after and b'--worker' not in (entry / 'cmdline').read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                killed.append(folder)
                return
        time.sleep(0.01)


def curve(node):
    """Return the validation losses of a training."""
    return node.outputs.history.get_dict()['validation']


@pytest.fixture
def disturbed(train):
    """Return a training of four epochs that was killed once."""
    killed: list[Path] = []
    watch = threading.Thread(target=kill_once_learned, args=(2, killed))
    watch.start()
    node = train()
    killed.append(Path())
    watch.join()
    assert len(killed) == 2, 'the training was over before it could be killed'
    return node


def test_a_killed_training_goes_on_to_the_same_curve(disturbed, train):
    """`kill -9` ends the first job; the second goes on from its checkpoint, and weights and curves are the same."""
    whole = train()
    assert disturbed.is_finished_ok, disturbed.exit_message
    jobs = sorted(disturbed.called, key=lambda job: job.pk)
    assert [job.exit_status for job in jobs] == [403, 0]
    assert 'checkpoint' in jobs[0].outputs
    assert jobs[1].inputs.assets.checkpoint.uuid == jobs[0].outputs.checkpoint.uuid
    assert len(curve(disturbed)) == 4
    assert curve(disturbed) == curve(whole)
    assert sha256(disturbed.outputs.model) == sha256(whole.outputs.model)


def sha256(node):
    """Return the sha256 of a file node."""
    return hashlib.sha256(node.get_content(mode='rb')).hexdigest()


def test_the_split_is_by_chemical_system_and_lies_in_the_weights(train, batch):
    """No system has crystals on both sides; what cannot be described is rejected with a reason."""
    from aiida_crystalgen.models.wyckoff import weights

    node = train(epochs=1)
    report = node.outputs.report.get_dict()['training']
    assert report['split_by'] == 'chemical system'
    assert report['n_train'] + report['n_validation'] == 200
    assert node.outputs.rejected.crystals.ids == ['known-200']
    _, metadata = weights.read(node.outputs.model.get_content(mode='rb'))
    held_out = set(json.loads(metadata['validation']))
    assert len(held_out) == report['n_validation'] >= 40
    systems = {True: set(), False: set()}
    for known in list(batch.crystals.rows())[:200]:
        systems[known['id'] in held_out].add(tuple(sorted(set(np.asarray(known['numbers']).tolist()))))
    assert not systems[True] & systems[False]


def test_the_learned_model_draws_crystals_and_their_provenance_leads_to_the_batch(train, batch, python_code):
    """The output `model` is the model of a draw: crystals, weights, training and batch are one graph."""
    from aiida import engine, orm

    from aiida_crystalgen.workflows.generate import GenerateWorkChain

    learned = train(epochs=2)
    builder = GenerateWorkChain.get_builder_from_protocol(python_code, 'wyckoff', 5, {'max_atoms': 12})
    builder.job.model = learned.outputs.model
    drawn = engine.run_get_node(builder).node
    assert drawn.is_finished_ok, drawn.exit_message
    kept = drawn.outputs.batch.crystals
    rejected = drawn.outputs.rejected.crystals if 'rejected' in drawn.outputs else []
    assert len(kept) + len(rejected) == 5
    assert set(kept.numbers.tolist()) <= {3, 7, 8, 9, 11, 12, 16, 17, 19, 20, 22, 26, 27, 28, 29, 30, 34, 35, 37, 38}
    query = orm.QueryBuilder().append(type(batch), filters={'uuid': batch.uuid}, tag='batch')
    query.append(orm.CalcJobNode, with_incoming='batch', tag='training')
    query.append(orm.SinglefileData, with_incoming='training', tag='model')
    query.append(orm.CalcJobNode, with_incoming='model', tag='draw')
    query.append(type(batch), with_incoming='draw', project='uuid')
    assert query.count() >= 1


def test_a_trained_model_is_trained_further(train):
    """Fine-tuning begins with the loss of the model that it is given, as epoch 0, and never ends above it."""
    first = train(epochs=3)
    second = train(start=first.outputs.model, epochs=2, rate=1e-4)
    assert second.is_finished_ok, second.exit_message
    history = second.outputs.history.get_dict()
    assert history['epoch'] == [0, 1, 2]
    assert history['validation'][0] == pytest.approx(min(curve(first)), abs=0.01)
    assert second.outputs.report.get_dict()['training']['best_validation'] <= history['validation'][0]


def test_crystals_of_one_formula_are_refused_with_a_sentence(python_code, aiida_profile_clean):
    """Nothing can be held out of one formula: the training says so and is not repeated."""
    from aiida import engine

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.crystals import Crystals
    from aiida_crystalgen.workflows.train import TrainWorkChain

    cell = np.eye(3) * 3.0
    rows = [row(f'one-{k}', [11, 17], np.array([[0, 0, 0], [1.5, 1.5, 1.5]]), cell, {}) for k in range(3)]
    one = StructureBatch(Crystals.from_rows(rows, {})).store()
    builder = TrainWorkChain.get_builder_from_protocol(python_code, one, PARAMETERS, start=None)
    node = engine.run_get_node(builder).node
    assert node.exit_status == 310
    assert 'one formula' in node.exit_message
    assert len(node.called) == 1


def test_the_bundle_holds_the_code_of_the_model():
    """Equal code gives equal bytes; weights do not travel in it."""
    import zipfile

    from aiida_crystalgen.workflows.train import training_bundle

    names = zipfile.ZipFile(io.BytesIO(training_bundle())).namelist()
    assert {'wyckoff_model/job.py', 'wyckoff_model/table.npz', '__main__.py'} <= set(names)
    assert not any(name.endswith('.safetensors') for name in names)
    assert training_bundle() == training_bundle()
