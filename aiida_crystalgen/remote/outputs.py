"""Read what generators write: the one door to all formats, the DiffCSP family's `.pt`, a check of MatterGen's zip.

`crystals_of_<format>` takes the contents of one file and returns items (see `crystal_arrays`). A file that holds no
crystals at all raises one sentence; a single crystal that is faulty is an item with a reason.
"""

from __future__ import annotations

import collections
import io
import re
import typing as t
import zipfile

import numpy as np
from crystal_arrays import KIND, Items, cells, item  # type: ignore[import-not-found]
from crystal_text import UnusableError

# The modules that travel with this one.
ABOUT = {
    'needs': [
        'crystal_arrays', 'crystal_text', 'search_outputs', 'text_outputs', 'wyckoff_outputs', 'torch_file',
        'safe_pickle',
    ],
}  # fmt: skip

MAX_BYTES = 512 * 1024**2
MOST_OF_A_CIF = 1024**2
TABLES = ('frac_coords', 'atom_types', 'num_atoms')
# A table of scores has a column for each element, far more than the axes of anything else.
LEAST_SCORES = 50
MANY_DIGITS = re.compile(r'\.\d{5,}[1-9]')
PICKLES = ('.pkl', '.pickle')


def items_of(base: str, data: bytes, limit: int = MAX_BYTES, elements: t.Sequence[str] = ()) -> Items | None:
    """Return the items of a file that is known by its name or its first bytes; None where other readers know it.

    :param base: name of the file in lower case, without `.gz`.
    :param limit: bytes that the file may have once unpacked.
    :param elements: of a CALYPSO search (see `search_outputs.elements_beside`).
    :raises UnusableError: where the file is an output that cannot be read.
    :raises UnreadableError: of `safe_pickle`, where it is damaged or unsafe.
    """
    import search_outputs as searches  # type: ignore[import-not-found]
    import text_outputs as texts  # type: ignore[import-not-found]
    import wyckoff_outputs as wyckoff  # type: ignore[import-not-found]

    if base.endswith('.pt'):
        return crystals_of_pt(data, limit)
    if base.endswith(PICKLES):
        raise UnusableError('unsafe', 'opening a pickle can run any code, so it is not read; write JSON, CSV or CIF')
    text = data.decode('utf-8-sig', 'replace')
    head = text[:4096]
    if base.endswith('.res'):
        return t.cast(Items, searches.crystals_of_airss(text))
    if 'gatheredposcars' in base:
        return t.cast(Items, searches.crystals_of_uspex(text))
    if base.startswith(('pso_opt_', 'pso_ini_')):
        return t.cast(Items, searches.crystals_of_calypso(text, elements))
    columns = head.splitlines()[0].split(',') if base.endswith('.csv') and head.strip() else []
    if columns and texts.is_symmcd(head):
        return t.cast(Items, texts.crystals_of_symmcd(text))
    if texts.is_crystal_gfn(columns):
        return t.cast(Items, texts.crystals_of_crystal_gfn(text))
    if wyckoff.are_crystalformer(columns):
        return t.cast(Items, wyckoff.crystals_of_crystalformer(text, wyckoff.group_of_name(base)))
    if base.endswith('_struct.csv') and head.splitlines()[:1] == ['cif']:
        return t.cast(Items, wyckoff.crystals_of_crystalformer_struct(text))
    if base.endswith('.json') and all(f'"{key}"' in head for key in wyckoff.GENE_KEYS):
        return t.cast(Items, wyckoff.undecoded_genes(text))
    return None


