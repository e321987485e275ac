"""What is to be found: the compositions of known crystals, with the formula units of their primitive cells."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from aiida_crystalgen.science.crystal import Crystal

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet


@dataclass(frozen=True)
class TargetComposition:
    """A composition that is drawn for, and the crystals that may be found.

    :param formula: reduced, with the elements in the order of their atomic numbers.
    :param cell: the formula of the primitive cell, such as Mg2O2.
    :param formula_units: of the primitive cell.
    :param n_atoms: of the primitive cell.
    :param ids: of the crystals.
    """

    formula: str
    cell: str
    formula_units: int
    n_atoms: int
    elements: tuple[str, ...]
    ids: tuple[str, ...]


def n_formulas(reference: ReferenceSet) -> int:
    """Return the number of reduced formulas of a set: its compositions are at least as many."""
    return len({crystal.composition_key for crystal in _crystals(reference)})


def compositions(reference: ReferenceSet) -> list[TargetComposition]:
    """Return the distinct pairs of reduced formula and number of formula units in the primitive cell, by name."""
    found: dict[tuple[t.Any, int], list[str]] = {}
    for crystal in _crystals(reference):
        size = sum(amount for _, amount in crystal.composition_key)
        n_atoms = crystal.n_sites if crystal.primitive is None else len(crystal.primitive)
        found.setdefault((crystal.composition_key, n_atoms // size), []).append(crystal.id)
    return sorted((_composition(key, units, ids) for (key, units), ids in found.items()), key=lambda one: one.cell)


def _crystals(reference: ReferenceSet) -> list[Crystal]:
    crystals = (Crystal.from_row(row) for row in reference.crystals.rows())
    return [crystal for crystal in crystals if crystal.fault is None]


def _composition(key: t.Any, units: int, ids: list[str]) -> TargetComposition:
    from pymatgen.core import Element

    amounts = {str(Element.from_Z(number).symbol): amount for number, amount in key}
    n_atoms = units * sum(amounts.values())
    return TargetComposition(_text(amounts, 1), _text(amounts, units), units, n_atoms, tuple(amounts), tuple(ids))


def _text(amounts: t.Mapping[str, int], units: int) -> str:
    return ''.join(f'{symbol}{units * n if units * n > 1 else ""}' for symbol, n in amounts.items())
