"""Runs criteria one after the other over a whole batch; a row that fails a gate is not seen by later ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

from .crystal import Crystal
from .gates import judge
from .software import versions_of

ABOUT = {
    'name': 'pipeline',
    'kind': 'criterion',
    'summary': 'Runs criteria one after the other and rejects the rows that fail their gates.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [],
    'install': 'numpy scipy pymatgen spglib smact',
    'requires': ['numpy', 'scipy', 'pymatgen', 'spglib', 'smact'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': True,
    'units': 1,
    'parameters': {
        'steps': {
            'type': 'list', 'unit': '',
            'help': 'Steps in their order: criterion, parameters, suffix (of its columns), gates (by column).',
        },
    },
    'conditions': {},
    'columns': {},
}  # fmt: skip


ENTHALPIES = {'level_candidates': ('enthalpy',), 'level_hull': ('enthalpy',), 'level_targets': ('enthalpy',)}
"""Columns whose levels of theory a criterion is told."""


class Job(Protocol):
    """What the pipeline needs of the harness's job."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters: `steps`."""

    @property
    def columns(self) -> Mapping[str, Mapping[str, Any]]:
        """Descriptions of the columns of the batch, levels of theory among them."""

    @property
    def table_columns(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Descriptions of the columns of the tables."""

    @property
    def tables(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        """Other batches as lists of rows: `known`, `training`, `hull`, `targets`, `targets_relaxed`."""


def versions() -> dict[str, str]:
    """Return the versions of everything that decides on a verdict."""
    return versions_of(ABOUT)


def columns(job: Job) -> dict[str, dict[str, Any]]:
    """Return the columns that the steps will write."""
    return {name: meta for step in steps_of(job) for name, meta in _step_columns(step).items()}


def run(rows: Iterable[Mapping[str, Any]], job: Job) -> Iterator[dict[str, Any]]:
    """Yield for each row its new columns, and why it was rejected if it was."""
    alive = {str(row['id']): Crystal.from_row(row) for row in rows}
    written: dict[str, dict[str, Any]] = {row_id: {} for row_id in alive}
    tables = {name: [Crystal.from_row(row) for row in table] for name, table in job.tables.items()}
    for step in steps_of(job):
        if not alive:
            break
        found = _evaluate(step, list(alive.values()), tables)
        for row_id, values in found.items():
            written[row_id].update(values)
            alive[row_id] = alive[row_id].with_columns(values)
        for row_id, crystal in list(alive.items()):
            verdict = _first_failure(step.get('gates') or {}, crystal)
            if verdict is not None:
                yield {'id': row_id, 'columns': written[row_id], 'rejected': verdict}
                del alive[row_id]
    for row_id in alive:
        yield {'id': row_id, 'columns': written[row_id]}


def steps_of(job: Job) -> list[dict[str, Any]]:
    """Return the steps; a criterion that compares energies is told the levels of theory of both sides."""
    steps = []
    for step in job.parameters['steps']:
        module, given = criterion(step['criterion']), step.get('parameters') or {}
        # A criterion that compares other energies than enthalpies says in which columns they lie.
        read = module.energy_columns(given) if hasattr(module, 'energy_columns') else ENTHALPIES
        sides = {
            'level_candidates': job.columns,
            'level_hull': job.table_columns.get('hull', {}),
            'level_targets': job.table_columns.get('targets_relaxed', {}),
        }
        taken = module.ABOUT['parameters']
        asked = {name: _level(side, read[name]) for name, side in sides.items() if name in taken}
        steps.append({**step, 'parameters': {**asked, **given}})
    return steps


def _level(columns: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> str:
    """Return the level of theory of the first of some columns that is there."""
    found = next((columns[name] for name in names if name in columns), {})
    return str(found.get('level') or '')


def criterion(name: str) -> ModuleType:
    """Return the module of a criterion: one of this folder, a module that travels beside it, or `package:module`.

    Raises:
        ValueError: if there is no such criterion.
    """
    beside = import_name = name.replace(':', '.')
    if ':' not in name and find_spec(f'.{name}', __package__) is not None:
        beside, import_name = '', f'.{name}'
    try:
        module = import_module(import_name, __package__)
    except ModuleNotFoundError as error:
        if error.name is None or not (beside == error.name or beside.startswith(f'{error.name}.')):
            raise
        raise ValueError(f'there is no criterion `{name}`') from error
    if not (hasattr(module, 'ABOUT') and hasattr(module, 'evaluate')):
        raise ValueError(f'module `{name}` is no criterion: it needs `ABOUT` and `evaluate`')
    return module


def _step_columns(step: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns of one step with its suffix."""
    module = criterion(step['criterion'])
    declared = module.columns(step.get('parameters') or {}) if hasattr(module, 'columns') else module.ABOUT['columns']
    return {f'{name}{step.get("suffix", "")}': dict(meta) for name, meta in declared.items()}


def _evaluate(
    step: Mapping[str, Any], crystals: list[Crystal], tables: Mapping[str, list[Crystal]]
) -> dict[str, dict[str, Any]]:
    """Return the columns that a step finds for each crystal by id."""
    found = criterion(step['criterion']).evaluate(crystals, step.get('parameters') or {}, tables)
    suffix = step.get('suffix', '')
    rows = ({f'{name}{suffix}': values[i] for name, values in found.items()} for i in range(len(crystals)))
    return dict(zip((crystal.id for crystal in crystals), rows, strict=True))


def _first_failure(gates: Mapping[str, Mapping[str, Any]], crystal: Crystal) -> dict[str, Any] | None:
    """Return the verdict of the first gate that a crystal fails."""
    verdicts = (judge(gate, crystal.columns, column) for column, gate in gates.items())
    return next((verdict for verdict in verdicts if verdict is not None), None)
