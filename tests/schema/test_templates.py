"""Tests of command lines in a campaign: their names, and the conditions that they hear."""

import pytest

from aiida_crystalgen import bundles
from aiida_crystalgen.schema.templates import narrowed, template_findings

ABOUT = bundles.about('generator', 'command')


def found(command, **entry) -> list[tuple]:
    """Return place and words of what is wrong with a generator."""
    parameters = {'command': command, **entry.pop('parameters', {})}
    findings = template_findings({'type': 'command', 'parameters': parameters, **entry}, ABOUT, ('generators', 0))
    return [(finding.keys[-1], f'{finding.message}; {finding.remedy}') for finding in findings]


@pytest.mark.parametrize(
    ('command', 'entry', 'words'),
    [
        ('tool {sed}', {}, 'stands for nothing; write {seed}'),
        ('tool | x', {}, 'no shell runs it; put it into a script'),
        ('tool {model}', {}, 'there is none; give `model`'),
        ('tool {files}', {}, 'there is none; give `files`'),
        ('tool {composition}', {}, 'there is none; give `composition`'),
        ('tool', {'parameters': {'composition': 'NaCl'}}, 'does not use this condition; put {composition} into'),
    ],
)
def test_wrong_commands_are_told(command, entry, words):
    """Each fault of a command is one finding with its remedy."""
    (one,) = found(command, **entry)
    assert words in one[1]


def test_right_commands_have_no_findings():
    """Names of the generator, of its inputs, conditions and values all stand for something."""
    assert found('tool {n} {seed} {model} {files}', model='x', files='y') == []
    parameters = {'values': {'prompt': 'x'}, 'composition': 'NaCl'}
    assert found('tool {prompt} {composition} {python}', parameters=parameters) == []
    assert found(3) == []


def test_a_command_hears_what_it_names():
    """Terms of the campaign that the command does not name are not told to it."""
    assert set(narrowed(ABOUT, {'command': 'tool {composition} {n}'})['honours']) == {'composition'}
    assert narrowed(ABOUT, {'command': 'tool {'})['honours'] == {}
    assert narrowed(ABOUT, None)['honours'] == {}
    other = {'honours': {'composition': 'composition'}}
    assert narrowed(other, {}) == other
