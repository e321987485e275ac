"""Read what generators write as text that looks like something else: CIFs of CrystaLLM, CSVs of SymmCD and Crystal-GFN.

The functions are of the same form as in `outputs`, but for CrystaLLM, whose CIFs are parsed one by one.
"""

from __future__ import annotations

import collections
import csv
import io
import re
import typing as t

from crystal_arrays import Items, refused, without_repeats  # type: ignore[import-not-found]
from crystal_text import SYMBOLS, UnusableError, parse

# What only CrystaLLM puts into a CIF: properties of the elements, before the space group.
CRYSTALLM = '_atom_type_electronegativity'
KIND = 'crystallm'
# Its CIFs list the sites of the asymmetric unit, a space group, and no operation but this one.
IDENTITY = re.compile(
    r"loop_\s+_symmetry_equiv_pos_site_id\s+_symmetry_equiv_pos_as_xyz\s+1\s+'x, y, z'\s*?\n", re.MULTILINE
)
GROUP = re.compile(r"_symmetry_space_group_name_H-M\s+(?:'([^']+)'|(\S+))")
FORMULA = re.compile(r"_chemical_formula_sum\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))")
GFN_COLUMNS = ('readable', 'energies')


def kind_of_cif(text: str) -> str:
    """Return the kind of an entry that holds a CIF."""
    return KIND if CRYSTALLM in text else 'cif'


def crystallm(text: str, partial: bool = False) -> dict[str, t.Any]:
    """Return the crystal of a CIF as CrystaLLM's model writes it, before its own `postprocess.py`.

    The operations of the space group are put in, or the sites would be taken for the whole cell. A text that was cut
    short lists fewer atoms than its formula says and is refused.

    :raises UnusableError: with a word and a sentence, where it is no whole crystal.
    """
    from pymatgen.symmetry.groups import SpaceGroup

    group, formula = GROUP.search(text), FORMULA.search(text)
    if group is None or formula is None or not IDENTITY.search(text):
        raise UnusableError('unreadable', 'the CIF of CrystaLLM is cut short: it has no space group, formula or sites')
    try:
        operations = [operation.as_xyz_str() for operation in SpaceGroup(group.group(1) or group.group(2)).symmetry_ops]
    except (KeyError, ValueError):
        raise UnusableError('unreadable', f'`{group.group(1) or group.group(2)}` is no space group') from None
    listed = ''.join(f"{number} '{operation}'\n" for number, operation in enumerate(sorted(operations), start=1))
    loop = f'loop_\n_symmetry_equiv_pos_site_id\n_symmetry_equiv_pos_as_xyz\n{listed}'
    crystal = parse('cif', IDENTITY.sub(lambda _: loop, text, count=1), partial)
    found = collections.Counter(SYMBOLS[number - 1] for number in crystal['numbers'])
    words = next(filter(None, formula.groups()))
    announced = {symbol: int(count or 1) for symbol, count in re.findall(r'([A-Z][a-z]?)(\d*)', words)}
    if announced != dict(found):
        has = ' '.join(f'{symbol}{found[symbol]}' for symbol in sorted(found))
        raise UnusableError('formula_mismatch', f'the CIF announces {words} and its sites are {has}')
    return dict(crystal)


def is_symmcd(head: str) -> bool:
    """Tell whether a CSV begins as the one of SymmCD: CIFs in quotes, without a name for the column."""
    return re.match(r'"?(#[^\n]*\n)?data_', head) is not None


def crystals_of_symmcd(text: str) -> Items:
    """Read `crystal_<label>.csv` of SymmCD: one CIF a row, with spaces between cells and no header.

    SymmCD appends to a file that is there, and writes only the last crystal of each run.
    """
    previous = csv.field_size_limit(len(text) + 1)
    try:
        found = [row[0] for row in csv.reader(io.StringIO(text, newline=''), delimiter=' ') if row]
    except csv.Error as error:
        raise UnusableError('unreadable', f'the CSV is damaged: {error}') from error
    finally:
        csv.field_size_limit(previous)
    return without_repeats([('', 'cell', cif, {}) for cif in found], found)


def is_crystal_gfn(columns: t.Sequence[str]) -> bool:
    """Tell whether a CSV with these columns is what Crystal-GFN samples."""
    return set(GFN_COLUMNS) <= set(columns)


def crystals_of_crystal_gfn(text: str) -> Items:
    """Refuse each row of the samples of Crystal-GFN, which have a space group, a composition and a cell."""
    words = 'Crystal-GFN samples no coordinates; give its space group and composition to a generator that places atoms'
    rows = csv.DictReader(io.StringIO(text, newline=''))
    return [refused('', 'no_coordinates', words, {'readable': row.get('readable')}) for row in rows]
