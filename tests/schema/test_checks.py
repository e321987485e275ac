"""What is wrong in a campaign is named at its place, with a remedy."""

from __future__ import annotations

import hashlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.schema import CampaignSpec, load_campaign, problems
from aiida_crystalgen.schema.parameters import parameter_findings

from .example import GOOD, REGISTRY


@pytest.mark.parametrize(
    ('old', 'new', 'where', 'words'),
    [
        ('version: 1', 'version: 2', 'version', ('`2` is not one of: 1', 'choose')),
        ('seed: 1', 'seed: -1', 'seed', ('below the smallest allowed, 0', 'fixes every random choice')),
        ('seed: 1', 'seed: 5000000000', 'seed', ('above the largest allowed', 'fixes every random choice')),
        ('seed: 1', 'seed: one', 'seed', ('the text `one` is not a whole number', 'fixes every random choice')),
        ('seed: 1', 'seed: true', 'seed', ('true is not a whole number', 'fixes every random choice')),
        ('seed: 1', 'seed: 1\nprotocol: fst', 'protocol', ('is not one of: fast, balanced', 'did you mean `fast`?')),
        ('name: Mg-O', "name: ''", 'name', ('empty', 'name of the campaign')),
        ('type: random', 'type: randm', 'generators[0].type', ('no generator is registered', 'did you mean `random`?')),
        ('type: tiny', 'type: big', 'potential.type', ('no potential is registered', 'choose one of: tiny')),
        ('    n: 5\n', '', 'generators[0].n', ('missing', 'number of crystals')),
        ('n: 5', 'n: 5\n    label: a b', 'generators[0].label', ('right form', 'underscores')),
        ('n: 5', 'n: 5\n    code: python', 'generators[0].code', ('right form', '`label@computer`')),
        ('O-Mg', 'O-Mx', 'generators[0].parameters.chemical_system', ('`O-Mx` is not a chemical system', '`Mg-O`')),
        ('O-Mg', 'O-K', 'generators[0].parameters.chemical_system', ('`tiny` does not know K', 'another potential')),
        (
            'chemical_system: O-Mg',
            'composition: Mgo',
            'generators[0].parameters.composition',
            ('not a composition', 'Mg2'),
        ),
        (
            'chemical_system: O-Mg',
            '',
            'generators[0].parameters',
            ('nothing says what to make', 'composition: Mg2SiO4'),
        ),
        ('O-Mg', 'O-Mg, composition: MgO', 'generators[0].parameters', ('given together', 'give either')),
        (
            'O-Mg',
            'O-Mg, max_atom: 2',
            'generators[0].parameters.max_atom',
            ('no parameter', 'did you mean `max_atoms`?'),
        ),
        ('O-Mg', 'O-Mg, max_atoms: 0', 'generators[0].parameters.max_atoms', ('below the smallest', 'from 1 to 100')),
        ('O-Mg', 'O-Mg, max_atoms: 101', 'generators[0].parameters.max_atoms', ('above the largest', 'from 1 to 100')),
        (
            'O-Mg',
            'O-Mg, max_atoms: 2.5',
            'generators[0].parameters.max_atoms',
            ('not a whole number', 'atoms in the cell'),
        ),
        ('O-Mg', 'O-Mg, volume: [0.1]', 'generators[0].parameters.volume', ('`0.1` A^3 is below', 'A^3')),
        ('type: random', 'type: files', 'generators[0].files', ('missing', 'file or folder')),
        ('cutoff: 5', 'cutoff: 5, fmax: 0', 'potential.parameters.fmax', ('`0` eV/A is below the smallest', 'eV/A')),
        ('cutoff: 5', 'cutoff: 5, fmax: a', 'potential.parameters.fmax', ('`a` is not a number', 'largest force')),
        ('cutoff: 5', 'cutoff: 5, fmax:', 'potential.parameters.fmax', ('no value', 'a number in eV/A')),
        (
            'cutoff: 5',
            'cutoff: 5, precision: float16',
            'potential.parameters.precision',
            ('not one of', 'did you mean'),
        ),
        (
            'cutoff: 5',
            '',
            'potential.parameters.cutoff',
            ('needs this parameter', 'a number in A (range of the potential)'),
        ),
        ('type: tiny', 'type: tiny\n  model: a/b', 'potential.model', ('does not exist', 'correct the path')),
        ('type: tiny', 'type: tiny\n  model: smal', 'potential.model', ('not one of: small', 'did you mean `small`?')),
        ('n: 5', 'n: 5\n    model: x', 'generators[0].model', ('knows no models by name', 'correct the path')),
        ('type: tiny', 'type: tiny\n  model: a.pt', 'potential.model', ('does not exist', 'correct the path')),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(problems_of, old, new, where, words):
    """Each mistake gives one problem at its place."""
    assert old in GOOD
    (problem,) = problems_of(GOOD.replace(old, new, 1))
    assert problem.where == where
    assert words[0] in problem.message
    assert words[1] in problem.remedy


@pytest.mark.parametrize(
    ('text', 'where', 'message'),
    [
        ('filters: {e_hul: {max: 0.1}}', 'filters.e_hul', 'no column has the name `e_hul`'),
        ('filters: {e_hull: {max: 0.1}}', 'filters.e_hull', 'unknown for every crystal without `references.phases`'),
        ('filters: {energy: {}}', 'filters.energy', 'needs one of'),
        ('filters: {energy: {unknown: reject}}', 'filters.energy', 'needs one of'),
        ('filters: {energy: {max: {by: anion_class, values: {}}}}', 'filters.energy.max.default', 'missing'),
        ('filters: {energy: 0.1}', 'filters.energy', '`0.1` is not a list of `key: value` lines'),
        ('filters: {energy: {maximum: 0.1}}', 'filters.energy.maximum', 'not known here'),
        ('filters: {energy: {max: low}}', 'filters.energy.max', 'the text `low` is not a number'),
        ('filters: {energy: {max: {by: formula, values: {}}}}', 'filters.energy.max.by', 'not one of: chemical_system'),
        ('filters: {energy: {equals: low}}', 'filters.energy.equals', 'never equals `low`'),
        ('filters: {valid_relaxed: {max: 1}}', 'filters.valid_relaxed.max', 'true or false and has no limit'),
        ('filters: {formula: {min: 1}}', 'filters.formula.min', 'text and has no limit'),
        ('filters: {forces: {max: 1}}', 'filters.forces', 'many values'),
        (
            'filters: {energy: {max: {by: anion_class, values: {oxide: 1}}}}',
            'filters.energy.max.by',
            'no column has the name `anion_class`',
        ),
        ('filters: {energy: {in: [{a: 1}]}}', 'filters.energy.in[0]', 'neither a number, text'),
        ('screen: {prescreen: {valid: {}}}', 'screen.prescreen.valid', 'no criterion is registered'),
        (
            'screen: {prescreen: {validity: {parameters: {min_distance: -1}}}}',
            'screen.prescreen.validity.parameters.min_distance',
            'below the smallest allowed, 0.0 A',
        ),
        (
            'screen: {prescreen: {validity: {gates: {e_hull: {max: 1}}}}}',
            'screen.prescreen.validity.gates.e_hull',
            'no column has the name `e_hull` at this stage',
        ),
        ('screen: {shortlist: 0}', 'screen.shortlist', 'below the smallest allowed'),
        ('resources: {device: gpu}', 'resources.device', 'right form'),
    ],
)
def test_a_gate_that_cannot_be_judged_is_named(problems_of, text, where, message):
    """Gates are checked against the columns that exist at their stage, and for their form."""
    matching = [p for p in problems_of(f'{GOOD}{text}\n') if p.where == where and message in p.message]
    assert [problem.line for problem in matching] == [11]


def test_gates_on_all_kinds_of_columns_are_accepted(write, tmp_path):
    """Limits, tables, lists, a criterion of another package and removed gates pass the check."""
    (tmp_path / 'a.cif').write_text('data_a')
    text = """\
references: {phases: a.cif}
filters:
  e_hull: null
  hardness: {min: 10, unknown: reject}
  formula: {in: [MgO, Mg]}
  volume_per_atom_relaxed: {min: 5, max: 30}
  energy: {max: {by: chemical_system, default: 0, values: {Mg-O: -1}}}
screen:
  prescreen: {uniqueness: null, validity: {gates: {volume_per_atom_generated: {max: 40}}}}
  postscreen: {extra: {}, validity: {gates: {valid_relaxed: null}}}
"""
    spec = load_campaign(write(GOOD + text), REGISTRY)
    assert spec.normalised()['filters']['formula'] == {'in': ['MgO', 'Mg']}
    assert 'e_hull' not in spec.normalised()['filters']


def test_labels_are_unique(problems_of):
    """Two generators with one label cannot be told apart."""
    (problem,) = problems_of(
        GOOD.replace('potential:', '  - {type: files, files: .}\n  - {type: files, files: .}\npotential:')
    )
    assert (problem.line, problem.where) == (9, 'generators[2].label')


def test_an_empty_folder_is_a_problem(problems_of, tmp_path):
    """A folder without files holds no competing phases."""
    (tmp_path / 'phases').mkdir()
    (problem,) = problems_of(GOOD + 'references: {phases: phases}\n')
    assert 'holds no files' in problem.message


@pytest.mark.parametrize(
    ('trust', 'where', 'message'),
    [
        (None, 'potential.model', 'can run any code'),
        ('0' * 64, 'potential.trust', 'not the one that is trusted'),
        ('abc', 'potential.trust', 'right form'),
    ],
)
def test_a_model_file_needs_its_sha256(problems_of, tmp_path, trust, where, message):
    """A model file without the right sha256 is refused."""
    (tmp_path / 'm.model').write_bytes(b'weights')
    text = '\n  model: m.model' + (f"\n  trust: '{trust}'" if trust else '')
    found = problems_of(GOOD.replace('type: tiny', f'type: tiny{text}'))
    assert any(problem.where == where and message in problem.message for problem in found)


def test_a_trusted_model_file_and_a_model_name_are_accepted(write, tmp_path):
    """The right sha256 opens a model file; a bare word is a name that the adapter knows."""
    (tmp_path / 'm.model').write_bytes(b'weights')
    digest = hashlib.sha256(b'weights').hexdigest()
    trusted = GOOD.replace('type: tiny', f"type: tiny\n  model: m.model\n  trust: '{digest}'")
    assert load_campaign(write(trusted), REGISTRY).potential.trust == digest
    assert load_campaign(write(GOOD.replace('type: tiny', 'type: tiny\n  model: small')), REGISTRY)


def test_problems_of_a_spec_made_in_python():
    """A campaign without a file is checked too; its problems have no line."""
    spec = CampaignSpec.model_validate(yaml.safe_load(GOOD.replace('tiny', 'big')))
    (problem,) = problems(spec, REGISTRY)
    assert problem.line is None
    assert str(problem).startswith('`potential.type`: no potential')


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(CampaignSpec.model_fields)), value=JSON_VALUES)
def test_no_value_crashes_the_check(key, value):
    """Whatever stands under a key ends as problems or as an accepted campaign."""
    raw = {**yaml.safe_load(GOOD), key: value}
    if not problems(raw, REGISTRY):
        CampaignSpec.model_validate(raw)


