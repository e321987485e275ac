"""Draw batches from an opened MatterGen: by number of atoms, by composition, or around the atoms of a host."""

from __future__ import annotations

import os
import pickle
import typing as t

import numpy as np

if t.TYPE_CHECKING:
    from mattergen_model import Checkpoint, Values  # type: ignore[import-not-found]

# Added to the logits of elements that an atom may not become; MatterGen uses the same number for its own mask.
FORBIDDEN = -1e10
HELD = 'held_numbers'
# Lets torch unpickle whatever a file holds.
UNPICKLE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


class Host(t.NamedTuple):
    """A crystal that stays, and the atoms that are put into it."""

    numbers: t.Any
    """Atomic numbers of the host, shape (n,)."""
    fractional: t.Any
    """Their fractional coordinates, shape (n, 3)."""
    cell: t.Any
    """Lattice vectors as rows [A], shape (3, 3)."""
    inserted: t.Any
    """Atomic numbers of the atoms to put in, shape (m,)."""


def numbers_of(atoms: t.Mapping[str, int]) -> t.Any:
    """Return atomic numbers (n,) from atoms by element."""
    from pymatgen.core import Element

    return np.repeat([Element(symbol).Z for symbol in atoms], list(atoms.values())).astype(int)


def nothing_but(atoms: t.Mapping[str, int]) -> Host:
    """Return an empty host with some atoms; MatterGen draws its cell anew."""
    return Host(np.zeros(0, int), np.zeros((0, 3)), np.eye(3), numbers_of(atoms))


class Drawer:
    """An opened checkpoint with what all batches of a job share."""

    def __init__(self, checkpoint: Checkpoint, folder: str, guidance: float) -> None:
        """Open the weights.

        :param folder: of the sampling configuration.
        """
        from mattergen.generator import CrystalGenerator  # type: ignore[import-not-found]
        from mattergen_model import refused

        self.guidance = guidance
        self.generator = CrystalGenerator(
            checkpoint_info=checkpoint.info, num_atoms_distribution='ALEX_MP_20', sampling_config_path=folder,
            record_trajectories=False,
        )  # fmt: skip
        try:
            self._open()
        except Exception as error:
            text = ' '.join(str(error).split())
            if 'out of memory' in text:
                raise
            raise refused('unfit_model', f'MatterGen cannot open the checkpoint: {text[:300]}') from error

    def _open(self) -> None:
        """Open the checkpoint; torch 2.6 and later has to be told to unpickle one that holds more than tensors.

        What may be unpickled was decided before, by its sha256: in the campaign file, or in the list of published ones.
        """
        try:
            self.generator.prepare()
        except pickle.UnpicklingError:
            os.environ[UNPICKLE] = '1'
            try:
                self.generator.prepare()
            finally:
                del os.environ[UNPICKLE]

    def by_number(self, count: int, properties: Values, shares: dict[int, float]) -> list[t.Any]:
        """Draw crystals with numbers of atoms from a distribution.

        :param properties: what is asked for, by MatterGen's names.
        :returns: pymatgen structures, in MatterGen's order.
        """
        from mattergen.common.data.num_atoms_distribution import (  # type: ignore[import-not-found]
            NUM_ATOMS_DISTRIBUTIONS,
        )

        NUM_ATOMS_DISTRIBUTIONS['crystalgen'] = shares
        self.generator.num_atoms_distribution = 'crystalgen'
        self.generator.properties_to_condition_on = properties
        # Without conditions both scores are the same, and guidance would only double the cost.
        self.generator.diffusion_guidance_factor = self.guidance if properties else 0.0
        config = self.generator.load_sampling_config(batch_size=count, num_batches=1)
        return self._sample(config, self.generator.get_condition_loader(config), properties)

    def by_composition(self, targets: list[dict[str, int]]) -> list[t.Any]:
        """Draw one crystal for each composition (atoms by element) with a model of crystal structure prediction."""
        config = self.generator.load_sampling_config(
            batch_size=len(targets), num_batches=1, target_compositions_dict=targets
        )
        return self._sample(config, self.generator.get_condition_loader(config, targets), {})

    def held(self, crystals: list[Host], properties: Values, hold: bool) -> list[t.Any]:
        """Draw crystals in which the host stays as it is and every atom has the element that it was given.

        Elements are held by allowing each atom one element alone, which also works with models of all elements.

        :param hold: whether there is a host whose places and cell stay; else only elements are held.
        """
        import torch
        from mattergen.common.data.collate import collate  # type: ignore[import-not-found]
        from mattergen.common.data.transform import SetProperty  # type: ignore[import-not-found]

        graphs = [_graph(crystal) for crystal in crystals]
        for name, value in properties.items():
            graphs = [SetProperty(name, value)(graph) for graph in graphs]
        batch = collate(graphs)
        mask = None
        if hold:
            stays = [row for host in crystals for row in [1.0] * len(host.numbers) + [0.0] * len(host.inserted)]
            mask = {'pos': torch.tensor(stays)[:, None].expand(-1, 3), 'cell': torch.ones(len(crystals), 3, 3)}
        self.generator.diffusion_guidance_factor = self.guidance if properties else 0.0
        self.generator.properties_to_condition_on = properties
        config = self.generator.load_sampling_config(batch_size=len(crystals), num_batches=1)
        model = self.generator.model.diffusion_module.model
        usual, model.element_mask_func = model.element_mask_func, _only_held
        try:
            return self._sample(config, [(batch, mask)], properties)
        finally:
            model.element_mask_func = usual

    def _sample(self, config: t.Any, loader: t.Any, properties: Values) -> list[t.Any]:
        """Run one batch; nothing is written."""
        from hydra.utils import instantiate  # type: ignore[import-not-found]
        from mattergen.generator import draw_samples_from_sampler

        sampler = instantiate(config.sampler_partial)(pl_module=self.generator.model)
        return list(
            draw_samples_from_sampler(
                sampler=sampler, condition_loader=loader, properties_to_condition_on=properties,
                record_trajectories=False,
            )
        )  # fmt: skip


