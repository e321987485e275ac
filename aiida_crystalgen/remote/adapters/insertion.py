"""Random insertion: atoms put into the free space of a host crystal whose own atoms and cell stay."""

from __future__ import annotations

import itertools
import typing as t

import numpy as np

ABOUT = {
    'name': 'insertion',
    'kind': 'generator',
    'summary': 'Random places for atoms in the free space of a host crystal, whose atoms and cell stay as they are.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm',
    ],
    'licence': 'MIT (pymatgen reads the host)',
    'citation': [
        'C. J. Pickard, R. J. Needs, Ab initio random structure searching, J. Phys.: Condens. Matter 23, 053201 '
        '(2011), doi:10.1088/0953-8984/23/5/053201',
        'B. Cordero et al., Covalent radii revisited, Dalton Trans. 2832 (2008), doi:10.1039/b801115j',
    ],
    'install': 'pip install pymatgen',
    'requires': ['pymatgen', 'numpy'],
    'needs': ['hosts', 'readers'],
    'training': None,
    'energy_convention': None,
    'asset': 'host',
    'honours': {'host': 'host', 'insert': 'insert'},
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'insert': {'type': 'dict', 'unit': '', 'minimum': 1,
            'help': 'atoms to put into the cell, by element, such as {Li: 4}; of the supercell where there is one'},
        'supercell': {'type': 'list', 'default': [1, 1, 1], 'unit': '', 'minimum': 1,
            'help': 'how often the cell of the host is repeated along its three vectors'},
        'min_distance_factor': {'type': 'float', 'default': 0.75, 'unit': '', 'minimum': 0.1, 'maximum': 1.2,
            'help': 'shortest distance of an inserted atom from any other, over the sum of the covalent radii of the '
                    'pair. Of the sites of Li, Na and Mg in 750 compounds of the Materials Project 99 % keep 0.89'},
        'tries': {'type': 'int', 'default': 50, 'unit': '', 'minimum': 1,
            'help': 'arrangements that are tried before a row is given up; each costs 1000 random places'},
    },
    'conditions': {},
    'columns': {
        'n_inserted': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'atoms that were put into the host'},
        'host_site': {'kind': 'site', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the site in the file of the host, from 0; -1 for an atom that was put in'},
        'host_position': {'kind': 'site', 'dtype': 'float', 'shape': [3], 'unit': '', 'level': '',
            'help': 'fractional coordinates in the cell of the host before relaxation; of an atom that was put in, of '
                    'the place where it was put'},
        'host_volume': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A^3', 'level': '',
            'help': 'volume of the cell of the host, supercell included, before relaxation'},
        'draws': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'arrangements that were tried for this row'},
    },
}  # fmt: skip
ELEMENTS: t.Any = ABOUT['elements']

# Covalent radii of the elements above [0.01 A], Cordero et al. 2008; of Mn, Fe and Co those of low spin.
RADII = np.array([
    31, 28, 128, 96, 84, 76, 71, 66, 57, 58, 166, 141, 121, 111, 107, 105, 102, 106, 203, 176,
    170, 160, 153, 139, 139, 132, 126, 124, 132, 122, 122, 120, 119, 120, 120, 116, 220, 195, 190,
    175, 164, 154, 147, 146, 142, 139, 145, 144, 142, 139, 139, 138, 139, 140, 244, 215, 207, 204,
    203, 201, 199, 198, 198, 196, 194, 192, 192, 189, 190, 187, 187, 175, 170, 162, 151, 144, 141,
    136, 136, 132, 145, 146, 148, 140, 150, 150, 260, 221, 215, 206, 200, 196, 190, 187, 180, 169,
]) / 100  # fmt: skip

# Random places that are looked at together; their distances to some hundred atoms take some milliseconds.
POINTS = 1000


