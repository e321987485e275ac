"""Everything that is wrong with a campaign: its form, then what it asks of adapters, files and columns."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiida_crystalgen.bundles import phonons_about, shared_about

from .chemistry import elements_of_formula, elements_of_species, elements_of_system
from .columns import column_findings
from .committee import committee_findings, members
from .conditions import condition_findings, moved, set_conditions, told
from .files import file_findings
from .hulls import hull_findings
from .models import NODE, REMOTE, files_of, is_path, model_findings, recognised, trained_findings
from .parameters import About, parameter_findings
from .phonons import phonon_findings
from .problem import Finding, Keys, Problem, choose, locate, shown
from .profiles import profile_findings
from .spec import CampaignSpec
from .structure import structure_findings
from .targets import set_targets, target_findings, with_example
from .templates import narrowed, template_findings
from .verify import verify_findings

# `ABOUT` by kind (`generator`, `potential`, `criterion`) and name, as `bundles.registry()` returns it.
Registry: t.TypeAlias = Mapping[str, Mapping[str, About]]

# What a generator can be told to make: how it is read, and an example.
TARGETS: t.Final[dict[str, tuple[t.Callable[[object], list[str] | None], str]]] = {
    'composition': (elements_of_formula, 'Mg2SiO4'),
    'chemical_system': (elements_of_system, 'Mg-O'),
    'species': (elements_of_species, '[Mg2+, O2-]'),
    'insert': (elements_of_formula, '{Li: 4}'),
}
FORMS: t.Final = {'species': 'list of ions', 'insert': 'list of elements and their numbers'}


def problems(campaign: CampaignSpec | Mapping[str, t.Any], registry: Registry, folder: Path = Path()) -> list[Problem]:
    """Return everything that is wrong with a campaign that is not in a file.

    :param registry: the `ABOUT` of every adapter by kind and name.
    :param folder: what the paths of a raw campaign are relative to; a `CampaignSpec` knows its own.
    """
    if isinstance(campaign, CampaignSpec):
        folder = campaign.folder
        campaign = campaign.model_dump(mode='json', exclude_unset=True)
    return locate(findings(campaign, registry, folder), {})


def findings(raw: Mapping[str, t.Any], registry: Registry, folder: Path) -> Iterator[Finding]:
    """Yield everything that is wrong; a part of the wrong form is looked at no further."""
    broken = list(structure_findings(raw))
    yield from broken
    given = raw.get('generators')
    generators = given if isinstance(given, list) else []
    entries = [entry for entry in generators if isinstance(entry, Mapping)]
    abouts = [_heard(entry, registry) for entry in generators]
    potential = _adapter_about(raw.get('potential'), 'potential', registry)
    yield from _adapter_findings(raw.get('potential'), 'potential', registry, folder, ('potential',))
    for index, member in enumerate(members(raw)):
        yield from _adapter_findings(member, 'potential', registry, folder, ('committee', index))
    yield from committee_findings(raw)
    conditions, targets = set_conditions(raw), set_targets(raw)
    for index, (entry, about) in enumerate(zip(generators, abouts, strict=True)):
        told_entry, origins = told(entry, about, conditions) if isinstance(entry, Mapping) else (entry, {})
        if targets is not None and isinstance(entry, Mapping):
            told_entry = with_example(told_entry, about, potential)
        keys: Keys = ('generators', index)
        yield from moved(_generator_findings(told_entry, about, potential, registry, folder, keys), keys, origins)
    yield from target_findings(raw, abouts)
    yield from condition_findings(conditions, [about for about in abouts if about])
    yield from _label_findings(entries)
    yield from _chain_findings(entries, registry)
    yield from file_findings(raw, folder)
    yield from profile_findings(raw)
    yield from hull_findings(raw, potential)
    yield from phonon_findings(raw, potential, {'phonons': phonons_about(), 'relaxation': shared_about('relaxation')})
    yield from column_findings(raw, registry)
    yield from verify_findings(raw, registry)


def _generator_findings(
    entry: t.Any, about: About, potential: About, registry: Registry, folder: Path, keys: Keys
) -> Iterator[Finding]:
    """Yield everything that is wrong with one generator."""
    yield from _adapter_findings(entry, 'generator', registry, folder, keys)
    yield from _count_findings(entry, keys)
    yield from _element_findings(entry, {'generator': about, 'potential': potential}, keys)
    yield from _target_findings(entry, about, keys)
    yield from _input_findings(entry, about, keys)
    yield from template_findings(entry, about, keys)
    if isinstance(entry, Mapping) and isinstance(entry.get('parameters', {}), Mapping):
        checkpoint = _checkpoint(entry, about, folder)
        yield from trained_findings(checkpoint, entry.get('parameters', {}), about, (*keys, 'parameters'))


def _heard(entry: t.Any, registry: Registry) -> About:
    """Return the `ABOUT` of a generator with only the terms of the campaign that it is told."""
    about = _adapter_about(entry, 'generator', registry)
    return narrowed(about, entry.get('parameters')) if isinstance(entry, Mapping) else about


def _checkpoint(entry: Mapping[str, t.Any], about: About, folder: Path) -> str | None:
    """Return the published checkpoint that a generator uses, by its name or recognised by its files."""
    model = entry.get('model')
    if not isinstance(model, str) or model.startswith((REMOTE, NODE)):
        return None
    if not is_path(model, folder):
        return model
    path = folder / os.path.expanduser(model)
    return recognised(files_of(path), about) if os.path.exists(path) else None


def _adapter_about(entry: t.Any, kind: str, registry: Registry) -> About:
    """Return the `ABOUT` of the adapter that a part of the campaign names; empty if there is none."""
    name = entry.get('type') if isinstance(entry, Mapping) else None
    return registry.get(kind, {}).get(name, {}) if isinstance(name, str) else {}


def _adapter_findings(entry: t.Any, kind: str, registry: Registry, folder: Path, keys: Keys) -> Iterator[Finding]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get('type'), str):
        return
    about = _adapter_about(entry, kind, registry)
    if not about:
        message = f'no {kind} is registered under the name `{entry["type"]}`'
        yield Finding((*keys, 'type'), message, choose(entry['type'], registry.get(kind, {})))
        return
    parameters = entry.get('parameters', {})
    yield from model_findings(entry, {'name': entry['type'], **about}, keys, folder)
    if isinstance(parameters, Mapping):
        yield from parameter_findings(parameters, {'name': entry['type'], **about}, (*keys, 'parameters'))


def _count_findings(entry: t.Any, keys: Keys) -> Iterator[Finding]:
    if isinstance(entry, Mapping) and entry.get('type') != 'files' and entry.get('n') is None:
        yield Finding((*keys, 'n'), 'this is missing', 'give the number of crystals to make')


def _label_findings(entries: list[Mapping[str, t.Any]]) -> Iterator[Finding]:
    seen: set[object] = set()
    for index, entry in enumerate(entries):
        label = entry.get('label') or entry.get('type')
        if isinstance(label, str) and label in seen:
            message = f'another generator above has the label `{label}` too'
            yield Finding(('generators', index, 'label'), message, 'give this one a `label` of its own')
        seen.add(label if isinstance(label, str) else None)


def _chain_findings(entries: list[Mapping[str, t.Any]], registry: Registry) -> Iterator[Finding]:
    """Yield generators that are to follow one that is not above them, or that take no crystals of another."""
    above: list[str] = []
    for index, entry in enumerate(entries):
        source = entry.get('after')
        keys: Keys = ('generators', index, 'after')
        about = _adapter_about(entry, 'generator', registry)
        if isinstance(source, str) and source not in above:
            yield Finding(keys, f'no generator above has the label `{source}`', choose(source, above))
        if source is not None and about and 'table' not in about:
            message = f'`{about["name"]}` takes no crystals of another generator'
            yield Finding(keys, message, 'take `after` out')
        above.append(str(entry.get('label') or entry.get('type')))


def _element_findings(entry: t.Any, abouts: Mapping[str, About], keys: Keys) -> Iterator[Finding]:
    """Yield formulas that cannot be read, and elements that the generator or the potential does not know."""
    parameters = entry.get('parameters') if isinstance(entry, Mapping) else None
    if not isinstance(parameters, Mapping):
        return
    for name, (read, example) in TARGETS.items():
        value, here = parameters.get(name), (*keys, 'parameters', name)
        if value is None:
            continue
        elements = read(value)
        if elements is None:
            form = FORMS.get(name, name.replace('_', ' '))
            yield Finding(here, f'{shown(value)} is not a {form}', f'write element symbols, as `{example}`')
            continue
        for kind, about in abouts.items():
            known = about.get('elements', 'any')
            missing = [symbol for symbol in elements if known != 'any' and symbol not in known]
            if missing:
                message = f'the {kind} `{about["name"]}` does not know {", ".join(missing)}'
                yield Finding(here, message, f'take another {kind} or other elements')


def _target_findings(entry: t.Any, about: About, keys: Keys) -> Iterator[Finding]:
    """Yield where a generator that can be told in several ways what to make is told in several, or in none."""
    ways = [name for name in TARGETS if name in about.get('conditions', {})]
    parameters = entry.get('parameters', {}) if isinstance(entry, Mapping) else None
    if len(ways) < 2 or not isinstance(parameters, Mapping):
        return
    given = [name for name in ways if parameters.get(name) is not None]
    if len(given) > 1 or not (given or about.get('unconditional')):
        message = f'{" and ".join(given)} are given together' if given else 'nothing says what to make'
        examples = ' or '.join(f'`{name}: {TARGETS[name][1]}`' for name in ways)
        yield Finding((*keys, 'parameters'), message, f'give either {examples}')


def _input_findings(entry: t.Any, about: About, keys: Keys) -> Iterator[Finding]:
    """Yield a generator that reads files and is given none."""
    reads = entry.get('type') == 'files' or 'asset' in about if isinstance(entry, Mapping) else False
    if reads and entry.get('files') is None and not about.get('asset_optional'):
        yield Finding((*keys, 'files'), 'this is missing', 'give the file or folder that it reads')
