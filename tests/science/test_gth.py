"""Tests of the pseudopotentials that are written from their analytic form."""

import math
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.science.gth import SOFT, SOFT_CUTOFF, Channel, Gth, grid, read_gth, to_upf

DEBIAN = Path('/usr/share/cp2k/GTH_POTENTIALS')
# Three made-up entries in the form of CP2K: one with several projectors in a channel, one of another functional.
TEXT = """
# a comment
Si GTH-PBE-q4 GTH-PBE
    2    2
     0.40000000    2    -6.00000000     0.50000000   # local part
    2
     0.43000000    2     8.90000000    -2.70000000
                                        3.50000000
     0.50000000    1     2.40000000
#
Si GTH-BLYP-q4
    2    2
     0.40000000    1    -6.00000000
    0
H GTH-PBE-q1 GTH-PBE
    1
     0.20000000    2    -4.00000000     0.70000000
    0
"""
SILICON = 'Si GTH-PBE-q4 GTH-PBE'


def numbers_of(element: ET.Element | None) -> np.ndarray:
    """Return the numbers in a section of a UPF file."""
    assert element is not None
    return np.array((element.text or '').split(), dtype=float)


def test_entries_of_one_functional_are_read() -> None:
    """Comments, continued lines and entries without projectors are read; those of other functionals are not."""
    found = read_gth(TEXT)
    assert {symbol: [entry.name for entry in entries] for symbol, entries in found.items()} == {
        'Si': ['GTH-PBE-q4'],
        'H': ['GTH-PBE-q1'],
    }
    silicon = found['Si'][0]
    assert (silicon.electrons, silicon.radius, silicon.coefficients) == (4, 0.4, (-6.0, 0.5))
    assert silicon.channels[0].matrix.tolist() == [[8.9, -2.7], [-2.7, 3.5]]
    assert [len(channel.matrix) for channel in silicon.channels] == [2, 1]
    assert len(found['H'][0].coupling) == 0


@pytest.mark.parametrize(
    'broken',
    [
        TEXT.replace('     0.50000000    1     2.40000000\n', ''),
        TEXT.replace('3.50000000', '3.50000000 1.0'),
        TEXT.replace('Si GTH-PBE-q4', 'Si GTH-PBE-q5'),
        TEXT.replace('8.90000000', 'eight'),
    ],
)
def test_a_broken_entry_is_an_error(broken: str) -> None:
    """An entry that is cut off, or has other numbers than it announces, is named."""
    with pytest.raises(ValueError, match=r'the entry `Si GTH-PBE-q\d`'):
        read_gth(broken)


@given(radius=st.floats(0.2, 1.2), n=st.integers(1, 3), momentum=st.integers(0, 3))
def test_projectors_are_normalised_on_the_grid(radius: float, n: int, momentum: int) -> None:
    """The square of each projector integrates to one, by the weights that pw.x uses."""
    channels = (*(Channel(1.0, np.zeros((0, 0))) for _ in range(momentum)), Channel(radius, np.eye(n)))
    r, rab = grid('Si')
    projectors = Gth('Si', 'GTH-PBE-q4', 4, 0.4, (), channels).projectors(r)
    assert [found for found, _ in projectors] == [momentum] * n
    for _, p in projectors:
        assert float((r * p) ** 2 @ rab) == pytest.approx(1, abs=1e-5)


def test_local_part_is_that_of_the_ion() -> None:
    """Far out it is the Coulomb potential, at the origin the value of the formula."""
    silicon = read_gth(TEXT)['Si'][0]
    near, far = silicon.local(np.array([1e-9, 20.0]))
    assert far == pytest.approx(-4 / 20.0)
    assert near == pytest.approx(-4 / 0.4 * math.sqrt(2 / math.pi) - 6.0)


