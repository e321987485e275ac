"""A campaign as a Research Object Crate: its files with what they are, who made them, and how."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

if t.TYPE_CHECKING:
    from aiida import orm

HOME: t.Final = 'https://github.com/aiida-crystalgen/aiida-crystalgen'
AIIDA: t.Final = 'https://www.aiida.net'
PROCESS: t.Final = 'https://w3id.org/ro/wfrun/process/0.5'  # the profile of a run of software

# What the files of a crate are, by the ending of their names.
FILES: t.Final = {
    '.aiida': ('Provenance', 'All inputs, processes and results of the campaign as AiiDA archive.', 'application/zip'),
    '.csv': ('Table', 'The crystals, the best first; units in the file beside it.', 'text/csv'),
    '-metadata.json': ('Columns', 'Type, unit, level of theory and meaning of the columns.', 'application/csvm+json'),
    '.extxyz': ('Crystals', 'Geometry [A] and all columns, as extended XYZ.', 'chemical/x-xyz'),
    '.jsonl': ('Crystals', 'Geometry [A] and columns as OPTIMADE JSON lines.', 'application/jsonl'),
    '.html': ('Report', 'What the campaign found, to be read in a browser.', 'text/html'),
    'campaign.json': ('Campaign', 'What was asked for, every number in it.', 'application/json'),
    'funnel.json': ('Funnel', 'What every stage kept, rejected and cost.', 'application/json'),
}


def write_crate(node: orm.WorkChainNode, files: Mapping[str, Path], target: Path, *, name: str, licence: str) -> None:
    """Write a crate: a zip where the target ends with `.zip`, else a folder.

    :param files: by the name in the crate, which says what each is.
    :param licence: an SPDX name, such as CC-BY-4.0, or an address.
    :raises ModuleNotFoundError: without the package `rocrate`.
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name = name
    crate.description = (
        f'Crystals that an aiida-crystalgen campaign generated, screened and ranked: {name}. Every step is in the '
        'AiiDA archive.'
    )
    address = licence if '://' in licence else f'https://spdx.org/licenses/{licence}'
    facts = {'@type': 'CreativeWork', 'name': licence, 'description': f'The licence of this crate: {licence}.'}
    crate.license = crate.add(ContextEntity(crate, address, properties=facts))
    profile = {'@type': 'CreativeWork', 'name': 'Process Run Crate', 'version': '0.5'}
    crate.root_dataset['conformsTo'] = crate.add(ContextEntity(crate, PROCESS, properties=profile))
    added = {filename: _add_file(crate, filename, path) for filename, path in files.items()}
    author = _author(crate, node)
    if author is not None:
        crate.root_dataset['author'] = author
    tools = [_software(crate, label, address) for label, address in (('aiida-crystalgen', HOME), ('aiida-core', AIIDA))]
    facts = {
        '@type': 'CreateAction',
        'name': f'Run of the campaign {name}',
        'startTime': node.ctime.isoformat(timespec='seconds'),
        'endTime': node.mtime.isoformat(timespec='seconds'),
        'actionStatus': 'http://schema.org/CompletedActionStatus',
    }
    action = crate.add(ContextEntity(crate, f'#{node.uuid}', properties=facts))
    action['instrument'] = tools
    action['object'] = [entity for filename, entity in added.items() if filename == 'campaign.json']
    action['result'] = [entity for filename, entity in added.items() if filename != 'campaign.json']
    if author is not None:
        action['agent'] = author
    crate.root_dataset['mentions'] = action
    if target.suffix == '.zip':
        crate.write_zip(target)
    else:
        crate.write(target)


def _add_file(crate: t.Any, filename: str, path: Path) -> t.Any:
    ending = next(ending for ending in sorted(FILES, key=len, reverse=True) if filename.endswith(ending))
    name, text, form = FILES[ending]
    facts = {'name': name, 'description': text, 'encodingFormat': form, 'contentSize': str(path.stat().st_size)}
    return crate.add_file(path, filename, properties=facts)


def _software(crate: t.Any, name: str, address: str) -> t.Any:
    from rocrate.model.contextentity import ContextEntity

    facts = {'@type': 'SoftwareApplication', 'name': name, 'version': version(name), 'url': address}
    return crate.add(ContextEntity(crate, f'{address}#{version(name)}', properties=facts))


def _author(crate: t.Any, node: orm.WorkChainNode) -> t.Any:
    """Return who ran the campaign, None where AiiDA was told no name; the address of their mail stays at home."""
    from rocrate.model.person import Person

    name = ' '.join(filter(None, (node.user.first_name, node.user.last_name)))
    if not name:
        return None
    facts = {'name': name, **({'affiliation': node.user.institution} if node.user.institution else {})}
    return crate.add(Person(crate, f'#{name.replace(" ", "-")}', properties=facts))
