"""Symmetry templates: a space group, its Wyckoff sites and the elements on them, and where they are read from."""

from __future__ import annotations

import functools
import gzip
import json
import re
import typing as t

import numpy as np

# Bases of the lattice (rows) in units of the conventional one, by the letter of the centring.
BASES: dict[str, list[list[float]]] = {
    'A': [[1, 0, 0], [0, 1 / 2, -1 / 2], [0, 1 / 2, 1 / 2]],
    'C': [[1 / 2, 1 / 2, 0], [-1 / 2, 1 / 2, 0], [0, 0, 1]],
    'F': [[0, 1 / 2, 1 / 2], [1 / 2, 0, 1 / 2], [1 / 2, 1 / 2, 0]],
    'I': [[-1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [1 / 2, 1 / 2, -1 / 2]],
    'R': [[2 / 3, 1 / 3, 1 / 3], [-1 / 3, 1 / 3, 1 / 3], [-1 / 3, -2 / 3, 1 / 3]],
}
# Atoms nearer than this (fractional) are images of one another.
SAME_PLACE = 1e-4
MOST_BYTES = 512 * 1024**2
SITE = re.compile(r'(?:([A-Z][a-z]?):)?(\d*)([a-zA-Z])')


class Template(t.NamedTuple):
    """What a crystal is to be made of; a fault says why none can be."""

    group: int
    letters: list[str]
    """Letter of each site, without its multiplicity."""
    elements: list[str]
    """Element of each site; empty where they are left open."""
    source: str
    """Id of the crystal that it comes from, else empty."""
    fault: str

    @property
    def label(self) -> str:
        """Return the sites as a text, such as Mg:4a O:4b."""
        sizes = [size for size, _ in _sites(self.group, ''.join(self.letters))] if not self.fault else []
        names = [f'{size}{letter}' for size, letter in zip(sizes, self.letters)] or self.letters
        return ' '.join(f'{element}:{name}' for element, name in zip(self.elements, names)) or ' '.join(names)

    @property
    def atoms(self) -> int:
        """Return the number of atoms in the conventional cell."""
        return sum(size for size, _ in _sites(self.group, ''.join(self.letters)))


def template(group: t.Any, labels: t.Sequence[str], elements: t.Sequence[str] = (), source: str = '') -> Template:
    """Return a checked template.

    :param labels: sites such as `Mg:4a`, `4a` or `a`; the multiplicity is that of the conventional cell.
    """
    found = [SITE.fullmatch(label) for label in labels]
    letters = [match.group(3) for match in found if match]
    own = [match.group(1) for match in found if match and match.group(1)]
    named = [str(element) for element in elements] or own
    made = Template(group if isinstance(group, int) else 0, letters, named, source, '')
    if isinstance(group, bool) or not isinstance(group, int) or not 1 <= group <= 230:
        return made._replace(fault=f'{group} is no space group')
    if not labels or not all(found):
        wrong = next((label for label, match in zip(labels, found) if not match), '')
        return made._replace(fault=f'`{wrong}` is no Wyckoff site, such as Mg:4a, 4a or a')
    if named and len(named) != len(letters):
        return made._replace(fault=f'there are {len(letters)} sites, and elements for {len(named)}')
    return made._replace(fault=_fault(made, [match.group(2) for match in found if match]))


def _fault(made: Template, sizes: t.Sequence[str]) -> str:
    """Return what is wrong with letters, multiplicities and elements, empty where nothing is."""
    from crystal_text import SYMBOLS  # type: ignore[import-not-found]

    strange = [element for element in made.elements if element not in SYMBOLS]
    if strange:
        return f'`{strange[0]}` is no chemical element'
    try:
        known = _sites(made.group, ''.join(made.letters))
    except LookupError as error:
        return str(error.args[0])
    for given, (size, fixed), letter in zip(sizes, known, made.letters):
        if given and int(given) != size:
            return f'the site {letter} of space group {made.group} has multiplicity {size}, not {given}'
        if fixed and made.letters.count(letter) > 1:
            return f'the site {letter} of space group {made.group} is one place and cannot be taken twice'
    return ''


@functools.lru_cache(maxsize=None)
def _group(number: int) -> t.Any:
    """Return a space group of PyXtal, in whose setting the letters are."""
    from pyxtal.symmetry import Group

    return Group(number)


@functools.lru_cache(maxsize=None)
def _sites(group: int, letters: str) -> list[tuple[int, bool]]:
    """Return multiplicity of each site, and whether it is fixed in all coordinates."""
    positions = {str(position.letter): position for position in _group(group)}
    for letter in letters:
        if letter not in positions:
            raise LookupError(f'space group {group} has no Wyckoff site {letter}')
    return [(len(positions[letter].ops), positions[letter].get_dof() == 0) for letter in letters]


def from_words(group: t.Any, text: str) -> Template:
    """Return the template of a space group and sites such as `Mg:4a O:4b`, `4a 4b` or `4a,4b`."""
    return template(group, text.replace(',', ' ').split())


def from_file(path: str) -> list[Template]:
    """Return the templates of a JSON file (also `.gz`): genes of WyFormer, or queries of DiffCSP++.

    :raises ValueError: where it holds neither.
    """
    import wyckoff_outputs  # type: ignore[import-not-found]

    opened: t.Any = gzip.open if path.endswith('.gz') else open
    with opened(path, 'rb') as handle:
        data = handle.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError('the file of templates is larger than 512 MB')
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'the file of templates is no JSON: {error}') from error
    if wyckoff_outputs.are_genes(content):
        return [_from_gene(gene) for _, _, gene, _ in wyckoff_outputs.genes_of_wyformer(data.decode())]
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content) or not content:
        raise ValueError('the file of templates holds neither genes of WyFormer nor queries of DiffCSP++')
    return [_from_query(query) for query in content]


