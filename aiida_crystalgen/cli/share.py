"""`report` and `cite`: what is said of a campaign."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, require_output, with_profile

if t.TYPE_CHECKING:
    pass


@click.command()
@CAMPAIGN
@click.option(
    '-o', '--output', type=click.Path(path_type=Path, dir_okay=False), default='report.html', show_default=True
)
@with_profile
def report(campaign: str | None, output: Path) -> None:
    """Write one self-contained HTML page about campaign PK (default: the latest)."""
    from aiida_crystalgen.report import write_report

    node = load_campaign_node(campaign)
    require_output(node, 'funnel')
    click.echo(f'Wrote {write_report(node, output)}')


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
