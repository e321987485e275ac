"""A campaign file is read, and what cannot be read is named by line."""

from __future__ import annotations

import pytest

from aiida_crystalgen.schema import CampaignError, load_campaign

from .example import GOOD, REGISTRY


def test_a_good_file_is_read(write):
    """A minimal file gives a spec that knows its folder and the defaults."""
    spec = load_campaign(write(GOOD), REGISTRY)
    assert (spec.name, spec.protocol, spec.generators[0].code) == ('Mg-O', 'balanced', 'python@localhost')
    assert spec.resolve('x.cif') == spec.folder.resolve() / 'x.cif'


def test_all_problems_come_at_once_with_line_place_and_remedy(problems_of):
    """Problems in the form, the adapters and the files are in one answer, in the order of the file."""
    text = GOOD.replace('seed: 1', 'sed: 1').replace('n: 5', 'n: 0').replace('cutoff: 5', 'cutof: 5')
    found = problems_of(text + 'references: {phases: nowhere}\n')
    places = [(problem.line, problem.where) for problem in found]
    assert places == [
        (1, 'seed'),
        (3, 'sed'),
        (6, 'generators[0].n'),
        (10, 'potential.parameters.cutof'),
        (10, 'potential.parameters.cutoff'),
        (11, 'references.phases'),
    ]
    assert all(problem.message and problem.remedy for problem in found)


def test_the_error_is_readable(write):
    """The text of the error names the file and has one sentence for each problem."""
    with pytest.raises(CampaignError) as error:
        load_campaign(write(GOOD.replace('name:', 'nam:')), REGISTRY)
    first, *others = str(error.value).splitlines()
    assert first.endswith('campaign.yaml` has 2 problems:')
    assert '  line 2, `nam`: this key is not known here; did you mean `name`?' in others


@pytest.mark.parametrize(
    ('content', 'line', 'message', 'remedy'),
    [
        ('', 1, 'empty', 'new quickstart'),
        ('# only a comment\n', 1, 'empty', 'new quickstart'),
        ('- a\n- b\n', 1, 'not a list of `key: value` lines', 'version: 1'),
        ('version: 1\nname: [a\nseed: 1\n', 3, 'not YAML', 'indentation'),
        ('version: 1\ngenerators:\n\t- type: random\n', 3, 'tab', 'spaces'),
        (b'version: 1\nname: \xff\xfe\n', 2, 'not UTF-8', 'UTF-8'),
        ('version: 1\nname: a\x07b\n', 2, 'not allowed in YAML', 'take it out'),
        ('version: 1\n---\nversion: 1\n', 2, 'second document', 'one campaign'),
        ('a: ' + '[' * 5000, None, 'nested too deeply', 'flat'),
    ],
)
def test_a_file_that_is_no_campaign_is_one_sentence(problems_of, content, line, message, remedy):
    """What stops the reading of a file is one problem with its line and a remedy."""
    (problem,) = problems_of(content)
    assert problem.line == line
    assert message in problem.message
    assert remedy in problem.remedy


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path):
    """A path that leads to no file says so."""
    with pytest.raises(CampaignError, match='does not exist; check the path'):
        load_campaign(tmp_path / 'nothing.yaml', REGISTRY)
    with pytest.raises(CampaignError, match='this is a folder'):
        load_campaign(tmp_path, REGISTRY)


@pytest.mark.parametrize(
    ('line', 'where', 'message'),
    [
        ('seed: 2', 'seed', 'the key is here twice, first in line 3'),
        ('1: a', '1', 'the key `1` is not text'),
        ('extra: !!python/name:os.system x', 'extra', 'not allowed'),
        ('extra: &a [*a]', 'extra[0]', 'contains itself'),
        ('extra: 1e999', 'extra', 'too large'),
        (f'extra: {"9" * 5000}', 'extra', 'not a number'),
    ],
)
def test_odd_yaml_is_named_by_line(problems_of, line, where, message):
    """Duplicate keys, keys that are no text, tags, loops and endless numbers are problems, not crashes."""
    found = [p for p in problems_of(f'{GOOD}{line}\n') if p.where == where and message in p.message]
    assert [problem.line for problem in found] == [11]


def test_scalars_follow_yaml_1_2(write):
    """`1e-3` is a number and `no` is text, as a chemist means them."""
    spec = load_campaign(write(GOOD.replace('cutoff: 5', 'cutoff: 1e-3').replace('name: Mg-O', 'name: no')), REGISTRY)
    assert spec.potential.parameters['cutoff'] == 1e-3
    assert spec.name == 'no'
