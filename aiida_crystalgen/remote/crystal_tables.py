"""What stands beside a crystal in tables and entries: energies, ids, and what public tables are known to be.

The standard library alone; nothing that a file holds is ever run.
"""

from __future__ import annotations

import csv
import io
import json
import math
import typing as t

# Names of columns and keys, the first one that is there counts. All energies are per atom [eV/atom].
IDS = ('material_id', 'entry_id', 'mat_id', 'id')
QUANTITIES = {
    # A total energy as it was computed comes before one that may hold corrections.
    'energy': ('uncorrected_energy_per_atom', 'energy_per_atom'),
    'formation_energy': ('formation_energy_per_atom', 'e_form_per_atom', 'e_form'),
    # `heat_all` of Perov-5 is measured from competing phases, not from the elements: it is near 0 for known oxides.
    'listed_e_hull': ('e_above_hull', 'energy_above_hull', 'hull_distance', 'e_hull', 'ehull', 'heat_all'),
}
# Of the cell of an entry, uncorrected [eV]; the reader gives it this name so that it is not taken for one per atom.
TOTAL = 'total_energy'
FORMAT = 'crystalgen.reference'
FORMAT_VERSION = 1
FACTS = (
    'name', 'database', 'database_version', 'date', 'query', 'licence', 'citation', 'level', 'convention', 'partial',
)  # fmt: skip

_MP_LEVEL = 'PBE(+U), corrections as in the table'
_MP = 'A. Jain et al., APL Mater. 1, 011002 (2013), doi:10.1063/1.4812323'
_CDVAE = 'T. Xie et al., Crystal Diffusion Variational Autoencoder, ICLR 2022, arXiv:2110.06197'
_MPTS = 'S. G. Baird and T. D. Sparks, Materials Project Time Split Data, doi:10.6084/m9.figshare.19991516'
_MP_FACTS = {
    'database': 'Materials Project', 'licence': 'CC-BY-4.0', 'level': _MP_LEVEL, 'convention': 'formation',
}  # fmt: skip
# `columns` must all be there; `only`: and no others but an unnamed index; `starts`: how the values of a column begin;
# `named`: a part of the name of the file, where the columns alone could be anybody's.
TABLES: tuple[dict[str, t.Any], ...] = (
    {
        'columns': {'material_id', 'formation_energy_per_atom', 'band_gap', 'pretty_formula', 'e_above_hull',
                    'elements', 'cif', 'spacegroup.number'},
        'about': {**_MP_FACTS, 'name': 'MP-20', 'citation': [_MP, _CDVAE]},
    },
    {
        'columns': {'material_id', 'formation_energy_per_atom', 'energy_above_hull', 'theoretical', 'year', 'cif'},
        'about': {**_MP_FACTS, 'name': 'MPTS-52', 'citation': [_MP, _MPTS]},
    },
    {
        'columns': {'material_id', 'formation_energy_per_atom', 'e_above_hull', 'cif', 'source'},
        'only': True,
        'starts': {'material_id': ('mp-', 'mvc-'), 'source': ('mp_20', 'mpts_52')},
        'about': {**_MP_FACTS, 'name': 'MP-20 and MPTS-52', 'citation': [_MP, _CDVAE, _MPTS]},
    },
    {
        'columns': {'material_id', 'cif', 'energy_per_atom'},
        'only': True,
        'starts': {'material_id': ('C-',)},
        'about': {
            'name': 'Carbon-24', 'database': 'AIRSS, carbon at 10 GPa', 'convention': 'other',
            'licence': 'open access, see Materials Cloud 2020.0026', 'level': 'DFT, functional not stated in the table',
            'citation': ['C. J. Pickard, AIRSS data for carbon at 10 GPa, Materials Cloud 2020.0026 (2020), '
                         'doi:10.24435/materialscloud:2020.0026/v1', _CDVAE],
        },
    },
    {
        'columns': {'material_id', 'cif', 'heat_all', 'heat_ref', 'dir_gap', 'ind_gap'},
        'about': {
            'name': 'Perov-5', 'database': 'Computational Materials Repository, cubic perovskites',
            'citation': ['I. E. Castelli et al., Energy Environ. Sci. 5, 9034 (2012), doi:10.1039/C2EE22341D',
                         'I. E. Castelli et al., Energy Environ. Sci. 5, 5814 (2012), doi:10.1039/C1EE02717D', _CDVAE],
        },
    },
    {
        'columns': {'cif', 'formation_energy_per_atom', 'band_gap'},
        'only': True,
        'named': 'wbm',
        'about': {
            'name': 'WBM', 'database': 'WBM', 'licence': 'CC-BY-4.0', 'level': _MP_LEVEL, 'convention': 'formation',
            'citation': ['H.-C. Wang, S. Botti and M. A. L. Marques, npj Comput. Mater. 7, 12 (2021), '
                         'doi:10.1038/s41524-020-00481-6'],
        },
    },
    {
        'columns': {'material_id', 'cif', 'chemical_system', 'dft_band_gap', 'dft_bulk_modulus', 'dft_mag_density',
                    'energy_above_hull', 'hhi_score', 'ml_bulk_modulus', 'space_group'},
        'about': {
            'name': 'Alex-MP-20', 'database': 'Alexandria and Materials Project', 'licence': 'CC-BY-4.0',
            'citation': ['C. Zeni et al., Nature 639, 624 (2025), doi:10.1038/s41586-025-08628-5',
                         'J. Schmidt et al., Materials Cloud 2022.126 (2022), doi:10.24435/materialscloud:m7-50', _MP],
        },
    },
)  # fmt: skip

