"""Tests of the documentation: its recipes run, its commands and files are right, its tables leave nothing out."""

import hashlib
import importlib
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.campaign.machine import Machine

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding='utf-8')
         for path in [ROOT / 'README.md', ROOT / 'CHANGELOG.md', *sorted(DOCS.rglob('*.md'))]
         if '_build' not in path.parts}  # fmt: skip
FENCE = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
CAMPAIGN = """
version: 1
name: aluminium-nickel
seed: 1
protocol: fast
generators:
  - {type: random, n: 8, parameters: {chemical_system: Al-Ni, max_atoms: 4}}
potential: {type: emt}
references: {phases: references}
filters: {e_hull: {max: 1.0}}
"""


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of one language on a page."""
    return [text for name, text in FENCE.findall(PAGES[page]) if name == language]


# Recipes on a real campaign.


@pytest.fixture(scope='module')
def machine(tmp_path_factory):
    """Return a machine on which the Python of the README has run a small campaign in place of the quickstart."""
    machine = Machine(tmp_path_factory.mktemp('reader'))
    machine.crystalgen('init')
    folder = machine.folder / 'quickstart'
    references = ROOT / 'workchains' / 'random-search' / 'references'
    (folder / 'references').mkdir(parents=True)
    for path in references.glob('*.cif'):
        (folder / 'references' / path.name).write_bytes(path.read_bytes())
    (folder / 'campaign.yaml').write_text(CAMPAIGN)
    return machine


def run_python(machine: Machine, source: str) -> str:
    """Run Python as a reader would, in a program of its own, and return what it prints."""
    result = subprocess.run(
        [sys.executable, '-c', source], env=machine.environment, cwd=machine.folder, capture_output=True, text=True,
        timeout=600, check=False)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.campaign
def test_python_of_the_readme_runs(machine):
    """The lines of Python in the README run a campaign to its table, its structures and the way of a crystal."""
    (source,) = blocks('README.md', 'python')
    found = run_python(machine, f"{source}\nprint('steps', len(steps), 'structures', len(structures))")
    assert re.search(r'^1 \w+ -?\d', found, re.MULTILINE)
    assert re.search(r'^steps \d+ structures [1-5]$', found, re.MULTILINE)


@pytest.mark.campaign
@pytest.mark.parametrize('page', ['docs/howto/query.md', 'docs/howto/references.md', 'docs/reference/processes.md'])
def test_recipes_run(machine, page):
    """The recipes of a page run one after the other on a finished campaign."""
    start = 'from aiida import load_profile\nload_profile()\n'
    run_python(machine, start + '\n'.join(blocks(page, 'python')))


@pytest.mark.campaign
def test_columns_of_a_campaign_are_documented(machine, tables):
    """Every column of the ranked table and of the rejected rows is on the page of columns."""
    source = """
