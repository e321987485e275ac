"""Train the model: `python -m aiida_crystalgen.models.wyckoff.train data.npz folder`.

An epoch depends on the seed and its number alone, and a checkpoint is written after each: a run that was killed goes on
with `--resume` to the same curve. `--start` takes weights to go on from. `job.py` does this as a job of AiiDA.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import hashlib
import json
import os
import time
import typing as t
from pathlib import Path

import numpy as np
import torch

from . import tokens, weights
from .batches import SCORED, Examples, negative_log_probability
from .data import Dataset
from .model import FORMAT, VERSION, WyckoffModel
from .network import Network, Shape

CHECKPOINT, WEIGHTS, LOG = 'checkpoint.pt', 'weights.safetensors', 'log.jsonl'


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    :ivar batch: steps of crystals in a batch.
    :ivar decay: share of the epochs, the last ones, over which the learning rate falls to 0.
    :ivar average: decay per update of the running mean of the weights, which is what is kept.
    :ivar half: compute in bfloat16 where the processor can.
    :ivar patience: epochs without a better validation after which training ends.
    """

    epochs: int = 15
    batch: int = 1024
    rate: float = 2e-3
    warm_up: int = 200
    decay: float = 0.6
    weight_decay: float = 0.05
    average: float = 0.999
    patience: int = 10
    seed: int = 0
    half: bool = True


def computes_in_half() -> bool:
    """Say whether the processor computes in bfloat16; where it does not, torch imitates it, ten times slower."""
    # Before torch 2.10 nothing public tells.
    found: dict[str, t.Any] = getattr(torch.cpu, 'get_capabilities', dict)()
    return any(has for name, has in found.items() if name.endswith('bf16'))


