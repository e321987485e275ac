"""`prediction`: how many of the crystals that were to be found were found."""

from __future__ import annotations

import json
import typing as t

import click

from aiida_crystalgen.cli.common import CAMPAIGN, load_campaign_node, note, print_table, require_output, with_profile

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from aiida import orm

# The rates of a generator, in the order in which a reader asks for them.
STAGES: t.Final = {'as_drawn': 'as drawn', 'relaxed': 'relaxed', 'relaxed_by_enthalpy': 'relaxed, lowest first'}


@click.command()
@CAMPAIGN
@click.option('--json', 'as_json', is_flag=True, help='Print everything that is stored, definitions included, as JSON.')
@with_profile
def prediction(campaign: str | None, as_json: bool) -> None:
    """Show how many known crystals campaign PK found, at three tolerances (default: the latest campaign).

    Only a campaign with `targets` has this.
    """
    node = load_campaign_node(campaign)
    if as_json:
        content = t.cast(t.Any, require_output(node, 'prediction')).get_dict()
        click.echo(json.dumps(content, indent=1, sort_keys=True))
        return
    print_prediction(node)


def print_prediction(node: orm.WorkChainNode) -> None:
    """Print match rate, METRe and displacements of every generator for a person."""
    content = t.cast(t.Any, require_output(node, 'prediction')).get_dict()
    headers = ('generator', 'stage', 'tolerance', 'first', 'draws matched', 'rmse', 'targets found', 'crmse')
    rows = []
    for name, generator in sorted(content['generators'].items()):
        for stage, words in STAGES.items():
            for tolerance in content['tolerances'] if generator[stage] is not None else ():
                depths = sorted(map(int, generator[stage][tolerance]))
                # Of all depths the first and the last: the others are in the JSON.
                for depth in dict.fromkeys((depths[0], depths[-1])):
                    found = generator[stage][tolerance][str(depth)]
                    matched, recalled = _share(found['match_rate']), _share(found['metre'])
                    numbers = [_number(found[key]) for key in ('rmse', 'crmse')]
                    rows.append((name, words, tolerance, depth, matched, numbers[0], recalled, numbers[1]))
    print_table(headers, rows, numeric=('first', 'rmse', 'crmse'))
    for name, generator in sorted(content['generators'].items()):
        if generator['energies'] is not None:
            click.echo(_energies(name, generator['energies']))
    note('Displacements in units of (V/N)^(1/3), intervals of 95 %. What the words mean: prediction --json')


def _energies(name: str, found: Mapping[str, t.Any]) -> str:
    lower, same = found['lower_candidates'], found['lower_and_matching']
    return (
        f'{name}: {lower} of {found["candidates"]} relaxed candidates are lower than the target by more than '
        f'1 meV/atom, {same} of them are a target'
    )


def _share(rate: Mapping[str, t.Any]) -> str:
    if rate['rate'] is None:
        return 'unknown'
    return f'{rate["count"]} ({rate["rate"]:.0%}; {rate["low"]:.0%} to {rate["high"]:.0%})'


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.4f}'
