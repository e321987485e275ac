"""Read known crystals, and all that is said of them, from files: before any process."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiida_crystalgen.calculations.known import known_row, make_set, remote_module
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.references.find import find_by_content, holds_content
from aiida_crystalgen.schema.problem import CampaignError, Problem

Facts = dict[str, t.Any]

# The level of energies of which no file says one: it equals the level of nothing that states its own.
NOT_STATED: t.Final = 'not stated by the source'
# Facts that may be given in place of what a file says, and those of which one set can have only one.
OVERRIDES: t.Final = (
    'name', 'database', 'database_version', 'licence', 'citation', 'level', 'convention', 'partial', 'date', 'query',
)  # fmt: skip
_OF_ENERGIES: t.Final = ('level', 'convention')
_WHERE: t.Final = 'references'
_TOLD: t.Final = ('source', 'occupancies', 'unusable_reason')


def read_reference(path: str | Path, **overrides: t.Any) -> ReferenceSet:
    """Return the unstored reference set in a folder or file.

    Read are CIFs and all else that the generator `files` reads, JSON of pymatgen's entries, the files of the fetchers
    and public tables. An entry that cannot be read is a row of zero atoms with the reason; a disordered one is kept.

    :param overrides: facts in place of what the file says (see `OVERRIDES`); None leaves what it says.
    :raises CampaignError: where nothing can be used, or where energies of two levels would come into one set.
    """
    filepath = Path(path)
    entries = _entries(filepath)
    return _read(filepath, entries, _facts(filepath, entries, overrides))


def load_reference(path: str | Path, **overrides: t.Any) -> ReferenceSet:
    """Return the reference set in a folder or file: the stored one of the same content and facts, else read anew.

    :raises CampaignError: as `read_reference`.
    """
    filepath = Path(path)
    entries = _entries(filepath)
    facts = _facts(filepath, entries, overrides)
    found = find_by_content(facts['sha256'], facts) if holds_content(facts['sha256']) else None
    return found or _read(filepath, entries, facts)


def require_complete(reference: ReferenceSet) -> None:
    """Refuse a set in which an entry cannot be a competing phase: a hull with a hole is worse than none.

    :raises CampaignError: naming every such entry.
    """
    problems = _unusable(reference)
    crystals = reference.crystals
    remedy = 'order it with `aiida-crystalgen reference order`, or take it away'
    for source, mixed, reason in zip(*(_column(crystals, name) for name in _TOLD), strict=True):
        if mixed is not None and reason is None:
            problems.append(Problem(None, _WHERE, f'`{source}` cannot be used: it is disordered', remedy))
    if problems:
        raise CampaignError(problems)


def files_adapter() -> t.Any:
    """Return the generator `files` as a module (see `remote_module`)."""
    return remote_module('aiida_crystalgen.remote.adapters.files')


def _entries(path: Path) -> Sequence[t.Any]:
    """List the entries of a file or folder, before any crystal is parsed."""
    if not path.exists():
        raise CampaignError([Problem(None, _WHERE, f'there is no file or folder `{path}`', 'check the path')])
    return t.cast(Sequence[t.Any], remote_module('readers').entries(path))


def _facts(path: Path, entries: Sequence[t.Any], overrides: Mapping[str, t.Any]) -> Facts:
    """Return what the files say of themselves, with what was given in place of it.

    :raises ValueError: for a fact that there is not.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    if strange := given.keys() - set(OVERRIDES):
        raise ValueError(f'`{sorted(strange)[0]}` is no fact of a reference set; there are: {", ".join(OVERRIDES)}')
    abouts = list({id(entry.about): entry.about for entry in entries}.values())
    facts: Facts = {'name': _stem(path), 'partial': True, 'citation': []}
    for about in abouts:
        facts['citation'] += [text for text in about.get('citation', []) if text not in facts['citation']]
    # Of several files only what all of them say holds for the set.
    for key in (key for key in OVERRIDES if key not in ('citation', *_OF_ENERGIES)):
        values = [about.get(key) for about in abouts]
        if values and values[0] is not None and all(value == values[0] for value in values):
            facts[key] = values[0]
    facts.update(_of_energies(path, entries, given))
    return {**_blank(), **facts, **given, 'sha256': _sha256(path)}


def _blank() -> Facts:
    return {**dict.fromkeys(OVERRIDES, ''), 'citation': [], 'partial': True}


def _of_energies(path: Path, entries: Sequence[t.Any], given: Facts) -> Facts:
    """Return level and convention of the energies, empty where there are none.

    :raises CampaignError: where the files state several, and none was given.
    """
    tables = remote_module('crystal_tables')
    own = {'energy', 'formation_energy'}
    abouts = {id(e.about): e.about for e in entries if own & tables.quantities(e.beside)}.values()
    found: Facts = {}
    for key, unknown in (('level', NOT_STATED), ('convention', '')):
        values = sorted({str(about.get(key) or unknown) for about in abouts})
        if len(values) > 1 and key not in given:
            names = ', '.join(f'`{value or "none stated"}`' for value in values)
            message = f'the files of `{path.name}` have energies of more than one {key}: {names}'
            remedy = f'read them one by one, or give the {key} that holds for all of them'
            raise CampaignError([Problem(None, _WHERE, message, remedy)])
        found[key] = values[0] if values else ''
    return found


def _read(path: Path, entries: Sequence[t.Any], facts: Facts) -> ReferenceSet:
    """Parse the entries into a set with these facts."""
    readers, tables = remote_module('readers'), remote_module('crystal_tables')
    rows = []
    for entry in entries:
        source = tables.identity(entry.beside) or f'{entry.source_file} {entry.source_entry}'.strip()
        try:
            crystal = readers.read(entry, partial=True)
        except readers.RefusedError as refusal:
            rows.append(known_row(None, {'source': source, 'unusable_reason': refusal.detail}))
            continue
        n_atoms = sum(sum(site.values()) for site in crystal.get('occupancies', [])) or len(crystal['numbers'])
        columns = {**tables.energies(entry.beside, n_atoms), **tables.parameters(entry.beside), 'source': source}
        rows.append(known_row(crystal, columns))
    reference = make_set(rows, facts)
    if not rows:
        raise CampaignError([Problem(None, _WHERE, f'`{path.name}` holds no crystal', 'add CIF files')])
    if reference.n_unusable == len(rows):
        raise CampaignError(_unusable(reference))
    return reference


def _unusable(reference: ReferenceSet) -> list[Problem]:
    """Return a problem for each entry that could not be read or ordered."""
    columns = (_column(reference.crystals, name) for name in ('source', 'unusable_reason'))
    return [
        Problem(None, _WHERE, f'`{source}` cannot be used: {reason}', 'mend the file or take it away')
        for source, reason in zip(*columns, strict=True)
        if reason is not None
    ]


def _column(crystals: Crystals, name: str) -> list[t.Any]:
    """Return a column, unknown everywhere where there is none."""
    return crystals.values(name) if name in crystals.columns else [None] * len(crystals)


def _stem(path: Path) -> str:
    """Return the name of a file without its endings, or of a folder."""
    name = path.resolve().name
    return name if path.is_dir() else name.removesuffix('.gz').rpartition('.')[0] or name


def _sha256(path: Path) -> str:
    """Return the sha256 of a file, or of the names and contents of the files in a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for name, filepath in remote_module('readers').files(path):
        digest.update(name.encode() + b'\0' + hashlib.sha256(filepath.read_bytes()).digest())
    return digest.hexdigest()
