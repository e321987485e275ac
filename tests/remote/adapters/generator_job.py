"""Run a generator adapter as the harness does: its file loaded by path, its siblings on `sys.path`."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
REMOTE = ROOT / 'aiida_crystalgen' / 'remote'
DATA = ROOT.parent / 'shared' / 'data'
ABOUT_KEYS = {
    'name', 'kind', 'summary', 'elements', 'licence', 'citation', 'install', 'requires', 'needs', 'training',
    'energy_convention', 'whole_batch', 'units', 'parameters', 'conditions', 'columns',
}  # fmt: skip

if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import readers  # noqa: E402, F401 - it lies in the folder that was just added


def load(name: str) -> ModuleType:
    """Return an adapter as a fresh module."""
    spec = importlib.util.spec_from_file_location(f'adapter_{name}', REMOTE / 'adapters' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requests(count: int, first: int = 0) -> list[dict]:
    """Return rows of zero atoms with distinct seeds."""
    return [
        {
            'id': f'0123456789abcdef-{index}', 'index': index, 'seed': 7919 * index + 1, 'numbers': np.zeros(0, int),
            'positions': np.zeros((0, 3)), 'cell': np.zeros((3, 3)), 'pbc': np.ones(3, bool), 'columns': {},
        }
        for index in range(first, first + count)
    ]  # fmt: skip


def job(parameters: dict | None = None, **assets: Path | str) -> SimpleNamespace:
    """Return a job with parameters and assets."""
    return SimpleNamespace(
        parameters=parameters or {}, assets={name: str(path) for name, path in assets.items()}, model=None, tables={},
        seed=0, draw='0123456789abcdef', device='cpu', batch_size=1, deadline=None, scratch='.', stage='generate',
    )  # fmt: skip


def data(path: str) -> Path:
    """Return a file beside the project, or skip the test."""
    if not (DATA / path).exists():
        pytest.skip(f'`../shared/data/{path}` is not there')
    return DATA / path


def structure(row: dict):
    """Return a finished row as a pymatgen Structure."""
    from pymatgen.core import Structure

    crystal = row['structure']
    return Structure(crystal['cell'], crystal['numbers'], crystal['positions'], coords_are_cartesian=True)


def literal_about(name: str) -> dict:
    """Return `ABOUT` as the engine reads it: by its text alone."""
    tree = ast.parse((REMOTE / 'adapters' / f'{name}.py').read_text(), feature_version=(3, 8))
    (node,) = (n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == 'ABOUT')
    return ast.literal_eval(node.value)


def read_files(path: Path) -> list[dict]:
    """Return finished rows of the adapter `files`, as many as the files hold."""
    adapter = load('files')
    return list(adapter.run(requests(adapter.count(str(path))), job(files=path)))


def cif_text(crystal, **options) -> str:
    """Return a pymatgen Structure as CIF text."""
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(crystal, **options))
