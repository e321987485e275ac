"""What every registered generator promises: a literal `ABOUT` with all that the engine reads, and light imports."""

from __future__ import annotations

import ast
import importlib
import io
import re
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from generator_job import REMOTE, load

from aiida_crystalgen import bundles
from aiida_crystalgen.schema.conditions import ConditionsSpec

tools = importlib.import_module('tools')  # it lies in the folder that `generator_job` added
NAMES = bundles.names('generator')
KEYS = {
    'name': str, 'kind': str, 'summary': str, 'elements': (str, list), 'licence': str, 'citation': list, 'install': str,
    'requires': list, 'needs': list, 'training': (dict, type(None)), 'energy_convention': (str, type(None)),
    'whole_batch': bool, 'units': (int, str), 'parameters': dict, 'conditions': dict, 'columns': dict,
}  # fmt: skip
OPTIONAL = {
    'unconditional': bool, 'packages': dict, 'weights': str, 'asset': str, 'asset_optional': bool, 'table': str,
    'table_optional': bool, 'honours': dict, 'honours_in': str, 'always': list, 'checkpoint': dict, 'checkpoints': dict,
    'chunk_size': int, 'science': list,
}  # fmt: skip
TYPES = {'float': (int, float), 'int': int, 'bool': bool, 'text': str, 'list': list, 'dict': dict}
FORM_KEYS = {
    'type', 'default', 'unit', 'help', 'minimum', 'maximum', 'choices', 'many', 'placeholders', 'needed',
}  # fmt: skip
CHECKPOINT = {'form': str, 'unpickled': list, 'required': list, 'by_name': bool, 'required_input': bool}
PUBLISHED = {
    'training': str, 'elements': (str, list), 'max_atoms': (int, type(None)), 'conditions': list, 'licence': str,
    'source': str, 'files': dict, 'size_mb': (float, type(None)),
}  # fmt: skip
COLUMN = {'kind': str, 'dtype': str, 'shape': list, 'unit': str, 'level': str, 'help': str}
SHARED = {path.stem for path in REMOTE.glob('*.py')}
every_generator = pytest.mark.parametrize('name', NAMES)


@pytest.fixture
def source(request) -> str:
    """Return the text of the adapter that a test is about."""
    return bundles.find('generator', request.node.callspec.params['name']).read_text(encoding='utf-8')


@pytest.fixture
def about(request) -> dict:
    """Return `ABOUT` of the adapter that a test is about, with what its shared modules add."""
    return bundles.about('generator', request.node.callspec.params['name'])


def test_the_generators_of_the_field_are_registered():
    """Every generator that the package promises has its entry point and its file."""
    promised = {
        'random', 'substitution', 'files', 'wyckoff', 'mattergen', 'diffcsp', 'diffcsp_pp', 'crysbfn', 'crystalformer',
        'wyformer', 'command', 'insertion', 'soft_modes',
    }  # fmt: skip
    ours = {e.name for e in distribution('aiida-crystalgen').entry_points if e.group == 'crystalgen.generators'}
    assert promised <= ours <= set(NAMES)
    assert {name for name in ours if not bundles.find('generator', name).is_file()} == set()


@every_generator
def test_about_has_every_key(name, about):
    """The keys that the engine reads are there with the right types, and no others."""
    assert {key: type(about.get(key)) for key, kind in KEYS.items() if not isinstance(about.get(key), kind)} == {}
    assert set(about) <= set(KEYS) | set(OPTIONAL)
    assert {key for key in set(about) & set(OPTIONAL) if not isinstance(about[key], OPTIONAL[key])} == set()
    assert (about['name'], about['kind']) == (name, 'generator')
    assert about['elements'] == 'any' or isinstance(about['elements'], list)
    assert all('doi:10.' in citation for citation in about['citation'])
    assert set(about['needs']) <= SHARED
    assert all(about[key].strip() for key in ('summary', 'licence'))


@every_generator
def test_parameters_and_conditions_are_described(name, about):
    """Each has a type, a help, a unit and a default that fits it; names are used once."""
    forms = {**about['parameters'], **about['conditions']}
    assert len(forms) == len(about['parameters']) + len(about['conditions'])
    for label, form in forms.items():
        assert re.fullmatch('[A-Za-z][A-Za-z0-9_]*', label)
        assert set(form) <= FORM_KEYS, label
        assert form['type'] in TYPES, label
        assert form['help'].strip(), label
        assert isinstance(form['unit'], str), label
        default = form.get('default')
        assert default is None or isinstance(default, TYPES[form['type']]), label
        assert default is None or form.get('choices') is None or default in form['choices'], label
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            assert form.get('minimum', default) <= default <= form.get('maximum', default), label
    assert all('default' in form for form in about['conditions'].values())
    units = about['units']
    assert units >= 1 if isinstance(units, int) else forms[units]['type'] == 'int' and forms[units]['minimum'] == 1