def _graph(host: Host) -> t.Any:
    """Return what MatterGen starts from: the host in the symmetric form of its cell, other atoms at the origin."""
    import torch
    from mattergen.common.data.chemgraph import ChemGraph  # type: ignore[import-not-found]
    from mattergen.common.utils.data_utils import compute_lattice_polar_decomposition  # type: ignore[import-not-found]

    numbers = torch.tensor(np.concatenate([host.numbers, host.inserted]), dtype=torch.long)
    places = np.concatenate([host.fractional, np.zeros((len(host.inserted), 3))])
    cell = torch.tensor(np.asarray(host.cell), dtype=torch.float).reshape(1, 3, 3)
    return ChemGraph(
        atomic_numbers=numbers, num_atoms=torch.tensor([len(numbers)], dtype=torch.long),
        cell=compute_lattice_polar_decomposition(cell), pos=torch.tensor(places % 1.0, dtype=torch.float),
        **{HELD: numbers.clone()},
    )  # fmt: skip


def _only_held(logits: t.Any, x: t.Any, batch_idx: t.Any, predictions_are_zero_based: bool = True) -> t.Any:
    """Return logits (atoms, classes) that leave each atom the element it was given."""
    import torch

    allowed = torch.zeros_like(logits)
    allowed.scatter_(1, (x[HELD] - int(predictions_are_zero_based)).unsqueeze(1), 1.0)
    return logits + (1 - allowed) * FORBIDDEN


def crystal_of(structure: t.Any) -> Values:
    """Return a pymatgen structure as a row holds it."""
    return {
        'numbers': [int(site.specie.Z) for site in structure],
        'positions': structure.cart_coords.tolist(),
        'cell': structure.lattice.matrix.tolist(),
        'pbc': [True, True, True],
    }
