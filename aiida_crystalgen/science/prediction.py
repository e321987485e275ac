"""Crystal structure prediction: is a candidate one of the crystals that were to be found?

A candidate is compared with every target of its reduced formula at three tolerances. The measure is that of the field:
the root mean square displacement of the best mapping by pymatgen's StructureMatcher, in units of (V/N)^(1/3), not in
A. Both directions are tried and the smaller one counts, so that no verdict depends on which crystal comes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .crystal import CompositionKey, Crystal, as_columns, with_defaults
from .identity import PROFILES, Matcher

ABOUT = {
    'name': 'prediction',
    'kind': 'criterion',
    'summary': 'Looks for each crystal among those that were to be found (table `targets`), at three tolerances.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Ong et al., Python Materials Genomics, Comput. Mater. Sci. 68, 314 (2013), '
        'doi:10.1016/j.commatsci.2012.10.028',
        'Xie et al., Crystal diffusion variational autoencoder, ICLR (2022), arXiv:2110.06197 (tolerance loose)',
    ],
    'install': 'numpy pymatgen',
    'requires': ['numpy', 'pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'energies': {
            'type': 'bool', 'default': True, 'unit': '',
            'help': 'Whether energies are compared with those of table `targets_relaxed`.',
        },
        'max_sites': {
            'type': 'int', 'default': 300, 'unit': '', 'minimum': 1,
            'help': 'Crystals with more atoms than this are not compared.',
        },
        'level_candidates': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the crystals; told by the engine.',
        },
        'level_targets': {
            'type': 'text', 'default': '', 'unit': '', 'help': 'Level of theory of the targets; told by the engine.',
        },
    },
    'conditions': {},
    'columns': {
        'target': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Source, or else id, of the target that it matches at tolerances loose; the nearest of several.',
        },
        'target_id': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Id of that target.'},
        'rmsd_strict': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Root mean square displacement from the nearest target, in units of (V/N)^(1/3), at tolerances '
            'strict, 0.1/0.1/3 (lengths, sites, degrees); unknown where there is no match.',
        },
        'rmsd_default': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'As rmsd_strict, at tolerances default, 0.2/0.3/5.',
        },
        'rmsd_loose': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'As rmsd_strict, at tolerances loose, 0.3/0.5/10: those of CDVAE and DiffCSP.',
        },
        'target_matches': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'All targets that it matches, nearest first, as JSON: id, then the displacements at strict, '
            'default and loose.',
        },
        'no_target_reason': {
            'kind': 'text', 'unit': '', 'level': '', 'help': 'Why the crystal was compared with no target.',
        },
        'energy_over_target': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'level': '',
            'help': 'Enthalpy minus that of the lowest target of its formula, relaxed alike; negative: it is lower.',
        },
    },
}  # fmt: skip

TOLERANCES = tuple(PROFILES)
"""Names of the tolerances, the tightest first."""

Matches = Mapping[str, Mapping[str, float]]
"""Displacement by tolerance, for every target (by id) that a crystal matches at the loosest tolerance."""


def columns(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the columns; the energy, where it is compared, is labelled with its level of theory."""
    declared: Mapping[str, Mapping[str, Any]] = ABOUT['columns']  # type: ignore[assignment]
    settings = with_defaults(ABOUT, parameters)
    found = {name: dict(meta) for name, meta in declared.items()}
    if not settings['energies']:
        del found['energy_over_target']
    else:
        found['energy_over_target']['level'] = settings['level_candidates'] or settings['level_targets']
    return found


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Compare each crystal with the targets of its formula, and its enthalpy with theirs.

    Raises:
        ValueError: if the enthalpies of the crystals and of the targets are at different levels of theory.
    """
    settings = with_defaults(ABOUT, parameters)
    levels = settings['level_candidates'], settings['level_targets']
    if settings['energies'] and all(levels) and levels[0] != levels[1]:
        raise ValueError(
            f'crystals of level `{levels[0]}` and targets of level `{levels[1]}` cannot be compared; relax both alike'
        )
    matchers = {name: Matcher(name, settings['max_sites']) for name in TOLERANCES}
    targets = _by_formula(tables.get('targets', ()))
    lowest = _lowest_enthalpies(targets, tables.get('targets_relaxed', ()))
    rows = []
    for crystal in crystals:
        row = _compared(crystal, targets, matchers)
        enthalpy = crystal.columns.get('enthalpy')
        if enthalpy is not None and not crystal.fault and crystal.composition_key in lowest:
            row['energy_over_target'] = enthalpy - lowest[crystal.composition_key]
        rows.append(row)
    found = as_columns(ABOUT, rows)
    return {name: found[name] for name in columns(settings)}


def _by_formula(targets: Iterable[Crystal]) -> dict[CompositionKey, list[Crystal]]:
    found: dict[CompositionKey, list[Crystal]] = {}
    for target in targets:
        if target.fault is None:
            found.setdefault(target.composition_key, []).append(target)
    return found


def _lowest_enthalpies(
    targets: Mapping[CompositionKey, Sequence[Crystal]], relaxed: Iterable[Crystal]
) -> dict[CompositionKey, float]:
    """Return the lowest enthalpy [eV/atom] of the targets of each formula; one that is unknown leaves it unknown."""
    enthalpies = {target.id: target.columns.get('enthalpy') for target in relaxed}
    known = {name: float(value) for name, value in enthalpies.items() if value is not None}
    complete = (key for key, same in targets.items() if all(target.id in known for target in same))
    return {key: min(known[target.id] for target in targets[key]) for key in complete}


def _compared(
    crystal: Crystal, targets: Mapping[CompositionKey, Sequence[Crystal]], matchers: Mapping[str, Matcher]
) -> dict[str, Any]:
    """Return the columns of one crystal, energies aside."""
    if crystal.fault is not None:
        return {'no_target_reason': f'the crystal is invalid: {crystal.fault}'}
    own = targets.get(crystal.composition_key, ())
    if not own:
        return {'no_target_reason': f'no target has the formula {crystal.formula}'}
    if not matchers['loose'].comparable(crystal):
        return {'no_target_reason': 'the crystal is too large to be compared'}
    matches = [(target, found) for target in own if (found := _displacements(crystal, target, matchers))]
    if not matches:
        return {}
    matches.sort(key=lambda match: (match[1]['loose'], match[0].id))
    nearest = matches[0][0]
    known = {name: [found[name] for _, found in matches if name in found] for name in TOLERANCES}
    entries = [[target.id, *(found.get(name) for name in TOLERANCES)] for target, found in matches]
    return {
        'target': nearest.name,
        'target_id': nearest.id,
        **{f'rmsd_{name}': min(values, default=None) for name, values in known.items()},
        'target_matches': json.dumps(entries, separators=(',', ':')),
    }


def _displacements(crystal: Crystal, target: Crystal, matchers: Mapping[str, Matcher]) -> dict[str, float]:
    """Return the displacement by tolerance; tolerances at which there is no match are absent.

    What matches at a tolerance matches at the looser ones, at no larger displacement: those are asked first.
    """
    found: dict[str, float] = {}
    least = 0.0
    for name in reversed(TOLERANCES):
        if least >= PROFILES[name].stol:
            break
        displacement = matchers[name].displacement(crystal, target)
        if displacement is None:
            break
        # Rounded, a copy is at 0 whatever its cell is.
        found[name] = least = round(displacement, 6)
    return found


def matches_of(text: str | None) -> dict[str, dict[str, float]]:
    """Return what the column `target_matches` of a crystal says (see `Matches`)."""
    return {
        target: {name: value for name, value in zip(TOLERANCES, values, strict=True) if value is not None}
        for target, *values in json.loads(text or '[]')
    }
