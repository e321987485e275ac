"""Coverage: how many generated crystals lie near a known one, and how many known ones near a generated one.

After Xie et al. (CDVAE, arXiv:2110.06197) and Jiao et al. (DiffCSP, arXiv:2309.04475). Two crystals are near when both
the fingerprints of their structures (mean over the sites of CrystalNN's order parameters) and those of their
compositions (Magpie features, scaled) lie within a cutoff; each may have its own nearest neighbour. A crystal without
a fingerprint counts, and is near to none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crystal import Crystal
from .magpie_scale import DEVIATIONS, MEANS

STRUCTURE_CUTOFF = 0.4
"""Largest distance of two structures; the value published for MP-20."""

COMPOSITION_CUTOFF = 10.0
"""Largest distance of two compositions, in standard deviations; the value published for MP-20."""

SYMPREC = 0.01
"""Tolerance [A] within which sites are equal, so that one of them is looked at (spglib)."""

ROWS_AT_ONCE = 1000
"""Rows of a matrix of distances that are held in memory."""

Vector = NDArray[np.float64]


class MissingLibraryError(Exception):
    """The library that the fingerprints need is not installed."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What two crystals are compared by."""

    structure: Vector
    """Mean over the sites of the order parameters of their surroundings, shape (61,)."""
    composition: Vector
    """Scaled Magpie features, shape (132,)."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Which crystals are near to the other side."""

    precision: NDArray[np.bool_]
    """Whether each generated crystal lies near a known one, shape (n_generated,)."""
    recall: NDArray[np.bool_]
    """Whether each known crystal lies near a generated one, shape (n_known,)."""


def fingerprints(crystals: Sequence[Crystal], progress: Callable[[int], Any] | None = None) -> list[Fingerprint | None]:
    """Return the fingerprint of each crystal, None where it has none.

    Args:
        crystals: any crystals, faulty ones too.
        progress: called after each crystal with how many are done.

    Raises:
        MissingLibraryError: if matminer is not installed.
    """
    _featurizers()
    found = []
    for number, crystal in enumerate(crystals, start=1):
        found.append(_fingerprint(crystal))
        if progress is not None:
            progress(number)
    return found


def _fingerprint(crystal: Crystal) -> Fingerprint | None:
    if crystal.fault is not None:
        return None
    sites, compositions = _featurizers()
    # CrystalNN warns of each crystal without oxidation states, Magpie of each element without a value.
    with warnings.catch_warnings(action='ignore'):
        try:
            chosen, weights = _inequivalent(crystal)
            rows = [sites.featurize(crystal.structure, site) for site in chosen]
            features = np.array(compositions.featurize(crystal.composition), dtype=float)
        except Exception:
            return None
    structure = np.average(np.array(rows, dtype=float), axis=0, weights=weights)
    scaled = (features - np.array(MEANS)) / np.array(DEVIATIONS)
    # What an element has no value of is taken for the mean, as published.
    return Fingerprint(structure, np.nan_to_num(scaled, nan=0.0)) if np.isfinite(structure).all() else None


def _inequivalent(crystal: Crystal) -> tuple[list[int], NDArray[np.int64]]:
    """Return one site of each orbit with the number of its sites: a mean over them is that over all sites."""
    import spglib

    structure = crystal.structure
    dataset = spglib.get_symmetry_dataset((structure.lattice.matrix, structure.frac_coords, crystal.numbers), SYMPREC)
    equivalent = np.arange(len(structure)) if dataset is None else dataset.equivalent_atoms
    chosen, counts = np.unique(equivalent, return_counts=True)
    return chosen.tolist(), counts


@cache
def _featurizers() -> tuple[Any, Any]:
    """Return matminer's featurizers of sites and of compositions.

    Raises:
        MissingLibraryError: if it is not installed.
    """
    try:
        with warnings.catch_warnings(action='ignore'):
            from matminer.featurizers.composition.composite import (
                ElementProperty,
            )
            from matminer.featurizers.site.fingerprint import (
                CrystalNNFingerprint,
            )

            return CrystalNNFingerprint.from_preset('ops'), ElementProperty.from_preset('magpie')
    except ImportError as error:
        raise MissingLibraryError(
            "coverage needs matminer, which is not installed: `pip install 'aiida-crystalgen[metrics]'`"
        ) from error


def coverage(
    generated: Sequence[Fingerprint | None],
    known: Sequence[Fingerprint | None],
    structure_cutoff: float = STRUCTURE_CUTOFF,
    composition_cutoff: float = COMPOSITION_CUTOFF,
) -> Coverage:
    """Return which generated crystals are near to a known one and the reverse; without a fingerprint: to none."""
    precision, recall = np.zeros(len(generated), bool), np.zeros(len(known), bool)
    here = [i for i, entry in enumerate(generated) if entry is not None]
    there = [i for i, entry in enumerate(known) if entry is not None]
    if here and there:
        sides = ([generated[i] for i in here], [known[i] for i in there])
        precision[here] = recall[there] = True
        for name, cutoff in (('structure', structure_cutoff), ('composition', composition_cutoff)):
            of_generated, of_known = _nearest(*sides, name)
            precision[here] &= of_generated <= cutoff
            recall[there] &= of_known <= cutoff
    return Coverage(precision, recall)


def _nearest(first: Sequence[Any], second: Sequence[Any], name: str) -> tuple[Vector, Vector]:
    """Return the distance of each entry of two sets to the nearest of the other."""
    from scipy.spatial.distance import cdist

    rows, columns = (np.array([getattr(entry, name) for entry in side]) for side in (first, second))
    of_rows, of_columns = [], np.full(len(columns), np.inf)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        distances = cdist(rows[start : start + ROWS_AT_ONCE], columns)
        of_rows.append(distances.min(axis=1))
        of_columns = np.minimum(of_columns, distances.min(axis=0))
    return np.concatenate(of_rows), of_columns
