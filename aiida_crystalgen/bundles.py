"""Find registered adapters, read their `ABOUT` without importing them, and zip what has to travel.

An adapter is one Python file registered in one of four entry-point groups. Its file is found through the metadata of
the distribution that registered it, so neither the adapter nor its tool is ever imported here.
"""

from __future__ import annotations

import ast
import functools
import io
import json
import typing as t
import zipfile
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from importlib.util import find_spec
from pathlib import Path

GROUPS: t.Final = {
    'generator': 'crystalgen.generators',
    'potential': 'crystalgen.potentials',
    'criterion': 'crystalgen.criteria',
    'engine': 'crystalgen.engines',
}
HERE: t.Final = Path(__file__).resolve().parent
REMOTE: t.Final = HERE / 'remote'
SCIENCE: t.Final = HERE / 'science'
HARNESS: t.Final = REMOTE / 'harness'

# The oldest date a zip file can hold: equal content must give equal bytes.
_ZIP_DATE: t.Final = (1980, 1, 1, 0, 0, 0)
# What travels of a packaged model; its weights are an input of their own.
_OF_PACKAGES: t.Final = ('.py', '.npz')
# What phonons need of the science floor.
_SCIENCE_OF_PHONONS: t.Final = ('supercells', 'phonons')
# What `python bundle.zip` runs. Everything that travels is found in the bundle first, nothing in the job folder.
_MAIN: t.Final = """\
import os
import sys

bundle = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [bundle, *(path for path in sys.path if os.path.abspath(path) not in (bundle, os.getcwd()))]

from crystalgen_harness.main import main

main(sys.argv[1:])
"""


class AdapterError(Exception):
    """An adapter that is not registered, or whose file does not follow the contract."""


def names(kind: str) -> list[str]:
    """Return the registered names of one kind: `generator`, `potential`, `criterion` or `engine`."""
    return sorted({entry.name for entry in entry_points(group=GROUPS[kind])})


@functools.cache
def find(kind: str, name: str) -> Path:
    """Return the file of a registered adapter without importing it."""
    entries = [entry for entry in entry_points(group=GROUPS[kind]) if entry.name == name]
    if not entries:
        known = ', '.join(names(kind))
        raise AdapterError(f'no {kind} is registered under the name `{name}`; choose one of: {known}')
    for candidate in _candidates(entries[0]):
        if candidate.is_file():
            return candidate
    raise AdapterError(f'the file of {kind} `{name}` (`{entries[0].value}`) was not found; reinstall the package')


def _candidates(entry: EntryPoint) -> t.Iterator[Path]:
    """Yield the places where the module of an entry point may lie."""
    parts = entry.module.split('.')
    if parts[0] == __package__:
        yield HERE.joinpath(*parts[1:]).with_suffix('.py')
    relative = '/'.join(parts) + '.py'
    for distribution in _owners(entry):
        yield Path(str(distribution.locate_file(relative)))
    # Editable installs do not list their files: the top-level package is found, still without running the adapter.
    spec = find_spec(parts[0])
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location).joinpath(*parts[1:]).with_suffix('.py')
    if spec is not None and spec.origin and len(parts) == 1:
        yield Path(spec.origin)


def _owners(entry: EntryPoint) -> list[Distribution]:
    owner = getattr(entry, 'dist', None)
    return [owner] if owner is not None else [d for d in distributions() if entry in d.entry_points]


@functools.cache
def _literal_about(path: Path) -> dict[str, t.Any]:
    """Return the literal `ABOUT` of a file."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == 'ABOUT' for target in targets):
            try:
                value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError as error:
                raise AdapterError(f'`ABOUT` in `{path.name}` is not a literal: {error}') from error
            return dict(value)
    raise AdapterError(f'`{path.name}` has no literal `ABOUT = {{...}}`')


def about(kind: str, name: str) -> dict[str, t.Any]:
    """Return what an adapter says of itself; the modules that it needs add their parameters and columns."""
    return _merged(_literal_about(find(kind, name)))


def _merged(own: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return an `ABOUT` with the parameters and columns of the modules that it needs."""
    merged: dict[str, t.Any] = {**own, 'parameters': {}, 'columns': {}}
    for source in [*(shared_about(need) for need in _needs(own)), own]:
        for key in ('parameters', 'columns'):
            merged[key] = {**merged[key], **source.get(key, {})}
    return merged


def units_of(description: t.Mapping[str, t.Any], parameters: t.Mapping[str, t.Any]) -> int:
    """Return the crystals of one draw unit: a number, or the value of the parameter that the adapter names."""
    units = description.get('units', 1)
    if not isinstance(units, str):
        return int(units)
    return int(parameters.get(units) or description['parameters'][units]['default'])


def _needs(about: t.Mapping[str, t.Any]) -> list[str]:
    """Return the shared remote modules that an adapter needs, and those that they need in turn."""
    found: list[str] = []
    pending = list(about.get('needs', []))
    while pending:
        module = pending.pop(0)
        if module not in found:
            found.append(module)
            pending += shared_about(module).get('needs', [])
    return found


def shared_about(module: str) -> dict[str, t.Any]:
    """Return the `ABOUT` of a shared remote module, empty when it has none."""
    try:
        return _literal_about(REMOTE / f'{module}.py')
    except AdapterError:
        return {}


