"""Energy above the hull of competing phases whose energies come from the same level of theory.

The hull at a composition is the lowest energy of any mixture of phases with that composition: a linear programme over
the amounts of the phases (as pymatgen's PhaseDiagram; Ong et al., Chem. Mater. 20, 1798, 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crystal import CompositionKey, Crystal, as_columns, formula_of, symbol_of, with_defaults

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
    ],
    'install': 'pymatgen scipy',
    'requires': ['numpy', 'scipy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': True,
    'units': 1,
    'parameters': {
        'level_candidates': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the enthalpies of the crystals.',
        },
        'level_hull': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the enthalpies of the phases.',
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
        'hull_phases': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Number of competing phases in the chemical system of the crystal, elements included.',
        },
        'hull_source': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Where the competing phases come from.'},
    },
}  # fmt: skip

SAME_PRESSURE = 1e-6
"""Largest difference of pressures that count as equal [GPa]."""

MAX_SOURCES = 5
"""Most sources that are named one by one."""


@dataclass(frozen=True)
class Phase:
    """A competing phase."""

    id: str
    key: CompositionKey
    enthalpy: float
    """[eV/atom]."""
    source: str

    @property
    def elements(self) -> frozenset[int]:
        """Atomic numbers."""
        return frozenset(number for number, _ in self.key)


class Hull:
    """Competing phases at one pressure and their convex hull in any chemical system."""

    def __init__(self, phases: Iterable[Phase]) -> None:
        # A fixed order makes the solution independent of the order of the input, to the last digit.
        self._phases = sorted(phases, key=lambda phase: (phase.key, phase.enthalpy, phase.id))
        self.ids = {phase.id for phase in self._phases}
        self._systems: dict[frozenset[int], list[Phase]] = {}
        self._mixtures: dict[CompositionKey, list[tuple[float, Phase]]] = {}

    def without(self, phase_id: str) -> Hull:
        """Return the hull of the other phases."""
        return Hull(phase for phase in self._phases if phase.id != phase_id)

    def phases(self, elements: frozenset[int]) -> list[Phase]:
        """Return the phases within a chemical system."""
        if elements not in self._systems:
            self._systems[elements] = [phase for phase in self._phases if phase.elements <= elements]
        return self._systems[elements]

    def element(self, number: int) -> Phase | None:
        """Return the most stable phase of an element, None if there is none."""
        return next(iter(self.phases(frozenset((number,)))), None)

    def mixture(self, key: CompositionKey) -> list[tuple[float, Phase]]:
        """Return the mixture of lowest energy at a composition, as fractions of atoms; its elements must be there."""
        if key not in self._mixtures:
            lowest: dict[CompositionKey, Phase] = {}
            for phase in self.phases(frozenset(number for number, _ in key)):
                lowest.setdefault(phase.key, phase)
            self._mixtures[key] = _lowest_mixture(key, list(lowest.values()))
        return self._mixtures[key]

    def energy(self, key: CompositionKey) -> float:
        """Return the energy of the hull at a composition [eV/atom]."""
        return sum(amount * phase.enthalpy for amount, phase in self.mixture(key))


def _fractions(key: CompositionKey, elements: Sequence[int]) -> NDArray[np.float64]:
    """Return the atomic fractions of a composition."""
    counts = dict(key)
    vector = np.array([counts.get(number, 0) for number in elements], dtype=float)
    fractions: NDArray[np.float64] = vector / vector.sum()
    return fractions


def _lowest_mixture(key: CompositionKey, phases: Sequence[Phase]) -> list[tuple[float, Phase]]:
    """Minimise the energy of amounts x >= 0 of the phases that add up to a composition."""
    from scipy.optimize import linprog

    elements = [number for number, _ in key]
    target = _fractions(key, elements)
    matrix = np.array([_fractions(phase.key, elements) for phase in phases]).T
    energies = np.array([phase.enthalpy for phase in phases])
    solution = linprog(energies, A_eq=matrix, b_eq=target, method='highs')
    if not solution.success:
        raise ArithmeticError(f'the hull at {formula_of(key)} was not found: {solution.message}')
    chosen = np.flatnonzero(solution.x > 1e-9)
    # The solver is exact to about 1e-7; the amounts of the phases that it chose are exact to rounding.
    amounts = np.linalg.lstsq(matrix[:, chosen], target, rcond=None)[0]
    mixture = [(float(amount), phases[i]) for amount, i in zip(amounts, chosen.tolist(), strict=True) if amount > 1e-9]
    return sorted(mixture, key=lambda part: (-round(part[0], 9), formula_of(part[1].key)))


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Compare the enthalpy of each crystal with the hull at its pressure.

    Raises:
        ValueError: if the levels of theory of the crystals and of the competing phases differ.
    """
    settings = with_defaults(ABOUT, parameters)
    _check_levels(settings['level_candidates'], settings['level_hull'])
    candidates = [(_pressure(crystal), phase) for crystal in crystals if (phase := _phase(crystal)) is not None]
    references = [(_pressure(crystal), phase) for crystal in tables.get('hull', ()) if (phase := _phase(crystal))]
    hulls: dict[float, tuple[Hull, Hull]] = {}
    rows = []
    for crystal in crystals:
        pressure = _pressure(crystal)
        if pressure not in hulls:
            alone = [phase for other, phase in references if abs(other - pressure) <= SAME_PRESSURE]
            together = [phase for other, phase in candidates if abs(other - pressure) <= SAME_PRESSURE]
            hulls[pressure] = Hull(alone), Hull([*alone, *together])
        rows.append(_compare(crystal, *hulls[pressure], settings['hull_source']))
    return as_columns(ABOUT, rows)


