"""Train in a job folder: crystals come as rows, what is learned lies in files that are there whole or not at all.

The harness runs this like an adapter. A job that is repeated in its folder, or that is given the checkpoint of another
one, goes on after the last finished epoch to the same curve.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
import typing as t
from pathlib import Path

import numpy as np

from . import tokens
from .data import Dataset, encode_all, hold_out
from .model import WyckoffModel
from .network import Shape
from .train import CHECKPOINT, Recipe, Trainer

ENCODED, SUMMARY = 'encoded.npz', 'training.json'
# Columns that hold the labels, the first that is there: energy above hull and formation energy [eV/atom].
LABEL_COLUMNS = (
    ('e_hull', 'given_e_hull', 'e_above_hull', 'energy_above_hull'),
    ('formation_energy', 'given_formation_energy', 'formation_energy_per_atom'),
)
# Learning rates without and with a model to go on from.
RATES = (2e-3, 5e-4)

Row = t.Dict[str, t.Any]


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in ('torch', 'numpy', 'spglib')}


def run(rows: t.Iterator[Row], job: t.Any) -> t.Iterator[Row]:
    """Train on all rows; each is answered by its part of the split, or rejected where it has no description."""
    first = next(rows, None)
    if first is None:
        return
    given, folder = [first, *rows], Path.cwd()
    for name in ('checkpoint', 'encoded'):
        target = folder / (CHECKPOINT if name == 'checkpoint' else ENCODED)
        if name in job.assets and not target.exists():
            shutil.copyfile(job.assets[name], target)
    try:
        data, failures, trainer = begun(given, job, folder)
    except ValueError as error:
        # The word by which the engine knows that no other job would do better.
        error.crystalgen_status = 'cannot_train'  # type: ignore[attr-defined]
        raise
    summary: Row = {
        'split_by': trainer.notes['split_by'],
        'n_train': len(trainer.train.steps),
        'n_validation': len(trainer.validation.steps),
        'n_left_out': len(given) - len(trainer.train.steps) - len(trainer.validation.steps),
        'recipe': dataclasses.asdict(trainer.recipe),
        'shape': dataclasses.asdict(trainer.network.sizes),
    }
    tell(folder, trainer, summary)
    while not trainer.is_done:
        stop_in_time(trainer, job)
        trainer.run_epochs(1)
        tell(folder, trainer, summary)
    used = {data.names[place]: data.parts[place] for place in range(len(data.names))}
    long = too_long(data, trainer)
    for row in given:
        reason = failures.get(row['id']) or long.get(row['id'])
        if reason is None:
            yield {'id': row['id'], 'columns': {'part': used[row['id']]}}
        else:
            rejected = {'reason': 'not_encoded', 'detail': reason, 'value': None, 'threshold': None}
            yield {'id': row['id'], 'rejected': rejected}


def begun(rows: t.Sequence[Row], job: t.Any, folder: Path) -> tuple[Dataset, dict[str, str], Trainer]:
    """Return the split data, why crystals are not in them, and a trainer that stands where an earlier job ended.

    :raises ValueError: with a sentence, where these crystals or weights cannot be used.
    """
    data, failures = encoded(rows, folder / ENCODED, job.parameters['symprec'])
    data, kept_together = hold_out(data, job.parameters['held_out'])
    start = WyckoffModel.load(job.model) if job.model else None
    trainer = prepared(data, start, job.parameters, job.seed, folder)
    trainer.notes = {'split_by': kept_together, 'held_out': str(job.parameters['held_out'])}
    trainer.resume()
    if start is not None and not trainer.history:
        trainer.judge_start()
    return data, failures, trainer


def encoded(rows: t.Sequence[Row], filepath: Path, symprec: float) -> tuple[Dataset, dict[str, str]]:
    """Return the described crystals, and why others have no description; kept in a file, as it takes minutes."""
    if filepath.exists():
        with np.load(filepath, allow_pickle=False) as archive:
            failures = json.loads(str(archive['failures']))
        data = Dataset.load(filepath)
        if {*data.names, *failures} == {row['id'] for row in rows}:
            return data, failures
    data, failures = encode_all(map(described, rows), symprec, tokens.MAX_SITES)
    part = filepath.with_suffix('.part.npz')
    data.save(part, failures=np.array(json.dumps(failures)))
    os.replace(part, filepath)
    return data, failures


def described(row: Row) -> tuple[str, np.ndarray, np.ndarray, np.ndarray, list[float]]:
    """Return id, atomic numbers, fractional coordinates, cell [A] and labels of a row."""
    columns = row['columns']
    labels = [next((columns[name] for name in names if columns.get(name) is not None), None) for names in LABEL_COLUMNS]
    fractional = row['positions'] @ np.linalg.pinv(row['cell'])
    return row['id'], row['numbers'], fractional, row['cell'], [float('nan') if x is None else x for x in labels]


def prepared(data: Dataset, start: WyckoffModel | None, parameters: Row, seed: int, folder: Path) -> Trainer:
    """Return the trainer of a job.

    :raises ValueError: no crystal is left to train on, or none to validate on.
    """
    own = {field.name for field in dataclasses.fields(Recipe)}
    recipe = {name: value for name, value in parameters.items() if name in own and value is not None}
    recipe.setdefault('rate', RATES[start is not None])
    if 'warm_up' not in recipe:
        steps = sum(tokens.n_steps(crystal) for crystal in data.part('train').crystals)
        updates = recipe['epochs'] * max(1, steps // recipe['batch'])
        recipe['warm_up'] = max(1, min(Recipe.warm_up, updates // 20))
    sizes = {name: parameters[name] for name in ('width', 'layers', 'heads', 'dropout', 'tell_atoms')}
    trainer = Trainer(data, Shape(**sizes), Recipe(**recipe, seed=seed), folder, start)
    if not (trainer.train.steps and trainer.validation.steps):
        raise ValueError('no crystals are left to train on, or none to validate on; give more')
    return trainer


def too_long(data: Dataset, trainer: Trainer) -> dict[str, str]:
    """Return why described crystals were not used: the network takes no more steps."""
    names: list[str] = []
    for part, examples in (('train', trainer.train), ('validation', trainer.validation)):
        inside = data.part(part).names
        names += [inside[place] for place in examples.left_out]
    return dict.fromkeys(names, f'it takes more than {tokens.MAX_STEPS} steps, or its cell is out of range')


def stop_in_time(trainer: Trainer, job: t.Any) -> None:
    """End the job before an epoch that would not fit.

    :raises TimeoutError: the time left is shorter than an epoch.
    """
    longest = max((entry.get('seconds', 0.0) for entry in trainer.history), default=0.0)
    if job.deadline is not None and time.monotonic() + longest > job.deadline:
        # The harness leaves rows to another job once the deadline is over, and it is over for the next epoch.
        job.deadline = min(job.deadline, time.monotonic())
        raise TimeoutError('the next epoch does not fit into the time of the job')


def tell(folder: Path, trainer: Trainer, summary: Row) -> None:
    """Write how far the training is."""
    history = trainer.history
    best = min(history, key=lambda entry: entry['validation'], default=None)
    seconds = [entry['seconds'] for entry in history if 'seconds' in entry]
    progress = {
        **summary,
        'epoch': trainer.epoch,
        'best_epoch': None if best is None else best['epoch'],
        'best_validation': None if best is None else best['validation'],
        'ended': ('patience' if trainer.epoch < trainer.recipe.epochs else 'epochs') if trainer.is_done else '',
        'seconds_left': round(np.mean(seconds) * (trainer.recipe.epochs - trainer.epoch), 1) if seconds else None,
    }
    part = folder / f'{SUMMARY}.part'
    part.write_text(json.dumps(progress, sort_keys=True))
    os.replace(part, folder / SUMMARY)
