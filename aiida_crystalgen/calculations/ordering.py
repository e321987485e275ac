"""Ordered representatives of disordered crystals, by pymatgen: deterministic, and never a crash."""

from __future__ import annotations

import collections
import itertools
import math
import typing as t
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Site = Mapping[str, float]

# How far the share of an element may be from the one stated: published occupancies have two or three digits.
SHARE_TOLERANCE: t.Final = 0.005
# From so many ways to distribute the atoms on, the best one is not searched for but built atom by atom.
MOST_WAYS: t.Final = 5_000
_SAME_CHARGE: t.Final = 1e-6


class OrderingError(ValueError):
    """Why a disordered crystal has no ordered representative."""


@dataclass(frozen=True)
class Kind:
    """Sites that are occupied alike.

    :param shares: of each element; the rest is vacancy.
    :param places: numbers of the sites in the cell.
    """

    shares: dict[str, float]
    places: list[int]

    def counts(self, size: int) -> dict[str, int]:
        """Return the number of atoms of each element in so many cells."""
        return {name: round(share * self.total(size)) for name, share in self.shares.items()}

    def total(self, size: int) -> int:
        """Return the number of sites in so many cells."""
        return len(self.places) * size

    def fits(self, size: int) -> bool:
        """Say whether so many cells hold whole numbers of atoms; an element or a vacancy that vanishes does not fit."""
        counts, total = self.counts(size), self.total(size)
        if any(abs(counts[name] / total - share) > SHARE_TOLERANCE or not counts[name] for name, share in self.pairs):
            return False
        return sum(counts.values()) < total if self.is_vacant else sum(counts.values()) == total

    @property
    def pairs(self) -> list[tuple[str, float]]:
        """The elements with their shares."""
        return list(self.shares.items())

    @property
    def is_vacant(self) -> bool:
        """Whether some of the sites are empty."""
        return sum(self.shares.values()) < 1 - SHARE_TOLERANCE

    def ways(self, size: int) -> int:
        """Return in how many ways the atoms can be distributed over the sites."""
        ways, left = 1, self.total(size)
        for n in self.counts(size).values():
            ways, left = ways * math.comb(left, n), left - n
        return ways


def ordered(row: Mapping[str, t.Any], sites: Sequence[Site], max_atoms: int) -> dict[str, t.Any]:
    """Return `numbers`, `positions` [Å] and `cell` [Å] of an ordered representative.

    It is the smallest supercell in which all occupancies are whole numbers of atoms, with the lowest electrostatic
    energy of the oxidation states that its formula suggests; where these say nothing of a site, atoms keep away from
    their own kind.

    :param sites: for each site the shares of its elements; the rest is vacancy.
    :raises OrderingError: with a sentence, where there is none.
    """
    from pymatgen.core import Lattice, Species, Structure
    from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation as Ordering

    kinds = _kinds(sites)
    size = _size(kinds, len(sites), max_atoms)
    crystal = Structure(Lattice(row['cell']), list(sites), row['positions'], coords_are_cartesian=True)
    # The sites keep their order: each one becomes `size` in a row.
    crystal.make_supercell(_shape(np.asarray(row['cell'], float), size))
    states = _states(kinds, size)
    for kind in kinds:
        charges = _charges(kind, size, states)
        species = {Species(name, charges[name]): n / kind.total(size) for name, n in kind.counts(size).items()}
        for place in kind.places:
            for index in range(place * size, (place + 1) * size):
                crystal[index].species = species
    few = math.prod(kind.ways(size) for kind in kinds) <= MOST_WAYS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = Ordering(algo=Ordering.ALGO_FAST if few else Ordering.ALGO_BEST_FIRST).apply_transformation(crystal)
    except (ArithmeticError, IndexError, ValueError, RecursionError) as error:
        raise OrderingError(f'no ordered representative was found ({type(error).__name__}: {error})') from error
    numbers = [site.specie.Z for site in found]
    return {'numbers': numbers, 'positions': found.cart_coords, 'cell': found.lattice.matrix}


def _kinds(sites: Sequence[Site]) -> list[Kind]:
    """Return the different occupations with the sites that have them."""
    found: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for place, site in enumerate(sites):
        found.setdefault(tuple(sorted((name, round(share, 4)) for name, share in site.items())), []).append(place)
    return [Kind(dict(key), places) for key, places in found.items()]


def _size(kinds: Sequence[Kind], n_sites: int, max_atoms: int) -> int:
    """Return the smallest number of cells in which all occupancies are whole numbers of atoms."""
    for size in range(1, max_atoms // n_sites + 1):
        if all(kind.fits(size) for kind in kinds):
            return size
    raise OrderingError(f'no supercell of at most {max_atoms} sites makes its occupancies whole numbers of atoms')


def _shape(cell: t.Any, size: int) -> list[int]:
    """Return how often the cell is repeated along its vectors, so that the edges of the supercell differ least."""
    edges = np.linalg.norm(cell, axis=1)
    pairs = itertools.product(range(1, size + 1), repeat=2)
    shapes = [(a, b, size // (a * b)) for a, b in pairs if size % (a * b) == 0]
    return list(min(shapes, key=lambda shape: (round(float(np.ptp(edges * shape)), 6), shape)))


def _states(kinds: Sequence[Kind], size: int) -> dict[str, float]:
    """Return the likeliest oxidation states of the elements, empty for alloys and where the formula suggests none."""
    from pymatgen.core import Composition, Element

    total: collections.Counter[str] = collections.Counter()
    for kind in kinds:
        total.update(kind.counts(size))
    if all(Element(name).is_metal for name in total):
        return {}
    try:
        guesses = Composition(total).oxi_state_guesses(max_sites=-1)
    except (ValueError, KeyError):
        return {}
    return {str(name): float(state) for name, state in guesses[0].items()} if guesses else {}


def _charges(kind: Kind, size: int, states: Mapping[str, float]) -> dict[str, float]:
    """Return a charge for each element of one kind of site, by which the minimiser tells them apart."""
    charges = {name: states.get(name, 0.0) for name in kind.shares}
    present = {*charges.values(), *([0.0] if kind.is_vacant else [])}
    if (len(charges) == 1 and not kind.is_vacant) or len(present) > 1:
        return charges
    counts = kind.counts(size)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    mean = sum(place * counts[name] for place, name in enumerate(names)) / sum(counts.values())
    # Vacancies are left as they are: the atoms then keep away from each other.
    return {name: charges[name] + (place - mean if len(names) > 1 else 1.0) for place, name in enumerate(names)}
