"""Tests of `new` and `list`."""

import json

import pytest

from aiida_crystalgen.cli.new import campaign_names, campaigns_folder


@pytest.mark.parametrize('name', campaign_names())
def test_campaign_is_copied_whole(call, tmp_path, name):
    """Every file of a shipped campaign arrives, byte by byte."""
    target = tmp_path / 'here'
    assert 'aiida-crystalgen run' in call('new', name, target).output
    source = campaigns_folder() / name
    files = {path.relative_to(source): path.read_bytes() for path in source.rglob('*') if path.is_file()}
    wanted = {path: content for path, content in files.items() if '__pycache__' not in path.parts}
    assert {path.relative_to(target): path.read_bytes() for path in target.rglob('*') if path.is_file()} == wanted


def test_existing_folder_is_not_overwritten(call, tmp_path):
    """A folder with something in it is left alone."""
    (tmp_path / 'mine.txt').write_text('mine')
    assert 'is not overwritten' in call('new', 'quickstart', tmp_path, code=1).output
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_unknown_campaign_is_answered_with_all(call):
    """A name that does not exist is answered with those that do."""
    assert 'Choose one of:' in call('new', 'nothing', code=1).output


@pytest.mark.parametrize('kind', ['generators', 'potentials', 'criteria'])
def test_list_shows_what_is_registered(call, kind):
    """Every registered name has a line with its summary and licence."""
    from aiida_crystalgen import bundles

    singular = {'generators': 'generator', 'potentials': 'potential', 'criteria': 'criterion'}[kind]
    output = call('list', kind).output
    for name in bundles.names(singular):
        assert any(line.startswith(f'{name} ') for line in output.splitlines())


def test_list_shows_parameters_with_units(call):
    """One entry shows its parameters, units and references."""
    output = call('list', 'potentials', 'emt').output
    assert 'fmax' in output
    assert 'eV/A' in output


def test_list_as_json(call):
    """What is known can be read by a program."""
    assert json.loads(call('list', 'potentials', 'emt', '--json').output)['emt']['kind'] == 'potential'


def test_list_campaigns_and_protocols(call):
    """Campaigns and protocols are listed too."""
    assert 'quickstart' in call('list', 'campaigns').output
    assert 'balanced' in call('list', 'protocols').output
