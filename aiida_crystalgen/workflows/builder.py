"""From a campaign to the inputs of its WorkChain: every node of the graph that no process makes is made here."""

from __future__ import annotations

import io
import typing as t
from functools import cached_property

from aiida import orm

from aiida_crystalgen.bundles import about, adapter_bundle, phonon_bundle, science_bundle, shared_about
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.references.read import files_adapter
from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem
from aiida_crystalgen.schema.committee import limit_of
from aiida_crystalgen.schema.conditions import CHECKED
from aiida_crystalgen.schema.phonons import phonon_parameters
from aiida_crystalgen.schema.protocols import protocol_inputs
from aiida_crystalgen.schema.spec import SAME_MODEL, GeneratorSpec, PotentialSpec
from aiida_crystalgen.workflows.draws import chunk_size, draw_parameters, not_told, schedule, told_generator
from aiida_crystalgen.workflows.environment import ToolError, load_code, tool_versions
from aiida_crystalgen.workflows.models import asset_of, model_inputs
from aiida_crystalgen.workflows.options import job_options, job_runtime
from aiida_crystalgen.workflows.prediction import target_draws
from aiida_crystalgen.workflows.references import INDEXED, find_index, known_hull, reference_sets
from aiida_crystalgen.workflows.verification import verification_inputs

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.schema.profiles import ProfileSpec

Inputs = dict[str, t.Any]

# A job that makes no progress ends a chain long before this: see `BatchBaseWorkChain.handle_stall`.
_MOST_JOBS: t.Final = 10_000
_INDEX_CHUNK: t.Final = 20_000  # known crystals of one job that builds an index: a minute of work at 3 ms each


def get_builder(spec: CampaignSpec, fresh: bool = False) -> ProcessBuilder:
    """Return the builder of a campaign, ready to be run or submitted.

    :param fresh: compute everything anew: no job is taken from the cache and no phase from an earlier campaign.
    :raises CampaignError: with all that is wrong, when something the campaign needs is not there.
    """
    from aiida_crystalgen.workflows.campaign import CampaignWorkChain

    numbers = protocol_inputs(spec.protocol, spec.overrides())
    maker = _Maker(spec, numbers, fresh)
    builder = CampaignWorkChain.get_builder()
    builder.metadata.label = spec.name
    builder.spec = orm.Dict(spec.normalised())
    for generator in spec.generators:
        builder.generators[generator.name] = maker.generator(generator)
    if 'targets' in maker.sets:
        builder.draws = orm.Dict(target_draws(spec, maker.sets['targets']))
    builder.schedule = orm.Dict(schedule(spec, maker.resources['lanes']))
    _fill(builder.verify, verification_inputs(spec, maker.sets, maker.resources, fresh))
    if deaf := not_told(spec):
        builder.not_told = orm.Dict(deaf)
    _fill(builder.screen, maker.screen())
    builder.shortlist = orm.Int(numbers['shortlist'])
    if spec.ranking is not None:
        builder.ranking = orm.Dict(spec.ranking.rules())
    if spec.committee:
        _fill(builder.committee, maker.committee())
    if spec.phonons is not None:
        _fill(builder.phonons, maker.phonons())
        if spec.phonons.hull:
            builder.warm_hull = orm.Bool(True)
    return builder


def get_generate_builder(spec: CampaignSpec, fresh: bool = False) -> ProcessBuilder:
    """Return the builder that draws from the first generator of a campaign alone."""
    from aiida_crystalgen.workflows.generate import GenerateWorkChain

    maker = _Maker(spec, protocol_inputs(spec.protocol, spec.overrides()), fresh)
    return _fill(GenerateWorkChain.get_builder(), maker.generator(spec.generators[0]))


def get_screen_builder(spec: CampaignSpec, batch: StructureBatch, fresh: bool = False) -> ProcessBuilder:
    """Return the builder that sends a batch through the funnel of a campaign."""
    from aiida_crystalgen.workflows.screen import ScreenWorkChain

    maker = _Maker(spec, protocol_inputs(spec.protocol, spec.overrides()), fresh)
    return _fill(ScreenWorkChain.get_builder(), {**maker.screen(), 'batch': batch})


def get_phonon_builder(spec: CampaignSpec, batch: StructureBatch, fresh: bool = False) -> ProcessBuilder:
    """Return the builder that computes the phonons of a batch with the potential of a campaign."""
    from aiida_crystalgen.workflows.phonons import PhononWorkChain

    maker = _Maker(spec, protocol_inputs(spec.protocol, spec.overrides()), fresh)
    return _fill(PhononWorkChain.get_builder(), {**maker.phonons(), 'batch': batch})


def _fill(builder: t.Any, inputs: Inputs) -> t.Any:
    for key, value in inputs.items():
        builder[key] = value
    return builder


