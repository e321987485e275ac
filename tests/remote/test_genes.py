"""Wyckoff genes become crystals, with the real PyXtal."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GENES = ROOT.parent / 'shared' / 'data' / 'generators' / 'wyformer' / 'wyformer_ioi8tycx.json.gz'
SETTINGS = {'volume_factor': (0.8, 1.4), 'min_distance_factor': 0.65, 'tries': 10}
ROCK_SALT = {'group': 225, 'sites': [['4a'], ['4b']], 'species': ['Mg', 'O'], 'numIons': [4, 4]}
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves

if str(ROOT / 'aiida_crystalgen' / 'remote') not in sys.path:
    sys.path.append(str(ROOT / 'aiida_crystalgen' / 'remote'))
genes = importlib.import_module('genes')


def as_structure(crystal: dict):
    """Return a crystal as a pymatgen Structure."""
    from pymatgen.core import Structure

    return Structure(crystal['cell'], crystal['numbers'], crystal['positions'], coords_are_cartesian=True)


def test_a_gene_is_told_by_its_sites():
    """The sites as a text, and the atoms of the primitive cell."""
    assert genes.label(ROCK_SALT) == 'Mg:4a O:4b'
    assert genes.primitive_atoms(ROCK_SALT) == 2


def test_seed_alone_decides():
    """The same seed gives the same crystal to the last digit, another one another."""
    first, again, other = (genes.decode(ROCK_SALT, SETTINGS, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    assert first == again
    assert first != other


def test_drawn_genes_become_crystals_of_their_formula():
    """Genes that WyFormer drew: formula, space group (or a higher one), right-handed cells."""
    if not GENES.exists():
        pytest.skip('the shared data are not there')
    with gzip.open(GENES, 'rt') as handle:
        drawn = json.load(handle)[:20]
    from pymatgen.core import Composition

    for number, gene in enumerate(drawn):
        crystal, tries = genes.decode(gene, SETTINGS, number)
        assert 1 <= tries <= 10
        found = as_structure(crystal)
        formula = Composition(dict(zip(gene['species'], gene['numIons'], strict=True))).reduced_formula
        assert found.composition.reduced_formula == formula
        assert len(found) <= genes.primitive_atoms(gene)
        assert np.linalg.det(crystal['cell']) > 0


def test_distances_are_kept():
    """Magnesium and oxygen are no nearer than the factor times the sum of their covalent radii, 1.41 + 0.66 A."""
    crystal, _ = genes.decode(ROCK_SALT, {**SETTINGS, 'min_distance_factor': 0.9}, 1)
    edge = as_structure(crystal).get_distance(0, 1)
    assert edge > 0.9 * (1.41 + 0.66) - 0.1


def test_a_gene_without_room_is_given_up():
    """Cells far too small, even the last of them: no crystal after the tries."""
    crystal, tries = genes.decode(ROCK_SALT, {**SETTINGS, 'volume_factor': (0.01, 0.01), 'tries': 3}, 1)
    assert crystal is None
    assert tries == 3


def test_each_try_has_a_larger_cell():
    """Cells that are too small at first are in the end large enough."""
    crystal, tries = genes.decode(ROCK_SALT, {**SETTINGS, 'volume_factor': (0.1, 0.1), 'tries': 40}, 1)
    assert crystal is not None
    assert tries > 5
