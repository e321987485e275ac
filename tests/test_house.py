"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'aiida_crystalgen'
FILES = sorted(PACKAGE.rglob('*.py'))
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60


def outline_steps(filepath: Path) -> set[str]:
    """Return the names that follow `cls.` in the outlines of a file."""
    tree = ast.parse(filepath.read_text(encoding='utf-8'))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, 'attr', '') == 'outline']
    names = {n for call in calls for n in ast.walk(call) if isinstance(n, ast.Attribute)}
    return {n.attr for n in names if isinstance(n.value, ast.Name) and n.value.id == 'cls'}


@pytest.mark.parametrize('filepath', FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_files_and_functions_are_short(filepath):
    """Files of at most 300 lines, functions of at most 60; `define` is a table of contents and may be longer."""
    text = filepath.read_text(encoding='utf-8')
    assert len(text.splitlines()) <= MOST_LINES
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    long = [n.name for n in functions if (n.end_lineno or 0) - n.lineno >= MOST_LINES_OF_A_FUNCTION]
    assert [name for name in long if name != 'define'] == []


def test_outline_steps_override_nothing():
    """A step named like a method of AiiDA's WorkChain would silently replace it."""
    from aiida.engine import BaseRestartWorkChain, WorkChain

    inherited = {'setup', 'should_run_process', 'run_process', 'inspect_process'}
    assert inherited <= set(dir(BaseRestartWorkChain))
    steps = set().union(*(outline_steps(path) for path in (PACKAGE / 'workflows').glob('*.py')))
    assert {'run_generate', 'run_screen', 'run_relax'} <= steps
    assert (steps - inherited) & set(dir(WorkChain)) == set()


def test_entry_points_begin_with_our_name():
    """Everything that is registered with AiiDA is called `crystalgen.<name>`."""
    entries = [e for e in distribution('aiida-crystalgen').entry_points if e.group.startswith('aiida.')]
    ours = [entry for entry in entries if entry.group != 'aiida.cmdline.data']
    assert len(ours) > 20
    assert [entry.name for entry in ours if not entry.name.startswith('crystalgen.')] == []


def test_what_a_daemon_worker_loads_brings_no_heavy_library():
    """Loading every entry point imports neither torch nor pymatgen nor any other tool of the compute node."""
    source = """
import json, sys
from importlib.metadata import distribution
for entry in distribution('aiida-crystalgen').entry_points:
    if entry.group.startswith('aiida.'):
        entry.load()
heavy = ('torch', 'mace', 'chgnet', 'pymatgen', 'pyxtal', 'phonopy', 'smact', 'matplotlib')
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    result = subprocess.run([sys.executable, '-c', source], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []


def test_importing_the_package_imports_no_aiida():
    """`import aiida_crystalgen` costs next to nothing; public names are loaded when they are used."""
    source = "import sys, aiida_crystalgen; print('aiida' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, '-c', source], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ['False', 'False']
