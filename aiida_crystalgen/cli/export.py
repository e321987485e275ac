"""`export`: crystals and provenance in the formats of others."""

from __future__ import annotations

import json
import tempfile
import typing as t
import warnings
from importlib.util import find_spec
from pathlib import Path

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, note, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.data.crystals import Crystals

ENDINGS: t.Final = {
    'cif': '', 'extxyz': '.extxyz', 'json': '.json', 'csv': '.csv', 'optimade': '.jsonl', 'archive': '.aiida',
    'ro-crate': '.crate.zip',
}  # fmt: skip
NEEDS: t.Final = {'optimade': 'optimade', 'ro-crate': 'rocrate'}  # formats that need a package more


@click.command()
@CAMPAIGN
@click.option('-f', '--format', 'form', type=click.Choice(list(ENDINGS)), default='cif', show_default=True)
@click.option('-o', '--output', type=click.Path(path_type=Path), help='Folder (cif) or file (all others) to write.')
@click.option('--from', 'which', type=click.Choice(['table', 'rejected']), default='table', show_default=True)
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Only so many crystals, the best first.')
@click.option('--licence', help='Of an RO-Crate: an SPDX name such as CC-BY-4.0, or an address.')
@click.option('--force', is_flag=True, help='Write over a file that exists.')
@with_profile
def export(
    campaign: str | None,
    *,
    form: str,
    output: Path | None,
    which: str,
    limit: int | None,
    licence: str | None,
    force: bool,
) -> None:
    """Write the crystals of campaign PK (default: the latest), or its whole provenance.

    `cif` writes one file a crystal into a folder, geometry only; `extxyz`, `json` and `optimade` keep geometry and
    columns, `csv` the columns, with their units in a file beside it. An `archive` holds all nodes:
    `verdi archive import` reads it on another machine. An `ro-crate` holds archive, report and table with a
    description that other software reads; it needs `--licence`.
    """
    from aiida_crystalgen.tools.table import ranked_order

    node = load_campaign_node(campaign)
    _check(form, licence)
    target = output or Path(f'campaign-{node.pk}{ENDINGS[form]}')
    taken = (target.exists() and any(target.iterdir())) if target.is_dir() else target.exists()
    if taken and not force:
        raise CommandError(f'`{target}` exists already', 'Name another one with `-o`, or write over it with `--force`')
    if form == 'archive':
        write_archive(node, target)
        click.echo(f'Wrote the provenance of campaign {node.pk} to {target}')
        note(f'Read it elsewhere with `verdi archive import {target.name}`')
        return
    crystals = t.cast(t.Any, require_output(node, which)).crystals
    chosen = crystals.select(ranked_order(crystals)[:limit])
    if form == 'ro-crate':
        _write_crate(node, chosen, target, str(licence))
        click.echo(f'Wrote campaign {node.pk} as RO-Crate to {target}')
        return
    n_written = WRITERS[form](chosen, target)
    click.echo(f'Wrote {n_written} crystals to {target}')
    if n_written < len(chosen):
        note(f'{len(chosen) - n_written} have no atoms or no volume, which this format cannot hold')


def _check(form: str, licence: str | None) -> None:
    """Refuse what cannot be written before anything is."""
    package = NEEDS.get(form)
    if package is not None and find_spec(package) is None:
        remedy = "Install it with `pip install 'aiida-crystalgen[export]'`"
        raise CommandError(f'the format `{form}` needs the package `{package}`', remedy)
    if form == 'ro-crate' and licence is None:
        remedy = (
            'Add `--licence CC-BY-4.0`, or the one that you choose; see `aiida-crystalgen cite` for those of sources'
        )
        raise CommandError('an RO-Crate says under which licence it may be used', remedy)


