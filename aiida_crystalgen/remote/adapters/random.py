"""Symmetric random search with PyXtal: a composition, a space group and a volume are drawn, the rest is chance."""

from __future__ import annotations

import functools
import math
import typing as t
import warnings

import numpy as np

ABOUT = {
    'name': 'random',
    'kind': 'generator',
    'summary': 'Symmetric random search with PyXtal: random space group, Wyckoff sites, coordinates and cell.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm',
    ],
    'licence': 'MIT (PyXtal)',
    'citation': [
        'S. Fredericks, K. Parrish, D. Sayre, Q. Zhu, PyXtal: a Python library for crystal structure generation and '
        'symmetry analysis, Comput. Phys. Commun. 261, 107810 (2021), doi:10.1016/j.cpc.2020.107810',
        'C. J. Pickard, R. J. Needs, Ab initio random structure searching, J. Phys.: Condens. Matter 23, 053201 '
        '(2011), doi:10.1088/0953-8984/23/5/053201',
    ],
    'install': 'pip install pyxtal',
    'requires': ['pyxtal', 'pymatgen', 'spglib', 'numpy'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'min_atoms': {'type': 'int', 'default': 1, 'unit': '', 'minimum': 1, 'help': 'fewest atoms, primitive cell'},
        'max_atoms': {'type': 'int', 'default': 10, 'unit': '', 'minimum': 1, 'help': 'most atoms, primitive cell'},
        'formula_units': {'type': 'list', 'default': [1, 4], 'unit': '',
            'help': 'fewest and most formula units in the primitive cell; every number that fits is equally likely'},
        'subsystem_share': {'type': 'float', 'default': 0.3, 'unit': '', 'minimum': 0.0, 'maximum': 1.0,
            'help': 'share of rows that lack at least one element of `chemical_system` (all smaller systems, pure '
                    'elements included, are equally likely); the other rows hold every element'},
        'volume_factor': {'type': 'list', 'default': [0.7, 1.4], 'unit': '',
            'help': 'range, drawn uniformly, of the volume over its prior. Prior: sum over atoms of the mean of the '
                    'covalent and the van der Waals sphere volume (radii of PyXtal). Of 27,248 Materials Project '
                    'crystals 80 % lie between 0.67 and 1.40'},
        'pressure': {'type': 'float', 'default': 0.0, 'unit': 'GPa', 'minimum': 0.0,
            'help': 'compresses the prior as a Murnaghan solid of bulk modulus 100 GPa and its derivative 4: '
                    'V(P) = V(0) (1 + 4 P / 100 GPa)^(-1/4)'},
        'min_distance_factor': {'type': 'float', 'default': 0.6, 'unit': '', 'minimum': 0.1, 'maximum': 1.0,
            'help': 'shortest distance allowed, over the sum of the covalent radii of the pair; above 0.7 the search '
                    'for places becomes slow'},
        'rattle': {'type': 'float', 'default': 0.0, 'unit': 'A', 'minimum': 0.0, 'maximum': 1.0,
            'help': 'standard deviation of random moves of the atoms and of the corners of the cell, which break the '
                    'symmetry at last, so that relaxation can leave saddle points; 0 keeps the symmetry'},
        'tries': {'type': 'int', 'default': 20, 'unit': '', 'minimum': 1,
            'help': 'draws of composition, space group and cell before a row is given up; a draw that cannot be placed '
                    'costs at most 400 of the placements of PyXtal'},
    },
    'honours': {
        'chemical_system': 'chemical_system', 'composition': 'composition', 'space_group': 'space_groups',
        'min_atoms': 'min_atoms', 'max_atoms': 'max_atoms',
    },
    'conditions': {
        'composition': {'type': 'text', 'default': None, 'unit': '',
            'help': 'formula such as MgO: every crystal has this reduced formula; exclusive with `chemical_system`'},
        'chemical_system': {'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Mg-O: compositions are drawn. A reduced formula of s atoms has a weight of 1/s^3 '
                    'among those of the same elements'},
        'space_groups': {'type': 'list', 'default': None, 'unit': '',
            'help': 'numbers (1 to 230) to draw from, null for all; one that cannot hold the composition is redrawn'},
    },
    'columns': {
        'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the space group that was drawn; the crystal can be more symmetric by chance'},
        'formula_units': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'reduced formulas in the primitive cell'},
        'draws': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'draws of composition, space group and cell that this row took'},
    },
}  # fmt: skip
ELEMENTS: t.Any = ABOUT['elements']

