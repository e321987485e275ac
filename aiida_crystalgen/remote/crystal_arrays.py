"""Crystals as arrays: what the readers of generators' outputs return, so that nothing is made text and parsed again.

An item is `(label, 'arrays', content, beside)`; its content holds `numbers`, `positions` [A] and `cell` [A], or the
`reason` and `detail` why there is no crystal: a faulty crystal is a row with a reason and never a loss.
"""

from __future__ import annotations

import typing as t

import numpy as np
from crystal_text import SYMBOLS, UnusableError

KIND = 'arrays'
# A cell below this volume [A^3] has none.
NO_VOLUME = 1e-6

# Label, kind of content, content, and what stands beside the crystal.
Item = t.Tuple[str, str, t.Any, t.Mapping[str, t.Any]]
Items = t.List[Item]


def item(label: str, numbers: t.Any, positions: t.Any, cell: t.Any, beside: t.Mapping[str, t.Any]) -> Item:
    """Return the item of a crystal: atomic numbers, Cartesian positions [A] and lattice vectors as rows [A]."""
    return label, KIND, {'numbers': numbers, 'positions': positions, 'cell': cell}, beside


def refused(label: str, reason: str, detail: str, beside: t.Mapping[str, t.Any]) -> Item:
    """Return the item of what is no crystal, with a word and a sentence."""
    return label, KIND, {'reason': reason, 'detail': detail}, beside


def crystal(content: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return `numbers`, `positions` [A], `cell` [A] and `pbc` as lists.

    :raises UnusableError: with a word and a sentence, where there is no crystal.
    """
    if 'reason' in content:
        raise UnusableError(content['reason'], content['detail'])
    numbers, positions, cell = (np.asarray(content[name]) for name in ('numbers', 'positions', 'cell'))
    if len(numbers) == 0:
        raise UnusableError('unreadable', 'the crystal has no atoms')
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise UnusableError('non_finite', 'a coordinate or a cell vector is not a finite number')
    strange = numbers[(numbers < 1) | (numbers > len(SYMBOLS))]
    if len(strange):
        raise UnusableError('unknown_element', f'{int(strange[0])} is no atomic number of an element')
    if not abs(np.linalg.det(cell)) > NO_VOLUME:
        raise UnusableError('zero_volume', 'the lengths and angles of the cell span no volume')
    return {
        'numbers': numbers.tolist(), 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': [True] * 3,
    }  # fmt: skip


def cells(lengths: t.Any, angles: t.Any) -> t.Any:
    """Return lattice vectors (n, 3, 3) from lengths [A] and angles [degrees] of n cells: a along x, b in the xy plane.

    What spans no volume gives zeros, what is not finite stays so.
    """
    lengths, angles = (np.asarray(values, dtype=float).reshape(-1, 3) for values in (lengths, angles))
    (a, b, c), cosines = lengths.T, np.cos(np.radians(angles)).T
    sine = np.sin(np.radians(angles[:, 2]))
    with np.errstate(divide='ignore', invalid='ignore'):
        x, y = cosines[1], (cosines[0] - cosines[1] * cosines[2]) / sine
        height = np.sqrt(1 - x * x - y * y)
    zero = np.zeros(len(a))
    rows = [a, zero, zero, b * cosines[2], b * sine, zero, c * x, c * y, c * height]
    vectors = np.stack(rows, axis=1).reshape(-1, 3, 3)
    finite = np.isfinite(lengths).all(axis=1) & np.isfinite(angles).all(axis=1)
    flat = finite & ~(np.isfinite(vectors).all(axis=(1, 2)) & (lengths > 0).all(axis=1))
    vectors[flat] = 0
    return vectors


def without_repeats(items: Items, keys: t.Sequence[t.Hashable]) -> Items:
    """Refuse the items whose key was there before.

    Some tools append to an output that is already there, so that a second run with the same seed, or a second
    conversion, writes every row again. Coordinates and likelihoods never agree to the last digit by chance.
    """
    first: dict[t.Hashable, int] = {}
    found: Items = []
    for number, (one, key) in enumerate(zip(items, keys)):
        before = first.setdefault(key, number)
        detail = f'the row repeats row {before}: the tool appended to a file that was already there'
        found.append(one if before == number else refused(one[0], 'appended_again', detail, one[3]))
    return found