def columns(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns, energies labelled with their level of theory."""
    declared: Mapping[str, Mapping[str, Any]] = ABOUT['columns']  # type: ignore[assignment]
    level = parameters.get('level_candidates') or parameters.get('level_hull') or ''
    return {name: {**meta, 'level': level if meta['unit'] == 'eV/atom' else ''} for name, meta in declared.items()}


def _check_levels(candidates: str, hull: str) -> None:
    if candidates and hull and candidates != hull:
        raise ValueError(
            f'the crystals have energies of level `{candidates}` and the competing phases of level `{hull}`: '
            'relax the competing phases with the same potential'
        )


def _pressure(crystal: Crystal) -> float:
    """Return the pressure at which a crystal was relaxed [GPa]; unknown is zero."""
    return float(crystal.columns.get('pressure') or 0.0)


def _phase(crystal: Crystal) -> Phase | None:
    """Return a crystal as competing phase, None if its enthalpy is unknown."""
    enthalpy = crystal.columns.get('enthalpy')
    if enthalpy is None or crystal.fault is not None:
        return None
    return Phase(crystal.id, crystal.composition_key, float(enthalpy), str(crystal.columns.get('source') or ''))


def _compare(crystal: Crystal, hull: Hull, with_candidates: Hull, source: str) -> dict[str, Any]:
    """Return the columns of one crystal; absent ones are unknown."""
    phase = _phase(crystal)
    if phase is None:
        return {'e_hull_reason': f'the crystal is invalid: {crystal.fault}' if crystal.fault else 'enthalpy is unknown'}
    hull = hull.without(phase.id) if phase.id in hull.ids else hull
    phases = hull.phases(phase.elements)
    known = {'hull_phases': len(phases), 'hull_source': source or _sources(phases)}
    elements = {number: hull.element(number) for number in sorted(phase.elements)}
    missing = [symbol_of(number) for number, reference in elements.items() if reference is None]
    if missing:
        return {**known, 'e_hull_reason': _missing(missing, _pressure(crystal))}
    fractions = _fractions(phase.key, list(elements))
    pure = sum(float(x) * ref.enthalpy for x, ref in zip(fractions, elements.values(), strict=True) if ref)
    return {
        **known,
        'formation_energy': phase.enthalpy - pure,
        'e_hull': phase.enthalpy - hull.energy(phase.key),
        'e_hull_with_candidates': max(0.0, phase.enthalpy - with_candidates.energy(phase.key)),
        'decomposition': ' + '.join(f'{amount:.3g} {formula_of(p.key)}' for amount, p in hull.mixture(phase.key)),
    }


def _missing(symbols: Sequence[str], pressure: float) -> str:
    """Return the sentence on elements without a competing phase."""
    at = f' at {pressure:g} GPa' if pressure else ''
    return f'no reference for element{"s" if len(symbols) > 1 else ""} {", ".join(symbols)}{at}'


def _sources(phases: Sequence[Phase]) -> str | None:
    """Return the sources of phases, shortened when there are many; None when none is named."""
    names = sorted({phase.source for phase in phases if phase.source})
    more = f' and {len(names) - MAX_SOURCES} more' if len(names) > MAX_SOURCES else ''
    return ', '.join(names[:MAX_SOURCES]) + more if names else None
