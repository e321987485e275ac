"""What an adapter says of itself, as sentences and as paragraphs that fit the terminal."""

from __future__ import annotations

import re
import shutil
import textwrap
import typing as t
from collections.abc import Mapping

import click

from aiida_crystalgen.cli.common import plain

About: t.TypeAlias = Mapping[str, t.Any]
Facts: t.TypeAlias = list[tuple[str, str]]

_WIDEST: t.Final = 110  # letters of a line that is read easily
_SHORT_DIGEST: t.Final = 12
_FEW_MISSING: t.Final = 15  # elements that are still quicker to name than those that are there
_INDENT: t.Final = 2
_LABEL: t.Final = 13


def summarise(chosen: Mapping[str, About], code: str | None, answers: Mapping[str, tuple[bool, str]]) -> None:
    """Print a few lines about each adapter: what it does, its licence, what it needs, whether a Code runs it."""
    indent = max([len(name) for name in chosen], default=0) + _INDENT
    for name, about in chosen.items():
        _paragraph(str(about.get('summary', '')), click.style(name.ljust(indent), bold=True), indent)
        if 'kind' in about:
            needs = ', '.join(about.get('requires', [])) or 'nothing more'
            licence = re.split(r' \(|;|,', str(about.get('licence', '')))[0]
            _paragraph(f'needs {needs}; licence: {licence}', ' ' * indent, indent, dim=True)
        if name in answers:
            _paragraph(answer_text(code, answers[name]), ' ' * indent, indent)


def describe(kind: str, name: str, about: About, code: str | None, answer: tuple[bool, str] | None) -> None:
    """Print all that an adapter says of itself, and whether a Code runs it."""
    indent = ' ' * _INDENT
    _paragraph(str(about.get('summary', '')), click.style(name, bold=True) + indent, _INDENT)
    told = [] if kind == 'criterion' else [('runs', _how_to_ask(kind, name) if answer is None else '')]
    if answer is not None:
        told = [('runs', answer_text(code, answer))]
    for key, value in [*facts(about), *told]:
        _paragraph(value, f'{indent}{key:<{_LABEL}}', _INDENT + _LABEL)
    _print_checkpoints(about)
    for key in ('parameters', 'conditions'):
        if about.get(key):
            click.secho(f'{indent}{key}', bold=True)
            for label, form in about[key].items():
                _definition(label, parameter_form(form), str(form.get('help', '')))
    if about.get('columns'):
        click.secho(f'{indent}columns', bold=True)
        for label, meta in about['columns'].items():
            unit = f' [{meta["unit"]}]' if meta.get('unit') else ''
            _definition(label, f'{column_type(meta)}{unit}', str(meta.get('help', '')))


def answer_text(code: str | None, answer: tuple[bool, str]) -> str:
    """Return whether a Code runs an adapter, with its versions or the reason why not."""
    runs, text = answer
    if code is None:
        return f'here: {text}'
    return f'{code} runs it: {text}' if runs else f'{code} does not run it: {text}'


def engine_here(name: str) -> tuple[bool, str]:
    """Return whether an engine has all that it needs in this Python, and which of its programs lie on the path."""
    from importlib.metadata import version
    from shutil import which

    from aiida_crystalgen.workflows import engines

    try:
        absent, about = engines.missing(name), engines.about(name)
    except engines.EngineError as error:
        return False, str(error)
    if absent is not None:
        return False, absent
    parts = [f'{package} {version(package)} is installed' for package in about['requires']]
    for program in about.get('programs', []):
        path = which(program)
        parts.append(f'`{program}` is {path}' if path else f'`{program}` is not on the path of this computer')
    return True, '; '.join(parts) or 'ready; what it needs lies where its Code is'


def _how_to_ask(kind: str, name: str) -> str:
    return f'ask a Code with `aiida-crystalgen check-code LABEL@COMPUTER --{kind} {name}`'


