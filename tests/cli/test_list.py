"""Tests of `list`: what a user is told of adapters, their checkpoints, and the Codes that run them."""

import json
import sys

import click
import pytest
from click.testing import CliRunner

from aiida_crystalgen.cli import adapters

ABOUT = {
    'kind': 'generator',
    'summary': 'Draws crystals.',
    'licence': 'MIT (the tool), data CC-BY-4.0',
    'install': 'pip install tool',
    'requires': ['tool'],
    'elements': ['H', 'He', 'Li', 'Be', 'C'],
    'units': 'batch_size',
    'honours': {'chemical_system': 'chemical_system', 'space_group': 'space_groups'},
    'asset': 'host',
    'asset_optional': True,
    'checkpoint': {'form': 'folder', 'unpickled': ['*.ckpt'], 'required': ['config.yaml'], 'by_name': True},
    'checkpoints': {
        'listed': {
            'training': 'MP-20', 'elements': 'any', 'max_atoms': 20, 'conditions': ['band_gap'], 'licence': 'CC0-1.0',
            'source': 'https://example.org', 'files': {'last.ckpt': '0123456789abcdef' * 4}, 'size_mb': 461.0,
        },
        'unlisted': {
            'training': 'carbon', 'elements': ['C'], 'max_atoms': 24, 'conditions': [], 'licence': 'MIT',
            'source': 'the authors', 'files': {}, 'size_mb': None,
        },
    },
    'parameters': {'model_steps': {'type': 'int', 'default': 5, 'minimum': 1, 'maximum': 9, 'help': 'steps to take'}},
    'conditions': {'band_gap': {'type': 'float', 'default': None, 'unit': 'eV', 'many': True, 'help': 'the gap'}},
    'columns': {'place': {'kind': 'site', 'dtype': 'float', 'shape': [3], 'unit': 'A', 'help': 'where it lies'}},
}  # fmt: skip


def described(about=ABOUT, answer=None, columns='80') -> str:
    """Return what is printed of an adapter."""
    command = click.Command('show', callback=lambda: adapters.describe('generator', 'tool', about, 'py@here', answer))
    return CliRunner(env={'COLUMNS': columns}).invoke(command).output


def words(text: str) -> str:
    """Return a text on one line."""
    return ' '.join(text.split())


@pytest.fixture
def python_code(aiida_profile, aiida_code_installed):
    """Return the Code of this Python."""
    return aiida_code_installed(filepath_executable=sys.executable, default_calc_job_plugin=None, label='this-python')


@pytest.mark.parametrize('kind', ['generators', 'potentials', 'criteria'])
def test_list_fits_a_terminal(kind):
    """No line of the list is wider than 80 letters, nor is a line of all that is known; a long word stays whole."""
    from aiida_crystalgen.cli import crystalgen

    for options in ([], ['--verbose']):
        output = CliRunner(env={'COLUMNS': '80'}).invoke(crystalgen, ['list', kind, *options]).output
        wide = [line for line in output.splitlines() if len(line) > 80 and not line.startswith(('All ', 'Which '))]
        assert [line for line in wide if len(line.split()) > 1 and len(line.split()[-1]) < 40] == []


def test_facts_of_an_adapter():
    """Install line, elements, limit of atoms, conditions, files, model and trust are told in a line each."""
    known = dict(adapters.facts(ABOUT))
    assert known['install'] == 'pip install tool'
    assert known['elements'] == '5, H to C without B'
    assert known['atoms'] == 'at most 24 in a cell'
    assert 'chemical_system, space_group (here space_groups)' in known['asked by']
    assert known['reads'] == '`files` of its entry: host, may be left out'
    assert 'a folder that holds config.yaml' in known['model']
    assert 'unpickles *.ckpt' in known['trust']
    assert 'trust: <sha256>' in known['trust']


@pytest.mark.parametrize(
    ('change', 'words_'),
    [
        ({'checkpoint': {'form': 'file', 'unpickled': []}}, 'none needed'),
        ({'checkpoint': {'form': 'file'}}, 'every file but .safetensors'),
        ({'checkpoint': None, 'weights': 'weights.safetensors'}, None),
        ({'checkpoint': None}, None),
    ],
)
def test_rule_of_trust(change, words_):
    """What needs trust follows from what the tool unpickles; without a model there is nothing to trust."""
    known = dict(adapters.facts({**ABOUT, **change}))
    assert ('trust' in known) == (words_ is not None)
    assert words_ is None or words_ in known['trust']


def test_checkpoints_are_told_whole():
    """Each checkpoint has its training set, elements, limit, conditions, licence, size, source and what is trusted."""
    output = words(described())
    assert 'listed MP-20; at most 20 atoms conditions: band_gap CC0-1.0; 461 MB; from https://example.org' in output
    assert 'sha256 known: last.ckpt 0123456789ab' in output
    assert 'unlisted carbon; elements: C; at most 24 atoms no conditions MIT; from the authors needs `trust`' in output


