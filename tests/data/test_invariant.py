"""Rows only shrink, columns only grow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.invariant import check_stage

from .strategies import batches

FLAG = {'kind': 'row', 'dtype': 'bool'}
BARE = Crystals.empty(['d-0', 'd-1', 'd-2'])
BEFORE = BARE.with_columns({'flag': make_column([True, None, False], FLAG)})


@given(batches(), st.lists(st.booleans(), min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_every_honest_stage_passes(crystals, verdicts, random):
    """A stage may part the rows, reorder them, add columns and move atoms."""
    verdict = np.array(verdicts[: len(crystals)], dtype=bool)
    kept, rejected = np.flatnonzero(verdict).tolist(), np.flatnonzero(~verdict).tolist()
    random.shuffle(kept)
    after = crystals.with_columns({'verdict_of_stage': make_column(verdict.tolist(), FLAG)})
    after = after.with_geometry(after.numbers, after.positions + 1, after.cells * 1.1, after.pbc)
    assert check_stage(crystals, after.select(kept), after.select(rejected)) is None


@pytest.mark.parametrize(
    ('kept', 'rejected', 'sentence'),
    [
        (BEFORE.select([0, 1]), BEFORE.select([1, 2]), 'crystal `d-1` is both kept and rejected.'),
        (BEFORE.select([0, 1]), BEFORE.select([]), 'crystal `d-2` is neither kept nor rejected.'),
        (BEFORE, Crystals.empty(['d-3']), 'crystal `d-3` appears after the stage but not before it.'),
        (BEFORE, BEFORE.select([]).drop_columns(['flag']), 'column `flag` is missing among the rejected crystals.'),
        (
            BARE.with_columns({'flag': make_column([True, False, False], FLAG)}),
            BEFORE.select([]),
            'column `flag` has changed among the kept crystals.',
        ),
        (
            BARE.with_columns({'flag': make_column([True, None, False], {**FLAG, 'unit': 'A'})}),
            BEFORE.select([]),
            'column `flag` has changed among the kept crystals.',
        ),
    ],
)
def test_every_breach_is_a_sentence(kept, rejected, sentence):
    """The sentence names the crystal or the column."""
    assert check_stage(BEFORE, kept, rejected) == sentence
