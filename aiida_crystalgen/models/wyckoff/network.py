"""The network: a causal transformer over the steps of a crystal, with one head for each kind of choice."""

from __future__ import annotations

import dataclasses
import math
import typing as t

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from . import elements, tokens
from .crystal import COARSE, FINE, LEVELS
from .table import LETTERS, group, n_positions

# Bins of the labels [eV/atom]; place 0 of their embeddings is for unknown.
E_HULL_EDGES = (0.001, 0.02, 0.05, 0.1, 0.2, 0.4)
E_FORM_EDGES = (-3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.7, -0.4, -0.2, 0.0)
# Bins of the number of atoms in the primitive cell: the fewest atoms of each bin but the first.
ATOM_EDGES = (3, 5, 7, 9, 11, 13, 17, 21, 25, 29, 37, 45)
WAVES = 12
MAX_TOTAL = 255.0
Cache = t.List[t.Tuple[Tensor, Tensor]]


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    :ivar tell_atoms: whether the number of atoms is a label beside the energies.
    """

    width: int = 160
    layers: int = 4
    heads: int = 5
    dropout: float = 0.0
    tell_atoms: bool = False


def label_bins(values: np.ndarray) -> np.ndarray:
    """Return the bins (n, 2) of energies above hull and of formation [eV/atom], 0 where they are unknown (NaN)."""
    values = np.asarray(values, float).reshape(-1, 2)
    columns = [np.digitize(values[:, place], edges) + 1 for place, edges in enumerate((E_HULL_EDGES, E_FORM_EDGES))]
    return np.where(np.isfinite(values), np.stack(columns, 1), 0)


def atom_bins(counts: np.ndarray) -> np.ndarray:
    """Return the bins (n,) of numbers of atoms in the primitive cell, from 1."""
    return np.asarray(np.digitize(counts, ATOM_EDGES) + 1)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, sizes: Shape) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(sizes.dropout)

    def forward(self, x: Tensor, cache: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the output and all keys and values so far; with a cache, `x` is one step more."""
        rows, steps, width = x.shape
        query, key, value = self.mix(self.norm1(x)).view(rows, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = torch.cat([cache[0], key], 2), torch.cat([cache[1], value], 2)
        # Written out: for sequences this short the fused kernel of the CPU takes ten times as long.
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        if cache is None:
            scores = scores + torch.full((steps, steps), -1e4, dtype=scores.dtype, device=x.device).triu(1)
        mixed = torch.softmax(scores, -1).to(value.dtype) @ value
        x = x + self.drop(self.out(mixed.transpose(1, 2).reshape(rows, steps, width)))
        return x + self.drop(self.shrink(functional.gelu(self.grow(self.norm2(x))))), (key, value)


class Network(nn.Module):
    """Scores of every choice, given the steps before it and the conditions."""

    columns: Tensor
    traits: Tensor
    letters: Tensor

    def __init__(self, sizes: Shape) -> None:
        super().__init__()
        width = sizes.width
        self.sizes = sizes
        self.group = nn.Embedding(231, width)
        self.element, self.column, self.period = (
            nn.Embedding(119, width),
            nn.Embedding(20, width),
            nn.Embedding(8, width),
        )
        self.position, self.size = nn.Embedding(n_positions() + 1, width), nn.Embedding(64, width)
        self.freedom, self.order = nn.Embedding(8, width), nn.Embedding(64, width)
        self.role, self.ordinal = nn.Embedding(tokens.PAD + 1, width), nn.Embedding(tokens.MAX_SITES + 2, width)
        self.coarse = nn.Embedding(2 * COARSE + 1, width)
        self.number = nn.Linear(2 * WAVES, width, bias=False)
        self.mixture, self.total = nn.Linear(width, width, bias=False), nn.Linear(2, width)
        self.e_hull = nn.Embedding(len(E_HULL_EDGES) + 2, width)
        self.e_form = nn.Embedding(len(E_FORM_EDGES) + 2, width)
        self.system = nn.Linear(width, width, bias=False)
        if sizes.tell_atoms:
            self.atoms = nn.Embedding(len(ATOM_EDGES) + 2, width)
        self.blocks = nn.ModuleList([Block(sizes) for _ in range(sizes.layers)])
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(sizes.dropout)
        self.to_group, self.to_element = nn.Linear(width, 230), nn.Linear(width, width)
        self.to_letter, self.element_bias = nn.Linear(width, width), nn.Parameter(torch.zeros(119))
        self.to_coarse = nn.Linear(width, 7 * COARSE)
        self.to_fine, self.from_fine = nn.Linear(width, width), nn.Linear(width, FINE)
        self.fine_of = nn.Embedding(7 * COARSE, width)
        for name, values in _constants().items():
            self.register_buffer(name, values, persistent=False)
        self.apply(_initialize)

    def elements(self) -> Tensor:
        """Return the embeddings of all elements (119, width); place 0 is the end."""
        return self.element.weight + self.column(self.columns[:, 0]) + self.period(self.columns[:, 1])

    def positions(self) -> Tensor:
        """Return the embeddings of all Wyckoff positions, place 0 for none."""
        traits = self.traits
        return self.position.weight + self.size(traits[:, 0]) + self.freedom(traits[:, 1]) + self.order(traits[:, 2])

    def condition(self, groups: Tensor, labels: Tensor, system: Tensor) -> Tensor:
        """Return what all steps of each row know (rows, width).

        :param groups: space groups, 0 while unknown; `labels` (rows, 2 or 3) bins, the third of the number of atoms;
            `system` (rows, 119) shares of the elements that the crystal has, all 0 where nothing is said.
        """
        told = self.system(system @ self.elements())
        if self.sizes.tell_atoms:
            told = told + self.atoms(labels[:, 2])
        return self.group(groups) + self.e_hull(labels[:, 0]) + self.e_form(labels[:, 1]) + told

    def embed(self, steps: t.Mapping[str, Tensor], condition: Tensor, so_far: Tensor) -> Tensor:
        """Return the input of the blocks.

        :param condition: (rows, width) or (rows, steps, width); `so_far` (rows, steps, width + 1): see `compose`.
        """
        elements, positions = self.elements(), self.positions()
        coordinate = (steps['last_role'] >= tokens.COORDINATE) & (steps['last_role'] < tokens.PAD)
        known = steps['last_level'] < tokens.NO_LEVEL
        coarse = torch.where(known, steps['last_level'] // FINE + coordinate * COARSE, 2 * COARSE)
        angle = (steps['last_level'] - FINE // 2).float()[..., None] * (2 * math.pi / LEVELS)
        # A cell parameter is no angle: half the turn keeps its ends apart.
        angle = torch.where(coordinate[..., None], angle, angle / 2) * torch.arange(1, WAVES + 1, device=angle.device)
        waves = torch.cat([angle.sin(), angle.cos()], -1) * known[..., None]
        total = so_far[..., -1:]
        share = so_far[..., :-1] / total.clamp(min=1.0)
        sizes = torch.cat([total.clamp(max=MAX_TOTAL).log1p(), total / 16], -1)
        x = functional.embedding(steps['element'], elements) * (steps['element'] > 0)[..., None]
        x = x + functional.embedding(steps['position'], positions) * (steps['position'] > 0)[..., None]
        x = x + functional.embedding(steps['added'], elements) * (steps['added'] > 0)[..., None]
        x = (
            x
            + self.role(steps['role'])
            + self.role(steps['last_role']) * known[..., None]
            + self.ordinal(steps['ordinal'])
        )
        x = x + self.coarse(coarse) + self.number(waves) + self.mixture(share) + self.total(sizes)
        return self.drop(x + (condition if condition.dim() == 3 else condition[:, None]))

    def compose(self, steps: t.Mapping[str, Tensor]) -> Tensor:
        """Return, for each step, the atoms placed by it: their summed embeddings and their number, (.., width + 1)."""
        amount = steps['amount'][..., None].float()
        return torch.cat([functional.embedding(steps['added'], self.elements()) * amount, amount], -1)

    def forward(self, steps: t.Mapping[str, Tensor], groups: Tensor, labels: Tensor, system: Tensor) -> Tensor:
        """Return the states (rows, steps, width) behind all choices of whole crystals."""
        first = torch.zeros_like(groups)
        unknown, known = (self.condition(number, labels, system)[:, None] for number in (first, groups))
        count = steps['role'].shape[1]
        condition = torch.cat([unknown, known.expand(-1, count - 1, -1)], 1)
        x = self.embed(steps, condition, self.compose(steps).cumsum(1))
        for block in self.blocks:
            x, _ = block(x)
        return self.norm(x)

    def score_elements(self, states: Tensor) -> Tensor:
        """Return the scores of the elements and, at place 0, of the end, (rows, 119)."""
        return self.to_element(states) @ self.elements().T + self.element_bias

    def score_letters(self, states: Tensor, groups: Tensor) -> Tensor:
        """Return the scores of the letters of the space groups, (rows, 27); minus infinity for those they lack."""
        places = self.letters[groups]
        scores = torch.einsum('nd,nld->nl', self.to_letter(states), functional.embedding(places, self.positions()))
        return scores.masked_fill(places == 0, -torch.inf)

    def score_coarse(self, states: Tensor, roles: Tensor) -> Tensor:
        """Return the scores of the coarse bins of numbers, (rows, 96)."""
        scores = self.to_coarse(states).view(-1, 7, COARSE)
        return scores[torch.arange(len(scores), device=scores.device), _families(roles)]

    def score_fine(self, states: Tensor, roles: Tensor, coarse: Tensor) -> Tensor:
        """Return the scores of the fine steps within a coarse bin, (rows, 9)."""
        inner = self.to_fine(states) + self.fine_of(_families(roles) * COARSE + coarse)
        return self.from_fine(functional.gelu(inner))


def _families(roles: Tensor) -> Tensor:
    """Return the kind of number of a role: 0 to 5 for cell parameters, 6 for coordinates."""
    return (roles - tokens.CELL).clamp(0, 6)


def _constants() -> dict[str, Tensor]:
    """Return what never changes: columns and periods, traits of positions, positions by space group and letter."""
    columns = [(elements.column(number), elements.period(number)) for number in range(elements.N_ELEMENTS + 1)]
    traits, letters = [(0, 0, 0)], np.zeros((231, len(LETTERS)), int)
    for number in range(1, 231):
        space_group = group(number)
        for position in space_group.positions:
            letters[number, position.letter] = position.index + 1
            order = space_group.positions[-1].multiplicity // position.multiplicity
            pattern = sum(1 << axis for axis in position.axes)
            traits.append((min(space_group.size(position.letter), 63), pattern, min(order, 63)))
    return {'columns': torch.tensor(columns), 'traits': torch.tensor(traits), 'letters': torch.from_numpy(letters)}


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02 if isinstance(module, nn.Linear) else 0.05)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
