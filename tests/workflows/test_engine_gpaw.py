"""The engine GPAW: real runs, its own level of theory, and its failures."""

import shutil

import pytest
from aiida.engine import run_get_node
from dft import HAS_GPAW, OPTIONS, PYTHON_OF_GPAW, crystal

from aiida_crystalgen.workflows.engines.planning import verify_inputs
from aiida_crystalgen.workflows.verify import VerifyWorkChain

pytestmark = [pytest.mark.dft, pytest.mark.skipif(not HAS_GPAW, reason='gpaw is not installed (gpaw, gpaw-data)')]
COARSE = {'cutoff_eV': 200.0, 'kpoints': (2, 2, 2)}


@pytest.fixture
def gpaw_code(aiida_profile_clean, aiida_code_installed):
    """Return the Code of the Python that has gpaw."""
    return aiida_code_installed(filepath_executable=PYTHON_OF_GPAW, default_calc_job_plugin=None, label='gpaw')


@pytest.fixture
def verify(gpaw_code):
    """Return a function that verifies a crystal with GPAW at coarse settings."""

    def run(structure, tasks=('static',), **settings):
        builder = VerifyWorkChain.get_builder_from_protocol(
            structure, 'gpaw', {'python': gpaw_code}, protocol='fast', tasks=tasks, settings={**COARSE, **settings},
            options=OPTIONS,
        )  # fmt: skip
        return run_get_node(builder)

    return run


def test_silicon_has_energy_gap_and_forces(verify):
    """A static calculation tells energy, gap, pressure and forces, with PBE and the level of theory."""
    results, node = verify(crystal())
    assert node.is_finished_ok, node.exit_message
    content = results['results'].get_dict()
    assert content['energy_per_atom'] == pytest.approx(-5.2, abs=1.5)
    assert content['energy_free_eV'] <= content['energy_eV']
    assert content['functional'] == 'PBE'
    assert content['band_gap_eV'] > 0.1
    assert content['kpoints'] == [2, 2, 2]
    assert content['total_magnetization'] is None
    assert content['max_force'] < 0.01
    assert results['forces'].get_array('forces').shape == (2, 3)
    assert results['level_of_theory']['versions'].keys() == {'ase', 'gpaw', 'numpy'}


def test_electrons_that_do_not_converge(verify):
    """The same exit code as of any engine."""
    _, node = verify(crystal(), max_scf=2)
    assert node.exit_status == 403, node.exit_message
    assert 'did not converge in 2 steps' in node.exit_message


def test_element_without_a_dataset(verify):
    """It is told before a job runs."""
    _, node = verify(crystal('Pu', 4.6, second=None))
    assert node.exit_status == 301
    assert 'does not know Pu' in node.exit_message
    assert not [child for child in node.called_descendants if child.process_label == 'RelaxCalculation']


def test_energies_of_two_engines_never_have_one_fingerprint(gpaw_code, aiida_code_installed, tmp_path):
    """Both compute PBE: nothing but the fingerprint keeps their energies off one hull."""
    from dft import COARSE as COARSE_QE
    from dft import FOLDER, install_family

    pytest.importorskip('aiida_quantumespresso')
    if shutil.which('pw.x') is None or not FOLDER.is_dir():
        pytest.skip('pw.x or its pseudopotentials are not installed')
    install_family(tmp_path / 'pseudos')
    pw = aiida_code_installed(
        filepath_executable='/usr/bin/pw.x', default_calc_job_plugin='quantumespresso.pw', label='pw'
    )
    qe = verify_inputs('qe', {'pw': pw}, settings=COARSE_QE)['level'].get_dict()
    gpaw = verify_inputs('gpaw', {'python': gpaw_code}, settings=COARSE)['level'].get_dict()
    assert qe['functional'] == gpaw['functional'] == 'PBE'
    assert qe['fingerprint'] != gpaw['fingerprint']
