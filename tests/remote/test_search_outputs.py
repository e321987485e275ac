"""Outputs of structure searches: AIRSS, USPEX and CALYPSO."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.res import ResIO
from pymatgen.io.vasp import Poscar

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import crystal_arrays  # noqa: E402
import search_outputs  # noqa: E402
from crystal_text import UnusableError  # noqa: E402

SKEWED = Structure(
    Lattice.from_parameters(4.1, 5.2, 6.3, 75, 95, 105),
    ['Ti', 'O', 'O'],
    [[0, 0, 0], [0.31, 0.32, 0.33], [0.69, 0.7, 0.71]],
)
AIRSS = """TITL SiO2-1234-5 -0.02 73.5 -1932.125 0.00 0.50 6 (P3_121) n - 2
REM
REM in SiO2
CELL 1.54180 4.91 4.91 5.40 90.0 90.0 120.0
LATT -1
SFAC Si O
Si 1 0.470 0.0 0.3333333 1.0
Si 1 0.0 0.470 0.6666667 1.0
Si 1 0.530 0.530 0.0 1.0 0.25
O 2 0.41 0.27 0.22 1.0
O 2 0.73 0.14 0.55 11.00000
O 2 0.86 0.59 0.88 1.0
END
"""
USPEX = """EA1     4.000  4.000  4.000 90.00 90.00 90.00 Sym.group:  221
1.0
    4.000000     0.000000     0.000000
    0.000000     4.000000     0.000000
    0.000000     0.000000     4.000000
  Cs  Cl
   1   1
Direct
    0.000000     0.000000     0.000000
    0.500000     0.500000     0.500000
EA1203  3.000  3.000  5.000 90.00 90.00 90.00 Sym.group:    1
1.0
    3.000000     0.000000     0.000000
    0.000000     3.000000     0.000000
    0.000000     0.000000     5.000000
  Cl
   2
Direct
    0.100000     0.200000     0.300000
   -0.600000     0.700000     0.800000
"""
CALYPSO = """     -4.2500000
Crystal_1
  1.00000000
    3.000000     0.000000     0.000000
    1.000000     4.000000     0.000000
    0.000000     0.000000     5.000000
  1   2
Direct
    0.000000     0.000000     0.000000
    0.250000     0.250000     0.500000
    0.750000     0.750000     0.500000
 610612509.000000
Crystal_2
  1.00000000
    3.000000     0.000000     0.000000
    0.000000     3.000000     0.000000
    0.000000     0.000000     3.000000
  1   0
Direct
    0.000000     0.000000     0.000000
     -3.7500000
Crystal_3
  2.00000000
    1.500000     0.000000     0.000000
    0.000000     1.500000     0.000000
    0.000000     0.000000     1.500000
  1   0
Direct
    0.500000     0.000000     0.000000
"""


def structure(item) -> Structure:
    """Return the crystal of an item."""
    found = crystal_arrays.crystal(item[2])
    return Structure(found['cell'], found['numbers'], found['positions'], coords_are_cartesian=True)


def fault(item) -> tuple[str, str]:
    """Return the word and the sentence with which an item is refused."""
    with pytest.raises(UnusableError) as caught:
        crystal_arrays.crystal(item[2])
    return caught.value.reason, str(caught.value)


def check(item, true: Structure):
    """Compare an item with a crystal that was read by other means."""
    found = structure(item)
    assert found.atomic_numbers == true.atomic_numbers
    np.testing.assert_allclose(found.lattice.parameters, true.lattice.parameters, atol=1e-6)
    np.testing.assert_allclose(found.frac_coords, true.frac_coords, atol=1e-6)


def test_airss():
    """A `.res` of AIRSS is read as pymatgen reads it, with what its title tells."""
    (item,) = search_outputs.crystals_of_airss(AIRSS)
    # pymatgen warns where spins are given for some atoms only.
    check(item, ResIO.structure_from_str(AIRSS.replace(' 0.25\n', '\n')))
    assert item[0] == 'SiO2-1234-5'
    assert item[3] == {'enthalpy_per_atom': pytest.approx(-1932.125 / 6), 'pressure': -0.02, 'space_group': 'P3_121'}


def test_several_airss_entries_and_other_writers():
    """Files one after the other are several entries; pymatgen's own files are read too."""
    text = ResIO.structure_to_str(SKEWED)
    items = search_outputs.crystals_of_airss(AIRSS + text + AIRSS)
    assert [len(structure(item)) for item in items] == [6, 3, 6]
    check(items[1], SKEWED)


@pytest.mark.parametrize(
    ('old', 'new', 'reason', 'words'),
    [
        ('LATT -1', 'LATT 1', 'unreadable', 'symmetry'),
        ('SFAC', 'SYMM -X, -Y, -Z\nSFAC', 'unreadable', 'symmetry'),
        ('END\n', '', 'unreadable', '`END`'),
        ('O 2 0.86 0.59 0.88 1.0\n', '', 'unreadable', '6 atoms are announced, 5 listed'),
        ('0.22 1.0', '0.22 0.5', 'partial_occupancy', 'partly'),
        ('SFAC Si O', 'SFAC Si Q', 'unknown_element', '`Q`'),
        ('SFAC Si O', 'SFAC Si', 'unreadable', 'damaged'),
        ('0.22 1.0', 'nan 1.0', 'non_finite', 'finite'),
        ('CELL 1.54180 4.91', 'CELL 1.54180 0.0', 'zero_volume', 'volume'),
    ],
)
def test_faulty_airss_entries(old, new, reason, words):
    """Each fault of an entry is a reason, and costs no other entry."""
    items = search_outputs.crystals_of_airss(AIRSS.replace(old, new) + AIRSS)
    assert len(structure(items[1])) == 6
    assert fault(items[0])[0] == reason
    assert words in fault(items[0])[1]


