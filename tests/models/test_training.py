"""Training, checkpoints and weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from known_crystals import KNOWN

from aiida_crystalgen.models.wyckoff import WeightsError, WyckoffModel, weights
from aiida_crystalgen.models.wyckoff.data import Dataset, formula_of, hold_out, system_of
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


def test_the_number_of_atoms_is_a_label_of_newer_networks(dataset, tmp_path):
    """Sizes are hidden for half of the crystals in training and for all in validation, and limits are kept."""
    shape = Shape(width=16, layers=1, heads=2, tell_atoms=True)
    trainer = Trainer(dataset, shape, Recipe(epochs=1, batch=256, warm_up=5), tmp_path)
    places = np.arange(len(trainer.train.steps))
    _, told, _ = trainer.train.conditions(places, np.random.default_rng(0))
    assert 0.3 < (told[:, 2] == 0).float().mean() < 0.7
    assert not trainer.train.conditions(places, None)[1][:, 2].any()
    trainer.run()
    model = WyckoffModel.load(tmp_path / WEIGHTS)
    wished = {'min_atoms': 3, 'max_atoms': 8, 'space_groups': [225, 221], 'guidance': 1.0, 'e_above_hull': 0.0}
    drawn = [sample for sample in model.sample(12, **wished) if len(sample.numbers)]
    assert drawn
    assert all(3 <= len(sample.numbers) <= 8 for sample in drawn)


def test_a_split_holds_out_whole_chemical_systems(dataset):
    """No system lies on both sides, the share is reached, and the same crystals are always chosen."""
    split, kept_together = hold_out(dataset, 0.25)
    again, _ = hold_out(dataset.take(range(len(dataset.names))[::-1]), 0.25)
    inside, outside = (split.part(name) for name in ('validation', 'train'))
    assert kept_together == 'chemical system'
    assert not {system_of(c) for c in inside.crystals} & {system_of(c) for c in outside.crystals}
    assert 0.25 <= len(inside.names) / len(dataset.names) < 0.5
    assert set(again.part('validation').names) == set(inside.names)


def test_one_system_is_split_by_formula_and_one_formula_not_at_all(dataset):
    """Where nothing else can be held out, formulas are; with one formula a sentence says so."""
    by_system = {}
    for place, crystal in enumerate(dataset.crystals):
        by_system.setdefault(system_of(crystal), []).append(place)
    one = dataset.take(max(by_system.values(), key=len))
    with pytest.raises(ValueError, match='of one formula'):
        hold_out(one.take([0]), 0.1)
    formulas = {formula_of(crystal) for crystal in one.crystals}
    if len(formulas) > 1:
        split, kept_together = hold_out(one, 0.1)
        assert kept_together == 'formula'
        assert len(split.part('train').names) < len(one.names)


def test_a_checkpoint_of_other_crystals_is_refused(dataset, tmp_path):
    """Going on with other data would be a curve of nothing; it is refused with a sentence."""
    Trainer(dataset, SHAPE, Recipe(epochs=1, batch=256, warm_up=5), tmp_path).run()
    other = Trainer(dataset.take(range(0, len(dataset.names), 2)), SHAPE, Recipe(epochs=2), tmp_path)
    with pytest.raises(ValueError, match='other crystals'):
        other.resume()


def test_what_was_written_after_a_checkpoint_is_taken_back(dataset, tmp_path):
    """A run that was killed between its log and its checkpoint repeats that epoch: log and weights are its own."""
    recipe = Recipe(epochs=2, batch=256, warm_up=5, half=False)
    first = Trainer(dataset, SHAPE, recipe, tmp_path)
    first.run_epochs(1)
    good = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(b'later ones')
    with (tmp_path / LOG).open('a') as stream:
        stream.write('{"epoch": 2, "validation": 0.0}\n')
    second = Trainer(dataset, SHAPE, recipe, tmp_path)
    second.resume()
    assert (tmp_path / WEIGHTS).read_bytes() == good
    assert len(curve(tmp_path)) == 1


@pytest.mark.parametrize(('known', 'half'), [({'avx512_bf16': True}, True), ({'avx2': True, 'amx_bf16': False}, False)])
def test_half_precision_is_left_to_processors_that_have_it(dataset, tmp_path, monkeypatch, known, half):
    """Imitated, it makes training ten times slower, and nobody would know why."""
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: known, raising=False)
    assert Trainer(dataset, SHAPE, Recipe(), tmp_path).half is half
