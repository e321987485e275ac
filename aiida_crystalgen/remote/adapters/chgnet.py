"""CHGNet: a universal potential whose trained weights come inside its package."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from relaxation import Row

ABOUT = {
    'name': 'chgnet',
    'kind': 'potential',
    'summary': 'CHGNet, a universal graph network trained on MPtrj; its weights are part of its package.',
    'elements': [
        'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar', 'K', 'Ca',
        'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr', 'Rb', 'Sr', 'Y',
        'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe', 'Cs', 'Ba', 'La', 'Ce',
        'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf', 'Ta', 'W', 'Re', 'Os', 'Ir',
        'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Ac', 'Th', 'Pa', 'U', 'Np', 'Pu',
    ],
    'licence': 'BSD-3-Clause (modified, Regents of the University of California)',
    'citation': ['B. Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi:10.1038/s42256-023-00716-3'],
    'install': 'pip install chgnet',
    'requires': ['chgnet', 'torch', 'numpy', 'pymatgen'],
    'needs': ['relaxation', 'descent'],
    'training': None,
    'energy_convention': 'mp2020',
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'model': {'type': 'text', 'default': '0.3.0', 'choices': ['0.3.0', '0.2.0', 'r2scan'], 'help':
                  'packaged weights; energies of `r2scan` follow r2SCAN and no correction scheme'},
        'precision': {'type': 'text', 'default': 'float32', 'choices': ['float32', 'float64'], 'help':
                      'number format; in float64 forces can be relaxed to 1e-5 eV/A'},
    },
    'conditions': {},
    'columns': {},
}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def level(job: t.Any) -> str:
    """Return the level of theory of the energies."""
    from relaxation import level_of_theory, settings

    model, sha256 = weights(job)
    return str(level_of_theory(f'chgnet-{model}', sha256, settings(ABOUT, job)['precision'], job))


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row relaxed, or rejected with a reason."""
    from relaxation import relax

    yield from relax(rows, job, Chgnet(job))


def weights(job: t.Any) -> tuple[str, str]:
    """Return name and sha256 of the weights without importing the package."""
    from importlib.util import find_spec
    from pathlib import Path

    from relaxation import settings, sha256_of

    model = settings(ABOUT, job)['model']
    spec: t.Any = find_spec('chgnet')
    (filepath,) = Path(spec.submodule_search_locations[0], 'pretrained', model).glob('*.pth.tar')
    return model, sha256_of(filepath)


