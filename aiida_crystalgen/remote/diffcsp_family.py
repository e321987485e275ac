"""What DiffCSP, DiffCSP++ and CrysBFN share: private checkpoints, drawing by units, reading what the tools wrote."""

from __future__ import annotations

import csv
import os
import shutil
import typing as t

# A tool writes into the folder of its checkpoint; what earlier runs left there is no part of the model.
OUTPUTS = ('eval_*.pt', 'eval_*.npy')
SEEDS = 2**32
# A cell that any tool takes for a crystal: what stands in its place is never used [A^3].
VOLUME_PER_ATOM = 20.0

Row = t.Dict[str, t.Any]


class Piece(t.NamedTuple):
    """Crystals that a tool draws at once."""

    unit: int
    """Number of the draw unit."""
    first: int
    """Place of the first crystal in the unit."""
    size: int
    seed: int
    folder: str
    """Empty folder that the tool may write to."""

    @property
    def label(self) -> str:
        """Return a name for the files of this piece."""
        return f'{self.unit}_{self.first}'


Draw = t.Callable[[Piece], t.List[Row]]


def run(about: t.Mapping[str, t.Any], rows: t.Iterable[Row], job: t.Any, variable: str, tool: t.Any) -> t.Iterator[Row]:
    """Yield one crystal per request row; rows of one seed come from one run of a script of the tool.

    :param variable: environment variable that leads to the clone.
    :param tool: class that is made of the settings, the folder of the clone and the job, and has `draw`.
    """
    import tools  # type: ignore[import-not-found]

    settings = tools.settings_of(about, job.parameters)
    yield from answers(rows, job, settings['batch_size'], tool(settings, tools.home_of(variable), job).draw)


def answers(rows: t.Iterable[Row], job: t.Any, size: int, draw: Draw) -> t.Iterator[Row]:
    """Yield the finished rows: a unit of `size` crystals is drawn whole, in pieces where the memory was too small.

    :param draw: returns what it makes of each crystal of a piece (`structure` or `rejected`, and `columns`).
    """
    import tools

    unit = -1
    found: list[Row] = []
    for row in rows:
        if row['index'] // size != unit:
            unit, found = row['index'] // size, []
            for number, (first, count) in enumerate(tools.pieces(size, job.batch_size)):
                folder = os.path.join(os.path.abspath(job.scratch), 'draw')
                shutil.rmtree(folder, ignore_errors=True)
                os.makedirs(folder)
                drawn = draw(Piece(unit, first, count, (row['seed'] + number) % SEEDS, folder))
                if len(drawn) != count:
                    raise RuntimeError(f'the tool wrote {len(drawn)} crystals, {count} were asked for')
                found += [{**one, 'columns': {**one['columns'], 'drawn_with': count}} for one in drawn]
        yield {'id': row['id'], **found[row['index'] % size]}


def versions(name: str, variable: str, script: str, packages: t.Sequence[str]) -> dict[str, str]:
    """Return the digest of a clone's Python files as its version, and the versions of packages.

    :param variable: environment variable that leads to the clone, which has to hold `script`.
    :raises RuntimeError: with a sentence, where something is not there.
    """
    import importlib.metadata

    import tools

    home = tools.home_of(variable)
    if not os.path.isfile(os.path.join(home, script)):
        raise RuntimeError(f'{variable} is `{home}`, which has no `{script}`: it has to be a clone of {name}')
    found = {name: tools.sources_digest(home)}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise RuntimeError(f'{name} needs `{package}`: install it in the Python of the Code') from None
    return found


def environment(home: str, job: t.Any) -> dict[str, str]:
    """Return the environment variables of a tool's process: its own ones, and one thread and no GPU on a CPU.

    The configuration that travels in a checkpoint is no plain tensors, so torch must be told to unpickle it; what may
    be unpickled was decided in the campaign file, by its sha256. A clone may hold a file `.env` of another machine.
    """
    scratch = os.path.abspath(job.scratch)
    path = os.pathsep.join([home, *filter(None, [os.environ.get('PYTHONPATH')])])
    on_cpu = {'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1'} if job.device == 'cpu' else {}
    return {
        'PROJECT_ROOT': home, 'HYDRA_JOBS': scratch, 'WABDB_DIR': scratch, 'WANDB_MODE': 'disabled',
        'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '1', 'PYTHON_DOTENV_DISABLED': '1', 'PYTHONPATH': path, **on_cpu,
    }  # fmt: skip