def facts(about: About) -> Facts:
    """Return what is known of an adapter in one line each; what is not known is left out."""
    found = [
        ('licence', str(about.get('licence', ''))),
        ('install', str(about.get('install') or 'nothing to install')),
        ('codes', '; '.join(f'`{role}`: {text}' for role, text in (about.get('codes') or {}).items())),
        ('tasks', ', '.join(about.get('tasks') or [])),
        ('elements', elements_text(about.get('elements', 'any'))),
        ('atoms', atoms_text(about)),
        ('trained on', str((about.get('training') or {}).get('name', ''))),
        ('energies', str(about.get('energy_convention') or '')),
        ('asked by', honours_text(about)),
        ('reads', asset_text(about)),
        ('model', model_text(about)),
        ('trust', trust_text(about)),
        *(('cite', str(source)) for source in about.get('citation', [])),
    ]
    return [(key, value) for key, value in found if value]


def elements_text(elements: t.Any) -> str:
    """Return elements in a line: a text as it is, a long list by its ends and what is missing between them."""
    from aiida.common.constants import elements as table

    if isinstance(elements, str):
        return elements
    order = [str(entry['symbol']) for number, entry in sorted(table.items()) if number > 0]
    places = {symbol: place for place, symbol in enumerate(order)}
    present: list[str] = sorted(set(elements), key=lambda symbol: places.get(symbol, len(order)))
    if not present or any(symbol not in places for symbol in present):
        return f'{len(present)}: {", ".join(present)}'
    between = order[order.index(present[0]) : order.index(present[-1]) + 1]
    missing = [symbol for symbol in between if symbol not in present]
    if len(missing) > min(_FEW_MISSING, len(present) // 2):
        return f'{len(present)}: {", ".join(present)}'
    if len(present) == 1:
        return present[0]
    return f'{len(present)}, {present[0]} to {present[-1]}' + (f' without {", ".join(missing)}' if missing else '')


def atoms_text(about: About) -> str:
    """Return the largest number of atoms in a cell, where there is one."""
    forms = {**about.get('parameters', {}), **about.get('conditions', {})}
    limits = [limit for limit in [forms.get('max_atoms', {}).get('maximum')] if limit is not None]
    limits += [entry['max_atoms'] for entry in about.get('checkpoints', {}).values() if entry.get('max_atoms')]
    return f'at most {max(limits)} in a cell' if limits else ''


def honours_text(about: About) -> str:
    """Return which of a campaign's `conditions` an adapter can be told, and its own names for them."""
    terms = about.get('honours') or {}
    if not terms:
        return ''
    listed = ', '.join(term if own == term else f'{term} (here {own})' for term, own in terms.items())
    where = f', where the text of `{about["honours_in"]}` names them in braces' if about.get('honours_in') else ''
    return f'`conditions` of a campaign: {listed}{where}'


def asset_text(about: About) -> str:
    """Return what the key `files` of a campaign means to an adapter."""
    asset = about.get('asset')
    if not asset:
        return ''
    return f'`files` of its entry: {asset}' + (', may be left out' if about.get('asset_optional') else '')


def model_text(about: About) -> str:
    """Return what the key `model` of a campaign means to an adapter."""
    form = about.get('checkpoint')
    if about.get('weights'):
        return 'the weights come with this package; `model` names a file of your own instead'
    if not form:
        return ''
    kind = {'folder': 'a folder', 'either': 'a file or a folder'}.get(form.get('form', 'file'), 'a file')
    holds = f' that holds {" and ".join(form["required"])}' if form.get('required') else ''
    places = f'`model`: {kind}{holds}, here or as `remote:/path` on the computer of the Code'
    by_name = ', or a name below, which the tool fetches by itself' if form.get('by_name') else ''
    needed = '; needed' if form.get('required_input') else ''
    return places + by_name + needed


def trust_text(about: About) -> str:
    """Return which files of a model need `trust` in the campaign."""
    form, listed = about.get('checkpoint'), about.get('checkpoints') or {}
    if about.get('weights') or not form:
        return ''
    patterns = form.get('unpickled')
    if patterns is not None and not patterns:
        return 'none needed: loading the model runs no code'
    what = 'every file but .safetensors' if patterns is None else ', '.join(patterns)
    known = any(entry.get('files') for entry in listed.values())
    exempt = ', unless the sha256 of its files is known below' if known else ''
    return f'its tool unpickles {what}, which can run code: give `trust: <sha256>`{exempt}'


def checkpoint_lines(entry: About) -> list[str]:
    """Return what is known of a published checkpoint: a line on the model, on its conditions, and on the files."""
    limit = entry.get('max_atoms')
    model = [
        str(entry.get('training') or ''),
        '' if (elements := elements_text(entry.get('elements', 'any'))) == 'any' else f'elements: {elements}',
        f'at most {limit} atoms' if limit else '',
    ]
    size = entry.get('size_mb')
    origin = [str(entry.get('licence') or ''), f'{size:g} MB' if size else '', f'from {entry.get("source") or "?"}']
    conditions = ', '.join(entry.get('conditions') or [])
    files = ', '.join(f'{name} {digest[:_SHORT_DIGEST]}' for name, digest in (entry.get('files') or {}).items())
    return [
        '; '.join(filter(None, model)),
        f'conditions: {conditions}' if conditions else 'no conditions',
        '; '.join(filter(None, origin)),
        f'sha256 known: {files}' if files else 'needs `trust`: no sha256 of its files is known here',
    ]


def _print_checkpoints(about: About) -> None:
    """Print the published checkpoints; a model that no code runs from needs no trust."""
    if not about.get('checkpoints'):
        return
    click.secho(f'{" " * _INDENT}checkpoints', bold=True)
    safe = (about.get('checkpoint') or {}).get('unpickled') == []
    for name, entry in about['checkpoints'].items():
        click.echo(f'{" " * 2 * _INDENT}{name}')
        for line in checkpoint_lines(entry)[: 3 if safe and not entry.get('files') else 4]:
            _paragraph(line, ' ' * 4 * _INDENT, 5 * _INDENT)


def parameter_form(form: About) -> str:
    """Return type, unit, range and default of a parameter."""
    unit = f' [{form["unit"]}]' if form.get('unit') else ''
    parts = [f'{form.get("type", "")}{unit}']
    if form.get('choices'):
        parts.append(f'one of {", ".join(map(str, form["choices"]))}')
    words = {'minimum': 'at least', 'maximum': 'at most'}
    parts += [f'{word} {form[key]:g}' for key, word in words.items() if key in form]
    parts += ['or a list of them'] if form.get('many') else []
    default = form.get('default')
    parts.append(f'default {"null" if default is None else plain(default)}' if 'default' in form else 'required')
    return ', '.join(parts)


def column_type(meta: About) -> str:
    """Return the type of a column in a few words."""
    word = {'site': ' of each site', 'ragged': ' list'}.get(str(meta.get('kind', 'row')), '')
    shape, dtype = 'x'.join(map(str, meta.get('shape') or [])), str(meta.get('dtype', 'float'))
    return 'text' if meta.get('kind') == 'text' else f'{f"{shape} {dtype}s" if shape else dtype}{word}'


def _definition(label: str, form: str, text: str) -> None:
    """Print a name with its form, and what it means below."""
    start = ' ' * 2 * _INDENT
    _paragraph(form, f'{start}{label}  ', 4 * _INDENT)
    _paragraph(text, ' ' * 4 * _INDENT, 4 * _INDENT, dim=True)


def _paragraph(text: str, first: str, indent: int, *, dim: bool = False) -> None:
    """Print a text within the width of the terminal; a word that is wider stays whole."""
    if not text and not first.strip():
        return
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    shown = click.unstyle(first)
    lines = textwrap.wrap(
        text, width, initial_indent='_' * len(shown), subsequent_indent=' ' * indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
    lines = lines or [shown]
    body = lines[0][len(shown) :]
    if body:
        click.echo(first + (click.style(body, dim=True) if dim else body))
    else:
        click.echo(first.rstrip())
    for line in lines[1:]:
        click.secho(line, dim=dim or None)
