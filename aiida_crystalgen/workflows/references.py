"""Read competing phases and known crystals, and look for what earlier campaigns relaxed. All before any process."""

from __future__ import annotations

import hashlib
import importlib
import sys
import types
import typing as t
from pathlib import Path

import numpy as np
from aiida import orm

from aiida_crystalgen.calculations.fingerprints import DRAW_DIGITS, geometry_digests
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.schema import CampaignError, Problem

_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_SOURCE: t.Final = {**_TEXT, 'help': 'File, and entry within it, that the crystal was read from.'}
# How many earlier hulls at the same level are looked at for phases that were relaxed before.
_HULLS_LOOKED_AT: t.Final = 20


def read_phases(path: Path) -> Crystals:
    """Return the competing phases in a folder of CIFs, a JSON of entries, or any file that the generator `files` reads.

    :raises CampaignError: naming every file that cannot be used: a hull with a hole is worse than none.
    """
    crystals, unusable = _read(path)
    if unusable:
        raise CampaignError(
            [
                Problem(
                    None, 'references.phases', f'`{name}` cannot be used: {reason}', 'mend the file or take it away'
                )
                for name, reason in unusable
            ]
        )
    if len(crystals) == 0:
        raise CampaignError([Problem(None, 'references.phases', f'`{path.name}` holds no crystal', 'add CIF files')])
    return crystals


def known_crystals(path: Path) -> Crystals:
    """Return the known crystals in a file or folder; entries that cannot be used are left out."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Crystals, list[tuple[str, str]]]:
    """Return what the generator `files` makes of a path, and what it could not use with its reason."""
    files = files_adapter()
    n_entries = files.count(str(path))
    empty = {
        'numbers': np.zeros(0, int),
        'positions': np.zeros((0, 3)),
        'cell': np.zeros((3, 3)),
        'pbc': np.ones(3, bool),
        'columns': {},
    }
    requests = ({**empty, 'id': str(index), 'index': index, 'seed': 0} for index in range(n_entries))
    job = types.SimpleNamespace(parameters={}, assets={'files': str(path)}, model=None, tables={}, scratch='')
    rows, unusable = [], []
    for result in files.run(requests, job):
        columns = result.get('columns', {})
        name = ' '.join(str(columns[key]) for key in ('source_file', 'source_entry') if columns.get(key))
        if result.get('rejected'):
            unusable.append((name or path.name, str(result['rejected'].get('detail') or result['rejected']['reason'])))
        else:
            rows.append({**result['structure'], 'id': str(result['id']), 'columns': {'source': name}})
    rows.sort(key=lambda row: int(row['id']))
    crystals = Crystals.from_rows(rows, {'source': _SOURCE})
    return _with_content_ids(crystals), unusable


def files_adapter() -> t.Any:
    """Return the generator `files` as a module: it reads with pymatgen alone, so it may run here too.

    Its helpers travel beside it in a bundle and are found by their bare names, here as there.
    """
    from aiida_crystalgen.bundles import REMOTE

    if str(REMOTE) not in sys.path:
        sys.path.append(str(REMOTE))
    return importlib.import_module('aiida_crystalgen.remote.adapters.files')


def _with_content_ids(crystals: Crystals) -> Crystals:
    """Name the crystals after their content, so that the same files always give the same ids."""
    draw = hashlib.sha256(''.join(geometry_digests(crystals)).encode()).hexdigest()[:DRAW_DIGITS]
    rows = [{**row, 'id': f'{draw}-{index}'} for index, row in enumerate(crystals.rows())]
    return Crystals.from_rows(rows, {'source': _SOURCE})


def find_known_hull(protocol: str, phases: StructureBatch) -> HullReference | None:
    """Return the earlier hull, made in exactly this way, that holds most of the phases; None where none holds any."""
    builder = orm.QueryBuilder()
    builder.append(HullReference, filters={'attributes.protocol': protocol})
    builder.order_by({HullReference: {'id': 'desc'}})
    builder.limit(_HULLS_LOOKED_AT)
    wanted = set(geometry_digests(phases.crystals))
    held = [(len(wanted & set(hull.crystals.values('fingerprint'))), hull) for hull in builder.all(flat=True)]
    best = max(held, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None
