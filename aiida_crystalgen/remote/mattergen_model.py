"""MatterGen in this process: a checkpoint opened with care, a sampling configuration of our own, batches with a seed.

Its command line is not used: it has no seed, no number of atoms, drops conditions without a word when no guidance
factor is given, and writes everything at the very end, through files in `/tmp` that all runs of a machine share.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import typing as t

Values = t.Dict[str, t.Any]

# MatterGen's names of what a campaign can ask for; of several the first that the model was trained on.
KEYS = {
    'chemical_system': ('chemical_system',),
    'space_group': ('space_group',),
    'energy_above_hull': ('energy_above_hull',),
    'formation_energy': ('formation_energy_per_atom',),
    'band_gap': ('dft_band_gap',),
    'magnetic_density': ('dft_mag_density',),
    'bulk_modulus': ('ml_bulk_modulus', 'dft_bulk_modulus'),
    'hhi_score': ('hhi_score',),
}
MOST_ATOMS = 20
# What the configuration of a checkpoint may name: these are called when the checkpoint is opened.
CLASSES = {
    'mattergen.adapter.GemNetTAdapter',
    'mattergen.common.diffusion.corruption.LatticeVPSDE.from_vpsde_config',
    'mattergen.common.diffusion.corruption.NumAtomsVarianceAdjustedWrappedVESDE',
    'mattergen.common.gemnet.gemnet.GemNetT',
    'mattergen.common.gemnet.gemnet_ctrl.GemNetTCtrl',
    'mattergen.common.gemnet.layers.embedding_block.AtomEmbedding',
    'mattergen.common.loss.MaterialsLoss',
    'mattergen.common.utils.data_utils.StandardScalerTorch',
    'mattergen.denoiser.GemNetTDenoiser',
    'mattergen.denoiser.mask_disallowed_elements',
    'mattergen.diffusion.corruption.d3pm_corruption.D3PMCorruption',
    'mattergen.diffusion.corruption.multi_corruption.MultiCorruption',
    'mattergen.diffusion.d3pm.d3pm.MaskDiffusion',
    'mattergen.diffusion.d3pm.d3pm.create_discrete_diffusion_schedule',
    'mattergen.diffusion.diffusion_module.DiffusionModule',
    'mattergen.diffusion.lightning_module.DiffusionLightningModule',
    'mattergen.diffusion.model_utils.NoiseLevelEncoding',
    'mattergen.property_embeddings.ChemicalSystemMultiHotEmbedding',
    'mattergen.property_embeddings.EmbeddingVector',
    'mattergen.property_embeddings.PropertyEmbedding',
    'mattergen.property_embeddings.SetEmbeddingType',
    'mattergen.property_embeddings.SpaceGroupEmbeddingVector',
    'mattergen.property_embeddings.ZerosEmbedding',
    'torch.nn.Identity',
    'torch.optim.Adam',
    'torch.optim.AdamW',
    'torch.optim.lr_scheduler.ReduceLROnPlateau',
}
USUAL_STEPS = 1000
WEIGHTS = 'checkpoints/last.ckpt'
ELEMENT_MASK = (
    '++lightning_module.diffusion_module.model.element_mask_func='
    "{_target_:'mattergen.denoiser.mask_disallowed_elements',_partial_:True}"
)
SEEDS = 1 << 32


def prepare(device: str) -> None:
    """Make MatterGen importable with the numpy and the files at hand, on the device that was asked for.

    Its code asks numpy 1 for `numpy.math`, takes a GPU whenever there is one, and the package of PyPI lacks a file of
    scale factors, which every checkpoint holds as well.
    """
    import numpy
    import torch

    if not hasattr(numpy, 'math'):
        setattr(numpy, 'math', math)  # noqa: B010
    kind = str(device).partition(':')[0]
    available = {'cuda': torch.cuda.is_available, 'mps': torch.backends.mps.is_available}
    if kind in available and not available[kind]():
        raise refused('no_device', f'the job was given the device `{device}`, but torch finds none there')
    if kind == 'cuda':
        torch.cuda.set_device(torch.device(device).index or 0)
    try:
        from mattergen.common.gemnet.layers import scaling  # type: ignore[import-not-found]
        from mattergen.common.utils import globals as shared  # type: ignore[import-not-found]
    except ImportError as error:
        raise RuntimeError(f'MatterGen cannot be imported: {error}; see docs/howto/generators/mattergen.md') from error
    kept = torch.cuda.is_available, torch.backends.mps.is_available
    torch.cuda.is_available = lambda: kind == 'cuda'
    torch.backends.mps.is_available = lambda: kind == 'mps'
    try:  # both remember what they answered first
        shared.get_device()
        shared.get_pyg_device()
    finally:
        torch.cuda.is_available, torch.backends.mps.is_available = kept
    read = scaling.read_value_json
    scaling.read_value_json = lambda path, key: read(path, key) if os.path.isfile(path) else None


def sampling_config(steps: int, corrector_steps: int, draws_elements: bool) -> Values:
    """Return MatterGen's sampling configuration, for a model that draws elements or one that is given them.

    :param steps: of the diffusion; a model that draws elements knows only the number that it was trained with.
    :param corrector_steps: Langevin steps at each of them.
    """
    diffusion, wrapped = 'mattergen.common.diffusion', 'mattergen.diffusion.wrapped.wrapped_predictors_correctors'
    sampling, embeddings = 'mattergen.diffusion.sampling', 'mattergen.property_embeddings'
    predictors: Values = {
        'pos': {'_target_': f'{wrapped}.WrappedAncestralSamplingPredictor', '_partial_': True},
        'cell': {
            '_target_': f'{diffusion}.predictors_correctors.LatticeAncestralSamplingPredictor', '_partial_': True,
        },
    }  # fmt: skip
    if draws_elements:
        predictors['atomic_numbers'] = {
            '_target_': 'mattergen.diffusion.d3pm.d3pm_predictors_correctors.D3PMAncestralSamplingPredictor',
            'predict_x0': True, '_partial_': True,
        }  # fmt: skip
    langevin = {'_partial_': True, 'max_step_size': 1e6}
    correctors = {
        'pos': {'_target_': f'{wrapped}.WrappedLangevinCorrector', 'snr': 0.4, **langevin},
        'cell': {
            '_target_': f'{diffusion}.predictors_correctors.LatticeLangevinDiffCorrector', 'snr': 0.2, **langevin,
        },
    }  # fmt: skip
    loader = 'get_number_of_atoms_condition_loader' if draws_elements else 'get_composition_data_loader'
    return {
        'sampler_partial': {
            '_target_': f'{sampling}.classifier_free_guidance.GuidedPredictorCorrector.from_pl_module',
            '_partial_': True,
            'N': steps,
            'eps_t': 1 / steps,
            'guidance_scale': 0.0,
            'remove_conditioning_fn': {'_target_': f'{embeddings}.SetUnconditionalEmbeddingType'},
            'keep_conditioning_fn': {'_target_': f'{embeddings}.SetConditionalEmbeddingType'},
            'predictor_partials': predictors,
            'corrector_partials': correctors,
            'n_steps_corrector': corrector_steps,
        },
        'condition_loader_partial': {
            '_partial_': True, '_target_': f'mattergen.common.data.condition_factory.{loader}',
        },
    }  # fmt: skip


class Checkpoint:
    """What the configuration of a checkpoint says, before its weights are opened."""

    def __init__(self, folder: str) -> None:
        """Read `config.yaml`.

        :raises RefusedError: when it is no checkpoint of MatterGen, or names what MatterGen's own do not.
        """
        from mattergen.common.utils.data_classes import MatterGenCheckpointInfo  # type: ignore[import-not-found]
        from omegaconf import OmegaConf  # type: ignore[import-not-found]

        if not os.path.isfile(os.path.join(folder, 'config.yaml')):
            words = 'a checkpoint of MatterGen is a folder with `config.yaml` and `checkpoints/last.ckpt`'
            raise refused('unfit_model', f'{words}; `{os.path.basename(folder)}` has no `config.yaml`')
        self.info = MatterGenCheckpointInfo(
            model_path=os.path.abspath(folder), load_epoch='last', config_overrides=[ELEMENT_MASK]
        )
        content: t.Any = OmegaConf.to_container(self.info.config, resolve=False)
        strange = sorted(
            set(called(content.get('lightning_module'))) - CLASSES - {'mattergen.denoiser.mask_disallowed_elements'}
        )
        if strange:
            words = f'`config.yaml` of the checkpoint names `{strange[0]}`, which no model of MatterGen is made of'
            raise refused('unfit_model', f'{words}; such a file can run any code, so it is not opened')
        try:
            diffusion = content['lightning_module']['diffusion_module']
            model = diffusion['model']
            discrete = diffusion['corruption'].get('discrete_corruptions') or {}
        except (KeyError, TypeError) as error:
            raise refused('unfit_model', f'`config.yaml` of the checkpoint has no {error}') from None
        self.trained = {*(model.get('property_embeddings') or {}), *(model.get('property_embeddings_adapt') or {})}
        self.draws_elements = bool(discrete)
        self.trained_steps = {int(part['d3pm']['schedule']['num_steps']) for part in discrete.values()}

    def keys(self, asked: t.Iterable[str]) -> dict[str, str]:
        """Return MatterGen's names of what is asked for.

        :raises RefusedError: when the model was not trained on it.
        """
        found = {}
        for name in asked:
            known = [key for key in KEYS[name] if key in self.trained]
            if not known:
                terms = sorted(term for term, keys in KEYS.items() if self.trained & set(keys))
                words = f'it was trained on {", ".join(terms)}' if terms else 'it was trained on no condition'
                raise refused('untrained_condition', f'the model was not trained on `{name}`: {words}')
            found[name] = known[0]
        return found

    def steps_of(self, wanted: int | None) -> int:
        """Return the steps of the diffusion.

        :raises RefusedError: when they are not those that the elements were trained with.
        """
        if wanted is not None and self.trained_steps - {wanted}:
            trained = ', '.join(map(str, sorted(self.trained_steps)))
            words = f'the model was trained with {trained} steps and knows no other number, such as {wanted}'
            raise refused('wrong_steps', f'{words}: take `steps` out')
        return wanted or next(iter(self.trained_steps), USUAL_STEPS)


def refused(status: str, sentence: str) -> Exception:
    """Return what ends a job, whatever row is tried."""
    import tools  # type: ignore[import-not-found]

    return t.cast(Exception, tools.RefusedError(status, sentence))


def published(name: str | None, about: t.Mapping[str, t.Any]) -> str:
    """Return the folder of a published checkpoint, which MatterGen fetches from Hugging Face or finds in its cache.

    :raises RefusedError: when it cannot, or when the weights are not those that were listed.
    """
    from mattergen.common.utils.data_classes import MatterGenCheckpointInfo

    listed = about['checkpoints'].get(name)
    if listed is None:
        raise refused('unfit_model', 'MatterGen needs a `model`: the folder of a checkpoint, or a published name')
    try:
        folder = str(MatterGenCheckpointInfo.from_hf_hub(name).model_path)
    except Exception as error:
        advice = f'get it elsewhere and give `model: remote:/path/to/{name}`'
        words = f'MatterGen could not fetch the checkpoint `{name}` ({type(error).__name__})'
        raise refused('unfit_model', f'{words}; on a computer without network {advice}') from error
    digest = hashlib.sha256()
    with open(os.path.join(folder, WEIGHTS), 'rb') as handle:
        for block in iter(lambda: handle.read(1 << 20), b''):
            digest.update(block)
    if digest.hexdigest() != listed['files'][WEIGHTS]:
        words = f'the checkpoint `{name}` that was fetched is not the published one'
        raise refused('unfit_model', f'{words}: its sha256 is {digest.hexdigest()}')
    return folder


def called(content: t.Any) -> t.Iterator[str]:
    """Yield what a configuration would call, and the expressions that would be worked out, at any depth."""
    if isinstance(content, dict):
        yield from (str(value) for key, value in content.items() if key == '_target_')
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from called(value)
    elif isinstance(content, str) and '${' in content and (':' in content or content[:19] != '${lightning_module.'):
        yield content


def atom_numbers(least: int | None, most: int | None, uniform: bool, multiple: int = 1) -> dict[int, float]:
    """Return the probability of each number of atoms: MatterGen's histogram or equal ones, cut to a range.

    :param multiple: atoms of a formula; only whole multiples of it are left.
    :raises ValueError: with a sentence, when nothing is left.
    """
    from mattergen.common.data.num_atoms_distribution import (  # type: ignore[import-not-found]
        NUM_ATOMS_DISTRIBUTIONS,
    )

    known = NUM_ATOMS_DISTRIBUTIONS['ALEX_MP_20']
    low, high = least or 1, most or MOST_ATOMS
    weights = {
        number: 1.0 if uniform else known.get(number, 0.0)
        for number in range(low, high + 1) if number % multiple == 0
    }  # fmt: skip
    total = sum(weights.values())
    if not total:
        words = f' that is a multiple of the {multiple} of the formula' if multiple > 1 else ''
        raise ValueError(f'there is no number of atoms from {low} to {high}{words}; widen `min_atoms` and `max_atoms`')
    return {number: weight / total for number, weight in weights.items() if weight}


def seed_everything(seed: int) -> None:
    """Seed every source of chance that MatterGen uses."""
    import numpy
    import torch

    seed %= SEEDS
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def write_sampling_config(scratch: str, content: Values) -> str:
    """Write a sampling configuration as the `default` of a folder of its own and return the folder."""
    folder = os.path.join(os.path.abspath(scratch), 'mattergen_sampling')
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'default.yaml'), 'w', encoding='utf-8') as handle:
        json.dump(content, handle)  # which is YAML as well
    return folder
