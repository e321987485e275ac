"""Index of a reference set: each known crystal in the cell in which it is compared, with its fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from .amd import average_minimum_distances
from .crystal import Crystal, with_defaults
from .reduction import IncomparableError, primitive_cell
from .software import versions_of

ABOUT = {
    'name': 'indexing',
    'kind': 'criterion',
    'summary': 'Reduces known crystals to the cells in which they are compared, once for all campaigns.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Widdowson et al., Average minimum distances of periodic point sets, MATCH Commun. Math. Comput. Chem. 87, '
        '529 (2022)',
        'Ong et al., Python Materials Genomics, Comput. Mater. Sci. 68, 314 (2013), '
        'doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'numpy scipy pymatgen',
    'requires': ['numpy', 'scipy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'max_sites': {
            'type': 'int', 'default': 300, 'unit': '', 'minimum': 1,
            'help': 'Crystals with more atoms than this are not reduced: nothing is compared with them.',
        },
    },
    'conditions': {},
    'columns': {
        'amd': {
            'kind': 'row', 'dtype': 'float', 'shape': [40], 'unit': '', 'level': '',
            'help': 'Average minimum distances of the crystal as given to its 40 nearest neighbours, at 1 A^3 per '
            'atom: in units of (V/N)^(1/3).',
        },
    },
}  # fmt: skip


class Job(Protocol):
    """What the index needs of the harness's job."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters: `max_sites`."""


def versions() -> dict[str, str]:
    """Return the versions of everything that decides on a reduced cell."""
    return versions_of(ABOUT)


def columns(job: Job) -> dict[str, dict[str, Any]]:
    """Return the columns that are written."""
    declared: dict[str, dict[str, Any]] = ABOUT['columns']  # type: ignore[assignment]
    return {name: dict(meta) for name, meta in declared.items()}


def run(rows: Iterable[Mapping[str, Any]], job: Job) -> Iterator[dict[str, Any]]:
    """Yield each row in its primitive reduced cell with its fingerprint, or why it cannot be compared."""
    max_sites = with_defaults(ABOUT, job.parameters)['max_sites']
    for row in rows:
        crystal = Crystal.from_row(row)
        try:
            yield {'id': crystal.id, **indexed(crystal, max_sites)}
        except IncomparableError as error:
            rejected = {'reason': error.reason, 'detail': str(error), 'value': None, 'threshold': None}
            yield {'id': crystal.id, 'columns': {}, 'rejected': rejected}


def indexed(crystal: Crystal, max_sites: int) -> dict[str, Any]:
    """Return the geometry of the reduced cell and the columns of one crystal.

    Raises:
        IncomparableError: if it cannot be compared.
    """
    if crystal.columns.get('occupancies') is not None:
        raise IncomparableError('partially_occupied', 'sites are partially occupied, so there is no ordered cell')
    primitive = primitive_cell(crystal, max_sites)
    geometry = {
        'numbers': list(primitive.atomic_numbers),
        'positions': primitive.cart_coords,
        'cell': primitive.lattice.matrix,
        'pbc': [True, True, True],
    }
    fingerprint = average_minimum_distances(crystal.positions, crystal.cell)
    return {'structure': geometry, 'columns': {'amd': fingerprint.tolist()}}
