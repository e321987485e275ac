"""Command lines with names in braces: what they become, and what is wrong with them. No AiiDA, no file, no clock."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REMOTE = Path(__file__).parents[2] / 'aiida_crystalgen' / 'remote'
if str(REMOTE) not in sys.path:
    sys.path.append(str(REMOTE))

import command_templates as templates  # noqa: E402

KNOWN = ('n', 'seed', 'output', 'composition')


@pytest.mark.parametrize(
    ('template', 'values', 'words'),
    [
        ('tool --n {n} --seed={seed}', {'n': 4, 'seed': 7}, ['tool', '--n', '4', '--seed=7']),
        ('tool "{composition}"', {'composition': 'a b'}, ['tool', 'a b']),
        ('tool {composition} {n}{n}', {'composition': 'a b; rm x', 'n': 1}, ['tool', 'a b; rm x', '11']),
        ('tool --target \'[{{"Na": {n}}}]\'', {'n': 2}, ['tool', '--target', '[{"Na": 2}]']),
        ('tool\n  --n {n}\n', {'n': 2}, ['tool', '--n', '2']),
        ('tool a\\ b', {}, ['tool', 'a b']),
    ],
)
def test_words_of_a_command(template, values, words):
    """Names are replaced inside words, and a value never becomes several words or runs anything."""
    assert templates.filled(template, values) == words
    assert templates.problem(template, KNOWN) == ''


@pytest.mark.parametrize(
    ('template', 'words'),
    [
        ('', 'the command is empty'),
        ('   ', 'the command is empty'),
        ('tool "x', 'a quote of the command is not closed'),
        ('tool {seeed}', '{seeed}, which stands for nothing: write {seed}'),
        ('tool {other}', 'stands for nothing: write {composition}, {n}, {output}, {seed}'),
        ('tool {', 'a brace without its partner: write {{ and }}'),
        ('tool n}', 'a brace without its partner'),
        ('tool {}', 'no plain name in its braces'),
        ('tool {n:03d}', 'no plain name in its braces'),
        ('tool {n!r}', 'no plain name in its braces'),
        ('tool {n.real}', 'no plain name in its braces'),
        ('tool {n[0]}', 'no plain name in its braces'),
        ('tool {seed} | head', 'has `|`, and no shell runs it'),
        ('tool > x', 'has `>`, and no shell runs it'),
        ('cd x && tool', 'no shell runs it'),
        ('$TOOL/run {n}', 'has `$TOOL/run`, and no shell runs it'),
        ('tool $(date)', 'no shell runs it'),
    ],
)
def test_what_is_wrong_is_one_sentence(template, words):
    """A template that is malformed, names what has no value or needs a shell is refused with its remedy."""
    found = templates.problem(template, KNOWN)
    assert words in found
    assert '\n' not in found
    assert ': ' in found


def test_names_come_once_and_in_order():
    """What a template asks for is known before it is filled."""
    assert templates.names('{output} {n} {output} "{seed}x"') == ['output', 'n', 'seed']
