"""`plan`: jobs, hours and disk of a campaign, as spans between easy and hard cases."""

from __future__ import annotations

import math
import os
import typing as t
from pathlib import Path

import click

from aiida_crystalgen.cli.common import note, open_profile
from aiida_crystalgen.cli.files import FILE, read_campaign

if t.TYPE_CHECKING:
    from aiida_crystalgen.schema import CampaignSpec

Span = tuple[float, float]
HOUR: t.Final = 3600.0
MEGABYTE: t.Final = 1e6


@click.command()
@FILE
def plan(file: Path) -> None:
    """Estimate jobs, CPU or GPU hours and disk of the campaign in FILE; nothing is run."""
    import yaml

    from aiida_crystalgen.schema.spec import SAME_MODEL
    from aiida_crystalgen.workflows.draws import chunk_size

    spec = read_campaign(file)
    costs = yaml.safe_load(Path(__file__).with_name('costs.yaml').read_text(encoding='utf-8'))
    campaign = spec.normalised()
    resources = campaign['resources']
    numbers = {generator['label']: _number(spec, generator) for generator in campaign['generators']}
    n = sum(numbers.values())
    references = campaign.get('references') or {}
    same_model = bool(references.get('phases')) and references['mode'] == SAME_MODEL
    chunks = {g.name: chunk_size(spec, g.type, resources['chunk_size']) for g in spec.generators}
    relaxes = campaign['potential'] is not None
    jobs = count_jobs(numbers, resources, chunks, relaxes=relaxes, with_references=same_model)
    if 'phonons' in campaign:
        jobs['phonons'] = min(resources['lanes'], campaign['shortlist'], n)
    click.secho(f'{campaign["name"]}: {n} crystals', bold=True)
    for stage, count in jobs.items():
        click.echo(f'  {stage:<11} {count} job{"s" if count != 1 else ""}')
    seconds = cpu_seconds(campaign, numbers, sum(jobs.values()), costs)
    if campaign['potential'] is None:
        note('  nothing is relaxed, so hours are not estimated: the screens take milliseconds a crystal')
    elif seconds is None:
        note(f'  no cost of `{campaign["potential"]["type"]}` was measured, so hours are not estimated')
    elif resources['device'] != 'cpu':
        click.echo(f'  on one CPU core this would be {_hours(seconds)}')
        note('  no cost on a GPU was measured, so GPU hours are not estimated: run 100 crystals and see the funnel')
    else:
        click.echo(f'  CPU time    {_hours(seconds)}')
        cores = _cores(campaign)
        if cores is not None:
            wall = (seconds[0] / cores, seconds[1] / cores)
            click.echo(f'  wall time   {_hours(wall)} on {cores} core{"s" if cores > 1 else ""} of this computer')
    disk = [n * part + costs['base_bytes'] for part in costs['bytes']]
    click.echo(f'  disk        {disk[0] / MEGABYTE:.0f} to {disk[1] / MEGABYTE:.0f} MB')
    note('  From costs measured on one core (docs/benchmarks.md): spans, not promises.')


def _number(spec: CampaignSpec, generator: dict[str, t.Any]) -> int:
    """Return how many crystals a generator makes; files are counted, targets of one composition are drawn for once."""
    from aiida_crystalgen.references.read import files_adapter

    if generator.get('files') and not generator.get('n') and generator['type'] == 'files':
        return int(files_adapter().count(str(spec.resolve(generator['files']))))
    if spec.targets is None:
        return int(generator['n'])
    return _number_of_targets(spec.targets.structures, spec) * spec.targets.candidates


def _number_of_targets(structures: str, spec: CampaignSpec) -> int:
    """Return how many crystals are to be found."""
    from aiida_crystalgen.references.read import files_adapter
    from aiida_crystalgen.schema.spec import SET

    if not structures.startswith(SET):
        return int(files_adapter().count(str(spec.resolve(structures))))
    from aiida_crystalgen.references.find import find_set

    open_profile()
    found = find_set(structures[len(SET) :])
    return 0 if found is None else len(found.crystals)


def count_jobs(
    numbers: dict[str, int],
    resources: dict[str, t.Any],
    chunks: dict[str, int],
    *,
    relaxes: bool = True,
    with_references: bool,
) -> dict[str, int]:
    """Return the number of jobs by stage; the relaxation is cut by lanes and chunks, the screens are not.

    :param chunks: crystals of a job by generator.
    """

    def pieces(n: int, chunk: int) -> int:
        lanes = max(min(resources['lanes'], n), 1)
        return sum(max(math.ceil(math.ceil(n / lanes) / chunk), 1) for _ in range(lanes))

    jobs = {'generate': sum(pieces(n, chunks[label]) for label, n in numbers.items()), 'prescreen': 1}
    if relaxes:
        jobs['relax'] = pieces(sum(numbers.values()), resources['chunk_size'])
    return {**jobs, **({'references': 1} if with_references else {}), 'postscreen': 1}


def cpu_seconds(
    campaign: dict[str, t.Any], numbers: dict[str, int], n_jobs: int, costs: dict[str, t.Any]
) -> Span | None:
    """Return seconds of one core in the easy and the hard case, None without a potential that was measured."""
    potential = costs['potentials'].get((campaign['potential'] or {}).get('type'))
    if potential is None:
        return None
    totals = []
    for place in (0, 1):
        atoms, evaluations = _at(costs['atoms'], place), _at(costs['evaluations'], place)
        most = campaign['potential']['parameters'].get('max_steps')
        per_relaxation = atoms * min(evaluations, most or math.inf) * _at(potential['evaluation'], place)
        drawn = sum(
            n * _at(costs['generators'].get(generator['type'], [0.0, 1.0]), place)
            for generator, n in zip(campaign['generators'], numbers.values(), strict=True)
        )
        per_crystal = per_relaxation + _at(costs['screens'], place)
        if 'phonons' in campaign:
            listed = min(campaign['shortlist'], sum(numbers.values()))
            drawn += listed * _at(costs['phonons'], place) * _at(potential['evaluation'], place)
        fixed = n_jobs * (_at(costs['job'], place) + _at(potential['start'], place))
        totals.append(drawn + sum(numbers.values()) * per_crystal + fixed)
    return totals[0], totals[1]


def _at(span: float | list[float], place: int) -> float:
    return float(span[place]) if isinstance(span, list) else float(span)


def _cores(campaign: dict[str, t.Any]) -> int | None:
    """Return the cores that the jobs use at once, None where they run on another computer."""
    if not campaign['potential']['code'].endswith('@localhost'):
        return None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    asked = campaign['resources']['processes'] or usable
    return int(min(asked * campaign['resources']['lanes'], usable))


def _hours(span: Span) -> str:
    if span[1] < HOUR:
        low, high = (max(math.ceil(seconds / 60), 1) for seconds in span)
        return f'about {low} min' if low == high else f'{low} to {high} min'
    return f'{span[0] / HOUR:.1f} to {span[1] / HOUR:.1f} h'
