"""Tests of the README: its commands are there word for word, and what it names exists."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def command(name: str) -> str:
    """Return the fenced block that follows a mark, as `.ci/run` reads it."""
    found = re.search(rf'^<!-- {name} -->\n```bash\n(.*?)^```$', README, re.MULTILINE | re.DOTALL)
    assert found, f'the README has no `{name}`'
    return found[1]


def test_first_command_is_one_command():
    """The first command installs, sets up, copies the quickstart and runs it, each step only if the last one worked."""
    steps = [step.split() for step in command('first command').replace('\n', ' ').split('&&')]
    assert ['pip', 'install', '-c', 'constraints.txt', "'.[local]'"] in steps
    assert [step[:2] for step in steps[-3:]] == [['aiida-crystalgen', name] for name in ('init', 'new', 'run')]
    assert steps[-1][2:] == ['quickstart/campaign.yaml', '--report', 'report.html', '--dossiers', 'dossiers']


def test_second_command_runs_all_tests():
    """The second command installs what the tests need into the same environment, and runs them."""
    first, second = command('second command').split('&&')
    assert shlex.split(first)[-1] == '.[tests]'
    # Processes side by side, the tests of a file in one; no choice of tests.
    side_by_side = ['-n', 'auto', '--maxprocesses', '4', '--dist', 'loadfile']
    assert shlex.split(second) == ['.venv/bin/python', '-m', 'pytest', *side_by_side]


def test_pytorch_is_the_one_of_the_constraints():
    """The version of PyTorch in the advice is the one that `constraints.txt` fixes."""
    pinned = re.search(r'^torch==(\S+)$', (ROOT / 'constraints.txt').read_text(), re.MULTILINE)[1]
    assert f'torch {pinned}' in README


def test_box_names_all_that_is_registered():
    """The table of what is in the box leaves out no generator and no potential, and names none that is not there."""
    from aiida_crystalgen.bundles import about, find, names

    for kind in ('generator', 'potential'):
        rows = ' '.join(line for line in README.splitlines() if line.startswith((f'| {kind}s |', f'| {kind}s of')))
        registered = {name for name in names(kind) if find(kind, name).is_relative_to(ROOT / 'aiida_crystalgen')}
        assert set(re.findall(r'`(\w+)` \(', rows)) == registered
        assert all(about(kind, name)['summary'] for name in registered)


@pytest.mark.parametrize('link', sorted(set(re.findall(r'\]\(([^)#:]+)\)', README))))
def test_links_lead_somewhere(link):
    """Every link to a file of the repository leads to one."""
    assert (ROOT / link).exists()


def test_it_is_no_wrapper():
    """The README says that the package has nothing to do with its neighbour by name."""
    assert 'not a wrapper of the PyPI package `crystalgen`' in README