class Trainer:
    """Trains one network on one split data set, epoch by epoch.

    :ivar notes: texts that go into the weights beside what the trainer knows.
    :param sizes: the network; with `start` it is that of the model.
    :param start: a trained model to go on from (fine-tuning); its volumes of the elements are kept.
    """

    def __init__(
        self, data: Dataset, sizes: Shape, recipe: Recipe, folder: str | Path, start: WyckoffModel | None = None
    ) -> None:
        self.recipe, self.folder = recipe, Path(folder)
        self.half = recipe.half and computes_in_half()
        self.folder.mkdir(parents=True, exist_ok=True)
        train, validation = data.part('train'), data.part('validation')
        self.volumes = tokens.fit_volumes(train.crystals).round(3) if start is None else start.volumes
        tell_atoms = sizes.tell_atoms if start is None else start.network.sizes.tell_atoms
        self.train = Examples(train.crystals, train.labels, self.volumes, tell_atoms)
        self.validation = Examples(validation.crystals, validation.labels, self.volumes, tell_atoms)
        self.validation_names = [validation.names[place] for place in self.validation.places]
        known = frozenset(np.flatnonzero(self.train.shares.sum(0)).tolist())
        self.elements = sorted(known if start is None else known | start.elements)
        torch.manual_seed(recipe.seed)
        self.network = Network(sizes) if start is None else copy.deepcopy(start.network)
        self.mean = copy.deepcopy(self.network).eval()
        plain = [value for name, value in self.network.named_parameters() if value.dim() < 2]
        matrices = [value for name, value in self.network.named_parameters() if value.dim() >= 2]
        groups = [{'params': matrices, 'weight_decay': recipe.weight_decay}, {'params': plain, 'weight_decay': 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)
        self.epoch, self.updates, self.best, self.stale = 0, 0, float('inf'), 0
        self.history: list[dict[str, float]] = []
        self.notes: dict[str, str] = {}

    def run(self) -> None:
        """Train until the epochs or the patience are used up."""
        self.run_epochs(self.recipe.epochs)

    @property
    def is_done(self) -> bool:
        """Return whether the epochs or the patience are used up."""
        return self.epoch >= self.recipe.epochs or self.stale >= self.recipe.patience

    def run_epochs(self, count: int) -> None:
        """Train for some epochs more, if neither the epochs nor the patience are used up before."""
        last = self.epoch + count
        while self.epoch < last and not self.is_done:
            begun, begun_cpu = time.perf_counter(), time.process_time()
            entry = {'epoch': self.epoch + 1, 'train': self._one_epoch(), **self.validate()}
            self.epoch += 1
            entry['seconds'] = round(time.perf_counter() - begun, 1)
            entry['cpu_seconds'] = round(time.process_time() - begun_cpu, 1)
            self.history.append(entry)
            with (self.folder / LOG).open('a') as stream:
                stream.write(json.dumps(entry) + '\n')
            self.stale = 0 if entry['validation'] < self.best else self.stale + 1
            if self.stale == 0:
                self.best = entry['validation']
                self.export(self.folder / WEIGHTS)
            self.save()

    def judge_start(self) -> None:
        """Validate the model that training starts from, as epoch 0: only what is better than it is kept."""
        self.history = [{'epoch': 0, **self.validate()}]
        self.best = self.history[0]['validation']
        self.export(self.folder / WEIGHTS)
        (self.folder / LOG).write_text(json.dumps(self.history[0]) + '\n')
        self.save()

    def _one_epoch(self) -> float:
        """Return the mean loss [nats per crystal] of one epoch of training."""
        recipe = self.recipe
        torch.manual_seed(1000 * recipe.seed + self.epoch)
        rng = np.random.default_rng([recipe.seed, self.epoch])
        parts = list(self.train.batches(recipe.batch, rng))
        total, count = 0.0, 0
        self.network.train()
        for place, places in enumerate(parts):
            for group in self.optimizer.param_groups:
                group['lr'] = recipe.rate * self._slope(self.epoch + place / len(parts))
            with torch.autocast('cpu', torch.bfloat16, enabled=self.half):
                losses = negative_log_probability(
                    self.network, self.train.collate(places), *self.train.conditions(places, rng)
                )
            loss = sum(losses.values(), torch.zeros(len(places)))
            # A constant divisor: long crystals come in small batches and would count more otherwise.
            (loss.sum() / (recipe.batch / self.train.lengths.mean())).backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.updates += 1
            keep = min(recipe.average, self.updates / (self.updates + 10))
            with torch.no_grad():
                torch._foreach_lerp_(list(self.mean.parameters()), list(self.network.parameters()), 1 - keep)
            total, count = total + loss.sum().item(), count + len(places)
        return round(total / count, 4)

    def _slope(self, epoch: float) -> float:
        """Return the learning rate over the highest one: it warms up, stays, and falls in a straight line."""
        recipe = self.recipe
        left = (recipe.epochs - epoch) / (recipe.decay * recipe.epochs)
        return min(1.0, (self.updates + 1) / recipe.warm_up, max(left, 0.0))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return minus the mean log-probability of the held-out crystals [nats per crystal], in all and by kind."""
        sums, count = dict.fromkeys(SCORED, 0.0), 0
        for places in self.validation.batches(8192, None):
            batch, given = self.validation.collate(places), self.validation.conditions(places, None)
            with torch.autocast('cpu', torch.bfloat16, enabled=self.half):
                losses = negative_log_probability(self.mean, batch, *given)
            for name, values in losses.items():
                sums[name] += values.sum().item()
            count += len(places)
        means = {name: round(value / max(count, 1), 4) for name, value in sums.items()}
        return {'validation': round(sum(means.values()), 4), **means}

    def export(self, filepath: Path) -> None:
        """Write the running mean of the weights, with everything that sampling needs and nothing of the machine."""
        losses = {name: value for name, value in self.history[-1].items() if not name.endswith('seconds')}
        arrays = {name: value.detach().numpy().astype(np.float16) for name, value in self.mean.named_parameters()}
        metadata = {
            'format': FORMAT,
            'format_version': VERSION,
            'shape': json.dumps(dataclasses.asdict(self.mean.sizes), sort_keys=True),
            'recipe': json.dumps(dataclasses.asdict(self.recipe), sort_keys=True),
            'history': json.dumps([losses]),
            'n_train': str(len(self.train.steps)),
            'atoms': json.dumps(np.bincount(self.train.atoms).tolist()),
            'elements': json.dumps(self.elements),
            'validation': json.dumps(self.validation_names),
            **self.notes,
        }
        temporary = filepath.with_suffix('.part')
        weights.write(temporary, {**arrays, 'volumes': self.volumes.astype(np.float32)}, metadata)
        os.replace(temporary, filepath)

    def save(self) -> None:
        """Write the checkpoint, the best weights so far among it."""
        best = (self.folder / WEIGHTS).read_bytes() if (self.folder / WEIGHTS).is_file() else b''
        state = {
            'data': self.fingerprint(),
            'weights': torch.frombuffer(bytearray(best), dtype=torch.uint8) if best else torch.zeros(0),
            'network': self.network.state_dict(),
            'mean': self.mean.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'counters': [self.epoch, self.updates, self.best, self.stale],
            'history': self.history,
        }
        temporary = self.folder / f'{CHECKPOINT}.part'
        torch.save(state, temporary)
        os.replace(temporary, self.folder / CHECKPOINT)

    def fingerprint(self) -> str:
        """Return what crystals and which network a checkpoint belongs to."""
        names = [
            *self.validation_names,
            str(self.train.lengths.tolist()),
            json.dumps(dataclasses.asdict(self.mean.sizes)),
        ]
        return hashlib.sha256('\n'.join(names).encode()).hexdigest()

    def resume(self) -> None:
        """Go on from the checkpoint of the folder, if there is one; what was written after it is taken back.

        :raises ValueError: it is the checkpoint of other data, or of another network.
        """
        if not (self.folder / CHECKPOINT).is_file():
            return
        state = torch.load(self.folder / CHECKPOINT, weights_only=True)
        if state.get('data', self.fingerprint()) != self.fingerprint():
            raise ValueError('the checkpoint is one of other crystals or of another network; begin without it')
        self.network.load_state_dict(state['network'])
        self.mean.load_state_dict(state['mean'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.epoch, self.updates, self.best, self.stale = state['counters']
        self.history = state['history']
        best = state.get('weights', torch.zeros(0))
        if len(best):
            (self.folder / WEIGHTS).write_bytes(best.numpy().tobytes())
        (self.folder / LOG).write_text(''.join(json.dumps(entry) + '\n' for entry in self.history))


def main(arguments: t.Sequence[str] | None = None) -> None:
    """Train from the command line; every field of `Shape` and `Recipe` is an option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data')
    parser.add_argument('folder')
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--start', help='weights of a trained model to go on from')
    for form in (Shape, Recipe):
        for field in dataclasses.fields(form):
            kind: t.Any = (lambda text: text == 'True') if field.type == 'bool' else type(field.default)
            parser.add_argument(f'--{field.name.replace("_", "-")}', type=kind, default=field.default)
    given = vars(parser.parse_args(arguments))
    sizes, recipe = (form(**{f.name: given[f.name] for f in dataclasses.fields(form)}) for form in (Shape, Recipe))
    start = WyckoffModel.load(given['start']) if given['start'] else None
    data = Dataset.load(given['data'])
    trainer = Trainer(data, t.cast(Shape, sizes), t.cast(Recipe, recipe), given['folder'], start)
    if given['resume']:
        trainer.resume()
    trainer.run()


if __name__ == '__main__':
    main()
