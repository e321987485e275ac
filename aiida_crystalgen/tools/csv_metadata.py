"""What the columns of a CSV file mean, in a file beside it: CSV on the Web (W3C Recommendation, 2015)."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence

from aiida_crystalgen.data.crystals import Crystals

SUFFIX: t.Final = '-metadata.json'  # where readers of CSVW look for it: <file>.csv-metadata.json
_TYPES: t.Final = {'float': 'double', 'int': 'integer', 'bool': 'boolean', 'text': 'string'}
_READ_OFF: t.Final = {
    'formula': ('string', 'Reduced formula.'),
    'n_sites': ('integer', 'Number of atoms in the cell.'),
}


def describe_csv(crystals: Crystals, names: Sequence[str], filename: str) -> str:
    """Return type, unit, level of theory and meaning of every column of a CSV file, as JSON."""
    content = {
        '@context': ['http://www.w3.org/ns/csvw', {'@language': 'en'}],
        'url': filename,
        'dialect': {'header': True, 'delimiter': ',', 'encoding': 'utf-8'},
        'tableSchema': {'primaryKey': 'id', 'columns': [_column(crystals, name) for name in names]},
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + '\n'


def _column(crystals: Crystals, name: str) -> dict[str, t.Any]:
    if name not in crystals.columns:
        datatype, text = _READ_OFF[name]
        return {'name': name, 'titles': name, 'datatype': datatype, 'dc:description': text}
    meta = crystals.columns[name].meta()
    found: dict[str, t.Any] = {'name': name, 'titles': name, 'datatype': _TYPES[meta['dtype']]}
    if meta['help']:
        found['dc:description'] = meta['help']
    if meta['unit']:
        found['schema:unitText'] = meta['unit']
    if meta['level']:
        found['schema:measurementMethod'] = meta['level']
    return found if name == 'id' else {**found, 'null': ''}
