"""What tests of engines need of this machine: pw.x, pseudopotentials that came with it, and crystals."""

import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from aiida_crystalgen.tools.pseudos import DEBIAN

FOLDER = Path('/usr/share/espresso/pseudo')  # of Debian's quantum-espresso-data
FILES = {'Si': 'Si.pbe-nl-rrkjus_psl.1.0.0.UPF', 'Fe': 'Fe.pbe-spn-rrkjus_psl.0.2.1.UPF', 'O': 'O.pbe-rrkjus.UPF'}
FILES_LDA = {'Si': 'Si.pz-vbc.UPF'}

needs_pw = pytest.mark.skipif(shutil.which('pw.x') is None, reason='pw.x is not installed (quantum-espresso)')
needs_pseudos = pytest.mark.skipif(
    not FOLDER.is_dir(), reason='no pseudopotentials of Quantum ESPRESSO here (quantum-espresso-data)'
)
needs_soft_pseudos = pytest.mark.skipif(not DEBIAN.is_file(), reason='no pseudopotentials of CP2K here (cp2k-data)')
# The Python that has Debian's gpaw; an environment of its own would do as well.
PYTHON_OF_GPAW = '/usr/bin/python3'
ASKED = [PYTHON_OF_GPAW, '-c', 'import gpaw']
HAS_GPAW = Path(PYTHON_OF_GPAW).exists() and subprocess.run(ASKED, check=False, capture_output=True).returncode == 0
# What aiida-quantumespresso and its libraries warn of, on Python 3.12 and newer NumPy.
QUIET = [
    pytest.mark.filterwarnings(f'ignore::{name}')
    for name in ('DeprecationWarning', 'PendingDeprecationWarning', 'UserWarning')
]
# Numbers that make every calculation cheap; nothing here is converged.
COARSE = {'pseudo_family': 'debian', 'cutoff_wfc_Ry': 20.0, 'cutoff_rho_Ry': 100.0, 'kpoints': (2, 2, 2)}
OPTIONS = {'max_wallclock_seconds': 600, 'withmpi': False}


def install_family(folder, files=FILES, label='debian'):
    """Make a family of pseudopotentials of the files that came with Quantum ESPRESSO."""
    from aiida_pseudo.data.pseudo import UpfData
    from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily

    folder.mkdir()
    for name in files.values():
        shutil.copy(FOLDER / name, folder)
    family = CutoffsPseudoPotentialFamily.create_from_folder(folder, label, pseudo_type=UpfData)
    cutoffs = {'Si': (30.0, 240.0), 'Fe': (64.0, 782.0), 'O': (44.0, 320.0)}
    table = {symbol: dict(zip(('cutoff_wfc', 'cutoff_rho'), cutoffs[symbol], strict=True)) for symbol in files}
    family.set_cutoffs(table, 'standard', unit='Ry')
    return family


def crystal(symbol='Si', edge=5.43, second=0.25):
    """Return a face-centred cubic crystal with a second atom at a place of the diagonal, diamond where it is 1/4."""
    from aiida import orm

    half = edge / 2
    structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
    for place in (0.0, second * edge) if second else (0.0,):
        structure.append_atom(position=(place,) * 3, symbols=symbol)
    return structure


def script(path, lines):
    """Write an executable script."""
    path.write_text('#!/bin/bash\n' + textwrap.dedent(lines))
    path.chmod(0o755)
    return path
