"""`list`: what is registered and what ships, read from `ABOUT` without importing any tool."""

from __future__ import annotations

import json
import typing as t

import click

from aiida_crystalgen.cli.common import note, plain, print_table
from aiida_crystalgen.cli.errors import CommandError

KINDS: t.Final = ('generators', 'potentials', 'criteria', 'campaigns', 'protocols')
_SINGULAR: t.Final = {'generators': 'generator', 'potentials': 'potential', 'criteria': 'criterion'}


@click.command('list')
@click.argument('kind', type=click.Choice(KINDS))
@click.argument('name', required=False)
@click.option('-v', '--verbose', is_flag=True, help='Parameters with units, columns, install line and references.')
@click.option('--json', 'as_json', is_flag=True, help='Print what is known as JSON.')
def catalogue(kind: str, name: str | None, verbose: bool, as_json: bool) -> None:
    """List generators, potentials, criteria, campaigns or protocols; with a NAME, all about that one."""
    known = _read(kind)
    if name is not None and name not in known:
        raise CommandError(f'`{name}` is not among the {kind}', f'Choose one of: {", ".join(known)}')
    chosen = {name: known[name]} if name is not None else known
    if as_json:
        click.echo(json.dumps(chosen, indent=1, sort_keys=True))
    elif kind in _SINGULAR and (verbose or name is not None):
        for number, (label, about) in enumerate(chosen.items()):
            click.echo('\n' * bool(number), nl=False)
            _describe(label, about)
    elif kind in _SINGULAR:
        rows = [
            (label, *(about.get(key, '') for key in ('summary', 'licence')), _needs(about))
            for label, about in chosen.items()
        ]
        print_table(('name', 'summary', 'licence', 'needs'), rows)
        note(f'\nParameters, columns and references: aiida-crystalgen list {kind} NAME')
    else:
        print_table(('name', 'summary'), [(label, about.get('summary', '')) for label, about in chosen.items()])
        if kind == 'campaigns':
            note('\nCopy one: aiida-crystalgen new NAME')


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
        except bundles.AdapterError as error:  # of another package: the rest is listed all the same
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


def _needs(about: dict[str, t.Any]) -> str:
    return ', '.join(about.get('requires', [])) or 'nothing more'


def _describe(name: str, about: dict[str, t.Any]) -> None:
    """Print all that an adapter says of itself."""
    click.secho(name, bold=True, nl=False)
    click.echo(f'  {about.get("summary", "")}')
    elements = about.get('elements', 'any')
    facts = {
        'licence': about.get('licence', ''),
        'install': about.get('install') or 'nothing to install',
        'elements': 'any' if elements == 'any' else f'{len(elements)}: {", ".join(elements)}',
        'trained on': (about.get('training') or {}).get('name', ''),
        'energies': about.get('energy_convention') or '',
    }
    for key, value in facts.items():
        if value:
            _fact(key, value)
    for source in about.get('citation', []):
        _fact('cite', source)
    for key in ('parameters', 'conditions'):
        if about.get(key):
            click.secho(f'  {key}', bold=True)
            lines = [(f'    {label}', *_parameter(entry)) for label, entry in about[key].items()]
            print_table(('    name', 'type', 'default', 'unit', 'meaning'), lines)
    if about.get('columns'):
        click.secho('  columns', bold=True)
        rows = [
            (f'    {label}', _type(entry), entry.get('unit', ''), entry.get('help', ''))
            for label, entry in about['columns'].items()
        ]
        print_table(('    name', 'type', 'unit', 'meaning'), rows)


def _fact(key: str, value: str) -> None:
    import textwrap

    first, rest = f'  {key:<12}', ' ' * 14
    click.echo(textwrap.fill(value, 110, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False))


def _parameter(entry: dict[str, t.Any]) -> tuple[str, str, str, str]:
    kind = ' | '.join(map(str, entry['choices'])) if entry.get('choices') else str(entry.get('type', ''))
    default = plain(entry['default']) if 'default' in entry else 'required'
    words = {'minimum': 'at least', 'maximum': 'at most'}
    limits = [f'{word} {entry[key]:g}' for key, word in words.items() if key in entry]
    text = str(entry.get('help', ''))
    return kind, default, str(entry.get('unit', '')), f'{text} ({", ".join(limits)})' if limits else text


def _type(entry: dict[str, t.Any]) -> str:
    return 'text' if entry.get('kind') == 'text' else str(entry.get('dtype', ''))
