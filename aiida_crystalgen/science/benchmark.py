"""The benchmark table of generated crystals: shares with intervals, distances of distributions, spread over subsets.

Definitions of Xie et al. (CDVAE, arXiv:2110.06197) where `cdvae` is in a name, else of this package. Every share is one
of all crystals requested: a crystal that was never made, or has no atoms, has failed. What was not judged is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .composition import smact_verdict
from .crystal import Crystal, composition_of
from .metrics import wilson
from .validity import CDVAE_DISTANCE

SUBSETS = 10
"""Number of disjoint subsets over which the spread is taken."""

LEAST_IN_SUBSET = 10
"""Crystals that each subset must have, else no spread is given."""

GRAMS = 1.66053906660
"""Density [g/cm^3] of 1 u in 1 A^3 (CODATA 2018)."""

OXIDATION_STATES = 'smact14'
"""Oxidation states of SMACT's first release, those of the literature since CDVAE."""


@dataclass(frozen=True)
class Samples:
    """What is known of all N crystals that were requested from one generator."""

    n: int
    verdicts: Mapping[str, Sequence[bool | None]] = field(default_factory=dict)
    """Verdicts on each crystal by name, None where there is none."""
    groups: Sequence[str | None] = ()
    """For each crystal the id of the representative of its group of equal ones, None where it was not compared."""
    novel: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether each representative is novel, None where that was not tested."""
    numbers: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Properties of each crystal whose distribution is compared, by name."""


@dataclass(frozen=True)
class Share:
    """A share of the crystals requested, None where nothing was judged."""

    count: int | None
    n: int
    unknown: int = 0
    """Crystals without a verdict: they count as not passing."""
    mean: float | None = None
    """Mean of the shares of disjoint subsets."""
    deviation: float | None = None
    """Standard deviation of the shares of disjoint subsets."""

    @property
    def rate(self) -> float | None:
        """The share, None where it is unknown."""
        return self.count / self.n if self.count is not None and self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson interval of 95 %, None where the share is unknown."""
        return wilson(self.count, self.n) if self.count is not None and self.n else None


@dataclass(frozen=True)
class Distance:
    """Wasserstein distance of a distribution to that of the known crystals, None where there is nothing to compare."""

    value: float | None
    n: int
    """Number of generated crystals that have the property."""
    mean: float | None = None
    """Mean of the distances of disjoint subsets; the smaller a subset, the larger its distance."""
    deviation: float | None = None
    """Standard deviation of the distances of disjoint subsets."""


def structure_valid(crystal: Crystal) -> bool:
    """Return CDVAE's structural validity: V > 0.1 A^3, and different atoms at least 0.5 A apart.

    Distances are those of the nearest images; an atom and its own image are not looked at.
    """
    if crystal.fault is not None:
        return False
    shortest = crystal.columns.get('min_distance')
    if shortest is not None and shortest >= CDVAE_DISTANCE:
        return True
    matrix = crystal.structure.distance_matrix
    return bool((matrix[~np.eye(len(matrix), dtype=bool)] >= CDVAE_DISTANCE).all())


def composition_valid(crystal: Crystal) -> bool | None:
    """Return CDVAE's compositional validity: SMACT with the alloy rule; None where the search would be too long."""
    if crystal.fault in ('no_atoms', 'unknown_element'):
        return False
    return smact_verdict(crystal.composition_key, alloys=True, oxidation_states=OXIDATION_STATES)


def density(crystal: Crystal) -> float | None:
    """Return the mass density [g/cm^3], None for what is no crystal."""
    if crystal.fault is not None:
        return None
    reduced = composition_of(crystal.composition_key)
    per_atom = float(reduced.weight) / float(reduced.num_atoms)
    return GRAMS * per_atom * crystal.n_sites / crystal.volume


def n_elements(crystal: Crystal) -> int | None:
    """Return the number of elements, None for a row without atoms."""
    return len(set(crystal.numbers.tolist())) or None


def both(first: bool | None, second: bool | None) -> bool | None:
    """Return whether two verdicts hold; one that fails settles it."""
    if first is False or second is False:
        return False
    return None if first is None or second is None else True


