"""DiffCSP's own scripts, unmodified, with tiny untrained checkpoints: true formats, physics of noise."""

from __future__ import annotations

import shutil
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from diffcsp_job import ToolJob, tiny, tool
from generator_job import ABOUT_KEYS, REMOTE, data, job, literal_about, load

if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import diffcsp_family as family

GENERATION = 'generators/diffcsp/tiny_checkpoint_gen'


def test_about_is_complete():
    """`ABOUT` is a literal with every key; everything has a help and a unit; published models tell what they are."""
    about = literal_about('diffcsp')
    assert set(about) >= ABOUT_KEYS
    assert len(about['elements']) == 100
    assert all('doi:10.' in citation for citation in about['citation'])
    for form in [*about['parameters'].values(), *about['conditions'].values(), *about['columns'].values()]:
        assert form['help']
        assert 'unit' in form
    for checkpoint in about['checkpoints'].values():
        assert set(checkpoint['conditions']) <= {*about['conditions'], *about['parameters']}
        assert {'training', 'elements', 'max_atoms', 'licence', 'source', 'files', 'size_mb'} <= set(checkpoint)


def test_missing_clone_is_told(monkeypatch, tmp_path):
    """Without the clone, or with another folder in its place, `versions` says what to do."""
    adapter = load('diffcsp')
    monkeypatch.delenv('DIFFCSP_HOME', raising=False)
    with pytest.raises(RuntimeError, match='export DIFFCSP_HOME='):
        adapter.versions()
    monkeypatch.setenv('DIFFCSP_HOME', str(tmp_path))
    with pytest.raises(RuntimeError, match='has to be a clone of DiffCSP'):
        adapter.versions()


def test_composition_columns():
    """What was asked for becomes columns; without a composition there is none."""
    adapter = load('diffcsp')
    assert 'composition_requested' not in adapter.columns(job())
    assert {'composition_requested', 'drawn_with', 'formula_units'} <= set(
        adapter.columns(job({'composition': 'NaCl'}))
    )


@pytest.mark.parametrize(
    ('formula', 'units', 'atoms'),
    [('NaCl', 4, {'Na': 4, 'Cl': 4}), ('Na4Cl4', 1, {'Na': 4, 'Cl': 4}), ('Ca(OH)2', 2, {'Ca': 2, 'O': 4, 'H': 4})],
)
def test_formulas(formula, units, atoms):
    """A formula is taken as it stands, times its units."""
    assert family.amounts(formula, units) == atoms


@pytest.mark.parametrize('formula', ['Na0.5Cl', 'NaXx', '', 'Na Cl!'])
def test_wrong_formulas(formula):
    """Fractions and what is no element are refused with a sentence."""
    with pytest.raises(ValueError, match='`composition`'):
        family.amounts(formula, 1)


def test_formula_units_take_turns():
    """Batches take all numbers of formula units in turn; a wrong range is refused."""
    assert [family.formula_units([2, 4], unit) for unit in range(5)] == [2, 3, 4, 2, 3]
    for wrong in ([0, 1], [4, 2], [1], ['1', 2]):
        with pytest.raises(ValueError, match='formula_units'):
            family.formula_units(wrong, 0)


def test_missing_cif_is_a_row_with_a_reason(tmp_path):
    """A CIF that DiffCSP left out rejects its own row; the others keep their places."""
    rows = [family.from_cif(str(tmp_path / name), {'drawn_with': 1}) for name in ('1.cif',)]
    assert rows[0]['rejected']['reason'] == 'no_crystal'
    for number, path in enumerate(sorted(data('generators/diffcsp/tiny_sample/Na4Cl4').iterdir())):
        row = family.from_cif(str(path), {'place': number})
        assert Counter(row['structure']['numbers']) == {11: 4, 17: 4}
        assert row['columns'] == {'place': number}


def test_pt_that_runs_code_is_refused(tmp_path):
    """An output that would run code when it is unpickled ends the run with a sentence, and runs nothing."""
    torch = pytest.importorskip('torch')

    class Calls:
        def __reduce__(self):
            return print, ('unpickled',)

    torch.save({'frac_coords': Calls()}, tmp_path / 'eval_gen_0_0.pt')
    with pytest.raises(Exception, match=r'print`, which is no plain data'):
        family.from_pt(str(tmp_path / 'eval_gen_0_0.pt'), {})


