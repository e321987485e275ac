"""`list`: what is registered and what ships, read from `ABOUT` without importing any tool."""

from __future__ import annotations

import json
import typing as t

import click

from aiida_crystalgen.cli.common import note, open_profile, print_table
from aiida_crystalgen.cli.errors import CommandError

KINDS: t.Final = ('generators', 'potentials', 'criteria', 'engines', 'campaigns', 'protocols')
_SINGULAR: t.Final = {
    'generators': 'generator',
    'potentials': 'potential',
    'criteria': 'criterion',
    'engines': 'engine',
}
_RUN_BY_CODES: t.Final = ('generators', 'potentials', 'engines')

# By name: whether the adapter runs on a Code, and its versions or why not.
Answers: t.TypeAlias = dict[str, tuple[bool, str]]


@click.command('list')
@click.argument('kind', type=click.Choice(KINDS))
@click.argument('name', required=False)
@click.option(
    '-v',
    '--verbose',
    is_flag=True,
    help='Also: licence, install line, elements, checkpoints, conditions with units and ranges, columns, references.',
)
@click.option('--code', metavar='LABEL@COMPUTER', help='Ask this Code whether it really runs them, on its computer.')
@click.option('--json', 'as_json', is_flag=True, help='Print what is known as JSON.')
def catalogue(kind: str, name: str | None, verbose: bool, code: str | None, as_json: bool) -> None:
    """List generators, potentials, criteria, engines, campaigns or protocols; with a NAME, all about that one."""
    known = _read(kind)
    if name is not None and name not in known:
        raise CommandError(f'`{name}` is not among the {kind}', f'Choose one of: {", ".join(known)}')
    if code is not None and kind not in _RUN_BY_CODES:
        raise CommandError(f'no Code runs {kind}', f'Take `--code` with {" or ".join(_RUN_BY_CODES)}')
    chosen = {name: known[name]} if name is not None else known
    answers = _answers(code, kind, list(chosen))
    if as_json:
        told = {label: {**about, **_as_json(answers.get(label))} for label, about in chosen.items()}
        click.echo(json.dumps(told, indent=1, sort_keys=True))
    elif kind in _SINGULAR:
        _print_adapters(kind, chosen, verbose or name is not None, code, answers)
    else:
        print_table(('name', 'summary'), [(label, about.get('summary', '')) for label, about in chosen.items()])
        if kind == 'campaigns':
            note('\nCopy one: aiida-crystalgen new NAME')


def _print_adapters(
    kind: str, chosen: dict[str, dict[str, t.Any]], verbose: bool, code: str | None, answers: Answers
) -> None:
    """Print all about each adapter, or a few lines of each."""
    from aiida_crystalgen.cli import adapters

    if verbose:
        for number, (label, about) in enumerate(chosen.items()):
            click.echo('\n' * bool(number), nl=False)
            adapters.describe(_SINGULAR[kind], label, about, code, answers.get(label))
        return
    adapters.summarise(chosen, code, answers)
    note(f'\nAll about one: aiida-crystalgen list {kind} NAME')
    if kind in _RUN_BY_CODES and code is None:
        note(f'Which of them a Code really runs: aiida-crystalgen list {kind} --code LABEL@COMPUTER')


def _answers(code: str | None, kind: str, labels: list[str]) -> Answers:
    """Return what a Code says; without one, which engines have all that they need in this Python."""
    if code is not None:
        return _asked(code, kind, labels)
    if kind != 'engines':
        return {}
    from aiida_crystalgen.cli.adapters import engine_here

    return {label: engine_here(label) for label in labels}


def _asked(code: str, kind: str, labels: list[str]) -> Answers:
    """Return whether each adapter runs on a Code, asked there."""
    from aiida_crystalgen.cli.codes import answers, code_of

    open_profile()
    rows = answers(code_of(code), [(_SINGULAR[kind], label) for label in labels])
    return {label: (runs, text) for _, label, runs, text in rows}


def _as_json(answer: tuple[bool, str] | None) -> dict[str, t.Any]:
    return {} if answer is None else {'runs': answer[0], 'versions' if answer[0] else 'reason': answer[1]}


def _read(kind: str) -> dict[str, dict[str, t.Any]]:
    if kind == 'campaigns':
        return {name: {'summary': _campaign_summary(name)} for name in _campaigns()}
    if kind == 'protocols':
        return _protocols()
    from aiida_crystalgen import bundles

    found: dict[str, dict[str, t.Any]] = {}
    for name in bundles.names(_SINGULAR[kind]):
        try:
            found[name] = bundles.about(_SINGULAR[kind], name)
        except (bundles.AdapterError, OSError) as error:  # of another package: the rest is listed all the same
            found[name] = {'summary': f'cannot be used: {error}'}
    return found


def _campaigns() -> list[str]:
    from aiida_crystalgen.cli.new import campaign_names

    return campaign_names()


def _campaign_summary(name: str) -> str:
    """Return the first paragraph of the campaign's README, or the name in its file."""
    import yaml

    from aiida_crystalgen.cli.new import campaigns_folder

    folder = campaigns_folder() / name
    readme = folder / 'README.md'
    paragraphs = readme.read_text(encoding='utf-8').split('\n\n') if readme.exists() else []
    for paragraph in paragraphs:
        text = ' '.join(paragraph.split())
        if text and not text.startswith('#'):
            return text.partition('. ')[0].rstrip('.')
    return str(yaml.safe_load((folder / 'campaign.yaml').read_text(encoding='utf-8')).get('name', ''))


def _protocols() -> dict[str, dict[str, t.Any]]:
    """Return the protocols of the workflows with their descriptions."""
    import yaml

    from aiida_crystalgen import bundles

    found: dict[str, dict[str, t.Any]] = {}
    for path in sorted((bundles.HERE / 'workflows' / 'protocols').rglob('*.yaml')):
        content = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
        for name, entry in (content.get('protocols') or {}).items():
            about = found.setdefault(name, {'summary': '', 'workflows': {}})
            about['summary'] = about['summary'] or str((entry or {}).get('description', ''))
            about['workflows'][path.stem] = entry
    return found
