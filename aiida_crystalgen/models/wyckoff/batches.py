"""Batches of known crystals for training, and how probable the network finds them."""

from __future__ import annotations

import typing as t

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from . import tokens
from .crystal import SymmetricCrystal
from .network import Network, atom_bins, label_bins
from .tokens import Steps

# How often each label is hidden in training: both energies, and the number of atoms.
DROPPED = (0.2, 0.2, 0.5)
SCORED = ('group', 'element', 'letter', 'cell', 'coordinate', 'fine')


class Examples:
    """The steps of known crystals, with their labels and compositions.

    :param tell_atoms: whether the number of atoms is a third label.
    :ivar left_out: places of crystals with too many steps or a cell out of range.
    """

    def __init__(
        self,
        crystals: t.Sequence[SymmetricCrystal],
        labels: np.ndarray,
        volumes: np.ndarray,
        tell_atoms: bool = False,
    ) -> None:
        self.steps: list[Steps] = []
        self.places: list[int] = []
        self.left_out: list[int] = []
        for place, crystal in enumerate(crystals):
            try:
                self.steps.append(tokens.to_steps(crystal, volumes))
                self.places.append(place)
            except ValueError:
                self.left_out.append(place)
        self.labels = label_bins(labels)[self.places]
        self.lengths = np.array([len(steps.role) for steps in self.steps])
        self.shares = np.zeros((len(self.steps), 119), np.float32)
        for row, place in zip(self.shares, self.places):
            counts = crystals[place].counts()
            row[list(counts)] = np.array(list(counts.values())) / sum(counts.values())
        self.atoms = np.array([sum(crystals[place].counts().values()) for place in self.places], int)
        if tell_atoms:
            self.labels = np.column_stack([self.labels, atom_bins(self.atoms)])

    def batches(self, size: int, rng: np.random.Generator | None) -> t.Iterator[np.ndarray]:
        """Yield places of crystals of about one length, `size` steps in all; in random order with an `rng`."""
        noise = rng.random(len(self.steps)) if rng is not None else np.zeros(len(self.steps))
        order = np.argsort(self.lengths + 2 * noise, kind='stable')
        parts: list[np.ndarray] = []
        part: list[int] = []
        longest = 0
        for place in order:
            longest = max(longest, int(self.lengths[place]))
            if part and longest * (len(part) + 1) > size:
                parts.append(np.array(part))
                part, longest = [], int(self.lengths[place])
            part.append(int(place))
        if part:
            parts.append(np.array(part))
        yield from (parts[place] for place in (rng.permutation(len(parts)) if rng is not None else range(len(parts))))

    def collate(self, places: np.ndarray) -> dict[str, Tensor]:
        """Return the fields of some crystals, padded to (rows, steps)."""
        rows = [self.steps[place] for place in places]
        longest = max(len(row.role) for row in rows)
        padding = {'role': tokens.PAD, 'last_role': tokens.PAD, 'last_level': tokens.NO_LEVEL}
        batch = {}
        for name in tokens.FIELDS:
            array = np.full((len(rows), longest), padding.get(name, 0), np.int64)
            for line, row in zip(array, rows):
                values = getattr(row, name)
                line[: len(values)] = values
            batch[name] = torch.from_numpy(array)
        return batch

    def conditions(self, places: np.ndarray, rng: np.random.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return space groups, labels and systems; with an `rng` most of the conditions are dropped at random."""
        groups = torch.tensor([self.steps[place].space_group for place in places])
        labels, shares = self.labels[places].copy(), self.shares[places].copy()
        if rng is None:
            # The size is what is asked of the model here, so it is not told.
            labels[:, 2:] = 0
            return groups, torch.from_numpy(labels), torch.zeros(len(places), 119)
        labels[rng.random(labels.shape) < DROPPED[: labels.shape[1]]] = 0
        # One crystal in seven shows its formula, one in seven its elements alone.
        draw = rng.random(len(places))
        elements = draw > 6 / 7
        shares[elements] = (shares[elements] > 0) / (shares[elements] > 0).sum(1, keepdims=True)
        shares[draw < 5 / 7] = 0
        return groups, torch.from_numpy(labels), torch.from_numpy(shares)


def negative_log_probability(
    network: Network, batch: t.Mapping[str, Tensor], groups: Tensor, labels: Tensor, system: Tensor
) -> dict[str, Tensor]:
    """Return minus the log-probability of each crystal [nats], by kind of choice, each (rows,)."""
    states = network(batch, groups, labels, system)
    roles, choices = batch['role'], batch['choice']
    kinds = {
        'group': roles == tokens.GROUP,
        'element': roles == tokens.ELEMENT,
        'letter': roles == tokens.LETTER,
        'cell': (roles >= tokens.CELL) & (roles < tokens.COORDINATE),
        'coordinate': (roles >= tokens.COORDINATE) & (roles < tokens.PAD),
    }
    result = {name: states.new_zeros(len(roles), dtype=torch.float32) for name in SCORED}
    for name, where in kinds.items():
        rows = where.nonzero()[:, 0]
        state, role, choice = states[where], roles[where], choices[where]
        if name == 'group':
            scores = network.to_group(state)
        elif name == 'element':
            scores = network.score_elements(state)
        elif name == 'letter':
            scores = network.score_letters(state, groups[rows])
        else:
            scores = network.score_coarse(state, role)
            fine = network.score_fine(state, role, choice)
            losses = functional.cross_entropy(fine.float(), batch['fine'][where], reduction='none')
            result['fine'] = result['fine'].index_add(0, rows, losses)
        losses = functional.cross_entropy(scores.float(), choice, reduction='none')
        result[name] = result[name].index_add(0, rows, losses)
    return result
