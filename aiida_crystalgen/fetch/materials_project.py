"""Fetch the entries of chemical systems from the Materials Project, through its own client `mp-api`."""

from __future__ import annotations

import math
import os
import typing as t
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .conversion import UnusableError
from .elements import systems_within
from .file import About, Entry, FetchError, PartFile, make_entry, part_file, today, write_reference
from .providers import MP_CITATIONS, THERMO_TYPES

if t.TYPE_CHECKING:
    from pymatgen.core import Structure

FIELDS: t.Final = (
    'material_id',
    'thermo_type',
    'energy_type',
    'uncorrected_energy_per_atom',
    'formation_energy_per_atom',
    'energy_above_hull',
    'entries',
    'builder_meta',
)
# Thermo type -> convention of the total energies; in the mixture they are of two functionals, so none are kept.
CONVENTIONS: t.Final = {'GGA_GGA+U': 'raw_mp_pbe_u', 'R2SCAN': 'other', 'GGA_GGA+U_R2SCAN': 'formation'}
MIXTURE: t.Final = 'GGA_GGA+U_R2SCAN'
LICENCE: t.Final = 'CC-BY-4.0'
NON_COMMERCIAL: t.Final = 'CC-BY-NC-4.0'
KEY_ADDRESS: t.Final = 'https://materialsproject.org/api'
SAME_ENERGY: t.Final = 1e-3  # eV/atom between the two places where a document states its energy


@dataclass(frozen=True)
class Progress:
    """A chemical system has come; `done` of `systems`, with so many entries in all."""

    system: str
    done: int
    systems: int
    entries: int
    skipped: int


Report: t.TypeAlias = Callable[[Progress], None]


def fetch_materials_project(
    target: Path,
    elements: tuple[str, ...],
    thermo_type: str = 'GGA_GGA+U',
    *,
    endpoint: str | None = None,
    report: Report | None = None,
    date: str | None = None,
) -> About:
    """Write all entries of a chemical system and of every system within it, as computed, without any correction.

    :param elements: of the largest system.
    :param thermo_type: which of the hulls of the Materials Project; they are never mixed.
    :param endpoint: address of the API, default that of `mp-api`.
    :param report: called after each chemical system.
    :param date: of the fetch [YYYY-MM-DD], default today.
    :raises FetchError: with a sentence; systems that have come are kept.
    """
    if thermo_type not in THERMO_TYPES:
        raise FetchError(f'there is no thermo type `{thermo_type}`: choose one of {", ".join(THERMO_TYPES)}.')
    with _client(endpoint) as rester:
        version = str(rester.db_version or '')
        systems = ['-'.join(system) for system in systems_within(tuple(sorted(elements)))]
        query = {'database_version': version, 'systems': systems, 'thermo_type': thermo_type}
        with part_file(target, query, date or today()) as part:
            for system in systems[part.pages :]:
                part.add_page(*_read(_ask(rester, system, thermo_type), thermo_type), following=None)
                if report is not None:
                    report(Progress(system, part.pages, len(systems), len(part.entries), len(part.skipped)))
            about = _about(part, elements, thermo_type, version, endpoint)
            write_reference(target, about, part.entries.values())
            part.close()
    return about


def find_key() -> str:
    """Return the key to the API: `MP_API_KEY`, or `PMG_MAPI_KEY` in the settings of pymatgen.

    Raises:
        FetchError: if there is none.
    """
    from pymatgen.core import SETTINGS

    key = os.environ.get('MP_API_KEY') or SETTINGS.get('PMG_MAPI_KEY')
    if not key:
        remedy = f'get one at {KEY_ADDRESS} and set it with `export MP_API_KEY=...`'
        raise FetchError(f'the Materials Project needs a key, and there is none: {remedy}.')
    return str(key)


@contextmanager
def _client(endpoint: str | None) -> Iterator[t.Any]:
    """Give a client of the Materials Project, its own remarks silenced.

    Raises:
        FetchError: without the package, a key, or a connection.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            from mp_api.client import MPRester  # type: ignore[import-not-found, unused-ignore]
        except ImportError as exception:
            remedy = "install it with `pip install 'aiida-crystalgen[mp]'`"
            raise FetchError(f'the package `mp-api` is not installed: {remedy}.') from exception
        key = find_key()
        with _sentences():
            rester = MPRester(key, endpoint=endpoint, use_document_model=False, mute_progress_bars=True)
        with rester:
            yield rester


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what the client raises into a sentence."""
    import requests
    from mp_api.client.core import MPRestError  # type: ignore[attr-defined, import-not-found, unused-ignore]

    try:
        yield
    except requests.exceptions.RequestException as exception:
        raise FetchError(_no_connection()) from exception
    except MPRestError as exception:
        text = ' '.join(str(exception).split())
        if 'valid API key' in text:
            remedy = f'copy it anew from {KEY_ADDRESS}'
            raise FetchError(f'the key is none of the Materials Project, whose have 32 characters: {remedy}.') from None
        if 'status code 401' in text or 'status code 403' in text:
            remedy = f'look at your key at {KEY_ADDRESS}, and at `MP_API_KEY`'
            raise FetchError(f'the Materials Project refuses the key: {remedy}.') from exception
        if 'Max retries exceeded' in text or 'timed out' in text or 'Connection' in text:
            raise FetchError(_no_connection()) from exception
        raise FetchError(f'the Materials Project did not answer as it should ({text.rstrip(".")}).') from exception
    except (KeyError, ValueError) as exception:
        what = f'{type(exception).__name__}: {exception}'
        raise FetchError(f'the answer is not that of the API of the Materials Project ({what}).') from exception


