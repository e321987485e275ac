"""Bring your own crystals, or what another generator or structure search wrote (formats: `readers.FORMATS`)."""

from __future__ import annotations

import contextlib
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
    'needs': ['readers', 'genes'],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    # Reading takes a millisecond a crystal: cut finer, the 10,000 of a published sample would wait for jobs to start.
    'chunk_size': 10_000,
    'parameters': {
        'level': {
            'type': 'text', 'default': '', 'unit': '',
            'help': 'level of theory of the energies that the files give (it labels `given_energy` and '
                    '`given_formation_energy`)',
        },
        'decode': {
            'type': 'bool', 'default': False, 'unit': '',
            'help': 'Wyckoff genes (WyFormer): let PyXtal draw the cell and the free coordinates, which the seed of '
                    'the row decides; 0.2 to 0.5 s of CPU each',
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
        'decode_tries': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'cells that were tried until the atoms of a Wyckoff gene found their places',
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

# How a gene is decoded (see `genes.decode`): the values of the generator `random`.
DECODING = {'volume_factor': (0.7, 1.4), 'min_distance_factor': 0.6, 'tries': 20}


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them; of PyXtal where it is there to decode genes."""
    from importlib.metadata import PackageNotFoundError, version

    requires: t.Any = ABOUT['requires']
    found = {name: version(name) for name in requires}
    with contextlib.suppress(PackageNotFoundError):
        found['pyxtal'] = version('pyxtal')
    return found


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
    left_out = {*GIVEN.values(), *(() if job.parameters.get('decode') else ('decode_tries',))}
    return {**{name: declared[name] for name in declared if name not in left_out}, **given}


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
        if job.parameters.get('decode') and isinstance(entry.content, dict) and 'gene' in entry.content:
            yield {**_decoded(entry.content['gene'], row, source), 'id': row['id']}
            continue
        try:
            crystal = readers.read(entry)
        except readers.RefusedError as refusal:
            yield _rejected(row, source, refusal.reason, refusal.detail)
            continue
        energies = crystal_tables.energies(entry.beside, len(crystal['numbers']))
        given = {GIVEN[name]: value for name, value in energies.items() if value is not None}
        yield {'id': row['id'], 'structure': crystal, 'columns': {**source, **given}}


def _decoded(gene: dict[str, t.Any], row: dict[str, t.Any], source: dict[str, str]) -> dict[str, t.Any]:
    """Return the crystal that PyXtal makes of a Wyckoff gene, or why there is none."""
    import genes  # type: ignore[import-not-found]

    try:
        structure, tries = genes.decode(gene, DECODING, row['seed'])
    except ImportError as error:
        raise RuntimeError('decoding needs PyXtal in the environment of the Code: `pip install pyxtal`') from error
    if structure is None:
        detail = f'the atoms of {genes.label(gene)} found no places in {tries} cells of space group {gene["group"]}'
        return _rejected(row, {**source, 'decode_tries': tries}, 'no_placement', detail)
    return {'structure': structure, 'columns': {**source, 'decode_tries': tries}}


def _rejected(row: dict[str, t.Any], columns: dict[str, t.Any], reason: str, detail: str) -> dict[str, t.Any]:
    rejected = {'reason': reason, 'detail': detail, 'value': None, 'threshold': None}
    return {'id': row['id'], 'columns': columns, 'rejected': rejected}
