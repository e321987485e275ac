"""Tests of `rank`: a finished campaign in another order."""

import json

import pytest
from aiida import orm


def test_other_rules_give_another_table_beside_the_first(campaign, call):
    """The rules and the table are nodes; the table of the campaign stays as it was."""
    before = campaign.outputs.table.crystals
    arguments = ('--objective', 'e_hull=max', '-w', 'novel_known=1', '-w', 'formation_energy=1:-0.1:0.1')
    rows = json.loads(call('rank', campaign.pk, *arguments, '--json').output)
    assert [row['rank'] for row in rows] == [1, 2, 3, 4]
    assert [row['pareto_front'] for row in rows] == [4, 3, 1, 2]
    assert rows[0]['priority'] == pytest.approx((1 + 0.9) / 2)
    assert rows[-1]['priority_known'] == 0.5
    outgoing = campaign.outputs.table.base.links.get_outgoing(node_class=orm.CalcFunctionNode).all_nodes()
    (process,) = [node for node in outgoing if node.process_label == 'rerank']
    assert process.inputs.rules['objectives'] == {'e_hull': 'max'}
    assert campaign.outputs.table.crystals.equals(before)


def test_a_varied_short_list(campaign, call):
    """At most one crystal of each formula is on it, and a person reads which."""
    output = call('rank', campaign.pk, '--at-most', 'formula=1', '--shortlist', 4).output
    chosen = [line.split() for line in output.splitlines() if line.endswith('yes')]
    assert len({line[2] for line in chosen}) == len(chosen) == 3
    assert 'not the chance' in output
    assert orm.load_node(int(output.split('node ')[1].split(';')[0])).creator.process_label == 'rerank'


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ((), 'no rules'),
        (('-o', 'e_hul=min'), 'Choose among: e_hull'),
        (('-o', 'e_hull=low'), '`min` or `max`'),
        (('-o', 'e_hull'), '`e_hull=min`'),
        (('-o', 'generator=min'), 'no order'),
        (('-w', 'e_hull=much'), 'no number'),
        (('-w', 'e_hull=1:2'), 'WEIGHT:BEST:WORST'),
        (('-w', 'energy=1'), 'there is no default'),
        (('--at-most', 'formula=0'), 'formula=1'),
        (('--at-most', 'prototype=1'), 'no column `prototype`'),
    ],
)
def test_wrong_rules_are_one_sentence(campaign, call, arguments, text):
    """Nothing is stored for rules that mean nothing."""
    n_before = orm.QueryBuilder().append(orm.Dict).count()
    assert text in call('rank', campaign.pk, *arguments, code=1).output
    assert orm.QueryBuilder().append(orm.Dict).count() == n_before
