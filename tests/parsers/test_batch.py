"""Reading what a job left behind."""

import pytest

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.parsers.batch import read_lines
from aiida_crystalgen.parsers.rows import kept_crystals, rejected_crystals

META = {'energy': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}}
CUBE = {'numbers': [29], 'positions': [[0, 0, 0]], 'cell': [[3, 0, 0], [0, 3, 0], [0, 0, 3]], 'pbc': [True] * 3}


def test_torn_last_line_is_dropped(tmp_path):
    """A kill in the middle of a line costs that line alone."""
    path = tmp_path / 'out.jsonl'
    path.write_text('{"id": "a-0"}\n{"id": "a-1"}\n{"id": "a-')
    assert [row['id'] for row in read_lines(path)] == ['a-0', 'a-1']


def test_damage_before_the_end_is_told(tmp_path):
    """A line that is not the last one and cannot be read is an error that names the line."""
    path = tmp_path / 'out.jsonl'
    path.write_text('{"id": "a-0"}\nnonsense\n{"id": "a-1"}\n')
    with pytest.raises(ValueError, match=r'line 2 of `out.jsonl`'):
        read_lines(path)


def test_missing_file_holds_no_rows(tmp_path):
    """A job that never began left nothing."""
    assert read_lines(tmp_path / 'out.jsonl') == []


def test_rows_come_back_in_the_order_asked_for():
    """Rows that finished in another order stand in the order of the batch, with new geometry and columns."""
    asked = Crystals.empty(['a-0', 'a-1', 'a-2'])
    results = {
        'a-2': {'id': 'a-2', 'structure': CUBE, 'columns': {'energy': -2.0}},
        'a-0': {'id': 'a-0', 'structure': CUBE, 'columns': {'energy': None}},
    }
    kept = kept_crystals(asked, results, META)
    assert kept.ids == ['a-0', 'a-2']
    assert kept.values('energy') == [None, -2.0]
    assert kept.numbers.tolist() == [29, 29]


def test_rejected_rows_carry_reason_value_and_threshold():
    """A rejected row without a geometry stays a row of zero atoms, with where and why it ended."""
    asked = Crystals.empty(['a-0'])
    verdict = {'reason': 'too_hot', 'detail': 'It melted.', 'value': 3.0, 'threshold': 2.0}
    rejected = rejected_crystals(asked, {'a-0': {'id': 'a-0', 'rejected': verdict}}, META, 'relax')
    found = [rejected.values(f'rejected_{key}') for key in ('stage', 'reason', 'detail', 'value', 'threshold')]
    assert found == [['relax'], ['too_hot'], ['It melted.'], [3.0], [2.0]]
    assert len(rejected.numbers) == 0