def test_parameters_and_columns_have_units_and_ranges():
    """Ranges, units, defaults and kinds are told."""
    output = words(described())
    assert 'model_steps int, at least 1, at most 9, default 5 steps to take' in output
    assert 'band_gap float [eV], or a list of them, default null the gap' in output
    assert 'place 3 floats of each site [A] where it lies' in output


@pytest.mark.parametrize(
    ('elements', 'text'),
    [
        ('any', 'any'),
        (['C'], 'C'),
        (['H', 'He', 'Li'], '3, H to Li'),
        (['Li', 'O', 'Xx'], '3: Li, O, Xx'),
        (['H', 'U'], '2: H, U'),
    ],
)
def test_elements_in_a_line(elements, text):
    """A long list of elements is told by its ends and what is missing."""
    assert adapters.elements_text(elements) == text


def test_most_elements_are_told_by_what_is_missing():
    """Of all elements up to bismuth without technetium and promethium these two are named."""
    from aiida.common.constants import elements as table

    symbols = [table[number]['symbol'] for number in range(1, 84) if number not in {43, 61}]
    assert adapters.elements_text(symbols) == '81, H to Bi without Tc, Pm'


def test_without_a_code_the_way_to_ask_is_told(call):
    """Whether a Code runs a generator is not known before it was asked."""
    output = words(call('list', 'generators', 'random').output)
    assert 'aiida-crystalgen check-code LABEL@COMPUTER --generator random' in output


def test_code_that_runs_a_generator_tells_its_versions(call, python_code):
    """With `--code` the adapter's versions are asked on the computer of the Code."""
    from importlib.metadata import version

    output = words(call('list', 'generators', 'insertion', '--code', python_code.full_label).output)
    assert f'{python_code.full_label} runs it: numpy {version("numpy")}' in output


def test_code_that_does_not_run_a_generator_says_why(call, aiida_profile, aiida_code_installed, tmp_path):
    """The reason is told, and JSON holds it too; the command succeeds, since it was asked and answered."""
    bare = tmp_path / 'bare-python'
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    code = aiida_code_installed(filepath_executable=str(bare), default_calc_job_plugin=None, label='bare')
    output = words(call('list', 'generators', 'random', '--code', code.full_label).output)
    assert f'{code.full_label} does not run it: `random` does not run' in output
    assert 'install it there: pip install pyxtal' in output
    told = json.loads(call('list', 'generators', 'random', '--code', code.full_label, '--json').output)
    assert told['random']['runs'] is False
    assert 'pip install pyxtal' in told['random']['reason']


def test_code_in_a_container_is_asked_through_its_engine(call, aiida_profile, aiida_localhost, tmp_path):
    """The command of a ContainerizedCode runs around the Python of its image; here it notes the image and starts it."""
    from aiida import orm

    engine = tmp_path / 'engine'
    engine.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "image"}\nshift\nexec "$@"\n')
    engine.chmod(0o755)
    code = orm.ContainerizedCode(
        label='contained', computer=aiida_localhost, filepath_executable=sys.executable,
        engine_command=f'{engine} {{image_name}}', image_name='tool.sif',
    ).store()  # fmt: skip
    output = words(call('list', 'generators', 'insertion', '--code', code.full_label).output)
    assert f'{code.full_label} runs it: numpy' in output
    assert (tmp_path / 'image').read_text() == 'tool.sif\n'


def test_code_needs_a_name_and_a_kind(call, aiida_profile):
    """A Code that does not exist is named, and criteria are no matter of a Code."""
    assert 'there is no Code `no@where`' in call('list', 'generators', '--code', 'no@where', code=1).output
    assert 'no Code runs criteria' in call('list', 'criteria', '--code', 'no@where', code=1).output


def test_engines_say_what_is_here_and_what_to_install(monkeypatch):
    """An engine whose plugin is there names its version and program; another one the extra that installs it."""
    from importlib.metadata import PackageNotFoundError, version

    from aiida_crystalgen.cli.catalogue import catalogue
    from aiida_crystalgen.workflows import engines

    def hidden(name):
        if name == 'aiida-vasp':
            raise PackageNotFoundError(name)
        return version('numpy')

    monkeypatch.setattr(engines, 'version', hidden)
    monkeypatch.setattr('importlib.metadata.version', lambda name: '5.1.0')
    monkeypatch.setattr('shutil.which', lambda name: f'/opt/bin/{name}')
    found = CliRunner().invoke(catalogue, ['engines', '--json'])
    assert found.exit_code == 0, found.output
    told = json.loads(found.output)
    assert told['qe']['runs'] is True
    assert told['qe']['versions'].startswith('aiida-quantumespresso 5.1.0 is installed')
    assert told['qe']['versions'].endswith('`pw.x` is /opt/bin/pw.x')
    assert told['vasp']['runs'] is False
    assert "pip install 'aiida-crystalgen[vasp]'" in told['vasp']['reason']
    assert 'here: ready' in CliRunner().invoke(catalogue, ['engines']).output