def subsets(n: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Return the rows of disjoint random subsets of equal size; none where they would be too small."""
    size = n // SUBSETS
    if size < LEAST_IN_SUBSET:
        return []
    order = np.random.default_rng(seed).permutation(n)
    return [order[start * size : (start + 1) * size] for start in range(SUBSETS)]


def shares(samples: Samples) -> dict[str, Share]:
    """Return the share of every verdict, and those of unique, and of unique and novel crystals.

    `unique` counts groups of equal crystals, `unique_novel` those of them that are novel; groups whose novelty was not
    tested count as not novel there, and as novel in `unique_novel_or_untested`. The literature gives uniqueness as a
    share of the crystals that were compared (`unique_of_compared`), and novelty as one of the groups
    (`novel_of_unique`).
    """
    found = {name: _share(samples.n, _counter(verdicts)) for name, verdicts in samples.verdicts.items()}
    unique = _share(samples.n, _group_counter(samples.groups, samples.novel, lambda novel: True))
    found['unique'] = replace(unique, unknown=0)
    found['unique_of_compared'] = _unique_of_compared(samples.groups)
    # Where no novelty was tested, there is no share of it.
    groups = samples.groups if any(value is not None for value in samples.novel.values()) else ()
    found['unique_novel'] = _share(samples.n, _group_counter(groups, samples.novel, lambda novel: novel is True))
    either = _share(samples.n, _group_counter(groups, samples.novel, lambda novel: novel is not False))
    found['unique_novel_or_untested'] = either
    found['novel_of_unique'] = Share(either.count, found['unique'].count or 0, either.unknown)
    return found


def _unique_of_compared(groups: Sequence[str | None]) -> Share:
    """Return the number of groups as a share of the crystals that are in one."""

    def counts(rows: Sequence[int] | NDArray[np.int64]) -> tuple[int, int]:
        known = [group for row in rows if (group := groups[row]) is not None]
        return len(set(known)), len(known)

    count, n = counts(range(len(groups)))
    parts = [part / whole for rows in subsets(len(groups)) for part, whole in [counts(rows)] if whole]
    return Share(count, n, 0, *spread(parts)) if n else Share(None, 0)


Counter = Callable[[Sequence[int] | NDArray[np.int64]], tuple[int | None, int]]


def _share(n: int, counter: Counter) -> Share:
    """Return a share with its spread from a function that counts successes and unknown ones among some rows."""
    count, unknown = counter(range(n))
    if count is None:
        return Share(None, n, unknown)
    parts = [float(counter(rows)[0] or 0) / len(rows) for rows in subsets(n)]
    return Share(count, n, unknown, *spread(parts))


def _counter(verdicts: Sequence[bool | None]) -> Counter:
    known = any(verdict is not None for verdict in verdicts)

    def count(rows: Sequence[int] | NDArray[np.int64]) -> tuple[int | None, int]:
        chosen = [verdicts[row] for row in rows]
        return (chosen.count(True) if known else None), chosen.count(None)

    return count


def _group_counter(
    groups: Sequence[str | None], novel: Mapping[str, bool | None], counts: Callable[[bool | None], bool]
) -> Counter:
    known = any(group is not None for group in groups)

    def count(rows: Sequence[int] | NDArray[np.int64]) -> tuple[int | None, int]:
        if not known:
            return None, 0
        chosen = {group for row in rows if (group := groups[row]) is not None}
        untested = sum(novel.get(group) is None for group in chosen)
        return sum(counts(novel.get(group)) for group in chosen), untested

    return count


def distances(samples: Samples, known: Mapping[str, Sequence[float]]) -> dict[str, Distance]:
    """Return the Wasserstein distance of each property to the known crystals.

    Compared are crystals with the verdict `valid_cdvae`, as the literature does.
    """
    chosen = samples.verdicts.get('valid_cdvae', [None] * samples.n)
    found = {}
    for name, values in samples.numbers.items():
        kept = [value if verdict else None for value, verdict in zip(values, chosen, strict=True)]
        found[name] = _distance(kept, known.get(name, ()))
    return found


def _distance(values: Sequence[float | None], known: Sequence[float]) -> Distance:
    from scipy.stats import wasserstein_distance

    whole = [value for value in values if value is not None]
    if not whole or not len(known):
        return Distance(None, len(whole))
    parts = [[value for row in rows if (value := values[row]) is not None] for rows in subsets(len(values))]
    spreads = [float(wasserstein_distance(part, known)) for part in parts if part]
    return Distance(float(wasserstein_distance(whole, known)), len(whole), *spread(spreads))


def spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation, None of fewer than two values."""
    if len(values) < 2:
        return None, None
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def known_numbers(crystals: Sequence[Crystal]) -> dict[str, list[float]]:
    """Return the properties of known crystals whose distributions are compared."""
    properties: dict[str, Callable[[Crystal], Any]] = {'density': density, 'n_elements': n_elements}
    return {
        name: [float(value) for crystal in crystals if (value := function(crystal)) is not None]
        for name, function in properties.items()
    }
