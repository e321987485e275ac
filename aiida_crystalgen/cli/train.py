"""`train`: train the packaged model on crystals of the profile."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.codes import code_of
from aiida_crystalgen.cli.common import note, print_table, verdict_of, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.reference import ReferenceSet

PACKAGED: t.Final = 'packaged'
NEW: t.Final = 'none'


@click.command()
@click.argument('data', metavar='set:NAME|PK')
@click.option('--code', 'code_label', required=True, metavar='LABEL', help='Code of a Python with torch and spglib.')
@click.option('--from', 'start', default=PACKAGED, show_default=True, metavar='packaged|none|PK|FILE',
              help='Weights to go on from; `none` makes a new network.')  # fmt: skip
@click.option('--epochs', type=click.IntRange(min=1), help='Times that every crystal is seen.')
@click.option('--set', 'settings', multiple=True, metavar='NAME=VALUE',
              help='Another parameter, for example `held_out=0.2`; an unknown one lists them all.')  # fmt: skip
@click.option('--threads', type=click.IntRange(min=1), default=1, show_default=True, help='Threads of torch.')
@click.option('-o', '--output', type=click.Path(path_type=Path, dir_okay=False), help='Write the weights here as well.')
@with_profile
def train(
    data: str, code_label: str, start: str, epochs: int | None, settings: tuple[str, ...], threads: int,
    output: Path | None,
) -> None:  # fmt: skip
    """Train the packaged model on a set of known crystals (set:NAME) or on a batch (its PK), here and now.

    The columns `e_hull` and `formation_energy` are learned as labels where they are known. The weights are the output
    `model` of the WorkChain: the `model` of a draw of the generator `wyckoff`.
    """
    from aiida.engine import run_get_node

    from aiida_crystalgen.calculations.train import TRAINING, validate_parameters
    from aiida_crystalgen.workflows.environment import ToolError
    from aiida_crystalgen.workflows.train import TrainWorkChain

    parameters = _parameters(settings, epochs)
    if problem := validate_parameters(_as_node(parameters), None):
        raise CommandError(problem, f'The parameters are: {", ".join(TRAINING["parameters"])}')
    batch, model = _crystals(data), _start(start)
    try:
        builder = TrainWorkChain.get_builder_from_protocol(
            code_of(code_label), batch, parameters, start=model, threads=threads
        )
    except ToolError as error:
        raise CommandError(str(error)) from error
    _, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise CommandError(
            f'training {node.pk} ended early, {verdict_of(node)}', f'See `verdi process report {node.pk}`'
        )
    _show(node, output)


def _show(node: orm.ProcessNode, output: Path | None) -> None:
    """Print the curve and where the weights are."""
    history, training = node.outputs.history.get_dict(), node.outputs.report.get_dict()['training']
    columns = [name for name in ('epoch', 'train', 'validation', 'seconds') if name in history]
    print_table(columns, zip(*(history[name] for name in columns), strict=True), numeric=columns)
    click.echo(
        f'Best epoch {training["best_epoch"]}: {training["best_validation"]:.3f} nats a crystal on '
        f'{training["n_validation"]} held-out ones; trained on {training["n_train"]}, left out {training["n_left_out"]}'
    )
    click.echo(f'Weights: node {node.outputs.model.pk} of training {node.pk}')
    if output is not None:
        output.write_bytes(node.outputs.model.get_content(mode='rb'))
        click.echo(f'Wrote {output}')
    else:
        note('Give them to a campaign as a file: `--output FILE`, then `model: FILE` of the generator `wyckoff`')


def _parameters(settings: tuple[str, ...], epochs: int | None) -> dict[str, t.Any]:
    """Return the parameters of the options; values are read as YAML."""
    import yaml

    found: dict[str, t.Any] = {} if epochs is None else {'epochs': epochs}
    for setting in settings:
        name, sign, text = setting.partition('=')
        if not sign:
            raise CommandError(f'`--set {setting}` has no value', 'Write it as `--set name=value`')
        value = yaml.safe_load(text)
        # YAML reads `1e-4` as text.
        found[name] = float(text) if isinstance(value, str) and _is_number(text) else value
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _as_node(parameters: dict[str, t.Any]) -> orm.Dict:
    from aiida import orm

    return orm.Dict(parameters)


def _crystals(data: str) -> StructureBatch | ReferenceSet:
    """Return what to train on."""
    from aiida_crystalgen.calculations.base import BATCH_TYPES
    from aiida_crystalgen.cli.reference import load_set

    if data.startswith('set:'):
        return load_set(data.removeprefix('set:'))
    node = _node(data)
    if not isinstance(node, BATCH_TYPES):
        remedy = 'Give the PK of a batch of crystals, or `set:NAME` (see `aiida-crystalgen reference list`)'
        raise CommandError(f'node {data} holds no crystals, it is a {type(node).__name__}', remedy)
    return node


def _start(start: str) -> orm.SinglefileData | str | None:
    """Return the weights to go on from."""
    from aiida import orm

    if start in {PACKAGED, NEW}:
        return None if start == NEW else PACKAGED
    if Path(start).is_file():
        return orm.SinglefileData(Path(start).resolve())
    node = _node(start)
    if not isinstance(node, orm.SinglefileData):
        remedy = 'Give `packaged`, `none`, a file, or the PK of the weights of an earlier training'
        raise CommandError(f'node {start} is no file of weights, it is a {type(node).__name__}', remedy)
    return node


def _node(identifier: str) -> orm.Node:
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise CommandError(f'there is no node `{identifier}`', 'See `verdi node list` or give `set:NAME`') from error
