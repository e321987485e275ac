"""A generator of another package: one file and one entry point, and it is listed, checked, bundled and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ADAPTER = '''"""Cubes of one element."""

ABOUT = {
    'name': 'cubes',
    'kind': 'generator',
    'summary': 'Cubes of one element, for a test.',
    'elements': ['Cu', 'Al'],
    'licence': 'CC0-1.0',
    'citation': [],
    'install': 'pip install numpy',
    'requires': ['numpy'],
    'needs': ['tools'],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    'unconditional': True,
    'honours': {'composition': 'composition'},
    'parameters': {
        'batch_size': {'type': 'int', 'default': 4, 'unit': '', 'minimum': 1, 'help': 'crystals drawn at once'},
        'edge': {'type': 'float', 'default': 3.0, 'unit': 'A', 'minimum': 2.0, 'maximum': 9.0, 'help': 'shortest edge'},
    },
    'conditions': {'composition': {'type': 'text', 'default': None, 'unit': '', 'help': 'Cu or Al'}},
    'columns': {
        'edge_drawn': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'level': '', 'help': 'edge drawn'},
    },
}


def versions():
    from importlib.metadata import version

    return {'numpy': version('numpy')}


def columns(job):
    import tools

    return tools.declared(ABOUT, job)


def run(rows, job):
    import numpy as np
    import tools

    settings = tools.settings_of(ABOUT, job.parameters)
    element = {'Al': 13}.get(settings['composition'], 29)
    seed, edges = None, []
    for row in rows:
        if row['seed'] != seed:
            seed = row['seed']
            edges = settings['edge'] + np.random.default_rng(seed).random(settings['batch_size'])
        edge = float(edges[row['index'] % settings['batch_size']])
        told = {**tools.requested(ABOUT, settings), 'edge_drawn': edge, 'drawn_with': settings['batch_size']}
        structure = {'numbers': [element], 'positions': [[0, 0, 0]], 'cell': (np.eye(3) * edge).tolist(),
                     'pbc': [True] * 3}
        yield {'id': row['id'], 'structure': structure, 'columns': told}
'''
ENTRY_POINT = '[crystalgen.generators]\ncubes = cubes_of_copper.cubes\n'
CAMPAIGN = """
version: 1
name: cubes
seed: 1
conditions: {composition: Al}
generators:
  - {type: cubes, n: 8, parameters: {edge: 4.0}}
