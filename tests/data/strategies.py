"""Hypothesis strategies for batches of crystals with columns of every kind."""

import numpy as np
from hypothesis import strategies as st

from aiida_crystalgen.data.crystals import Crystals

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=64)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
HARD_TEXTS = st.sampled_from(['T', '12', '1e5', 'nan', '', 'a b', '"\\', '\n', '_JSON 1', '\u2028'])
TEXTS = st.text(st.characters(exclude_categories=['Cs']), max_size=12) | HARD_TEXTS
NAMES = st.from_regex(r'\A[A-Za-z0-9_]{1,8}\Z').filter(lambda name: name != 'id')
SHAPES = st.sampled_from([(), (2,), (3, 3)])
VALUES = {'float': FLOATS, 'int': INTEGERS, 'bool': st.booleans()}


@st.composite
def metas(draw) -> dict:
    """Draw the description of a column."""
    kind = draw(st.sampled_from(['row', 'site', 'ragged', 'text']))
    dtype = 'text' if kind == 'text' else draw(st.sampled_from(['float', 'int', 'bool']))
    shape = () if kind == 'text' else draw(SHAPES)
    unit, level = draw(st.sampled_from(['', 'eV/atom'])), draw(st.sampled_from(['', 'EMT']))
    return {'kind': kind, 'dtype': dtype, 'shape': list(shape), 'unit': unit, 'help': 'made up', 'level': level}


def nested(values: st.SearchStrategy, shape: tuple) -> st.SearchStrategy:
    """Return lists of the given shape."""
    for length in reversed(shape):
        values = st.lists(values, min_size=length, max_size=length)
    return values


def entries(meta: dict, n_sites: int) -> st.SearchStrategy:
    """Return values of one column for a crystal of `n_sites` atoms, None among them."""
    if meta['kind'] == 'text':
        return st.none() | TEXTS
    value = nested(VALUES[meta['dtype']], tuple(meta['shape']))
    if meta['kind'] == 'site':
        value = st.lists(value, min_size=n_sites, max_size=n_sites)
    elif meta['kind'] == 'ragged':
        value = st.lists(value, max_size=3)
    return st.none() | value


@st.composite
def batches(draw, max_rows: int = 4, min_sites: int = 0, columns: bool = True) -> Crystals:
    """Draw a batch; its cells are rotated and sheared, its positions may lie outside the cell."""
    table = draw(st.dictionaries(NAMES, metas(), max_size=4)) if columns else {}
    rows = []
    for place in range(draw(st.integers(0, max_rows))):
        n_sites = draw(st.integers(min_sites, 3))
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        rows.append(
            {
                'id': f'0123456789abcdef-{place}',
                'numbers': random.integers(1, 104, n_sites),
                'positions': random.uniform(-12, 12, (n_sites, 3)),
                'cell': np.diag(random.uniform(2, 9, 3)) + random.uniform(-0.7, 0.7, (3, 3)),
                'pbc': random.random(3) < 0.8,
                'columns': {name: draw(entries(meta, n_sites)) for name, meta in table.items()},
            }
        )
    return Crystals.from_rows(rows, table)
