"""The campaign file: what is accepted, and what is said about everything that is not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem, load_campaign, problems
from aiida_crystalgen.schema.__main__ import json_schema
from aiida_crystalgen.schema.chemistry import elements_of_formula, elements_of_system
from aiida_crystalgen.schema.protocols import available_protocols, default_protocol

ROOT = Path(__file__).parents[1]
NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom'}
FLAG = {'kind': 'row', 'dtype': 'bool', 'shape': []}
TEXT = {'kind': 'text'}

REGISTRY = {
    'generator': {
        'random': {
            'name': 'random',
            'parameters': {
                'max_atoms': {'type': 'int', 'default': 10, 'minimum': 1, 'maximum': 100, 'help': 'atoms in the cell'},
                'volume': {'type': 'list', 'default': None, 'unit': 'A^3', 'minimum': 1.0},
            },
            'conditions': {
                'composition': {'type': 'text', 'default': None},
                'chemical_system': {'type': 'text', 'default': None},
            },
            'columns': {'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': []}},
        },
        'files': {'name': 'files', 'parameters': {}, 'columns': {}},
    },
    'potential': {
        'tiny': {
            'name': 'tiny',
            'elements': ['Mg', 'O'],
            'parameters': {
                'fmax': {'type': 'float', 'default': 0.05, 'unit': 'eV/A', 'minimum': 1e-4, 'help': 'largest force'},
                'precision': {'type': 'text', 'default': 'float64', 'choices': ['float32', 'float64']},
                'cutoff': {'type': 'float', 'unit': 'A', 'help': 'range of the potential'},
            },
            'columns': {'energy': NUMBER, 'forces': {'kind': 'site', 'shape': [3]}},
        },
    },
    'criterion': {
        'validity': {
            'name': 'validity',
            'parameters': {'min_distance': {'type': 'float', 'default': 0.5, 'unit': 'A', 'minimum': 0.0}},
            'columns': {
                'valid': FLAG,
                'volume_per_atom': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A^3'},
            },
        },
        'composition': {'name': 'composition', 'parameters': {}, 'columns': {'formula': TEXT}},
        'uniqueness': {'name': 'uniqueness', 'parameters': {}, 'columns': {'unique': FLAG}},
        'stability': {'name': 'stability', 'parameters': {}, 'columns': {'e_hull': NUMBER}},
        'extra': {'name': 'extra', 'parameters': {}, 'columns': {'hardness': {**NUMBER, 'unit': 'GPa'}}},
    },
}

GOOD = """\
version: 1
name: Mg-O
seed: 1
generators:
  - type: random
    n: 5
    parameters: {chemical_system: O-Mg}
