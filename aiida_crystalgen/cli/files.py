"""Read a campaign file for a command; all problems are printed at once."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

    from aiida_crystalgen.schema import CampaignError, CampaignSpec

FILE: t.Final = click.argument('file', type=click.Path(path_type=Path))


def read_campaign(file: Path) -> CampaignSpec:
    """Return the campaign, or print `FILE:LINE: what. remedy` for everything that is wrong and end with 1."""
    from aiida_crystalgen.schema import CampaignError, load_campaign

    path = file / 'campaign.yaml' if file.is_dir() else file
    try:
        return load_campaign(path)
    except CampaignError as error:
        print_problems(error, path)
        raise click.exceptions.Exit(1) from error


def make_builder(spec: CampaignSpec, file: Path, *, fresh: bool) -> ProcessBuilder:
    """Return the inputs of the campaign, or print what it needs and does not find, and end with 1."""
    from aiida_crystalgen.schema import CampaignError
    from aiida_crystalgen.workflows.builder import get_builder

    try:
        return get_builder(spec, fresh=fresh)
    except CampaignError as error:
        print_problems(error, file)
        raise click.exceptions.Exit(1) from error


def print_problems(error: CampaignError, path: Path) -> None:
    """Print one line a problem to standard error."""
    for problem in error.problems:
        place = f'{path}:{problem.line}' if problem.line else str(path)
        where = f'`{problem.where}`: ' if problem.where else ''
        remedy = problem.remedy if problem.remedy.endswith('?') else f'{problem.remedy}.'
        click.echo(f'{place}: {where}{problem.message}. {remedy[:1].upper()}{remedy[1:]}', err=True)
