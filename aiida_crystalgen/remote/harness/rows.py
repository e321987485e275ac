"""What parent and workers share: the job, ids and seeds, and rows as lines of strict JSON."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import typing as t

Row = t.Dict[str, t.Any]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
MOST_LETTERS = 500


def read_job() -> Row:
    """Return the content of `job.json`."""
    with open('job.json', encoding='utf-8') as handle:
        return dict(json.load(handle))


def write_json(filename: str, content: Row) -> None:
    """Write a JSON file that is there whole or not at all."""
    with open(filename + '.part', 'w', encoding='utf-8') as handle:
        json.dump(content, handle, allow_nan=False, sort_keys=True)
    os.replace(filename + '.part', filename)


def locate(crystal_id: str) -> tuple[str, int]:
    """Split `<draw>-<index>`; any other id is a draw of its own."""
    draw, _, index = crystal_id.rpartition('-')
    return (draw, int(index)) if draw and index.isascii() and index.isdigit() else (crystal_id, 0)


def seed_of(draw: str, first: int) -> int:
    """Return the seed (32 bits) of the draw unit whose first index is given."""
    return int.from_bytes(hashlib.sha256(f'{draw}-{first}'.encode()).digest()[:4], 'big')


def sentence(error: BaseException) -> str:
    """Return an exception as one line."""
    return ' '.join(f'{type(error).__name__}: {error}'.split())[:MOST_LETTERS]


def plain(value: t.Any) -> t.Any:
    """Return a value as strict JSON can hold it; None when anything in it is not finite."""
    if isinstance(value, str):
        return value.encode('utf-8', 'replace').decode()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=lambda array: array.tolist()))
    except ValueError:
        return None


def plain_structure(structure: Row) -> Row | None:
    """Return a geometry as plain lists, None when it is not finite.

    :raises ValueError: when it is no geometry.
    """
    import numpy as np

    numbers, positions, cell = (np.asarray(structure[name], float) for name in ('numbers', 'positions', 'cell'))
    pbc = [bool(periodic) for periodic in structure['pbc']]
    if not all(np.isfinite(array).all() for array in (numbers, positions, cell)):
        return None
    if positions.reshape(-1, 3).shape != (len(numbers), 3) or cell.shape != (3, 3) or len(pbc) != 3:
        raise ValueError(f'the shapes {positions.shape} and {cell.shape} are no crystal of {len(numbers)} sites')
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= 118:
        raise ValueError('there is an atomic number outside 1 to 118')
    return {'numbers': numbers.astype(int).tolist(), 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': pbc}


def rejection(reason: str, detail: str, value: t.Any = None, threshold: t.Any = None) -> Row:
    """Return why a row ends here."""
    return {'reason': reason, 'detail': plain(detail), 'value': plain(value), 'threshold': plain(threshold)}


def write_row(result: Row, seconds: float) -> tuple[str, Row]:
    """Return what an adapter yielded as a line of strict JSON and what it adds to the totals.

    What cannot be written is an `adapter_error`.
    """
    row: Row = {'id': result['id'], 'columns': {}}
    try:
        rejected, structure = result.get('rejected'), result.get('structure')
        if structure is not None:
            row['structure'] = plain_structure(structure)
            if row['structure'] is None:
                del row['structure']
                rejected = rejected or {'reason': 'non_finite', 'detail': 'The geometry holds a NaN or an infinity.'}
        row['columns'] = {name: plain(value) for name, value in (result.get('columns') or {}).items()}
        if rejected:
            row['rejected'] = rejection(**{'detail': '', **rejected})
        row['seconds'] = round(seconds, 6)
        line = json.dumps(row, allow_nan=False)
        evaluations = int(row['columns'].get('n_evaluations') or 0)
    except Exception as error:
        return write_row({'id': row['id'], 'rejected': rejection('adapter_error', sentence(error))}, seconds)
    return line, {'rejected': int('rejected' in row), 'evaluations': evaluations, 'seconds': seconds}


def add(*totals: Row) -> Row:
    """Return the sums of what several rows add to the totals."""
    return {name: sum(total[name] for total in totals) for name in totals[0]}
