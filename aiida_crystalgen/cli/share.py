"""`report`, `dossier` and `cite`: what is said of a campaign."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida import orm


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
