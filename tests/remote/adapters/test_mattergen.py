"""MatterGen as a generator: what can be checked and refused without its environment."""

from __future__ import annotations

import re

import pytest
import yaml
from generator_job import ABOUT_KEYS, data, job, literal_about, load

# They lie where `generator_job` looks.
import mattergen_batches  # isort: skip
import mattergen_model  # isort: skip
import mattergen_outputs  # isort: skip

ABOUT = literal_about('mattergen')
RUNS = 'generators/mattergen'
adapter = load('mattergen')


def test_about_is_complete():
    """`ABOUT` has every key, 76 elements, and checkpoints with files it lists and conditions it offers."""
    assert set(ABOUT) >= ABOUT_KEYS
    assert len(ABOUT['elements']) == 76
    assert len(ABOUT['checkpoints']) == 9
    for checkpoint in ABOUT['checkpoints'].values():
        assert set(checkpoint['conditions']) <= set(ABOUT['conditions'])
        assert set(checkpoint['files']) == {'checkpoints/last.ckpt', 'config.yaml'}
        assert all(re.fullmatch('[0-9a-f]{64}', digest) for digest in checkpoint['files'].values())
    for specification in [*ABOUT['parameters'].values(), *ABOUT['conditions'].values(), *ABOUT['columns'].values()]:
        assert specification['help']
        assert 'unit' in specification
    assert set(mattergen_model.KEYS) <= set(ABOUT['conditions'])


def test_without_mattergen_versions_say_so():
    """A Python without MatterGen gets one sentence."""
    with pytest.raises(RuntimeError, match='mattergen is not installed'):
        adapter.versions()


def test_conditions_without_guidance_are_refused_at_once():
    """Guidance 0, at which MatterGen ignores conditions, is refused before the tool is imported."""
    given = job({'chemical_system': 'Li-O', 'guidance': 0.0})
    with pytest.raises(Exception, match='ignores every condition') as caught:
        list(adapter.run([], given))
    assert caught.value.crystalgen_status == 'guidance_ignored'
    assert ABOUT['parameters']['guidance']['minimum'] > 0


@pytest.mark.parametrize(
    ('formula', 'words'),
    [('Li2(CO3)', 'is not a formula'), ('LiO0', 'is not a formula'), ('XeF2', 'does not draw Xe'), ('1', 'is not')],
)
def test_wrong_formulas(formula, words):
    """A formula that cannot be drawn is refused with a sentence."""
    with pytest.raises(ValueError, match=words):
        mattergen_batches.atoms_of(formula, ABOUT['elements'])


def test_host_and_insert_go_together():
    """One without the other is refused with a sentence."""
    with pytest.raises(ValueError, match='go together'):
        mattergen_batches.read_host({}, {'Li': 1}, ABOUT['elements'])


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        ({'_target_': 'os.system', 'command': 'true'}, ['os.system']),
        ({'model': [{'_target_': 'torch.nn.Identity'}, {'deep': {'_target_': 'builtins.eval'}}]},
         ['torch.nn.Identity', 'builtins.eval']),
        ({'d_model': "${eval:'1+1'}"}, ["${eval:'1+1'}"]),
        ({'d_model': '${lightning_module.diffusion_module.model.hidden_dim}'}, []),
        ({'d_model': '${lightning_module.${eval:1}}'}, ['${lightning_module.${eval:1}}']),
    ],
)  # fmt: skip
def test_what_a_configuration_would_call(content, found):
    """Whatever opening a configuration would call or work out is found, at any depth."""
    assert list(mattergen_model.called(content)) == found


@pytest.mark.parametrize('folder', ['base', 'cond', 'sg', 'csp'])
def test_own_sampling_configuration_is_the_one_that_mattergen_ships(folder):
    """What we write is what MatterGen printed as its configuration when it made the runs of the shared data."""
    text = data(f'{RUNS}/{folder}/_scheduler-stdout_and_stderr.txt').read_text()
    printed = yaml.safe_load(re.search(r'\nSampling config:\n(.*?)\n\n', text, re.DOTALL).group(1))
    own = mattergen_model.sampling_config(20, 0, draws_elements=folder != 'csp')
    own['sampler_partial']['guidance_scale'] = printed['sampler_partial']['guidance_scale']
    printed['condition_loader_partial'] = {
        name: value for name, value in printed['condition_loader_partial'].items() if name.startswith('_')
    }
    assert own == printed


@pytest.mark.parametrize(
    ('path', 'status', 'words'),
    [
        ('_fail_untrained_condition.txt', 'untrained_condition', 'not trained on'),
        ('_fail_wrong_N.txt', 'wrong_steps', 'another number of steps'),
        ('tmpclash/stdout_stderr.txt', 'partial_output', 'Is a directory'),
        ('cond/_scheduler-stdout_and_stderr.txt', '', ''),
    ],
)
def test_failures_are_told_apart(path, status, words):
    """Each output of a failed run has a status and a sentence of its own; one of a good run has none."""
    found = mattergen_outputs.failure(data(f'{RUNS}/{path}').read_text())
    assert found[0] == status
    assert words in found[1]


def elements_of(path) -> list[list[str]]:
    """Return the elements of the frames of an extended XYZ."""
    from ase.io import read

    return [frame.get_chemical_symbols() for frame in read(path, ':')]


def test_ignored_guidance_is_noticed():
    """The run without the guidance factor, which MatterGen ends with return code 0, is told from the one with it."""
    ignored = mattergen_outputs.ignored(
        'Li-O', elements_of(data(f'{RUNS}/cond_ignored_guidance0/generated_crystals.extxyz'))
    )
    assert ignored.startswith('3 of 3 crystals hold elements outside Li-O')
    assert mattergen_outputs.ignored('Li-O', elements_of(data(f'{RUNS}/cond/generated_crystals.extxyz'))) == ''
