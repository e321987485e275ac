"""Tables of columns, adapters and the keys of a campaign file, from what adapters and schema say of themselves."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from markdown_text import code, table

About = Mapping[str, t.Any]

KINDS: t.Final = {
    'generator': 'Generators', 'potential': 'Potentials', 'criterion': 'Criteria', 'engine': 'Engines',
}  # fmt: skip


def columns() -> str:
    """Return every column with unit and meaning, in the order in which a crystal gets them."""
    from aiida_crystalgen.bundles import registry
    from aiida_crystalgen.calculations.engine_phonons import COLUMNS as VIBRATIONS
    from aiida_crystalgen.calculations.ranking import COLUMNS as RANKED
    from aiida_crystalgen.calculations.verified import COLUMNS as VERIFIED
    from aiida_crystalgen.data.rejections import REJECTION_COLUMNS

    found = registry()
    parts = []
    parts.append(section('Every crystal', EVERY_CRYSTAL))
    parts.append(section('What a generator was asked for', requested_columns()))
    parts += [section(f'Generator `{name}`', about['columns']) for name, about in found['generator'].items()]
    parts += screens('prescreen')
    shared = shared_columns(found['potential'])
    parts.append(section('Relaxation, every potential', shared))
    for name, about in found['potential'].items():
        parts.append(section(f'Potential `{name}`', {k: v for k, v in about['columns'].items() if k not in shared}))
    parts += screens('postscreen')
    parts += unscreened(found['criterion'])
    parts.append(section('Phonons of the short list', phonon_columns()))
    parts.append(section('Where further potentials judge the short list (`committee`)', committee_columns()))
    parts.append(section('Where a DFT engine is asked for (`verify`)', {**VERIFIED, **VIBRATIONS}))
    parts.append(section('Where the campaign has rules of its own (`ranking`)', ranked_columns(RANKED)))
    parts.append(section('Rejected rows', REJECTION_COLUMNS))
    return '\n'.join(filter(None, parts))


EVERY_CRYSTAL: t.Final[dict[str, About]] = {
    'id': {'kind': 'text', 'help': '`<draw>-<index>`: the same on every machine.'},
    'generator': {'kind': 'text', 'help': 'Label of the generator in the campaign file.'},
    'seed': {'kind': 'row', 'dtype': 'int', 'help': 'Seed of the row, made of its draw and its index.'},
    'rank': {'kind': 'row', 'dtype': 'int', 'help': 'Place in the ranked table, 1 is the best.'},
    'shortlisted': {'kind': 'row', 'dtype': 'bool', 'help': 'Whether the crystal is on the short list.'},
}


def committee_columns() -> dict[str, About]:
    """Return the columns of a committee."""
    from aiida_crystalgen.calculations.committee import COLUMNS, MEMBER

    return {'e_hull_<label>': MEMBER, **COLUMNS}


def ranked_columns(described: Mapping[str, About]) -> dict[str, About]:
    """Return the columns that a ranking adds to the rank."""
    screened = {'kind': 'row', 'dtype': 'int', 'help': 'Place that decided on the short list, before the phonons.'}
    return {'rank_screened': screened, **{name: meta for name, meta in described.items() if name != 'rank'}}


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


def unscreened(criteria: Mapping[str, About]) -> list[str]:
    """Return the columns of the criteria that no protocol asks for."""
    from aiida_crystalgen.schema.protocols import available_protocols, protocol_inputs

    inputs = [protocol_inputs(name) for name in available_protocols()]
    asked = {
        step['criterion'] for one in inputs for stage in ('prescreen', 'postscreen') for step in one[stage]['steps']
    }
    named = [(name, about) for name, about in criteria.items() if name not in asked]
    return [section(f'Where the campaign asks for it: criterion `{name}`', about['columns']) for name, about in named]


def phonon_columns() -> dict[str, About]:
    """Return the columns of phonons, those of the temperatures of the protocol among them."""
    from aiida_crystalgen.bundles import phonons_about

    thermal = {
        'phonon_free_energy_300K': {'unit': 'eV/atom', 'help': 'Vibrational free energy, one column a temperature.'},
        'phonon_heat_capacity_300K': {'unit': 'J/(mol K)', 'help': 'Heat capacity of a mole of atoms, likewise.'},
    }
    return {**phonons_about()['columns'], **thermal}


def requested_columns() -> dict[str, About]:
    """Return the columns of what the conditions of a campaign asked for."""
    from aiida_crystalgen.remote.tools import TERMS

    forms = {}
    for term, (kind, unit) in TERMS.items():
        form = {'kind': 'text'} if kind == 'text' else {'kind': 'row', 'dtype': kind}
        help_text = f'Condition `{term}` of the campaign, or of the entry of the generator; nothing that was measured.'
        forms[f'{term}_requested'] = {**form, 'unit': unit, 'help': help_text}
    return forms


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
    shape = 'x'.join(map(str, meta.get('shape') or []))
    return f'{f"{shape} " if shape else ""}{meta.get("dtype", "float")}{word}'


def desirabilities() -> str:
    """Return the scales of the columns that the priority knows."""
    from aiida_crystalgen.science.priority import DEFAULTS

    rows = []
    for name, scale in DEFAULTS.items():
        if 'values' in scale:
            best = ', '.join(f'{text} {share:g}' for text, share in scale['values'].items())
            rows.append((code(name), best, '', ''))
        else:
            rows.append((code(name), f'{scale["best"]:g}', f'{scale["worst"]:g}', scale['unit']))
    return table(('column', 'best', 'worst', 'unit'), rows)


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
    from aiida_crystalgen.cli.adapters import facts

    told = [(key.capitalize(), code(value) if key == 'energies' else value) for key, value in facts(about)]
    lines = [f'### `{name}`', '', escaped(str(about.get('summary', ''))), '']
    lines += [f'- {word}: {escaped(text)}' for word, text in told]
    for key in ('parameters', 'conditions'):
        if about.get(key):
            rows = [(code(label), *form_of(form)) for label, form in about[key].items()]
            lines += ['', f'**{key.capitalize()}**', '', table(('name', 'type', 'default', 'unit', 'meaning'), rows)]
    if about.get('checkpoints'):
        lines += ['', '**Checkpoints**', '', checkpoints(about)]
    return '\n'.join(lines) + '\n'


def checkpoints(about: About) -> str:
    """Return the published checkpoints of an adapter."""
    from aiida_crystalgen.cli.adapters import elements_text

    rows = []
    for name, entry in about['checkpoints'].items():
        files = ', '.join(f'{code(path)} {code(digest[:12])}' for path, digest in (entry.get('files') or {}).items())
        size = f'{entry["size_mb"]:g} MB, ' if entry.get('size_mb') else ''
        rows.append((
            code(name),
            entry.get('training') or '',
            elements_text(entry.get('elements', 'any')),
            entry.get('max_atoms') or '',
            ', '.join(map(code, entry.get('conditions') or [])) or 'none',
            entry.get('licence') or '',
            f'{size}{entry.get("source") or ""}',
            files or 'unknown: needs `trust`',
        ))  # fmt: skip
    headers = ('name', 'trained on', 'elements', 'atoms', 'conditions', 'licence', 'from', 'sha256 known')
    return table(headers, rows)


def escaped(text: str) -> str:
    """Return a text in which nothing outside backticks is taken for markup."""
    parts = text.split('`')
    parts[::2] = [part.replace('<', '&lt;').replace('$', '\\$').replace('*', '\\*') for part in parts[::2]]
    return '`'.join(parts)


def form_of(form: About) -> tuple[str, str, str, str]:
    """Return type, default, unit and meaning of a parameter."""
    kind = ' or '.join(code(choice) for choice in form.get('choices', [])) or form['type']
    default = code(form['default'] if form['default'] is not None else 'null') if 'default' in form else 'required'
    limits = [f'{word} {form[key]:g}' for key, word in (('minimum', 'at least'), ('maximum', 'at most')) if key in form]
    limits += ['or a list of them'] if form.get('many') else []
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
    'PhononsSpec': '`phonons`',
    'StepSpec': 'An entry of `screen.prescreen` or `screen.postscreen`',
    'Gate': 'A gate, in `filters` and `gates`',
    'LimitTable': 'A limit that depends on the chemistry, in `min` and `max`',
    'ConditionsSpec': '`conditions`',
    'VerifySpec': '`verify`',
    'ResourcesSpec': '`resources`',
    'ProfileSpec': 'An entry of `profiles`',
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