from aiida import load_profile
load_profile()
from aiida_crystalgen.tools.queries import campaigns
outputs = campaigns()[0].outputs
print(*outputs.table.crystals.columns, *outputs.rejected.crystals.columns)
"""
    documented = re.findall(r'^\| `(\w+)` \|', tables.TABLES['columns'](), re.MULTILINE)
    assert set(run_python(machine, source).split()) <= set(documented)


# Code that readers copy.


def module_of(source: str, name: str) -> types.ModuleType:
    """Return a block of code as a module."""
    module = types.ModuleType(name)
    exec(compile(source, name, 'exec'), module.__dict__)
    return module


@pytest.fixture
def on_the_node(monkeypatch):
    """Let modules that travel be imported as on a compute node."""
    monkeypatch.syspath_prepend(str(ROOT / 'aiida_crystalgen' / 'remote'))


def block_with(page: str, text: str) -> str:
    """Return the block of Python that holds a text."""
    return next(block for block in blocks(page, 'python') if text in block)


def test_potential_of_the_docs_relaxes(on_the_node):
    """The adapter of the how-to relaxes a stretched crystal of argon to its minimum."""
    argon = module_of(block_with('docs/howto/own-potential.md', 'ABOUT'), 'argon')
    row = {'id': 'a-0', 'index': 0, 'seed': 0, 'numbers': np.array([18]), 'positions': np.zeros((1, 3)), 'columns': {},
           'cell': 2.8 * (np.ones((3, 3)) - np.eye(3)), 'pbc': np.ones(3, bool)}  # fmt: skip
    job = types.SimpleNamespace(parameters={'fmax': 0.001}, device='cpu', deadline=None)
    (result,) = argon.run(iter([row]), job)
    assert result['columns']['converged']
    assert result['columns']['volume_change'] < 1
    assert argon.level(job).startswith('mlip:lj-argon:')
    assert set(argon.versions()) == set(argon.ABOUT['requires'])


def test_generator_of_the_docs_is_reproducible():
    """The generator of the how-to makes the same perovskite of the same request, and another one of another seed."""
    perovskite = module_of(block_with('docs/howto/write-generator.md', 'ABOUT'), 'perovskite')
    job = types.SimpleNamespace(parameters={'a_sites': [38, 56]}, model=None, assets={})
    first, again, other = perovskite.run(iter([{'id': 'a-0', 'seed': seed} for seed in (5, 5, 6)]), job)
    assert first['structure'] == again['structure'] != other['structure']
    assert first['structure']['numbers'][1:] == [22, 8, 8, 8]


def test_criterion_of_the_docs_runs():
    """The criterion of the how-to gives the density of copper, and nothing where there are no atoms."""
    from aiida_crystalgen.science.crystal import Crystal

    density = module_of(block_with('docs/howto/write-criterion.md', 'ABOUT'), 'density')
    row = {'id': 'a-0', 'numbers': np.array([29]), 'positions': np.zeros((1, 3)), 'columns': {},
           'cell': 1.805 * (np.ones((3, 3)) - np.eye(3)), 'pbc': np.ones(3, bool)}  # fmt: skip
    empty = {**row, 'numbers': np.zeros(0, int), 'positions': np.zeros((0, 3)), 'cell': np.zeros((3, 3))}
    found = density.evaluate([Crystal.from_row(row), Crystal.from_row(empty)], {}, {})
    assert found['density'] == [pytest.approx(8.97, abs=0.05), None]


def test_check_of_stress_finds_wrong_units():
    """The check of the how-to says 1 for a right calculator and 160 for one that gives GPa."""
    from ase.calculators.emt import EMT

    check_stress = module_of(block_with('docs/howto/own-potential.md', 'def check_stress'), 'check').check_stress

    class InGigapascal(EMT):
        """EMT with a stress in GPa."""

        def get_property(self, name, *arguments, **options):
            value = super().get_property(name, *arguments, **options)
            return value * 160.21766208 if name == 'stress' else value

    assert check_stress(EMT()) == pytest.approx(1, abs=0.02)
    assert check_stress(InGigapascal()) == pytest.approx(160.2, abs=3)


# Campaign files, or parts of them.

MINIMAL = yaml.safe_load(CAMPAIGN.replace('emt', 'chgnet')) | {'filters': {}}
FILES = ('structures/a.cif', 'targets/a.cif', 'wbm.csv', 'references/a.cif', 'prototypes/a.cif', 'all-known.zip',
         'my-finetuned.model', 'cubes.py', 'host.cif')  # fmt: skip
YAML = [(page, number, text) for page in PAGES for number, text in enumerate(blocks(page, 'yaml'))]


@pytest.fixture(scope='module')
def registry():
    """Return what is registered, and the adapters that the how-tos write."""
    from aiida_crystalgen import bundles

    own = {'perovskite': ('write-generator', 'generator'), 'density': ('write-criterion', 'criterion')}
    found = {kind: dict(entries) for kind, entries in bundles.registry().items()}
    for name, (page, kind) in own.items():
        found[kind][name] = module_of(block_with(f'docs/howto/{page}.md', 'ABOUT'), name).ABOUT
    return found


@pytest.mark.parametrize(('page', 'number', 'text'), YAML, ids=[f'{page}-{number}' for page, number, _ in YAML])
def test_campaign_files_are_right(page, number, text, registry, tmp_path):
    """Every campaign file of the docs, and every part of one put into a small campaign, has no problem."""
    from aiida_crystalgen.schema import problems

    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((ROOT / 'workchains' / 'random-search' / 'references' / 'Al_fcc.cif').read_bytes())
    digest = hashlib.sha256((tmp_path / 'my-finetuned.model').read_bytes()).hexdigest()
    part = yaml.safe_load(text.replace('<64 hex digits>', digest))
    if 'generators' in part and 'targets' not in part:
        part['generators'] = [{'n': 4, **entry} if entry['type'] != 'files' else entry for entry in part['generators']]
    campaign = part if 'version' in part else {**MINIMAL, **part}
    assert [str(problem) for problem in problems(campaign, registry, tmp_path)] == []


# Commands.

CALL = re.compile(r'`?(?:^\$ |&& |`)aiida-crystalgen( -p \w+)? ([a-z][a-z-]*)([^`\n&]*)', re.MULTILINE)
CALLS = sorted({(match[2], match[3].strip()) for text in PAGES.values() for match in CALL.finditer(text)})


@pytest.mark.parametrize(('name', 'arguments'), CALLS)
def test_commands_exist(name, arguments):
    """Every command in the docs exists, with every option that it is given."""
    import click

    from aiida_crystalgen.cli import crystalgen

    found = crystalgen.get_command(click.Context(crystalgen), name)
    words = arguments.split()
    while isinstance(found, click.Group) and words and re.fullmatch('[a-z-]+', words[0]) and words[0][0] != '-':
        name = words.pop(0)
        found = found.get_command(click.Context(found), name)
    assert found is not None, f'there is no command `{name}`'
    options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = set(re.findall(r'(?<!\S)(--[a-z][a-z-]*|-[a-zA-Z])(?![\w])', arguments))
    assert given <= options | {'--help', '-h'}


# Tables that are written from the code.


@pytest.fixture(scope='module')
def tables():
    """Return the functions that write the tables, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / '_ext'))
        yield importlib.import_module('reference_tables')


