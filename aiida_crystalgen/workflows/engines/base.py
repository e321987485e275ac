"""What an engine is: the functions of its module, the words they share, and the fingerprint of a level of theory."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from aiida_crystalgen.calculations.fingerprints import canonical_json

if t.TYPE_CHECKING:
    from pathlib import Path

    from aiida import orm
    from aiida.engine import ProcessBuilder

TASKS: t.Final = ('static', 'relax', 'vc-relax', 'forces')
SPINS: t.Final = ('auto', 'none', 'collinear')
PROTOCOLS: t.Final = ('fast', 'balanced', 'stringent')
FINGERPRINT_DIGITS: t.Final = 16

# Ferromagnetic starts [Bohr magneton] by element: those of the sets of the Materials Project (MPRelaxSet of pymatgen),
# with which elements not in its list start from 0.6; here they start without.
STARTING_MOMENTS: t.Final = {
    **dict.fromkeys(('Ce', 'Co', 'Cr', 'Fe', 'Mn', 'Mo', 'Ni', 'V', 'W'), 5.0),
    **{'Dy': 5.0, 'Er': 3.0, 'Eu': 10.0, 'Gd': 7.0, 'Ho': 4.0, 'Nd': 3.0, 'Pm': 4.0, 'Pr': 2.0, 'Sm': 5.0, 'Tb': 6.0},
    **{'Tm': 2.0, 'Yb': 1.0},
}

Codes = Mapping[str, t.Any]
Nodes = Mapping[str, t.Any]
Level = dict[str, t.Any]


class EngineError(Exception):
    """An engine that cannot do what it is asked; `label` is the exit code that says so."""

    label = 'ERROR_ENGINE_UNSUPPORTED'


class UnsupportedCrystalError(EngineError):
    """A crystal that an engine cannot compute: an element without a pseudopotential, too many atoms."""


class InvalidSettingsError(EngineError):
    """Settings that the engine does not know, or that contradict each other."""

    label = 'ERROR_INVALID_SETTINGS'


class CodeUnavailableError(EngineError):
    """A Code that is not there, or does not answer on its computer."""

    label = 'ERROR_CODE_UNAVAILABLE'


class EngineSettings(BaseModel):
    """The base of the settings of an engine: what it does not know is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)


Settings = t.TypeVar('Settings', bound=EngineSettings)


@dataclass(frozen=True)
class Verdict:
    """What became of a process of an engine."""

    status: t.Literal['done', 'unconverged', 'again', 'failed']
    """`unconverged`: there is a crystal to go on with; `again`: the machine failed, not the physics."""
    label: str = ''
    """Label of the exit code of the VerifyWorkChain."""
    reason: str = ''
    """One sentence, with the words of the engine."""


class Engine(t.Protocol):
    """The functions of the module of an engine; all energies are in eV, lengths in A, pressures in GPa."""

    ABOUT: dict[str, t.Any]
    """Literal: name, kind `engine`, version, summary, requires, install, codes, tasks, elements, licence, citation."""

    def answer(self, code: t.Any) -> str:
        """Return in a line what a Code says of itself: its versions.

        :raises EngineError: with one sentence, when the engine does not run there.
        """

    def prepare(
        self, *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, tasks: list[str], folder: Path
    ) -> dict[str, orm.Data]:
        """Return the nodes that all crystals share, made before any process exists: versions, bundles, models.

        :param folder: what paths in the settings are relative to.
        :raises EngineError: when settings, Codes or computers are not as they should be.
        """

    def level_of_theory(
        self, *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, nodes: Nodes
    ) -> Level:
        """Return all that energies depend on and that is the same for every crystal of a hull, as plain JSON."""

    def check(self, structure: orm.StructureData, *, settings: Mapping[str, t.Any], nodes: Nodes) -> None:
        """Look at a crystal before anything is spent.

        :raises UnsupportedCrystalError: with one sentence.
        """

    def get_builder(
        self,
        *,
        codes: Codes,
        structure: orm.StructureData,
        task: str,
        protocol: str,
        spin: str,
        settings: Mapping[str, t.Any],
        options: Mapping[str, t.Any],
        nodes: Nodes,
    ) -> ProcessBuilder:
        """Return the builder of one task.

        :raises EngineError: when there is none.
        """

    def extract(self, node: orm.ProcessNode, level: orm.Dict) -> dict[str, orm.Data]:
        """Return `results` (Dict), and `structure` and `forces` (ArrayData) where there are such, by a calcfunction."""

    def classify(self, node: orm.ProcessNode) -> Verdict:
        """Say what became of a process in words that all engines share."""


def validated(model: type[Settings], settings: Mapping[str, t.Any]) -> Settings:
    """Return the settings of an engine.

    :raises InvalidSettingsError: with one sentence for all that is wrong.
    """
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        known = ', '.join(model.model_fields)
        wrong = '; '.join(
            f'`{".".join(map(str, problem["loc"]))}`: {problem["msg"]}' if problem['loc'] else problem['msg']
            for problem in error.errors()
        )
        raise InvalidSettingsError(f'settings of the engine are wrong: {wrong}; it knows {known}') from error


def code_of(codes: Codes, role: str, engine: str) -> t.Any:
    """Return the Code of a role.

    :raises CodeUnavailableError: when it was not given.
    """
    if role not in codes:
        given = ', '.join(f'`{name}`' for name in codes) or 'none'
        raise CodeUnavailableError(f'the engine `{engine}` needs a Code as `codes.{role}`; given: {given}')
    return codes[role]


def fingerprint(level: Mapping[str, t.Any]) -> str:
    """Return the first 16 hexadecimal digits of the sha256 of a level of theory as sorted JSON."""
    return hashlib.sha256(canonical_json(dict(level))).hexdigest()[:FINGERPRINT_DIGITS]
