"""A crystal in the making: what is chosen next, what may be, and what the network is told."""

from __future__ import annotations

import dataclasses
import typing as t

import numpy as np

from . import tokens
from .clearance import Space, cell_ratios
from .crystal import COARSE, FINE, RANGES, SymmetricCrystal, build_cell, coordinate, from_level
from .grammar import Sites, Wishes
from .table import group
from .tokens import END, NO_LEVEL, PAD

# Share of the widest distance from which places are left where none is wide enough.
WIDEST = 0.95


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A crystal, or None and why there is none, and its log-probability [nats] in the model without the wishes."""

    crystal: SymmetricCrystal | None
    reason: str
    logp: float


class Draft:
    """A crystal in the making."""

    def __init__(self, wishes: Wishes, groups: t.Sequence[int], volumes: np.ndarray, clearance: float) -> None:
        self.wishes, self.groups, self.volumes, self.clearance = wishes, groups, volumes, clearance
        self.number, self.element, self.logp, self.reason = 0, 0, 0.0, ''
        self.sites: Sites | None = None
        self.plan: list[tuple[int, int]] = [(-1, tokens.GROUP)]
        self.cell_levels: list[int] = []
        self.levels: list[int] = []
        self.last: dict[str, int] = {}
        self.space: Space | None = None
        self.placed: set[int] = set()

    @property
    def role(self) -> int:
        """Return what is chosen next."""
        return self.plan[0][1]

    @property
    def done(self) -> bool:
        """Return whether nothing is left to choose."""
        return not self.plan or bool(self.reason)

    def fields(self) -> dict[str, int]:
        """Return the context of the next step."""
        place, role = self.plan[0]
        row = {'role': role, 'last_role': PAD, 'last_level': NO_LEVEL}
        if role in (tokens.ELEMENT, tokens.LETTER) and self.sites is not None:
            row['ordinal'] = len(self.sites.chosen) + 1
            row['element'] = self.element if role == tokens.LETTER else 0
        elif role >= tokens.COORDINATE and self.sites is not None:
            number, letter = self.sites.chosen[place]
            index = self.sites.group.positions[letter].index
            row.update(ordinal=place + 1, element=number, position=index + 1)
        return {**row, **(tokens.after(self.last, group(self.number)) if self.last else {})}

    def mask(self, size: int) -> np.ndarray | None:
        """Return which of `size` choices are allowed, None for all."""
        role = self.role
        if role == tokens.GROUP:
            return _only(size, [number - 1 for number in self.groups])
        if self.sites is not None and role == tokens.ELEMENT:
            return _only(size, self.sites.elements())
        if self.sites is not None and role == tokens.LETTER:
            return _only(size, self.sites.letters(self.element))
        closing = self._closing_bins() if role == tokens.GAMMA else None
        if self.clearance <= 0:
            return closing
        places = np.arange(COARSE) if closing is None else np.flatnonzero(closing)
        clear = self._clear((places * FINE + FINE // 2).tolist())
        return closing if clear is None else _only(size, places[clear].tolist())

    def fine_mask(self, choice: int) -> np.ndarray | None:
        """Return which fine steps of a coarse bin are allowed, None for all."""
        return self._clear(list(range(choice * FINE, (choice + 1) * FINE))) if self.clearance > 0 else None

    def _closing_bins(self) -> np.ndarray:
        """Return the bins of gamma that close a cell with alpha and beta."""
        alpha, beta = (from_level(level, name) for level, name in zip(self.cell_levels[-2:], ('alpha', 'beta')))
        edges = np.linspace(*RANGES['gamma'], COARSE + 1)
        return np.asarray((edges[:-1] > abs(alpha - beta)) & (edges[1:] < min(alpha + beta, 360.0 - alpha - beta)))

    def _clear(self, levels: t.Sequence[int]) -> np.ndarray | None:
        """Return which levels of the next number keep the atoms apart; None if more is open."""
        place, role = self.plan[0]
        following = self.plan[1] if len(self.plan) > 1 else (-1, PAD)
        if role < tokens.COORDINATE:
            if following[1] < tokens.COORDINATE:
                return None
            ratios = self._cell_ratios(levels)
        else:
            if following[0] == place and following[1] != PAD:
                return None
            ratios = self._site_ratios(place, levels)
        # Where there is no room at all, the widest places are left.
        return np.asarray(ratios >= min(self.clearance, WIDEST * ratios.max()))

    def _cell_ratios(self, levels: t.Sequence[int]) -> np.ndarray:
        """Return the shortest distances over the radii for levels of the last cell parameter."""
        assert self.sites is not None
        space_group = self.sites.group
        told = [from_level(level, name) for level, name in zip(self.cell_levels, space_group.cell_parameters)]
        name = space_group.cell_parameters[-1]
        bare = tokens.without_cell(self.number, self.sites.chosen, self.levels)
        volume = tokens.conventional_volume(bare, self.volumes)
        cells = np.array([build_cell([*told, from_level(level, name)], space_group, volume) for level in levels])
        waiting = {place for place, _ in self.plan}
        fixed = [site for place, site in enumerate(bare.sites) if place not in waiting]
        others = [site.number for place, site in enumerate(bare.sites) if place in waiting]
        return cell_ratios(space_group, fixed, others, cells)

    def _site_ratios(self, place: int, levels: t.Sequence[int]) -> np.ndarray:
        """Return the shortest distances over the radii for levels of the last coordinate of a site."""
        assert self.sites is not None
        crystal = self._crystal()
        if self.space is None:
            self.space = Space(crystal.cell)
            waiting = {site for site, _ in self.plan}
            self.placed = {site for site in range(len(crystal.sites)) if site not in waiting}
            for site in self.placed:
                self._place(crystal, site)
        for site in set(range(place)) - self.placed:
            self._place(crystal, site)
            self.placed.add(site)
        # What is not told yet of this site is 0 in the crystal; its last coordinate is tried here.
        position = self.sites.group.positions[self.sites.chosen[place][1]]
        trials = np.repeat(np.array(crystal.sites[place].free)[None], len(levels), 0)
        trials[:, position.axes.index(self.role - tokens.COORDINATE)] = [coordinate(level) for level in levels]
        return self.space.ratios(position.atoms(trials), crystal.sites[place].number)

    def _place(self, crystal: SymmetricCrystal, site: int) -> None:
        assert self.space is not None
        told = crystal.sites[site]
        self.space.add(crystal.group.positions[told.letter].atoms(np.array(told.free)), told.number)

    def take(self, choice: int, fine: int, logp: float) -> None:
        """Go on by one step; a choice of -1 says that nothing was allowed."""
        _, role = self.plan.pop(0)
        if choice < 0:
            self.reason = 'dead_end'
            return
        self.logp += logp
        self.last = {'role': role, 'choice': choice, 'fine': fine, 'element': self.element}
        if role == tokens.GROUP:
            self.number = choice + 1
            self.sites = Sites(group(self.number), self.wishes)
            self.plan = [(-1, tokens.ELEMENT)]
        elif role == tokens.ELEMENT and self.sites is not None:
            self.element = choice
            self.plan = [(-1, tokens.LETTER)] if choice != END else self._numbers()
        elif role == tokens.LETTER and self.sites is not None:
            self.sites.add(self.element, choice)
            self.plan = [(-1, tokens.ELEMENT)]
        elif role < tokens.COORDINATE:
            self.cell_levels.append(choice * FINE + fine)
        else:
            self.levels.append(choice * FINE + fine)

    def _numbers(self) -> list[tuple[int, int]]:
        """Return the steps that follow the list of sites."""
        assert self.sites is not None
        letters = [letter for _, letter in self.sites.chosen]
        cell = [(-1, role) for role in tokens.cell_roles(self.sites.group)]
        return cell + tokens.coordinate_roles(self.sites.group, letters)

    def _crystal(self) -> SymmetricCrystal:
        assert self.sites is not None
        return tokens.to_crystal(self.number, self.sites.chosen, self.cell_levels, self.levels, self.volumes)

    def finish(self) -> Drawn:
        """Return the crystal."""
        if self.reason:
            return Drawn(None, self.reason, self.logp)
        try:
            return Drawn(self._crystal(), '', self.logp)
        except ValueError:
            return Drawn(None, 'no_cell', self.logp)


def _only(size: int, choices: t.Sequence[int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[list(choices)] = True
    return mask
