"""Corrections of the Materials Project of 2020, which let PBE and PBE+U energies meet in one hull.

Anions whose energies PBE misses, and transition metals with a Hubbard U in oxides and fluorides, shift the energy by
their fitted values (Wang et al., Sci. Rep. 11, 15496, 2021, doi:10.1038/s41598-021-94550-5), as pymatgen applies them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from .crystal import CompositionKey, Crystal, composition_of, symbol_of

RAW: Final = 'raw_mp_pbe_u'
"""Convention of energies as the Materials Project computes them, or as a potential trained on such gives them."""

CORRECTED: Final = 'mp2020'
"""Convention of energies that hold the corrections already, such as those of CHGNet."""

CONVENTIONS: Final = (RAW, CORRECTED)

STRICT_ANIONS: Final = ('no_check', 'require_bound', 'require_exact')

HUBBARD_U: Final[Mapping[str, float]] = {
    'Co': 3.32, 'Cr': 3.7, 'Fe': 5.3, 'Mn': 3.9, 'Mo': 4.38, 'Ni': 6.2, 'V': 3.25, 'W': 6.2,
}  # fmt: skip
"""U [eV] of the Materials Project in oxides and fluorides; Jain et al., Phys. Rev. B 84, 045115 (2011)."""

OXYGEN, FLUORINE, SULPHUR = 8, 9, 16

ANIONS: Final = frozenset({1, 7, 9, 14, 17, 34, 35, 51, 52, 53})
"""H, N, F, Si, Cl, Se, Br, Sb, Te, I: they are corrected where their oxidation state says that they are anions."""

O_O_CUTOFF = 1.05
"""Relative length up to which oxygens are bonded, as the corrections were fitted."""


class Correction(NamedTuple):
    """A correction, or why there is none."""

    value: float | None
    """[eV/atom], to be added to the energy."""
    reason: str | None = None


def calculated_as(key: CompositionKey) -> tuple[str, dict[str, float]]:
    """Return the run type and the Hubbard parameters [eV] with which the Materials Project computes a composition."""
    numbers = [number for number, _ in key]
    if OXYGEN not in numbers and FLUORINE not in numbers:
        return 'GGA', {}
    hubbards = {symbol: HUBBARD_U[symbol] for symbol in map(symbol_of, numbers) if symbol in HUBBARD_U}
    return ('GGA+U' if hubbards else 'GGA'), hubbards


def mp2020(
    crystal: Crystal,
    convention: str = RAW,
    strict_anions: str = 'require_exact',
    run_type: str | None = None,
    hubbards: str | None = None,
) -> Correction:
    """Return the correction of a crystal's energy.

    Args:
        crystal: the crystal as relaxed; bonds between oxygens, and what surrounds sulphur, tell its anions apart.
        convention: what its energy is; only energies as computed can be corrected.
        strict_anions: which elements count as anions: all, those bound as anions, or those in the oxidation states
            to which the corrections were fitted.
        run_type: `GGA` or `GGA+U`; None: as the Materials Project would have computed it.
        hubbards: the Hubbard parameters of that run [eV] as JSON by symbol.

    Raises:
        ValueError: if the energy cannot be corrected by its convention, or `strict_anions` is not known.
    """
    if convention == CORRECTED:
        raise ValueError(
            'these energies hold the MP2020 corrections already, as those of CHGNet do: a second correction would '
            'count them twice'
        )
    if convention != RAW:
        raise ValueError(
            f'MP2020 corrections were fitted to PBE(+U) energies of the Materials Project (`{RAW}`), not to energies '
            f'of the convention `{convention}`'
        )
    if strict_anions not in STRICT_ANIONS:
        raise ValueError(f'`strict_anions` is one of {", ".join(STRICT_ANIONS)}, not `{strict_anions}`')
    if crystal.fault is not None:
        return Correction(None, f'the crystal is invalid: {crystal.fault}')
    key = crystal.composition_key
    try:
        parameters = calculated_as(key) if run_type is None else (run_type, json.loads(hubbards or '{}'))
        values = tuple(sorted((str(symbol), float(value)) for symbol, value in parameters[1].items()))
    except (ValueError, AttributeError, TypeError):
        return Correction(None, f'the Hubbard parameters `{hubbards}` are no JSON of symbols and values')
    try:
        anions = _oxide_type(crystal), _sulfide_type(crystal)
    except Exception as error:  # pymatgen fails in many ways on crystals that are hardly crystals
        return Correction(None, f'pymatgen could not tell the anions apart: {error}')
    return _of_composition(key, *anions, parameters[0], values, strict_anions)


def _oxide_type(crystal: Crystal) -> str:
    """Return what the oxygen of a compound is, empty where there is none."""
    from pymatgen.analysis.structure_analyzer import oxide_type

    numbers = {number for number, _ in crystal.composition_key}
    return str(oxide_type(crystal.structure, O_O_CUTOFF)) if OXYGEN in numbers and len(numbers) > 1 else ''


def _sulfide_type(crystal: Crystal) -> str:
    """Return what the sulphur of a compound is, empty where there is none."""
    from pymatgen.analysis.structure_analyzer import sulfide_type

    numbers = {number for number, _ in crystal.composition_key}
    # pymatgen says nothing of a sulfate; an entry without a word would count as a sulfide.
    return str(sulfide_type(crystal.structure) or 'sulfate') if SULPHUR in numbers and len(numbers) > 1 else ''


@lru_cache(maxsize=16384)
def _of_composition(
    key: CompositionKey,
    oxide: str,
    sulfide: str,
    run_type: str,
    hubbards: tuple[tuple[str, float], ...],
    strict_anions: str,
) -> Correction:
    """Return the correction of a composition whose anions are known."""
    from pymatgen.entries.compatibility import CompatibilityError, MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedEntry

    if run_type not in {'GGA', 'GGA+U'}:
        return Correction(None, f'MP2020 corrects runs of type GGA and GGA+U, not `{run_type}`')
    scheme = MaterialsProject2020Compatibility(strict_anions=strict_anions, check_potcar=False)
    data: dict[str, Any] = {'oxide_type': oxide, 'sulfide_type': sulfide}
    if ANIONS.isdisjoint(number for number, _ in key):
        data['oxidation_states'] = {}  # guessing takes up to a second, and nothing here depends on it
    parameters = {'run_type': run_type, 'hubbards': dict(hubbards)}
    composition = composition_of(key)
    # pymatgen warns where it finds no oxidation states, and of elements without electronegativity.
    with warnings.catch_warnings(action='ignore'):
        entry = ComputedEntry(composition, 0.0, parameters=parameters, data=data)
        try:
            adjustments = scheme.get_adjustments(entry)
        except CompatibilityError:
            used = ', '.join(f'{symbol} {value:g} eV' for symbol, value in hubbards) or 'none'
            formula = composition.reduced_formula
            return Correction(None, f'the Hubbard parameters ({used}) are not those of MP2020 for {formula}')
    return Correction(float(sum(adjustment.value for adjustment in adjustments)) / float(composition.num_atoms))
