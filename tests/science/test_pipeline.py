"""Tests of the pipeline: steps, suffixes, gates, and the bundle it travels in."""

import ast
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_crystalgen import science
from aiida_crystalgen.science import pipeline
from aiida_crystalgen.science.crystal import Crystal
from tests.science.examples import caesium_chloride, crystal, rocksalt, simple_cubic

FOLDER = Path(science.__file__).parent
CRITERIA = ('validity', 'composition', 'uniqueness', 'novelty', 'stability', 'prediction')
STEPS = [
    {'criterion': 'validity', 'suffix': '_generated', 'gates': {'valid_generated': {'equals': True}}},
    {'criterion': 'composition'},
    {'criterion': 'uniqueness', 'suffix': '_generated', 'gates': {'unique_generated': {'equals': True}}},
    {'criterion': 'novelty'},
    {'criterion': 'stability', 'gates': {'e_hull': {'max': 0.1}}},
]
POOL = [
    rocksalt('a', enthalpy=-6.0),
    rocksalt('b', edge=4.3, enthalpy=-6.1),
    caesium_chloride('c', enthalpy=-5.0),
    crystal([], [], [0, 0, 0], 'd'),
    crystal([12, 12], [[0, 0, 0], [0.01, 0, 0]], [5, 5, 5], 'e'),
    simple_cubic(29, 'f', enthalpy=-4.0),
]
HULL = [simple_cubic(12, 'Mg', enthalpy=-1.5), simple_cubic(8, 'O', enthalpy=-4.9), rocksalt('MgO', enthalpy=-6.1)]


@dataclass
class Job:
    """What the pipeline sees of a job."""

    parameters: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    table_columns: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def row(one: Crystal) -> dict[str, Any]:
    """Return a crystal as a row of the row protocol."""
    geometry = {name: getattr(one, name) for name in ('id', 'numbers', 'positions', 'cell', 'pbc')}
    return {**geometry, 'index': 0, 'columns': dict(one.columns)}


def run(crystals: list[Crystal], steps: list[dict[str, Any]] = STEPS, **job: Any) -> dict[str, dict[str, Any]]:
    """Return the finished rows by id."""
    tables = {'hull': [row(one) for one in HULL], 'known': [row(one) for one in HULL]}
    return {out['id']: out for out in pipeline.run(map(row, crystals), Job({'steps': steps}, tables, **job))}


def test_every_row_comes_back_once_with_the_right_verdict() -> None:
    """Rows leave at the gate they fail, with its reason, and later steps do not see them."""
    found = run(POOL)
    reasons = {name: out.get('rejected', {}).get('reason') for name, out in found.items()}
    assert reasons == {
        'a': None,
        'b': 'duplicate',
        'c': 'e_hull_above_limit',
        'd': 'no_atoms',
        'e': 'atoms_too_close',
        'f': None,
    }
    assert 'formula' not in found['e']['columns']
    assert found['e']['rejected']['value'] == pytest.approx(0.05)
    assert found['a']['columns']['e_hull'] == pytest.approx(0.1)
    assert found['f']['columns']['e_hull_reason'] == 'no reference for element Cu'
    assert found['a']['columns']['matches_known'] == 'MgO'


def test_columns_written_are_those_declared() -> None:
    """The declared columns, with their suffixes, are what a survivor carries."""
    declared = pipeline.columns(Job({'steps': STEPS}))
    assert set(declared) == set(run(POOL)['a']['columns'])
    assert {'valid_generated', 'duplicate_of_generated', 'formula', 'e_hull'} <= set(declared)


def test_levels_come_from_the_enthalpies_of_both_sides() -> None:
    """Energies are labelled with the level of the batch, and two levels are refused."""
    levels = {'columns': {'enthalpy': {'level': 'mlip:a'}}}
    assert pipeline.columns(Job({'steps': STEPS}, **levels))['e_hull']['level'] == 'mlip:a'
    with pytest.raises(ValueError, match='level `mlip:a` and the competing phases of level `mlip:b`'):
        run(POOL, **levels, table_columns={'hull': {'enthalpy': {'level': 'mlip:b'}}})


def test_levels_come_from_the_energies_of_the_mode() -> None:
    """A criterion says which columns it compares, the first that is there counts, and a level given by hand wins."""
    sides = {
        'columns': {'given_energy': {'level': 'dft:c'}, 'given_formation_energy': {'level': 'dft:f'}},
        'table_columns': {'hull': {'energy': {'level': 'dft:e'}, 'formation_energy': {'level': 'dft:g'}}},
    }

    def levels(**parameters: Any) -> tuple[str, str]:
        (step,) = pipeline.steps_of(Job({'steps': [{'criterion': 'stability', 'parameters': parameters}]}, **sides))
        return step['parameters']['level_candidates'], step['parameters']['level_hull']

    assert levels() == ('', '')
    assert levels(mode='custom') == ('dft:c', 'dft:e')
    assert levels(mode='mp2020') == ('dft:c', 'dft:e')
    assert levels(mode='formation') == ('dft:f', 'dft:g')
    assert levels(mode='formation', level_candidates='dft:h') == ('dft:h', 'dft:g')
    sides['columns']['energy'] = {'level': 'mlip:a'}
    assert levels(mode='mp2020') == ('mlip:a', 'dft:e')


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(POOL))
def test_permuting_the_input_permutes_the_output(order: list[Crystal]) -> None:
    """No verdict and no number depends on the order of the rows."""
    assert run(order) == run(POOL)