class _Maker:
    """Makes input namespaces; nodes that several of them share are made once."""

    def __init__(self, spec: CampaignSpec, numbers: Inputs, fresh: bool) -> None:
        self.spec = spec
        self.numbers = numbers
        self.resources: Inputs = numbers['resources']
        self.fresh = fresh
        self.bundles: dict[tuple[str, ...], orm.SinglefileData] = {}
        self.shared = {
            'chunk_size': orm.Int(self.resources['chunk_size']),
            'max_iterations': orm.Int(_MOST_JOBS),
            'clean_workdir': orm.Bool(True),
        }
        self.n_lanes = orm.Int(self.resources['lanes'])
        # Generators that draw side by side share the lanes; draws for targets are many and small.
        n_draws = len(spec.generators) if spec.targets is None else self.resources['lanes']
        self.n_lanes_of_draws = orm.Int(max(self.resources['lanes'] // n_draws, 1))

    @cached_property
    def sets(self) -> dict[str, ReferenceSet]:
        """The reference sets of the campaign, by what they are for."""
        return reference_sets(self.spec)

    def generator(self, generator: GeneratorSpec) -> Inputs:
        """Return the inputs of one GenerateWorkChain."""
        generator = told_generator(self.spec, generator)
        assets = {}
        if generator.files is not None:
            asset = about('generator', generator.type).get('asset', 'files')
            assets[asset] = asset_of(self.spec, generator.files)
        n_crystals = generator.n
        if n_crystals is None:
            n_crystals = int(files_adapter().count(str(self.spec.resolve(generator.files or ''))))
        parameters, batch_size = draw_parameters(self.spec, generator, n_crystals)
        job = {**self.job('generator', generator, parameters), 'assets': assets}
        if batch_size is not None:
            job['runtime'] = {**job['runtime'], 'batch_size': batch_size}
        return {
            **self.shared,
            'chunk_size': orm.Int(chunk_size(self.spec, generator.type, self.resources['chunk_size'])),
            'job': job,
            'n_lanes': self.n_lanes_of_draws,
            'n_crystals': orm.Int(n_crystals),
            'generator': orm.Str(generator.name),
        }

    def screen(self) -> Inputs:
        """Return the inputs of the ScreenWorkChain, its batch excepted."""
        sets = self.sets
        inputs: Inputs = {'n_lanes': self.n_lanes, 'filters': orm.Dict(self.numbers['filters'])}
        relax = self.relaxation()
        if relax is not None:
            inputs['relax'] = {**self.shared, 'job': relax}
        facts = self.facts(sets)
        for stage in ('prescreen', 'postscreen'):
            inputs[stage] = {**self.shared, 'job': self.analysis(stage, self.numbers[stage]['steps'], facts)}
        targets = {'targets': sets['targets']} if 'targets' in sets else {}
        return {**inputs, **targets, **self.references(sets, relax)}

    def relaxation(self) -> Inputs | None:
        """Return the inputs of the job of the potential, None where there is no potential."""
        return None if self.spec.potential is None else self._relaxation(self.spec.potential)

    def _relaxation(self, potential: PotentialSpec) -> Inputs:
        known = about('potential', potential.type)['parameters']
        parameters = {key: value for key, value in self.numbers['relax'].items() if key in known}
        return self.job('potential', potential, {**parameters, **potential.parameters})

    def phonons(self) -> Inputs:
        """Return the inputs of the PhononWorkChain, its batch excepted."""
        potential, section = self.spec.potential, self.spec.phonons
        if potential is None or section is None:
            raise CampaignError([Problem(None, 'phonons', 'nothing computes the forces', 'add `potential`')])
        numbers = {**self.numbers['phonons'], **section.parameters}
        description, shared = about('potential', potential.type), shared_about('relaxation')
        parameters = phonon_parameters(numbers, self.numbers['relax'], potential.parameters, description, shared)
        return {**self.shared, 'n_lanes': self.n_lanes, 'job': self.job('phonons', potential, parameters)}

    def committee(self) -> Inputs:
        """Return the inputs of the CommitteeWorkChain, its batch excepted."""
        phases, members = self.sets['phases'], {}
        for member in self.spec.committee:
            relax = self._relaxation(member)
            members[member.name] = {'relax': {**self.shared, 'job': relax}}
            members[member.name] |= {} if self.fresh else known_hull(relax, phases)
        return {'phases': phases, 'limit': orm.Float(limit_of(self.numbers['filters'])), 'members': members}

    def references(self, sets: dict[str, ReferenceSet], relax: Inputs | None) -> Inputs:
        """Return the known crystals, how they are indexed, and what earlier campaigns left."""
        inputs: Inputs = {name: sets[name] for name in INDEXED if name in sets}
        if 'phases' in sets:
            same_model = self.spec.references is not None and self.spec.references.mode == SAME_MODEL
            inputs['phases' if same_model else 'entries'] = sets['phases']
            if same_model and relax is not None and not self.fresh:
                inputs.update(known_hull(relax, sets['phases']))
        for name in [name for name in INDEXED if name in sets and self._is_large(sets[name])]:
            parameters = {'stage': 'index', **self._limit_of_novelty()}
            job = self._job(self.bundle('index'), self.code, parameters, device='cpu')
            built = None if self.fresh else find_index(sets[name], job)
            if built is not None:
                inputs[f'{name}_index'] = built
            else:
                inputs[f'index_{name}'] = {**self.shared, 'chunk_size': orm.Int(_INDEX_CHUNK), 'job': job}
        return inputs

    def _limit_of_novelty(self) -> Inputs:
        """Return the size up to which novelty compares crystals, where it is set: an index needs the same."""
        asked = [step['parameters'] for step in self.numbers['postscreen']['steps'] if step['criterion'] == 'novelty']
        return {'max_sites': asked[0]['max_sites']} if asked and 'max_sites' in asked[0] else {}

    def _is_large(self, reference: ReferenceSet) -> bool:
        """Say whether an index of a reference set is worth a job."""
        return len(reference.crystals) >= self.resources['index_from']

    def facts(self, sets: dict[str, ReferenceSet]) -> dict[str, Inputs]:
        """Return what the criteria have to know of the references and of the energies, by criterion."""
        asked = self.spec.conditions.model_dump(include=set(CHECKED), exclude_none=True)
        found: dict[str, Inputs] = {'conditions': asked}
        if 'known' in sets:
            found['novelty'] = {'known_partial': sets['known'].partial}
        mode = self.spec.references.mode if self.spec.references is not None else SAME_MODEL
        if 'phases' in sets and mode != SAME_MODEL:
            potential = self.spec.potential
            # Energies that come with the crystals are taken to follow the convention of the phases: levels decide.
            convention = sets['phases'].convention
            of_candidates = about('potential', potential.type)['energy_convention'] if potential else convention
            found['stability'] = {
                'mode': mode,
                'convention_candidates': of_candidates,
                'convention_hull': convention,
                'hull_partial': sets['phases'].partial,
                'hull_source': sets['phases'].set_name,
            }
        return found

    @property
    def code(self) -> str:
        """The Code of the analysis jobs: the potential's, or else that of the first generator."""
        return (self.spec.potential or self.spec.generators[0]).code

    def analysis(self, stage: str, steps: list[Inputs], facts: dict[str, Inputs]) -> Inputs:
        """Return the inputs of an analysis job; the facts give way to what the campaign says itself."""
        steps = [
            {**step, 'parameters': {**facts.get(step['criterion'], {}), **step.get('parameters', {})}} for step in steps
        ]
        bundle = self.bundle('science', *sorted({step['criterion'] for step in steps}))
        return self._job(bundle, self.code, {'stage': stage, 'steps': steps}, device='cpu')

    def job(self, kind: str, part: GeneratorSpec | PotentialSpec, parameters: Inputs) -> Inputs:
        """Return the inputs of the job of an adapter, its model among them."""
        bundle = self.bundle(kind, part.type)
        content = bundle.get_content(mode='rb')
        adapter_kind = 'potential' if kind == 'phonons' else kind
        more, added, path = model_inputs(self.spec, adapter_kind, part, load_code(part.code), content)
        profile = None if part.profile is None else self.spec.profiles[part.profile]
        job = {**self._job(bundle, part.code, {**parameters, **added}, profile=profile), **more}
        return job if path is None else {**job, 'runtime': {**job['runtime'], 'model_path': path}}

    def _job(
        self,
        bundle: orm.SinglefileData,
        code_label: str,
        parameters: Inputs,
        device: str | None = None,
        profile: ProfileSpec | None = None,
    ) -> Inputs:
        code = load_code(code_label)
        options = job_options(self.resources, profile, code)
        metadata: Inputs = {'options': options, **({'disable_cache': True} if self.fresh else {})}
        try:
            versions = tool_versions(code, bundle.get_content(mode='rb'))
        except ToolError as error:
            raise CampaignError([Problem(None, code_label, str(error), 'then run this again')]) from error
        runtime = job_runtime(self.resources, profile)
        return {
            'code': code,
            'bundle': bundle,
            'parameters': orm.Dict(parameters),
            'environment': orm.Dict(versions),
            'runtime': runtime if device is None else {**runtime, 'device': device},
            'metadata': metadata,
        }

    def bundle(self, kind: str, *names: str) -> orm.SinglefileData:
        """Return the node of a bundle."""
        key = (kind, *names)
        if key not in self.bundles:
            if kind == 'index':
                content = science_bundle(module='indexing')
            elif kind == 'phonons':
                content = phonon_bundle(*names)
            else:
                content = science_bundle(names) if kind == 'science' else adapter_bundle(kind, *names)
            self.bundles[key] = orm.SinglefileData(io.BytesIO(content), filename='bundle.zip', label='/'.join(key))
        return self.bundles[key]