class Chgnet:
    """CHGNet evaluated with one backward pass; its own calculator makes two that can be differentiated again."""

    def __init__(self, job: t.Any) -> None:
        from ase.data import atomic_numbers
        from chgnet.model.model import CHGNet
        from relaxation import settings

        model, self.sha256 = weights(job)
        self.name, self.device = f'chgnet-{model}', job.device
        self.precision = settings(ABOUT, job)['precision']
        symbols: t.Any = ABOUT['elements']
        self.numbers = frozenset(atomic_numbers[symbol] for symbol in symbols)
        self.model = CHGNet.load(model_name=model, use_device=job.device, verbose=False).eval().requires_grad_(False)
        if self.precision == 'float64':
            self.model.double()
            self.model.composition_model.float()  # it makes its own features in single precision

    def evaluate(self, numbers: t.Any, positions: t.Any, cell: t.Any) -> tuple[float, t.Any, t.Any]:
        """Return energy [eV], forces [eV/A] and stress [eV/A^3] from slopes along fractions and cell."""
        import numpy as np
        import torch

        graph = self.graph(numbers, positions, cell)
        energy = self.model([graph.to(self.device)], task='e')['e'].sum() * len(numbers)
        slopes = torch.autograd.grad(energy, [graph.atom_frac_coord, graph.lattice])
        by_fraction, by_cell = (slope.double().cpu().numpy() for slope in slopes)
        return energy.item(), -by_fraction @ np.linalg.inv(cell).T, cell.T @ by_cell / np.linalg.det(cell)

    def forces_of(self, cells: t.Sequence[t.Any]) -> list[t.Any]:
        """Return the forces [eV/A] on some crystals, given as numbers, positions and cell, in one pass."""
        import numpy as np
        import torch

        graphs = [self.graph(*cell) for cell in cells]
        energies = self.model([graph.to(self.device) for graph in graphs], task='e')['e']
        sizes = torch.tensor([len(cell[0]) for cell in cells], device=energies.device)
        slopes = torch.autograd.grad((energies * sizes).sum(), [graph.atom_frac_coord for graph in graphs])
        return [-slope.double().cpu().numpy() @ np.linalg.inv(cell[2]).T for slope, cell in zip(slopes, cells)]

    def graph(self, numbers: t.Any, positions: t.Any, cell: t.Any) -> t.Any:
        """Return the graph that CHGNet's converter makes, from arrays: each bond there, then each one back."""
        import numpy as np
        import torch
        from chgnet.graph.crystalgraph import CrystalGraph
        from pymatgen.optimization.neighbors import find_points_in_spheres
        from relaxation import Rejected

        reach, short_reach = self.model.graph_converter.atom_graph_cutoff, self.model.graph_converter.bond_graph_cutoff
        first, second, image, length = find_points_in_spheres(
            positions, positions, r=float(reach), pbc=np.ones(3, dtype=np.int64), lattice=cell, tol=1e-8)  # fmt: skip
        others = length > 0
        if len(np.unique(first[others])) < len(numbers):
            raise Rejected('isolated_atoms', f'An atom has no neighbour within {reach} A, the reach of {self.name}.')
        # Of two opposite directed bonds the one to the later atom, or to the later image of the same atom.
        x, y, z = image.T
        once = (first < second) | ((first == second) & ((x > 0) | (x == 0) & ((y > 0) | (y == 0) & (z > 0))))
        first, second, image, length = first[once], second[once], image[once], length[once]
        atoms = np.concatenate([np.stack([first, second], axis=1), np.stack([second, first], axis=1)])
        angles = np.array(angles_between(atoms[:, 0], np.tile(length <= short_reach, 2)))
        bonds = len(first)

        def integers(array: t.Any) -> t.Any:
            return torch.from_numpy(array.astype(np.int32))

        def numbers_of(array: t.Any) -> t.Any:
            return torch.from_numpy(array).to(getattr(torch, self.precision))

        return CrystalGraph(
            atomic_number=integers(numbers), atom_graph=integers(atoms), atom_graph_cutoff=reach,
            bond_graph_cutoff=short_reach, neighbor_image=numbers_of(np.concatenate([image, -image])),
            directed2undirected=integers(np.tile(np.arange(bonds), 2)), undirected2directed=integers(np.arange(bonds)),
            bond_graph=integers(np.stack([atoms[angles[0], 0], angles[0] % bonds, angles[0], angles[1] % bonds,
                                          angles[1]], axis=1)),
            atom_frac_coord=numbers_of(positions @ np.linalg.inv(cell)).requires_grad_(),
            lattice=numbers_of(np.array(cell)).requires_grad_())  # fmt: skip


def angles_between(centers: t.Any, short: t.Any) -> tuple[t.Any, t.Any]:
    """Return all ordered pairs of different short directed bonds that start at the same atom."""
    import numpy as np

    bonds = np.flatnonzero(short)
    bonds = bonds[np.argsort(centers[bonds], kind='stable')]
    counts = np.bincount(centers[bonds])
    partners = counts[centers[bonds]]
    left = np.repeat(np.arange(len(bonds)), partners)
    begin = (np.cumsum(counts) - counts)[centers[bonds]]
    right = np.arange(len(left)) - np.repeat(np.cumsum(partners) - partners, partners) + begin[left]
    return bonds[left[left != right]], bonds[right[left != right]]