def crystals_of_pt(data: bytes, limit: int = MAX_BYTES) -> Items:
    """Read a `.pt` in the layout of CDVAE and DiffCSP: also DiffCSP++, CrysBFN, FlowMM (`consolidate`) and SymmCD.

    Elements may be numbers or scores; a leading axis of evaluations may be there.

    :raises UnusableError: where the file holds other things.
    :raises UnreadableError: of `safe_pickle`, where the file is damaged or unsafe.
    """
    from torch_file import load  # type: ignore[import-not-found]

    content = load(data, limit)
    if isinstance(content, list):
        words = 'predictions of FlowMM, run its `evaluate.py consolidate` first'
        raise UnusableError(
            'unreadable', f'the file is a list, and no table of generated crystals; if it holds {words}'
        )
    lattice = ('lengths', 'angles')
    if isinstance(content, dict) and not content.keys() >= set(lattice):
        lattice = ('lattices',)  # type: ignore[assignment]
    missing = [name for name in (*TABLES, *lattice) if not isinstance(content, dict) or name not in content]
    if missing:
        raise UnusableError('unreadable', f'the file has no `{missing[0]}`, which generated crystals have')
    items: Items = []
    evaluations = _evaluations(content, lattice)
    for number, tables in enumerate(evaluations):
        try:
            items += _from_tables(tables, f'evaluation {number}' if len(evaluations) > 1 else '')
        except UnusableError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnusableError('unreadable', f'the tables of the file do not fit together: {error}') from error
    if not items:
        raise UnusableError('unreadable', 'the file holds no crystals')
    return items


