"""Make `table.npz`: Wyckoff positions, normalizers and Hall numbers of the 230 space groups, from PyXtal and spglib.

    python -m aiida_crystalgen.models.wyckoff.make_table

Settings are those of the International Tables that PyXtal follows: unique axis b and cell choice 1, hexagonal axes,
origin choice 2. Translations are whole numbers of 24ths. The file holds, for all Wyckoff positions in a row:

- `first` (231): where the positions of each space group begin; they run from `a` to the general one.
- `rotations` (n, 3, 3) and `translations` (n, 3): the operators of all positions; `start` says where each begins.
- `hall` (230): the Hall number of the setting.
- `normalizer_first` (231), `normalizer_rotations`, `normalizer_translations`: for each space group the proper
  operations that map it onto itself, one for each coset of the group; shifts along polar axes are left out.
"""

from __future__ import annotations

import itertools
import typing as t
import warnings
from pathlib import Path

import numpy as np

GRID = 24
# Shifts of origin that occur in normalizers: eighths and sixths.
SHIFTS = (0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21)

Operations = t.Tuple[np.ndarray, np.ndarray]


def positions(number: int) -> list[Operations]:
    """Return rotations (m, 3, 3) and translations (m, 3) [1/24] of the Wyckoff positions of a space group, a first."""
    from pyxtal.symmetry import Group

    found = []
    for position in reversed(list(Group(number))):
        matrices = np.array([operation.affine_matrix for operation in position.ops])
        shifts = matrices[:, :3, 3] * GRID
        assert np.allclose(shifts, shifts.round(), atol=1e-3), 'a translation is no multiple of 1/24'
        found.append((matrices[:, :3, :3].round().astype(int), shifts.round().astype(int) % GRID))
    return found


def hall_number(number: int, general: Operations) -> int:
    """Return the Hall number under which spglib has exactly these operations."""
    import spglib

    wanted = as_set(*general)
    for hall in range(1, 531):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if spglib.get_spacegroup_type(hall).number != number:
                continue
        found = spglib.get_symmetry_from_database(hall)
        if as_set(found['rotations'], (found['translations'] * GRID).round().astype(int)) == wanted:
            return hall
    raise AssertionError(f'spglib has no setting with the operations of PyXtal for space group {number}')


def as_set(rotations: np.ndarray, translations: np.ndarray) -> set[bytes]:
    """Return operations in a form that can be compared."""
    rows = np.concatenate([rotations.reshape(-1, 9), translations % GRID], axis=1).astype(np.int64)
    return {row.tobytes() for row in rows}


def rotation_candidates(number: int) -> list[np.ndarray]:
    """Return the proper changes of axes that keep the form of the conventional cell of a crystal system."""
    signed = [
        np.array(signs)[:, None] * np.eye(3, dtype=int)[list(order)]
        for order in itertools.permutations(range(3))
        for signs in itertools.product((1, -1), repeat=3)
    ]
    signed = [matrix for matrix in signed if round(np.linalg.det(matrix)) == 1]
    if number <= 2:
        return [np.eye(3, dtype=int)]
    if number <= 15:
        return [np.eye(3, dtype=int), np.diag([-1, 1, -1])]
    if 75 <= number <= 142:
        return [matrix for matrix in signed if abs(matrix[2, 2]) == 1]
    if 143 <= number <= 194:
        turn, flip = np.array([[1, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])
        turns = [np.linalg.matrix_power(turn, power) for power in range(6)]
        return [*turns, *(matrix @ flip for matrix in turns)]
    return signed


def normalizer(number: int, general: Operations) -> Operations:
    """Return representatives of the proper normalizer modulo the space group and its polar shifts."""
    rotations, translations = general
    free = [(rotations[:, :, axis] == np.eye(3, dtype=int)[axis]).all() for axis in range(3)]
    grids = [(0,) if polar else SHIFTS for polar in free]
    shifts = np.array(list(itertools.product(*grids)))
    group = as_set(rotations, translations)
    seen: set[bytes] = set()
    kept = []
    for turn in rotation_candidates(number):
        inverse = np.linalg.inv(turn).round().astype(int)
        turned = turn @ rotations @ inverse
        # The shifted and turned operation x -> turned (x - s) + turn t + s.
        moved = translations @ turn.T + shifts[:, None] - np.einsum('nij,sj->sni', turned, shifts)
        for shift, translation in zip(shifts, moved):
            if not as_set(turned, translation) <= group:
                continue
            coset = rotations @ turn, (np.einsum('nij,j->ni', rotations, shift) + translations) * ~np.array(free)
            if not as_set(*coset) & seen:
                seen |= as_set(*coset)
                kept.append((turn, shift))
    return np.array([turn for turn, _ in kept]), np.array([shift for _, shift in kept])


def main() -> None:
    """Write the table."""
    first, starts, halls, rotations, translations = [0], [0], [], [], []
    normalizer_first, turns, shifts = [0], [], []
    for number in range(1, 231):
        found = positions(number)
        first.append(first[-1] + len(found))
        for rotation, translation in found:
            starts.append(starts[-1] + len(rotation))
            rotations.append(rotation)
            translations.append(translation)
        halls.append(hall_number(number, found[-1]))
        turn, shift = normalizer(number, found[-1])
        normalizer_first.append(normalizer_first[-1] + len(turn))
        turns.append(turn)
        shifts.append(shift)
    np.savez_compressed(
        Path(__file__).with_name('table.npz'),
        first=np.array(first, np.int16),
        start=np.array(starts, np.int32),
        rotations=np.concatenate(rotations).astype(np.int8),
        translations=np.concatenate(translations).astype(np.int8),
        hall=np.array(halls, np.int16),
        normalizer_first=np.array(normalizer_first, np.int16),
        normalizer_rotations=np.concatenate(turns).astype(np.int8),
        normalizer_translations=np.concatenate(shifts).astype(np.int8),
    )


if __name__ == '__main__':
    main()
