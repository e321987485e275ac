"""One crystal as the criteria see it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

MIN_VOLUME = 0.1
"""Smallest volume of a cell that is one [A^3]; Xie et al., CDVAE, ICLR 2022."""

MAX_ATOMIC_NUMBER = 118

MAX_COORDINATE = 1e12
"""Coordinates beyond this [A] are as good as infinite: products of them lose every digit."""

PRIMITIVE_TOLERANCE = 0.25
"""Distance [A] within which pymatgen takes two sites for equivalent by a translation."""

CompositionKey = tuple[tuple[int, int], ...]


def reduced(numbers: NDArray[np.int64]) -> CompositionKey:
    """Return the ordered (atomic number, count) pairs of a reduced formula; none where there are no atoms."""
    elements, counts = np.unique(numbers, return_counts=True)
    divisor = math.gcd(*counts.tolist()) or 1
    return tuple(zip(elements.tolist(), (counts // divisor).tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal with its known columns; never modified."""

    id: str
    numbers: NDArray[np.int64]
    """Atomic numbers, shape (n,)."""
    positions: NDArray[np.float64]
    """Cartesian positions [A], shape (n, 3)."""
    cell: NDArray[np.float64]
    """Lattice vectors as rows [A], shape (3, 3)."""
    pbc: NDArray[np.bool_]
    """Whether the crystal is periodic along each lattice vector, shape (3,)."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """What is known of the crystal: name to Python value, None where unknown."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Crystal:
        """Build a crystal from a row of a batch."""
        return cls(
            id=str(row['id']),
            numbers=np.asarray(row['numbers'], dtype=np.int64).reshape(-1),
            positions=np.asarray(row['positions'], dtype=np.float64).reshape(-1, 3),
            cell=np.asarray(row['cell'], dtype=np.float64).reshape(3, 3),
            pbc=np.asarray(row['pbc'], dtype=bool).reshape(3),
            columns=dict(row.get('columns') or {}),
        )

    def with_columns(self, columns: Mapping[str, Any]) -> Crystal:
        """Return the same crystal with more columns; what was derived from its geometry is kept."""
        other = replace(self, columns={**self.columns, **columns})
        known = set(vars(other))
        vars(other).update({name: value for name, value in vars(self).items() if name not in known})
        return other

    @property
    def name(self) -> str:
        """Where the crystal comes from if that is known (column `source`), else its id."""
        return str(self.columns.get('source') or self.id)

    @property
    def n_sites(self) -> int:
        """Number of atoms in the cell."""
        return len(self.numbers)

    @cached_property
    def volume(self) -> float:
        """Volume of the cell [A^3], never negative."""
        with np.errstate(all='ignore'):
            return float(abs(np.linalg.det(self.cell)))

    @cached_property
    def fault(self) -> str | None:
        """Reason why this is no periodic arrangement of atoms at all, None if it is one."""
        if self.n_sites == 0:
            return 'no_atoms'
        if not all(np.isfinite(a).all() and np.abs(a).max() < MAX_COORDINATE for a in (self.positions, self.cell)):
            return 'non_finite'
        if not self.pbc.all():
            return 'not_periodic'
        if self.numbers.min() < 1 or self.numbers.max() > MAX_ATOMIC_NUMBER:
            return 'unknown_element'
        return 'zero_volume' if self.volume <= MIN_VOLUME else None

    @cached_property
    def composition_key(self) -> CompositionKey:
        """Reduced composition as ordered (atomic number, count) pairs; equal exactly for equal reduced formulas."""
        return reduced(self.numbers)

    @cached_property
    def composition(self) -> Composition:
        """Reduced composition."""
        return composition_of(self.composition_key)

    @cached_property
    def formula(self) -> str:
        """Reduced formula, for instance `Mg2Si`."""
        return formula_of(self.composition_key)

    @cached_property
    def chemical_system(self) -> str:
        """Elements in alphabetic order, for instance `Mg-Si`."""
        return str(self.composition.chemical_system)

    @cached_property
    def right_handed_cell(self) -> NDArray[np.float64]:
        """Lattice vectors of the same lattice [A] in an order with positive determinant."""
        return self.cell if np.linalg.det(self.cell) > 0 else self.cell[[1, 0, 2]]

    @cached_property
    def structure(self) -> Structure:
        """The crystal as pymatgen structure; a left-handed cell has its first two vectors swapped."""
        from pymatgen.core import Lattice, Structure

        lattice = Lattice(self.right_handed_cell)
        return Structure(lattice, self.numbers.tolist(), self.positions, coords_are_cartesian=True, to_unit_cell=True)

    @cached_property
    def niggli(self) -> Structure | None:
        """The crystal in its Niggli cell, None if pymatgen cannot find it."""
        from pymatgen.core import Lattice, Structure

        try:
            lattice = Lattice(self.right_handed_cell).get_niggli_reduced_lattice()
            numbers = self.numbers.tolist()
            return Structure(lattice, numbers, self.positions, coords_are_cartesian=True, to_unit_cell=True)
        except Exception:
            return None

    @cached_property
    def primitive(self) -> Structure | None:
        """The primitive cell in which pymatgen's StructureMatcher compares, None if it cannot find it."""
        try:
            if self.niggli is None or _is_primitive(self.niggli):
                return self.niggli
            return self.niggli.get_primitive_structure()
        except Exception:
            return None


