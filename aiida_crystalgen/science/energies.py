"""Which energies of crystals and competing phases may meet in one hull, by mode of the hull."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from .corrections import CONVENTIONS, CORRECTED, RAW, STRICT_ANIONS, Correction, mp2020
from .crystal import Crystal
from .hull import Phase

SAME_MODEL, MP2020, FORMATION, CUSTOM = 'same-model', 'mp2020', 'formation', 'custom'

CANDIDATES: Final[Mapping[str, tuple[str, ...]]] = {
    SAME_MODEL: ('enthalpy',),
    MP2020: ('energy', 'given_energy'),
    FORMATION: ('given_formation_energy',),
    CUSTOM: ('enthalpy', 'given_energy'),
}
"""Columns of the energies of crystals [eV/atom] by mode: the first that the batch has."""

PHASES: Final[Mapping[str, tuple[str, ...]]] = {
    SAME_MODEL: ('enthalpy',),
    MP2020: ('energy',),
    FORMATION: ('formation_energy',),
    CUSTOM: ('energy',),
}
"""Columns of the energies of competing phases [eV/atom] by mode."""

SAME_PRESSURE = 1e-6
"""Largest difference of pressures that count as equal [GPa]."""


@dataclass(frozen=True)
class Reading:
    """What a crystal brings to a hull."""

    phase: Phase | None
    """The crystal as phase, None if its energy is unknown."""
    pressure: float = 0.0
    """[GPa]."""
    correction: float | None = None
    """What was added to the energy [eV/atom], None where the mode corrects nothing."""
    reason: str | None = None
    """Why the energy is unknown."""


def columns_of(mode: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of energies of the crystals and of the competing phases, the first that is there counts.

    Raises:
        ValueError: if there is no such mode.
    """
    if mode not in CANDIDATES:
        raise ValueError(f'there is no hull mode `{mode}`; there are: {", ".join(CANDIDATES)}')
    return CANDIDATES[mode], PHASES[mode]


def check(settings: Mapping[str, Any]) -> None:
    """Refuse energies of two levels of theory, or of two conventions.

    Raises:
        ValueError: if the energies of the crystals and of the phases cannot meet in one hull; both sides are named.
    """
    mode, ours, theirs = settings['mode'], settings['level_candidates'], settings['level_hull']
    columns_of(mode)
    if mode == MP2020:
        if settings['strict_anions'] not in STRICT_ANIONS:
            raise ValueError(f'`strict_anions` is one of {", ".join(STRICT_ANIONS)}')
        if not {settings['convention_candidates'], settings['convention_hull']} <= set(CONVENTIONS):
            raise ValueError(
                f'mode `{MP2020}` compares PBE(+U) energies of the Materials Project, raw (`{RAW}`) or corrected '
                f'(`{CORRECTED}`): {_both_sides(settings)}; choose `{SAME_MODEL}`, or energies of these conventions'
            )
    elif ours != theirs and (mode != SAME_MODEL or (ours and theirs)):
        mend = 'relax the competing phases with the same potential'
        if mode != SAME_MODEL:
            mend = 'a hull needs one level of theory, so choose phases of the same, or another mode'
        raise ValueError(
            f'the crystals have energies of level `{ours}` and the competing phases of level `{theirs}`: {mend}'
        )
    elif mode == CUSTOM and {settings['convention_candidates'], settings['convention_hull']} == set(CONVENTIONS):
        raise ValueError(f'raw and corrected energies do not meet in one hull: {_both_sides(settings)}')


def _both_sides(settings: Mapping[str, Any]) -> str:
    sides = (('the crystals', 'candidates'), ('the competing phases', 'hull'))
    return ' and '.join(
        f'{name} follow the convention `{settings[f"convention_{side}"]}` at level `{settings[f"level_{side}"]}`'
        for name, side in sides
    )


@final
class Reader:
    """Reads the energies of crystals, or of competing phases, as the mode asks."""

    def __init__(self, settings: Mapping[str, Any], side: str, crystals: Sequence[Crystal]) -> None:
        """Choose the column for all crystals of a side, `candidates` or `hull`: two are never mixed."""
        self.mode: str = settings['mode']
        names = columns_of(self.mode)[0 if side == 'candidates' else 1]
        self.column = next((name for name in names if any(name in one.columns for one in crystals)), names[0])
        self._needed: tuple[str, ...] = () if self.mode == SAME_MODEL else (self.column,)
        if self.mode == MP2020 and settings[f'convention_{side}'] == RAW:
            self._needed += ('run_type',)
        self._correct = self._correction(side, settings) if self.mode == MP2020 else None

    def require(self, crystals: Sequence[Crystal]) -> None:
        """Refuse crystals none of which has the energies that the mode needs; one potential may fail on all of them.

        Raises:
            ValueError: if a column is known of none of the crystals.
        """
        for name in self._needed:
            if not any(one.columns.get(name) is not None for one in crystals):
                raise ValueError(
                    f'mode `{self.mode}` needs `{name}` of the competing phases, and none of them has it: '
                    'take another set of phases, or another mode'
                )

    def read(self, crystal: Crystal) -> Reading:
        """Return what a crystal brings to the hull."""
        if crystal.fault is not None:
            return Reading(None, reason=f'the crystal is invalid: {crystal.fault}')
        known = crystal.columns
        # A formation energy is that of the crystal as it was given, whatever was done to it here.
        pressure = 0.0 if self.mode == FORMATION else float(known.get('pressure') or 0.0)
        if known.get('occupancies') is not None or known.get('unusable_reason') is not None:
            return Reading(None, pressure, reason='the crystal is disordered, or was not read')
        energy = known.get(self.column)
        if energy is None:
            return Reading(None, pressure, reason=f'{self.column} is unknown')
        correction = None
        if self._correct is not None:
            if abs(pressure) > SAME_PRESSURE:
                return Reading(None, pressure, reason=f'MP2020 has no corrections at {pressure:g} GPa')
            correction, reason = self._correct(crystal)
            if correction is None:
                return Reading(None, pressure, reason=reason)
        source = str(known.get('source') or '')
        enthalpy = float(energy) + (correction or 0.0)
        return Reading(Phase(crystal.id, crystal.composition_key, enthalpy, source), pressure, correction)

    @staticmethod
    def _correction(side: str, settings: Mapping[str, Any]) -> Callable[[Crystal], Correction]:
        """Return what gives the correction of a crystal."""
        convention, strict_anions = settings[f'convention_{side}'], settings['strict_anions']

        def correction(crystal: Crystal) -> Correction:
            if convention == CORRECTED:
                return Correction(0.0)
            run_type, hubbards = crystal.columns.get('run_type'), crystal.columns.get('hubbards')
            if run_type is None and side == 'hull':
                return Correction(None, 'run_type is unknown, and with it the corrections of MP2020')
            return mp2020(crystal, convention, strict_anions, run_type, hubbards)

        return correction
