"""CrystalFormer as a generator: what can be checked without it, and its own `main.py` with a tiny model."""

from __future__ import annotations

import os

import pytest
from generator_job import DATA, data, job, literal_about, load, structure
from tool_runs import answers_of, python_of

from aiida_crystalgen.schema.models import files_of, trust_findings

RUN = 'generators/crystalformer/tiny_run'
ABOUT = literal_about('crystalformer')
SETTINGS = {name: form['default'] for name, form in {**ABOUT['parameters'], **ABOUT['conditions']}.items()}
TINY = {
    'batch_size': 4, 'space_group': 221, 'chemical_system': 'Ba-N-O-Sr-Ti', 'h0_size': 16, 'transformer_layers': 2,
    'num_heads': 2, 'key_size': 16, 'model_size': 16, 'embed_size': 16,
}  # fmt: skip
adapter = load('crystalformer')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves


@pytest.fixture
def table() -> str:
    """Return the table of eight crystals that CrystalFormer wrote."""
    return data(f'{RUN}/output_221.csv').read_text()


@pytest.fixture(scope='module')
def answers() -> dict:
    """Return what CrystalFormer answered to several jobs."""
    python_of('crystalformer')
    if not os.environ.get('CRYSTALFORMER_HOME'):
        pytest.skip('CRYSTALFORMER_HOME is not set, see tests/generators/README.md')
    data(RUN)

    def request(*indices, **parameters) -> dict:
        model = str(DATA / RUN / 'epoch_003000.pkl')
        return {'model': model, 'parameters': {**TINY, **parameters}, 'indices': indices, 'seed': 7}

    return answers_of(
        'crystalformer',
        {
            'first': request(0, 1, 2, 3),
            'some': request(3, 1),
            'letters': request(0, 1, 2, 3, wyckoff_letters='ab', chemical_system='Ba-O'),
            'wrong': request(0, key_size=32),
        },
    )


def test_a_checkpoint_has_to_be_trusted():
    """A pickle can run code: without `trust` there is a finding, with its sha256 there is none."""
    files = files_of(data(f'{RUN}/epoch_003000.pkl'))
    (digest,) = files.values()
    assert [finding.remedy for finding in trust_findings('m', files, ABOUT, None, ())] == [
        f'if you trust its source, add `trust: {digest}`'
    ]
    assert list(trust_findings('m', files, ABOUT, digest, ())) == []


def test_without_a_clone_versions_say_so(monkeypatch):
    """One sentence says which variable leads to the clone."""
    monkeypatch.delenv('CRYSTALFORMER_HOME', raising=False)
    with pytest.raises(RuntimeError, match='CRYSTALFORMER_HOME is not set'):
        adapter.versions()


def test_another_folder_is_no_clone(monkeypatch, tmp_path):
    """A folder without its sources is named."""
    monkeypatch.setenv('CRYSTALFORMER_HOME', str(tmp_path))
    with pytest.raises(RuntimeError, match='no clone of CrystalFormer'):
        adapter.versions()


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'needs a space group'),
        ({'space_group': 221, 'wyckoff_letters': 'a-b'}, '1 to 20 letters'),
        ({'space_group': 221, 'chemical_system': 'O', 'no_radioactive': True}, 'ignores `no_radioactive`'),
        ({'space_group': 221, 'chemical_system': 'Xx-O'}, 'give elements such as'),
    ],
)
def test_what_it_would_ignore_or_die_of_is_refused(parameters, words):
    """Each has a sentence, before anything is run."""
    with pytest.raises(Exception, match=words) as caught:
        adapter.check({**SETTINGS, **parameters})
    assert caught.value.crystalgen_status == 'wrong_parameters'


def test_options_of_the_command_line():
    """Architecture, conditions and temperatures go to the options of `main.py`; what is not asked is left out."""
    given = {'chemical_system': 'Ti-Ba-O', 'wyckoff_letters': 'abA', 'first_temperature': 0.5, 'mcmc_sweeps': 3}
    words = ' '.join(adapter.arguments({**SETTINGS, **given}, 221))
    assert words.startswith('--Nf 5 --Kx 16 --Kl 4 --h0_size 256 --transformer_layers 16 --num_heads 16')
    assert '--spacegroup 221 --T1 0.5 --elements Ba O Ti --wyckoff a b A --mcmc --nsweeps 3 --mc_width 0.1' in words
    assert '--T1' not in adapter.arguments(SETTINGS, 221)


def test_a_table_is_read_whole(table):
    """All eight crystals of two batches, with sites and log-probabilities, in the order of the table."""
    rows = adapter.read(table, 221)
    assert len(rows) == 8
    likelihoods = [row['columns']['logp'] for row in rows]
    for batch in (likelihoods[:4], likelihoods[4:]):
        assert batch == sorted(batch, reverse=True)
    assert likelihoods[0] == -11.848886669393519
    assert rows[0]['columns']['wyckoff'] == 'Ti:1a Ti:1b N:3d'
    for row in rows:
        assert structure(row).get_space_group_info()[1] == 221
        parts = [row['columns'][f'logp_{part}'] for part in ('w', 'a', 'xyz', 'l')]
        assert sum(parts) == pytest.approx(row['columns']['logp'])


def test_cells_that_are_none_are_rejected_rows(table):
    """Untrained models write negative lengths: a row with a reason, and the others are kept."""
    lines = table.splitlines(keepends=True)
    lines[2] = lines[2].replace('"[3.', '"[-3.', 1).replace(', 3.', ', -3.')
    rows = adapter.read(''.join(lines), 221)
    assert [number for number, row in enumerate(rows) if 'rejected' in row] == [1]
    assert rows[1]['rejected']['reason'] == 'zero_volume'
    assert rows[1]['columns']['wyckoff'] == 'Ti:1a Ti:1b N:3d'


def test_columns_say_what_was_asked():
    """What was asked for is declared beside the columns of the adapter."""
    declared = adapter.columns(job({'space_group': [221, 225], 'chemical_system': 'Ba-O'}))
    assert {'logp', 'wyckoff', 'space_group_requested', 'chemical_system_requested', 'drawn_with'} <= set(declared)


def test_seed_and_place_alone_decide(answers):
    """The same seed gives the same crystals, whichever rows are asked for."""
    first = {row['id']: row for row in answers['jobs']['first']['rows']}
    assert len(first) == 4
    assert answers['jobs']['some']['rows'] == [first['draw-3'], first['draw-1']]
    for row in first.values():
        assert structure(row).get_space_group_info()[1] == 221
        assert set(structure(row).symbol_set) <= {'Ba', 'Sr', 'Ti', 'O', 'N'}
        assert row['columns']['drawn_with'] == 4


def test_letters_are_kept(answers):
    """Every crystal has the sites asked for."""
    for row in answers['jobs']['letters']['rows']:
        assert [site.split(':')[1] for site in row['columns']['wyckoff'].split()] == ['1a', '1b']
        assert set(structure(row).symbol_set) <= {'Ba', 'O'}


def test_another_architecture_is_said(answers):
    """Parameters that do not fit the checkpoint end the job with a sentence of their own."""
    assert answers['jobs']['wrong']['status'] == 'unfit_model'
    assert 'another architecture' in answers['jobs']['wrong']['sentence']
