"""Bring your own crystals, or what another generator or structure search wrote (formats: `readers.FORMATS`)."""

from __future__ import annotations

import typing as t

ABOUT = {
    'name': 'files',
    'kind': 'generator',
    'summary': 'Crystals from files: CIF, POSCAR, extended XYZ, pymatgen JSON, CSV, outputs of generators.',
    'elements': 'any',
    'licence': 'MIT (pymatgen)',
    'citation': [
        'S. P. Ong et al., Python Materials Genomics (pymatgen): a robust, open-source python library for materials '
        'analysis, Comput. Mater. Sci. 68, 314 (2013), doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'pip install pymatgen',
    'requires': ['pymatgen', 'numpy', 'spglib'],
    'needs': ['readers'],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'level': {
            'type': 'text', 'default': '', 'unit': '',
            'help': 'level of theory of the energies that the files give (it labels `given_energy` and '
                    '`given_formation_energy`)',
        },
    },
    'conditions': {},
    'columns': {
        'source_file': {
            'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'path of the file inside the folder given, or of the member inside the zip',
        },
        'source_entry': {
            'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the crystal in its file, from 0, and its name there if it has one (data block, frame, '
                    'material_id, key); deuterium and tritium are read as hydrogen',
        },
        'given_energy': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'total energy that the file gives, uncorrected where it says which one that is',
        },
        'given_formation_energy': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'formation energy that the file gives',
        },
        'given_e_hull': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'distance to a hull that the file gives; it is of another hull than that of this campaign',
        },
    },
}  # fmt: skip


# Columns by the names that `crystal_tables` has for the quantities.
GIVEN = {
    'energy': 'given_energy', 'formation_energy': 'given_formation_energy', 'listed_e_hull': 'given_e_hull',
}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def count(path: str) -> int:
    """Return how many rows the files at `path` give."""
    import readers

    return int(readers.count(path))


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns: the source, and the energies that the files give for at least one crystal."""
    import crystal_tables  # type: ignore[import-not-found]
    import readers

    found: set[str] = set()
    for entry in readers.entries(job.assets['files']):
        found |= crystal_tables.quantities(entry.beside)
    level = str(job.parameters.get('level') or '')
    about: t.Any = ABOUT
    declared: dict[str, dict[str, t.Any]] = about['columns']
    levels = {'energy': level, 'formation_energy': level, 'listed_e_hull': ''}
    given = {GIVEN[name]: {**declared[GIVEN[name]], 'level': levels[name]} for name in GIVEN if name in found}
    return {**{name: declared[name] for name in declared if name not in GIVEN.values()}, **given}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Fill row number i with the i-th crystal of asset `files`, or say why it cannot be read."""
    import crystal_tables
    import readers

    entries = readers.entries(job.assets['files'])
    for row in rows:
        if row['index'] >= len(entries):
            yield _rejected(row, {}, 'no_more_entries', f'the files hold {len(entries)} crystals')
            continue
        entry = entries[row['index']]
        source = {'source_file': entry.source_file, 'source_entry': entry.source_entry}
        try:
            crystal = readers.read(entry)
        except readers.RefusedError as refusal:
            yield _rejected(row, source, refusal.reason, refusal.detail)
            continue
        energies = crystal_tables.energies(entry.beside, len(crystal['numbers']))
        given = {GIVEN[name]: value for name, value in energies.items() if value is not None}
        yield {'id': row['id'], 'structure': crystal, 'columns': {**source, **given}}


def _rejected(row: dict[str, t.Any], columns: dict[str, str], reason: str, detail: str) -> dict[str, t.Any]:
    rejected = {'reason': reason, 'detail': detail, 'value': None, 'threshold': None}
    return {'id': row['id'], 'columns': columns, 'rejected': rejected}
