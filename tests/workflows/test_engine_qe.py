"""The engine Quantum ESPRESSO: what its builder fixes, real runs of pw.x, and every failure for real."""

from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import run_get_node
from dft import COARSE, FILES_LDA, OPTIONS, QUIET, crystal, install_family, needs_pseudos, needs_pw, script

from aiida_crystalgen.workflows.engines import base, load
from aiida_crystalgen.workflows.engines.planning import verify_inputs
from aiida_crystalgen.workflows.verify import VerifyWorkChain

pytest.importorskip('aiida_quantumespresso', reason='aiida-quantumespresso is not installed (extra `qe`)')
pytestmark = [pytest.mark.dft, needs_pw, needs_pseudos, *QUIET]


@pytest.fixture
def family(aiida_profile_clean, tmp_path):
    """Return a family with silicon, iron and oxygen."""
    return install_family(tmp_path / 'pseudos')


@pytest.fixture
def pw_code(family, aiida_code_installed):
    """Return a factory of Codes of pw.x; another file may stand in its place."""

    def factory(executable='/usr/bin/pw.x'):
        return aiida_code_installed(
            filepath_executable=str(executable),
            default_calc_job_plugin='quantumespresso.pw',
            label=Path(executable).stem,
        )

    return factory


@pytest.fixture
def verify(pw_code):
    """Return a function that verifies a crystal with pw.x at coarse settings."""

    def run(structure, executable='/usr/bin/pw.x', options=None, tasks=('static',), **settings):
        builder = VerifyWorkChain.get_builder_from_protocol(
            structure,
            'qe',
            {'pw': pw_code(executable)},
            protocol='fast',
            tasks=tasks,
            settings={**COARSE, **settings},
            options={**OPTIONS, **(options or {})},
        )
        return run_get_node(builder)

    return run


def jobs(node):
    """Return the jobs of pw.x below a WorkChain, oldest first."""
    return sorted((n for n in node.called_descendants if n.process_label == 'PwCalculation'), key=lambda n: n.pk)


def builder_of(code, structure, task='static', spin='auto', **settings):
    """Return the builder of one task."""
    shared = verify_inputs('qe', {'pw': code}, protocol='balanced', settings={**COARSE, **settings}, spin=spin)
    given = {'codes': shared['codes'], 'nodes': shared['nodes'], 'options': OPTIONS}
    return load('qe').get_builder(
        structure=structure, task=task, protocol='balanced', spin=spin, settings={**COARSE, **settings}, **given
    )


def test_silicon_relaxed_then_static(verify):
    """Silicon is relaxed, then computed anew at the relaxed cell; the job folders are cleaned; the level is told.

    The mesh decides the edge: 5.61 A with 2x2x2 k-points, 5.50 with 3x3x3, 5.48 with 4x4x4 (PBE, converged: 5.47),
    whatever the edge at the start; 20/100 Ry instead of 30/240 Ry change it by less than 0.001 A.
    """
    results, node = verify(crystal(edge=5.4), tasks=('vc-relax', 'static'), kpoints=(4, 4, 4))
    assert node.is_finished_ok, node.exit_message
    content = results['results'].get_dict()
    edge = (4 * results['structure'].get_cell_volume()) ** (1 / 3)
    assert edge == pytest.approx(5.477, abs=0.015)
    assert content['n_atoms'] == 2
    assert content['energy_per_atom'] == pytest.approx(-139.0, abs=0.5)
    assert content['functional'] == 'PBE'
    assert content['converged'] is True
    assert content['band_gap_eV'] > 0.1
    assert content['total_magnetization'] is None
    assert abs(content['pressure_GPa']) < 2
    level = results['level_of_theory'].get_dict()
    assert level['code_version'] == content['code_version']
    assert level['geometry'] == 'relaxed'
    assert content['fingerprint'] == level['fingerprint']
    assert len(jobs(node)) >= 2
    assert all(job.outputs.remote_folder.is_empty for job in jobs(node))
    assert node.base.links.get_outgoing(link_label_filter='vc_relax_1_1').one().node.process_label == 'PwRelaxWorkChain'


def test_electrons_that_do_not_converge(verify):
    """Two steps of the electrons end with a code of their own, after the plugin's handlers have tried."""
    results, node = verify(crystal(), electron_maxstep=2)
    assert node.exit_status == 403, node.exit_message
    assert 'self-consistency' in node.exit_message
    assert len(jobs(node)) > 1  # the handlers of the plugin have tried
    assert 'results' not in results
    assert not jobs(node)[-1].outputs.remote_folder.is_empty  # what failed stays to be looked at


