"""Batches and checks that several tests share."""

import numpy as np
from aiida import orm

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column

ENERGY = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'EMT'}
TEXT = {'kind': 'text'}


def crystals_of(draw: str = '0123456789abcdef', energies=(-1.0, None)) -> Crystals:
    """Return rocksalt MgO (primitive cell) and a copper atom."""
    primitive = np.array([[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]])
    pbc = [True, True, True]
    places = [[0, 0, 0], [2.1, 2.1, 2.1]]
    rows = [
        {'id': f'{draw}-0', 'numbers': [12, 8], 'positions': places, 'cell': primitive, 'pbc': pbc},
        {'id': f'{draw}-1', 'numbers': [29], 'positions': [[0, 0, 0]], 'cell': np.eye(3) * 2.5, 'pbc': pbc},
    ]
    return Crystals.from_rows(rows, {}).with_columns({'energy': make_column(list(energies), ENERGY)})


def phases_of(**changes) -> Crystals:
    """Return competing phases with all columns they need."""
    texts = make_column(['a', 'b'], TEXT)
    needed = {'enthalpy': make_column([-1.0, None], ENERGY), 'source': texts, 'fingerprint': texts, **changes}
    return crystals_of().with_columns({name: column for name, column in needed.items() if column is not None})


def check_queries() -> None:
    """Filter on every summary attribute, through fields and through plain filters."""
    fields = StructureBatch.fields
    StructureBatch(crystals_of()).store()
    StructureBatch(Crystals.empty([f'fedcba9876543210-{place}' for place in range(9)])).store()

    def count(filters) -> int:
        return orm.QueryBuilder().append(StructureBatch, filters=filters).count()

    assert count(fields.n_crystals > 5) == 1
    assert count(fields.n_crystals > 1) == 2
    assert count(fields.elements.contains(['Mg', 'O'])) == 1
    assert count(fields.columns.has_key('energy')) == 1
    assert count(fields.draws.contains(['fedcba9876543210'])) == 1
    assert count({'attributes.n_sites_min': 0}) == 1
    assert count({'attributes.columns.energy.level': 'EMT'}) == 1
    assert count({'attributes.columns': {'!has_key': 'energy'}}) == 1
