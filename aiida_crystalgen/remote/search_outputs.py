"""Read what structure searches write: AIRSS (`.res`), USPEX (`gatheredPOSCARS`) and CALYPSO (`pso_opt_*`).

The functions are of the same form as in `outputs`. What stands beside a crystal: `enthalpy_per_atom` [eV/atom],
`pressure` [GPa], and the `space_group` that the search found, where the file tells them.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import numpy as np
from crystal_arrays import Item, Items, cells, item, refused  # type: ignore[import-not-found]
from crystal_text import ATOMIC_NUMBERS, UnusableError

USPEX_START = re.compile(r'\s*(EA\s?\d+|Structure_\d+)\b')
# What CALYPSO writes for a structure that could not be relaxed.
CALYPSO_FAILED = 610612509
# SHELX adds 10 to what is not to be refined.
FULL_OCCUPANCIES = (1.0, 11.0)
# Bytes.
MOST_OF_AN_INPUT = 1024**2
FAULTS = (ArithmeticError, LookupError, TypeError, ValueError)


def crystals_of_airss(text: str) -> Items:
    """Read the `.res` of AIRSS: SHELX in P 1, with the results of the search in its title; several may follow.

    :raises UnusableError: where it is something else.
    """
    blocks: list[list[list[str]]] = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0].upper() == 'TITL':
            blocks.append([])
        if words and blocks:
            blocks[-1].append(words)
    if not blocks:
        raise UnusableError('unreadable', 'the file has no line `TITL`, which AIRSS writes')
    return [_safely(_airss_crystal, block, ' '.join(block[0][1:2])) for block in blocks]


def _safely(read: t.Callable[[t.Any], Item], block: t.Any, label: str) -> Item:
    """Read a crystal, or say why there is none."""
    try:
        return read(block)
    except UnusableError as error:
        return refused(label, error.reason, str(error), {})
    except FAULTS as error:
        return refused(label, 'unreadable', f'the entry is damaged: {error}', {})


def _airss_crystal(block: list[list[str]]) -> Item:
    lines = {words[0].upper(): words[1:] for words in block if words[0].upper() in {'CELL', 'LATT', 'SFAC', 'SYMM'}}
    if 'SYMM' in lines or lines.get('LATT') != ['-1']:
        raise UnusableError('unreadable', 'the file has symmetry (`LATT`, `SYMM`); only the P 1 of AIRSS is read')
    names = [words[0].upper() for words in block]
    if 'END' not in names:
        raise UnusableError('unreadable', 'the entry is cut short: it has no line `END`')
    symbols = lines['SFAC']
    atoms = [words for words in block[names.index('SFAC') + 1 : names.index('END')] if words[0].upper() != 'UNIT']
    if any(float(words[5]) not in FULL_OCCUPANCIES for words in atoms if len(words) > 5):
        raise UnusableError('partial_occupancy', 'a site is partly occupied; only ordered crystals can be used')
    numbers = [_number(symbols[int(words[1]) - 1]) for words in atoms]
    cell = cells([float(value) for value in lines['CELL'][1:4]], [float(value) for value in lines['CELL'][4:7]])[0]
    beside = _airss_results(block[0][1:], len(atoms))
    fractional = np.array([[float(value) for value in words[2:5]] for words in atoms]).reshape(-1, 3)
    return item(' '.join(block[0][1:2]), np.array(numbers), fractional @ cell, cell, beside)


def _airss_results(words: list[str], n_atoms: int) -> dict[str, t.Any]:
    """Return what the title tells: name, pressure, volume, enthalpy of the cell, two spins, atoms, space group."""
    if len(words) < 7 or not all(_is_number(word) for word in words[1:6]):
        return {}
    if words[6].isdigit() and int(words[6]) != n_atoms:
        raise UnusableError('unreadable', f'the entry is not whole: {words[6]} atoms are announced, {n_atoms} listed')
    beside: dict[str, t.Any] = {'enthalpy_per_atom': float(words[3]) / n_atoms, 'pressure': float(words[1])}
    symbol = re.search(r'\(([^)]*)\)', ' '.join(words[6:]))
    return {**beside, 'space_group': symbol.group(1)} if symbol else beside


def _number(symbol: str) -> int:
    number = ATOMIC_NUMBERS.get(symbol)
    if number is None:
        raise UnusableError('unknown_element', f'`{symbol}` is no chemical element')
    return int(number)


def crystals_of_uspex(text: str) -> Items:
    """Read `gatheredPOSCARS` of USPEX: POSCARs one after the other, each with its id (`EA12`) and space group.

    :raises UnusableError: where it is something else.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if USPEX_START.match(line)]
    if not starts:
        raise UnusableError('unreadable', 'the file has no line that begins with `EA` and a number, as USPEX writes')
    blocks = [lines[start:stop] for start, stop in zip(starts, [*starts[1:], len(lines)])]
    return [_safely(_uspex_crystal, block, ''.join(block[0].split()[:1])) for block in blocks]


