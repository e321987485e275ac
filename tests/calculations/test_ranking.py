"""The calcfunctions of the ranking: order, short list, and a second order of a table."""

import numpy as np
import pytest
from aiida import orm

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.invariant import check_stage

NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
FLAG = {**NUMBER, 'dtype': 'bool', 'unit': '', 'level': ''}
TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
NUMBERS = ([12, 8], [12, 8, 12, 8], [20, 8], [56, 8])


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean):
    """Give every test a profile."""


@pytest.fixture
def batch():
    """Return four oxides: two of MgO, one of CaO, one of BaO of unknown distance to the hull."""
    from aiida_crystalgen.data.batch import StructureBatch

    values = zip([0.02, 0.0, 0.03, None], [True, False, True, True], ['p', 'p', 'q', None], strict=True)
    rows = [
        {
            'id': f'{"a" * 16}-{i}',
            'numbers': numbers,
            'positions': np.arange(3.0 * len(numbers)).reshape(-1, 3),
            'cell': 4 * np.eye(3),
            'pbc': [True] * 3,
            'columns': {'e_hull': distance, 'novel_known': novel, 'prototype': prototype},
        }
        for i, (numbers, (distance, novel, prototype)) in enumerate(zip(NUMBERS, values, strict=True))
    ]
    return StructureBatch(Crystals.from_rows(rows, {'e_hull': NUMBER, 'novel_known': FLAG, 'prototype': TEXT}))


def places(table):
    """Return the last digits of the ids in their order."""
    return [int(name[-1]) for name in table.ids]


def test_without_rules_the_energy_decides(batch):
    """Rank and short list are there at once."""
    from aiida_crystalgen.calculations.ranking import rank

    table = rank(batch, orm.Int(2))
    assert places(table) == [1, 0, 2, 3]
    assert table.crystals.values('rank') == [1, 2, 3, 4]
    assert table.crystals.values('shortlisted') == [True, True, False, False]


def test_with_rules_a_short_list_and_then_a_rank(batch):
    """One crystal of a formula, and the rank by the columns that came later; ids and values stay."""
    from aiida_crystalgen.calculations.ranking import rank, rerank

    rules = orm.Dict(
        {
            'objectives': {'e_hull': 'min', 'novel_known': 'max', 'prototype': 'min'},
            'weights': {'novel_known': 1, 'e_hull': 1, 'phonon_verdict': 1},
            'diversity': {'max_per_formula': 1},
        }
    )
    first = rank(batch, orm.Int(2), rules)
    assert places(first) == [0, 2, 1, 3]
    assert first.crystals.values('shortlisted') == [True, True, False, False]
    assert 'rank' not in first.crystals.columns
    final = rerank(first, rules)
    assert check_stage(first.crystals, final.crystals, final.crystals.select([])) is None
    assert final.crystals.values('rank') == [1, 2, 3, 4]
    assert final.crystals.values('pareto_front') == [1, 2, 1, None]
    assert final.crystals.values('priority') == [pytest.approx(x) for x in (0.9, 0.85, 0.5, 0.5)]
    assert final.crystals.values('priority_known')[3] == pytest.approx(1 / 3)


def test_a_table_is_ranked_again_beside_the_first(batch):
    """Other rules give another table with its own short list; limits by prototype and by elements hold."""
    from aiida_crystalgen.calculations.ranking import rank, rerank

    table = rank(batch, orm.Int(2))
    rules = orm.Dict({'objectives': {'e_hull': 'max'}, 'diversity': {'max_per_prototype': 1, 'max_per_system': 1}})
    again = rerank(table, rules, orm.Int(4))
    assert places(again) == [2, 0, 1, 3]
    assert again.crystals.values('shortlisted') == [True, True, False, True]
    assert table.crystals.values('rank') == [1, 2, 3, 4]
    assert again.creator.inputs.table.pk == table.pk


def test_an_empty_table_stays_empty(batch):
    """No survivor is no error."""
    from aiida_crystalgen.calculations.ranking import rank, rerank
    from aiida_crystalgen.data.batch import StructureBatch

    rules = orm.Dict({'objectives': {'e_hull': 'min'}, 'weights': {'e_hull': 1}})
    final = rerank(rank(StructureBatch(batch.crystals.select([])), orm.Int(2), rules), rules)
    assert (len(final.ids), final.crystals.values('rank')) == (0, [])