def registry() -> dict[str, dict[str, dict[str, t.Any]]]:
    """Return `{kind: {name: ABOUT}}` of everything registered; an adapter that cannot be read is left out."""
    found: dict[str, dict[str, dict[str, t.Any]]] = {kind: {} for kind in GROUPS}
    for kind in GROUPS:
        for name in names(kind):
            try:
                found[kind][name] = about(kind, name)
            except AdapterError:
                continue
    return found


def adapter_bundle(kind: str, name: str) -> bytes:
    """Return the zip of an adapter (as `adapter.py`) with the shared modules and the packaged model that it needs."""
    path = find(kind, name)
    members = {'adapter.py': path.read_bytes()}
    own = _literal_about(path)
    members.update(_science_members(own['science']) if 'science' in own else {})
    for package, folder in own.get('packages', {}).items():
        files = [file for file in sorted((HERE / folder).iterdir()) if file.suffix in _OF_PACKAGES]
        members.update({f'{package}/{file.name}': file.read_bytes() for file in files})
    for need in _needs(own):
        members[f'{need}.py'] = (REMOTE / f'{need}.py').read_bytes()
    return bundle_of_files('adapter', {**about(kind, name), 'kind': kind, 'name': name}, members)


def remote_bundle(module: str) -> bytes:
    """Return the zip of a module of `remote/` that is no adapter of its own: an engine sends it."""
    own = _literal_about(REMOTE / f'{module}.py')
    members = {f'{name}.py': (REMOTE / f'{name}.py').read_bytes() for name in [module, *_needs(own)]}
    return bundle_of_files(module, _merged(own), members)


def phonon_bundle(potential: str) -> bytes:
    """Return the zip that computes phonons with a registered potential: its adapter is one of the members.

    :raises AdapterError: for a potential that does not hand itself to `relaxation.relax`.
    """
    path = find('potential', potential)
    own = about('potential', potential)
    if 'relaxation' not in _needs(own):
        raise AdapterError(f'`{potential}` does not relax with the shared module `relaxation`, so it gives no phonons')
    shared = phonons_about()
    needs = ['phonons', *_needs(shared), *_needs(own)]
    members = {f'{need}.py': (REMOTE / f'{need}.py').read_bytes() for need in needs}
    members.update(_science_members(_SCIENCE_OF_PHONONS))
    parameters = {**own['parameters'], **shared['parameters']}
    install = f'{own["install"]} phonopy spglib'
    description = {**own, **shared, 'parameters': parameters, 'kind': 'phonons', 'install': install}
    return bundle_of_files('phonons', description, {**members, 'adapter.py': path.read_bytes()})


def _science_members(modules: t.Iterable[str]) -> dict[str, bytes]:
    """Return those modules of the science floor as members of a bundle."""
    return {f'science/{name}.py': (SCIENCE / f'{name}.py').read_bytes() for name in ['__init__', *modules]}


def phonons_about() -> dict[str, t.Any]:
    """Return the `ABOUT` of phonons, with the parameters and columns of what they need."""
    return _merged(shared_about('phonons'))


def packaged_weights(kind: str, name: str) -> Path | None:
    """Return the file of the weights that come with an adapter of this package, None where none do."""
    weights = about(kind, name).get('weights')
    return None if weights is None else HERE / weights


def science_bundle(criteria: t.Iterable[str] = (), module: str = 'pipeline') -> bytes:
    """Return the zip of the `science` folder with the harness, ready to run one of its modules.

    :param criteria: registered criteria that are used; those of other packages travel as `<name>.py` beside `science/`.
    :param module: `pipeline` runs criteria, `indexing` builds an index of known crystals.
    """
    members = {f'science/{path.name}': path.read_bytes() for path in sorted(SCIENCE.glob('*.py'))}
    for name in criteria:
        path = find('criterion', name)
        if path.parent != SCIENCE:
            members[f'{name}.py'] = path.read_bytes()
    description = {**_literal_about(SCIENCE / f'{module}.py'), 'kind': 'analysis'}
    return bundle_of_files(f'science.{module}', description, members)


def bundle_of_files(module: str, description: t.Mapping[str, t.Any], members: t.Mapping[str, bytes]) -> bytes:
    """Return the bundle of some files: a zip that `python bundle.zip` runs in a job folder.

    :param module: the member that is the adapter, as it is imported.
    :param description: its `ABOUT`, which the engine reads from the bundle.
    :param members: contents by name; the harness comes to them as a package that no tool has.
    """
    harness = {f'crystalgen_harness/{path.name}': path.read_bytes() for path in sorted(HARNESS.glob('*.py'))}
    text = json.dumps({**description, 'module': module}, sort_keys=True, indent=1)
    return deterministic_zip({**members, **harness, '__main__.py': _MAIN.encode(), 'about.json': text.encode()})


def read_about(bundle: t.IO[bytes]) -> dict[str, t.Any]:
    """Return the description that lies in a bundle."""
    return dict(json.loads(read_member(bundle, 'about.json')))


def read_member(bundle: t.IO[bytes], name: str) -> bytes:
    """Return one file of a bundle."""
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def deterministic_zip(members: t.Mapping[str, bytes]) -> bytes:
    """Return a zip whose bytes depend on names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), members[name])
    return buffer.getvalue()