def private_copy(model: str | None, folder: str, part: str = '') -> str:
    """Return a folder with the files of a checkpoint that a tool may write into; large files are links.

    :param part: subfolder of the model that is meant.
    :raises RuntimeError: where there is no checkpoint.
    """
    import fnmatch

    if not model or not os.path.isdir(model):
        raise RuntimeError('no model was given: `model` has to be the folder of a checkpoint, with its hparams.yaml')
    source = os.path.join(model, part) if part else model
    names = sorted(os.listdir(source)) if os.path.isdir(source) else []
    if 'hparams.yaml' not in names or not any('.ckpt' in name for name in names):
        which = f'the folder `{part}` of the model' if part else 'the model'
        raise RuntimeError(f'{which} is no checkpoint: it has to hold hparams.yaml and a file *.ckpt')
    target = os.path.join(os.path.abspath(folder), part or 'model')
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    for name in names:
        path = os.path.join(source, name)
        if not os.path.isfile(path) or any(fnmatch.fnmatch(name, pattern) for pattern in OUTPUTS):
            continue
        if name.endswith('.yaml'):
            shutil.copyfile(path, os.path.join(target, name))
        else:
            _link(os.path.realpath(path), os.path.join(target, name))
    return target


def _link(source: str, target: str) -> None:
    """Make a link, or a copy where the disk has no links."""
    try:
        os.symlink(source, target)
    except OSError:
        shutil.copyfile(source, target)


def configuration(folder: str) -> t.Any:
    """Return the configuration that a checkpoint was trained with, from its hparams.yaml."""
    from omegaconf import OmegaConf  # type: ignore[import-not-found]

    return OmegaConf.load(os.path.join(folder, 'hparams.yaml'))


def check_task(draws_elements: bool, composition: str | None) -> None:
    """Refuse a model that was trained for the other task.

    :raises RefusedError: where elements are given to a model that draws them, or to one that does not are not.
    """
    import tools

    if composition and draws_elements:
        words = 'draws the elements itself and takes no `composition`: take a model for structure prediction'
        raise tools.RefusedError('unfit_model', f'the model {words}')
    if not composition and not draws_elements:
        words = 'predicts structures and draws no elements: give a `composition`, or take a model for generation'
        raise tools.RefusedError('unfit_model', f'the model {words}')


def bring_data(checkpoint: str, folder: str, contents: t.Sequence[t.Sequence[int]]) -> None:
    """Let a private checkpoint find a data set of our own: one crystal for each list of atomic numbers, in one batch.

    Only what the tool takes from it counts, numbers of atoms and elements: the places in the made-up cells are noise
    to be replaced.
    """
    from omegaconf import OmegaConf

    config = configuration(checkpoint)
    table = os.path.join(folder, 'data.csv')
    with open(table, 'w', newline='') as handle:
        writer = csv.writer(handle)
        writer.writerow(['material_id', str(config.data.prop), 'cif'])
        writer.writerows([f'made-up-{n}', 0.0, _cif(numbers)] for n, numbers in enumerate(contents))
    data = config.data
    # Graphs of bonds are for training; they take long, and p_tqdm would start many processes to make them.
    data.root_path, data.graph_method, data.preprocess_workers = folder, 'none', 1
    sets = data.datamodule.datasets
    for number, one in enumerate([sets.train, *sets.val, *sets.test]):
        one.path, one.graph_method, one.preprocess_workers = table, 'none', 1
        if 'save_path' in one:
            one.save_path = os.path.join(folder, f'cache_{number}.pt')
    for name in data.datamodule.batch_size:
        data.datamodule.batch_size[name] = len(contents)
        data.datamodule.num_workers[name] = 0
    OmegaConf.save(config, os.path.join(checkpoint, 'hparams.yaml'))


