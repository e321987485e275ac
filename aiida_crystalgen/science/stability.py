"""Energy above the hull of competing phases whose energies come from the same level of theory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .crystal import Crystal, as_columns, symbol_of, with_defaults
from .energies import FORMATION, MP2020, SAME_PRESSURE, Reader, Reading, check, columns_of
from .hull import MAX_ENUMERATED, Hull, Phase, System, parts_of

ABOUT = {
    'name': 'stability',
    'kind': 'criterion',
    'summary': 'Formation energy and energy above the hull of the competing phases in the table `hull`.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Ong, Wang, Kang, Ceder, Li-Fe-P-O2 Phase Diagram from First Principles Calculations, Chem. Mater. 20, 1798 '
        '(2008), doi:10.1021/cm702327g',
        'Bartel, Review of computational approaches to predict the thermodynamic stability of inorganic solids, '
        'J. Mater. Sci. 57, 10475 (2022), doi:10.1007/s10853-022-06915-4',
        'Wang et al., A framework for quantifying uncertainty in DFT energy corrections, Sci. Rep. 11, 15496 (2021), '
        'doi:10.1038/s41598-021-94550-5',
    ],
    'install': 'pymatgen scipy',
    'requires': ['numpy', 'scipy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': True,
    'units': 1,
    'parameters': {
        'mode': {
            'type': 'text', 'default': 'same-model', 'unit': '',
            'choices': ['same-model', 'mp2020', 'formation', 'custom'],
            'help': 'Which energies meet: same-model: all relaxed with one potential; mp2020: PBE(+U) energies of the '
            'Materials Project or of potentials trained on them, corrected; formation: given formation energies, '
            'elements at 0; custom: energies of the phases as they are given, at the level of the crystals.',
        },
        'level_candidates': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the energies of the crystals.',
        },
        'level_hull': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the energies of the phases.',
        },
        'convention_candidates': {
            'type': 'text', 'default': '', 'unit': '',
            'help': 'Convention of the energies of the crystals: raw_mp_pbe_u, mp2020 (corrected already), or another.',
        },
        'convention_hull': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Convention of the energies of the phases.',
        },
        'strict_anions': {
            'type': 'text', 'default': 'require_exact', 'unit': '',
            'choices': ['no_check', 'require_bound', 'require_exact'],
            'help': 'Which anions mp2020 corrects: all, those with an oxidation state of -1 or below, or those with '
            'one to which the corrections were fitted.',
        },
        'window': {
            'type': 'float', 'default': 0.05, 'unit': 'eV/atom', 'minimum': 0,
            'help': 'Phases with an energy above the hull of at most this compete.',
        },
        'hull_partial': {
            'type': 'bool', 'default': False, 'unit': '',
            'help': 'Whether the phases are a part only: then a crystal whose system has none but elements among them '
            'has no known energy above the hull.',
        },
        'hull_source': {
            'type': 'text', 'default': '', 'unit': '',
            'help': 'Name of the set of competing phases; empty: the sources of its phases.',
        },
    },
    'conditions': {},
    'columns': {
        'formation_energy': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'Enthalpy relative to the most stable elements among the competing phases.',
        },
        'e_hull': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'Enthalpy above the hull of the competing phases, which never contain the crystal: negative '
            'where it breaks the hull.',
        },
        'e_hull_reason': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Why the energy above the hull is unknown.'},
        'e_hull_with_candidates': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'Enthalpy above the hull of the competing phases and all crystals of the batch, never negative.',
        },
        'decomposition': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Competing phases on the hull at this composition, amounts as fractions of atoms.',
        },
        'correction': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'What mode mp2020 added to the energy of the crystal; 0 where it was corrected already.',
        },
        'competing_phases': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of phases in the chemical system of the crystal within `window` of the hull, those on it '
            'included.',
        },
        'competitors': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'The phases nearest the hull, at most five, polymorphs of the crystal included: formula (source) '
            'and energy above the hull [eV/atom]; of phases equally near those of more elements first.',
        },
        'hull_phases': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of competing phases in the chemical system of the crystal, elements included.',
        },
        'hull_source': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Where the competing phases come from.'},
    },
}  # fmt: skip

MAX_SOURCES = 5
"""Most sources that are named one by one."""

MAX_COMPETITORS = 5
"""Most competing phases that are named."""

BREAKS = 1e-12
"""Energies that lie lower than the hull by less than this [eV/atom] lie on it."""


def energy_columns(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the columns whose levels of theory fill `level_candidates` and `level_hull`: the first that is there."""
    candidates, phases = columns_of(with_defaults(ABOUT, parameters)['mode'])
    return {'level_candidates': candidates, 'level_hull': phases}


