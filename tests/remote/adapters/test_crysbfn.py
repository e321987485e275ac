"""CrysBFN's own script, unmodified, with tiny untrained checkpoints: true formats, physics of noise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from diffcsp_job import ToolJob, tiny, tool
from generator_job import ABOUT_KEYS, literal_about, load


def test_about_is_complete():
    """`ABOUT` is a literal with every key; everything has a help and a unit."""
    about = literal_about('crysbfn')
    assert set(about) >= ABOUT_KEYS
    for form in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert form['help']
        assert 'unit' in form
    for checkpoint in about['checkpoints'].values():
        assert set(checkpoint['conditions']) <= set(about['conditions'])


def test_missing_clone_is_told(monkeypatch):
    """Without the clone `versions` says what to do."""
    monkeypatch.delenv('CRYSBFN_HOME', raising=False)
    with pytest.raises(RuntimeError, match='export CRYSBFN_HOME='):
        load('crysbfn').versions()


@pytest.fixture(scope='module')
def python() -> str:
    """Return the Python of CrysBFN."""
    return tool('CRYSBFN_HOME')[0]


@pytest.fixture(scope='module')
def models(tmp_path_factory) -> dict[str, Path]:
    """Return tiny checkpoints of ten steps: for generation and for structure prediction."""
    python, home = tool('CRYSBFN_HOME')
    folder = tmp_path_factory.mktemp('models')
    return {kind: tiny(kind, home, python, folder / kind) for kind in ('crysbfn', 'crysbfn_csp')}


def test_generation_is_repeatable(python, models, tmp_path):
    """The same seed gives the same crystals, of the sizes of the training set; the leading axis is taken off."""
    options = {'parameters': {'batch_size': 3}}
    first = ToolJob(tmp_path / 'a', 'crysbfn', python, models['crysbfn'], [0, 1, 2, 3], **options)
    assert first.report['status'] == 'finished', first.log
    assert {len(row['structure']['numbers']) for row in first.rows.values()} == {5}
    assert len({str(row['structure']) for row in first.rows.values()}) == 4
    again = ToolJob(tmp_path / 'b', 'crysbfn', python, models['crysbfn'], [3], **options)
    assert again.rows == {3: first.rows[3]}
    assert set(first.report['versions']) == {'CrysBFN', 'torch', 'torch_geometric', 'pytorch_lightning', 'numpy'}


@pytest.mark.parametrize('strategy', ['end_back', 'vanilla'])
def test_composition(python, models, tmp_path, strategy):
    """Every crystal has the composition, although CrysBFN takes it from a data set."""
    parameters = {'batch_size': 2, 'composition': 'BaTiO3', 'formula_units': [1, 2], 'strategy': strategy}
    drawn = ToolJob(tmp_path / 'a', 'crysbfn', python, models['crysbfn_csp'], [0, 1, 3], parameters=parameters)
    assert drawn.report['status'] == 'finished', drawn.log
    for index, row in drawn.rows.items():
        units = 1 + index // 2
        assert Counter(row['structure']['numbers']) == {56: units, 22: units, 8: 3 * units}
        assert row['columns'] == {'composition_requested': 'BaTiO3', 'formula_units': units, 'drawn_with': 2}


@pytest.mark.parametrize(
    ('kind', 'parameters', 'status', 'words'),
    [
        ('crysbfn', {'composition': 'BaTiO3'}, 'unfit_model', 'for structure prediction'),
        ('crysbfn_csp', {}, 'unfit_model', 'give a `composition`'),
        ('crysbfn', {'steps': 20}, 'wrong_steps', 'trained with 10 steps and cannot take 20'),
        ('crysbfn_csp', {'composition': 'XeO3'}, 'untrained_condition', 'trained without Xe'),
    ],
)
def test_what_the_model_cannot_do(python, models, tmp_path, kind, parameters, status, words):
    """A wrong model, wrong steps and unknown elements end the job with a status and a sentence."""
    ended = ToolJob(
        tmp_path / 'a', 'crysbfn', python, models[kind], [0], parameters={'batch_size': 1, **parameters}
    )  # fmt: skip
    assert ended.report['status'] == status
    assert words in ended.report['error']
    assert ended.rows == {}