def _cif(numbers: t.Sequence[int]) -> str:
    """Return the CIF of a cubic cell with atoms on a grid, one volume for all."""
    from crystal_text import SYMBOLS  # type: ignore[import-not-found]

    edge = (VOLUME_PER_ATOM * len(numbers)) ** (1 / 3)
    steps = next(n for n in range(1, len(numbers) + 1) if n**3 >= len(numbers))
    lines = ['data_made_up', "_symmetry_space_group_name_H-M 'P 1'"]
    lines += [f'_cell_length_{axis} {edge:.6f}' for axis in 'abc']
    lines += [f'_cell_angle_{name} 90.0' for name in ('alpha', 'beta', 'gamma')]
    lines += ['loop_', '_symmetry_equiv_pos_as_xyz', "'x, y, z'", 'loop_', '_atom_site_type_symbol', '_atom_site_label']
    lines += [f'_atom_site_fract_{axis}' for axis in 'xyz'] + ['_atom_site_occupancy']
    for place, number in enumerate(numbers):
        grid = ' '.join(f'{place // steps**axis % steps / steps:.6f}' for axis in range(3))
        lines.append(f'{SYMBOLS[number - 1]} {SYMBOLS[number - 1]}{place} {grid} 1')
    return '\n'.join(lines) + '\n'


def from_pt(path: str, columns: t.Mapping[str, t.Any]) -> list[Row]:
    """Return what a `.pt` of generated crystals makes of each row; torch is not asked to unpickle it."""
    import outputs  # type: ignore[import-not-found]

    if not os.path.isfile(path):
        raise RuntimeError(f'the tool ended without writing `{os.path.basename(path)}`')
    with open(path, 'rb') as handle:
        items = outputs.crystals_of_pt(handle.read())
    os.remove(path)
    return [_answer(content, columns) for _, _, content, _ in items]


def _answer(content: t.Any, columns: t.Mapping[str, t.Any]) -> Row:
    import crystal_arrays  # type: ignore[import-not-found]
    import crystal_text

    try:
        return {'structure': crystal_arrays.crystal(content), 'columns': dict(columns)}
    except crystal_text.UnusableError as error:
        return rejected(error.reason, str(error), columns)


def from_cif(path: str, columns: t.Mapping[str, t.Any]) -> Row:
    """Return what a CIF makes of a row; a CIF that the tool could not write is a rejected row."""
    import crystal_text

    if not os.path.isfile(path):
        words = 'pymatgen made no crystal of the lengths, angles and places that the tool drew (`Error Structure`)'
        return rejected('no_crystal', words, columns)
    with open(path, encoding='utf-8') as handle:
        text = handle.read()
    try:
        return _answer(crystal_text.parse('cif', text), columns)
    except crystal_text.UnusableError as error:
        return rejected(error.reason, str(error), columns)
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        return rejected('unreadable', f'the CIF that the tool wrote cannot be read: {error}', columns)


def rejected(reason: str, detail: str, columns: t.Mapping[str, t.Any]) -> Row:
    """Return a row that has no crystal."""
    why = {'reason': reason, 'detail': detail, 'value': None, 'threshold': None}
    return {'columns': dict(columns), 'rejected': why}


def formula_units(limits: t.Sequence[int], unit: int) -> int:
    """Return the number of formula units of the cells of a draw unit: units take all of a range in turn.

    :raises ValueError: where `limits` is no range.
    """
    if len(limits) != 2 or not all(isinstance(n, int) for n in limits) or not 1 <= limits[0] <= limits[1]:
        raise ValueError(f'`formula_units` is [fewest, most], as [1, 4], and not {list(limits)}')
    return limits[0] + unit % (limits[1] - limits[0] + 1)


def amounts(formula: str, units: int) -> dict[str, int]:
    """Return the atoms of a cell by element, for a formula and the number of its units in the cell.

    :raises ValueError: with a sentence, where the formula has fractions or what is no element.
    """
    from crystal_text import SYMBOLS
    from pymatgen.core import Composition

    try:
        given = Composition(formula).get_el_amt_dict()
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f'`composition` {formula} is no formula ({error}); write it as Na4Cl4') from None
    # The tools know the first hundred elements.
    wrong = [name for name in given if name not in SYMBOLS[:100]]
    if wrong or not given or any(amount != int(amount) for amount in given.values()):
        raise ValueError(f'`composition` {formula} has to be whole numbers of elements, as Na4Cl4')
    return {symbol: int(amount) * units for symbol, amount in given.items()}
