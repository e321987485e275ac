"""`new`: copy a campaign that ships with the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from aiida_crystalgen.cli.errors import CommandError


def campaigns_folder() -> Path:
    """Return the folder of ready-made campaigns: in the wheel, or at the top of an editable checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / 'workchains', package.parent / 'workchains'):
        if folder.is_dir():
            return folder
    remedy = 'Install again: `pip install --force-reinstall aiida-crystalgen`'
    raise CommandError('the ready-made campaigns are missing', remedy)


def campaign_names() -> list[str]:
    """Return the names of the ready-made campaigns."""
    return sorted(path.parent.name for path in campaigns_folder().glob('*/campaign.yaml'))


@click.command()
@click.argument('name')
@click.argument('folder', metavar='[DIR]', required=False, type=click.Path(path_type=Path))
def new(name: str, folder: Path | None) -> None:
    """Copy the ready-made campaign NAME into the folder DIR (default: a folder of the same name here).

    See what there is with `aiida-crystalgen list campaigns`.
    """
    names = campaign_names()
    if name not in names:
        raise CommandError(f'there is no campaign `{name}`', f'Choose one of: {", ".join(names) or "none shipped"}')
    target = folder or Path(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CommandError(f'`{target}` exists already and is not overwritten', 'Name another folder')
    shutil.copytree(campaigns_folder() / name, target, dirs_exist_ok=True, ignore=_junk)
    click.echo(f'Copied `{name}` to {target}/')
    click.echo(f'Next: aiida-crystalgen run {target / "campaign.yaml"}')


def _junk(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == '__pycache__' or name.endswith('.pyc') or name == 'report.html'}
