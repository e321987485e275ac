"""The commands `reference fetch mp` and `reference fetch optimade`."""

import json

import pytest
from click.testing import CliRunner

from aiida_crystalgen.cli.fetch import fetch
from tests.fetch.crystals import LI_O, NO_CRYSTALS


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(fetch, list(map(str, arguments)))


def test_a_fetch_tells_what_it_wrote_and_what_comes_next(database, tmp_path):
    """Progress a page, then licence, citation, skips and the next command."""
    target = tmp_path / 'known.json.gz'
    result = run('optimade', database.url, '--elements', 'Li-O', '-o', target, '--page-limit', 20, '--pause', 0)
    assert result.exit_code == 0, result.output
    assert f'page 2: {len(LI_O - NO_CRYSTALS)} crystals of {len(LI_O)}, 3 skipped' in result.output
    assert 'licence  CC-BY-4.0' in result.output
    assert 'doi:10.1007/s11837-013-0755-4' in result.output
    assert '1 because it is not periodic in three dimensions' in result.output
    assert f'Next: aiida-crystalgen reference add {target} --name oqmd-Li-O' in result.output
    again = run('optimade', database.url, '--elements', 'Li-O', '-o', target)
    assert again.exit_code == 1
    assert 'exists already' in again.output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['optimade', 'mp', '-o', 'a.json'], 'whole database'),
        (['optimade', 'mp', '--elements', 'Li-Zz', '-o', 'a.json'], 'because of `Zz`'),
        (['optimade', 'nowhere', '--elements', 'Li', '-o', 'a.json'], 'no database known here'),
        (['optimade', 'mp', '--elements', 'Li', '-o', 'a.txt'], 'must end with'),
        (['mp', '--elements', 'Li', '-o', 'a.txt'], 'must end with'),
    ],
)
def test_mistakes_are_sentences(arguments, message, monkeypatch, tmp_path):
    """Before any server is asked."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith('Error: ')
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_asked_for():
    """A database and a file are needed, unless the databases are to be listed."""
    assert run('optimade').exit_code == 2
    assert 'Give a database' in run('optimade', 'mp').output


def test_databases_are_listed_with_their_licences():
    """What is not for commerce is told, and so is what is not in OPTIMADE's own list."""
    result = run('optimade', '--list')
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line}
    assert 'https://alexandria.icams.rub.de/pbe' in lines['alexandria-pbe']
    assert 'CC-BY-NC-4.0 (non-commercial!)' in lines['gnome']
    assert lines['gnome'].endswith('*')


def test_the_commands_need_no_aiida(tmp_path):
    """Fetching is done where there may be no profile: `aiida` is not even imported."""
    import subprocess
    import sys

    source = """
import json, sys
import aiida_crystalgen.cli.fetch, aiida_crystalgen.fetch.materials_project, aiida_crystalgen.fetch.optimade
print(json.dumps([name for name in ("aiida", "requests", "pymatgen") if name in sys.modules]))
"""
    result = subprocess.run([sys.executable, '-c', source], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(result.stdout) == []
