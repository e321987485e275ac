"""Warnings: what a reader has to know before an experiment, each with a word that stays the same."""

from __future__ import annotations

import typing as t

from aiida_crystalgen.report.dossier.model import Caution, Phonons, Stability, Verified
from aiida_crystalgen.report.verification import is_upper_bound
from aiida_crystalgen.report.words import HALF_A_DIGIT

LOWEST_SYMMETRY: t.Final = 2  # space groups 1 and 2


def cautions(
    values: dict[str, t.Any],
    symbols: set[str],
    stability: Stability,
    phonons: Phonons | None,
    dft: Verified | None,
    met: bool | None,
) -> tuple[Caution, ...]:
    """Return the warnings that apply, what could stop an experiment first.

    :param values: columns of the crystal.
    :param symbols: its elements.
    :param met: whether it is what was asked for.
    """
    found = [
        *([('conditions_not_met', 'It is not what was asked for: see the conditions.')] if met is False else []),
        *_known(values),
        *_energy(values, stability, dft),
        *_magnetism(symbols, dft),
        *_dynamics(phonons),
        *_geometry(values),
    ]
    return tuple(Caution(code=code, text=text) for code, text in found)


Found = list[tuple[str, str]]


def _known(values: dict[str, t.Any]) -> Found:
    found: Found = []
    if values.get('novel_known') is False:
        found.append(
            ('known', f'This crystal is known: it matches {values.get("matches_known") or "a known crystal"}.')
        )
    elif 'novel_known' not in values or values['novel_known'] is None:
        why = values.get('novel_known_reason') or 'no known crystals were at hand'
        found.append(('novelty_untested', f'Whether it is new was not tested: {why}.'))
    if values.get('known_disorder'):
        text = f'It may be an ordered cut of a known disordered crystal: {values["known_disorder"]}.'
        found.append(('disorder', text))
    return found


def _energy(values: dict[str, t.Any], stability: Stability, dft: Verified | None) -> Found:
    found: Found = []
    if dft is not None and dft.status != 'finished':
        found.append(('dft_failed', f'The DFT engine did not finish it: {dft.reason or dft.status}.'))
    elif dft is not None and dft.e_hull_eV_per_atom is None:
        found.append(('no_dft_hull', f'DFT finished, but its energy above the DFT hull is unknown: {dft.reason}.'))
    if dft is None or dft.status != 'finished':
        found.append(('no_dft', f'Its energy has the level {stability.level or "of no name"}, and no DFT checked it.'))
    if stability.e_hull_eV_per_atom is None:
        found.append(('no_hull', f'Its energy above the hull is unknown: {stability.reason or "there was no hull"}.'))
    elif stability.partial:
        text = 'Competing phases may be missing from the hull: its true energy above the hull is as large or larger.'
        found.append(('partial_hull', text))
    if stability.e_hull_eV_per_atom is not None and stability.e_hull_eV_per_atom > HALF_A_DIGIT:
        into = ' + '.join(product.formula for product in stability.decomposes_into) or 'the hull'
        what = f'another crystal of {into}' if len(stability.decomposes_into) == 1 else into
        text = f'It is metastable: {stability.e_hull_eV_per_atom:.3f} eV/atom above {what}.'
        found.append(('metastable', text))
    if values.get('pressure'):
        found.append(('pressure', f'It was relaxed at {values["pressure"]:g} GPa, and its energy is an enthalpy.'))
    return found


def _magnetism(symbols: set[str], dft: Verified | None) -> Found:
    if not is_upper_bound(symbols):
        return []
    if dft is not None and dft.e_hull_eV_per_atom is not None:
        text = 'Only a ferromagnetic start was tried in DFT: for such an oxide its energy is an upper bound.'
    else:
        text = 'Oxides of Mn, Fe, Co and Ni often order antiferromagnetically; its energy knows nothing of that.'
    return [('magnetic_oxide', text)]


def _dynamics(phonons: Phonons | None) -> Found:
    if phonons is None:
        return [('no_phonons', 'Its dynamic stability was not assessed.')]
    if phonons.verdict == 'stable':
        return []
    return [(f'phonons_{phonons.verdict}', f'Phonons are {phonons.verdict}: {phonons.reason or "no reason given"}.')]


def _geometry(values: dict[str, t.Any]) -> Found:
    found: Found = []
    if values.get('converged') is False:
        found.append(('not_converged', 'Its relaxation did not converge: the geometry and the energy are not final.'))
    if (values.get('space_group_relaxed') or LOWEST_SYMMETRY + 1) <= LOWEST_SYMMETRY:
        text = 'It has next to no symmetry, which is rare among ordered inorganic crystals that were made.'
        found.append(('low_symmetry', text))
    copies = values.get('n_duplicates')
    if copies is not None and copies > 1:
        found.append(('copies', f'{copies} drawn crystals relaxed to this one, which is the best of them.'))
    return found
