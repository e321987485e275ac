"""Tests of `check` and `plan`."""

import pytest

from aiida_crystalgen.cli.new import campaign_names, campaigns_folder
from aiida_crystalgen.cli.plan import count_jobs

GOOD = """version: 1
name: test
seed: 1
generators:
  - {type: random, n: 10, parameters: {chemical_system: Al-Cu}}
potential: {type: emt}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a campaign file and returns its path."""

    def make(text):
        path = tmp_path / 'campaign.yaml'
        path.write_text(text)
        return path

    return make


@pytest.fixture
def code(aiida_profile, aiida_code_installed):
    """Return the Code that campaigns use by default."""
    return aiida_code_installed(label='python', filepath_executable='/bin/true')


def test_good_file_gets_a_summary(call, write, code):
    """A file that is right is summed up with its gates."""
    output = call('check', write(GOOD)).output
    assert 'random: 10 crystals (chemical_system Al-Cu)' in output
    assert 'valid_generated' in output
    assert 'is right' in output


def test_folder_stands_for_its_file(call, write, code):
    """The folder of a campaign may be given instead of the file."""
    assert 'is right' in call('check', write(GOOD).parent).output


def test_all_problems_at_once_with_lines(call, write):
    """Every problem is a line `FILE:LINE: what. remedy`, and the exit code is 1."""
    path = write(GOOD.replace('seed: 1', 'seed: -1').replace('type: emt', 'type: emd'))
    lines = call('check', path, code=1).output.splitlines()
    assert lines[0].startswith(f'{path}:3: `seed`: ')
    assert lines[1].startswith(f'{path}:6: `potential.type`: ')
    assert lines[1].endswith('Did you mean `emt`?')


def test_missing_file(call, tmp_path):
    """A file that does not exist is a sentence."""
    assert 'does not exist' in call('check', tmp_path / 'nothing.yaml', code=1).output


def test_missing_code_is_named(call, write, aiida_profile_clean):
    """A Code that the profile lacks is found before anything runs."""
    output = call('check', write(GOOD.replace('emt}', 'emt, code: nothing@nowhere}')), code=1).output
    assert 'there is no Code `nothing@nowhere`' in output


def test_gates_tell_what_they_do_to_known_crystals(call, code, tmp_path):
    """The share of the references that a gate would reject is printed."""
    folder = tmp_path / 'references'
    folder.mkdir()
    for name, lattice in (('good', 4.05), ('crushed', 1.0)):
        (folder / f'{name}.cif').write_text(CIF.format(lattice=lattice))
    path = tmp_path / 'campaign.yaml'
    path.write_text(GOOD + 'references: {phases: references}\n')
    output = call('check', path).output
    assert 'would reject 1 of 2 references (50%)' in output


def test_unreadable_reference_is_named(call, tmp_path):
    """A broken reference is a problem of the file."""
    folder = tmp_path / 'references'
    folder.mkdir()
    (folder / 'broken.cif').write_text('nothing')
    path = tmp_path / 'campaign.yaml'
    path.write_text(GOOD + 'references: {phases: references}\n')
    assert '`broken.cif' in call('check', path, code=1).output


@pytest.mark.parametrize('name', campaign_names())
def test_shipped_campaigns_are_planned(call, name):
    """Every shipped campaign gets an estimate of jobs, time and disk."""
    output = call('plan', campaigns_folder() / name).output
    assert 'relax       1 job' in output
    assert 'MB' in output


def test_plan_without_measured_cost_says_so(call, write):
    """Where no cost was measured none is made up."""
    text = GOOD.replace('type: emt', 'type: ase, parameters: {factory: "ase.calculators.emt:EMT"}')
    assert 'are not estimated' in call('plan', write(text)).output


def test_plan_on_a_gpu_says_what_it_does_not_know(call, write):
    """Costs of a CPU are not passed off as those of a GPU."""
    assert 'GPU hours are not estimated' in call('plan', write(GOOD + 'resources: {device: cuda}\n')).output


def test_jobs_follow_lanes_and_chunks():
    """Drawing and relaxing are cut, the screens see everything at once."""
    resources = {'lanes': 2, 'chunk_size': 30}
    jobs = count_jobs({'a': 100, 'b': 50}, resources, {'a': 30, 'b': 10}, with_references=True)
    assert jobs == {'generate': 10, 'prescreen': 1, 'relax': 6, 'references': 1, 'postscreen': 1}


CIF = """data_Al
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a {lattice}
_cell_length_b {lattice}
_cell_length_c {lattice}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Al Al1 0 0 0
"""
