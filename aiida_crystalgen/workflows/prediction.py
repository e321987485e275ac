"""Crystal structure prediction: what every generator is told to draw for every composition of the targets."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.bundles import about, registry
from aiida_crystalgen.references.targets import TargetComposition, compositions, n_formulas
from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem, problems
from aiida_crystalgen.schema.conditions import told
from aiida_crystalgen.schema.targets import MOST_DRAWS, READER
from aiida_crystalgen.schema.templates import narrowed

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.schema.spec import GeneratorSpec

Inputs = dict[str, t.Any]

_WHERE: t.Final = 'targets.structures'
# Generators that take a number of formula units take a reduced formula with it; others take the formula of the cell.
_UNITS: t.Final = 'formula_units'


def target_draws(spec: CampaignSpec, targets: ReferenceSet) -> Inputs:
    """Return the draws of a campaign with targets.

    :returns: `candidates`, and `draws` by label: `generator` (its label), `targets` (their ids), `n` (the number of
        candidates) and `parameters` (what the generator is told, None where it reads its crystals from files).
    :raises CampaignError: when they are too many, or when a generator or the potential cannot make one of them.
    """
    candidates = spec.targets.candidates if spec.targets is not None else 0
    told_ones = [generator for generator in spec.generators if generator.type != READER]
    _refuse_too_many(max(len(told_ones), 1) * n_formulas(targets), len(told_ones))
    wanted = compositions(targets)
    _refuse_too_many(len(told_ones) * len(wanted), len(told_ones))
    _refuse_impossible(spec, wanted, told_ones)
    draws: Inputs = {}
    for generator in spec.generators:
        common = {'generator': generator.name, 'n': candidates}
        if generator.type == READER:
            for formula in sorted({one.formula for one in wanted}):
                ids = [name for one in wanted if one.formula == formula for name in one.ids]
                draws[f'{generator.name}_{formula}'] = {**common, 'targets': ids, 'parameters': None}
        for one in wanted if generator.type != READER else ():
            parameters = _parameters(generator, one)
            draws[f'{generator.name}_{one.cell}'] = {**common, 'targets': list(one.ids), 'parameters': parameters}
    return {'candidates': candidates, 'draws': draws}


def _conditions(generator: GeneratorSpec, one: TargetComposition) -> Inputs:
    """Return what a generator is asked for a composition, in the terms of a campaign."""
    description = about('generator', generator.type)
    formula = one.formula if _UNITS in description['parameters'] else one.cell
    return {'composition': formula, 'min_atoms': one.n_atoms, 'max_atoms': one.n_atoms}


def _parameters(generator: GeneratorSpec, one: TargetComposition) -> Inputs:
    """Return what a generator is told for a composition, in its own terms."""
    description = about('generator', generator.type)
    entry, _ = told({}, narrowed(description, generator.parameters), _conditions(generator, one))
    units = {_UNITS: [one.formula_units] * 2} if _UNITS in description['parameters'] else {}
    return {**entry['parameters'], **units}


def _refuse_too_many(n_draws: int, n_generators: int) -> None:
    if n_draws > MOST_DRAWS:
        message = f'{n_draws} draws or more, one for each generator and composition, are too many for one campaign'
        remedy = f'give at most {MOST_DRAWS // max(n_generators, 1)} compositions and share the others out'
        raise CampaignError([Problem(None, _WHERE, message, remedy)])


def _refuse_impossible(spec: CampaignSpec, wanted: list[TargetComposition], told_ones: list[GeneratorSpec]) -> None:
    """Refuse elements that are not known, and what else the check says of the largest cell."""
    found = []
    parts = [('generator', generator.type) for generator in told_ones]
    parts += [('potential', spec.potential.type)] if spec.potential is not None else []
    for kind, name in dict.fromkeys(parts):
        known = about(kind, name).get('elements', 'any')
        asked = {symbol for one in wanted for symbol in one.elements}
        missing = [] if known == 'any' else sorted(asked - set(known))
        if missing:
            message = f'the {kind} `{name}` does not know {", ".join(missing)}'
            found.append(Problem(None, _WHERE, message, f'take another {kind} or other crystals'))
    if not found and wanted:
        found = _of_largest(spec, max(wanted, key=lambda one: one.n_atoms), told_ones)
    if found:
        raise CampaignError(found)


def _of_largest(spec: CampaignSpec, one: TargetComposition, told_ones: list[GeneratorSpec]) -> list[Problem]:
    """Return what the check says of the draws for one composition."""
    drawn = [
        generator.model_copy(update={'n': 1, 'parameters': {**generator.parameters, **_parameters(generator, one)}})
        for generator in told_ones
    ]
    if not drawn:
        return []
    plain = spec.model_copy(update={'targets': None, 'generators': tuple(drawn), 'references': None, 'filters': {}})
    found = problems(plain.within(spec.folder), registry())
    return [Problem(None, f'{_WHERE}, {one.cell}', problem.message, problem.remedy) for problem in found]
