"""`report`, `dossier`, `export` and `cite`: what leaves the database."""

from __future__ import annotations

import json
import typing as t
import warnings
from pathlib import Path

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, note, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.data.crystals import Crystals

FORMATS: t.Final = ('cif', 'extxyz', 'json', 'archive')


@click.command()
@CAMPAIGN
@click.option(
    '-o', '--output', type=click.Path(path_type=Path, dir_okay=False), default='report.html', show_default=True
)
@click.option(
    '--dossiers',
    type=click.Path(path_type=Path, file_okay=False),
    help='Write a dossier of each crystal on the short list into this folder too.',
)
@with_profile
def report(campaign: str | None, output: Path, dossiers: Path | None) -> None:
    """Write one self-contained HTML page about campaign PK (default: the latest).

    With `--dossiers` every crystal on the short list gets a folder with a page, JSON, CIF, a picture and a simulated
    powder pattern, and the page links to them.
    """
    node = load_campaign_node(campaign)
    require_output(node, 'funnel')
    write_pages(node, output, dossiers)


def write_pages(node: orm.WorkChainNode, output: Path, dossiers: Path | None) -> None:
    """Write the page of a campaign, and its dossiers where a folder for them is given."""
    from aiida_crystalgen.report import write_report

    links = {}
    if dossiers is not None:
        from aiida_crystalgen.report.dossier import write_dossiers

        links = write_dossiers(node, dossiers, output)
    click.echo(f'Wrote {write_report(node, output, links)}')
    if dossiers is not None:
        click.echo(f'Wrote {len(links)} dossiers to {dossiers}')


@click.command(context_settings={'ignore_unknown_options': True})
@click.argument('crystal_id', metavar='ID')
@click.option('--campaign', metavar='PK', help='Where the crystal is; default: the latest campaign that holds it.')
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default='dossiers',
    show_default=True,
    help='Folder in which a folder for the crystal is made.',
)
@with_profile
def dossier(crystal_id: str, campaign: str | None, output: Path) -> None:
    """Write everything that is known of crystal ID: a page, JSON, CIF, a picture and a simulated powder pattern.

    The crystal is one of a ranked table. The end of an id is enough if it is unique there, for example `-17`.
    """
    from aiida_crystalgen.report.content import read_content
    from aiida_crystalgen.report.dossier import write_dossier

    node = load_campaign_node(campaign) if campaign else _campaign_of(crystal_id)
    ids = t.cast(t.Any, require_output(node, 'table')).ids
    found = [name for name in ids if name.endswith(crystal_id)]
    if len(found) != 1:
        remedy = f'Its ids are in `aiida-crystalgen table {node.pk}`; a rejected crystal has a `trace` and no dossier'
        how = f'{len(found)} crystals' if found else 'no crystal'
        raise CommandError(
            f'the table of campaign {node.pk} has {how} with an id that ends with `{crystal_id}`', remedy
        )
    try:
        click.echo(f'Wrote {write_dossier(read_content(node), found[0], output)}')
    except ValueError as exception:
        raise CommandError(str(exception), 'A dossier needs a crystal with atoms') from exception


def _campaign_of(crystal_id: str) -> orm.WorkChainNode:
    """Return the latest campaign whose table has the crystal, else the latest one."""
    from aiida_crystalgen.tools.queries import campaigns_with

    draw = crystal_id.rpartition('-')[0]
    for node in campaigns_with(draw) if draw else []:
        if 'table' in node.outputs and crystal_id in node.outputs.table.ids:
            return node
    return load_campaign_node(None)


@click.command()
@CAMPAIGN
@click.option('-f', '--format', 'form', type=click.Choice(FORMATS), default='cif', show_default=True)
@click.option('-o', '--output', type=click.Path(path_type=Path), help='Folder (cif) or file (all others) to write.')
@click.option('--from', 'which', type=click.Choice(['table', 'rejected']), default='table', show_default=True)
@click.option('-n', '--limit', type=click.IntRange(min=1), help='Only so many crystals, the best first.')
@click.option('--force', is_flag=True, help='Write over a file that exists.')
@with_profile
def export(campaign: str | None, *, form: str, output: Path | None, which: str, limit: int | None, force: bool) -> None:
    """Write the crystals of campaign PK (default: the latest), or with `archive` its whole provenance.

    `cif` writes one file a crystal into a folder, geometry only; `extxyz` and `json` keep every column. An `archive`
    holds all nodes: `verdi archive import` reads it on another machine.
    """
    from aiida_crystalgen.tools.table import ranked_order

    node = load_campaign_node(campaign)
    endings = {'cif': '', 'extxyz': '.extxyz', 'json': '.json', 'archive': '.aiida'}
    target = output or Path(f'campaign-{node.pk}{endings[form]}')
    taken = (target.exists() and any(target.iterdir())) if target.is_dir() else target.exists()
    if taken and not force:
        raise CommandError(f'`{target}` exists already', 'Name another one with `-o`, or write over it with `--force`')
    if form == 'archive':
        _write_archive(node, target)
        return
    crystals = t.cast(t.Any, require_output(node, which)).crystals
    chosen = crystals.select(ranked_order(crystals)[:limit])
    n_written = {'cif': _write_cif, 'extxyz': _write_extxyz, 'json': _write_json}[form](chosen, target)
    click.echo(f'Wrote {n_written} crystals to {target}')
    if n_written < len(chosen):
        note(f'{len(chosen) - n_written} have no atoms or no volume, which this format cannot hold')


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


def _write_archive(node: orm.WorkChainNode, target: Path) -> None:
    import logging

    from aiida.tools.archive import create_archive

    logging.getLogger('aiida.export').setLevel(logging.WARNING)  # it reports every step
    create_archive([node], filename=target, overwrite=True)
    click.echo(f'Wrote the provenance of campaign {node.pk} to {target}')
    note(f'Read it elsewhere with `verdi archive import {target.name}`')


@click.command()
@CAMPAIGN
@click.option('--json', 'as_json', is_flag=True, help='Print the sources as JSON.')
@with_profile
def cite(campaign: str | None, as_json: bool) -> None:
    """List references and licences of every model and data set that campaign PK used (default: the latest)."""
    import dataclasses

    from aiida_crystalgen.tools.sources import SOFTWARE, sources_of

    node = load_campaign_node(campaign)
    found = sources_of(node)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(source) for source in found], indent=1))
        return
    for source in found:
        versions = ', '.join(f'{name} {version}' for name, version in sorted(source.versions.items()))
        click.secho(f'{source.kind} {source.name}', bold=True)
        click.echo(f'  licence  {source.licence}')
        if versions:
            click.echo(f'  ran on   {versions}')
        for text in source.citation:
            click.echo(f'  cite     {text}')
    click.secho('AiiDA', bold=True)
    for text in SOFTWARE:
        click.echo(f'  cite     {text}')
