"""Tables of columns, adapters and the keys of a campaign file, from what adapters and schema say of themselves."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from markdown_text import code, table

About = Mapping[str, t.Any]

KINDS: t.Final = {'generator': 'Generators', 'potential': 'Potentials', 'criterion': 'Criteria'}


def columns() -> str:
    """Return every column with unit and meaning, in the order in which a crystal gets them."""
    from aiida_crystalgen.bundles import registry
    from aiida_crystalgen.data.rejections import REJECTION_COLUMNS

    found = registry()
    parts = []
    parts.append(section('Every crystal', EVERY_CRYSTAL))
    parts += [section(f'Generator `{name}`', about['columns']) for name, about in found['generator'].items()]
    parts += screens('prescreen')
    shared = shared_columns(found['potential'])
    parts.append(section('Relaxation, every potential', shared))
    for name, about in found['potential'].items():
        parts.append(section(f'Potential `{name}`', {k: v for k, v in about['columns'].items() if k not in shared}))
    parts += screens('postscreen')
    parts.append(section('Rejected rows', REJECTION_COLUMNS))
    return '\n'.join(filter(None, parts))


EVERY_CRYSTAL: t.Final[dict[str, About]] = {
    'id': {'kind': 'text', 'help': '`<draw>-<index>`: the same on every machine.'},
    'generator': {'kind': 'text', 'help': 'Label of the generator in the campaign file.'},
    'seed': {'kind': 'row', 'dtype': 'int', 'help': 'Seed of the row, made of its draw and its index.'},
    'rank': {'kind': 'row', 'dtype': 'int', 'help': 'Place in the ranked table, 1 is the best.'},
    'shortlisted': {'kind': 'row', 'dtype': 'bool', 'help': 'Whether the crystal is on the short list.'},
}


def shared_columns(potentials: Mapping[str, About]) -> dict[str, t.Any]:
    """Return the columns that every potential writes."""
    names = set.intersection(*(set(about['columns']) for about in potentials.values())) if potentials else set()
    first = next(iter(potentials.values()), {'columns': {}})
    return {name: meta for name, meta in first['columns'].items() if name in names}


def screens(stage: str) -> list[str]:
    """Return the columns of the criteria of one screen, with the endings that the protocol gives them."""
    from aiida_crystalgen.bundles import registry
    from aiida_crystalgen.schema.protocols import protocol_inputs

    known = registry()['criterion']
    title = {'prescreen': 'Before relaxation', 'postscreen': 'After relaxation'}[stage]
    parts = []
    for step in protocol_inputs()[stage]['steps']:
        about = known.get(step['criterion'], {'columns': {}})
        named = {f'{name}{step["suffix"]}': meta for name, meta in about['columns'].items()}
        parts.append(section(f'{title}: criterion `{step["criterion"]}`', named))
    return parts


def section(title: str, described: Mapping[str, About]) -> str:
    """Return a heading and the table of its columns."""
    if not described:
        return ''
    rows = [(code(name), kind_of(meta), meta.get('unit', ''), meta.get('help', '')) for name, meta in described.items()]
    return f'## {title}\n\n' + table(('column', 'type', 'unit', 'meaning'), rows)


def kind_of(meta: About) -> str:
    """Return the type of a column in a word."""
    if meta.get('kind') == 'text':
        return 'text'
    word = {'row': '', 'site': ' per site', 'ragged': ' list'}[str(meta.get('kind', 'row'))]
    return f'{meta.get("dtype", "float")}{word}'


def adapters() -> str:
    """Return what every registered adapter says of itself."""
    from aiida_crystalgen.bundles import registry

    parts = []
    for kind, entries in registry().items():
        parts.append(f'## {KINDS[kind]}\n')
        parts += [describe(name, about) for name, about in entries.items()]
    return '\n'.join(parts)


def describe(name: str, about: About) -> str:
    """Return one adapter."""
    elements = about.get('elements', 'any')
    training = about.get('training') or {}
    facts = [
        ('Licence', about.get('licence', '')),
        ('Install', code(about.get('install')) or 'nothing more'),
        ('Elements', 'any' if elements == 'any' else f'{len(elements)}: {" ".join(elements)}'),
        ('Trained on', training.get('name', '')),
        ('Energies', code(about.get('energy_convention'))),
        *(('Cite', source) for source in about.get('citation', [])),
    ]
    lines = [f'### `{name}`', '', str(about.get('summary', '')), '']
    lines += [f'- {word}: {escaped(text)}' for word, text in facts if text]
    for key in ('parameters', 'conditions'):
        if about.get(key):
            rows = [(code(label), *form_of(form)) for label, form in about[key].items()]
            lines += ['', f'**{key.capitalize()}**', '', table(('name', 'type', 'default', 'unit', 'meaning'), rows)]
    return '\n'.join(lines) + '\n'


def escaped(text: str) -> str:
    """Return a text in which nothing is taken for markup."""
    return text if text.startswith('`') else text.replace('<', '&lt;').replace('$', '\\$')


def form_of(form: About) -> tuple[str, str, str, str]:
    """Return type, default, unit and meaning of a parameter."""
    kind = ' or '.join(code(choice) for choice in form.get('choices', [])) or form['type']
    default = code(form['default'] if form['default'] is not None else 'null') if 'default' in form else 'required'
    limits = [f'{word} {form[key]:g}' for key, word in (('minimum', 'at least'), ('maximum', 'at most')) if key in form]
    text = str(form.get('help', ''))
    return kind, default, form.get('unit', ''), f'{text} ({", ".join(limits)})' if limits else text


def campaign_file() -> str:
    """Return every key of a campaign file, part by part."""
    from aiida_crystalgen.schema.__main__ import json_schema

    schema = json_schema()
    parts = ['### The file\n\n' + keys_of(schema)]
    for name, part in TITLES.items():
        parts.append(f'### {part}\n\n' + keys_of(schema['$defs'][name]))
    return '\n'.join(parts)


TITLES: t.Final = {
    'GeneratorSpec': 'An entry of `generators`',
    'PotentialSpec': '`potential`',
    'ReferencesSpec': '`references`',
    'ScreenSpec': '`screen`',
    'StepSpec': 'An entry of `screen.prescreen` or `screen.postscreen`',
    'Gate': 'A gate, in `filters` and `gates`',
    'LimitTable': 'A limit that depends on the chemistry, in `min` and `max`',
    'ResourcesSpec': '`resources`',
}


def keys_of(part: Mapping[str, t.Any]) -> str:
    """Return the keys of one object of the JSON schema."""
    required = part.get('required', [])
    rows = [
        (code(name), type_of(form), 'required' if name in required else code(plain(form)), form.get('description', ''))
        for name, form in part['properties'].items()
    ]
    return table(('key', 'type', 'default', 'meaning'), rows)


def plain(form: Mapping[str, t.Any]) -> str:
    """Return a default as YAML would write it."""
    default = form.get('default')
    if default is None or default == {}:
        return ''
    return {True: 'true', False: 'false'}.get(default, str(default)) if isinstance(default, bool) else str(default)


def type_of(form: Mapping[str, t.Any]) -> str:
    """Return the type of a value of the JSON schema in a few words."""
    if '$ref' in form:
        return TYPES.get(form['$ref'].rpartition('/')[2], 'keys')
    if 'const' in form:
        return code(form['const'])
    if 'enum' in form:
        return ', '.join(code(value) for value in form['enum'])
    options = form.get('anyOf') or form.get('oneOf')
    if options:
        words = dict.fromkeys(type_of(option) for option in options)
        return ' or '.join(word for word in words if word != 'null')
    kind = str(form.get('type', 'any'))
    if kind == 'array':
        return f'list of {type_of(form.get("items", {}))}'
    if kind == 'object' and isinstance(form.get('additionalProperties'), dict):
        inner = type_of(form['additionalProperties'])
        return f'keys with {inner} each' if inner != 'keys' else 'keys'
    return {'string': 'text', 'integer': 'whole number', 'object': 'keys', 'boolean': '`true` or `false`'}.get(
        kind, kind
    )


WORDS: t.Final = {'string': 'text', 'integer': 'whole number', 'object': 'keys', 'boolean': '`true` or `false`'}
TYPES: t.Final = {
    'Gate': 'a gate', 'LimitTable': 'a table of limits', 'StepSpec': 'an entry', 'GeneratorSpec': 'entries',
}  # fmt: skip
