"""Read what the generators write that place atoms on Wyckoff positions: CrystalFormer's tables and WyFormer's genes.

The functions are of the same form as in `outputs`. Orbits are made with the space-group tables of spglib, in the
settings that CrystalFormer and PyXtal use: second origin, hexagonal axes, else the first setting.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import re
import typing as t
import warnings

import numpy as np
from crystal_arrays import KIND, Items, cells, item, refused, without_repeats  # type: ignore[import-not-found]
from crystal_text import ATOMIC_NUMBERS, UnusableError

RAW_COLUMNS = ('L', 'X', 'A', 'M')
LIKELIHOODS = ('logp', 'logp_w', 'logp_xyz', 'logp_a', 'logp_l')
# Images of a site that are nearer than this (fractional) are one; generators write at least six digits.
SAME_SITE = 1e-3
GENE_KEYS = ('group', 'sites', 'species', 'numIons')


def group_of_name(filename: str) -> int | None:
    """Return the space group in the name of a CrystalFormer output (`output_221.csv`)."""
    found = re.search(r'_(\d{1,3})\.csv', filename)
    return int(found.group(1)) if found else None


def are_crystalformer(columns: t.Iterable[str]) -> bool:
    """Tell whether a CSV with these columns is what CrystalFormer samples."""
    return set(RAW_COLUMNS) <= set(columns)


def crystals_of_crystalformer(text: str, group: int | None = None) -> Items:
    """Read the CSV that CrystalFormer samples: cell, sites, elements, multiplicities and log-probabilities.

    :param group: space group, where the CSV has no column `G` (see `group_of_name`).
    :raises UnusableError: where it is another CSV.
    """
    rows = _csv_rows(text)
    if not rows or not are_crystalformer(rows[0]):
        raise UnusableError('unreadable', 'the CSV lacks the columns of CrystalFormer, or has no rows')
    if group is None and 'G' not in rows[0]:
        raise UnusableError('unreadable', 'no space group is known; keep the name of the file, `output_<group>.csv`')
    items: Items = []
    for row in rows:
        try:
            chosen = int(float(row['G'])) if 'G' in row else int(group or 0)
            beside = {'space_group': chosen, **{name: float(row[name]) for name in LIKELIHOODS if row.get(name)}}
            items.append(_from_sites(chosen, row, beside))
        except UnusableError as error:
            items.append(refused('', error.reason, str(error), {}))
        except (LookupError, RecursionError, TypeError, ValueError) as error:
            items.append(refused('', 'unreadable', f'the row is damaged: {error}', {}))
    return without_repeats(items, [tuple(row.items()) for row in rows])


def _from_sites(group: int, row: t.Mapping[str, str], beside: t.Mapping[str, t.Any]) -> t.Any:
    """Return the crystal of a row: every site with its images."""
    parameters, places, elements, sizes = (json.loads(row[name].replace('nan', 'NaN')) for name in RAW_COLUMNS)
    if len(parameters) != 6 or not len(places) == len(elements) == len(sizes):
        raise ValueError('its lists do not fit together')
    # Sites beyond the last one are filled with zeros.
    sites = [number for number, element in enumerate(elements) if element]
    orbits = [_orbit(group, places[number]) for number in sites]
    for number, orbit in zip(sites, orbits):
        if len(orbit) != sizes[number]:
            words = f'a site of multiplicity {sizes[number]} has {len(orbit)} images in space group {group}'
            raise UnusableError('wyckoff_mismatch', words)
    if not orbits:
        raise UnusableError('unreadable', 'the crystal has no atoms')
    cell = cells(parameters[:3], parameters[3:])[0]
    numbers = np.repeat([elements[number] for number in sites], [len(orbit) for orbit in orbits])
    return item('', numbers, np.concatenate(orbits) @ cell, cell, beside)


def _orbit(group: int, place: t.Sequence[float]) -> t.Any:
    """Return the images of a site (fractional); one that lies on a symmetry element within the error is put onto it."""
    rotations, translations = _operations(group)
    images = rotations @ np.array(place, dtype=float) + translations
    if not np.isfinite(images).all():
        raise UnusableError('non_finite', 'a coordinate is not a finite number')
    orbit: list[t.Any] = []
    while len(images):
        apart = images - images[0]
        apart -= np.round(apart)
        same = (np.abs(apart) < SAME_SITE).all(axis=1)
        orbit.append((images[0] + apart[same].mean(axis=0)) % 1)
        images = images[~same]
    return np.array(orbit)


@functools.lru_cache(maxsize=None)
def _operations(group: int) -> tuple[t.Any, t.Any]:
    """Return rotations and translations (fractional) of all operations of a space group."""
    import spglib

    with warnings.catch_warnings():
        # spglib tells of a change in how it reports errors, of which there are none here.
        warnings.simplefilter('ignore')
        settings: dict[str, int] = {}
        for number in range(1, 531):
            kind: t.Any = spglib.get_spacegroup_type(number)
            if kind.number == group:
                settings.setdefault(kind.choice, number)
        if not settings:
            raise UnusableError('unreadable', f'{group} is no space group')
        chosen = settings.get('2', settings.get('H', min(settings.values())))
        operations: t.Any = spglib.get_symmetry_from_database(chosen)
    return operations['rotations'].astype(float), operations['translations']


def crystals_of_crystalformer_struct(text: str) -> Items:
    """Read the CSV that CrystalFormer's `awl2struct.py` makes: column `cif` holds Structures as Python writes them.

    Cells are not parsed here; their kind is `cell` (see `crystal_text.from_cell`). The header that stands again
    where the tool appended is left out.

    :raises UnusableError: where it is another CSV.
    """
    texts = [row.get('cif') for row in _csv_rows(text)]
    texts = [value for value in texts if value != 'cif']
    if not texts or None in texts:
        raise UnusableError('unreadable', 'the CSV has no column `cif`, or no rows')
    return without_repeats([('', 'cell', value, {}) for value in texts], texts)


def _csv_rows(text: str) -> list[dict[str, str]]:
    previous = csv.field_size_limit(len(text) + 1)
    try:
        return list(csv.DictReader(io.StringIO(text, newline='')))
    except csv.Error as error:
        raise UnusableError('unreadable', f'the CSV is damaged: {error}') from error
    finally:
        csv.field_size_limit(previous)


def are_genes(value: t.Any) -> bool:
    """Tell whether JSON holds Wyckoff genes as WyFormer writes them."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and first.keys() >= set(GENE_KEYS)