def _no_connection() -> str:
    return 'the Materials Project cannot be reached: this needs a connection to the internet.'


def _ask(rester: t.Any, system: str, thermo_type: str) -> list[Mapping[str, t.Any]]:
    """Return the thermodynamic documents of one chemical system."""
    with _sentences():
        search = rester.materials.thermo.search
        found = search(chemsys=system, thermo_types=[thermo_type], all_fields=False, fields=list(FIELDS))
        return [document if isinstance(document, Mapping) else document.model_dump() for document in found]


def _read(documents: list[Mapping[str, t.Any]], thermo_type: str) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries, and the reasons why others are left out."""
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    for document in documents:
        name = legacy_id(str(document.get('material_id') or ''))
        try:
            entries[name] = entry_of(name, document, thermo_type)
        except UnusableError as reason:
            skipped[name] = str(reason)
    return list(entries.values()), skipped


def legacy_id(identifier: str) -> str:
    """Return an id as publications have it, `mp-149`, where the API writes it in its new letters."""
    from mp_api.client.core.utils import validate_ids  # type: ignore[import-not-found, unused-ignore]

    try:
        return str(validate_ids([identifier])[0])
    except Exception:  # an id of a form that this client does not know is kept as it is
        return identifier


def entry_of(name: str, document: Mapping[str, t.Any], thermo_type: str) -> Entry:
    """Return an entry of the file: the calculation that the Materials Project took for this material.

    :raises UnusableError: if the document has no such calculation, or contradicts itself.
    """
    if str(document.get('thermo_type')) != thermo_type:
        raise UnusableError(f'it is not of the thermo type {thermo_type}')
    calculations = document.get('entries') or {}
    run_type = str(document.get('energy_type') or '')
    chosen = calculations.get(run_type) or (next(iter(calculations.values())) if len(calculations) == 1 else None)
    if not isinstance(chosen, Mapping) or not chosen.get('structure'):
        raise UnusableError('it has no calculation of its energy type')
    structure, energy = _structure(chosen['structure']), chosen.get('energy')
    if not isinstance(energy, (int, float)) or not math.isfinite(energy):
        raise UnusableError('it has no energy')
    stated = document.get('uncorrected_energy_per_atom')
    if stated is not None and abs(energy / len(structure) - stated) > SAME_ENERGY:
        raise UnusableError('it states two different energies')
    parameters = chosen.get('parameters') or {}
    data = {
        'formation_energy_per_atom': document.get('formation_energy_per_atom'),
        'e_above_hull': document.get('energy_above_hull'),
        'oxidation_states': (chosen.get('data') or {}).get('oxidation_states') or None,
        'licence': NON_COMMERCIAL if (document.get('builder_meta') or {}).get('license') == 'BY-NC' else None,
    }
    kept = {'run_type': parameters.get('run_type') or run_type, 'hubbards': parameters.get('hubbards') or {}}
    return make_entry(name, structure, None if thermo_type == MIXTURE else float(energy), kept, data)


def _structure(given: t.Any) -> Structure:
    """Return a crystal in the form of the installed pymatgen, without site properties such as moments."""
    from pymatgen.core import Structure

    try:
        structure = given if isinstance(given, Structure) else Structure.from_dict(given)
    except Exception as exception:  # whatever a document may hold, one bad entry must not end a fetch
        raise UnusableError(f'its structure cannot be read ({type(exception).__name__})') from exception
    return Structure(structure.lattice, structure.species_and_occu, structure.frac_coords)


def _about(part: PartFile, elements: tuple[str, ...], thermo_type: str, version: str, endpoint: str | None) -> About:
    """Return what the finished file says of itself."""
    system = '-'.join(sorted(elements))
    n_non_commercial = sum(entry['data'].get('licence') == NON_COMMERCIAL for entry in part.entries.values())
    notes = [f'NON-COMMERCIAL: {n_non_commercial} entries are under {NON_COMMERCIAL}'] if n_non_commercial else []
    return About(
        name=f'mp-{system}',
        database='Materials Project',
        database_version=version,
        date=part.date,
        query=f'{system} and every system within it, thermo type {thermo_type}',
        licence=f'{LICENCE} and {NON_COMMERCIAL}' if n_non_commercial else LICENCE,
        citation=MP_CITATIONS,
        level=THERMO_TYPES[thermo_type][1],
        convention=CONVENTIONS[thermo_type],
        partial=bool(part.skipped),
        url=endpoint or 'https://api.materialsproject.org',
        skipped=part.counts,
        notes=tuple(notes),
    )
