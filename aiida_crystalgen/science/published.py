"""Published values of the benchmark table, with where they stand. They were made by their authors, not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WYFORMER = (
    'Kazeev et al. (WyFormer), ICML 2025, arXiv:2503.02407; notebook ICML_eval/MP_20_paper_eval.ipynb of '
    'SymmetryAdvantage/WyckoffTransformer, commit 507e8f1'
)
DIFFCSP = 'Jiao et al. (DiffCSP), NeurIPS 2023, arXiv:2309.04475, table of ab initio generation on MP-20'
CDVAE = 'Xie et al. (CDVAE), ICLR 2022, arXiv:2110.06197, values for MP-20 as DiffCSP quotes them'

SAME_REFERENCE = frozenset({'structure_cdvae', 'composition_cdvae'})
"""Metrics that need no known crystals, so that values from elsewhere mean the same."""


@dataclass(frozen=True)
class Published:
    """Values of one generator trained on MP-20, from one source."""

    generator: str
    values: Mapping[str, float]
    """By metric as in `benchmark`: shares of 1, distances in the unit of the property."""
    samples: str
    """What they were taken over."""
    source: str


# Sizes: the notebook takes shares over all crystals at hand, precision over 1,000 valid ones, unique and novel over
# 1,000; the known crystals are the test set of MP-20, for novelty its training and validation sets.
_ALL = 'all crystals at hand; precision over 1,000; known crystals: test set of MP-20'
_THOUSAND = '1,000 crystals, novel ones among the unique ones; known crystals: training and validation sets of MP-20'

TABLE = (
    Published(
        'diffcsp',
        {
            'structure_cdvae': 1.0, 'composition_cdvae': 0.8322, 'coverage_recall': 0.9982,
            'coverage_precision': 0.9684, 'density': 0.35, 'n_elements': 0.346,
        },
        _ALL,
        WYFORMER,
    ),
    Published('diffcsp', {'unique_of_compared': 0.996, 'novel_of_unique': 0.9137}, _THOUSAND, WYFORMER),
    Published('diffcsp', {'structure_cdvae': 1.0, 'composition_cdvae': 0.8325}, '10,000 crystals', DIFFCSP),
    Published(
        'crystalformer',
        {
            'structure_cdvae': 0.9339, 'composition_cdvae': 0.8498, 'coverage_recall': 0.9962,
            'coverage_precision': 0.9409, 'density': 0.19, 'n_elements': 0.128,
        },
        _ALL,
        WYFORMER,
    ),
    Published('crystalformer', {'unique_of_compared': 0.996, 'novel_of_unique': 0.8047}, _THOUSAND, WYFORMER),
    Published(
        'wyformer',
        {
            'structure_cdvae': 0.996, 'composition_cdvae': 0.814, 'coverage_recall': 0.9877,
            'coverage_precision': 0.9957, 'density': 0.39, 'n_elements': 0.081,
        },
        'about 1,000 genes decoded by PyXtal and relaxed with CHGNet; known crystals: test set of MP-20',
        WYFORMER,
    ),
    Published('wyformer', {'unique_of_compared': 0.999, 'novel_of_unique': 0.9179}, f'genes; {_THOUSAND}', WYFORMER),
    Published('mattergen', {'structure_cdvae': 0.9999, 'composition_cdvae': 0.8325}, _ALL, WYFORMER),
    Published('flowmm', {'structure_cdvae': 0.9687, 'composition_cdvae': 0.8311}, _ALL, WYFORMER),
    Published('diffcsp_pp', {'structure_cdvae': 0.9994, 'composition_cdvae': 0.8513}, _ALL, WYFORMER),
    Published('symmcd', {'structure_cdvae': 1.0, 'composition_cdvae': 0.8627}, _ALL, WYFORMER),
    Published('cdvae', {'structure_cdvae': 1.0, 'composition_cdvae': 0.867}, '10,000 crystals', CDVAE),
)  # fmt: skip


def published(generator: str) -> list[Published]:
    """Return what is published of a generator of this name, spelt in any way."""
    wanted = ''.join(letter for letter in generator.lower().replace('++', 'pp') if letter.isalnum())
    return [entry for entry in TABLE if entry.generator.replace('_', '') == wanted]
