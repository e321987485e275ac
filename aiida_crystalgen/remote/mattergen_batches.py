"""The batches of a MatterGen job: what was asked is checked, each batch is drawn whole and becomes rows."""

from __future__ import annotations

import re
import typing as t

import numpy as np

if t.TYPE_CHECKING:
    from mattergen_draw import Host  # type: ignore[import-not-found]
    from mattergen_model import Values  # type: ignore[import-not-found]

FORMULA = re.compile(r'([A-Z][a-z]?)(\d*)')
HEAVIEST = 83
# Fractional coordinates of a host pass through numbers of single precision, unchanged otherwise.
STILL = 1e-4


class Batches:
    """The opened model and what was asked of it."""

    def __init__(self, about: t.Mapping[str, t.Any], settings: Values, job: t.Any) -> None:
        """Refuse what cannot be done before the weights are opened, and open them.

        :raises RefusedError: with a sentence.
        """
        import mattergen_draw  # type: ignore[import-not-found]
        import mattergen_model as model  # type: ignore[import-not-found]

        self.about, self.settings = about, settings
        self.asked = {name: settings[name] for name in model.KEYS if settings[name] is not None}
        if self.asked and not settings['guidance'] > 0:
            words = f'with `guidance` 0 MatterGen ignores every condition ({", ".join(self.asked)})'
            raise model.refused('guidance_ignored', f'{words}: give a factor above 0, such as 2')
        self.host = read_host(job.assets, settings['insert'], about['elements'])
        self.formula = atoms_of(settings['composition'], about['elements'])
        model.prepare(job.device)
        checkpoint = model.Checkpoint(job.model or model.published(job.parameters.get('model'), about))
        self.keys = checkpoint.keys(self.asked)
        steps = checkpoint.steps_of(settings['steps'])
        self.draws_elements = checkpoint.draws_elements
        if not (self.draws_elements or self.formula or self.host):
            raise model.refused('unfit_model', 'this model predicts the structure of a formula: give `composition`')
        self.shares: dict[int, float] = {}
        if not self.host:
            uniform, atoms = settings['distribution'] == 'uniform', sum(self.formula.values())
            self.shares = model.atom_numbers(settings['min_atoms'], settings['max_atoms'], uniform, atoms or 1)
        config = model.sampling_config(steps, settings['corrector_steps'], self.draws_elements)
        folder = model.write_sampling_config(job.scratch, config)
        self.drawer = mattergen_draw.Drawer(checkpoint, folder, settings['guidance'])

    def draw(self, unit: int, seed: int, most: int) -> list[Values]:
        """Return what every row of a batch becomes; in pieces where the memory does not hold the batch.

        :param unit: number of the batch: of a list of values, batches take one after the other.
        :param most: crystals in a piece; the k-th piece that is tried has the seed `seed` + k.
        """
        import mattergen_model as model
        import tools  # type: ignore[import-not-found]

        asked = {name: tools.of_unit(value, unit) for name, value in self.asked.items()}
        properties = {self.keys[name]: value for name, value in asked.items()}
        requested = tools.requested(self.about, self.settings, unit)
        rows: list[Values] = []
        pending = [count for _, count in tools.pieces(self.settings['batch_size'], most)]
        while pending:
            count = pending.pop(0)
            model.seed_everything(seed)
            seed += 1
            try:
                drawn = self._rows(count, properties)
            except IndexError as error:  # of MatterGen's network, where a crystal of the piece has no neighbours at all
                if count > 1:
                    pending[:0] = [count - count // 2, count // 2]
                    continue
                drawn = [no_neighbours(error)]
            for row in drawn:
                rows.append({**row, 'columns': {**row['columns'], **requested, 'drawn_with': count}})
        return rows

    def _rows(self, count: int, properties: Values) -> list[Values]:
        """Return the crystals of one piece; every source of chance has been seeded."""
        import mattergen_draw as drawing
        import mattergen_model as model
        import mattergen_outputs as outputs  # type: ignore[import-not-found]

        if self.host:
            structures = self.drawer.held([self.host] * count, properties, hold=True)
            return [in_host(self.host, structure) for structure in structures]
        if self.formula:
            structures = self._of_formula(count, properties)
        else:
            structures = self.drawer.by_number(count, properties, self.shares)
        system = properties.get('chemical_system')
        ignored = outputs.ignored(system, [outputs.symbols(structure) for structure in structures]) if system else ''
        if ignored:
            raise model.refused('guidance_ignored', ignored)
        return [as_row(drawing.crystal_of(structure)) for structure in structures]

    def _of_formula(self, count: int, properties: Values) -> list[t.Any]:
        """Return structures of the formula, of several numbers of atoms."""
        import mattergen_draw as drawing

        per_formula = sum(self.formula.values())
        sizes = np.random.choice(list(self.shares), size=count, p=list(self.shares.values()))
        targets = [
            {symbol: number * int(atoms) // per_formula for symbol, number in self.formula.items()} for atoms in sizes
        ]
        if not self.draws_elements:
            return list(self.drawer.by_composition(targets))
        return list(self.drawer.held([drawing.nothing_but(target) for target in targets], properties, hold=False))


def as_row(crystal: Values) -> Values:
    """Return a crystal as a row, rejected when an atom was left without an element."""
    row: Values = {'structure': crystal, 'columns': {}}
    if max(crystal['numbers'], default=0) > HEAVIEST:
        words = 'MatterGen left an atom without an element'
        row['rejected'] = {'reason': 'no_element', 'detail': words, 'value': None, 'threshold': None}
    return row


def no_neighbours(error: IndexError) -> Values:
    """Return the row of a crystal that MatterGen could not finish."""
    words = f'MatterGen made a cell in which no atom has a neighbour, and stopped ({error})'
    return {'columns': {}, 'rejected': {'reason': 'no_neighbours', 'detail': words, 'value': None, 'threshold': None}}


def in_host(host: Host, structure: t.Any) -> Values:
    """Return the host with the atoms that MatterGen placed; the host itself exactly as it was given."""
    kept, drawn = len(host.numbers), np.asarray(structure.frac_coords, float)
    fractional = np.concatenate([host.fractional, drawn[kept:] % 1.0])
    apart = drawn[:kept] - host.fractional
    moved = float(np.abs(apart - np.round(apart)).max(initial=0.0))
    numbers = [int(site.specie.Z) for site in structure]
    crystal = {
        'numbers': numbers,
        'positions': (fractional @ host.cell).tolist(),
        'cell': host.cell.tolist(),
        'pbc': [True, True, True],
    }
    columns = {
        'n_inserted': len(host.inserted),
        'host_site': [*range(kept), *[-1] * len(host.inserted)],
        'host_position': fractional.tolist(),
        'host_volume': abs(float(np.linalg.det(host.cell))),
    }
    row: Values = {'structure': crystal, 'columns': columns}
    if moved > STILL or numbers != [*host.numbers, *host.inserted]:
        words = f'MatterGen did not keep the host: a coordinate moved by {moved:.4f} of the cell, or an element changed'
        row['rejected'] = {'reason': 'host_not_kept', 'detail': words, 'value': moved, 'threshold': STILL}
    return row


def atoms_of(formula: str | None, elements: t.Sequence[str]) -> dict[str, int]:
    """Return the atoms of a formula such as `LiFePO4`, without brackets.

    :raises ValueError: with a sentence, where it is none or names elements that MatterGen does not draw.
    """
    if not formula:
        return {}
    found: dict[str, int] = {}
    for symbol, number in FORMULA.findall(formula):
        found[symbol] = found.get(symbol, 0) + int(number or 1)
    if FORMULA.sub('', formula).strip() or not all(found.values()):
        raise ValueError(f'`{formula}` is not a formula such as LiFePO4, of elements and whole numbers')
    _refuse_unknown(found, elements)
    return found


def read_host(assets: t.Mapping[str, str], insert: t.Any, elements: t.Sequence[str]) -> Host | None:
    """Return the one crystal of asset `host` and what is put into it; None without one.

    :raises ValueError: with a sentence, where one is given without the other or cannot be read.
    """
    import hosts  # type: ignore[import-not-found]
    from mattergen_draw import Host, numbers_of

    path = assets.get('host')
    if not path and not insert:
        return None
    if not path or not insert:
        raise ValueError('`host` and `insert` go together: the file of a crystal, and the atoms to put into it')
    _refuse_unknown(insert, elements)
    return Host(*hosts.read_host(path), numbers_of(insert))


def _refuse_unknown(atoms: t.Mapping[str, int], elements: t.Sequence[str]) -> None:
    unknown = [symbol for symbol in atoms if symbol not in elements]
    if unknown:
        words = 'its elements go to Bi, without Tc, Pm and the noble gases'
        raise ValueError(f'MatterGen does not draw {", ".join(unknown)}: {words}')
