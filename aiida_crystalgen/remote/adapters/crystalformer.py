"""CrystalFormer: space group informed transformer for crystals, by the unmodified `main.py` of its clone (JAX)."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
import typing as t

ABOUT = {
    'name': 'crystalformer',
    'kind': 'generator',
    'summary': 'CrystalFormer: autoregressive transformer that draws Wyckoff sites, elements, coordinates and cell for '
               'a space group.',
    'elements': 'any',
    'licence': 'Apache-2.0 (CrystalFormer)',
    'citation': [
        'Z. Cao, X. Luo, J. Lv, L. Wang, Space Group Informed Transformer for Crystalline Materials Generation '
        '(2024), doi:10.48550/arXiv.2403.15734',
        'Z. Cao, L. Wang, CrystalFormer-RL: Reinforcement Fine-Tuning for Materials Design (2025), '
        'doi:10.48550/arXiv.2504.02367',
    ],
    'install': 'git clone https://github.com/deepmodeling/CrystalFormer; pip install jax dm-haiku==0.0.17 optax pandas '
               'pyxtal; then `export CRYSTALFORMER_HOME=<the clone>` before jobs of the Code',
    'requires': ['jax', 'dm-haiku', 'optax', 'pandas', 'pymatgen', 'pyxtal', 'spglib', 'numpy'],
    'needs': ['tools', 'wyckoff_outputs', 'crystal_arrays', 'crystal_text'],
    'unconditional': True,
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 'batch_size',
    # Masks of the sampler, and the space group that every model was trained with.
    'always': ['space_group', 'chemical_system', 'wyckoff_letters'],
    'honours': {'space_group': 'space_group', 'chemical_system': 'chemical_system'},
    'checkpoint': {'form': 'file', 'unpickled': ['*.pkl'], 'required': [], 'by_name': False, 'required_input': True},
    'checkpoints': {
        'alex20': {
            'training': 'Alex-20: Alexandria, 1.3 million crystals with an energy above hull below 0.1 eV/atom',
            'elements': 'those of Alex-20', 'max_atoms': 20, 'conditions': [], 'licence': 'Apache-2.0; data CC-BY-4.0',
            'source': 'alex20/PBE/epoch_005500.pkl of huggingface.co/zdcao/CrystalFormer', 'files': {},
            'size_mb': None,
        },
        'alex20-rl-ehull': {
            'training': 'alex20, then rewarded for a low energy above the hull of Alexandria by the potential Orb',
            'elements': 'those of Alex-20', 'max_atoms': 20, 'conditions': [], 'licence': 'Apache-2.0; data CC-BY-4.0',
            'source': 'alex20/RL-ehull/epoch_000195.pkl of huggingface.co/zdcao/CrystalFormer', 'files': {},
            'size_mb': None,
        },
        'alex20-rl-dielectric': {
            'training': 'alex20, then rewarded for a high product of dielectric constant and band gap, both predicted',
            'elements': 'those of Alex-20', 'max_atoms': 20, 'conditions': [], 'licence': 'Apache-2.0; data CC-BY-4.0',
            'source': 'alex20/RL-dielectric/epoch_000100.pkl of huggingface.co/zdcao/CrystalFormer', 'files': {},
            'size_mb': None,
        },
    },
    'parameters': {
        'batch_size': {'type': 'int', 'default': 100, 'unit': '', 'minimum': 1,
            'help': 'crystals that are drawn at once, with one seed; a job draws whole batches, each in a process that '
                    'takes about a minute of CPU to begin'},
        'temperature': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.01, 'maximum': 10.0,
            'help': 'below 1 the probable becomes more probable'},
        'first_temperature': {'type': 'float', 'default': None, 'unit': '', 'minimum': 0.01, 'maximum': 10.0,
            'help': 'temperature of the element of the first site, null for `temperature`'},
        'top_p': {'type': 'float', 'default': 1.0, 'unit': '', 'minimum': 0.0, 'maximum': 1.0,
            'help': 'choices beyond this share of the probability are left out; 1 keeps all'},
        'no_radioactive': {'type': 'bool', 'default': False, 'unit': '',
            'help': 'whether radioactive elements and noble gases are left out; not together with `chemical_system`'},
        'mcmc_sweeps': {'type': 'int', 'default': 0, 'unit': '', 'minimum': 0,
            'help': 'Monte Carlo sweeps over what was drawn'},
        'mcmc_width': {'type': 'float', 'default': 0.1, 'unit': '', 'minimum': 0.0, 'help': 'width of their steps'},
        'nf': {'type': 'int', 'default': 5, 'unit': '', 'minimum': 1, 'help': 'frequencies of a coordinate'},
        'kx': {'type': 'int', 'default': 16, 'unit': '', 'minimum': 1, 'help': 'modes of a coordinate'},
        'kl': {'type': 'int', 'default': 4, 'unit': '', 'minimum': 1, 'help': 'modes of the cell'},
        'h0_size': {'type': 'int', 'default': 256, 'unit': '', 'minimum': 0, 'help': 'hidden size of the first site'},
        'transformer_layers': {'type': 'int', 'default': 16, 'unit': '', 'minimum': 1, 'help': 'layers'},
        'num_heads': {'type': 'int', 'default': 16, 'unit': '', 'minimum': 1, 'help': 'heads of the attention'},
        'key_size': {'type': 'int', 'default': 64, 'unit': '', 'minimum': 1, 'help': 'size of the keys'},
        'model_size': {'type': 'int', 'default': 64, 'unit': '', 'minimum': 1, 'help': 'size of the model'},
        'embed_size': {'type': 'int', 'default': 32, 'unit': '', 'minimum': 1, 'help': 'size of the embedding'},
        'n_max': {'type': 'int', 'default': 21, 'unit': '', 'minimum': 1, 'help': 'most sites, and one'},
        'atom_types': {'type': 'int', 'default': 119, 'unit': '', 'minimum': 2, 'help': 'elements, and one'},
        'wyck_types': {'type': 'int', 'default': 28, 'unit': '', 'minimum': 2, 'help': 'Wyckoff letters, and one'},
    },
    'conditions': {
        'space_group': {'type': 'int', 'default': None, 'unit': '', 'minimum': 1, 'maximum': 230, 'many': True,
            'needed': True,
            'help': 'number, which CrystalFormer needs; of a list, batches take one after the other'},
        'chemical_system': {'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Ba-Ti-O: no others, but a crystal may lack some of them'},
        'wyckoff_letters': {'type': 'text', 'default': None, 'unit': '',
            'help': 'Wyckoff letters of all sites in their order, such as abc'},
    },
    'columns': {
        'space_group_requested': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'number of the space group that the crystal was built in; it can be more symmetric by chance'},
        'wyckoff': {'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'Wyckoff sites, such as Ti:1a O:3c'},
        'logp': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'log-probability [nats] of the crystal in the model, before temperature and masks; crystals of a '
                    'batch are sorted by it'},
        'logp_w': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'share [nats] of the Wyckoff letters in `logp`'},
        'logp_a': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'share [nats] of the elements in `logp`'},
        'logp_xyz': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'share [nats] of the coordinates in `logp`'},
        'logp_l': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'share [nats] of the cell in `logp`'},
    },
}  # fmt: skip
ARCHITECTURE = (
    'nf', 'kx', 'kl', 'h0_size', 'transformer_layers', 'num_heads', 'key_size', 'model_size', 'embed_size', 'n_max',
    'atom_types', 'wyck_types',
)  # fmt: skip
# Options of `main.py` that begin with a capital letter.
CAPITAL = {'nf': 'Nf', 'kx': 'Kx', 'kl': 'Kl'}
LIKELIHOODS = ('logp', 'logp_w', 'logp_a', 'logp_xyz', 'logp_l')
# CrystalFormer counts letters from a, which is 1; after z comes A, and 0 is none.
LETTERS = '?abcdefghijklmnopqrstuvwxyzA'
# How Haiku tells that a checkpoint is of another network.
UNFIT = ('retrieved shape', 'Unable to retrieve parameter', 'non-None PRNGKey')
# The epoch has to be in the name.
CHECKPOINT = 'epoch_000000.pkl'
# JAX makes a generator of numbers with 32 bits.
SEEDS = 2**32


def versions() -> dict[str, str]:
    """Return the digest of the clone and the versions of its packages, without importing them.

    :raises RuntimeError: with a sentence, where something is not there.
    """
    from importlib.metadata import PackageNotFoundError, version

    import tools  # type: ignore[import-not-found]

    home = tools.home_of('CRYSTALFORMER_HOME')
    if not os.path.isfile(os.path.join(home, 'crystalformer', 'src', 'sample.py')):
        raise RuntimeError(f'CRYSTALFORMER_HOME is `{home}`, which is no clone of CrystalFormer')
    found = {'CrystalFormer': str(tools.sources_digest(home))}
    requires: t.Any = ABOUT['requires']
    for name in requires:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise RuntimeError(f'CrystalFormer needs `{name}`: install it in the Python of the Code') from None
    return found


def columns(job: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the columns that these parameters give."""
    import tools

    return t.cast('dict[str, dict[str, t.Any]]', tools.declared(ABOUT, job))


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Yield one crystal per request row; rows of one seed come from one run of `main.py`."""
    import tools

    settings = tools.settings_of(ABOUT, job.parameters)
    check(settings)
    bring_model(job)
    size, seed = settings['batch_size'], -1
    drawn: list[dict[str, t.Any]] = []
    for row in rows:
        # A unit is drawn whole, so that a row is the same crystal whatever else was asked for.
        if row['seed'] != seed:
            seed, drawn = row['seed'], []
            group = tools.of_unit(settings['space_group'], row['index'] // size)
            asked = tools.requested(ABOUT, settings, row['index'] // size)
            for number, (_, count) in enumerate(tools.pieces(size, job.batch_size)):
                found = read(draw(settings, group, count, (seed + number) % SEEDS, job), group)
                if len(found) != count:
                    raise RuntimeError(f'CrystalFormer wrote {len(found)} crystals, {count} were asked for')
                beside = {**asked, 'drawn_with': count}
                drawn += [{**one, 'columns': {**beside, **one['columns']}} for one in found]
        yield {'id': row['id'], **drawn[row['index'] % size]}


def check(settings: t.Mapping[str, t.Any]) -> None:
    """Refuse what `main.py` would ignore or die of."""
    import tools
    from crystal_text import ATOMIC_NUMBERS  # type: ignore[import-not-found]

    letters, system = settings['wyckoff_letters'], settings['chemical_system']
    words = ''
    if settings['space_group'] in (None, []):
        words = 'CrystalFormer needs a space group: give `space_group`, a number or several'
    elif letters is not None and not (set(letters) <= set(LETTERS[1:]) and 0 < len(letters) < settings['n_max']):
        words = f'`wyckoff_letters` are 1 to {settings["n_max"] - 1} letters such as abc, not `{letters}`'
    elif system and settings['no_radioactive']:
        words = 'CrystalFormer ignores `no_radioactive` where elements are given: take one of the two out'
    elif system and not all(0 < ATOMIC_NUMBERS.get(e, 0) < settings['atom_types'] for e in system.split('-')):
        words = f'`chemical_system` is `{system}`: give elements such as Ba-Ti-O that the model knows'
    if words:
        raise tools.RefusedError('wrong_parameters', words)


def bring_model(job: t.Any) -> None:
    """Copy the checkpoint to a name that `main.py` takes for one, whatever name it has.

    :raises RuntimeError: where there is none.
    """
    if not job.model or not os.path.isfile(job.model):
        raise RuntimeError('no model was given: `model` has to be a checkpoint such as epoch_005500.pkl')
    shutil.copyfile(job.model, os.path.join(job.scratch, CHECKPOINT))


def draw(settings: t.Mapping[str, t.Any], group: int, count: int, seed: int, job: t.Any) -> str:
    """Run `main.py` for one piece and return the table that it wrote.

    :raises RuntimeError: when it fails, or wrote none.
    """
    import tools

    scratch, home = os.path.abspath(job.scratch), tools.home_of('CRYSTALFORMER_HOME')
    # It appends to a table that is there.
    folder, checkpoint = os.path.join(scratch, 'drawn'), os.path.join(scratch, CHECKPOINT)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    argv = ['--optimizer', 'none', '--restore_path', checkpoint, '--save_path', folder + os.sep, '--seed', str(seed)]
    argv += ['--num_samples', str(count), '--batchsize', str(count), *arguments(settings, group)]
    # Compiling takes most of the time: what one run compiled, the next one finds.
    environment = {
        'PYTHONPATH': home, 'JAX_COMPILATION_CACHE_DIR': os.path.join(scratch, 'compiled'),
        'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0', 'JAX_TRACEBACK_FILTERING': 'off',
    }  # fmt: skip
    if job.device == 'cpu':
        environment['JAX_PLATFORMS'] = 'cpu'
    try:
        command = [sys.executable, os.path.join(home, 'main.py'), *argv]
        tools.run_command(command, cwd=scratch, env=environment, job=job, name='main.py')
    except RuntimeError as error:
        if not any(words in str(error) for words in UNFIT):
            raise
        words = 'the checkpoint has another architecture than the parameters say (nf, kx, kl, h0_size ...)'
        raise tools.RefusedError('unfit_model', f'{words}: {error}') from None
    with open(os.path.join(folder, f'output_{group}.csv'), encoding='utf-8', newline='') as handle:
        return handle.read()


def arguments(settings: t.Mapping[str, t.Any], group: int) -> list[str]:
    """Return the options of `main.py` that say what to draw, and of which architecture the model is."""
    names = (*ARCHITECTURE, 'temperature', 'top_p')
    options: dict[str, t.Any] = {CAPITAL.get(name, name): settings[name] for name in names}
    options.update(spacegroup=group, T1=settings['first_temperature'])
    argv = [word for name, value in options.items() if value is not None for word in (f'--{name}', str(value))]
    if settings['chemical_system']:
        argv += ['--elements', *sorted(set(settings['chemical_system'].split('-')))]
    if settings['wyckoff_letters']:
        argv += ['--wyckoff', *settings['wyckoff_letters']]
    if settings['no_radioactive']:
        argv += ['--remove_radioactive']
    if settings['mcmc_sweeps']:
        argv += ['--mcmc', '--nsweeps', str(settings['mcmc_sweeps']), '--mc_width', str(settings['mcmc_width'])]
    return argv


def read(text: str, group: int) -> list[dict[str, t.Any]]:
    """Return what becomes of each row of a table of CrystalFormer: a crystal, or why it is none."""
    import crystal_arrays  # type: ignore[import-not-found]
    import wyckoff_outputs  # type: ignore[import-not-found]
    from crystal_text import UnusableError

    found = []
    items = wyckoff_outputs.crystals_of_crystalformer(text, group)
    for item, row in zip(items, csv.DictReader(io.StringIO(text, newline=''))):
        values = {name: float(row[name]) for name in LIKELIHOODS}
        columns = {'space_group_requested': group, 'wyckoff': label(row), **values}
        try:
            found.append({'structure': crystal_arrays.crystal(item[2]), 'columns': columns})
        except UnusableError as error:
            rejected = {'reason': error.reason, 'detail': str(error), 'value': None, 'threshold': None}
            found.append({'columns': columns, 'rejected': rejected})
    return found


def label(row: t.Mapping[str, str]) -> str:
    """Return the sites of a row as a text, such as Ti:1a O:3c."""
    from crystal_text import SYMBOLS

    elements, letters, sizes = (json.loads(row[name]) for name in 'AWM')
    sites = [site for site in zip(elements, letters, sizes) if site[0]]
    return ' '.join(f'{SYMBOLS[number - 1]}:{size}{LETTERS[letter]}' for number, letter, size in sites)