class Host(t.NamedTuple):
    """The crystal that stays, as it is repeated."""

    numbers: t.Any
    """Atomic numbers, shape (n,)."""
    fractional: t.Any
    """Fractional coordinates, shape (n, 3)."""
    cell: t.Any
    """Lattice vectors as rows [A], right-handed, shape (3, 3)."""
    sites: t.Any
    """Number of each site in the file, shape (n,)."""


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield the host of asset `host` with atoms at random places; the seed of the row alone decides where."""
    about: t.Any = ABOUT
    settings = {name: job.parameters.get(name, form.get('default')) for name, form in about['parameters'].items()}
    host = repeated(read_host(job.assets['host']), settings['supercell'])
    insertion = Insertion(host, atoms_of(settings['insert']), settings)
    for row in rows:
        yield {'id': row['id'], **insertion.crystal(np.random.default_rng(row['seed']))}


def read_host(path: str) -> Host:
    """Return the one crystal of a file.

    :raises ValueError: where there is none, or more than one, or one of unknown elements.
    """
    import hosts  # type: ignore[import-not-found]

    numbers, fractional, cell = hosts.read_host(path)
    if numbers.max() > len(ELEMENTS):
        raise ValueError(f'the host holds the element number {numbers.max()}, whose covalent radius is not known')
    return Host(numbers, fractional, cell, np.arange(len(numbers)))


def repeated(host: Host, supercell: t.Sequence[int]) -> Host:
    """Return the host repeated along its lattice vectors."""
    times = np.array(supercell)
    if times.shape != (3,) or times.dtype.kind != 'i' or times.min() < 1:
        raise ValueError(f'`supercell` is three whole numbers such as [2, 2, 1], not {supercell}')
    shifts = np.stack(np.meshgrid(*map(np.arange, times), indexing='ij'), axis=-1).reshape(-1, 1, 3)
    fractional = ((host.fractional + shifts) / times).reshape(-1, 3)
    numbers, sites = (np.tile(values, len(shifts)) for values in (host.numbers, host.sites))
    return Host(numbers, fractional, host.cell * times[:, None], sites)


def atoms_of(insert: t.Any) -> t.Any:
    """Return the atomic numbers of the atoms to put in."""
    if not isinstance(insert, t.Mapping) or not insert:
        raise ValueError('`insert` says which atoms to put in and how many: write it as {Li: 4}')
    unknown = [symbol for symbol in insert if symbol not in ELEMENTS]
    if unknown:
        raise ValueError(f'`insert` names {", ".join(map(str, unknown))}, no element with a known covalent radius')
    if not all(isinstance(count, int) and not isinstance(count, bool) and count > 0 for count in insert.values()):
        raise ValueError(f'`insert` needs whole numbers of atoms above 0, not {dict(insert)}')
    return np.repeat([ELEMENTS.index(symbol) + 1 for symbol in insert], list(insert.values()))


class Insertion:
    """What the rows of one job share: the host, the atoms to put in, and the periodic images that matter."""

    def __init__(self, host: Host, atoms: t.Any, settings: dict[str, t.Any]) -> None:
        self.host, self.atoms = host, atoms
        self.factor, self.tries = float(settings['min_distance_factor']), settings['tries']
        self.volume = float(np.linalg.det(host.cell))
        self.species = np.unique(atoms)
        self.radii = RADII[self.species - 1]
        host_radii = RADII[host.numbers - 1]
        # Beyond this fraction of each lattice vector no image is near enough to matter.
        reach = self.factor * (self.radii.max() + max(host_radii.max(), self.radii.max()))
        margin = reach * np.linalg.norm(np.linalg.inv(host.cell), axis=0)
        images = (host.fractional % 1.0 + _shifts(np.ceil(margin))[:, None]).reshape(-1, 3)
        near = np.all((images >= -margin) & (images <= 1 + margin), axis=1)
        self.images = images[near] @ host.cell
        self.image_radii = np.tile(host_radii, len(images) // len(host.numbers))[near]
        self.translations = _shifts(np.ceil(margin + 0.5)) @ host.cell
        self._check_size()

    def _check_size(self) -> None:
        """Refuse a cell in which an inserted atom would be too near to its own image."""
        lengths = np.linalg.norm(self.translations, axis=1)
        shortest = lengths[lengths > 0].min()
        for number, radius in zip(self.species, self.radii):
            if shortest < self.factor * 2 * radius:
                raise ValueError(
                    f'images of {ELEMENTS[number - 1]} would be {shortest:.2f} A apart, nearer than '
                    f'{self.factor * 2 * radius:.2f} A: give a `supercell` such as [2, 2, 2]'
                )

    def crystal(self, rng: np.random.Generator) -> dict[str, t.Any]:
        """Try arrangements until one is found or the tries are used up."""
        most, widest = 0, np.zeros(len(self.species))
        for draw in range(1, self.tries + 1):
            atoms, places, ratios = self._arrange(rng)
            if len(places) == len(self.atoms):
                return self._answer(atoms, places, draw)
            most, widest = max(most, len(places)), np.maximum(widest, ratios)
        detail = f'in {self.tries} draws at most {most} of {len(self.atoms)} atoms found a place'
        for number, ratio in zip(self.species, widest):
            if ratio < self.factor:
                detail += f'; the widest place for {ELEMENTS[number - 1]} has {ratio:.2f} of the sum of the radii'
        detail += '; lower `min_distance_factor`, raise `tries` or insert fewer atoms'
        rejected = {'reason': 'no_space', 'detail': detail, 'value': most, 'threshold': len(self.atoms)}
        return {'columns': {'draws': self.tries}, 'rejected': rejected}

    def _arrange(self, rng: np.random.Generator) -> tuple[t.Any, t.Any, t.Any]:
        """Place atoms one after the other, each with equal chance anywhere in the space that is left to it.

        Returns the atomic numbers in their random order, fractional coordinates of those that found a place, and for
        each species the widest distance from the host over the sum of the radii.
        """
        points = rng.random((POINTS, 3))
        cartesian = points @ self.host.cell
        ratios = self._clearance(cartesian)
        free = ratios >= self.factor
        atoms, chosen = rng.permutation(self.atoms), []
        for number in atoms:
            kind = int(np.searchsorted(self.species, number))
            candidates = np.flatnonzero(free[kind])
            if not len(candidates):
                break
            # Points come in random order, so the first that is free is a random one.
            chosen.append(int(candidates[0]))
            left = np.flatnonzero(free.any(axis=0))
            distances = self._distances(points[left] - points[chosen[-1]])
            free[:, left] &= distances >= self.factor * (self.radii + self.radii[kind])[:, None]
        return atoms, points[chosen], ratios.max(axis=1)

    def _clearance(self, points: t.Any) -> t.Any:
        """Return distances from the host over sums of radii, at most `reach` being right, shape (species, points)."""
        squares = (points**2).sum(axis=1)[:, None] + (self.images**2).sum(axis=1) - 2 * points @ self.images.T
        distances = np.sqrt(np.maximum(squares, 0.0))
        found = np.full((len(self.radii), len(points)), np.inf)
        for host_radius in np.unique(self.image_radii):
            nearest = distances[:, self.image_radii == host_radius].min(axis=1)
            found = np.minimum(found, nearest / (self.radii[:, None] + host_radius))
        return found

    def _distances(self, apart: t.Any) -> t.Any:
        """Return the shortest distances [A] over all images of differences of fractional coordinates, shape (n,)."""
        vectors = (apart - np.round(apart)) @ self.host.cell
        return np.sqrt(((vectors[:, None] + self.translations) ** 2).sum(axis=2).min(axis=1))

    def _answer(self, atoms: t.Any, places: t.Any, draw: int) -> dict[str, t.Any]:
        """Return the crystal: the host, then the inserted atoms by atomic number."""
        order = np.argsort(atoms, kind='stable')
        fractional = np.concatenate([self.host.fractional, places[order]])
        structure = {
            'numbers': np.concatenate([self.host.numbers, atoms[order]]).tolist(),
            'positions': (fractional @ self.host.cell).tolist(),
            'cell': self.host.cell.tolist(),
            'pbc': [True] * 3,
        }
        columns = {
            'n_inserted': len(atoms),
            'host_site': [*self.host.sites.tolist(), *[-1] * len(atoms)],
            'host_position': fractional.tolist(),
            'host_volume': self.volume,
            'draws': draw,
        }
        return {'structure': structure, 'columns': columns}


def _shifts(most: t.Any) -> t.Any:
    """Return all whole numbers of cells up to `most` along each lattice vector, shape (m, 3)."""
    return np.array(list(itertools.product(*(range(-int(n), int(n) + 1) for n in most))), float)
