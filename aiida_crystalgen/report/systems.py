"""Chemical systems of a campaign: competing phases and crystals with their formation energies."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import numpy as np

from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.tools.table import column_values, ranked_order

if t.TYPE_CHECKING:
    from aiida_crystalgen.report.content import Content

ENERGY: t.Final = 'formation_energy'
MOST_ELEMENTS: t.Final = 4  # of a hull that can be drawn
LOOKED_AT: t.Final = 500  # rows of the table, the best first, in which systems are looked for


@dataclass(frozen=True)
class Phase:
    """A crystal in a chemical system.

    :param shares: atomic fraction of each element of the system.
    :param energy: formation energy [eV/atom].
    :param kind: `reference`, `candidate` or `rejected`.
    :param above: energy above the hull of the competing phases [eV/atom]; None where it is unknown.
    """

    shares: tuple[float, ...]
    energy: float
    name: str
    kind: str
    note: str = ''
    above: float | None = None


@dataclass(frozen=True)
class System:
    """The phases of a chemical system and of all systems within it.

    :param elements: symbols in alphabetical order.
    """

    elements: tuple[str, ...]
    phases: tuple[Phase, ...]
    level: str
    partial: bool

    @property
    def name(self) -> str:
        """The elements with dashes between them."""
        return '–'.join(self.elements)

    def of_kind(self, kind: str) -> list[Phase]:
        """Return the phases of one kind."""
        return [phase for phase in self.phases if phase.kind == kind]


def systems_of(content: Content, most: int) -> list[System]:
    """Return the systems of the best crystals whose hull can be drawn, none contained in another."""
    names = _best_systems(content.table)
    if not names and len(content.elements) <= MOST_ELEMENTS:
        names = [frozenset(content.elements)]
    found = (system_of(content, sorted(name)) for name in names)
    return [system for system, _ in zip(filter(None, found), range(most), strict=False)]


def _best_systems(table: Crystals) -> list[frozenset[str]]:
    """Return the sets of elements of the best crystals in the order of their rank, the largest alone."""
    seen: list[frozenset[str]] = []
    for row in ranked_order(table)[:LOOKED_AT]:
        numbers = set(table.numbers[table.offsets[row] : table.offsets[row + 1]].tolist())
        name = frozenset(SYMBOLS[number - 1] for number in numbers)
        if 1 < len(name) <= MOST_ELEMENTS and name not in seen:
            seen.append(name)
    return [name for name in seen if not any(name < other for other in seen)]


def system_of(content: Content, elements: t.Sequence[str]) -> System | None:
    """Return the phases of a system; None where an element has no competing phase, so that there is no zero."""
    numbers = tuple(SYMBOLS.index(symbol) + 1 for symbol in elements)
    known = _reference_phases(content, numbers)
    if not known:
        return None
    parts = [known, _phases(content.table, numbers, 'candidate')]
    if content.rejected is not None:
        parts.append(_phases(content.rejected, numbers, 'rejected'))
    phases = tuple(phase for part in parts for phase in part)
    return System(tuple(elements), phases, content.hull_level, content.hull_is_partial)


def _reference_phases(content: Content, numbers: tuple[int, ...]) -> list[Phase]:
    """Return the competing phases of a system, formation energies against the lowest phase of each element."""
    phases = content.hull.crystals if content.hull is not None else None
    column = 'enthalpy'
    if phases is None and 'entries' in content.references:
        phases = content.references['entries'].crystals
        column = next((name for name in (ENERGY, 'enthalpy', 'energy') if name in phases.columns), '')
    if phases is None or not column:
        return []
    rows, shares = shares_of(phases, numbers)
    chosen = phases.select(rows)
    energies = chosen.values(column)
    known = [place for place, energy in enumerate(energies) if energy is not None]
    if column == ENERGY:  # such a set need not hold the elements: they are at zero
        zeros = np.zeros(len(numbers))
    else:
        ends = [min((energies[i] for i in known if shares[i, k] == 1.0), default=None) for k in range(len(numbers))]
        if None in ends:
            return []
        zeros = np.array(ends, dtype=float)
    names, origins = column_values(chosen, 'formula'), chosen.values('source')
    found = [
        Phase(tuple(shares[i].tolist()), float(energies[i] - shares[i] @ zeros), str(names[i]), 'reference', origins[i])
        for i in known
    ]
    if column == ENERGY:
        eye = np.eye(len(numbers)).tolist()
        found += [Phase(tuple(x), 0.0, SYMBOLS[n - 1], 'reference', '') for x, n in zip(eye, numbers, strict=True)]
    return found


def _phases(crystals: Crystals, numbers: tuple[int, ...], kind: str) -> list[Phase]:
    """Return the crystals of a system whose formation energy is known."""
    if ENERGY not in crystals.columns:
        return []
    rows, shares = shares_of(crystals, numbers)
    chosen = crystals.select(rows)
    energies, names = chosen.values(ENERGY), column_values(chosen, 'formula')
    above = chosen.values('e_hull') if 'e_hull' in chosen.columns else [None] * len(chosen)
    return [
        Phase(tuple(shares[i].tolist()), energies[i], str(names[i]), kind, f'id {chosen.ids[i]}', above[i])
        for i in range(len(chosen))
        if energies[i] is not None
    ]


def shares_of(crystals: Crystals, numbers: tuple[int, ...]) -> tuple[list[int], t.Any]:
    """Return the rows that hold nothing but some elements, and their atomic fractions of these."""
    counts = np.zeros((len(crystals), len(numbers)))
    row_of_site = np.repeat(np.arange(len(crystals)), np.diff(crystals.offsets))
    for place, number in enumerate(numbers):
        np.add.at(counts[:, place], row_of_site[crystals.numbers == number], 1.0)
    sites = np.diff(crystals.offsets)
    rows = np.flatnonzero((sites > 0) & (counts.sum(axis=1) == sites))
    return rows.tolist(), counts[rows] / sites[rows, None]