@pytest.mark.parametrize('symbol', ['H', 'Si', 'Te'])
def test_the_grid_is_logarithmic_and_odd(symbol: str) -> None:
    """Pw.x integrates by Simpson's rule on an odd number of points."""
    r, rab = grid(symbol)
    assert len(r) % 2 == 1
    assert r[-1] == pytest.approx(100, rel=0.02)
    assert np.allclose(np.diff(np.log(r)), 0.0125)
    assert np.allclose(rab / r, 0.0125)


def test_upf_holds_what_pw_reads() -> None:
    """Energies are in Rydberg; the density has the charge of the electrons."""
    root = ET.fromstring(to_upf(read_gth(TEXT)['Si'][0]))
    header = root.find('PP_HEADER')
    assert header is not None
    assert {key: header.get(key) for key in ('element', 'functional', 'z_valence', 'number_of_proj', 'l_max')} == {
        'element': 'Si', 'functional': 'PBE', 'z_valence': '4.00', 'number_of_proj': '3', 'l_max': '1',
    }  # fmt: skip
    r, rab = numbers_of(root.find('PP_MESH/PP_R')), numbers_of(root.find('PP_MESH/PP_RAB'))
    assert len(r) == int(header.get('mesh_size', 0))
    assert float(numbers_of(root.find('PP_RHOATOM')) @ rab) == pytest.approx(4)
    assert numbers_of(root.find('PP_LOCAL'))[-1] == pytest.approx(-2 * 4 / r[-1])
    coupling = numbers_of(root.find('PP_NONLOCAL/PP_DIJ')).reshape(3, 3)
    assert coupling.tolist() == [[17.8, -5.4, 0], [-5.4, 7.0, 0], [0, 0, 4.8]]
    beta = root.find('PP_NONLOCAL/PP_BETA.3')
    assert beta is not None
    assert beta.get('angular_momentum') == '1'
    assert int(beta.get('cutoff_radius_index', 0)) % 2 == 1
    assert float((numbers_of(beta) ** 2) @ rab) == pytest.approx(1, abs=1e-6)


@pytest.mark.dft
def test_pw_makes_the_right_silicon_of_it(tmp_path: Path) -> None:
    """Quantum ESPRESSO has the energy of silicon that CP2K has with the same potential, and the cell of PBE.

    CP2K: -7.873 Hartree a cell; the lattice constant in PBE is 5.47 Angstrom.
    """
    if shutil.which('pw.x') is None or not DEBIAN.exists():
        pytest.skip('Debian packages quantum-espresso and cp2k-data are not installed')
    potentials = read_gth(DEBIAN.read_text())
    assert set(SOFT) <= set(potentials)
    (tmp_path / 'Si.upf').write_text(to_upf(potentials['Si'][0]))
    lattice = np.array([5.43, 5.48, 5.53])
    energies = [_energy_of_silicon(a, tmp_path) for a in lattice]
    assert energies[1] == pytest.approx(-15.746, abs=0.01)
    curvature, slope, _ = np.polyfit(lattice, energies, 2)
    assert -slope / (2 * curvature) == pytest.approx(5.475, abs=0.015)


def _energy_of_silicon(lattice: float, folder: Path) -> float:
    """Return the total energy [Ry] of the diamond structure at a lattice constant [Angstrom]."""
    text = f"""&CONTROL
 pseudo_dir = './', outdir = './out'
/
&SYSTEM
 ibrav = 2, A = {lattice}, nat = 2, ntyp = 1, ecutwfc = {SOFT_CUTOFF}
/
&ELECTRONS
/
ATOMIC_SPECIES
Si 28.0855 Si.upf
ATOMIC_POSITIONS crystal
Si 0 0 0
Si 0.25 0.25 0.25
K_POINTS automatic
4 4 4 1 1 1
"""
    done = subprocess.run(['pw.x'], input=text, cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    found = [line for line in done.stdout.splitlines() if line.startswith('!')]
    assert found, done.stdout[-2000:]
    return float(found[-1].split()[-2])