def genes_of_wyformer(text: str) -> Items:
    """Read the Wyckoff genes that WyFormer samples, as items of kind `gene`: the arguments of PyXtal's `from_random`.

    A gene has no coordinates; `genes.decode` draws them.

    :raises UnusableError: where it is other JSON.
    """
    try:
        genes = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableError('unreadable', f'the file is no JSON: {error}') from error
    if not isinstance(genes, list) or not are_genes(genes):
        raise UnusableError('unreadable', 'the JSON is no list of Wyckoff genes')
    faults = [_fault_of_gene(gene) for gene in genes]
    return [
        refused('', 'unreadable', fault, {}) if fault else ('', 'gene', {name: gene[name] for name in GENE_KEYS}, {})
        for gene, fault in zip(genes, faults)
    ]


def undecoded_genes(text: str) -> Items:
    """Read genes as items that are no crystals yet; the content of each holds its `gene`, for who can decode it.

    :raises UnusableError: where it is other JSON.
    """
    detail = 'a Wyckoff gene has no coordinates; give the generator `files` the parameter `decode: true` to draw them'
    return [
        (name, KIND, {'reason': 'no_coordinates', 'detail': detail, 'gene': content}, beside)
        if kind == 'gene'
        else (name, kind, content, beside)
        for name, kind, content, beside in genes_of_wyformer(text)
    ]


def _fault_of_gene(gene: t.Any) -> str:
    """Return what is wrong with a gene, empty for a good one."""
    try:
        group, sites, species, counts = (gene[name] for name in GENE_KEYS)
        if isinstance(group, bool) or not isinstance(group, int) or not 1 <= group <= 230:
            return f'{group} is no space group'
        if not len(sites) == len(species) == len(counts) > 0:
            return 'the gene has different numbers of elements, sites and counts'
        strange = [name for name in species if name not in ATOMIC_NUMBERS]
        if strange:
            return f'`{strange[0]}` is no chemical element'
        for own, count in zip(sites, counts):
            sizes = [int(site[:-1]) for site in own if re.fullmatch(r'\d{1,3}[a-zA-Z]', site)]
            if len(sizes) != len(own) or sum(sizes) != count:
                return f'the sites {", ".join(own)} do not hold {count} atoms'
    except (AttributeError, KeyError, TypeError, ValueError):
        return 'the gene is damaged'
    return ''