def test_units_are_drawn_whole_and_halved(tmp_path):
    """Rows of a unit come from one draw, or from pieces with seeds of their own where memory was too small."""
    pieces = []

    def draw(piece):
        pieces.append((piece.unit, piece.first, piece.size, piece.seed))
        return [{'columns': {'place': piece.first + n}} for n in range(piece.size)]

    rows = [{'id': f'a-{index}', 'index': index, 'seed': 7 + index // 5} for index in (1, 3, 5, 9)]
    given = types.SimpleNamespace(scratch=str(tmp_path), batch_size=3)
    found = list(family.answers(rows, given, 5, draw))
    assert pieces == [(0, 0, 3, 7), (0, 3, 2, 8), (1, 0, 3, 8), (1, 3, 2, 9)]
    assert [row['columns'] for row in found] == [
        {'place': 1, 'drawn_with': 3}, {'place': 3, 'drawn_with': 2}, {'place': 0, 'drawn_with': 3},
        {'place': 4, 'drawn_with': 2},
    ]  # fmt: skip


def test_a_folder_that_is_no_checkpoint(tmp_path):
    """A model without hparams.yaml, and none at all, are refused; outputs of earlier runs are left behind."""
    for model in (None, str(tmp_path)):
        with pytest.raises(RuntimeError, match=r'hparams\.yaml'):
            family.private_copy(model, str(tmp_path / 'new'))
    for name in ('hparams.yaml', 'epoch=1-step=1.ckpt', 'eval_gen_run0.pt', 'prop_scaler.pt'):
        (tmp_path / name).write_text(name)
    copied = Path(family.private_copy(str(tmp_path), str(tmp_path / 'new')))
    assert sorted(path.name for path in copied.iterdir()) == ['epoch=1-step=1.ckpt', 'hparams.yaml', 'prop_scaler.pt']


@pytest.fixture(scope='module')
def environment() -> tuple[str, str]:
    """Return the Python of DiffCSP and its clone."""
    return tool('DIFFCSP_HOME')


@pytest.fixture(scope='module')
def models(environment, tmp_path_factory) -> dict[str, Path]:
    """Return tiny checkpoints: for generation with an energy model, and for structure prediction."""
    python, home = environment
    folder = tmp_path_factory.mktemp('models')
    shutil.copytree(data(GENERATION), folder / 'gen')
    tiny('energy', home, python, folder / 'gen' / 'energy')
    return {'gen': folder / 'gen', 'csp': tiny('csp', home, python, folder / 'csp')}


def test_generation_is_repeatable(environment, models, tmp_path):
    """The same seed gives the same crystals, alone and among others; the folder of the checkpoint stays as it was."""
    before = sorted(path.name for path in models['gen'].rglob('*'))
    first = ToolJob(
        tmp_path / 'a', 'diffcsp', environment[0], models['gen'], [0, 1, 2, 3, 4], parameters={'batch_size': 4}
    )
    assert first.report['status'] == 'finished', first.log
    assert len(first.rows) == 5
    assert {len(row['structure']['numbers']) <= 20 for row in first.rows.values()} == {True}
    assert len({str(row['structure']) for row in first.rows.values()}) == 5
    again = ToolJob(tmp_path / 'b', 'diffcsp', environment[0], models['gen'], [2], parameters={'batch_size': 4})
    assert again.rows == {2: first.rows[2]}
    assert sorted(path.name for path in models['gen'].rglob('*')) == before
    assert {row['columns']['drawn_with'] for row in first.rows.values()} == {4}
    assert set(first.report['versions']) == {'DiffCSP', 'torch', 'torch_geometric', 'pytorch_lightning', 'numpy'}


def test_composition(environment, models, tmp_path):
    """Every crystal has the composition; batches take the formula units in turn."""
    parameters = {'batch_size': 2, 'composition': 'NaCl', 'formula_units': [1, 2]}
    drawn = ToolJob(tmp_path / 'a', 'diffcsp', environment[0], models['csp'], [0, 1, 2, 3], parameters=parameters)
    assert drawn.report['status'] == 'finished', drawn.log
    for index, row in drawn.rows.items():
        units = 1 + index // 2
        assert Counter(row['structure']['numbers']) == {11: units, 17: units}
        assert np.isfinite(row['structure']['positions']).all()
        assert row['columns'] == {'composition_requested': 'NaCl', 'formula_units': units, 'drawn_with': 2}


def test_energy_guidance(environment, models, tmp_path):
    """Guided crystals differ from those of the same seed with another strength; their sizes are DiffCSP's."""
    found = []
    for strength in (1.0, 50.0):
        parameters = {'batch_size': 3, 'energy_guidance': strength}
        drawn = ToolJob(
            tmp_path / str(strength), 'diffcsp', environment[0], models['gen'], [0, 1, 2], parameters=parameters
        )
        assert drawn.report['status'] == 'finished', drawn.log
        found.append(drawn.rows)
    sizes = [[len(row['structure']['numbers']) for row in rows.values()] for rows in found]
    assert sizes[0] == sizes[1]
    assert found[0] != found[1]


def test_energy_guidance_of_a_composition(environment, models, tmp_path):
    """An energy model that keeps the elements goes with a model for structure prediction."""
    python, home = environment
    shutil.copytree(models['csp'], tmp_path / 'csp')
    tiny('energy_fixed', home, python, tmp_path / 'csp' / 'energy')
    parameters = {'batch_size': 2, 'composition': 'NaCl', 'energy_guidance': 5.0}
    drawn = ToolJob(tmp_path / 'a', 'diffcsp', python, tmp_path / 'csp', [0, 1], parameters=parameters)
    assert drawn.report['status'] == 'finished', drawn.log
    assert [Counter(row['structure']['numbers']) for row in drawn.rows.values()] == [{11: 1, 17: 1}] * 2
    parameters.pop('composition')
    refused = ToolJob(tmp_path / 'b', 'diffcsp', python, tmp_path / 'csp', [0], parameters=parameters)
    assert refused.report['status'] == 'unfit_model'


@pytest.mark.parametrize(
    ('kind', 'parameters', 'words'),
    [
        ('gen', {'composition': 'NaCl'}, 'for structure prediction'),
        ('csp', {}, 'give a `composition`'),
        ('gen', {'composition': 'NaCl', 'energy_guidance': 1.0}, 'for structure prediction'),
        ('csp', {'composition': 'NaCl', 'energy_guidance': 1.0}, 'the folder `energy` of the model is no checkpoint'),
    ],
)
def test_unfit_models_are_refused(environment, models, tmp_path, kind, parameters, words):
    """A model that was trained for another task ends the job with a sentence before anything is drawn."""
    ended = ToolJob(
        tmp_path / 'a', 'diffcsp', environment[0], models[kind], [0], parameters={'batch_size': 1, **parameters}
    )
    assert ended.report['status'] in ('unfit_model', 'adapter_failed')
    assert words in ended.report['error']
    assert ended.rows == {}
