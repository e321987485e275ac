"""Phonons by an engine, for real: silicon with pw.x, from its relaxation to the verdict."""

import io

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from dft import OPTIONS, QUIET, crystal, needs_pw, needs_soft_pseudos

from aiida_crystalgen.science.phonons import phonon_from_record
from aiida_crystalgen.tools.pseudos import LABEL, make_family
from aiida_crystalgen.workflows.engine_phonons import EnginePhononWorkChain
from aiida_crystalgen.workflows.engines import base, planning
from aiida_crystalgen.workflows.engines.planning import phonon_inputs

pytest.importorskip('aiida_quantumespresso', reason='aiida-quantumespresso is not installed (extra `qe`)')
pytestmark = [pytest.mark.dft, needs_pw, needs_soft_pseudos, *QUIET]
# The primitive cell alone: only the modes at Gamma are right.
SMALL = {'min_length': 3.5, 'max_supercell_atoms': 2}
SETTINGS = {'pseudo_family': LABEL, 'kpoints': (4, 4, 4), 'occupations': 'fixed'}


@pytest.fixture(scope='module')
def pw_code(local_code):
    """Return the Code of pw.x, with the soft pseudopotentials in the profile."""
    code = local_code('/usr/bin/pw.x', 'pw', 'quantumespresso.pw')
    make_family()
    return code


def phonons(code, structure, settings=SETTINGS, **choices):
    """Return outputs and node of the phonons of a crystal."""
    choices = {'relax': (), 'phonons': SMALL, **choices}
    builder = EnginePhononWorkChain.get_builder_from_protocol(
        structure, 'qe', {'pw': code}, settings=settings, options=OPTIONS, **choices
    )
    return run_get_node(builder)


def at_gamma(outputs):
    """Return the frequencies at Gamma [THz] of the force constants."""
    with np.load(io.BytesIO(outputs['force_constants'].get_content(mode='rb'))) as record:
        phonon = phonon_from_record(record)
    phonon.run_qpoints([[0, 0, 0]])
    return phonon.qpoints.frequencies[0]


def test_silicon_is_relaxed_and_vibrates_at_its_frequency(pw_code):
    """A compressed crystal is relaxed; its optical mode is at 15.5 THz in experiments; one mesh for every supercell."""
    outputs, node = phonons(pw_code, crystal(edge=5.42), relax=('vc-relax',))
    assert node.is_finished_ok, node.exit_message
    assert (4 * outputs['structure'].get_cell_volume()) ** (1 / 3) == pytest.approx(5.475, abs=0.02)
    told = outputs['results'].get_dict()
    assert told['phonon_verdict'] == 'stable', told
    assert told['phonon_space_group'] == 227
    assert told['phonon_kpoints'] == [4, 4, 4]
    assert told['phonon_fmax'] < 1e-3
    assert abs(told['phonon_pressure_GPa']) < 0.5
    frequencies = at_gamma(outputs)
    assert frequencies[:3] == pytest.approx([0, 0, 0], abs=0.01)
    assert 14.0 < frequencies[3] < 15.5
    assert frequencies[3:] == pytest.approx([frequencies[3]] * 3, abs=0.01)
    level = outputs['level_of_theory'].get_dict()
    assert level['tasks'] == ['vc-relax', 'forces']
    assert level['fingerprint'] in told['level']
    chains = {link.link_label: link.node for link in node.base.links.get_outgoing(node_class=orm.WorkChainNode)}
    assert sorted(chains) == ['cell_000', 'cell_001', 'relax']
    (job,) = (one for one in chains['cell_001'].called_descendants if one.process_label == 'PwCalculation')
    assert job.inputs.parameters['ELECTRONS']['conv_thr'] == pytest.approx(2e-12)
    assert job.inputs.parameters['SYSTEM']['occupations'] == 'fixed'
    assert told['phonon_n_evaluations'] == 2


def test_a_crystal_that_is_not_at_rest_is_inconclusive(pw_code):
    """An atom beside its place leaves forces; symmetry cannot take them away, and the reason says so."""
    settings = {**SETTINGS, 'kpoints': (1, 1, 1)}
    outputs, node = phonons(pw_code, crystal(second=0.27), settings)
    assert node.is_finished_ok, node.exit_message
    told = outputs['results'].get_dict()
    assert told['phonon_verdict'] == 'inconclusive'
    assert 'not at rest' in told['phonon_reason']


def test_what_is_too_large_is_inconclusive_and_runs_nothing(pw_code):
    """The limit is named in the reason."""
    for changes, said in (({'min_length': 9.0}, 'max_supercell_atoms'), ({'max_cells': 1}, '`max_cells` allows 1')):
        outputs, node = phonons(pw_code, crystal(), phonons={**SMALL, **changes})
        assert node.is_finished_ok, node.exit_message
        assert outputs['results']['phonon_verdict'] == 'inconclusive'
        assert said in outputs['results']['phonon_reason']
        assert not [child for child in node.called if child.process_label == 'VerifyWorkChain']


def test_a_supercell_that_fails_ends_the_phonons(pw_code):
    """Nothing is concluded from the others; the sentence is that of the engine."""
    outputs, node = phonons(pw_code, crystal('Cu', 3.6, second=None), phonons={**SMALL, 'min_length': 2.0})
    assert node.exit_status == 352, node.exit_message
    assert 'cell_000' in node.exit_message
    assert 'no pseudopotential of Cu' in node.exit_message
    assert 'results' not in outputs


def test_what_is_wrong_is_told_when_the_builder_is_made(pw_code, monkeypatch):
    """A number that phonons do not have, an engine without forces, and phonopy that is not installed."""
    with pytest.raises(base.InvalidSettingsError, match='did you mean `displacements`'):
        phonon_inputs('qe', {'pw': pw_code}, settings=SETTINGS, phonons={'displacement': [0.01]})
    with pytest.raises(base.InvalidSettingsError, match='the engine `potential` cannot do `forces`'):
        phonon_inputs('potential', {'python': pw_code}, settings={'potential': 'emt'})
    monkeypatch.setattr(planning, 'find_spec', lambda name: None)
    with pytest.raises(base.EngineError, match=r"pip install 'aiida-crystalgen\[phonons\]'"):
        phonon_inputs('qe', {'pw': pw_code}, settings=SETTINGS)