def _evaluations(content: dict[str, t.Any], lattice: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Split the tables by their leading axis, where they have one; a list of tables is one as well."""
    fractional = content['frac_coords']
    tables = {name: content[name] for name in content if isinstance(content[name], (np.ndarray, list))}
    if not isinstance(fractional, list) and np.ndim(fractional) != 3:
        return [tables]
    shared = isinstance(content['num_atoms'], np.ndarray) and content['num_atoms'].ndim == 1
    split = [*TABLES[:2], *lattice] + ([] if shared else ['num_atoms'])
    # What belongs to each crystal has the shape of `num_atoms`.
    split += [
        name for name in tables
        if name not in (*TABLES, *lattice) and not shared and np.shape(tables[name]) == np.shape(content['num_atoms'])
    ]  # fmt: skip
    kept = {'num_atoms': content['num_atoms']} if shared else {}
    if len({len(content[name]) for name in split}) != 1:
        raise UnusableError('unreadable', 'the tables of the file have different numbers of evaluations')
    return [{**kept, **{name: content[name][i] for name in split}} for i in range(len(fractional))]


def _from_tables(tables: t.Mapping[str, t.Any], label: str) -> Items:
    """Return the crystals of tables over all atoms (N) and all crystals (M)."""
    counts = np.asarray(tables['num_atoms']).astype(int)
    fractional = np.asarray(tables['frac_coords'], dtype=float)
    if fractional.shape[1:] != (3,):
        raise ValueError(f'`frac_coords` has the shape {fractional.shape}')
    numbers, known = _numbers(np.asarray(tables['atom_types']))
    if counts.ndim != 1 or (counts < 0).any() or not counts.sum() == len(fractional) == len(numbers):
        words = f'{counts.sum()} atoms are announced, {len(fractional)} have coordinates, {len(numbers)} an element'
        raise UnusableError('unreadable', f'the file is not whole: {words}')
    if 'lengths' in tables:
        vectors = cells(tables['lengths'], tables['angles'])
    else:
        vectors = np.asarray(tables['lattices'], dtype=float).reshape(-1, 3, 3)
    if len(vectors) != len(counts):
        raise UnusableError('unreadable', f'the file is not whole: {len(counts)} crystals and {len(vectors)} cells')
    fractional = np.where(known[:, None], fractional, np.nan)
    positions = np.einsum('ni,nij->nj', fractional, np.repeat(vectors, counts, axis=0))
    own = {
        name: np.asarray(values).tolist() for name, values in tables.items()
        if name not in (*TABLES, 'lengths', 'angles') and np.shape(values) == counts.shape
    }  # fmt: skip
    stops = np.cumsum(counts)
    return [
        item(label, numbers[start:stop], positions[start:stop], vectors[i], {name: own[name][i] for name in own})
        for i, (start, stop) in enumerate(zip(stops - counts, stops))
    ]


def _numbers(types: t.Any) -> tuple[t.Any, t.Any]:
    """Return atomic numbers, and which of them are known, from numbers or from scores (N, elements)."""
    if types.ndim == 2 and types.shape[1] >= LEAST_SCORES:
        return types.argmax(axis=1) + 1, np.isfinite(types).all(axis=1)
    if types.size != len(types):
        raise UnusableError('unreadable', f'`atom_types` has the shape {types.shape}: neither numbers nor scores')
    types = types.reshape(-1)
    known = np.isfinite(types)
    numbers = np.where(known, types, 0).astype(int)
    if (numbers[known] != types[known]).any():
        raise UnusableError('unreadable', '`atom_types` holds fractions of atomic numbers')
    return numbers, known


def without_repeated_frames(items: list[t.Any]) -> list[t.Any]:
    """Refuse frames of an extended XYZ that were there before, to the last of many digits: OMatG appends.

    Frames with round coordinates are left alone: these can be the same crystal on purpose.
    """
    first: dict[tuple[str, ...], int] = {}
    found = []
    for number, (label, kind, content) in enumerate(items):
        before = number
        if kind == 'xyz' and any(MANY_DIGITS.search(line) for line in content[1:]):
            before = first.setdefault(tuple(content), number)
        words = f'the frame repeats frame {before}: the tool appended to a file that was already there'
        repeated = (label, KIND, {'reason': 'appended_again', 'detail': words})
        found.append((label, kind, content) if before == number else repeated)
    return found


def said_elsewhere(name: str, names: t.Collection[str]) -> str:
    """Return why a file of a folder holds no crystals of its own, empty where it does.

    :param name: path of the file, relative to the folder.
    :param names: paths of all files of the folder.
    """
    folder, _, base = name.rpartition('/')
    near = {other.rpartition('/')[2] for other in names if other.rpartition('/')[0] == folder}
    if base.endswith('_init.xyz') and base.replace('_init.xyz', '.xyz') in near:
        return f'the file holds the random start of {base.replace("_init.xyz", ".xyz")}, as OMatG writes it'
    twins = {
        'generated_structures.json.gz': next((one for one in near if re.fullmatch(r'sample_.*\.cif', one)), ''),
        'generated_crystals_cif.zip': 'generated_crystals.extxyz',
        'generated_trajectories.zip': 'generated_crystals.extxyz',
    }
    if re.fullmatch(r'output_\d+_struct\.csv', base):
        twins[base] = base.replace('_struct', '')
    if re.fullmatch(r'crystal(_.*)?\.csv', base):
        twins[base] = 'eval_gen' + base[len('crystal') : -len('.csv')] + '.pt'
    if twins.get(base) in near:
        return f'the crystals of this file are read from {twins[base]} beside it'
    return ''


def mattergen_difference(extxyz: str, archive: bytes) -> str:
    """Return how MatterGen's CIF zip differs from its extxyz, empty where it does not.

    Only the extxyz is to be trusted: each CIF passes through a file in `/tmp` whose name all runs of a machine share,
    and a failure there leaves CIFs out with return code 0.
    """
    frames = _formulas(extxyz)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            known = [info for info in opened.infolist() if info.file_size <= MOST_OF_A_CIF]
            texts = {info.filename: opened.read(info).decode('utf-8', 'replace') for info in known}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        return f'the zip of CIFs cannot be opened ({error}); the extxyz holds {len(frames)} crystals'
    names = [f'gen_{number}.cif' for number in range(len(frames))]
    missing = [name for name in names if name not in texts]
    if missing or len(texts) != len(frames):
        which = f' ({missing[0]} is missing)' if missing else ''
        return f'the zip holds {len(texts)} CIFs and the extxyz {len(frames)} crystals{which}'
    for name, formula in zip(names, frames):
        found = re.search(r'_chemical_formula_sum\s+["\']?([^"\'\n]+)', texts[name])
        counts = re.findall(r'([A-Z][a-z]?)(\d*)', found.group(1)) if found else []
        if {symbol: int(count or 1) for symbol, count in counts} != formula:
            return f'{name} of the zip is another crystal than the one of the extxyz'
    return ''


def _formulas(extxyz: str) -> list[dict[str, int]]:
    """Return the numbers of atoms by element of the frames of an extended XYZ."""
    lines = extxyz.splitlines()
    found: list[dict[str, int]] = []
    start = 0
    while start < len(lines) and lines[start].strip().isdigit():
        stop = start + 2 + int(lines[start])
        found.append(dict(collections.Counter(line.split()[0] for line in lines[start + 2 : stop])))
        start = stop
    return found