@every_generator
def test_terms_of_the_campaign_are_known(name, about):
    """What a generator can be told is a term of the campaign, and goes to a parameter of its own or to its file."""
    honours = about.get('honours', {})
    own = {**about['parameters'], **about['conditions']}
    assert set(honours) <= set(ConditionsSpec.model_fields)
    assert {value for value in honours.values() if value not in own and value != about.get('asset')} == set()
    for term, value in honours.items():
        unit = tools.TERMS.get(term, ('', own.get(value, {}).get('unit', '')))[1]
        assert own.get(value, {'unit': unit})['unit'] == unit, term
    assert set(about.get('always', [])) <= set(own)
    assert about.get('honours_in', next(iter(own), None)) in {*own, None}


@every_generator
def test_checkpoints_are_described(name, about):
    """A checkpoint says what it was trained on, for what, where it is, and the sha256 of its files."""
    form = about.get('checkpoint', {})
    assert {key for key, value in form.items() if not isinstance(value, CHECKPOINT[key])} == set()
    assert form.get('form', 'file') in {'file', 'folder', 'either'}
    own = {**about['parameters'], **about['conditions']}
    for label, published in about.get('checkpoints', {}).items():
        wrong = {key for key, kind in PUBLISHED.items() if not isinstance(published.get(key), kind)}
        assert wrong == set(), label
        assert set(published) == set(PUBLISHED), label
        assert set(published['conditions']) <= set(own), label
        assert all(re.fullmatch('[0-9a-f]{64}', digest) for digest in published['files'].values()), label
        assert all(published[key] for key in ('training', 'licence', 'source')), label


@every_generator
def test_columns_are_described(name, about):
    """Each column has a kind, a type, a unit and a help."""
    for label, column in about['columns'].items():
        assert re.fullmatch('[A-Za-z0-9_]+', label)
        assert set(column) <= set(COLUMN), label
        assert {key for key, value in column.items() if not isinstance(value, COLUMN[key])} == set(), label
        assert column['kind'] in {'row', 'site', 'ragged', 'text'}, label
        assert column['kind'] == 'text' or column['dtype'] in {'float', 'int', 'bool'}, label
        assert column['help'].strip(), label


def imports_at_the_top(text: str) -> set[str]:
    """Return the modules that a file imports when it is loaded."""
    found = set()
    for node in ast.parse(text, feature_version=(3, 8)).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or '').split('.')[0])
    return found


@every_generator
def test_adapters_are_old_python_and_light(name, source, about):
    """The syntax is that of Python 3.8, and loading an adapter imports the standard library and numpy alone."""
    assert imports_at_the_top(source) <= {*sys.stdlib_module_names, 'numpy'}


@pytest.mark.parametrize('module', sorted(SHARED - {'__init__'}))
def test_shared_modules_are_old_python_and_light(module):
    """So it is with the modules that travel beside adapters; those may import each other."""
    text = (REMOTE / f'{module}.py').read_text(encoding='utf-8')
    assert imports_at_the_top(text) <= {*sys.stdlib_module_names, 'numpy', *SHARED}


@every_generator
def test_what_is_imported_travels(name, source, about):
    """Every shared module that an adapter, or what it needs, imports is in its bundle."""
    members = zipfile.ZipFile(io.BytesIO(bundles.adapter_bundle('generator', name))).namelist()
    needs = {Path(member).stem for member in members if '/' not in member}
    for text in [source, *((REMOTE / f'{need}.py').read_text(encoding='utf-8') for need in needs & SHARED)]:
        tree = ast.parse(text)
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or '' for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported & SHARED <= needs


@pytest.fixture(scope='module')
def bare_python(tmp_path_factory) -> tuple[list[str], Path]:
    """Return a Python in which nothing but numpy is installed, and its folder."""
    import numpy

    folder = tmp_path_factory.mktemp('bare')
    site = Path(numpy.__file__).parents[1]
    for path in [*site.glob('numpy'), *site.glob('numpy-*'), *site.glob('numpy.libs')]:
        (folder / path.name).symlink_to(path)
    return [sys.executable, '-I', '-S', '-c'], folder


@every_generator
def test_a_missing_tool_is_one_sentence(name, bare_python, tmp_path):
    """Where the tool is not installed `versions()` says so in one line, and loads nothing for it."""
    command, folder = bare_python
    (tmp_path / 'bundle.zip').write_bytes(bundles.adapter_bundle('generator', name))
    script = (
        f'import sys; sys.path[:0] = [{str(tmp_path / "bundle.zip")!r}, {str(folder)!r}]\n'
        'import adapter\n'
        'heavy = [name for name in ("torch", "pymatgen", "jax") if name in sys.modules]\n'
        'try: found = adapter.versions()\n'
        'except Exception as error: print(type(error).__name__, error)\n'
        'else: print("versions", found)\n'
        'assert not heavy\n'
    )
    done = subprocess.run([*command, script], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path)
    (line,) = done.stdout.splitlines()
    word, _, sentence = line.partition(' ')
    if set(bundles.about('generator', name)['requires']) <= {'numpy'}:
        assert word == 'versions'
        return
    assert word in {'PackageNotFoundError', 'ImportError', 'ModuleNotFoundError', 'RuntimeError'}, line
    assert 15 < len(sentence) < 400


def test_an_adapter_is_loaded_by_its_path_alone():
    """The tests of this folder load adapters as the harness does; so does this one, with all of them."""
    for name in NAMES:
        if bundles.find('generator', name).parent == REMOTE / 'adapters':
            assert callable(load(name).run)
            assert callable(load(name).versions)
