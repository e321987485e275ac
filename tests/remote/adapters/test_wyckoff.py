"""The packaged model as a generator: torch and numpy alone, its modules and weights beside the adapter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generator_job import ABOUT_KEYS, ROOT, job, literal_about, load, requests, structure

MODEL = ROOT / 'aiida_crystalgen' / 'models' / 'wyckoff'
UNITS = 64
adapter = load('wyckoff')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves


@pytest.fixture(scope='module')
def beside(tmp_path_factory) -> Path:
    """Return a zip that holds the model as a bundle does: as the package `wyckoff_model`, without its weights."""
    folder = tmp_path_factory.mktemp('bundle')
    ignored = shutil.ignore_patterns('weights.safetensors', '__pycache__')
    shutil.copytree(MODEL, folder / 'files' / 'wyckoff_model', ignore=ignored)
    return Path(shutil.make_archive(str(folder / 'bundle'), 'zip', folder / 'files'))


@pytest.fixture
def draw(beside, monkeypatch):
    """Return a function that finishes rows."""
    monkeypatch.syspath_prepend(str(beside))

    def finish(indices, **parameters) -> list[dict]:
        rows = [{**requests(1, index)[0], 'seed': 7919 * (index // UNITS) + 1} for index in indices]
        given = job(parameters)
        given.model = str(MODEL / 'weights.safetensors')
        return list(adapter.run(rows, given))

    return finish


def test_about_is_complete():
    """`ABOUT` is a literal with every key, a DOI in every citation and a help for every parameter."""
    about = literal_about('wyckoff')
    assert set(about) >= ABOUT_KEYS
    assert about['units'] == UNITS
    assert all('doi:10.' in citation for citation in about['citation'])
    for specification in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert specification['help']
        assert 'unit' in specification
    assert set(adapter.versions()) == {'torch', 'numpy'}


def test_elements_are_those_of_the_training():
    """The elements that `ABOUT` names are those that the weights were trained on."""
    from aiida_crystalgen.models.wyckoff import WyckoffModel
    from aiida_crystalgen.models.wyckoff.elements import SYMBOLS

    assert {SYMBOLS[number] for number in WyckoffModel.load().elements} == set(literal_about('wyckoff')['elements'])


def test_seed_and_index_alone_decide(draw):
    """A row is the same crystal alone, among others and in another order, in units of one seed."""
    together = {row['id']: row for row in draw([0, 1, 2, 64, 65])}
    assert draw([65, 2]) == [together[f'0123456789abcdef-{index}'] for index in (65, 2)]
    assert len({str(row) for row in together.values()}) == 5


def test_conditions_hold(draw):
    """Chemical system, space groups and atoms of every crystal are those asked for; what is not is rejected."""
    rows = draw(range(24), chemical_system='Ba-Ti-O', space_groups=[99, 123, 221], max_atoms=12)
    kept = [row for row in rows if 'structure' in row]
    assert len(kept) > 12
    for row in kept:
        crystal = structure(row)
        assert crystal.chemical_system == 'Ba-O-Ti'
        assert len(crystal) <= 12
        assert crystal.get_space_group_info(0.1)[1] == row['columns']['space_group_requested']
    for row in rows:
        assert ('structure' in row) != ('rejected' in row)
        assert row['columns']['logp'] < 0


def test_composition(draw):
    """A formula holds, in whole units."""
    for row in draw(range(12), composition='LiCoO2'):
        if 'structure' in row:
            assert structure(row).composition.reduced_formula == 'LiCoO2'


def test_wrong_conditions_are_refused(draw):
    """Conditions that contradict each other end the job with a sentence."""
    with pytest.raises(ValueError, match='exactly one space group'):
        draw([0], template='ab')


def test_cells_are_sane(draw):
    """Cells are right-handed, volumes per atom are those of solids, positions are finite."""
    for row in draw(range(32)):
        if 'structure' in row:
            cell = np.array(row['structure']['cell'])
            volume = np.linalg.det(cell) / len(row['structure']['numbers'])
            assert 3 < volume < 150
            assert np.isfinite(row['structure']['positions']).all()


def test_torch_and_numpy_are_enough(beside):
    """A fresh Python with the bundle on its path imports no other tool, and nothing of this package."""
    source = (
        'import importlib.util as u, sys, types; sys.path.insert(0, sys.argv[1])\n'
        'spec = u.spec_from_file_location("adapter", sys.argv[2]); adapter = u.module_from_spec(spec)\n'
        'spec.loader.exec_module(adapter)\n'
        'job = types.SimpleNamespace(parameters={}, model=sys.argv[3], device="cpu")\n'
        'assert len(list(adapter.run([{"id": "a-0", "index": 0, "seed": 1}], job))) == 1\n'
        'print([name for name in ("pymatgen", "spglib", "scipy", "aiida_crystalgen") if name in sys.modules])\n'
    )
    paths = [beside, ROOT / 'aiida_crystalgen' / 'remote' / 'adapters' / 'wyckoff.py', MODEL / 'weights.safetensors']
    result = subprocess.run(
        [sys.executable, '-c', source, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == '[]'
