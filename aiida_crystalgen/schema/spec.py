"""The campaign file as frozen models: what may be written in it, with units."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, PrivateAttr, field_validator, model_validator

from .chemistry import elements_of_system
from .conditions import ConditionsSpec
from .gates import Gate, dumped
from .part import Part, Text, Values
from .phonons import PhononsSpec
from .profiles import ProfileSpec, ResourcesSpec
from .protocols import protocol_inputs
from .ranking import RankingSpec, steps_of_ranking
from .targets import TargetsSpec, screens_with_prediction
from .verify import VerifySpec

Code: t.TypeAlias = t.Annotated[
    str, Field(pattern=r'^[^@\s]+@[^@\s]+$', description='the AiiDA Code of the Python that runs it, `label@computer`')
]
Model: t.TypeAlias = t.Annotated[
    Text | None,
    Field(
        description='a model: a file or folder, relative to this file, the name of one that is known, `remote:/path` '
        'for one on the computer of the Code, or `node:PK` for one that was trained in this profile'
    ),
]
Trust: t.TypeAlias = t.Annotated[
    t.Annotated[str, Field(pattern=r'^[0-9a-f]{64}$')] | None,
    Field(description='the sha256 of the model file, since loading a model file can run any code in it'),
]
Profile: t.TypeAlias = t.Annotated[
    str | None, Field(description='the name of one of the `profiles` of this file: options, GPUs and variables of jobs')
]
HERE: t.Final = 'python@localhost'
SET: t.Final = 'set:'  # before the name of a reference set of the profile
SAME_MODEL: t.Final = 'same-model'  # the mode of a hull whose phases the potential of the campaign relaxes


class GeneratorSpec(Part):
    """One source of crystals."""

    type: Text = Field(description='the name of a registered generator (`aiida-crystalgen list generators`)')
    label: str | None = Field(
        default=None,
        pattern=r'^[A-Za-z][A-Za-z0-9_]*$',
        description='a name of its own for this entry, letters, digits and underscores; default: the type',
    )
    n: int | None = Field(default=None, ge=1, description='the number of crystals; `files` takes all when left out')
    code: Code = HERE
    parameters: Values = Field(default_factory=dict, description='parameters and conditions of the generator')
    files: Text | None = Field(
        default=None,
        description='the file or folder that it reads, relative to this file, or `node:PK` for one of the profile',
    )
    after: str | None = Field(
        default=None, description='the label of another generator above, whose crystals are the templates of this one'
    )
    model: Model = None
    trust: Trust = None
    profile: Profile = None

    @field_validator('parameters')
    @classmethod
    def _sort_system(cls, parameters: Values) -> Values:
        """Write a chemical system in one way, however it is ordered in the file."""
        elements = elements_of_system(parameters.get('chemical_system'))
        return parameters if elements is None else {**parameters, 'chemical_system': '-'.join(elements)}

    @property
    def name(self) -> str:
        """The label, or else the type."""
        return self.label or self.type


class PotentialSpec(Part):
    """The machine-learned potential that relaxes all crystals and all competing phases."""

    type: Text = Field(description='the name of a registered potential (`aiida-crystalgen list potentials`)')
    code: Code = HERE
    parameters: Values = Field(
        default_factory=dict, description='parameters of the relaxation (fmax in eV/A, pressure in GPa) and the model'
    )
    model: Model = None
    trust: Trust = None
    profile: Profile = None


class MemberSpec(PotentialSpec):
    """A potential of the committee, which judges the short list beside that of the campaign."""

    label: str | None = Field(
        default=None,
        pattern=r'^[A-Za-z][A-Za-z0-9_]*$',
        description='its name in the column `e_hull_<label>`, letters, digits and underscores; default: the type',
    )

    @property
    def name(self) -> str:
        """The label, or else the type."""
        return self.label or self.type


class ReferencesSpec(Part):
    """Known crystals: the competing phases of the hull, and what novelty is measured against.

    Each is a file, a folder, or `set:NAME` for a reference set of the profile (`aiida-crystalgen reference list`).
    """

    phases: Text | None = Field(
        default=None, description='the competing phases: a file, a folder of CIFs or set:NAME; without them no hull'
    )
    known: Text | None = Field(
        default=None, description='the known crystals: a file, a folder or set:NAME; default: the phases'
    )
    training: Text | None = Field(
        default=None, description='what the generators were trained on: a file, a folder or set:NAME'
    )
    mode: t.Literal['same-model', 'mp2020', 'formation', 'custom'] = Field(
        default=SAME_MODEL,
        description='the energies of the hull; same-model: the potential relaxes the phases; mp2020: energies of the '
        'Materials Project, both sides corrected alike; formation: formation energies; custom: energies as they are',
    )
    level: str | None = Field(
        default=None, description='the level of theory of energies in files; default: what they say'
    )
    partial: bool | None = Field(
        default=None,
        description='true when known crystals of their systems may be missing; default: as a set says, true for files',
    )
    source: str | None = Field(default=None, description='where files come from; default: what they say')
    licence: str | None = Field(default=None, description='the licence of files; default: what they say')

    @model_validator(mode='after')
    def _names_crystals(self) -> t.Self:
        if self.phases is None and self.known is None and self.training is None:
            raise ValueError('nothing is named here; give `phases`, `known` or `training`')
        return self


class StepSpec(Part):
    """Changes to one criterion of a screen."""

    parameters: Values = Field(default_factory=dict, description='parameters of the criterion')
    gates: dict[str, Gate | None] = Field(
        default_factory=dict, description='gates by column; null takes the gate of the protocol away'
    )


Steps: t.TypeAlias = dict[str, StepSpec | None]


class ScreenSpec(Part):
    """Changes to the screens of the protocol."""

    prescreen: Steps = Field(
        default_factory=dict, description='criteria before relaxation, by name; null leaves one out'
    )
    postscreen: Steps = Field(
        default_factory=dict, description='criteria after relaxation, by name; null leaves one out'
    )
    shortlist: int | None = Field(default=None, ge=1, description='the number of crystals on the short list')

    def overrides(self) -> Values:
        """Return the changes in the form of the protocol."""
        changes: Values = {} if self.shortlist is None else {'shortlist': self.shortlist}
        for name, steps in (('prescreen', self.prescreen), ('postscreen', self.postscreen)):
            changes[name] = {
                criterion: step and {'parameters': step.parameters, 'gates': dumped(step.gates)}
                for criterion, step in steps.items()
            }
        return changes


class CampaignSpec(Part):
    """A campaign, from the generators to the ranked table."""

    version: t.Literal[1] = Field(description='the version of this file format, 1')
    name: Text = Field(description='the name of the campaign')
    seed: int = Field(ge=0, le=2**32 - 1, description='a whole number that fixes every random choice')
    protocol: t.Literal['fast', 'balanced', 'stringent'] = Field(
        default='balanced', description='where every number that is not in this file comes from'
    )
    generators: t.Annotated[tuple[GeneratorSpec, ...], Field(min_length=1, strict=False)] = Field(
        description='the sources of crystals, at least one'
    )
    conditions: ConditionsSpec = Field(
        default_factory=ConditionsSpec, description='what is asked of every generator that can be told it'
    )
    targets: TargetsSpec | None = Field(
        default=None, description='known crystals that the generators are to find: crystal structure prediction'
    )
    potential: PotentialSpec | None = Field(
        default=None, description='the potential that relaxes the crystals; without one they are judged as they are'
    )
    references: ReferencesSpec | None = Field(
        default=None, description='known crystals; without them there is no hull and no novelty'
    )
    filters: dict[str, Gate | None] = Field(
        default_factory=dict, description='gates on any column of the screened crystals; null takes one away'
    )
    screen: ScreenSpec = Field(default_factory=ScreenSpec, description='changes to the screens of the protocol')
    phonons: PhononsSpec | None = Field(
        default=None, description='phonons of the short list; without this there are none'
    )
    verify: VerifySpec | None = Field(
        default=None, description='the DFT engine that computes the short list; without this there is no DFT'
    )
    committee: t.Annotated[tuple[MemberSpec, ...], Field(strict=False)] = Field(
        default=(), description='further potentials that judge the short list, each at a hull of its own'
    )
    ranking: RankingSpec | None = Field(
        default=None, description='the order of the table and the short list; without this by energy above the hull'
    )
    resources: ResourcesSpec = Field(default_factory=ResourcesSpec, description='how the work is cut, where it runs')
    profiles: dict[str, ProfileSpec] = Field(
        default_factory=dict, description='options of jobs by a name, for generators and potentials to refer to'
    )

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """The folder that the paths of the campaign are relative to."""
        return self._folder

    def within(self, folder: Path) -> t.Self:
        """Return the same campaign with its paths relative to another folder."""
        moved = self.model_copy()
        moved._folder = folder
        return moved

    def resolve(self, path: str) -> Path:
        """Return a path of the campaign as one that can be opened from anywhere."""
        return (self._folder / os.path.expanduser(path)).resolve()

    def overrides(self) -> Values:
        """Return what the campaign says differently from its protocol, in the form of the protocol."""
        protocol = protocol_inputs(self.protocol)
        phonons = {} if self.phonons is None else self.phonons.parameters
        parameters = {} if self.potential is None else self.potential.parameters
        resources = self.resources.model_dump(mode='json', exclude_unset=True)
        screens = screens_with_prediction(self.screen.overrides(), self.targets is not None, self.potential is not None)
        return {
            **steps_of_ranking(screens, self.ranking),
            'relax': {key: value for key, value in parameters.items() if key in protocol['relax']},
            'filters': dumped(self.filters),
            'phonons': {key: value for key, value in phonons.items() if key in protocol['phonons']},
            'resources': {key: value for key, value in resources.items() if value is not None},
        }

    def normalised(self) -> Values:
        """Return the campaign as plain JSON with sorted keys, every default and every number of the protocol in it."""
        inputs = protocol_inputs(self.protocol, self.overrides())
        parts = self.model_dump(
            mode='json',
            include={'version', 'name', 'seed', 'protocol', 'references', 'conditions', 'targets', 'profiles'},
        )
        relax, potential = inputs.pop('relax'), None
        if self.phonons is None:
            del inputs['phonons']
        else:
            parameters = {**inputs['phonons'], **self.phonons.parameters}
            inputs['phonons'] = {'parameters': parameters, **({'hull': True} if self.phonons.hull else {})}
        if self.potential is not None:
            potential = self.potential.model_dump(mode='json')
            potential['parameters'] = {**relax, **potential['parameters']}
        generators = [g.model_dump(mode='json') | {'label': g.name} for g in self.generators]
        if self.verify is not None:
            parts['verify'] = self.verify.model_dump(mode='json')
        if self.committee:
            parts['committee'] = [m.model_dump(mode='json') | {'label': m.name} for m in self.committee]
        if self.ranking is not None:
            parts['ranking'] = self.ranking.rules()
        return dict(_sorted({**parts, **inputs, 'potential': potential, 'generators': generators}))


def _sorted(value: t.Any) -> t.Any:
    """Return a value with the keys of every dictionary in it sorted, lists as they are."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, (list, tuple)) else value
