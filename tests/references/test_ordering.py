"""Ordered representatives of disordered crystals."""

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from aiida_crystalgen.calculations.ordering import OrderingError, ordered

from .examples import CU3AU, HALF


def fcc(**shares):
    """Return a face-centred crystal with mixed sites."""
    return Structure.from_spacegroup('Fm-3m', Lattice.cubic(3.8), [shares], [[0, 0, 0]])


def order(structure, max_atoms=64):
    """Return the representative as a Structure."""
    sites = [{species.symbol: float(share) for species, share in site.species.items()} for site in structure]
    found = ordered({'cell': structure.lattice.matrix, 'positions': structure.cart_coords}, sites, max_atoms)
    return Structure(found['cell'], found['numbers'], found['positions'], coords_are_cartesian=True)


CUAU = Structure(Lattice.tetragonal(3.8 / 2**0.5, 3.8), ['Cu', 'Au'], [[0, 0, 0], [0.5, 0.5, 0.5]])
CUBE = Lattice.cubic(2.8)
B2 = [[0, 0, 0], [0.5, 0.5, 0.5]]


@pytest.mark.parametrize(
    ('disordered', 'expected'),
    [
        (CU3AU, Structure(CU3AU.lattice, ['Au', 'Cu', 'Cu', 'Cu'], CU3AU.frac_coords)),
        (fcc(Cu=0.5, Au=0.5), CUAU),
        (
            Structure(Lattice.cubic(2.8), [{'Fe': 0.5, 'Co': 0.5}] * 2, B2),
            Structure(Lattice.cubic(2.8), ['Fe', 'Co'], B2),
        ),
    ],
    ids=['L1_2', 'L1_0', 'B2'],
)
def test_textbook_alloys(disordered, expected):
    """Without oxidation states unlike atoms become neighbours, and the ordered alloys of textbooks come out."""
    found = order(disordered)
    assert found.composition.reduced_formula == expected.composition.reduced_formula
    assert StructureMatcher(scale=False).fit(found, expected)


def test_smallest_supercell_with_vacancies():
    """Half a sodium a cell needs two cells; what is left of a site stays empty."""
    found = order(HALF)
    assert found.formula == 'Na1 Cl2'
    assert found.volume == pytest.approx(2 * HALF.volume)


def test_charges_decide_where_they_differ():
    """In half-filled rutile-like rows, ions of high charge keep away from each other, as electrostatics wants."""
    chain = Structure(Lattice.orthorhombic(9, 9, 2), [{'Li': 0.5, 'Al': 0.5}, 'O'], [[0] * 3, [0.5, 0.5, 0.5]])
    found = order(chain * (1, 1, 4))
    heights = sorted(site.coords[2] % found.lattice.c for site in found if site.specie.symbol == 'Al')
    assert np.allclose(np.diff(heights), 4.0)


def test_rounded_shares_are_whole_numbers():
    """A third with two digits is a third."""
    assert order(fcc(Cu=0.33, Au=0.67)).composition.get_atomic_fraction('Cu') == pytest.approx(1 / 3)


@pytest.mark.parametrize(('shares', 'max_atoms'), [({'Cu': 0.987, 'Au': 0.013}, 40), ({'Cu': 0.5, 'Au': 0.5}, 3)])
def test_no_supercell_is_small_enough(shares, max_atoms):
    """A share that needs more atoms than allowed is a sentence, and so is a cell that is larger by itself."""
    with pytest.raises(OrderingError, match=f'no supercell of at most {max_atoms} sites'):
        order(fcc(**shares), max_atoms)


def test_the_same_every_time():
    """Five elements in a supercell of 20 atoms are placed alike every time, and quickly."""
    alloy = fcc(Cr=0.2, Mn=0.2, Fe=0.2, Co=0.2, Ni=0.2)
    first, second = order(alloy), order(alloy)
    assert np.array_equal(first.cart_coords, second.cart_coords)
    assert first.atomic_numbers == second.atomic_numbers
    assert set(first.composition.values()) == {4}


def test_many_ways_are_not_tried_one_by_one():
    """Half of 64 sites can be chosen in 10^18 ways; the answer comes at once and has the right composition."""
    found = order(fcc(Cu=0.5, Au=0.5) * (2, 2, 4))
    assert found.formula == 'Cu32 Au32'
