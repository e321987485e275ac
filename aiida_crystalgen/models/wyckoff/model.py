"""The model as its users see it: load it, sample crystals, ask how probable a crystal is."""

from __future__ import annotations

import dataclasses
import json
import pkgutil
import re
import typing as t
from pathlib import Path

import numpy as np
import torch

from . import weights
from .batches import Examples, negative_log_probability
from .crystal import SymmetricCrystal
from .draft import Drawn
from .elements import N_ELEMENTS, SYMBOLS, atomic_number
from .grammar import MAX_ATOMS, WishError, Wishes
from .network import Network, Shape, label_bins
from .sampler import Sampler, Settings
from .symmetry import has_its_group

FORMAT, VERSION = 'crystalgen.wyckoff', '1'
PACKAGED = 'weights.safetensors'


@dataclasses.dataclass(frozen=True)
class Sample:
    """A crystal that was drawn.

    :ivar numbers: (n,) atomic numbers; `positions` (n, 3) Cartesian and `cell` (3, 3) [A] of a primitive cell.
    :ivar reason: why it is to be rejected: `dead_end` (no choice kept the wishes) or `no_cell` (its angles close no
        cell), both without atoms; `more_symmetric` (its space group is a higher one); empty where it is good.
    :ivar columns: `logp` [nats], `space_group` and `wyckoff` (such as `Mg:4a O:4b`).
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    reason: str
    columns: dict[str, t.Any]


class WyckoffModel:
    """A trained network with the volumes of its elements.

    :ivar metadata: what the file says of its training, texts by name.
    :ivar elements: atomic numbers that occurred in training; others are not drawn.
    """

    def __init__(self, network: Network, volumes: np.ndarray, metadata: t.Mapping[str, str]) -> None:
        self.network, self.volumes, self.metadata = network.eval(), volumes, dict(metadata)
        self.elements = frozenset(json.loads(metadata['elements']))

    @classmethod
    def load(cls, filepath: str | Path | None = None, device: str = 'cpu') -> WyckoffModel:
        """Load a file of weights, without one the weights of the package. Nothing in the file is executed.

        :raises WeightsError: no safetensors file, or one of another model.
        """
        content = Path(filepath).read_bytes() if filepath is not None else pkgutil.get_data(__package__ or '', PACKAGED)
        arrays, metadata = weights.read(content or b'')
        if (metadata.get('format'), metadata.get('format_version')) != (FORMAT, VERSION):
            raise weights.WeightsError(f'these are no weights of the format {FORMAT}, version {VERSION}')
        volumes = arrays.pop('volumes').astype(float)
        network = Network(Shape(**json.loads(metadata['shape'])))
        try:
            network.load_state_dict(
                {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
            )
        except RuntimeError as error:
            raise weights.WeightsError(
                f'the weights do not fit the network that the file describes: {error}'
            ) from error
        return cls(network.to(device), volumes, metadata)

    def sample(
        self,
        n: int,
        seed: int | t.Sequence[int] = 0,
        temperature: float = 1.0,
        *,
        space_groups: t.Sequence[int] | None = None,
        chemical_system: str | None = None,
        subsystems: bool = False,
        required: t.Sequence[str] = (),
        excluded: t.Sequence[str] = (),
        formula: str | None = None,
        min_atoms: int = 1,
        max_atoms: int = MAX_ATOMS,
        template: str | None = None,
        e_above_hull: float | None = None,
        formation_energy: float | None = None,
        variety: float = 1.0,
        guidance: float = 0.0,
        clearance: float = 0.6,
        tolerance: float = 0.1,
        batch_size: int = 64,
    ) -> list[Sample]:
        """Draw crystals; what is wished of atoms and symmetry holds for every one of them.

        :param seed: decides everything; the same seed gives the same crystals on the same machine and `batch_size`.
        :param temperature: below 1 the probable becomes more probable among Wyckoff letters, cells and coordinates.
        :param space_groups: numbers to choose from.
        :param chemical_system: such as `Li-Fe-O`: all of these elements and no others; with `subsystems` any of them.
        :param required: symbols that must occur; `excluded` symbols must not.
        :param formula: such as `LiFePO4`; primitive cells hold whole multiples of it.
        :param min_atoms: fewest, `max_atoms` most atoms in the primitive cell.
        :param template: letters of all sites, such as `abc`, in the one space group given.
        :param e_above_hull: energy above hull [eV/atom] that the crystals should be like; no guarantee.
        :param formation_energy: formation energy [eV/atom] that they should be like; no guarantee.
        :param variety: the temperature of space groups and elements; below 1 crystals repeat each other.
        :param guidance: how far the two labels push beyond what the model learned, 0 for not at all.
        :param clearance: cells and coordinates are masked that bring atoms closer than this share of the sum of their
            atomic radii; where there is no room, the widest places are left. 0 for no such mask.
        :param tolerance: distance [A] within which atoms count as the same when the space group is checked.
        :raises WishError: the wishes contradict each other, or no crystal can keep them.
        """
        if min(temperature, variety) <= 0 or guidance < 0 or clearance < 0:
            raise WishError('temperature and variety are above 0, guidance and clearance are at least 0')
        wishes = make_wishes(
            space_groups, chemical_system, subsystems, required, excluded, formula, min_atoms, max_atoms, template
        )
        wishes = self._within_training(wishes)
        unknown = float('nan')
        values = [unknown if value is None else value for value in (e_above_hull, formation_energy)]
        system = _system_shares(wishes)
        rng = np.random.default_rng(seed)
        atoms = json.loads(self.metadata.get('atoms', '[]'))
        sampler = Sampler(self.network, self.volumes, Settings(temperature, variety, guidance, clearance), atoms)
        labels = label_bins(np.array([values]))[0].tolist()
        drawn: list[Drawn] = []
        while len(drawn) < n:
            drawn += sampler.draw(min(batch_size, n - len(drawn)), wishes, labels, system, rng)
        return [_sample(row, tolerance) for row in drawn]

    def _within_training(self, wishes: Wishes) -> Wishes:
        """Return the wishes with none but the elements of the training.

        :raises WishError: another element is wished for.
        """
        named = wishes.required | {number for number, _ in wishes.formula or ()}
        if named - self.elements:
            symbols = ', '.join(SYMBOLS[number] for number in sorted(named - self.elements))
            raise WishError(f'the model was not trained on {symbols}; leave it out or train on such crystals')
        if wishes.formula is not None:
            return wishes
        known = self.elements if wishes.allowed is None else wishes.allowed & self.elements
        return dataclasses.replace(wishes, allowed=known)

    @torch.no_grad()
    def log_probability(self, crystals: t.Sequence[SymmetricCrystal], labels: np.ndarray | None = None) -> np.ndarray:
        """Return the log-probability [nats] of encoded crystals; NaN where one has too many sites.

        :param labels: (n, 2) energy above hull and formation energy [eV/atom]; unknown without.
        """
        known = labels if labels is not None else np.full((len(crystals), 2), np.nan)
        examples = Examples(crystals, known, self.volumes, self.network.sizes.tell_atoms)
        result = np.full(len(crystals), np.nan)
        for places in examples.batches(8192, None):
            parts = negative_log_probability(self.network, examples.collate(places), *examples.conditions(places, None))
            result[[examples.places[place] for place in places]] = -sum(parts.values(), torch.zeros(len(places)))
        return result


def make_wishes(
    space_groups: t.Sequence[int] | None = None,
    chemical_system: str | None = None,
    subsystems: bool = False,
    required: t.Sequence[str] = (),
    excluded: t.Sequence[str] = (),
    formula: str | None = None,
    min_atoms: int = 1,
    max_atoms: int = MAX_ATOMS,
    template: str | None = None,
) -> Wishes:
    """Return the wishes that words say: see `WyckoffModel.sample`.

    :raises WishError: they cannot be understood, or contradict each other.
    """
    try:
        needed = {atomic_number(symbol) for symbol in required}
        banned = {atomic_number(symbol) for symbol in excluded}
        system = {atomic_number(symbol) for symbol in chemical_system.split('-')} if chemical_system else None
        amounts = parse_formula(formula) if formula else None
    except ValueError as error:
        raise WishError(str(error)) from error
    if needed & banned:
        raise WishError('an element is both required and excluded')
    if system is not None and not subsystems:
        needed |= system
    allowed = system
    if banned:
        allowed = (system if system is not None else set(range(1, N_ELEMENTS + 1))) - banned
    return Wishes(
        space_groups=tuple(sorted({int(number) for number in space_groups})) if space_groups else None,
        allowed=frozenset(allowed) if allowed is not None else None,
        required=frozenset(needed),
        formula=tuple(sorted(amounts.items())) if amounts else None,
        min_atoms=min_atoms,
        max_atoms=max_atoms,
        template=template,
    )


def parse_formula(formula: str) -> dict[int, int]:
    """Return the amounts of a formula without brackets, such as `LiFePO4`.

    :raises ValueError: it is none.
    """
    parts = re.findall(r'([A-Z][a-z]?)(\d*)', formula)
    if not parts or ''.join(symbol + amount for symbol, amount in parts) != formula:
        raise ValueError(f'`{formula}` is no formula such as LiFePO4, with whole amounts and without brackets')
    amounts: dict[int, int] = {}
    for symbol, amount in parts:
        number = atomic_number(symbol)
        amounts[number] = amounts.get(number, 0) + int(amount or 1)
    if min(amounts.values()) < 1:
        raise ValueError(f'an amount in `{formula}` is 0')
    return amounts


def _system_shares(wishes: Wishes) -> np.ndarray:
    """Return what the network is told of the elements: shares, or nothing where they are open."""
    shares = np.zeros(N_ELEMENTS + 1)
    if wishes.formula is not None:
        for number, amount in wishes.formula:
            shares[number] = amount
    elif wishes.allowed is not None and wishes.allowed == wishes.required:
        shares[list(wishes.allowed)] = 1
    return np.asarray(shares / max(shares.sum(), 1))


def _sample(drawn: Drawn, tolerance: float) -> Sample:
    crystal = drawn.crystal
    if crystal is None:
        return Sample(np.zeros(0, int), np.zeros((0, 3)), np.zeros((3, 3)), drawn.reason, {'logp': drawn.logp})
    labels = [f'{SYMBOLS[site.number]}:{crystal.group.positions[site.letter].label}' for site in crystal.sites]
    columns = {'logp': drawn.logp, 'space_group': crystal.space_group, 'wyckoff': ' '.join(labels)}
    reason = '' if has_its_group(crystal, tolerance) else 'more_symmetric'
    return Sample(*crystal.primitive(), reason, columns)
