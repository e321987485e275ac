"""MACE: a published foundation model by name, or a model file that is trusted by its sha256."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from relaxation import Row

ABOUT = {
    'name': 'mace',
    'kind': 'potential',
    'summary': 'MACE equivariant potentials: the foundation models (downloaded by MACE) or a file of your own.',
    'elements': 'any',
    'licence': 'MIT (code); that of the model: MIT for MP-0 and MPA-0, ASL (not commercial) for OMAT and MATPES',
    'citation': [
        'I. Batatia et al., MACE, NeurIPS 35 (2022), doi:10.48550/arXiv.2206.07697',
        'I. Batatia et al., A foundation model for atomistic materials chemistry, doi:10.48550/arXiv.2401.00096',
    ],
    'install': 'pip install mace-torch',
    'requires': ['mace-torch', 'e3nn', 'torch', 'ase', 'numpy'],
    'needs': ['relaxation', 'descent'],
    'training': None,
    'energy_convention': 'raw_mp_pbe_u',
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'model': {'type': 'text', 'default': 'medium-mpa-0', 'help':
                  'name of a foundation model, unless a file is given; energies are raw PBE(+U) only for MP-0, MPA-0'},
        'trust': {'type': 'text', 'default': '', 'help':
                  'sha256 of the model file: such files can run code when they are opened, so this is required'},
        'precision': {'type': 'text', 'default': 'float32', 'choices': ['float32', 'float64'], 'help':
                      'number format; float64 takes twice as long'},
        'head': {'type': 'text', 'default': '', 'help': 'which head of a model that has several'},
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

    options = settings(ABOUT, job)
    name, _, sha256 = weights(options, job.model)
    return str(level_of_theory(name, sha256, options['precision'], job))


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row relaxed, or rejected with a reason."""
    import warnings

    from relaxation import FromCalculator, relax, settings

    options = settings(ABOUT, job)
    name, filepath, sha256 = weights(options, job.model)
    with warnings.catch_warnings():  # MACE asks torch to unpickle, and torch warns at every file
        warnings.simplefilter('ignore')
        from mace.calculators import MACECalculator

        head = {'head': options['head']} if options['head'] else {}
        calculator = MACECalculator(
            model_paths=filepath, device=job.device, default_dtype=options['precision'], **head)  # fmt: skip
    yield from relax(rows, job, FromCalculator(calculator, name, sha256, options['precision'], calculator.z_table.zs))


def weights(options: t.Mapping[str, t.Any], filepath: str | None) -> tuple[str, str, str]:
    """Return name, path and sha256 of the model; a file is not opened before its sha256 is found to be trusted."""
    import os

    from relaxation import sha256_of, trusted

    if filepath:
        return f'mace-{os.path.splitext(os.path.basename(filepath))[0]}', filepath, trusted(filepath, options['trust'])
    filepath = download(options['model'])
    return f'mace-{options["model"]}', filepath, trusted(filepath, options['trust'] or sha256_of(filepath))


def download(name: str) -> str:
    """Return the path of a foundation model in MACE's cache; MACE downloads what is not there."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from mace.calculators.foundations_models import download_mace_mp_checkpoint, mace_mp_urls

    if name not in mace_mp_urls:
        raise ValueError(f'MACE has no foundation model `{name}`; it has: {", ".join(mace_mp_urls)}.')
    try:
        return str(download_mace_mp_checkpoint(name))
    except (OSError, RuntimeError) as error:
        raise RuntimeError(f'The MACE model `{name}` is not in the cache and cannot be downloaded here ({error}); '
                           'copy it there, or give a model file and its sha256.') from error  # fmt: skip