PLACES = [
    *[('generators', 0, key) for key in ('type', 'label', 'n', 'code', 'parameters', 'files', 'model', 'trust')],
    *[('generators', 0, 'parameters', key) for key in ('chemical_system', 'composition', 'max_atoms', 'volume')],
    *[('potential', key) for key in ('type', 'code', 'parameters', 'model', 'trust')],
    *[('references', key) for key in ('phases', 'known', 'training', 'mode', 'level', 'partial', 'source')],
    *[('filters', 'energy', key) for key in ('min', 'max', 'equals', 'in', 'unknown', 'odd')],
    *[('screen', screen, 'validity', key) for screen in ('prescreen', 'postscreen') for key in ('parameters', 'gates')],
    *[('resources', key) for key in ('lanes', 'device', 'options')],
]


@given(place=st.sampled_from(PLACES), value=JSON_VALUES | st.just('~nobody/x') | st.just('a/' * 3000))
def test_no_value_inside_a_part_crashes_the_check(place, value):
    """The same holds for values deeper in the file."""
    raw = {**yaml.safe_load(GOOD), 'references': {'phases': '.'}, 'filters': {'energy': {'max': 1.0}}, 'resources': {}}
    raw['screen'] = {'prescreen': {'validity': {}}, 'postscreen': {'validity': {}}}
    part = raw
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    if not problems(raw, REGISTRY):
        CampaignSpec.model_validate(raw).normalised()


@pytest.mark.parametrize(('given', 'found'), [({}, True), ({'group': []}, True), ({'group': 225}, False)])
def test_a_condition_that_a_generator_cannot_do_without_is_asked_for(given, found):
    """A job would say so too, but only after it had waited in a queue."""
    form = {'type': 'int', 'default': None, 'many': True, 'needed': True, 'help': 'number of the space group'}
    about = {'name': 'symmetric', 'conditions': {'group': form}}
    findings = [(finding.message, finding.remedy) for finding in parameter_findings(given, about, ())]
    assert any('`symmetric` needs this condition' in message for message, _ in findings) is found
