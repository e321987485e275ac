"""Tests of models: files, folders, names and paths of another computer; and whether they are trusted."""

import hashlib

import pytest

from aiida_crystalgen.schema.models import (
    digest_to_trust,
    files_of,
    model_findings,
    recognised,
    trained_findings,
    unpickled,
)

KEYS = ('generators', 0)
ABOUT = {
    'name': 'drawer',
    'parameters': {},
    'conditions': {'gap': {}, 'group': {}, 'chemical_system': {}},
    'checkpoint': {'form': 'folder', 'unpickled': ['*.ckpt'], 'required': ['config.yaml', '*.ckpt'], 'by_name': False},
    'checkpoints': {
        'plain': {'conditions': [], 'max_atoms': 20, 'source': 'its web page', 'files': {}},
        'gapped': {
            'conditions': ['gap'],
            'max_atoms': 20,
            'source': 'its web page',
            'files': {'checkpoints/last.ckpt': hashlib.sha256(b'known').hexdigest()},
        },
    },
}


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes a checkpoint `mine` with the content given."""

    def factory(content=b'weights'):
        (tmp_path / 'mine/checkpoints').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'mine/config.yaml').write_text('a: 1')
        (tmp_path / 'mine/checkpoints/last.ckpt').write_bytes(content)
        return tmp_path

    return factory


def said(entry, folder, about=ABOUT):
    """Return where and what the findings on the model of an entry are."""
    return [(f.keys[-1], f'{f.message}; {f.remedy}') for f in model_findings(entry, about, KEYS, folder)]


def test_a_folder_is_told_with_the_sha256_of_its_files(folder):
    """Every file counts, hidden ones do not."""
    top = folder()
    (top / 'mine/.git').write_text('x')
    assert sorted(files_of(top / 'mine')) == ['checkpoints/last.ckpt', 'config.yaml']


def test_a_checkpoint_that_its_tool_unpickles_needs_trust(folder):
    """The sentence says what to write."""
    ((place, text),) = said({'model': './mine'}, folder())
    assert place == 'model'
    assert hashlib.sha256(b'weights').hexdigest() in text


def test_a_trusted_checkpoint_passes_and_another_one_does_not(folder):
    """Trust is of the bytes that the tool unpickles."""
    trust = hashlib.sha256(b'weights').hexdigest()
    assert said({'model': './mine', 'trust': trust}, folder()) == []
    ((place, _),) = said({'model': './mine', 'trust': trust}, folder(b'changed'))
    assert place == 'trust'


def test_a_published_checkpoint_needs_no_trust(folder):
    """It is recognised by the sha256 of its files, whatever its folder is called."""
    top = folder(b'known')
    assert recognised(files_of(top / 'mine'), ABOUT) == 'gapped'
    assert said({'model': './mine'}, top) == []


def test_several_files_are_trusted_by_their_list():
    """The digest is that of the list as sha256sum prints it."""
    files = {'b.ckpt': 'b' * 64, 'a.ckpt': 'a' * 64}
    listing = f'{"a" * 64}  a.ckpt\n{"b" * 64}  b.ckpt\n'
    assert digest_to_trust(files) == hashlib.sha256(listing.encode()).hexdigest()


def test_only_what_the_tool_unpickles_is_dangerous():
    """Text beside the weights needs no trust."""
    assert list(unpickled({'config.yaml': 'a', 'x/last.ckpt': 'b'}, ABOUT)) == ['x/last.ckpt']


def test_a_folder_without_what_the_tool_needs_is_refused(folder):
    """The missing file is named."""
    top = folder()
    (top / 'mine/config.yaml').unlink()
    ((_, text),) = said({'model': './mine'}, top)
    assert 'config.yaml' in text


def test_a_file_in_place_of_a_folder_is_refused(folder):
    """What the tool calls its checkpoint is a folder."""
    top = folder()
    ((_, text),) = said({'model': 'mine/config.yaml'}, top)
    assert 'is a folder' in text


def test_a_known_name_that_is_not_fetched_says_where_it_comes_from(tmp_path):
    """Tools that do not fetch their models are given the path of a copy."""
    ((_, text),) = said({'model': 'gapped'}, tmp_path)
    assert 'its web page' in text


def test_an_unknown_name_says_which_are_known(tmp_path):
    """The nearest name is offered."""
    ((_, text),) = said({'model': 'gaped'}, tmp_path)
    assert '`gapped`' in text


def test_a_path_of_the_computer_has_to_be_absolute(tmp_path):
    """What it holds is looked at when the campaign is planned."""
    assert said({'model': 'remote:/models/mine'}, tmp_path) == []
    ((_, text),) = said({'model': 'remote:models/mine'}, tmp_path)
    assert 'absolute' in text


def test_a_condition_that_a_checkpoint_was_not_trained_on_is_refused():
    """The sentence names a checkpoint that was."""
    (finding,) = trained_findings('plain', {'gap': 1.0}, ABOUT, KEYS)
    assert finding.keys[-1] == 'gap'
    assert '`gapped`' in finding.remedy
    assert list(trained_findings('gapped', {'gap': 1.0}, ABOUT, KEYS)) == []


def test_more_atoms_than_a_checkpoint_has_seen_are_refused():
    """The limit is said."""
    (finding,) = trained_findings('plain', {'max_atoms': 30}, ABOUT, KEYS)
    assert '20' in finding.message