def columns(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns, energies labelled with their level of theory."""
    declared: Mapping[str, Mapping[str, Any]] = ABOUT['columns']  # type: ignore[assignment]
    settings = with_defaults(ABOUT, parameters)
    level = settings['level_candidates'] or settings['level_hull']
    corrected = settings['mode'] == MP2020
    if corrected:
        level = f'{level}+MP2020({settings["strict_anions"]})'
    labelled = {name for name, meta in declared.items() if meta['unit'] == 'eV/atom'}
    labelled -= set() if corrected else {'correction'}
    return {name: {**meta, 'level': level if name in labelled else ''} for name, meta in declared.items()}


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Compare the energy of each crystal with the hull at its pressure.

    Raises:
        ValueError: if the energies of the crystals and of the competing phases cannot meet, or the phases have none.
    """
    settings = with_defaults(ABOUT, parameters)
    check(settings)
    reader = Reader(settings, 'candidates', crystals)
    readings = [reader.read(crystal) for crystal in crystals]
    systems = {reading.phase.system for reading in readings if reading.phase is not None}
    phases = _phases(settings, systems, tables.get('hull', ())) if systems else []
    hulls: dict[float, tuple[Hull, Hull]] = {}
    rows = []
    for reading in readings:
        if reading.pressure not in hulls:
            alone, together = (list(_at(reading.pressure, side)) for side in (phases, readings))
            hulls[reading.pressure] = _with_and_without(alone, together)
        rows.append(_compare(reading, *hulls[reading.pressure], settings))
    return as_columns(ABOUT, rows)


def _phases(settings: Mapping[str, Any], systems: set[System], table: Sequence[Crystal]) -> list[Reading]:
    """Return the competing phases of some chemical systems; in mode formation with every element at 0."""
    reader = Reader(settings, 'hull', table)
    reader.require(table)
    wanted = {part for system in systems for part in parts_of(system)}
    large = [set(system) for system in systems if len(system) > MAX_ENUMERATED]
    readings = []
    for crystal in table:
        if crystal.fault is None:
            system = tuple(number for number, _ in crystal.composition_key)
            if system in wanted or any(elements.issuperset(system) for elements in large):
                readings.append(reader.read(crystal))
    if settings['mode'] == FORMATION:
        elements = sorted({number for system in systems for number in system})
        readings += [Reading(Phase(f'element {number}', ((number, 1),), 0.0, '')) for number in elements]
    return readings


def _at(pressure: float, readings: Iterable[Reading]) -> Iterator[Phase]:
    """Yield the phases at a pressure [GPa]."""
    for reading in readings:
        if reading.phase is not None and abs(reading.pressure - pressure) <= SAME_PRESSURE:
            yield reading.phase


def _with_and_without(phases: list[Phase], candidates: list[Phase]) -> tuple[Hull, Hull]:
    """Return the hull of the phases, and that of the phases and all candidates."""
    hull = Hull(phases)
    # Only candidates below the hull change it.
    lower = [
        phase
        for phase in candidates
        if not hull.missing(phase.system) and phase.enthalpy < hull.energy(phase.key) - BREAKS
    ]
    return hull, Hull([*phases, *lower]) if lower else hull


def _compare(reading: Reading, hull: Hull, with_candidates: Hull, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of one crystal; absent ones are unknown."""
    phase = reading.phase
    if phase is None:
        return {'e_hull_reason': reading.reason}
    hull = hull.without(phase.id)
    phases = hull.phases(phase.system)
    known = {
        'correction': reading.correction,
        'hull_phases': len(phases),
        'hull_source': settings['hull_source'] or _sources(phases),
    }
    missing = hull.missing(phase.system)
    if missing:
        return {**known, 'e_hull_reason': _missing([symbol_of(number) for number in missing], reading.pressure)}
    elements = (hull.element(number) for number in phase.system)
    pure = sum(float(x) * ref.enthalpy for x, ref in zip(phase.fractions, elements, strict=True) if ref)
    known['formation_energy'] = phase.enthalpy - pure
    if settings['hull_partial'] and len(phase.system) > 1 and not any(len(other.system) > 1 for other in phases):
        symbols = '-'.join(sorted(symbol_of(number) for number in phase.system))
        return {**known, 'e_hull_reason': f'the competing phases are partial and hold no compound of {symbols}'}
    competing = hull.competing(phase.system, settings['window'])
    return {
        **known,
        'e_hull': phase.enthalpy - hull.energy(phase.key),
        'e_hull_with_candidates': max(0.0, phase.enthalpy - with_candidates.energy(phase.key)),
        'decomposition': ' + '.join(f'{amount:.3g} {part.formula}' for amount, part in hull.mixture(phase.key)),
        'competing_phases': len(competing),
        'competitors': ', '.join(_named(*pair) for pair in competing[:MAX_COMPETITORS]),
    }


def _named(above: float, phase: Phase) -> str:
    """Return a competing phase with its source and its energy above the hull [eV/atom]."""
    return f'{phase.formula}{f" ({phase.source})" if phase.source else ""} +{above:.3f}'


def _missing(symbols: Sequence[str], pressure: float) -> str:
    """Return the sentence on elements without a competing phase."""
    at = f' at {pressure:g} GPa' if pressure else ''
    return f'no reference for element{"s" if len(symbols) > 1 else ""} {", ".join(symbols)}{at}'


def _sources(phases: Sequence[Phase]) -> str | None:
    """Return the sources of phases, shortened when there are many; None when none is named."""
    names = sorted({phase.source for phase in phases if phase.source})
    more = f' and {len(names) - MAX_SOURCES} more' if len(names) > MAX_SOURCES else ''
    return ', '.join(names[:MAX_SOURCES]) + more if names else None
