"""`metrics`: the benchmark table of the field for what generators made."""

from __future__ import annotations

import json
import sys
import typing as t
from collections.abc import Sequence
from dataclasses import replace

import click

from aiida_crystalgen.cli.common import load_any, note, print_table, with_profile
from aiida_crystalgen.cli.errors import CommandError

if t.TYPE_CHECKING:
    from aiida_crystalgen.science.benchmark import Distance, Share
    from aiida_crystalgen.tools.benchmark import Known, Result

LIMIT: t.Final = 1000
SINGLE: t.Final = ('composition_cdvae', 'smact_valid', 'unique_novel')  # those whose unknown ones a reader must know of
STEP: t.Final = 50  # crystals between two updates of the line of progress


@click.command()
@click.argument('nodes', metavar='PK [PK ...]', nargs=-1, required=True)
@click.option('--reference', metavar='set:NAME|FILE', help='Known crystals: for coverage and the distances.')
@click.option(
    '--limit',
    type=click.IntRange(min=0),
    default=LIMIT,
    show_default=True,
    help='Crystals of each generator, and known ones, whose fingerprints are computed for coverage; 0: no coverage.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
@with_profile
def metrics(nodes: tuple[str, ...], reference: str | None, *, limit: int, as_json: bool) -> None:
    """Compare what generators made: the benchmark table of campaigns or batches, one block a metric.

    PK is a campaign, a GenerateWorkChain or a batch that it made; generators of one campaign are told apart by the
    column `generator`. Shares are of all crystals requested, with 95 % Wilson intervals, and mean and standard
    deviation over 10 disjoint subsets. Nothing is stored.
    """
    from aiida_crystalgen.science.coverage import MissingLibraryError
    from aiida_crystalgen.tools.benchmark import covered, evaluate, warnings_of
    from aiida_crystalgen.tools.generated import NothingGeneratedError, generated_by

    known, about = _known(reference) if reference is not None else (None, None)
    try:
        found = [part for name in dict.fromkeys(nodes) for part in generated_by(load_any(name))]
    except NothingGeneratedError as error:
        raise CommandError(str(error), 'List the campaigns with `aiida-crystalgen status --all`') from error
    results = [evaluate(part, known, _progress) for part in found]
    remarks = warnings_of(results)
    if known is not None and limit:
        try:
            extra = covered(results, known, limit, _progress)
            results = [
                replace(result, shares=result.shares | shares) for result, shares in zip(results, extra, strict=True)
            ]
        except MissingLibraryError as error:
            remarks.append(str(error))
    elif known is None:
        remarks.append('without `--reference` there is no coverage and no distance')
    if as_json:
        click.echo(json.dumps(_as_json(results, about, remarks), indent=1, sort_keys=True))
        return
    _print(results, about, remarks)


def _progress(label: str, done: int, n: int) -> None:
    """Keep one line on a terminal up to date; a pipe sees none of it."""
    if sys.stderr.isatty() and (done % STEP == 0 or done == n):
        click.echo(f'\r\033[K{label}: {done} of {n}' if done < n else '\r\033[K', err=True, nl=False)


def _known(name: str) -> tuple[Known, dict[str, t.Any]]:
    """Return the known crystals of a set of the profile or of a file, and what they are."""
    from aiida_crystalgen.references.find import find_set
    from aiida_crystalgen.references.read import load_reference
    from aiida_crystalgen.schema.problem import CampaignError
    from aiida_crystalgen.tools.benchmark import Known
    from aiida_crystalgen.tools.generated import as_crystals

    if name.startswith('set:'):
        found = find_set(name.removeprefix('set:'))
        if found is None:
            raise CommandError(f'there is no reference set `{name}`', 'See `aiida-crystalgen reference list`')
    else:
        try:
            found = load_reference(name)
        except CampaignError as error:
            raise CommandError(error.problems[0].message, error.problems[0].remedy) from error
    known = Known.from_rows(as_crystals(found.crystals))
    about = {'name': found.set_name, 'pk': found.pk, 'n_crystals': len(known.crystals), 'partial': found.partial}
    return known, about


def _print(results: Sequence[Result], about: dict[str, t.Any] | None, remarks: Sequence[str]) -> None:
    from aiida_crystalgen.tools.benchmark import DISTANCES, SHARES

    labels = _labels(results)
    rows: list[tuple[t.Any, ...]] = []
    for key, title in SHARES.items():
        rows += [
            (title, label, *_share_cells(share), _published(result, key))
            for label, result in zip(labels, results, strict=True)
            if (share := result.shares.get(key)) is not None
        ]
    for limit in range(max(len(result.sun) for result in results)):
        rows += [
            (f'S.U.N. at {result.sun[limit]["tau"]:g} eV/atom', label, *_sun_cells(result.sun[limit], result.n), None)
            for label, result in zip(labels, results, strict=True)
            if result.sun
        ]
    for key, title in DISTANCES.items():
        rows += [
            (title, label, *_distance_cells(result.distances[key]), _published(result, key))
            for label, result in zip(labels, results, strict=True)
            if key in result.distances
        ]
    headers = ('metric', 'generator', 'count', 'of', 'value', '95 % interval', 'subsets', 'published')
    print_table(headers, _grouped(rows), numeric=('count', 'of', 'value'))
    _print_facts(results, labels, about, remarks)


def _grouped(rows: Sequence[tuple[t.Any, ...]]) -> list[tuple[t.Any, ...]]:
    """Name each metric once."""
    return [('' if number and rows[number - 1][0] == row[0] else row[0], *row[1:]) for number, row in enumerate(rows)]


def _print_facts(
    results: Sequence[Result], labels: Sequence[str], about: dict[str, t.Any] | None, remarks: Sequence[str]
) -> None:
    """Print what was read and compared, and what not to overlook."""
    from aiida_crystalgen.science.published import published
    from aiida_crystalgen.tools.benchmark import SHARES

    click.echo()
    for label, result in zip(labels, results, strict=True):
        level = f'; energies: {result.generated.level}' if result.sun else ''
        note(f'{label}: node {result.generated.pk} ({", ".join(result.generated.nodes)}), as generated{level}')
    if about is not None:
        part = ', a part of what is known' if about['partial'] else ''
        where = f'PK {about["pk"]}' if about['pk'] else 'read from a file, not stored'
        note(f'known crystals: {about["name"]} ({where}), {about["n_crystals"]:,} compared{part}')
    for label, result in zip(labels, results, strict=True):
        unknown = {key: share.unknown for key, share in result.shares.items() if share.unknown and key in SINGLE}
        if unknown:
            told = ', '.join(f'{SHARES[key]} {n}' for key, n in unknown.items())
            note(f'{label}: without a verdict, and counted as not passing: {told}')
    for label, result in zip(labels, results, strict=True):
        sources = dict.fromkeys(f'{entry.source} ({entry.samples})' for entry in published(result.generated.label))
        for source in sources:
            note(f'published, {label} trained on MP-20: {source}')
    if any('*' in (_published(result, key) or '') for result in results for key in (*result.shares, *result.distances)):
        note('* against other known crystals, or over another number of samples')
    for remark in remarks:
        click.secho(f'Warning: {remark}', fg='yellow')


def _labels(results: Sequence[Result]) -> list[str]:
    """Return the names of the generators, with the node where a name occurs twice."""
    names = [result.generated.label for result in results]
    return [
        f'{name} ({result.generated.pk})' if names.count(name) > 1 else name
        for name, result in zip(names, results, strict=True)
    ]


def _share_cells(share: Share) -> tuple[t.Any, ...]:
    interval = share.interval
    return (
        share.count,
        share.n,
        None if share.rate is None else f'{share.rate:.2%}',
        None if interval is None else f'{interval[0]:.2%} to {interval[1]:.2%}',
        None if share.mean is None else f'{share.mean:.2%} ± {share.deviation:.2%}',
    )


def _sun_cells(rate: dict[str, t.Any], n: int) -> tuple[t.Any, ...]:
    found = rate['sun']
    if found['rate'] is None:
        return found['count'], n, None, None, None
    return found['count'], n, f'{found["rate"]:.2%}', f'{found["low"]:.2%} to {found["high"]:.2%}', None


def _distance_cells(distance: Distance) -> tuple[t.Any, ...]:
    return (
        None,
        distance.n,
        None if distance.value is None else f'{distance.value:.3f}',
        None,
        None if distance.mean is None else f'{distance.mean:.3f} ± {distance.deviation:.3f}',
    )


def _published(result: Result, key: str) -> str | None:
    """Return the published values of a metric; a star where they are of other known crystals or sample sizes."""
    from aiida_crystalgen.science.published import SAME_REFERENCE, published

    star = '' if key in SAME_REFERENCE else '*'
    values = [entry.values[key] for entry in published(result.generated.label) if key in entry.values]
    texts = [f'{value:.3g}{star}' if key in result.distances else f'{value:.2%}{star}' for value in values]
    return ', '.join(dict.fromkeys(texts)) or None


def _as_json(results: Sequence[Result], about: dict[str, t.Any] | None, remarks: Sequence[str]) -> dict[str, t.Any]:
    from dataclasses import asdict

    from aiida_crystalgen.science.published import published

    generators = [
        {
            'generator': result.generated.label,
            'pk': result.generated.pk,
            'nodes': list(result.generated.nodes),
            'requested': result.n,
            'geometry': 'as generated',
            'level': result.generated.level,
            'shares': {
                name: {**asdict(share), 'rate': share.rate, 'interval': share.interval}
                for name, share in result.shares.items()
            },
            'distances': {name: asdict(distance) for name, distance in result.distances.items()},
            'sun': result.sun,
            'published': [asdict(entry) for entry in published(result.generated.label)],
        }
        for result in results
    ]
    return {'generators': generators, 'reference': about, 'warnings': list(remarks)}
