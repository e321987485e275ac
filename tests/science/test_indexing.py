"""Tests of the index of a reference set, as the harness runs it."""

import ast
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_crystalgen.remote.harness.rows import write_row
from aiida_crystalgen.science import indexing
from aiida_crystalgen.science.amd import average_minimum_distances
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import copy_of
from tests.science.examples import crystal, rocksalt

FILE = Path(indexing.__file__)


@dataclass
class Job:
    """What the index sees of a job."""

    parameters: dict[str, Any] = field(default_factory=dict)


def row(one: Crystal) -> dict[str, Any]:
    """Return a crystal as a row of the row protocol."""
    geometry = {name: getattr(one, name) for name in ('id', 'numbers', 'positions', 'cell', 'pbc')}
    return {**geometry, 'index': 0, 'columns': dict(one.columns)}


def index(*crystals: Crystal, **parameters: Any) -> dict[str, dict[str, Any]]:
    """Return what is yielded by id, as the harness writes it."""
    results = indexing.run(map(row, crystals), Job(parameters))
    return {result['id']: json.loads(write_row(result, 0.0)[0]) for result in results}


def test_row_is_the_reduced_cell_with_the_fingerprint_of_the_crystal_as_given() -> None:
    """A doubled cell comes back as the primitive cell in which it is compared."""
    doubled = copy_of(rocksalt(), 'recelled', np.random.default_rng(0))
    found = index(doubled)[doubled.id]
    assert doubled.n_sites == 4
    assert sorted(found['structure']['numbers']) == [8, 12]
    assert np.array_equal(found['structure']['cell'], doubled.primitive.lattice.matrix)
    assert np.array_equal(found['structure']['positions'], doubled.primitive.cart_coords)
    assert found['columns']['amd'] == average_minimum_distances(doubled.positions, doubled.cell).tolist()


@pytest.mark.parametrize(
    ('one', 'reason', 'words'),
    [
        (crystal([], [], [0, 0, 0]), 'no_atoms', 'no crystal'),
        (rocksalt(occupancies='[{"Mg":0.5,"Fe":0.5},{"O":1.0}]'), 'partially_occupied', 'partially occupied'),
        (copy_of(rocksalt(), 'recelled', np.random.default_rng(0)), 'too_many_sites', '4 sites are more than 3'),
        (crystal([29], [[0, 0, 0]], [0.6, 0.6, 900]), 'cell_too_long', 'too long to be compared'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_cannot_be_compared_is_rejected_with_a_sentence(one: Crystal, reason: str, words: str) -> None:
    """Each row that is not in the index says why; the others are."""
    found = index(one, rocksalt('z'), max_sites=3)
    assert found[one.id]['rejected']['reason'] == reason
    assert words in found[one.id]['rejected']['detail']
    assert 'structure' not in found[one.id]
    assert 'rejected' not in found['z']


def test_declared_columns_are_those_written() -> None:
    """The only column is the fingerprint, of the length that it says."""
    declared = indexing.columns(Job())
    assert set(declared) == set(index(rocksalt('a'))['a']['columns']) == {'amd'}
    assert declared['amd']['shape'] == [len(index(rocksalt('a'))['a']['columns']['amd'])]


def test_unknown_parameter_is_a_sentence() -> None:
    """A parameter that the index does not have is refused."""
    with pytest.raises(ValueError, match='criterion `indexing` has no parameter `profile`'):
        index(rocksalt(), profile='strict')


def test_about_is_a_literal_and_versions_are_of_what_it_requires() -> None:
    """What the index says of itself is read without importing it."""
    nodes = [node for node in ast.parse(FILE.read_text(encoding='utf-8')).body if isinstance(node, ast.Assign)]
    about = ast.literal_eval(next(node.value for node in nodes if ast.unparse(node.targets[0]) == 'ABOUT'))
    assert about == indexing.ABOUT
    assert (about['name'], about['whole_batch']) == ('indexing', False)
    assert set(about['requires']) <= set(indexing.versions())


def test_index_travels_in_the_zip_of_the_folder(tmp_path: Path) -> None:
    """From a zip on the path, without this package, the index is built."""
    bundle = tmp_path / 'bundle.zip'
    with zipfile.ZipFile(bundle, 'w') as archive:
        for path in FILE.parent.glob('*.py'):
            archive.write(path, f'science/{path.name}')
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from science import indexing\n'
        'class Job: parameters = {}\n'
        'row = {"id": "a", "numbers": [29], "positions": [[0, 0, 0]], "cell": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], '
        '"pbc": [1, 1, 1], "columns": {}}\n'
        'out = list(indexing.run([row], Job))\n'
        'assert len(out[0]["columns"]["amd"]) == 40 and "aiida_crystalgen" not in sys.modules\n'
    )
    subprocess.run([sys.executable, '-I', '-c', script, str(bundle)], check=True, timeout=120)
