"""Calcfunctions of crystal structure prediction: what draws are told, and what was found."""

import json

import numpy as np
import pytest
from aiida import orm

from aiida_crystalgen.data.crystals import Crystals

TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
ENERGY = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
COLUMNS = {
    'generator': TEXT,
    'target_matches_generated': TEXT,
    'target_matches': TEXT,
    'duplicate_of_generated': TEXT,
    'enthalpy': ENERGY,
    'energy_over_target': ENERGY,
}
DRAW = 'a' * 16


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean):
    """Give every test a profile."""


def row(index, numbers, **columns):
    """Return a crystal of a draw; one without atoms was lost."""
    n = len(numbers)
    return {
        'id': f'{DRAW}-{index}', 'numbers': numbers, 'positions': np.arange(3.0 * n).reshape(n, 3),
        'cell': 4 * np.eye(3) if n else np.zeros((3, 3)), 'pbc': [True] * 3, 'columns': columns,
    }  # fmt: skip


def matches(*ids, value=0.05):
    """Return the text of a crystal that matches some targets at every tolerance."""
    return json.dumps([[name, value, value, value] for name in ids])


def batch_of(rows):
    """Return a batch of rows."""
    from aiida_crystalgen.data.batch import StructureBatch

    return StructureBatch(Crystals.from_rows(rows, COLUMNS))


@pytest.fixture
def targets():
    """Return copper and gold as targets."""
    from aiida_crystalgen.data.reference import ReferenceSet

    rows = [
        {'id': f'{"t" * 16}-{i}', 'numbers': [z], 'positions': [[0, 0, 0]], 'cell': 3 * np.eye(3), 'pbc': [True] * 3,
         'columns': {'source': f'crystal {z}'}}
        for i, z in enumerate((29, 79))
    ]  # fmt: skip
    return ReferenceSet(Crystals.from_rows(rows, {'source': TEXT}), name='metals', licence='', partial=False)


def draws_of(targets, parameters, *labels, n=3):
    """Return the draws of the two targets, under these labels."""
    names = zip(labels, targets.ids, strict=True)
    draws = {label: {'generator': 'g', 'targets': [name], 'n': n, 'parameters': parameters} for label, name in names}
    return orm.Dict({'candidates': n, 'draws': draws})


def test_draws_are_told_their_composition():
    """Each draw has the parameters of its generator and its own; what reads files is told nothing."""
    from aiida_crystalgen.calculations.prediction import tell_targets

    draws = {
        'random_Cu': {'generator': 'random', 'parameters': {'composition': 'Cu', 'max_atoms': 1}},
        'files_Cu': {'generator': 'files', 'parameters': None},
    }
    told = tell_targets(orm.Dict({'draws': draws}), random=orm.Dict({'seed': 1, 'max_atoms': 9}), files=orm.Dict({}))
    assert set(told) == {'parameters_random_Cu', 'label_random_Cu'}
    assert told['parameters_random_Cu'].get_dict() == {'seed': 1, 'composition': 'Cu', 'max_atoms': 1}
    assert told['parameters_random_Cu'].creator.process_label == 'tell_targets'


def test_rejected_and_lost_rows_count(targets):
    """The denominators are what was asked for; a row that was rejected keeps what was found of it before."""
    from aiida_crystalgen.calculations.prediction import judge_prediction

    copper, gold = targets.ids
    table = batch_of([row(2, [29], generator='g_Cu', target_matches_generated=matches(copper, value=0.02))])
    rejected = batch_of(
        [
            row(1, [29], generator='g_Cu', target_matches_generated=matches(copper, value=0.08)),
            row(0, [], generator='g_Cu'),
            row(3, [], generator='g_Au'),
        ]
    )
    draws = draws_of(targets, {'composition': ''}, 'g_Cu', 'g_Au')
    found = judge_prediction(table, targets, draws, rejected).get_dict()
    generator = found['generators']['g']
    assert (generator['requested'], generator['relaxed'], generator['energies']) == (6, None, None)
    first, last = (generator['as_drawn']['strict'][k] for k in ('1', '3'))
    assert (first['match_rate']['count'], last['match_rate']['count'], last['match_rate']['rate']) == (0, 1, 0.5)
    assert last['rmse'] == pytest.approx(0.02)
    assert last['crmse'] == pytest.approx((0.02 + 0.1) / 2)
    nearest = {target['name']: target['as_drawn']['g'] for target in found['targets']}
    assert nearest == {'crystal 29': pytest.approx(0.02), 'crystal 79': None}
    assert gold in {target['id'] for target in found['targets']}


def test_copy_counts_after_relaxation_as_its_original(targets):
    """A copy that was removed before relaxation found what the crystal that was relaxed in its place found."""
    from aiida_crystalgen.calculations.prediction import judge_prediction
    from aiida_crystalgen.data.batch import StructureBatch

    copper, _ = targets.ids
    original = {'target_matches': matches(copper), 'enthalpy': -3.0, 'energy_over_target': 0.0}
    table = batch_of([row(1, [29], generator='g_Cu', **original)])
    rejected = batch_of([row(0, [29], generator='g_Cu', duplicate_of_generated=f'{DRAW}-1')])
    relaxed = [{**crystal, 'columns': {'enthalpy': -3.0}} for crystal in targets.crystals.rows()]
    inputs = {'relaxed_targets': StructureBatch(Crystals.from_rows(relaxed, {'enthalpy': ENERGY}))}
    draws = draws_of(targets, {'composition': ''}, 'g_Cu', 'g_Au')
    found = judge_prediction(table, targets, draws, rejected, **inputs).get_dict()
    assert found['level'] == 'toy'
    assert found['generators']['g']['relaxed']['default']['1']['match_rate']['count'] == 1
    assert found['generators']['g']['as_drawn']['default']['1']['match_rate']['count'] == 0
    assert [target['enthalpy'] for target in found['targets']] == [-3.0, -3.0]


def test_crystals_from_files_belong_to_their_formula(targets):
    """What reads files has one label for all compositions; the order in the file is that of the candidates."""
    from aiida_crystalgen.calculations.prediction import judge_prediction

    copper, gold = targets.ids
    rows = [
        row(3, [29], generator='g', target_matches_generated=matches(copper)),
        row(2, [79], generator='g', target_matches_generated=matches(gold)),
        row(1, [29, 29], generator='g'),
    ]
    draws = draws_of(targets, None, 'g_Cu', 'g_Au')
    found = judge_prediction(batch_of(rows), targets, draws).get_dict()['generators']['g']['as_drawn']['strict']
    assert [found[k]['match_rate']['count'] for k in ('1', '3')] == [1, 2]
