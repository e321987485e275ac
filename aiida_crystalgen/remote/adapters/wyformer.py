"""WyFormer: a transformer draws Wyckoff genes (space group, sites, elements), PyXtal makes crystals of them."""

from __future__ import annotations

import functools
import gzip
import os
import shutil
import typing as t
from pathlib import Path

ABOUT = {
    'name': 'wyformer',
    'kind': 'generator',
    'summary': 'WyFormer (Wyckoff Transformer): draws space group, Wyckoff sites and elements; PyXtal draws the cell '
               'and the free coordinates, so that crystals need relaxation.',
    'elements': 'any',
    'licence': 'Apache-2.0 (wyckoff-transformer), MIT (PyXtal)',
    'citation': [
        'N. Kazeev, W. Nong, I. Romanov, R. Zhu, A. Ustyuzhanin, S. Yamazaki, K. Hippalgaonkar, Wyckoff Transformer: '
        'Generation of Symmetric Crystals (2025), doi:10.48550/arXiv.2503.02407',
        'S. Fredericks, K. Parrish, D. Sayre, Q. Zhu, PyXtal: a Python library for crystal structure generation and '
        'symmetry analysis, Comput. Phys. Commun. 261, 107810 (2021), doi:10.1016/j.cpc.2020.107810',
    ],
    'install': "pip install 'wyckoff-transformer>=2' 'pandas<3' (Python 3.12)",
    'requires': ['wyckoff-transformer', 'torch', 'pyxtal', 'pymatgen', 'spglib', 'numpy'],
    'needs': ['tools', 'genes'],
    'unconditional': True,
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    # Masks and start tokens of the sampler, whatever the model was trained on.
    'always': [
        'chemical_system', 'required', 'allowed', 'space_groups', 'space_group_weights', 'min_atoms', 'max_atoms',
    ],
    'honours': {
        'chemical_system': 'chemical_system', 'space_group': 'space_groups', 'min_atoms': 'min_atoms',
        'max_atoms': 'max_atoms',
    },
    'checkpoint': {
        'form': 'folder', 'unpickled': [], 'by_name': False, 'required_input': True,
        'required': ['best_model_params.pt', 'config.yaml', 'wyckoff_processor.json*', 'spacegroup_distribution.json*'],
    },
    'checkpoints': {
        'ioi8tycx': {
            'training': 'MP-20: Materials Project, 27,136 crystals', 'elements': '89 elements of MP-20',
            'max_atoms': 20, 'conditions': [], 'licence': 'Apache-2.0; data CC-BY-4.0', 'size_mb': 0.6,
            'source': 'src/wyckoff_transformer/tests/fixtures/ioi8tycx of github.com/SymmetryAdvantage/'
                      'WyckoffTransformer',
            'files': {
                'best_model_params.pt': '93bccb2721f6509fa362fe10f0fa35e4342400767ea501c5514755d5fec798f1',
                'config.yaml': '24573a068ad5fc1c94aec086a239e35be4382ca58628e271d7966b3c586539e1',
                'spacegroup_distribution.json': '636b16178a773b9dc3c1f4a8abc7bc7b186940bc172dec3b3f13c1cf07bbac0e',
            },
        },
        'ioi8tycx-cpu': {
            'training': 'as ioi8tycx; parameters saved again for the CPU', 'elements': '89 elements of MP-20',
            'max_atoms': 20, 'conditions': [], 'licence': 'Apache-2.0; data CC-BY-4.0', 'size_mb': 0.6,
            'source': 'ioi8tycx, loaded with map_location=cpu and saved',
            'files': {
                'best_model_params.pt': '5fa70340fba45053aa12824b549d1ec67ac3960493d46604db8b41ea4fe66b5f',
                'config.yaml': '24573a068ad5fc1c94aec086a239e35be4382ca58628e271d7966b3c586539e1',
                'spacegroup_distribution.json': '636b16178a773b9dc3c1f4a8abc7bc7b186940bc172dec3b3f13c1cf07bbac0e',
            },
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'genes that are drawn at once, with one seed; a job draws whole batches'},
        'temperature': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.05, 'maximum': 5.0,
            'help': 'below 1 probable sites and elements become more probable; space groups are not touched'},
        'tries': {'type': 'int', 'default': 10, 'unit': '', 'minimum': 1,
            'help': 'cells that PyXtal tries for a gene, each 10 % larger than the one before, before the row is '
                    'rejected'},
        'volume_factor': {'type': 'list', 'default': [0.8, 1.4], 'unit': '',
            'help': 'range, drawn uniformly, of the volume of the first cell over its prior: the sum over atoms of the '
                    'mean of the covalent and the van der Waals sphere volume (radii of PyXtal)'},
        'min_distance_factor': {'type': 'float', 'default': 0.65, 'unit': '', 'minimum': 0.1, 'maximum': 1.0,
            'help': 'shortest distance wanted, over the sum of the covalent radii of the pair; the authors of WyFormer '
                    'take 0.65'},
    },
    'conditions': {
        'chemical_system': {'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Li-Fe-O: all of them and no others; in place of `required` and `allowed`'},
        'required': {'type': 'list', 'default': [], 'unit': '',
            'help': 'symbols of elements that must occur; WyFormer puts them on the first sites'},
        'allowed': {'type': 'list', 'default': None, 'unit': '', 'help': 'symbols of the only elements, null for all'},
        'space_groups': {'type': 'list', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 230,
            'help': 'numbers to draw from, null for the distribution that the model was trained on'},
        'space_group_weights': {'type': 'list', 'default': None, 'unit': '', 'minimum': 0.0,
            'help': 'how often each of `space_groups` is drawn, relative to the others; null for equally often'},
        'min_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1,
            'help': 'fewest atoms, primitive cell; genes with fewer are rejected'},
        'max_atoms': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1,
            'help': 'most atoms, primitive cell; genes with more are rejected'},
    },
    'columns': {
        'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the space group of the gene; the crystal can be more symmetric by chance'},
        'wyckoff': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'sites of the gene, such as Mg:4a O:4b'},
        'decode_tries': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'cells that were tried until the atoms of the gene found their places'},
    },
}  # fmt: skip
OLDEST = 2
SEEDS = 2**32


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them.

    :raises RuntimeError: when one is missing or too old.
    """
    from importlib.metadata import PackageNotFoundError, version

    requires: t.Any = ABOUT['requires']
    found = {}
    for name in requires:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise RuntimeError(f'{name} is not in the Python of the Code: {ABOUT["install"]}') from None
    if int(found['wyckoff-transformer'].split('.')[0]) < OLDEST:
        raise RuntimeError('wyckoff-transformer 1 ignores the temperature: pip install -U wyckoff-transformer')
    return found


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns that these parameters give."""
    import tools  # type: ignore[import-not-found]

    return t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from genes that were drawn as one unit."""
    import tools

    settings = tools.settings_of(ABOUT, job.parameters)
    drawer = Drawer(settings, job)
    asked = tools.requested(ABOUT, settings)
    size, seed, drawn = settings['batch_size'], -1, []
    for row in rows:
        # A unit is drawn whole, so that a row is the same crystal whatever else was asked for.
        if row['seed'] != seed:
            seed = row['seed']
            drawn = [
                (gene, count)
                for number, (_, count) in enumerate(tools.pieces(size, job.batch_size))
                for gene in drawer.genes(count, (seed + number) % SEEDS)
            ]
        place = row['index'] % size
        gene, together = drawn[place]
        found = _answer(gene, settings, [seed, place])
        yield {'id': row['id'], **found, 'columns': {**asked, **found['columns'], 'drawn_with': together}}


class Drawer:
    """WyFormer with a model loaded, and what genes shall be like."""

    def __init__(self, settings: dict[str, t.Any], job: t.Any) -> None:
        import torch
        from omegaconf import OmegaConf  # type: ignore[import-not-found]
        from wyckoff_transformer import trainer as tool  # type: ignore[import-not-found]

        # Sums depend on the number of threads; a job gets its speed from its processes.
        torch.set_num_threads(1)
        # The table of all Wyckoff positions is made anew for every draw: 6 s of CPU against 1 s for 64 genes.
        tool.get_wp_index = functools.lru_cache(maxsize=None)(tool.get_wp_index)
        folder, device = Path(prepared(job.model, job.scratch)), torch.device(job.device)
        config = OmegaConf.load(folder / 'config.yaml')
        self.trainer = tool.WyckoffTrainer.from_config(
            config, device=device, use_cached_tensors=False, run_path=folder, load_datasets=False
        )
        tool.load_model_weights(self.trainer.model, folder / 'best_model_params.pt', device)
        self.settings, self.elements = settings, _elements(settings)
        self.check()

    def check(self) -> None:
        """Refuse a model that needs more than it is told, and elements and space groups that it does not know."""
        import tools

        if self.trainer.condition_dim is not None:
            words = 'needs values for what it was trained on, which this generator cannot give: take another model'
            raise tools.RefusedError('unfit_model', f'the model {words}')
        known = {str(element) for element in self.trainer.tokenisers['elements']}
        strange = sorted({element for wanted in self.elements.values() for element in wanted or ()} - known)
        if strange:
            words = f'the model was trained without {", ".join(strange)}: take other elements, or another model'
            raise tools.RefusedError('untrained_condition', words)
        groups, weights = self.settings['space_groups'], self.settings['space_group_weights']
        tokens = self.trainer.tokenisers[self.trainer.start_name]
        unseen = [str(group) for group in groups or [] if group not in tokens]
        if unseen:
            words = f'the model has not seen space group {", ".join(unseen)}: it knows {len(tokens)} of 230'
            raise tools.RefusedError('untrained_condition', words)
        if weights is not None and (len(weights) != len(groups or []) or not sum(weights) > 0):
            words = '`space_group_weights` has to give a number for each of `space_groups`, not all of them 0'
            raise tools.RefusedError('wrong_parameters', words)

    def genes(self, count: int, seed: int) -> list[t.Any]:
        """Return so many genes, None in place of those that were no valid ones."""
        import random

        import numpy as np
        import torch

        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        required, allowed = (self.elements[name] for name in ('required', 'allowed'))
        masks: dict[str, t.Any] = {}
        if required or allowed is not None:
            masks['required_element_set'] = '-'.join(required) or set()
            masks['allowed_element_set'] = 'all' if allowed is None else '-'.join(allowed)
        found = self.trainer.generate_structures(
            count, calibrate=False, start_tensor=self.starts(count), temperature=self.settings['temperature'], **masks
        )
        return [*found, *[None] * (count - len(found))]

    def starts(self, count: int) -> t.Any:
        """Return the tokens of the space groups to begin with, None for those of the training."""
        import torch

        groups = self.settings['space_groups']
        if not groups:
            return None
        weights = torch.tensor(self.settings['space_group_weights'] or [1.0] * len(groups), dtype=torch.float64)
        chosen = [int(groups[int(place)]) for place in torch.multinomial(weights, count, replacement=True)]
        tokens, device = self.trainer.tokenisers[self.trainer.start_name], self.trainer.device
        if self.trainer.model.start_type == 'one_hot':
            return tokens.encode_spacegroups(chosen, dtype=torch.float32, device=device)
        return torch.tensor([tokens[group] for group in chosen], dtype=torch.int64, device=device)


def prepared(model: str | None, scratch: str) -> str:
    """Return a copy of the folder of a model, its files decompressed.

    :raises RuntimeError: where there is no such folder.
    """
    if not model or not os.path.isdir(model):
        raise RuntimeError('no model was given: `model` has to be a folder with best_model_params.pt and config.yaml')
    folder = os.path.join(os.path.abspath(scratch), 'model')
    shutil.rmtree(folder, ignore_errors=True)
    for root, _, names in os.walk(model):
        target = os.path.normpath(os.path.join(folder, os.path.relpath(root, model)))
        os.makedirs(target)
        for name in names:
            opener, plain = (gzip.open, name[:-3]) if name.endswith('.gz') else (open, name)
            with opener(os.path.join(root, name), 'rb') as source, open(os.path.join(target, plain), 'wb') as copy:
                shutil.copyfileobj(source, copy)
    return folder


def _elements(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the elements that are required, and those that are allowed (None: all)."""
    import tools

    system = settings['chemical_system']
    if not system:
        required, allowed = list(settings['required'] or []), settings['allowed']
        if allowed is not None and not set(required) <= set(allowed):
            raise tools.RefusedError('wrong_parameters', 'elements of `required` are missing in `allowed`')
        return {'required': required, 'allowed': allowed}
    if settings['required'] or settings['allowed'] is not None:
        raise tools.RefusedError('wrong_parameters', 'give either `chemical_system`, or `required` and `allowed`')
    elements = sorted(set(system.split('-')))
    return {'required': elements, 'allowed': elements}


