"""Draw crystals step by step, many at a time, each with its own wishes kept by masks."""

from __future__ import annotations

import dataclasses
import typing as t

import numpy as np
import torch
from torch import Tensor

from . import tokens
from .draft import Draft, Drawn
from .grammar import MAX_ATOMS, Wishes
from .network import ATOM_EDGES, Network, atom_bins
from .tokens import PAD


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to draw.

    :ivar temperature: below 1 the probable becomes more probable among Wyckoff letters, cells and coordinates.
    :ivar variety: the same for space groups and elements, on which it depends how different crystals are.
    :ivar guidance: how much further than the labels alone the scores are moved away from those without labels.
    :ivar clearance: shortest distance allowed over the sum of the atomic radii; numbers that fall short are masked;
        where there is no room, the widest places are left. 0 turns it off.
    """

    temperature: float = 1.0
    variety: float = 1.0
    guidance: float = 0.0
    clearance: float = 0.0


class Sampler:
    """Draws with one network; holds what many draws share.

    :param atoms: how many crystals of the training have each number of atoms, from 0; empty where it is not known.
    """

    def __init__(self, network: Network, volumes: np.ndarray, settings: Settings, atoms: t.Sequence[int] = ()) -> None:
        self.network, self.volumes, self.settings = network.eval(), volumes, settings
        self.atoms = np.array(atoms, float)
        self.device = next(network.parameters()).device

    @torch.no_grad()
    def draw(
        self, count: int, wishes: Wishes, labels: t.Sequence[int], system: np.ndarray, rng: np.random.Generator
    ) -> list[Drawn]:
        """Draw crystals that keep the wishes.

        :param labels: the bins of both labels, 0 for unknown; `system` (119,) shares of the elements, 0 for unknown.
        """
        groups = wishes.groups()
        drafts = [Draft(wishes, groups, self.volumes, self.settings.clearance) for _ in range(count)]
        guided = self.settings.guidance > 0 and any(labels)
        told = torch.tensor([list(labels)] + ([[0, 0]] if guided else []), device=self.device)
        bins = torch.from_numpy(self._atom_bins(count, wishes, labels, system, rng)).to(self.device)
        system_row = torch.as_tensor(system, dtype=torch.float32, device=self.device)[None].expand(len(told), -1)
        active, caches, so_far = list(range(count)), None, None
        while active:
            rows = [drafts[place] for place in active]
            copies = len(told)
            steps = {
                name: torch.tensor(values, device=self.device)[:, None].repeat(copies, 1)
                for name, values in _columns([row.fields() for row in rows]).items()
            }
            numbers = torch.tensor([row.number for row in rows] * copies, device=self.device)
            labels_rows = torch.cat([told.repeat_interleave(len(rows), 0), bins[active].repeat(copies, 1)], 1)
            condition = self.network.condition(numbers, labels_rows, system_row.repeat_interleave(len(rows), 0))
            added = self.network.compose(steps)
            so_far = added if so_far is None else so_far + added
            x = self.network.embed(steps, condition, so_far)
            kept = []
            for place, block in enumerate(self.network.blocks):
                x, cache = block(x, None if caches is None else caches[place])
                kept.append(cache)
            caches = kept
            self._choose(rows, self.network.norm(x)[:, 0].view(copies, len(rows), -1), numbers[: len(rows)], rng)
            going = [place for place, row in enumerate(rows) if not row.done]
            if len(going) < len(rows):
                places = [place + copy * len(rows) for copy in range(copies) for place in going]
                keep = torch.tensor(places, dtype=torch.long, device=self.device)
                caches = [(key[keep], value[keep]) for key, value in caches]
                so_far = so_far[keep]
                active = [active[place] for place in going]
        return [draft.finish() for draft in drafts]

    def _atom_bins(
        self, count: int, wishes: Wishes, labels: t.Sequence[int], system: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the bin of the number of atoms that each crystal is told (count, 1), 0 where nothing is said.

        A limit masks only where lists of sites end; told a size from the start, the model plans for it. Sizes are drawn
        as they occur in the training within the limits, and with the space groups wished for.
        """
        numbers = np.arange(len(self.atoms))
        inside = (numbers >= wishes.min_atoms) & (numbers <= wishes.max_atoms)
        weights = np.bincount(atom_bins(numbers), self.atoms * inside, minlength=len(ATOM_EDGES) + 2)
        limited = wishes.min_atoms > 1 or wishes.max_atoms < MAX_ATOMS
        if not (self.network.sizes.tell_atoms and limited and weights.sum() and wishes.formula is None):
            return np.zeros((count, 1), int)
        if wishes.space_groups is not None:
            groups = [number - 1 for number in wishes.space_groups]
            weights = weights * self._groups(len(weights), wishes, labels, system)[:, groups].sum(1)
        return rng.choice(len(weights), (count, 1), p=weights / weights.sum())

    def _groups(self, count: int, wishes: Wishes, labels: t.Sequence[int], system: np.ndarray) -> np.ndarray:
        """Return the probabilities of the space groups (count, 230) for each bin of the number of atoms."""
        first = Draft(wishes, [], self.volumes, 0.0).fields()
        steps = {
            name: torch.tensor(values * count, device=self.device)[:, None]
            for name, values in _columns([first]).items()
        }
        told = torch.tensor([[*labels, place] for place in range(count)], device=self.device)
        shares = torch.as_tensor(system, dtype=torch.float32, device=self.device)[None].expand(count, -1)
        condition = self.network.condition(torch.zeros_like(told[:, 0]), told, shares)
        x = self.network.embed(steps, condition, self.network.compose(steps))
        for block in self.network.blocks:
            x, _ = block(x)
        return np.asarray(torch.softmax(self.network.to_group(self.network.norm(x)[:, 0]).double(), -1).cpu().numpy())

    def _choose(self, rows: list[Draft], states: Tensor, numbers: Tensor, rng: np.random.Generator) -> None:
        """Let every draft take its next step; `states` (copies, rows, width)."""
        network = self.network
        chances = rng.random((len(rows), 2))
        roles = np.array([row.role for row in rows])
        for low, high in ((0, 1), (1, 2), (2, 3), (tokens.CELL, PAD)):
            places = np.flatnonzero((roles >= low) & (roles < high))
            if not len(places):
                continue
            part = torch.from_numpy(places).to(self.device)
            some, role = states[:, part], torch.from_numpy(roles[places]).to(self.device)
            if low == tokens.GROUP:
                scores = self._mix([network.to_group(state) for state in some])
            elif low == tokens.ELEMENT:
                scores = self._mix([network.score_elements(state) for state in some])
            elif low == tokens.LETTER:
                scores = self._mix([network.score_letters(state, numbers[part]) for state in some])
            else:
                scores = self._mix([network.score_coarse(state, role) for state in some])
            masks = [rows[place].mask(scores.shape[1]) for place in places]
            warmth = self.settings.variety if low <= tokens.ELEMENT else self.settings.temperature
            choices, logps = self._pick(scores, masks, chances[places, 0], warmth)
            fine = np.zeros(len(places), int)
            if low == tokens.CELL:
                chosen = torch.from_numpy(choices).to(self.device)
                inner = self._mix([network.score_fine(state, role, chosen) for state in some])
                masks = [rows[place].fine_mask(int(choice)) for place, choice in zip(places, choices)]
                fine, more = self._pick(inner, masks, chances[places, 1], warmth)
                logps = logps + more
            for place, choice, step, logp in zip(places, choices, fine, logps):
                rows[place].take(int(choice), int(step), float(logp))

    def _mix(self, scores: t.Sequence[Tensor]) -> np.ndarray:
        """Return the scores, moved away from those without labels by the guidance."""
        values = [torch.log_softmax(score.double(), -1).cpu().numpy() for score in scores]
        if len(values) == 1:
            return np.asarray(values[0])
        with np.errstate(invalid='ignore'):
            mixed = values[0] + self.settings.guidance * (values[0] - values[1])
        return np.where(np.isfinite(values[0]), mixed, -np.inf)

    @staticmethod
    def _pick(
        scores: np.ndarray, masks: t.Sequence[np.ndarray | None], chances: np.ndarray, temperature: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return choices, -1 where nothing is allowed, and their log-probabilities before masks and temperature."""
        masked = scores / temperature
        for line, mask in zip(masked, masks):
            if mask is not None:
                line[~mask] = -np.inf
        highest = masked.max(-1, keepdims=True)
        dead = ~np.isfinite(highest[:, 0])
        weights = np.exp(masked - np.where(np.isfinite(highest), highest, 0.0))
        sums = weights.cumsum(-1)
        choices = (sums <= chances[:, None] * sums[:, -1:]).sum(-1).clip(max=scores.shape[1] - 1)
        plain = scores - np.logaddexp.reduce(scores, -1, keepdims=True)
        return np.where(dead, -1, choices), np.where(dead, 0.0, plain[np.arange(len(plain)), choices])


def _columns(rows: t.Sequence[t.Mapping[str, int]]) -> dict[str, list[int]]:
    names = [name for name in tokens.FIELDS if name not in ('choice', 'fine')]
    return {name: [row.get(name, 0) for row in rows] for name in names}
