"""Tests of the profile that does not tell some elements apart: ordered cuts of alloys, and exchanged elements."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import OrderDisorderElementComparator, StructureMatcher
from pymatgen.core import Lattice, Structure

from aiida_crystalgen.science import disorder, elements, novelty
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import COPIES, copy_of
from tests.science.examples import caesium_chloride, crystal, rocksalt

FCC = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
BCC = ((0, 0, 0), (0.5, 0.5, 0.5))
TETRAHEDRA = tuple((x + 0.25, y + 0.25, z + 0.25) for x, y, z in FCC)
OCTAHEDRA = tuple((x + 0.5, y, z) for x, y, z in FCC)

Site = Mapping[str, float]


def alloy(name: str, edge: float, *kinds: tuple[Site, Sequence[Any]]) -> Crystal:
    """Return a known cubic crystal of kinds of sites, each with its occupancies and fractional coordinates."""
    sites = [(site, place) for site, places in kinds for place in places]
    numbers = [disorder.number_of(min(site, key=lambda symbol: (-site[symbol], symbol))) for site, _ in sites]
    occupancies = json.dumps([site for site, _ in sites])
    return crystal(numbers, [place for _, place in sites], [edge] * 3, name, source=name, occupancies=occupancies)


A1_CUAU = alloy('A1 CuAu', 3.87, ({'Cu': 0.5, 'Au': 0.5}, FCC))
A1_CU3AU = alloy('A1 Cu3Au', 3.75, ({'Cu': 0.75, 'Au': 0.25}, FCC))
A1_FECO = alloy('A1 FeCo', 3.6, ({'Fe': 0.5, 'Co': 0.5}, FCC))
A2_FECO = alloy('A2 FeCo', 2.85, ({'Fe': 0.5, 'Co': 0.5}, BCC))
SIGE = alloy('SiGe', 5.55, ({'Si': 0.5, 'Ge': 0.5}, FCC + TETRAHEDRA))
ALGAAS = alloy('AlGaAs', 5.66, ({'Al': 0.5, 'Ga': 0.5}, FCC), ({'As': 1}, TETRAHEDRA))
MGFEO = alloy('MgFeO', 4.27, ({'Mg': 0.5, 'Fe': 0.5}, FCC), ({'O': 1}, OCTAHEDRA))
WUESTITE = alloy('Fe3O4', 4.3, ({'Fe': 0.75}, FCC), ({'O': 1}, OCTAHEDRA))

L10 = crystal([29, 79], BCC, [2.80, 2.80, 3.67], 'L1_0 CuAu')
L12 = crystal([79, 29, 29, 29], FCC, [3.75] * 3, 'L1_2 Cu3Au')
B2 = caesium_chloride('B2 FeCo', 2.86, (26, 27))
B3 = crystal([14] * 4 + [32] * 4, FCC + TETRAHEDRA, [5.54] * 3, 'B3 SiGe')
ALGAAS2 = crystal([13, 31, 31, 13] + [33] * 4, FCC + TETRAHEDRA, [5.66, 5.66, 5.64], 'AlGaAs2')
MGFEO2 = crystal([12, 26, 26, 12] + [8] * 4, FCC + OCTAHEDRA, [4.24, 4.24, 4.30], 'MgFeO2')
CUTS = [
    (L10, A1_CUAU, 'Au-Cu', 'Au and Cu'),
    (L12, A1_CU3AU, 'Au-Cu', 'Au and Cu'),
    (B2, A2_FECO, 'Co-Fe', 'Co and Fe'),
    (B3, SIGE, 'Ge-Si', 'Ge and Si'),
    (ALGAAS2, ALGAAS, 'Al-As-Ga', 'Al and Ga'),
    (MGFEO2, MGFEO, 'Fe-Mg-O', 'Fe and Mg'),
]
NO_CUTS = [(B2, A1_FECO), (rocksalt('FeO', numbers=(26, 8)), MGFEO), (rocksalt(), MGFEO), (L12, A2_FECO)]


def named(value: Any) -> str:
    """Return the name of a case."""
    return value.id if isinstance(value, Crystal) else ''


def look_up(one: Crystal, *known: Crystal, profile: str = 'disordered', **parameters: Any) -> dict[str, Any]:
    """Return the columns of a crystal against known ones; the reference is complete."""
    settings = {'profile': profile, 'known_partial': False, **parameters}
    columns = novelty.evaluate([one], settings, {'known': known, 'training': known})
    return {name: values[0] for name, values in columns.items()}


def plain_verdict(cut: Crystal, known: Crystal) -> bool:
    """Return whether pymatgen's matcher of ordered on disordered structures fits a cut on a supercell."""
    occupancies = json.loads(known.columns['occupancies'])
    parent = Structure(Lattice(known.cell), occupancies, known.positions, coords_are_cartesian=True)
    comparator = OrderDisorderElementComparator()
    matcher = StructureMatcher(0.2, 0.3, 5, attempt_supercell=True, allow_subset=True, comparator=comparator)
    fractions = cut.structure.composition.fractional_composition
    near = parent.composition.fractional_composition.almost_equals(fractions, rtol=0.1, atol=0.01)
    return bool(near and matcher.fit(parent, cut.structure))


