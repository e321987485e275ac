"""WyFormer as a generator: what can be checked without it, and its own code with the trained model at hand."""

from __future__ import annotations

import gzip
import importlib.util
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from generator_job import DATA, data, job, literal_about, load, structure
from tool_runs import answers_of, python_of

from aiida_crystalgen.schema.models import files_of, form_problem, recognised, unpickled

MODEL = 'generators/wyformer/model_ioi8tycx'
ABOUT = literal_about('wyformer')
GENE = {'group': 225, 'sites': [['4a'], ['4b']], 'species': ['Mg', 'O'], 'numIons': [4, 4]}
SETTINGS = {name: form['default'] for name, form in {**ABOUT['parameters'], **ABOUT['conditions']}.items()}
adapter = load('wyformer')
pytestmark = pytest.mark.filterwarnings('ignore:Set OLD_ERROR_HANDLING')  # spglib, called by the tests themselves


def request(indices=range(8), seed=7, most=None, **parameters) -> dict:
    """Return a job of `draw.py`."""
    given = {'batch_size': 16, **parameters}
    return {
        'model': str(DATA / MODEL), 'parameters': given, 'indices': list(indices), 'seed': seed,
        'most': most or given['batch_size'],
    }  # fmt: skip


@pytest.fixture(scope='module')
def answers(tmp_path_factory) -> dict:
    """Return what WyFormer answered to several jobs."""
    python_of('wyformer')
    plain = tmp_path_factory.mktemp('wyformer') / 'model'
    shutil.copytree(data(MODEL), plain)
    packed = plain / 'wyckoff_processor.json.gz'
    (plain / 'wyckoff_processor.json').write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    small = {'chemical_system': 'Li-Fe-O', 'space_groups': [225, 166, 12], 'space_group_weights': [2, 1, 0]}
    return answers_of(
        'wyformer',
        {
            'first': request(),
            'some': request([18, 5, 2]),
            'plain': {**request(), 'model': str(plain)},
            'pieces': request(most=8),
            'small': request(range(32), batch_size=32, max_atoms=6, **small),
            'required': request(range(12), batch_size=12, required=['O'], allowed=['O', 'Mg', 'Ti']),
            'strange': request(allowed=['O', 'Og']),
            'unseen': request(space_groups=[168]),
        },
    )


def kept(answer: dict) -> list[dict]:
    """Return the rows with a crystal."""
    return [row for row in answer['rows'] if 'structure' in row]


def test_published_checkpoint_is_recognised_and_needs_no_trust():
    """The trained model is known by its sha256; none of its files is unpickled, packed or not."""
    files = files_of(data(MODEL))
    assert recognised(files, ABOUT) == 'ioi8tycx-cpu'
    assert unpickled(files, ABOUT) == {}
    assert form_problem('model', True, files, ABOUT) is None
    assert form_problem('model', True, {'config.yaml': ''}, ABOUT)


def test_without_wyformer_versions_say_so():
    """A Python without it gets one sentence, with what to install."""
    if importlib.util.find_spec('wyckoff_transformer'):
        pytest.skip('WyFormer is in the Python of the tests')
    with pytest.raises(RuntimeError, match=r'wyckoff-transformer is not in the Python of the Code: pip install'):
        adapter.versions()


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'chemical_system': 'Li-O', 'required': ['O']}, 'give either `chemical_system`'),
        ({'required': ['Li'], 'allowed': ['O']}, 'missing in `allowed`'),
    ],
)
def test_contradictions_are_refused(parameters, words):
    """Conditions that contradict each other end the job with a sentence."""
    with pytest.raises(Exception, match=words) as caught:
        adapter._elements({**SETTINGS, **parameters})
    assert caught.value.crystalgen_status == 'wrong_parameters'


def test_no_model_is_one_sentence(tmp_path):
    """Without a folder of a model there is a sentence."""
    with pytest.raises(RuntimeError, match='no model was given'):
        adapter.prepared(None, str(tmp_path))


def test_a_model_is_copied_and_unpacked(tmp_path):
    """Packed files come out plain, the others as they are, from a folder that cannot be written to."""
    (tmp_path / 'model' / 'engineers').mkdir(parents=True)
    (tmp_path / 'model' / 'wyckoff_processor.json.gz').write_bytes(gzip.compress(b'{}'))
    (tmp_path / 'model' / 'engineers' / 'ops.json').write_bytes(b'[]')
    (tmp_path / 'model').chmod(0o500)
    folder = Path(adapter.prepared(str(tmp_path / 'model'), str(tmp_path / 'scratch')))
    (tmp_path / 'model').chmod(0o700)
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob('*') if file.is_file()}
    assert files == {'wyckoff_processor.json': b'{}', 'engineers/ops.json': b'[]'}


def test_a_gene_becomes_a_crystal_of_its_space_group():
    """Rock salt: two atoms in the primitive cell, the sites as text, the group found again."""
    row = adapter._answer(GENE, SETTINGS, [3, 0])
    assert structure(row).get_space_group_info()[1] == 225
    assert len(row['structure']['numbers']) == 2
    assert row['columns'] == {'space_group_requested': 225, 'wyckoff': 'Mg:4a O:4b', 'decode_tries': 1}