def test_missing_pseudopotential_is_told_before_anything_is_spent(verify, pw_code):
    """The element is named; no job runs. With the elements in the settings it is told when the campaign is planned."""
    _, node = verify(crystal('Cu', 3.6, second=None))
    assert node.exit_status == 301
    assert 'the family `debian` has no pseudopotential of Cu' in node.exit_message
    assert jobs(node) == []
    with pytest.raises(base.UnsupportedCrystalError, match='no pseudopotential of Cu'):
        verify_inputs('qe', {'pw': pw_code()}, settings={**COARSE, 'elements': ['Cu', 'Si']})


def test_overlapping_atoms_are_not_sent(verify):
    """Two atoms at 0.3 A, which pw.x would finish with exit code 0, end before anything is spent."""
    results, node = verify(crystal(second=0.3 / 3**0.5 / 5.43))
    assert node.exit_status == 300
    assert 'two atoms are 0.3 A apart' in node.exit_message
    assert jobs(node) == []
    assert results['geometry']['shortest_A'] == pytest.approx(0.3)


KILLS = """
pw.x "$@" &
pid=$!
if [[ "$*" != *nothing.in* && ! -e {marker} ]]; then {touch}; sleep 0.3; kill -9 $pid; fi
wait $pid
"""


def test_killed_pw_is_tried_again(verify, tmp_path):
    """After `kill -9` of pw.x the task is sent again, once, and the result is as good as any."""
    marker = tmp_path / 'killed'
    wrapper = script(tmp_path / 'pw.sh', KILLS.format(marker=marker, touch=f'touch {marker}'))
    _, node = verify(crystal(), wrapper)
    assert marker.exists()
    assert node.is_finished_ok, node.exit_message
    assert [job.is_finished_ok for job in jobs(node)] == [False, True]


def test_pw_that_is_killed_every_time(verify, tmp_path):
    """After `max_attempts` the machine is blamed, not the crystal."""
    wrapper = script(tmp_path / 'pw.sh', KILLS.format(marker='/nonexistent', touch='true'))
    _, node = verify(crystal(), wrapper)
    assert node.exit_status == 407, node.exit_message
    assert 'The machine broke every attempt' in node.exit_message
    assert len(jobs(node)) == 2


def test_out_of_walltime_restarts_where_it_stopped(verify, tmp_path):
    """pw.x stops by itself before the wall time ends; the plugin restarts it from its own files until it is done.

    A wrapper makes the time run out whatever the speed of the machine: it gives the first run of pw.x one second.
    """
    wrapper = script(
        tmp_path / 'pw.sh',
        f"""
        if [[ "$*" != *nothing.in* && ! -e {tmp_path}/once ]]; then
            touch {tmp_path}/once
            sed -i 's/max_seconds = .*/max_seconds = 1.0/' aiida.in
        fi
        exec pw.x "$@"
        """,
    )
    _, node = verify(crystal(), wrapper, kpoints=(6, 6, 6), cutoff_wfc_Ry=40.0, cutoff_rho_Ry=240.0)
    assert node.is_finished_ok, node.exit_message
    first, second = jobs(node)
    assert first.exit_status == 400
    assert second.inputs.parameters['CONTROL']['restart_mode'] == 'restart'


@pytest.mark.parametrize('task', ['static', 'vc-relax'])
def test_nothing_is_left_to_the_defaults_of_the_plugin(pw_code, task):
    """The functional and the cut-offs are explicit, and what a potential has relaxed gets no rough relaxation."""
    builder = builder_of(pw_code(), crystal(), task)
    pw = builder.pw if task == 'static' else builder.base_relax.pw
    assert pw.parameters['SYSTEM']['input_dft'] == 'PBE'
    assert pw.parameters['SYSTEM']['ecutwfc'] == 20.0
    assert pw.parameters['SYSTEM']['smearing'] == 'cold'
    assert pw.parameters['CONTROL']['calculation'] == ('scf' if task == 'static' else 'vc-relax')
    assert pw.metadata['options']['withmpi'] is False
    assert task == 'static' or not builder.get('base_init_relax')