def test_uspex():
    """`gatheredPOSCARS` is read as pymatgen reads each POSCAR of it."""
    items = search_outputs.crystals_of_uspex(USPEX)
    parts = ['EA1 ' + part for part in USPEX.split('EA1')[1:]]
    for item, part in zip(items, parts, strict=True):
        check(item, Poscar.from_str(part).structure)
    assert [item[0] for item in items] == ['EA1', 'EA1203']
    assert [item[3] for item in items] == [{'space_group': 221}, {'space_group': 1}]


def test_faulty_uspex_entries():
    """An entry that is cut short or names no elements costs no other one."""
    cut = search_outputs.crystals_of_uspex(USPEX + USPEX[: USPEX.index('Direct')])
    assert [len(structure(item)) for item in cut[:2]] == [2, 2]
    assert 'cut short' in fault(cut[2])[1]
    assert 'cut short' in fault(search_outputs.crystals_of_uspex(USPEX[:-40])[1])[1]
    unnamed = search_outputs.crystals_of_uspex(USPEX.replace('  Cs  Cl\n', ''))
    assert fault(unnamed[0])[0] == 'unknown_element'
    assert len(structure(unnamed[1])) == 2


def test_calypso():
    """Optimised structures have enthalpies, lack elements that are not there, and failed ones say so."""
    elements = search_outputs.elements_of_calypso('SystemName = x\nnameofatoms = Mg O  # two\nNumberOfAtoms = 1 2\n')
    assert elements == ['Mg', 'O']
    items = search_outputs.crystals_of_calypso(CALYPSO, elements)
    cell = [[3, 0, 0], [1, 4, 0], [0, 0, 5]]
    check(items[0], Structure(cell, ['Mg', 'O', 'O'], [[0, 0, 0], [0.25, 0.25, 0.5], [0.75, 0.75, 0.5]]))
    check(items[2], Structure(Lattice.cubic(3), ['Mg'], [[0.5, 0, 0]]))
    assert [item[3] for item in items] == [{'enthalpy_per_atom': -4.25}, {}, {'enthalpy_per_atom': -3.75}]
    assert fault(items[1])[0] == 'failed_relaxation'


def test_elements_beside_a_calypso_file(tmp_path):
    """The elements come from the copy of the input among the results, or from the input above them."""
    results = tmp_path / 'results'
    results.mkdir()
    assert search_outputs.elements_beside(results / 'pso_opt_1') == []
    (tmp_path / 'input.dat').write_text('NameOfAtoms = Mg O\n')
    assert search_outputs.elements_beside(results / 'pso_opt_1') == ['Mg', 'O']
    (results / 'CALYPSO_input.dat').write_text('NameOfAtoms = Li H\n')
    assert search_outputs.elements_beside(results / 'pso_opt_1') == ['Li', 'H']


def test_initial_structures_of_calypso():
    """`pso_ini_*` has the same entries without enthalpies."""
    lines = [line for line in CALYPSO.splitlines() if line.split() not in (['-4.2500000'], ['-3.7500000'])]
    text = '\n'.join(line for line in lines if '610612509' not in line)
    items = search_outputs.crystals_of_calypso(text, ['Mg', 'O'])
    assert [len(structure(item)) for item in items] == [3, 1, 1]
    assert [item[3] for item in items] == [{}, {}, {}]


def test_contcars_one_after_the_other():
    """CONTCARs name their elements; Cartesian coordinates, selective dynamics and a volume as factor are read."""
    plain = Poscar(SKEWED)
    texts = [
        plain.get_str(),
        plain.get_str(direct=False),
        Poscar(SKEWED, selective_dynamics=[[True, False, True]] * 3).get_str(),
        plain.get_str().replace('\n1.0\n', f'\n{-8 * SKEWED.volume}\n', 1),
    ]
    items = search_outputs.crystals_of_calypso('\n'.join(texts))
    for item in items[:3]:
        check(item, SKEWED)
    check(items[3], Poscar.from_str(texts[3]).structure)
    assert len(items) == 4


def test_faulty_calypso_entries():
    """Unknown elements, a wrong number of them and a cut end are reasons."""
    assert 'input.dat' in fault(search_outputs.crystals_of_calypso(CALYPSO)[0])[1]
    assert '2 kinds of atoms and 1 elements' in fault(search_outputs.crystals_of_calypso(CALYPSO, ['Mg'])[0])[1]
    cut = search_outputs.crystals_of_calypso(CALYPSO[: CALYPSO.index('    0.750000')], ['Mg', 'O'])
    assert 'cut short' in fault(cut[0])[1]


@pytest.mark.parametrize('read', ['airss', 'uspex', 'calypso'])
@pytest.mark.parametrize('text', ['', 'data_x\n', '\n\n\n', 'Direct\n', 'EA1', 'TITL x\n'])
def test_other_texts(read, text):
    """A text of another kind is refused with a sentence, as a whole or as one entry."""
    try:
        items = getattr(search_outputs, f'crystals_of_{read}')(text)
    except UnusableError as error:
        sentence = str(error)
    else:
        ((_, sentence),) = [fault(item) for item in items]
    assert len(sentence.split()) > 4
