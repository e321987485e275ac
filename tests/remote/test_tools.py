"""Tests of what adapters of outside tools share."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
sys.path.insert(0, str(REMOTE))

import tools  # noqa: E402 - it lies in the folder that was just added

SCRIPT = """
import random, sys
print(sys.argv[1:], random.random())
"""
ABOUT = {
    'parameters': {'batch_size': {'default': 4}},
    'conditions': {'system': {'default': None}, 'gap': {'default': None}},
    'columns': {'logp': {'kind': 'row'}},
    'honours': {'chemical_system': 'system', 'band_gap': 'gap', 'host': 'host'},
}


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a script and returns its path."""

    def factory(text=SCRIPT):
        (tmp_path / 'script.py').write_text(text)
        return str(tmp_path / 'script.py')

    return factory


def test_a_script_runs_with_its_arguments_and_the_same_seed_gives_the_same_chance(script, tmp_path):
    """Chance is fixed by the seed alone, though the script knows nothing of it."""
    first, again, other = (
        tools.run_script(script(), ['a', '--b=1'], seed=seed, cwd=str(tmp_path)) for seed in (1, 1, 2)
    )
    assert "['a', '--b=1']" in first
    assert first == again != other


def test_a_script_finds_the_modules_beside_it(script, tmp_path):
    """As when Python runs it."""
    (tmp_path / 'beside.py').write_text('WORD = "found"')
    assert 'found' in tools.run_script(script('import beside; print(beside.WORD)'), [], seed=1, cwd=str(tmp_path))


def test_a_failure_says_its_last_line(script, tmp_path):
    """The last line of a traceback says what was wrong."""
    with pytest.raises(RuntimeError, match='ValueError: no such formula'):
        tools.run_script(script('raise ValueError("no such formula")'), [], seed=1, cwd=str(tmp_path))


def test_a_failure_for_want_of_memory_says_so(script, tmp_path):
    """The harness halves the batch when it reads it."""
    text = 'import sys; print("CUDA out of memory. Tried to allocate"); sys.exit("the end")'
    with pytest.raises(RuntimeError, match='out of memory'):
        tools.run_script(script(text), [], seed=1, cwd=str(tmp_path))


def test_a_script_is_stopped_when_the_time_of_the_job_runs_out(script, tmp_path):
    """It is an error of its own, which leaves the rows to another job."""
    job = SimpleNamespace(deadline=time.monotonic() + 1)
    with pytest.raises(TimeoutError, match=r'script\.py'):
        tools.run_script(script('import time; time.sleep(60)'), [], seed=1, cwd=str(tmp_path), job=job)


def test_a_command_that_is_not_there_is_a_sentence(tmp_path):
    """It names the command."""
    with pytest.raises(RuntimeError, match='no-such-tool'):
        tools.run_command(['no-such-tool'], cwd=str(tmp_path))


def test_the_folder_of_a_clone_comes_from_a_variable(monkeypatch, tmp_path):
    """Without it the sentence says where to set it."""
    monkeypatch.setenv('TOY_HOME', str(tmp_path))
    assert tools.home_of('TOY_HOME') == str(tmp_path)
    monkeypatch.setenv('TOY_HOME', str(tmp_path / 'nowhere'))
    with pytest.raises(RuntimeError, match='nowhere'):
        tools.home_of('TOY_HOME')
    monkeypatch.delenv('TOY_HOME')
    with pytest.raises(RuntimeError, match='export TOY_HOME'):
        tools.home_of('TOY_HOME')


def test_the_version_of_a_clone_is_that_of_its_sources(tmp_path):
    """Python files count; caches and data do not."""
    (tmp_path / 'a.py').write_text('1')
    before = tools.sources_digest(str(tmp_path))
    (tmp_path / 'data.csv').write_text('x')
    assert tools.sources_digest(str(tmp_path)) == before
    (tmp_path / 'a.py').write_text('2')
    assert tools.sources_digest(str(tmp_path)) != before


def test_pieces_cover_all_crystals_once():
    """The last piece is the smaller one."""
    assert tools.pieces(10, 4) == [(0, 4), (4, 4), (8, 2)]
    assert tools.pieces(3, 100) == [(0, 3)]


def test_units_take_the_values_of_a_list_one_after_the_other():
    """A list of wishes is one batch for each."""
    settings = {'system': 'Li-O', 'gap': [1.0, 2.0], 'host': 'x.cif'}
    assert tools.requested(ABOUT, settings, 0) == {'chemical_system_requested': 'Li-O', 'band_gap_requested': 1.0}
    assert tools.requested(ABOUT, settings, 3)['band_gap_requested'] == 2.0


def test_only_what_was_asked_for_is_declared():
    """Columns of wishes have units; wishes that were not made have no column."""
    declared = tools.declared(ABOUT, SimpleNamespace(parameters={'gap': 1.0}))
    assert sorted(declared) == ['band_gap_requested', 'drawn_with', 'logp']
    assert declared['band_gap_requested']['unit'] == 'eV'