def test_spin_is_for_elements_with_a_moment(pw_code):
    """`auto` starts iron from its moment and leaves silicon without spin; `none` and `collinear` are for all."""
    code, iron = pw_code(), crystal('Fe', 2.87, second=None)
    assert builder_of(code, iron).pw.parameters['SYSTEM']['starting_magnetization'] == {'Fe': 0.3125}
    assert builder_of(code, iron, moments={'Fe': 2.0}).pw.parameters['SYSTEM']['starting_magnetization'] == {
        'Fe': 0.125
    }
    assert 'nspin' not in builder_of(code, crystal()).pw.parameters['SYSTEM']
    assert 'nspin' not in builder_of(code, iron, spin='none').pw.parameters['SYSTEM']
    assert builder_of(code, crystal(), spin='collinear').pw.parameters['SYSTEM']['nspin'] == 2


def test_fingerprint_is_of_the_level_and_not_of_the_crystal(pw_code):
    """Equal settings have one fingerprint; a cut-off, a k-point distance, the spin or the tasks make another one."""
    code = pw_code()

    def level(**choices):
        settings = {**COARSE, **choices.pop('settings', {})}
        return verify_inputs('qe', {'pw': code}, settings=settings, **choices)['level']['fingerprint']

    assert level() == level()
    others = [
        level(settings={'cutoff_wfc_Ry': 25.0}),
        level(settings={'kpoints': (3, 3, 3)}),
        level(spin='none'),
        level(tasks=('static',)),
        level(protocol='stringent'),
    ]
    assert len({level(), *others}) == 6


def test_cutoffs_are_the_highest_of_the_elements_of_the_hull(pw_code):
    """So that a crystal without the hardest element is computed at the level of one with it."""
    code = pw_code()

    def cutoffs(**settings):
        level = verify_inputs('qe', {'pw': code}, settings={'pseudo_family': 'debian', **settings})['level']
        return level['cutoff_wfc_Ry'], level['cutoff_rho_Ry']

    assert cutoffs(elements=['Si']) == (30.0, 240.0)
    assert cutoffs(elements=['O', 'Si']) == (44.0, 320.0)
    assert cutoffs() == (64.0, 782.0)


def test_wrong_settings_are_told_at_once(pw_code, tmp_path):
    """A key that is not known, a family that is not there or is of another functional, a Code that is no pw.x."""
    code = pw_code()

    def told(codes=None, **settings):
        with pytest.raises(base.EngineError) as error:
            verify_inputs('qe', codes or {'pw': code}, settings={**COARSE, **settings})
        return str(error.value)

    assert '`kpoints_distance`: Extra inputs are not permitted' in told(kpoints_distance=0.2)
    assert 'no one family of pseudopotentials `SSSP`' in told(pseudo_family='SSSP')
    assert 'needs a Code as `codes.pw`' in told(codes={'python': code})
    assert 'no one Code `pw@nowhere`' in told(codes={'pw': 'pw@nowhere'})
    install_family(tmp_path / 'lda', FILES_LDA, 'lda')
    assert 'of Si in the family `lda` is for PZ, `functional` is PBE' in told(pseudo_family='lda', elements=['Si'])
    assert 'is no pw.x that runs' in told(codes={'pw': pw_code(script(tmp_path / 'no.sh', 'exit 1'))})


def test_family_that_changed_since_the_plan(pw_code, family):
    """Energies would be of another level than the one planned."""
    shared = verify_inputs('qe', {'pw': pw_code()}, settings=COARSE)
    family.remove_nodes(family.get_pseudo('O'))
    with pytest.raises(base.InvalidSettingsError, match='has changed since this was planned'):
        load('qe').check(crystal(), settings=COARSE, nodes=shared['nodes'])


def test_energy_without_smearing_of_the_kinds_of_smearing(family):
    """E(sigma->0) is the free energy less half of -TS for Fermi-Dirac and all of it kept for cold smearing."""
    from aiida_crystalgen.calculations.verify_pw import read_pw

    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    told = {'energy': -10.0, 'energy_smearing': -0.4, 'number_of_electrons': 8.0}

    def energy(smearing):
        parameters = orm.Dict({'SYSTEM': {'smearing': smearing}})
        level = orm.Dict({'fingerprint': '0' * 16})
        found = read_pw(level, crystal(), parameters, kpoints, job_00=orm.Dict(told))['results']
        assert found['energy_free_eV'] == -10.0
        return found['energy_eV']

    assert energy('fermi-dirac') == pytest.approx(-9.8)
    assert energy('cold') == -10.0