@pytest.mark.parametrize(('cut', 'known', 'system', 'pair'), CUTS, ids=named)
def test_ordered_cut_of_a_known_alloy_is_recognised_and_it_is_said_why(
    cut: Crystal, known: Crystal, system: str, pair: str
) -> None:
    """Textbook orderings are no new crystals, however they are described, where their alloy is known."""
    rng = np.random.default_rng(0)
    for one in (cut, *(copy_of(cut, kind, rng) for kind in COPIES)):
        found = look_up(one, known)
        assert (found['novel_known'], found['matches_known']) == (False, known.id)
        assert found['novel_training'] is False
        words = f'ordered cut of {system} ({known.id}): {pair} share sites there ('
        assert found['known_disorder'].startswith(words)
        assert found['known_disorder'].endswith('); same composition')
    assert look_up(cut, known, profile='default')['novel_known'] is True
    assert plain_verdict(cut, known)


@pytest.mark.parametrize(('one', 'known'), NO_CUTS, ids=named)
def test_another_lattice_or_other_elements_are_no_cut(one: Crystal, known: Crystal) -> None:
    """A body-centred ordering is no cut of a face-centred alloy, and an oxide of one metal none of one of two."""
    found = look_up(one, known)
    assert (found['novel_known'], found['known_disorder'], found['novel_training']) == (True, None, True)
    assert not plain_verdict(one, known)


def test_another_composition_of_the_solid_solution_is_told_and_counts_on_request() -> None:
    """Cu3Au on the lattice of CuAu is novel unless the tolerance of the composition is raised."""
    found = look_up(L12, A1_CUAU)
    assert found['novel_known'] is True
    assert found['matches_known'] is None
    assert found['known_disorder'] == (
        'on the lattice of Au-Cu (A1 CuAu): Au and Cu share sites there (Au0.5Cu0.5); no cut of it as atomic fractions '
        'differ by up to 0.25'
    )
    assert look_up(L12, A1_CUAU, composition_tolerance=2)['novel_known'] is False
    assert look_up(L12, A1_CUAU, A1_CU3AU)['matches_known'] == 'A1 Cu3Au'


def test_distorted_cut_is_laid_over_its_alloy_as_a_supercell() -> None:
    """Oxygen 0.35 A off its places hides the primitive cell of the parent and not the parent."""
    shifted = [*FCC, *((x, y, z + 0.082 * (-1) ** i) for i, (x, y, z) in enumerate(OCTAHEDRA))]
    distorted = crystal(MGFEO2.numbers, shifted, [4.24, 4.24, 4.30], 'a')
    merged = crystal([12] * 4 + [8] * 4, shifted, [4.24, 4.24, 4.30])
    assert len(merged.primitive) > 2
    assert look_up(distorted, MGFEO)['matches_known'] == 'MgFeO'