def _uspex_crystal(block: list[str]) -> Item:
    anchor = next((number for number, line in enumerate(block) if _anchors(line)), 0)
    if not anchor:
        raise UnusableError('unreadable', 'the entry is cut short: it has no coordinates')
    numbers, positions, cell, _ = _poscar(block, anchor, ())
    group = re.search(r'Sym\.group:\s*(\d+)', block[0])
    beside = {'space_group': int(group.group(1))} if group else {}
    return item(''.join(block[0].split()[:1]), numbers, positions, cell, beside)


def elements_of_calypso(text: str) -> list[str]:
    """Return the elements of a search in the order of its files, from its `input.dat`; empty where there are none."""
    found = re.search(r'(?im)^\s*NameOfAtoms\s*=([^#\n]*)', text)
    return found.group(1).split() if found else []


def elements_beside(path: Path) -> list[str]:
    """Return the elements of the CALYPSO search that a file in its folder `results` belongs to."""
    for place in (path.parent / 'CALYPSO_input.dat', path.parent.parent / 'input.dat', path.parent / 'input.dat'):
        if place.is_file() and place.stat().st_size < MOST_OF_AN_INPUT:
            return elements_of_calypso(place.read_text(encoding='utf-8', errors='replace'))
    return []


def crystals_of_calypso(text: str, elements: t.Sequence[str] = ()) -> Items:
    """Read `pso_opt_*` or `pso_ini_*` of CALYPSO, or CONTCARs one after the other.

    :param elements: of the search (see `elements_of_calypso`); CALYPSO's own files do not name them.
    :raises UnusableError: where it is something else.
    """
    lines = text.splitlines()
    anchors = [number for number, line in enumerate(lines) if _anchors(line)]
    if not anchors:
        raise UnusableError('unreadable', 'the file has no line `Direct` that begins coordinates')
    found = []
    for number, anchor in enumerate(anchors):
        stop = anchors[number + 1] if number + 1 < len(anchors) else len(lines)
        found.append(_safely(lambda place: _calypso_crystal(lines[:stop], place, elements), anchor, ''))  # noqa: B023
    return found


def _calypso_crystal(lines: list[str], anchor: int, elements: t.Sequence[str]) -> Item:
    numbers, positions, cell, first = _poscar(lines, anchor, elements)
    # The enthalpy [eV/atom] stands alone above the title of an optimised structure.
    above = lines[first - 1].split() if first else []
    beside = {'enthalpy_per_atom': float(above[0])} if len(above) == 1 and _is_number(above[0]) else {}
    if beside and abs(beside['enthalpy_per_atom'] - CALYPSO_FAILED) < 1:
        return refused('', 'failed_relaxation', 'CALYPSO could not relax the structure', {})
    return item('', numbers, positions, cell, beside)


def _is_number(word: str) -> bool:
    return re.fullmatch(r'[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?', word) is not None


def _anchors(line: str) -> bool:
    """Tell whether a line begins the coordinates of a POSCAR."""
    words = line.split()
    return len(words) == 1 and words[0].lower() in {'direct', 'cartesian'}


def _poscar(lines: list[str], anchor: int, elements: t.Sequence[str]) -> tuple[t.Any, t.Any, t.Any, int]:
    """Read the POSCAR around its line `Direct`: atomic numbers, positions [A], cell [A], and where its title stands."""
    below = anchor - 1
    if lines[below].split()[0].lower().startswith('s'):
        below -= 1  # Selective dynamics
    counts = [int(word) for word in lines[below].split()]
    symbols = lines[below - 1].split()
    named = not _is_number(symbols[0])
    title = below - (6 if named else 5)
    if title < 0:
        raise ValueError('its head is cut short')
    if not named:
        symbols = list(elements)
    if not symbols:
        raise UnusableError(
            'unknown_element', 'the file names no elements; for CALYPSO, the `input.dat` of the search does'
        )
    if len(symbols) != len(counts):
        raise UnusableError('unreadable', f'the entry has {len(counts)} kinds of atoms and {len(symbols)} elements')
    factor = float(lines[title + 1].split()[0])
    vectors = [[float(word) for word in line.split()[:3]] for line in lines[title + 2 : title + 5]]
    cell = np.array(vectors).reshape(3, 3)
    if factor < 0:
        # It is the volume.
        factor = (-factor / abs(float(np.linalg.det(cell)))) ** (1 / 3)
    numbers = np.repeat([_number(symbol) for symbol in symbols], counts)
    rows = [line.split()[:3] for line in lines[anchor + 1 : anchor + 1 + len(numbers)]]
    if len(rows) < len(numbers) or any(len(row) < 3 for row in rows):
        raise UnusableError('unreadable', f'the entry is cut short: it has not {len(numbers)} coordinates')
    places = np.array([[float(word) for word in row] for row in rows]).reshape(-1, 3)
    if lines[anchor].split()[0].lower() == 'direct':
        places = places @ cell
    return numbers, places * factor, cell * factor, title