@pytest.mark.parametrize(
    ('limits', 'reason', 'threshold'),
    [({'max_atoms': 1}, 'too_many_atoms', 1), ({'min_atoms': 3}, 'too_few_atoms', 3)],
)
def test_genes_of_other_sizes_are_rejected(limits, reason, threshold):
    """Atoms are counted in the primitive cell; the row says how many there are."""
    rejected = adapter._answer(GENE, {**SETTINGS, **limits}, [3, 0])['rejected']
    assert (rejected['reason'], rejected['value'], rejected['threshold']) == (reason, 2, threshold)


def test_lost_genes_are_rejected_rows():
    """Where WyFormer drew no valid gene there is a row with a reason."""
    row = adapter._answer(None, SETTINGS, [3, 0])
    assert row['rejected']['reason'] == 'no_valid_gene'
    assert row['columns']['wyckoff'] is None


def test_columns_say_what_was_asked():
    """What was asked for is declared beside the columns of the adapter."""
    declared = adapter.columns(job({'chemical_system': 'Li-O', 'batch_size': 4}))
    own = {'space_group_requested', 'wyckoff', 'decode_tries'}
    assert set(declared) == own | {'drawn_with', 'chemical_system_requested'}


def test_versions_are_those_of_the_tool(answers):
    """The versions of the tool's Python."""
    assert answers['versions']['wyckoff-transformer'].startswith('2.')
    assert set(answers['versions']) == set(ABOUT['requires'])


def test_seed_and_place_alone_decide(answers):
    """A row is the same crystal alone, in another order, and from the unpacked model."""
    first = {row['id']: row for row in answers['jobs']['first']['rows']}
    assert len({str(row['columns']['wyckoff']) for row in first.values()}) > 5
    for row in answers['jobs']['some']['rows'][1:]:
        assert row == first[row['id']]
    assert answers['jobs']['plain']['rows'] == answers['jobs']['first']['rows']


def test_smaller_pieces_are_told(answers):
    """Units that were drawn in pieces say so; the first piece has the seed of the unit."""
    assert {row['columns']['drawn_with'] for row in answers['jobs']['pieces']['rows']} == {8}
    assert {row['columns']['drawn_with'] for row in answers['jobs']['first']['rows']} == {16}


def test_conditions_hold(answers):
    """Elements, space groups and numbers of atoms are those asked for; every row is answered."""
    answer = answers['jobs']['small']
    assert len(answer['rows']) == 32
    assert len(kept(answer)) > 3
    for row in kept(answer):
        crystal = structure(row)
        assert crystal.chemical_system == 'Fe-Li-O'
        assert row['columns']['chemical_system_requested'] == 'Li-Fe-O'
        assert row['columns']['space_group_requested'] in {225, 166}
        assert crystal.get_space_group_info(0.01)[1] >= row['columns']['space_group_requested']
        assert len(crystal) <= 6
    reasons = {row['rejected']['reason'] for row in answer['rows'] if 'rejected' in row}
    assert reasons <= {'too_many_atoms', 'no_valid_gene', 'not_decoded'}
    assert 'too_many_atoms' in reasons


def test_crystals_have_the_sites_of_their_genes(answers):
    """The atoms of the primitive cell are those of the sites, divided by the centring."""
    for row in kept(answers['jobs']['first']):
        amounts: dict[str, int] = {}
        for element, size in re.findall(r'([A-Z][a-z]?):(\d+)[a-zA-Z]', row['columns']['wyckoff']):
            amounts[element] = amounts.get(element, 0) + int(size)
        found = structure(row).composition.get_el_amt_dict()
        centring = sum(amounts.values()) / sum(found.values())
        assert centring in {1, 2, 3, 4}
        assert {element: amount / centring for element, amount in amounts.items()} == found


def test_required_and_allowed_elements(answers):
    """Oxygen is there, and nothing but what is allowed."""
    crystals = [structure(row) for row in kept(answers['jobs']['required'])]
    assert len(crystals) > 3
    for crystal in crystals:
        assert 'O' in crystal.symbol_set
        assert set(crystal.symbol_set) <= {'O', 'Mg', 'Ti'}


def test_what_the_model_never_saw_is_refused(answers):
    """Elements and space groups outside the training end the job with a sentence of their own."""
    strange, unseen = (answers['jobs'][name] for name in ('strange', 'unseen'))
    assert {strange['status'], unseen['status']} == {'untrained_condition'}
    assert 'without Og' in strange['sentence']
    assert 'space group 168' in unseen['sentence']


def test_conditioned_models_are_refused():
    """A model that needs values that nobody can give is refused."""
    drawer = object.__new__(adapter.Drawer)
    drawer.trainer = SimpleNamespace(condition_dim=1)
    with pytest.raises(Exception, match='needs values for what it was trained on') as caught:
        drawer.check()
    assert caught.value.crystalgen_status == 'unfit_model'
