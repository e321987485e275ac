"""What the page says of the crystals that an engine computed."""

from __future__ import annotations

import typing as t

from aiida import orm

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.table import column_values

# Oxides whose ground state is often antiferromagnetic, while the engine starts from a ferromagnet.
_MAGNETIC: t.Final = {'Mn', 'Fe', 'Co', 'Ni'}
UPPER_BOUND: t.Final = 'upper bound: only a ferromagnetic start was tried'
_COLUMNS: t.Final = ('e_hull', 'dft_status', 'dft_reason', 'dft_e_hull', 'dft_e_hull_reason', 'dft_formation_energy')
# Properties by the engine: heading, unit, and the column with what the generator was asked for.
_PROPERTIES: t.Final = {
    'dft_band_gap': ('band gap', 'eV, upper bound', 'band_gap_requested'),
    'dft_magnetic_density': ('magnetisation', '1/Å³', 'magnetic_density_requested'),
    'dft_pressure': ('pressure left', 'GPa', ''),
    'dft_phonon_lowest_frequency': ('lowest phonon', 'THz', ''),
    'dft_phonon_verdict': ('phonons', '', ''),
}
_QUANTITIES: t.Final = {
    'e_hull': ('Energy above the hull', 'eV/atom', 1.0),
    'formation_energy': ('Formation energy', 'eV/atom', 1.0),
    'volume': ('Volume', '%', 100.0),
}
_LEVEL: t.Final = ('engine', 'functional', 'code', 'code_version', 'spin', 'protocol', 'fingerprint')
_NUMBERS: t.Final = {
    'cutoff_wfc_Ry': 'cut-off {:g} Ry', 'cutoff_eV': 'cut-off {:g} eV', 'k_distance': 'k points every {:g} 1/Å',
}  # fmt: skip


def verification(node: orm.WorkChainNode, table: Crystals) -> dict[str, t.Any] | None:
    """Return what the section shows; None where no engine was asked for."""
    if 'calibration' not in node.outputs:
        return None
    found = node.outputs.calibration.get_dict()
    level = node.outputs.dft_level.get_dict()
    hull = node.outputs.dft_hull if 'dft_hull' in node.outputs else None
    return {
        **{name: found[name] for name in ('tried', 'finished', 'compared', 'margin')},
        'level': _level(level),
        'level_potential': found['level_potential'],
        'n_phases': None if hull is None else len(hull.crystals),
        'rows': rows_of(table),
        **_properties(table),
        'confusion': [{'limit': float(limit), **cells} for limit, cells in found['confusion'].items()],
        'errors': [_error(name, found['errors'][name]) for name in _QUANTITIES],
        'sun': [{'limit': float(limit), **entry} for limit, entry in found['sun'].items()],
    }


def _level(level: dict[str, t.Any]) -> str:
    """Return a level of theory in a line."""
    words = [str(level[name]) for name in _LEVEL[:-1] if level.get(name)]
    words += [form.format(level[name]) for name, form in _NUMBERS.items() if level.get(name) is not None]
    return f'{", ".join(words)}; fingerprint {level["fingerprint"]}'


def rows_of(table: Crystals) -> list[dict[str, t.Any]]:
    """Return the crystals that were sent, with both distances."""
    if 'dft_status' not in table.columns:
        return []
    columns = {name: table.values(name) for name in _COLUMNS if name in table.columns}
    formulas = column_values(table, 'formula')
    rows = []
    for place, crystal_id in enumerate(table.ids):
        values = {name: columns[name][place] if name in columns else None for name in _COLUMNS}
        if values['dft_status'] is None:
            continue
        start, end = table.offsets[place], table.offsets[place + 1]
        symbols = {SYMBOLS[number - 1] for number in table.numbers[start:end].tolist()}
        notes = [values['dft_reason'] or values['dft_e_hull_reason']]
        if is_upper_bound(symbols) and values['dft_e_hull'] is not None:
            notes.append(UPPER_BOUND)
        note = '; '.join(filter(None, notes))
        rows.append({'id': crystal_id, 'formula': formulas[place], 'note': note, **values})
    return rows


def _properties(table: Crystals) -> dict[str, t.Any]:
    """Return headings and rows of what the engine says of properties, each beside what was asked for."""
    known = {name: table.values(name) for name in _PROPERTIES if name in table.columns}
    known = {name: values for name, values in known.items() if any(value is not None for value in values)}
    columns: list[tuple[str, str, list[t.Any]]] = []
    for name, values in known.items():
        heading, unit, asked = _PROPERTIES[name]
        columns.append((heading, unit, values))
        if asked in table.columns:
            columns.append(('asked for', unit.partition(',')[0], table.values(asked)))
    formulas = column_values(table, 'formula')
    rows = [
        {'formula': formulas[place], 'cells': [values[place] for _, _, values in columns]}
        for place in range(len(table))
        if any(values[place] is not None for values in known.values())
    ]
    return {'headings': [(heading, unit) for heading, unit, _ in columns], 'properties': rows}


def is_upper_bound(symbols: set[str]) -> bool:
    """Say whether crystals of these elements often order as antiferromagnets, which the engine does not try."""
    return 'O' in symbols and bool(symbols & _MAGNETIC)


def _error(name: str, measured: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the errors of a quantity, scaled as it is shown."""
    heading, unit, factor = _QUANTITIES[name]
    parts: dict[str, t.Any] = {'heading': heading, 'unit': unit, 'n': measured['n']}
    for measure in ('mean', 'mae', 'rmse'):
        parts[measure] = {key: None if value is None else factor * value for key, value in measured[measure].items()}
    return parts