def _answer(gene: t.Any, settings: t.Mapping[str, t.Any], seed: list[int]) -> dict[str, t.Any]:
    """Return the crystal of a gene, or why there is none."""
    import genes  # type: ignore[import-not-found]

    if gene is None:
        columns: dict[str, t.Any] = {'space_group_requested': None, 'wyckoff': None, 'decode_tries': None}
        detail = 'WyFormer drew sites that its space group does not have; a part of every batch is lost so.'
        return _rejected(columns, 'no_valid_gene', detail)
    columns = {'space_group_requested': gene['group'], 'wyckoff': genes.label(gene), 'decode_tries': None}
    atoms = genes.primitive_atoms(gene)
    for reason, limit, sign in (('too_few_atoms', 'min_atoms', 1), ('too_many_atoms', 'max_atoms', -1)):
        if settings[limit] is not None and sign * atoms < sign * settings[limit]:
            detail = f'The primitive cell of the gene has {atoms} atoms.'
            return _rejected(columns, reason, detail, value=atoms, threshold=settings[limit])
    structure, tries = genes.decode(gene, settings, seed)
    columns['decode_tries'] = tries
    if structure is None:
        detail = f'PyXtal found no places for the atoms in {tries} cells; raise `tries` or `volume_factor`.'
        return _rejected(columns, 'not_decoded', detail)
    return {'structure': structure, 'columns': columns}


def _rejected(
    columns: dict[str, t.Any], reason: str, detail: str, value: t.Any = None, threshold: t.Any = None
) -> dict[str, t.Any]:
    rejected = {'reason': reason, 'detail': detail, 'value': value, 'threshold': threshold}
    return {'columns': columns, 'rejected': rejected}