def test_input_rows_are_not_modified() -> None:
    """Evaluating leaves the rows as they were."""
    given_row = row(POOL[0])
    list(pipeline.run([given_row], Job({'steps': STEPS})))
    assert set(given_row['columns']) == {'enthalpy'}


def test_unknown_criterion_is_a_sentence() -> None:
    """A criterion that does not exist, or a module that is none, is refused."""
    with pytest.raises(ValueError, match='there is no criterion `beauty`'):
        pipeline.criterion('beauty')
    with pytest.raises(ValueError, match='module `metrics` is no criterion'):
        pipeline.criterion('metrics')


def test_criterion_of_another_package_is_found() -> None:
    """A criterion is named by its package and module."""
    assert pipeline.criterion('aiida_crystalgen.science:validity').ABOUT['name'] == 'validity'


def test_versions_name_what_decides() -> None:
    """Everything that can change a verdict is in the environment of the job."""
    assert {'numpy', 'scipy', 'pymatgen', 'spglib', 'smact'} <= set(pipeline.versions())


@pytest.mark.parametrize('name', [*CRITERIA, 'pipeline'])
def test_about_is_a_literal(name: str) -> None:
    """What a criterion says of itself is read without importing it, and says all that the contract asks."""
    tree = ast.parse((FOLDER / f'{name}.py').read_text(encoding='utf-8'))
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'ABOUT']
    about = ast.literal_eval(assigned[0].value)
    assert about['name'] == name
    assert about['kind'] == 'criterion'
    assert {'summary', 'licence', 'citation', 'requires', 'parameters', 'columns', 'whole_batch', 'units'} <= set(about)
    for meta in about['columns'].values():
        assert {'kind', 'unit', 'help', 'level'} <= set(meta)


@pytest.mark.parametrize('name', CRITERIA)
def test_criteria_survive_hostile_rows(name: str) -> None:
    """No criterion raises on rows that are hardly crystals; each gives one value per row in each declared column."""
    hostile = [
        crystal([], [], [0, 0, 0], 'a', enthalpy=0.0),
        crystal([0], [[0, 0, 0]], [3, 3, 3], 'b', enthalpy=-1.0),
        crystal([29], [[np.nan, 0, 0]], [3, 3, 3], 'c', enthalpy=-1.0),
        crystal([29], [[0, 0, 0]], [0.4, 0.4, 0.4], 'd', enthalpy=-1.0),
        crystal([29, 29], [[0, 0, 0], [0, 0, 0]], [3, 3, 3], 'e', enthalpy=-1.0),
        crystal([29, 29], [[0, 0, 0], [0, 0, 0]], [3, 3, 3], 'f', enthalpy=-1.0),
        crystal([118], [[0, 0, 0]], [1e4, 1e4, 1e4], 'g', enthalpy=None),
    ]
    module = pipeline.criterion(name)
    found = module.evaluate(hostile, {}, {'hull': hostile, 'known': hostile, 'training': hostile})
    assert set(found) == set(module.ABOUT['columns'])
    assert {len(values) for values in found.values()} == {len(hostile)}
    empty = module.evaluate([], {}, {})
    assert set(map(len, empty.values())) == {0}


def test_folder_travels_as_a_zip(tmp_path: Path) -> None:
    """From a zip on the path, without this package, the pipeline and a criterion that travels beside it run."""
    bundle = tmp_path / 'bundle.zip'
    extra = (
        "ABOUT = {'columns': {'heavy': {}}, 'parameters': {}}\ndef evaluate(c, p, t): return {'heavy': [True] * len(c)}"
    )
    with zipfile.ZipFile(bundle, 'w') as archive:
        for path in FOLDER.glob('*.py'):
            archive.write(path, f'science/{path.name}')
        archive.writestr('weight.py', extra)
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from science import pipeline\n'
        'class Job: parameters = {"steps": [{"criterion": "validity"}, {"criterion": "weight"}]}; tables = {}; '
        'columns = {}; table_columns = {}\n'
        'row = {"id": "a", "numbers": [29], "positions": [[0, 0, 0]], "cell": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], '
        '"pbc": [1, 1, 1], "columns": {}}\n'
        'out = list(pipeline.run([row], Job))\n'
        'assert out[0]["columns"]["valid"] and out[0]["columns"]["heavy"] and "aiida_crystalgen" not in sys.modules\n'
    )
    subprocess.run([sys.executable, '-I', '-c', script, str(bundle)], check=True, timeout=120)


def test_light_modules_import_no_heavy_library() -> None:
    """Gates, metrics and ranking, which processes of the engine import, load neither pymatgen nor scipy."""
    names = ', '.join(f'aiida_crystalgen.science.{name}' for name in ('gates', 'metrics', 'ranking'))
    script = f'import sys, {names}; print([m for m in ("pymatgen", "scipy", "smact", "spglib") if m in sys.modules])'
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == '[]'
