"""Tests of `init`, `doctor` and `check-code`, with the console script in a folder of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def config_of(folder):
    """Return AiiDA's configuration in the folder."""
    return json.loads((folder / '.aiida' / 'config.json').read_text())


@pytest.fixture(scope='module')
def first(script):
    """Return what the first `init` prints."""
    return script('init').stdout


def test_without_a_profile_the_remedy_is_init(script):
    """A command that needs the database says what to do first."""
    done = script('status', code=1)
    assert done.stderr == 'Error: there is no AiiDA profile yet. Make one with `aiida-crystalgen init`.\n'


def test_init_makes_a_profile_without_services(first, folder):
    """The profile is on SQLite and ZeroMQ, even where a RabbitMQ runs."""
    profile = config_of(folder)['profiles']['crystalgen']
    assert profile['storage']['backend'] == 'core.sqlite_dos'
    assert profile['process_control']['backend'] == 'core.zeromq'


def test_init_turns_caching_on(first, folder):
    """The daemon reuses finished jobs too, and has time to answer."""
    options = config_of(folder)['profiles']['crystalgen']['options']
    assert options['caching.enabled_for'] == ['aiida.calculations:crystalgen.*']
    assert options['daemon.timeout'] == 20


def test_init_says_what_it_did(first):
    """Each thing that was made is a line."""
    assert [line.split()[0] for line in first.splitlines() if line and line[0] != ' '][:4] == [
        'profile', 'caching', 'computer', 'code'
    ]  # fmt: skip
    assert 'python@localhost' in first


def test_init_again_changes_nothing(first, script, folder):
    """A second `init` finds everything there."""
    before = config_of(folder)
    lines = script('init').stdout.splitlines()
    assert all('already' in line for line in lines[:4])
    assert config_of(folder) == before


def test_unknown_profile_is_named(first, script):
    """A profile that does not exist is an error with a remedy."""
    assert 'there is no profile `other`' in script('-p', 'other', 'status', code=1).stderr


def test_second_profile_has_its_own_name(first, script, folder):
    """`-p NAME init` makes that profile and leaves the default one alone."""
    script('-p', 'second', 'init', '--broker', 'none')
    config = config_of(folder)
    assert set(config['profiles']) == {'crystalgen', 'second'}
    assert config['default_profile'] == 'crystalgen'
    assert config['profiles']['second']['process_control']['backend'] is None


def test_check_code_asks_the_code(first, script):
    """The Code tells the versions of what it runs."""
    done = script('check-code', 'python@localhost', '--potential', 'emt')
    assert 'ase ' in done.stdout


def test_check_code_of_a_missing_code(first, script):
    """A Code that does not exist is named."""
    assert 'there is no Code `other@localhost`' in script('check-code', 'other@localhost', code=1).stderr


def test_doctor_finds_nothing_bad(first, script):
    """After `init` the machine is fit."""
    lines = script('doctor').stdout.splitlines()
    assert not [line for line in lines if line.startswith('bad')]
    assert any('caching' in line and line.startswith('good') for line in lines)


def test_init_keeps_a_code_that_works(script, folder):
    """Another Python that works stays the Code, unless this one is asked for; a broken one gives way."""
    other = folder / 'python'
    other.symlink_to(sys.executable)
    script('-p', 'third', 'init')
    relabel = f"""
from aiida import load_profile, orm
load_profile('third')
orm.load_code('python@localhost').label = 'first'
orm.InstalledCode(computer=orm.load_computer('localhost'), filepath_executable='{other}', label='python').store()
"""
    subprocess.run([sys.executable, '-c', relabel], env={**os.environ, 'AIIDA_PATH': str(folder)}, check=True)
    assert '--this-python' in script('-p', 'third', 'init').stdout
    other.unlink()
    lines = script('-p', 'third', 'init').stdout
    assert 'renamed' in lines
    # The script runs with the Python that installed it, under whichever of its names.
    assert re.search(rf'{Path(sys.executable).parent}/python[\d.]*, created', lines)