def _is_primitive(structure: Structure) -> bool:
    """Return whether pymatgen's search for a smaller cell is bound to find none; it takes a third of the time.

    That search needs a translation within the cell that maps each element's sites onto themselves within twice its
    tolerance along each lattice vector; here such translations are looked for, and nothing is done with them.
    """
    symbols = np.array([site.species_string for site in structure])
    names, counts = np.unique(symbols, return_counts=True)
    formula_units = math.gcd(*counts.tolist())
    tolerance = PRIMITIVE_TOLERANCE / np.array(structure.lattice.abc)
    if formula_units == 1:
        return True
    if formula_units * tolerance.max() >= 1:  # A fraction of a short cell vector counts as none.
        return False
    groups = sorted((structure.frac_coords[symbols == name] for name in names), key=len)
    limit = 2 * tolerance * (1 + 1e-6)
    return not any(_maps(groups, other - groups[0][0], limit) for other in groups[0][1:])


def _maps(groups: list[NDArray[np.float64]], vector: NDArray[np.float64], limit: NDArray[np.float64]) -> bool:
    """Return whether a translation maps each group of points onto itself; all in fractions of a cell."""
    for group in groups:
        gaps = group[:, None] + vector - group[None]
        gaps -= np.round(gaps)
        if not np.any(np.all(np.abs(gaps) <= limit, axis=2), axis=1).all():
            return False
    return True


def composition_of(key: CompositionKey) -> Composition:
    """Return the pymatgen composition of a composition key."""
    from pymatgen.core import Composition, Element

    return Composition({Element.from_Z(number): count for number, count in key})


def formula_of(key: CompositionKey) -> str:
    """Return the reduced formula of a composition key."""
    # pymatgen orders by electronegativity and warns of elements that have none, such as helium.
    with warnings.catch_warnings(action='ignore'):
        return str(composition_of(key).reduced_formula)


def as_columns(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the declared columns of a criterion from its findings on each crystal; what is absent is unknown."""
    return {name: [row.get(name) for row in rows] for name in about['columns']}


def symbol_of(number: int) -> str:
    """Return the symbol of an element."""
    from pymatgen.core import Element

    return str(Element.from_Z(number).symbol)


def with_defaults(about: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a criterion: those given, and the defaults of the others.

    Raises:
        ValueError: if a parameter is not one of the criterion.
    """
    known: Mapping[str, Mapping[str, Any]] = about['parameters']
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f'criterion `{about["name"]}` has no parameter `{unknown[0]}`; it has: {", ".join(known)}')
    return {**{name: entry['default'] for name, entry in known.items()}, **parameters}