def test_ordered_vacancies_are_a_cut_and_filled_ones_another_composition() -> None:
    """With a quarter of the iron sites empty, Fe3O4 of rocksalt is known, and FeO only lies on its lattice."""
    cut = crystal([26] * 3 + [8] * 4, FCC[:3] + OCTAHEDRA, [4.3] * 3)
    found = look_up(cut, WUESTITE)
    assert found['matches_known'] == 'Fe3O4'
    assert 'atoms and vacancies share sites there (Fe0.75)' in found['known_disorder']
    filled = look_up(rocksalt('a', 4.3, (26, 8)), WUESTITE)
    assert filled['novel_known'] is True
    assert filled['known_disorder'].startswith('on the lattice of Fe-O (Fe3O4)')


def zintl(numbers: tuple[int, int]) -> Crystal:
    """Return the other ordering of two elements on a body-centred lattice, B32 (NaTl)."""
    first = {(x, y, z) for x, y, z in FCC + TETRAHEDRA}
    places = [(x + dx, y + dy, z + dz) for dx, dy, dz in [(0, 0, 0), (0.5, 0.5, 0.5)] for x, y, z in first]
    return crystal([numbers[0]] * 8 + [numbers[1]] * 8, places, [5.7] * 3, 'B32', source='mp-2')


def test_crystal_with_similar_elements_exchanged_is_known_and_it_is_said_why() -> None:
    """B2 FeCo differs from B32 FeCo in which of two similar metals sits where."""
    found = look_up(B2, zintl((26, 27)))
    assert (found['novel_known'], found['matches_known'], found['nearest_known']) == (False, 'mp-2', 'mp-2')
    assert found['known_disorder'] == (
        'same crystal as mp-2 but for which of Fe and Co (radii 1.40 and 1.35 A, electronegativities 1.83 and 1.88) '
        'sits where'
    )


def test_crystal_with_dissimilar_elements_exchanged_is_novel() -> None:
    """Sodium and chlorine cannot take each other's place: NaCl of CsCl type is no NaCl of NaTl type."""
    found = look_up(caesium_chloride('a', 2.86, (11, 17)), zintl((11, 17)))
    assert (found['novel_known'], found['known_disorder'], found['nearest_known']) == (True, None, 'mp-2')


@pytest.mark.parametrize(
    ('first', 'second', 'verdict'),
    [(29, 79, True), (14, 32, True), (13, 31, True), (11, 17, False), (55, 17, False), (2, 10, False), (96, 96, False)],
)
def test_rule_of_substitution(first: int, second: int, verdict: bool) -> None:
    """Similar radius and electronegativity are both needed, and unknown ones are not similar."""
    assert elements.substitute(first, second) is verdict


def test_all_of_a_group_substitute_each_other() -> None:
    """Where a chain of similar elements has dissimilar ends there are several groupings, each as coarse as can be."""
    assert elements.substitutable_groups((8, 12, 26)) == [((12, 26),)]
    assert elements.substitutable_groups((8, 55)) == []
    chain = (3, 11, 19)  # Li 1.45, Na 1.80, K 2.20 A
    assert [elements.substitute(*pair) for pair in ((3, 11), (11, 19), (3, 19))] == [True, True, False]
    assert sorted(elements.substitutable_groups(chain)) == [((3, 11),), ((11, 19),)]


@pytest.mark.parametrize('text', ['[{"Cu":0.5}', '[{"Xx":1}]', '[{"Cu":1},{"Cu":1}]', '[1]'])
def test_unreadable_occupancies_are_a_sentence(text: str) -> None:
    """A reference set that does not say what sits where is refused with the name of the crystal."""
    with pytest.raises(ValueError, match='known crystal `z`'):
        look_up(L10, crystal([29], [[0, 0, 0]], [3] * 3, 'z', occupancies=text))
