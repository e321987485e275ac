"""`check`: everything that is wrong with a campaign file, and what its gates would do to known crystals."""

from __future__ import annotations

import math
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.codes import code_of
from aiida_crystalgen.cli.common import note, open_profile, plain
from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.files import FILE, print_problems, read_campaign

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.crystals import Crystals
    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.schema import CampaignSpec

# Criteria that judge a crystal as it is given, alone and in milliseconds.
CHEAP: t.Final = ('validity', 'composition')
MOST_JUDGED: t.Final = 1000  # references on which the gates are tried


@click.command()
@FILE
def check(file: Path) -> None:
    """Say everything that is wrong with the campaign in FILE, each with its line and a remedy.

    Where the file is right: a summary, and the share of its own references that each gate would reject.
    """
    from aiida_crystalgen.schema import CampaignError

    spec = read_campaign(file)
    try:
        sets = _reference_sets(spec)
    except CampaignError as error:
        print_problems(error, file)
        raise click.exceptions.Exit(1) from error
    _print_summary(spec, sets)
    _print_gates(spec, sets)
    _check_codes(spec)
    click.secho(f'\n{file} is right.', fg='green', bold=True)


def _reference_sets(spec: CampaignSpec) -> dict[str, ReferenceSet]:
    """Return the reference sets of a campaign; none where there is no profile to hold them."""
    from aiida_crystalgen.workflows.references import reference_sets

    try:
        open_profile()
    except CommandError:
        note('There is no AiiDA profile yet, so reference sets were not looked at: aiida-crystalgen init')
        return {}
    return reference_sets(spec)


def _print_summary(spec: CampaignSpec, sets: dict[str, ReferenceSet]) -> None:
    campaign = spec.normalised()
    click.secho(campaign['name'], bold=True)
    lines = [('protocol', f'{campaign["protocol"]}, seed {campaign["seed"]}')]
    for generator in campaign['generators']:
        number = f'{generator["n"]} crystals' if generator.get('n') else 'all crystals'
        wanted = ', '.join(f'{key} {plain(value)}' for key, value in generator['parameters'].items())
        lines.append(('generator', f'{generator["label"]}: {number}' + (f' ({wanted})' if wanted else '')))
    potential = campaign['potential']
    if potential is None:
        lines.append(('potential', 'none: the crystals are judged as they are'))
    else:
        numbers = ', '.join(f'{key} {plain(value)}' for key, value in potential['parameters'].items())
        lines.append(('potential', f'{potential["type"]} ({numbers})'))
    if spec.references is None:
        lines.append(('references', 'none: no hull, no novelty'))
    elif 'phases' in sets:
        lines.append(('hull', f'mode {spec.references.mode}'))
    for name, reference in sets.items():
        partial = 'partial' if reference.partial else 'complete'
        level = f', level {reference.level}' if reference.level else ''
        lines.append((name, f'{len(reference.crystals)} crystals of {reference.set_name} ({partial}{level})'))
    for key, value in lines:
        click.echo(f'  {key:<11} {value}')


def _print_gates(spec: CampaignSpec, sets: dict[str, ReferenceSet]) -> None:
    """Print every gate in order, with the share of the references that it would reject."""
    reference = sets.get('phases', sets.get('known'))
    phases = None if reference is None else some_of(reference.crystals)
    click.secho('  gates', bold=True)
    for stage in ('prescreen', 'postscreen'):
        for step in spec.normalised()[stage]['steps']:
            if not step.get('gates'):
                continue
            shares = rejected_shares(step, phases) if phases is not None and step['criterion'] in CHEAP else {}
            for column, gate in step['gates'].items():
                _print_gate(stage, column, gate, shares.get(column))
    for column, gate in spec.normalised()['filters'].items():
        _print_gate('filter', column, gate, None)
    if phases is not None:
        note('  Gates without a share need relaxed crystals, or all crystals side by side.')


def _print_gate(stage: str, column: str, gate: t.Any, share: tuple[int, int] | None) -> None:
    text = ', '.join(f'{key} {plain(value)}' for key, value in gate.items() if value is not None)
    known = '' if share is None else f'would reject {share[0]} of {share[1]} references ({share[0] / share[1]:.0%})'
    click.echo(f'    {stage:<11} {column:<18} {text:<24} {known}'.rstrip())


def some_of(crystals: Crystals) -> Crystals:
    """Return evenly spread crystals, so that the shares of a large set are told within seconds."""
    step = max(math.ceil(len(crystals) / MOST_JUDGED), 1)
    return crystals.select(range(0, len(crystals), step))


def rejected_shares(step: dict[str, t.Any], phases: Crystals) -> dict[str, tuple[int, int]]:
    """Return by gated column how many of the references a gate rejects, of how many."""
    from importlib import import_module

    from aiida_crystalgen.science.crystal import Crystal
    from aiida_crystalgen.science.gates import judge

    criterion = import_module(f'aiida_crystalgen.science.{step["criterion"]}')
    crystals = [Crystal.from_row(row) for row in phases.rows()]
    if not crystals:
        return {}
    columns = criterion.evaluate(crystals, step.get('parameters', {}), {})
    named = {f'{name}{step.get("suffix", "")}': values for name, values in columns.items()}
    rows = [{name: values[place] for name, values in named.items()} for place in range(len(crystals))]
    return {
        column: (sum(judge(gate, row, column) is not None for row in rows), len(rows))
        for column, gate in step['gates'].items()
        if column in named
    }


def _check_codes(spec: CampaignSpec) -> None:
    """Say which Codes are missing, where there is a profile to look into."""
    try:
        open_profile()
    except CommandError:
        note('  There is no AiiDA profile yet, so Codes were not looked at: aiida-crystalgen init')
        return
    for label in sorted({part.code for part in (spec.potential, *spec.generators) if part is not None}):
        code_of(label)