def test_every_table_is_on_a_page(tables):
    """No page asks for a table that does not exist, and no table is on no page."""
    asked = [name for text in PAGES.values() for name in tables.MARK.findall(text)]
    assert sorted(asked) == sorted(tables.TABLES)


def test_table_of_columns_is_complete(tables):
    """Every column that a registered adapter can write is in the table, with its unit."""
    from aiida_crystalgen import bundles

    lines = tables.TABLES['columns']().splitlines()
    registry = bundles.registry()
    for kind in ('generator', 'potential'):
        for about in registry[kind].values():
            for name, meta in about['columns'].items():
                assert any(f'| `{name}` |' in line and f'| {meta.get("unit", "")} |' in line for line in lines), name
    for about in registry['criterion'].values():
        for name in about['columns']:
            assert any(f'`{name}{suffix}`' in line for line in lines for suffix in ('', '_generated', '_relaxed')), name


def test_table_of_exit_codes_is_complete(tables, aiida_profile):
    """Every exit code of every process is in the table with its message."""
    from process_tables import processes

    text = tables.TABLES['exit_codes']()
    for process in processes().values():
        for name, code in process.exit_codes.items():
            assert not code.status or f'| {code.status} | `{name}` |' in text


def test_table_of_adapters_is_complete(tables):
    """Everything registered is described, with each parameter."""
    from aiida_crystalgen import bundles

    text = tables.TABLES['adapters']()
    for entries in bundles.registry().values():
        for name, about in entries.items():
            assert f'### `{name}`' in text
            assert all(f'| `{parameter}` |' in text for parameter in about['parameters'])


# The text itself.


def test_no_page_names_a_path_of_a_machine():
    """No page names a folder of the machine that it was written on."""
    named = {page: re.findall(r'(?<![\w.}])/(?:tmp|root|home|work|Users)/\S*', text) for page, text in PAGES.items()}
    assert {page: paths for page, paths in named.items() if paths} == {}


def test_lines_are_short():
    """Lines of text stay within 120 characters; tables and code may be longer."""
    lines = [(page, line) for page, text in PAGES.items() for line in FENCE.sub('', text).splitlines()]
    assert [found for found in lines if len(found[1]) > 120 and not found[1].startswith(('|', '`', ':'))] == []


def test_pages_are_built_without_a_warning(tmp_path):
    """Sphinx builds the pages with warnings as errors, where it is installed."""
    pytest.importorskip('furo', reason='the extra `docs` is not installed')
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-n', '-q', str(DOCS), str(tmp_path / 'html')]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