"""


@pytest.fixture(scope='module')
def python(tmp_path_factory) -> list[str]:
    """Return a Python in which the toy package is installed: one file, and the metadata that pip writes."""
    site = tmp_path_factory.mktemp('site')
    (site / 'cubes_of_copper').mkdir()
    # The package must not be imported to be found.
    (site / 'cubes_of_copper' / '__init__.py').write_text('raise RuntimeError("nobody may import this")\n')
    (site / 'cubes_of_copper' / 'cubes.py').write_text(ADAPTER)
    metadata = site / 'cubes_of_copper-0.1.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text('Metadata-Version: 2.1\nName: cubes-of-copper\nVersion: 0.1\n')
    (metadata / 'entry_points.txt').write_text(ENTRY_POINT)
    files = ['cubes_of_copper/__init__.py', 'cubes_of_copper/cubes.py', 'cubes_of_copper-0.1.dist-info/METADATA']
    (metadata / 'RECORD').write_text(''.join(f'{name},,\n' for name in files))
    return [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(site)!r})\n']


def say(python: list[str], source: str, *arguments: str, folder: Path | None = None) -> str:
    """Run Python with the toy package and return what it prints."""
    *command, head = python
    done = subprocess.run(
        [*command, head + source, *arguments], capture_output=True, text=True, timeout=300, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_found_without_being_imported(python):
    """Name, file, `ABOUT` and the columns of shared modules are there; the package itself is not loaded."""
    source = (
        'import json; from aiida_crystalgen import bundles\n'
        'about = bundles.about("generator", "cubes")\n'
        'print(json.dumps([bundles.names("generator"), bundles.find("generator", "cubes").name, about["summary"],\n'
        '                  sorted(about["columns"]), "cubes_of_copper" in sys.modules]))\n'
    )
    names, filename, summary, columns, imported = json.loads(say(python, source))
    assert {'cubes', 'wyckoff', 'command'} <= set(names)
    assert (filename, summary) == ('cubes.py', 'Cubes of one element, for a test.')
    assert columns == ['drawn_with', 'edge_drawn']
    assert not imported


def test_it_is_listed(python):
    """`list generators` shows it beside those of this package, `list generators cubes` all of it."""
    source = 'from aiida_crystalgen.cli import crystalgen\ncrystalgen(sys.argv[1:], prog_name="aiida-crystalgen")\n'
    listed = say(python, source, 'list', 'generators')
    assert any(line.split()[:1] == ['cubes'] for line in listed.splitlines())
    one = say(python, source, 'list', 'generators', 'cubes')
    assert all(word in one for word in ('edge', 'A', 'composition', 'CC0-1.0'))


def test_campaigns_with_it_are_checked(python, tmp_path):
    """A right campaign file has no problem; a wrong value, name or element is told with its line."""
    (tmp_path / 'campaign.yaml').write_text(CAMPAIGN)
    source = 'from aiida_crystalgen.cli import crystalgen\ncrystalgen(sys.argv[1:], prog_name="aiida-crystalgen")\n'
    problems = (
        'import yaml; from pathlib import Path; from aiida_crystalgen import bundles\n'
        'from aiida_crystalgen.schema import problems\n'
        'raw = yaml.safe_load(Path(sys.argv[1]).read_text())\n'
        'print(*problems(raw, bundles.registry(), Path(sys.argv[1]).parent), sep="\\n")\n'
    )
    path = str(tmp_path / 'campaign.yaml')
    assert say(python, problems, path).strip() == ''
    for old, new, words in [
        ('edge: 4.0', 'edge: 1.0', 'below the smallest allowed, 2.0 A'),
        ('edge: 4.0', 'edgy: 4.0', '`cubes` has no parameter `edgy`'),
        ('composition: Al', 'composition: Fe', 'does not know Fe'),
        ('type: cubes', 'type: cube', 'no generator is registered under the name `cube`'),
    ]:
        (tmp_path / 'campaign.yaml').write_text(CAMPAIGN.replace(old, new))
        assert words in say(python, problems, path)
    assert 'cubes' in say(python, source, 'list', 'generators')


def test_its_bundle_runs_as_a_job(python, tmp_path):
    """The bundle runs in a job folder with a Python that has numpy alone, and its rows follow from ids and seeds."""
    source = (
        'from pathlib import Path; from aiida_crystalgen import bundles\n'
        'Path("bundle.zip").write_bytes(bundles.adapter_bundle("generator", "cubes"))\n'
        'print(bundles.units_of(bundles.about("generator", "cubes"), {}))\n'
    )
    assert say(python, source, folder=tmp_path).strip() == '4'
    with zipfile.ZipFile(tmp_path / 'bundle.zip') as archive:
        assert {'adapter.py', 'tools.py', 'about.json', '__main__.py'} <= set(archive.namelist())
    write_job(tmp_path, 6)
    environment = {**os.environ, 'PYTHONPATH': ''}
    done = subprocess.run(
        [sys.executable, 'bundle.zip'], cwd=tmp_path, env=environment, capture_output=True, timeout=120, check=False
    )
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['status'] == 'finished', done.stderr.decode()
    rows = {row['id']: row for row in map(json.loads, (tmp_path / 'out.jsonl').read_text().splitlines())}
    assert len(rows) == 6
    assert len({row['columns']['edge_drawn'] for row in rows.values()}) == 6
    assert all(row['structure']['numbers'] == [13] for row in rows.values())
    assert {row['columns']['composition_requested'] for row in rows.values()} == {'Al'}


def write_job(folder: Path, count: int) -> None:
    """Write the batch and the description of a job of the toy."""
    import numpy as np

    ids = [f'0123456789abcdef-{index}' for index in range(count)]
    np.savez(
        folder / 'batch.npz', offsets=np.zeros(count + 1, int), numbers=np.zeros(0, np.int16),
        positions=np.zeros((0, 3)), cells=np.zeros((count, 3, 3)), pbc=np.ones((count, 3), bool),
        c_id=np.frombuffer(''.join(ids).encode(), np.uint8), o_id=np.cumsum([0, *map(len, ids)]),
    )  # fmt: skip
    description = {
        'module': 'adapter', 'stage': 'generate', 'parameters': {'composition': 'Al'}, 'draw': '0123456789abcdef',
        'seed': 1, 'units': 4, 'whole_batch': False, 'device': 'cpu', 'processes': 1, 'threads': 1, 'batch_size': 4,
        'seconds_limit': None, 'row_seconds_limit': None, 'environment': {}, 'model': None, 'assets': {}, 'tables': {},
        'columns': {'id': {'kind': 'text'}}, 'table_columns': {},
    }  # fmt: skip
    (folder / 'job.json').write_text(json.dumps(description))
