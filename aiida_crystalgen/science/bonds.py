"""Bond valences, Pauling's second rule and coordination: evidence on ionic crystals, unknown for all others."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .composition import bonding_class
from .crystal import Crystal, as_columns, with_defaults

if TYPE_CHECKING:
    from pymatgen.core import Structure

ABOUT = {
    'name': 'bonds',
    'kind': 'criterion',
    'summary': 'Valences by bond lengths, global instability index, Pauling\'s second rule and coordination numbers of '
    'ionic crystals; not applicable, so unknown, to others. Evidence: none of it tells made crystals from others.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'O\'Keeffe, Brese, Atom sizes and bond lengths in molecules and crystals, J. Am. Chem. Soc. 113, 3226 (1991), '
        'doi:10.1021/ja00009a002',
        'Salinas-Sanchez, Garcia-Munoz, Rodriguez-Carvajal, Saez-Puche, Martinez, J. Solid State Chem. 100, 201 '
        '(1992), doi:10.1016/0022-4596(92)90094-C',
        'Pauling, The principles determining the structure of complex ionic crystals, J. Am. Chem. Soc. 51, 1010 '
        '(1929), doi:10.1021/ja01379a006',
        'Pan, Ganose, Horton, Aykol, Persson, Zimmermann, Jain, Benchmarking Coordination Number Prediction '
        'Algorithms on Inorganic Crystal Structures, Inorg. Chem. 60, 1590 (2021), doi:10.1021/acs.inorgchem.0c02996',
    ],
    'install': 'pymatgen smact spglib',
    'requires': ['numpy', 'pymatgen', 'smact', 'spglib'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'max_sites': {
            'type': 'int', 'default': 80, 'unit': '', 'minimum': 1,
            'help': 'Primitive cells with more atoms are not looked at: the time grows with them.',
        },
    },
    'conditions': {},
    'columns': {
        'valences_found': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether bond lengths give every site a valence such that the cell is neutral (pymatgen\'s '
            'BVAnalyzer); unknown for other than ionic crystals and for elements without parameters.',
        },
        'valences': {
            'kind': 'text', 'unit': '', 'level': '', 'help': 'These valences by element, as `Ti+4 Ba+2 O-2`.',
        },
        'instability_index': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'valence units', 'level': '',
            'help': 'Global instability index: root mean square over the sites of the sum of bond valences (neighbours '
            'to 4 A, parameters of O\'Keeffe and Brese) minus the valence; larger for strained crystals.',
        },
        'pauling2_deviation': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Mean over the anions of |sum of v/CN of the cations that have it as a neighbour - its valence| / '
            'its valence (neighbours of cations by CrystalNN). Pauling\'s second rule says 0; it holds within 0.1 for '
            'fewer than half of the crystals of the Materials Project.',
        },
        'coordination': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Coordination numbers of the cations by anions (CrystalNN), as `Ba12 Ti6`; `Fe4,6` for two kinds.',
        },
    },
}  # fmt: skip

NEIGHBOURHOOD = 4.0
"""Distance to which bond valences are added up [A]."""

MAX_PERMUTATIONS = 10_000
"""Most combinations of valences that are tried: about 0.5 s."""

SYMMETRY = 0.1
"""Distance within which sites count as equivalent [A], as BVAnalyzer takes it."""

_NO_PARAMETERS = 'not in set of BV parameters'


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return valences, instability index [valence units], deviation from Pauling's rule and coordination."""
    settings = with_defaults(ABOUT, parameters)
    return as_columns(ABOUT, [_found(crystal, settings['max_sites']) for crystal in crystals])


def _found(crystal: Crystal, max_sites: int) -> dict[str, Any]:
    """Return what is known of the bonds of one crystal."""
    if crystal.fault is not None or bonding_class(crystal.composition_key) != 'ionic':
        return {}
    cell = crystal.primitive
    if cell is None or len(cell) > max_sites:
        return {}
    # pymatgen warns of elements without an electronegativity and of guesses that it makes.
    with warnings.catch_warnings(action='ignore'):
        decorated, found = valences_of(cell)
        if decorated is None:
            return {'valences_found': found}
        known = {'valences_found': True, 'valences': _in_words(decorated)}
        return {**known, 'instability_index': instability_index(decorated), **_coordination(decorated)}


def valences_of(structure: Structure) -> tuple[Structure | None, bool | None]:
    """Return a structure with valences of its sites, and whether they were found: None where nothing can be said."""
    from pymatgen.analysis.bond_valence import BVAnalyzer

    analyzer = BVAnalyzer(symm_tol=SYMMETRY, max_permutations=MAX_PERMUTATIONS)
    try:
        valences = analyzer.get_valences(structure)
    except ValueError as error:
        return None, None if _NO_PARAMETERS in str(error) else False
    except Exception:
        # Cells in which spglib finds no symmetry.
        return None, None
    decorated = structure.copy()
    decorated.add_oxidation_state_by_site(valences)
    return decorated, True


def instability_index(decorated: Structure) -> float | None:
    """Return the global instability index [valence units] of a structure with valences, None where it has no bonds."""
    from pymatgen.analysis.bond_valence import calculate_bv_sum

    squares = []
    for site in decorated:
        try:
            total = calculate_bv_sum(site, decorated.get_neighbors(site, NEIGHBOURHOOD))
        except (KeyError, ValueError):
            return None
        squares.append((total - site.specie.oxi_state) ** 2)
    return math.sqrt(sum(squares) / len(squares))


def _coordination(decorated: Structure) -> dict[str, Any]:
    """Return coordination numbers, and the deviation from Pauling's second rule."""
    from pymatgen.analysis.local_env import CrystalNN
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    valence = [float(site.specie.oxi_state) for site in decorated]
    finder = CrystalNN(cation_anion=True)
    try:
        orbits = SpacegroupAnalyzer(decorated, SYMMETRY).get_symmetrized_structure().equivalent_indices
        cations = [orbit for orbit in orbits if valence[orbit[0]] > 0]
        around = [[one['site_index'] for one in finder.get_nn_info(decorated, orbit[0])] for orbit in cations]
    except Exception:
        # CrystalNN gives up on sites without a counter-ion in reach.
        return {}
    numbers: dict[str, set[int]] = defaultdict(set)
    # Strength of all bonds that reach the anions of an orbit, which are alike.
    strength = {index: 0.0 for index, charge in enumerate(valence) if charge < 0}
    for orbit, anions in zip(cations, around, strict=True):
        numbers[decorated[orbit[0]].specie.symbol].add(len(anions))
        for anion in anions:
            strength[anion] += len(orbit) * valence[orbit[0]] / len(anions)
    words = (f'{symbol}{",".join(map(str, sorted(found)))}' for symbol, found in sorted(numbers.items()))
    misses = [
        abs(sum(strength[one] for one in orbit) + len(orbit) * valence[orbit[0]]) / abs(valence[orbit[0]])
        for orbit in orbits
        if valence[orbit[0]] < 0
    ]
    return {'coordination': ' '.join(words), 'pauling2_deviation': sum(misses) / len(strength)}


def _in_words(decorated: Structure) -> str:
    """Return the valences by element, highest first."""
    found = {(site.specie.oxi_state, site.specie.symbol) for site in decorated}
    return ' '.join(f'{symbol}{state:+.3g}' for state, symbol in sorted(found, key=lambda item: (-item[0], item[1])))