potential:
  type: tiny
  parameters: {cutoff: 5}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a campaign file and returns its path."""

    def factory(content: str | bytes) -> Path:
        filepath = tmp_path / 'campaign.yaml'
        filepath.write_bytes(content.encode() if isinstance(content, str) else content)
        return filepath

    return factory


@pytest.fixture
def problems_of(write):
    """Return a function that loads a campaign file and returns what is wrong with it."""

    def factory(content: str | bytes) -> tuple[Problem, ...]:
        with pytest.raises(CampaignError) as error:
            load_campaign(write(content), REGISTRY)
        return error.value.problems

    return factory


def test_a_good_file_is_read(write):
    """A minimal file gives a spec that knows its folder and the defaults."""
    spec = load_campaign(write(GOOD), REGISTRY)
    assert (spec.name, spec.protocol, spec.generators[0].code) == ('Mg-O', 'balanced', 'python@localhost')
    assert spec.resolve('x.cif') == spec.folder.resolve() / 'x.cif'


def test_the_models_are_frozen():
    """A spec cannot be changed after it was checked."""
    spec = CampaignSpec.model_validate(yaml.safe_load(GOOD))
    with pytest.raises(ValueError, match='frozen'):
        spec.seed = 2


def test_all_problems_come_at_once_with_line_place_and_remedy(problems_of):
    """Problems in the form, the adapters and the files are in one answer, in the order of the file."""
    text = GOOD.replace('seed: 1', 'sed: 1').replace('n: 5', 'n: 0').replace('cutoff: 5', 'cutof: 5')
    found = problems_of(text + 'references: {phases: nowhere}\n')
    places = [(problem.line, problem.where) for problem in found]
    assert places == [
        (1, 'seed'),
        (3, 'sed'),
        (6, 'generators[0].n'),
        (10, 'potential.parameters.cutof'),
        (10, 'potential.parameters.cutoff'),
        (11, 'references.phases'),
    ]
    assert all(problem.message and problem.remedy for problem in found)


def test_the_error_is_readable(write):
    """The text of the error names the file and has one sentence for each problem."""
    with pytest.raises(CampaignError) as error:
        load_campaign(write(GOOD.replace('name:', 'nam:')), REGISTRY)
    first, *others = str(error.value).splitlines()
    assert first.endswith('campaign.yaml` has 2 problems:')
    assert '  line 2, `nam`: this key is not known here; did you mean `name`?' in others


@pytest.mark.parametrize(
    ('content', 'line', 'message', 'remedy'),
    [
        ('', 1, 'empty', 'new quickstart'),
        ('# only a comment\n', 1, 'empty', 'new quickstart'),
        ('- a\n- b\n', 1, 'not a list of `key: value` lines', 'version: 1'),
        ('version: 1\nname: [a\nseed: 1\n', 3, 'not YAML', 'indentation'),
        ('version: 1\ngenerators:\n\t- type: random\n', 3, 'tab', 'spaces'),
        (b'version: 1\nname: \xff\xfe\n', 2, 'not UTF-8', 'UTF-8'),
        ('version: 1\nname: a\x07b\n', 2, 'not allowed in YAML', 'take it out'),
        ('version: 1\n---\nversion: 1\n', 2, 'second document', 'one campaign'),
        ('a: ' + '[' * 5000, None, 'nested too deeply', 'flat'),
    ],
)
def test_a_file_that_is_no_campaign_is_one_sentence(problems_of, content, line, message, remedy):
    """What stops the reading of a file is one problem with its line and a remedy."""
    (problem,) = problems_of(content)
    assert problem.line == line
    assert message in problem.message
    assert remedy in problem.remedy


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path):
    """A path that leads to no file says so."""
    with pytest.raises(CampaignError, match='does not exist; check the path'):
        load_campaign(tmp_path / 'nothing.yaml', REGISTRY)
    with pytest.raises(CampaignError, match='this is a folder'):
        load_campaign(tmp_path, REGISTRY)


@pytest.mark.parametrize(
    ('line', 'where', 'message'),
    [
        ('seed: 2', 'seed', 'the key is here twice, first in line 3'),
        ('1: a', '1', 'the key `1` is not text'),
        ('extra: !!python/name:os.system x', 'extra', 'not allowed'),
        ('extra: &a [*a]', 'extra[0]', 'contains itself'),
        ('extra: 1e999', 'extra', 'too large'),
        (f'extra: {"9" * 5000}', 'extra', 'not a number'),
    ],
)
def test_odd_yaml_is_named_by_line(problems_of, line, where, message):
    """Duplicate keys, keys that are no text, tags, loops and endless numbers are problems, not crashes."""
    found = [p for p in problems_of(f'{GOOD}{line}\n') if p.where == where and message in p.message]
    assert [problem.line for problem in found] == [11]


def test_scalars_follow_yaml_1_2(write):
    """`1e-3` is a number and `no` is text, as a chemist means them."""
    spec = load_campaign(write(GOOD.replace('cutoff: 5', 'cutoff: 1e-3').replace('name: Mg-O', 'name: no')), REGISTRY)
    assert spec.potential.parameters['cutoff'] == 1e-3
    assert spec.name == 'no'


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
        ('chemical_system: O-Mg', '', 'generators[0].parameters', ('nothing says what to make', 'composition: MgO')),
        ('O-Mg', 'O-Mg, composition: MgO', 'generators[0].parameters', ('both', 'give one of')),
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
        ('filters: {e_hull: {max: 0.1}}', 'filters.e_hull', 'unknown for every crystal without `references`'),
        ('filters: {energy: {max: 0.1, min: 1}}', 'filters.energy', 'exactly one of'),
        ('filters: {energy: {}}', 'filters.energy', 'exactly one of'),
        ('filters: {energy: 0.1}', 'filters.energy', '`0.1` is not a list of `key: value` lines'),
        ('filters: {energy: {maximum: 0.1}}', 'filters.energy.maximum', 'not known here'),
        ('filters: {energy: {max: low}}', 'filters.energy.max', 'the text `low` is not a number'),
        ('filters: {energy: {max: {by: formula, values: {}}}}', 'filters.energy.max.by', 'not one of: chemical_system'),
        ('filters: {energy: {equals: low}}', 'filters.energy.equals', 'never equals `low`'),
        ('filters: {valid_relaxed: {max: 1}}', 'filters.valid_relaxed.max', 'true or false and has no limit'),
        ('filters: {formula: {min: 1}}', 'filters.formula.min', 'text and has no limit'),
        ('filters: {forces: {max: 1}}', 'filters.forces', 'many values'),
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
  energy: {max: {by: chemical_system, default: 0, values: {Mg-O: -1}}}
screen:
  prescreen: {composition: null, validity: {gates: {volume_per_atom_generated: {max: 40}}}}
  postscreen: {extra: {}, validity: {gates: {valid_relaxed: null}}}
"""
    spec = load_campaign(write(GOOD + text), REGISTRY)
    assert spec.normalised()['filters']['formula'] == {'in': ['MgO', 'Mg']}
    assert 'e_hull' not in spec.normalised()['filters']