def _write_cif(crystals: Crystals, target: Path) -> int:
    from aiida_crystalgen.data.convert import CrystalLossWarning, to_cif
    from aiida_crystalgen.tools.table import column_values

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', CrystalLossWarning)  # the help of the command says what a CIF does not hold
        texts = to_cif(crystals)
    target.mkdir(parents=True, exist_ok=True)
    formulas = column_values(crystals, 'formula')
    ranks = crystals.values('rank') if 'rank' in crystals.columns else [None] * len(crystals)
    for crystal_id, formula, rank in zip(crystals.ids, formulas, ranks, strict=True):
        if crystal_id in texts:
            name = '_'.join([*([] if rank is None else [f'{rank:04d}']), formula, f'{crystal_id}.cif'])
            (target / name).write_text(texts[crystal_id], encoding='utf-8')
    return len(texts)


def _write_extxyz(crystals: Crystals, target: Path) -> int:
    from aiida_crystalgen.data.convert import to_extxyz

    target.write_text(to_extxyz(crystals), encoding='utf-8')
    return len(crystals)


def _write_json(crystals: Crystals, target: Path) -> int:
    """Write pymatgen's dictionaries, columns as properties."""
    from aiida_crystalgen.data.convert import CrystalLossWarning, to_pymatgen

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', CrystalLossWarning)
        structures = to_pymatgen(crystals)
    text = json.dumps([structure.as_dict() for structure in structures], indent=1)
    target.write_text(text + '\n', encoding='utf-8')
    return len(structures)


def _write_csv(crystals: Crystals, target: Path) -> int:
    """Write the columns, and beside it what they are."""
    from aiida_crystalgen.tools.csv_metadata import SUFFIX, describe_csv
    from aiida_crystalgen.tools.table import as_csv, records, table_columns

    names = table_columns(crystals)
    target.write_text(as_csv(records(crystals, names), names), encoding='utf-8')
    described = target.with_name(target.name + SUFFIX)
    described.write_text(describe_csv(crystals, names, target.name), encoding='utf-8')
    return len(crystals)


def _write_optimade(crystals: Crystals, target: Path) -> int:
    from aiida_crystalgen.tools.optimade_lines import N_HEADERS, optimade_lines

    lines = list(optimade_lines(crystals))
    target.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
    return len(lines) - N_HEADERS


WRITERS: t.Final[dict[str, t.Callable[[Crystals, Path], int]]] = {
    'cif': _write_cif, 'extxyz': _write_extxyz, 'json': _write_json, 'csv': _write_csv, 'optimade': _write_optimade,
}  # fmt: skip


def write_archive(node: orm.WorkChainNode, target: Path) -> None:
    """Write every node that a campaign used and made, and what was made of its table: other orders, attempts."""
    import logging

    from aiida.tools.archive import create_archive

    from aiida_crystalgen.tools.queries import made_of_table

    logging.getLogger('aiida.export').setLevel(logging.WARNING)  # it reports every step
    create_archive([node, *made_of_table(node)], filename=target, overwrite=True)


def _write_crate(node: orm.WorkChainNode, crystals: Crystals, target: Path, licence: str) -> None:
    """Write archive, report, table and crystals into one crate."""
    from aiida_crystalgen.cli.look import name_of
    from aiida_crystalgen.report import write_report
    from aiida_crystalgen.tools.crate import write_crate

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, output in (('campaign.json', node.inputs.spec), ('funnel.json', require_output(node, 'funnel'))):
            text = json.dumps(t.cast(t.Any, output).get_dict(), indent=1, sort_keys=True)
            (place / name).write_text(text + '\n', encoding='utf-8')
        _write_csv(crystals, place / 'crystals.csv')
        _write_extxyz(crystals, place / 'crystals.extxyz')
        if find_spec(NEEDS['optimade']) is not None:
            _write_optimade(crystals, place / 'crystals.jsonl')
        write_report(node, place / 'report.html')
        write_archive(node, place / 'provenance.aiida')
        files = {path.name: path for path in sorted(place.iterdir())}
        write_crate(node, files, target, name=name_of(node), licence=licence)
