"""Training, checkpoints and weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from known_crystals import KNOWN

from aiida_crystalgen.models.wyckoff import WeightsError, WyckoffModel, weights
from aiida_crystalgen.models.wyckoff.data import Dataset
from aiida_crystalgen.models.wyckoff.encode import encode
from aiida_crystalgen.models.wyckoff.network import Shape
from aiida_crystalgen.models.wyckoff.train import CHECKPOINT, LOG, WEIGHTS, Recipe, Trainer, main

SHAPE = Shape(width=16, layers=1, heads=2)


@pytest.fixture(scope='module')
def dataset() -> Dataset:
    """Return the known crystals, and copies with other elements, so that all parts of the split have some."""
    crystals = []
    for shift in range(12):
        for number, (numbers, points, cell) in KNOWN.items():
            shifted = [element + shift for element in numbers]
            crystals.append(encode(shifted, points, np.asarray(cell) * (1 + shift / 50), 0.01))
            assert crystals[-1].space_group == number
    labels = np.random.default_rng(1).normal(0, 0.1, (len(crystals), 2))
    return Dataset([str(place) for place in range(len(crystals))], crystals, labels)


def curve(folder) -> list[float]:
    """Return the validation losses of a run."""
    return [json.loads(line)['validation'] for line in (folder / LOG).read_text().splitlines()]


def test_a_killed_run_goes_on_to_the_same_curve(dataset, tmp_path):
    """Three epochs in one go, and two with a restart from the checkpoint in between, are the same."""
    recipe = Recipe(epochs=3, batch=256, warm_up=5, half=False)
    Trainer(dataset, SHAPE, recipe, tmp_path / 'one').run()
    first = Trainer(dataset, SHAPE, recipe, tmp_path / 'two')
    first.run_epochs(1)
    second = Trainer(dataset, SHAPE, recipe, tmp_path / 'two')
    second.resume()
    second.run()
    assert len(curve(tmp_path / 'one')) == 3
    assert curve(tmp_path / 'two') == curve(tmp_path / 'one')
    assert (tmp_path / 'two' / WEIGHTS).read_bytes() == (tmp_path / 'one' / WEIGHTS).read_bytes()


def test_training_learns_and_its_weights_can_be_used(dataset, tmp_path):
    """The loss falls, and the file that training leaves samples crystals of the elements that it saw."""
    dataset.save(tmp_path / 'data.npz')
    options = ['--width', '16', '--layers', '1', '--heads', '2', '--epochs', '8', '--batch', '256', '--warm-up', '5']
    main([str(tmp_path / 'data.npz'), str(tmp_path / 'run'), *options])
    losses = curve(tmp_path / 'run')
    assert losses[-1] < losses[0] - 1
    model = WyckoffModel.load(tmp_path / 'run' / WEIGHTS)
    samples = model.sample(8, seed=1, max_atoms=8)
    assert {number for sample in samples for number in sample.numbers} <= model.elements
    assert json.loads(model.metadata['recipe'])['epochs'] == 8
    held_out = json.loads(model.metadata['validation'])
    assert held_out == dataset.part('validation').names


def test_a_trained_model_can_go_on_with_other_crystals(dataset, tmp_path):
    """Fine-tuning begins at the loss of the model that it starts from, and keeps its volumes and elements."""
    Trainer(dataset, SHAPE, Recipe(epochs=4, batch=256, warm_up=5), tmp_path / 'first').run()
    model = WyckoffModel.load(tmp_path / 'first' / WEIGHTS)
    few = dataset.take([place for place in range(len(dataset.names)) if place % 6 < 4])
    second = Trainer(few, SHAPE, Recipe(epochs=1, batch=256, rate=1e-6), tmp_path / 'second', model)
    second.run()
    assert second.history[0]['train'] < curve(tmp_path / 'first')[0]
    tuned = WyckoffModel.load(tmp_path / 'second' / WEIGHTS)
    assert tuned.volumes == pytest.approx(model.volumes)
    assert tuned.elements == model.elements


def test_training_ends_when_it_stops_helping(dataset, tmp_path):
    """Without progress for `patience` epochs a run ends, and the best weights stay."""
    trainer = Trainer(dataset, SHAPE, Recipe(epochs=50, batch=256, rate=0.0, patience=2, half=False), tmp_path)
    trainer.best = 0.0
    trainer.run()
    assert trainer.epoch == 2
    assert not (tmp_path / WEIGHTS).exists()


def test_a_checkpoint_holds_numbers_only(dataset, tmp_path):
    """The checkpoint is read without running code of the file."""
    Trainer(dataset, SHAPE, Recipe(epochs=1, batch=256), tmp_path).run()
    assert set(torch.load(tmp_path / CHECKPOINT, weights_only=True)) >= {'network', 'mean', 'optimizer'}


def test_weights_come_back(tmp_path):
    """Arrays and text that were written are read; equal content has equal bytes."""
    arrays = {'b': np.arange(6, dtype=np.float16).reshape(2, 3), 'a': np.array(2.5, np.float32)}
    for name in ('one', 'two'):
        weights.write(tmp_path / name, arrays, {'note': 'text'})
    content = (tmp_path / 'one').read_bytes()
    assert content == (tmp_path / 'two').read_bytes()
    found, metadata = weights.read(content)
    assert metadata == {'note': 'text'}
    assert {name: array.tolist() for name, array in found.items()} == {name: a.tolist() for name, a in arrays.items()}


@pytest.mark.parametrize(
    'content',
    [b'', b'\x80\x04K\x01.', b'\xff' * 64, (4).to_bytes(8, 'little') + b'[1,]', (2).to_bytes(8, 'little') + b'[]'],
)
def test_other_files_are_refused(content, tmp_path):
    """Pickles, torn files and nonsense are refused with a sentence."""
    (tmp_path / 'file').write_bytes(content)
    with pytest.raises(WeightsError, match='safetensors'):
        WyckoffModel.load(tmp_path / 'file')


def test_damaged_weights_are_refused(tmp_path):
    """A file without its last bytes, or of another model, is refused."""
    weights.write(tmp_path / 'file', {'a': np.zeros(100, np.float32)}, {'format': 'other'})
    with pytest.raises(WeightsError, match='no weights of the format'):
        WyckoffModel.load(tmp_path / 'file')
    with pytest.raises(WeightsError, match='size other than its shape'):
        weights.read((tmp_path / 'file').read_bytes()[:-8])
