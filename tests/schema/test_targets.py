"""Crystal structure prediction in a campaign file: what is refused, and what is added to the screens."""

from __future__ import annotations

import copy

import pytest
import yaml

from aiida_crystalgen.schema import CampaignSpec, problems

from .example import REGISTRY

GOOD = """\
version: 1
name: csp
seed: 1
targets: {structures: targets}
generators:
  - type: random
potential:
  type: tiny
  parameters: {cutoff: 5}
"""


@pytest.fixture
def registry():
    """Return a registry with a generator that is told compositions, and one that is not."""
    found = copy.deepcopy(REGISTRY)
    found['generator']['random']['honours'] = {'composition': 'composition', 'max_atoms': 'max_atoms'}
    found['generator']['deaf'] = {'name': 'deaf', 'parameters': {}, 'conditions': {}, 'columns': {}}
    found['criterion']['prediction'] = {
        'name': 'prediction',
        'parameters': {'energies': {'type': 'bool', 'default': True}},
        'columns': {'rmsd_strict': {'kind': 'row', 'dtype': 'float', 'shape': []}},
    }
    return found


@pytest.fixture
def problems_of(registry, tmp_path):
    """Return a function that says what is wrong with a campaign."""
    (tmp_path / 'targets').mkdir()
    (tmp_path / 'targets' / 'a.cif').write_text('data_a\n')
    return lambda text: [str(problem) for problem in problems(yaml.safe_load(text), registry, tmp_path)]


def test_generator_needs_neither_number_nor_composition(problems_of):
    """Both come from the targets."""
    assert problems_of(GOOD) == []
    assert problems_of(GOOD.replace('type: random', '{type: files, files: targets}')) == []


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('type: random', '{type: random, n: 5}', '`targets.candidates` says'),
        ('type: random', '{type: random, parameters: {composition: MgO}}', 'the targets say this'),
        ('type: random', '{type: random, parameters: {max_atoms: 5}}', 'the targets say this'),
        ('type: random', '{type: deaf, n: 5}', '`deaf` cannot be told a composition'),
        ('seed: 1', 'seed: 1\nconditions: {composition: MgO}', 'the targets say this'),
        ('structures: targets', 'structures: nowhere', '`nowhere` does not exist'),
        ('structures: targets', 'structures: targets, candidates: 0', 'below the smallest allowed, 1'),
        ('structures: targets', 'candidates: 3', 'this is missing'),
    ],
)
def test_what_contradicts_the_targets_is_named(old, new, words, problems_of):
    """Each is one sentence, at its place."""
    found = problems_of(GOOD.replace(old, new))
    assert any(words in sentence for sentence in found), found


def test_comparison_is_the_first_step_before_and_after_relaxation():
    """Nothing is rejected before it is compared; energies are compared once there are any."""
    spec = CampaignSpec.model_validate(yaml.safe_load(GOOD))
    campaign = spec.normalised()
    first = {screen: campaign[screen]['steps'][0] for screen in ('prescreen', 'postscreen')}
    assert {screen: (step['criterion'], step['suffix']) for screen, step in first.items()} == {
        'prescreen': ('prediction', '_generated'),
        'postscreen': ('prediction', ''),
    }
    assert first['prescreen']['parameters'] == {'energies': False}
    assert campaign['targets'] == {'structures': 'targets', 'candidates': 20}


def test_campaign_without_targets_or_potential_compares_less():
    """Without targets there is no comparison, without a potential none of relaxed crystals."""
    raw = yaml.safe_load(GOOD)

    def criteria(**changes):
        campaign = CampaignSpec.model_validate({**raw, **changes}).normalised()
        return [screen for screen in ('prescreen', 'postscreen') for step in campaign[screen]['steps']
                if step['criterion'] == 'prediction']  # fmt: skip

    assert criteria() == ['prescreen', 'postscreen']
    assert criteria(potential=None) == ['prescreen']
    assert criteria(targets=None) == []


def test_gate_may_stand_on_the_displacement(problems_of):
    """The columns of the comparison are there to be filtered on, with targets alone."""
    gate = 'filters: {rmsd_strict: {max: 0.1}}\n'
    assert problems_of(GOOD + gate) == []
    without = GOOD.replace('targets: {structures: targets}\n', '').replace(
        'type: random', '{type: random, n: 5, parameters: {composition: MgO}}'
    )
    assert any('no column has the name `rmsd_strict`' in sentence for sentence in problems_of(without + gate))