Facts = t.Mapping[str, t.Any]
# Label, kind of content, content, and what stands beside it.
Item = t.Tuple[str, str, t.Any, Facts]
Items = t.List[Item]


def csv_items(text: str, filename: str) -> tuple[Items, Facts]:
    """Take column `cif` (or `structure`) of a CSV and keep the other cells; say what the table is, if it is known.

    :raises ValueError: with a sentence, where there is no such column or no row.
    """
    previous = csv.field_size_limit(len(text) + 1)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=''))
        columns = {name.strip().lower(): name for name in reversed(reader.fieldnames or []) if name}
        column = columns.get('cif', columns.get('structure'))
        if column is None:
            raise ValueError('the CSV has neither a column `cif` nor a column `structure`')
        others = {name: own for name, own in columns.items() if own != column}
        items: Items = []
        for row in reader:
            beside = {name: row[own] for name, own in others.items() if row[own]}
            items.append((identity(beside), 'cell', row[column], beside))
    except csv.Error as error:
        raise ValueError(f'the CSV is damaged: {error}') from error
    finally:
        csv.field_size_limit(previous)
    if not items:
        raise ValueError('the CSV has no rows')
    return items, recognise(set(columns), filename, items[0][3])


def recognise(columns: set[str], filename: str, first: Facts) -> Facts:
    """Return the facts of a public table by its columns, its file name and its first row; none where it is not known.

    A level of theory is never more than what the table itself tells.
    """
    for table in TABLES:
        if not table['columns'] <= columns or (table.get('only') and not columns <= table['columns'] | {'unnamed: 0'}):
            continue
        begins = all(str(first.get(name, '')).startswith(words) for name, words in table.get('starts', {}).items())
        if begins and table.get('named', '') in filename.lower():
            return {**table['about'], 'partial': True}
    return {}


def json_items(text: str) -> tuple[Items, Facts]:
    """Split JSON: a Structure or entry as pymatgen writes it, a list or dictionary of these, or a file of a fetcher.

    :raises ValueError: with a sentence, where the text holds no structures.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'the file is no JSON: {error}') from error
    about: Facts = {}
    if isinstance(value, dict) and isinstance(value.get('entries'), list):
        about = _file_facts(value.get('about'))
        value = value['entries']
        if not value and about:
            raise ValueError('the file holds no entries')
    if isinstance(value, dict) and not _holds_crystal(value):
        pairs = [(str(key), item) for key, item in value.items()]
    else:
        pairs = [('', item) for item in (value if isinstance(value, list) else [value])]
    if not any(isinstance(item, dict) for _, item in pairs):
        raise ValueError('the JSON holds no structures as pymatgen writes them')
    return [_json_item(key, item) for key, item in pairs], about


def _json_item(key: str, item: t.Any) -> Item:
    if not _holds_crystal(item):
        return key, 'dict', item, {}
    own: Facts = item if 'sites' not in item else item.get('properties') or {}
    beside = {name: value for name, value in own.items() if name not in {'structure', 'sites', 'lattice', 'cif'}}
    if 'structure' in item and 'energy' in beside:
        beside[TOTAL] = beside.pop('energy')
    beside.update({name: item[name] for name in IDS if item.get(name)})
    label = identity(beside) or key
    if 'cif' in item and not item.keys() & {'sites', 'structure'}:
        return label, 'cell', item.get('cif'), beside
    return label, 'dict', item, beside


def _holds_crystal(value: t.Any) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {'sites', 'structure', 'cif'})


def _file_facts(about: t.Any) -> Facts:
    """Return what a file of a fetcher says of itself, nothing for other files."""
    if not isinstance(about, dict) or about.get('format') != FORMAT:
        return {}
    version = about.get('format_version')
    if version != FORMAT_VERSION:
        raise ValueError(f'the file has version {version} of its format, and version {FORMAT_VERSION} can be read')
    return {name: about[name] for name in FACTS if about.get(name) is not None}


def identity(beside: Facts) -> str:
    """Return the id of an entry in its database, empty where it has none."""
    return next((str(beside[name]) for name in IDS if beside.get(name)), '')


def energies(beside: Facts, n_atoms: float) -> dict[str, float | None]:
    """Return the quantities [eV/atom] of an entry of so many atoms; None where one is not there or not finite."""
    found = {name: _first_number(beside, keys) for name, keys in QUANTITIES.items()}
    total = number(beside.get(TOTAL))
    if total is not None and n_atoms:
        found['energy'] = total / n_atoms
    return found


def quantities(beside: Facts) -> set[str]:
    """Return which quantities an entry has."""
    return {name for name, value in energies(beside, 1.0).items() if value is not None}


def parameters(beside: Facts) -> dict[str, str | None]:
    """Return `run_type` and `hubbards` (as canonical JSON) of the calculation of an entry."""
    told = beside.get('parameters')
    told = told if isinstance(told, dict) else {}
    hubbards = told.get('hubbards')
    text = json.dumps(hubbards, sort_keys=True, separators=(',', ':')) if isinstance(hubbards, dict) else None
    return {'run_type': str(told['run_type']) if told.get('run_type') else None, 'hubbards': text}


def _first_number(beside: Facts, names: t.Sequence[str]) -> float | None:
    """Return the first of some quantities that is a number, beside the crystal or in its `data`."""
    data = beside.get('data')
    for place in (beside, data if isinstance(data, dict) else {}):
        for name in names:
            value = number(place.get(name))
            if value is not None:
                return value
    return None


def number(value: t.Any) -> float | None:
    """Return a finite number, None for anything else."""
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