def _from_gene(gene: t.Mapping[str, t.Any]) -> Template:
    """Return the template of a gene, or of what is said to be wrong with it."""
    if 'reason' in gene:
        return Template(0, [], [], '', str(gene['detail']))
    pairs = [(site, element) for sites, element in zip(gene['sites'], gene['species']) for site in sites]
    return template(gene['group'], [site for site, _ in pairs], [element for _, element in pairs])


def _from_query(query: t.Mapping[str, t.Any]) -> Template:
    letters = query.get('wyckoff_letters', [])
    return template(query.get('spacegroup_number'), [str(one) for one in letters], query.get('atom_types') or [])


def from_table(rows: t.Iterable[t.Mapping[str, t.Any]]) -> list[Template]:
    """Return the templates of crystals that another generator made, whose sites it tells in the column `wyckoff`.

    :raises ValueError: where the crystals have no such column.
    """
    found = []
    for row in rows:
        columns = row['columns']
        if 'wyckoff' not in columns or 'space_group_requested' not in columns:
            raise ValueError('the generator before this one tells no Wyckoff sites: take `wyckoff` or `wyformer`')
        labels = str(columns['wyckoff'] or '').split()
        found.append(template(columns['space_group_requested'], labels, source=str(row['id'])))
    return found


def primitive(crystal: t.Mapping[str, t.Any], group: int) -> dict[str, t.Any]:
    """Return the primitive cell of a crystal that is given by its conventional one in PyXtal's setting.

    Where atoms do not have the images that the centring asks for, the crystal stays as it is.
    """
    letter = str(_group(group).symbol)[0]
    if letter not in BASES:
        return dict(crystal)
    basis = np.array(BASES[letter])
    numbers, cell = np.array(crystal['numbers']), np.array(crystal['cell'])
    places = np.array(crystal['positions']) @ np.linalg.inv(cell) @ np.linalg.inv(basis)
    apart = places[:, None] - places[None]
    same = (np.abs(apart - np.round(apart)) < SAME_PLACE).all(axis=2) & (numbers[:, None] == numbers[None])
    kept = [n for n in range(len(numbers)) if not same[n, :n].any()]
    if len(kept) * round(1 / np.linalg.det(basis)) != len(numbers):
        return dict(crystal)
    small = basis @ cell
    return {
        'numbers': numbers[kept].tolist(), 'positions': (places[kept] % 1.0 @ small).tolist(), 'cell': small.tolist(),
        'pbc': [True] * 3,
    }  # fmt: skip
