"""The campaign as frozen models, as a node, and as the published JSON schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from aiida_crystalgen.schema import CampaignSpec, available_protocols, default_protocol, load_campaign
from aiida_crystalgen.schema.__main__ import json_schema
from aiida_crystalgen.schema.chemistry import elements_of_formula, elements_of_species, elements_of_system

from .example import GOOD, REGISTRY

ROOT = Path(__file__).parents[2]


def test_the_models_are_frozen():
    """A spec cannot be changed after it was checked."""
    spec = CampaignSpec.model_validate(yaml.safe_load(GOOD))
    with pytest.raises(ValueError, match='frozen'):
        spec.seed = 2


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


def test_a_campaign_without_a_potential_is_normalised(write, tmp_path):
    """Crystals that are judged as they are need no potential."""
    (tmp_path / 'a.cif').write_text('data_a')
    text = GOOD[: GOOD.index('potential')].replace('type: random\n    n: 5', 'type: files\n    files: a.cif')
    normalised = load_campaign(write(text), REGISTRY).normalised()
    assert normalised['potential'] is None
    assert 'relax' not in normalised


def test_normalised_has_the_same_meaning_in_any_order_of_keys(write):
    """The order of the keys of a file is not part of the campaign."""
    backwards = yaml.safe_dump(dict(reversed(yaml.safe_load(GOOD).items())), sort_keys=False)
    first = load_campaign(write(GOOD), REGISTRY).normalised()
    assert json.dumps(load_campaign(write(backwards), REGISTRY).normalised()) == json.dumps(first)


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


def test_ions_are_read():
    """A list of ions gives its elements; an ion without a charge is none."""
    assert elements_of_species(['Mg2+', 'O2-', 'Fe2.5+']) == ['Fe', 'Mg', 'O']
    assert elements_of_species(['Mg']) is elements_of_species('Mg2+') is elements_of_species([2]) is None


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
    assert subprocess.run([sys.executable, '-c', code], check=False, cwd=ROOT).returncode == 0