def test_labels_are_unique(problems_of):
    """Two generators with one label cannot be told apart."""
    (problem,) = problems_of(GOOD.replace('potential:', '  - {type: files}\n  - {type: files}\npotential:'))
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


def test_normalised_is_plain_sorted_json_without_paths_of_this_machine(write, tmp_path):
    """The node of a campaign holds every number of the protocol and nothing of the folder it lies in."""
    normalised = load_campaign(write(GOOD), REGISTRY).normalised()
    text = json.dumps(normalised)
    assert text == json.dumps(normalised, sort_keys=True)
    assert str(tmp_path) not in text
    assert normalised['potential']['parameters'] == {
        'cutoff': 5, 'fmax': 0.05, 'max_steps': 500, 'pressure': 0.0, 'seconds': 900
    }  # fmt: skip
    assert normalised['generators'][0]['parameters'] == {'chemical_system': 'Mg-O'}
    assert normalised['generators'][0]['label'] == 'random'


def test_a_campaign_changes_the_numbers_of_its_protocol(write):
    """Parameters of the potential, screens, filters and resources replace those of the protocol."""
    text = GOOD.replace('cutoff: 5', 'cutoff: 5, fmax: 0.2') + (
        'protocol: fast\nresources: {chunk_size: 7}\n'
        'screen: {shortlist: 3, prescreen: {validity: {parameters: {min_distance: 1.0}}}}\n'
    )
    normalised = load_campaign(write(text), REGISTRY).normalised()
    step = normalised['prescreen']['steps'][0]
    assert (step['criterion'], step['parameters']['min_distance'], step['suffix']) == ('validity', 1.0, '_generated')
    assert normalised['potential']['parameters']['fmax'] == 0.2
    assert normalised['potential']['parameters']['max_steps'] == 200
    assert (normalised['resources']['chunk_size'], normalised['shortlist']) == (7, 3)


def test_whether_references_are_partial_reaches_the_novelty_step(write, tmp_path):
    """The campaign says of its references whether they hold all known crystals."""
    (tmp_path / 'a.cif').write_text('data_a')
    text = GOOD + 'references: {phases: a.cif, partial: false}\n'
    steps = load_campaign(write(text), REGISTRY).normalised()['postscreen']['steps']
    assert [s['parameters']['known_partial'] for s in steps if s['criterion'] == 'novelty'] == [False]


def test_normalised_has_the_same_meaning_in_any_order_of_keys(write):
    """The order of the keys of a file is not part of the campaign."""
    backwards = yaml.safe_dump(dict(reversed(yaml.safe_load(GOOD).items())), sort_keys=False)
    first = load_campaign(write(GOOD), REGISTRY).normalised()
    assert json.dumps(load_campaign(write(backwards), REGISTRY).normalised()) == json.dumps(first)


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


@pytest.mark.parametrize(
    ('formula', 'elements'),
    [('MgO', ['Mg', 'O']), ('Ca(OH)2', ['Ca', 'H', 'O']), ('Mg0.5O', ['Mg', 'O']), ('((Mg)2O)3', ['Mg', 'O'])]
    + [(wrong, None) for wrong in ('', 'mgo', '2Mg', 'Mg(O', 'Mg)O(', 'Mg()', 'Ca(2)', 'Xx', 'D2O', 5, None)],
)
def test_formulas_are_read(formula, elements):
    """A formula gives its elements; what is not one gives none."""
    assert elements_of_formula(formula) == elements


def test_chemical_systems_are_sorted():
    """The order of the elements in a file does not matter."""
    assert elements_of_system('O-Mg') == elements_of_system(['Mg', 'O', 'O']) == ['Mg', 'O']
    assert elements_of_system('Mg-') is None


def test_the_protocols_of_the_schema_are_those_of_the_file():
    """The choices of the field `protocol` and its default come from the protocol file."""
    field = json_schema()['properties']['protocol']
    assert (field['enum'], field['default']) == (list(available_protocols()), default_protocol())


def test_the_published_json_schema_is_the_generated_one():
    """`docs/reference/campaign.schema.json` was made from the models as they are now."""
    command = [sys.executable, '-m', 'aiida_crystalgen.schema']
    generated = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True).stdout
    assert (ROOT / 'docs' / 'reference' / 'campaign.schema.json').read_text(encoding='utf-8') == generated


def test_every_field_of_the_json_schema_has_a_description():
    """An editor can say of every key what it holds."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for model in [schema, *schema['$defs'].values()]:
        assert [name for name, field in model['properties'].items() if not field.get('description')] == []


def test_the_schema_imports_no_aiida():
    """A file is checked without AiiDA, in a fraction of a second."""
    code = (
        'import sys, aiida_crystalgen.schema; sys.exit(any(m in sys.modules for m in ("aiida", "pymatgen", "numpy")))'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False, cwd=ROOT, env=dict(os.environ)).returncode == 0