# Radii are PyXtal's; the bulk modulus and its derivative are those of a typical inorganic solid (Murnaghan 1944).
BULK_MODULUS_GPA = 100.0
BULK_MODULUS_DERIVATIVE = 4.0
# Draws of a space group for one composition; the test of one costs 0.2 ms.
SPACE_GROUP_DRAWS = 200


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one random primitive crystal per request row; its seed alone decides which."""
    about: t.Any = ABOUT
    specifications = {**about['parameters'], **about['conditions']}
    settings = {name: job.parameters.get(name, specifications[name]['default']) for name in specifications}
    search = Search(settings)
    for row in rows:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            answer = search.crystal(np.random.default_rng(row['seed']))
        yield {'id': row['id'], **answer}


class Search:
    """What the rows of one job share: the checked settings and the tables of PyXtal."""

    def __init__(self, settings: dict[str, t.Any]) -> None:
        from pyxtal.tolerance import Tol_matrix

        self.settings = settings
        self.formula, self.system = _target(settings)
        self.space_groups = [int(number) for number in settings['space_groups'] or range(1, 231)]
        if not all(1 <= number <= 230 for number in self.space_groups):
            raise ValueError(f'space groups are numbers from 1 to 230, not {self.space_groups}')
        # PyXtal's tolerance is half the sum of the covalent radii.
        self.tolerance = Tol_matrix(prototype='atomic', factor=2 * settings['min_distance_factor'])

    def crystal(self, rng: np.random.Generator) -> dict[str, t.Any]:
        """Draw until a crystal is found or the tries are used up."""
        unplaced = 0
        for draw in range(1, self.settings['tries'] + 1):
            formula = self.formula or self._draw_formula(rng)
            units, group = self._draw_group(formula, rng)
            if group is None:
                continue
            structure = self._place(formula, units, group, rng)
            size = sum(formula.values())
            if structure is None or len(structure['numbers']) < self.settings['min_atoms']:
                unplaced += 1
                continue
            found = {'space_group_requested': group.number, 'formula_units': len(structure['numbers']) // size}
            return {'structure': structure, 'columns': {**found, 'draws': draw}}
        tries = self.settings['tries']
        detail = (
            f'in {tries} draws {tries - unplaced} compositions fitted none of the space groups and {unplaced} '
            'crystals kept no distance; widen `space_groups`, `max_atoms` or `volume_factor`'
        )
        rejected = {'reason': 'no_crystal_found', 'detail': detail, 'value': None, 'threshold': None}
        return {'columns': {'draws': tries}, 'rejected': rejected}

    def _draw_formula(self, rng: np.random.Generator) -> dict[str, int]:
        """Draw elements, then the size s of the reduced formula (weight 1/s^3 per formula), then the formula."""
        most, system = self.settings['max_atoms'], self.system
        count = len(system)
        if count > 1 and rng.random() < self.settings['subsystem_share']:
            mask = int(rng.integers(1, 2**count - 1))
            system = [symbol for bit, symbol in enumerate(system) if mask >> bit & 1]
        count = len(system)
        sizes = range(count, most + 1)
        weights = np.array([math.comb(size - 1, count - 1) / size**3 for size in sizes])
        while True:
            size = int(rng.choice(sizes, p=weights / weights.sum()))
            cuts = np.sort(rng.choice(size - 1, count - 1, replace=False)) + 1 if size > 1 else np.zeros(0, int)
            amounts = [int(amount) for amount in np.diff([0, *cuts, size])]
            if functools.reduce(math.gcd, amounts) == 1:
                return dict(zip(system, amounts))

    def _draw_group(self, formula: dict[str, int], rng: np.random.Generator) -> tuple[int, t.Any]:
        """Draw formula units and a space group, together, until the group has sites for them."""
        allowed = _formula_units(sum(formula.values()), self.settings)
        for _ in range(SPACE_GROUP_DRAWS if allowed else 0):
            units = allowed[int(rng.integers(len(allowed)))]
            number = self.space_groups[int(rng.integers(len(self.space_groups)))]
            if _fits(number, tuple(units * amount for amount in formula.values())):
                return units, _group(number)
        return 0, None

    def _place(self, formula: dict[str, int], units: int, group: t.Any, rng: np.random.Generator) -> t.Any:
        """Return a primitive crystal of `units` formula units, None when PyXtal finds no places for the atoms."""
        from pyxtal.crystal import random_crystal
        from pyxtal.lattice import Lattice
        from pyxtal.msg import VolumeError

        amounts = [units * amount for amount in formula.values()]
        factor = rng.uniform(*self.settings['volume_factor'])
        compression = (1 + BULK_MODULUS_DERIVATIVE * self.settings['pressure'] / BULK_MODULUS_GPA) ** (
            -1 / BULK_MODULUS_DERIVATIVE
        )
        prior = sum(units * amount * _atomic_volume(symbol) for symbol, amount in formula.items())
        volume = factor * compression * prior * group.cellsize()
        try:
            lattice = Lattice(group.lattice_type, volume, PBC=[1, 1, 1], random_state=rng)
            crystal = random_crystal(
                3,
                group,
                list(formula),
                amounts,
                lattice=lattice,
                conventional=False,
                tm=self.tolerance,
                random_state=rng,
            )
        except (VolumeError, ValueError):
            return None
        return _rattled(_primitive(crystal), self.settings['rattle'], rng) if crystal.valid else None


def _target(settings: dict[str, t.Any]) -> tuple[dict[str, int], list[str]]:
    """Return the reduced formula asked for (empty: draw one) and the sorted elements."""
    from pymatgen.core import Composition

    composition, system = settings['composition'], settings['chemical_system']
    if bool(composition) == bool(system):
        raise ValueError('give either `composition` (such as MgO) or `chemical_system` (such as Mg-O)')
    formula: dict[str, int] = {}
    if composition:
        given = Composition(composition).get_el_amt_dict()
        if any(amount != int(amount) for amount in given.values()):
            raise ValueError(f'`composition` {composition} needs whole numbers of atoms')
        divisor = functools.reduce(math.gcd, (int(amount) for amount in given.values()))
        formula = {symbol: int(amount) // divisor for symbol, amount in given.items()}
    elements = sorted(formula or set(system.split('-')))
    unknown = [symbol for symbol in elements if symbol not in ELEMENTS]
    if unknown:
        raise ValueError(f'PyXtal has no radii for {", ".join(unknown)}; elements from H to Cm can be asked for')
    smallest = sum(formula.values()) or len(elements)
    if smallest > settings['max_atoms'] or (formula and not _formula_units(smallest, settings)):
        raise ValueError(
            f'no cell of {composition or system} has {settings["min_atoms"]} to {settings["max_atoms"]} atoms and '
            f'{settings["formula_units"]} formula units; change `min_atoms`, `max_atoms` or `formula_units`'
        )
    return formula, elements


def _formula_units(size: int, settings: dict[str, t.Any]) -> list[int]:
    """Return the numbers of formula units of `size` atoms that fit the limits."""
    least, most = settings['formula_units']
    return [n for n in range(least, most + 1) if settings['min_atoms'] <= n * size <= settings['max_atoms']]


@functools.lru_cache(maxsize=None)
def _group(number: int) -> t.Any:
    """Return a space group of PyXtal (9 ms the first time)."""
    from pyxtal.symmetry import Group

    return Group(number)


@functools.lru_cache(maxsize=None)
def _fits(number: int, amounts: tuple[int, ...]) -> bool:
    """Say whether the Wyckoff sites of a space group can hold these amounts of a primitive cell."""
    group = _group(number)
    return bool(group.check_compatible(np.array(amounts) * group.cellsize())[0])


@functools.lru_cache(maxsize=None)
def _atomic_volume(symbol: str) -> float:
    """Return the mean of the covalent and the van der Waals sphere volume [A^3]."""
    from pyxtal.database.element import Element

    element = Element(symbol)
    return float(2 / 3 * np.pi * (element.covalent_radius**3 + element.vdw_radius**3))


def _primitive(crystal: t.Any) -> t.Any:
    """Return the Niggli-reduced, right-handed primitive cell of a PyXtal crystal, atoms inside the cell."""
    import spglib

    sites = crystal.atom_sites
    numbers = [ELEMENTS.index(site.specie) + 1 for site in sites for _ in range(site.multiplicity)]
    fractional = np.concatenate([site.coords for site in sites])
    found = spglib.find_primitive((crystal.lattice.matrix, fractional, numbers), symprec=1e-3)
    reduced = None if found is None else spglib.niggli_reduce(found[0])
    if reduced is None:
        return None
    cell = reduced if np.linalg.det(reduced) > 0 else -reduced
    positions = np.mod(found[1] @ found[0] @ np.linalg.inv(cell), 1.0) @ cell
    numbers = [int(number) for number in found[2]]
    return {'numbers': numbers, 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': [True] * 3}


def _rattled(structure: t.Any, amplitude: float, rng: np.random.Generator) -> t.Any:
    """Return the crystal with its atoms and the corners of its cell moved at random [A]."""
    if structure is None or amplitude == 0.0:
        return structure
    cell = structure['cell'] + rng.normal(scale=amplitude, size=(3, 3))
    positions = np.array(structure['positions']) @ np.linalg.solve(structure['cell'], cell)
    positions += rng.normal(scale=amplitude, size=positions.shape)
    return {**structure, 'cell': cell.tolist(), 'positions': positions.tolist()}
