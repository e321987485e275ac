"""From a campaign to the inputs of its WorkChain: every node of the graph that no process makes is made here."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_crystalgen.bundles import about, adapter_bundle, science_bundle, sha256_of
from aiida_crystalgen.calculations.fingerprints import digest_of
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.schema import CampaignError, CampaignSpec, Problem, protocol_inputs
from aiida_crystalgen.workflows.environment import EnvironmentProblem, tool_versions
from aiida_crystalgen.workflows.references import find_known_hull, known_crystals, read_phases

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

Inputs = dict[str, t.Any]

# A job that makes no progress ends a chain long before this: see `BatchBaseWorkChain.handle_stall`.
_MOST_JOBS: t.Final = 10_000


def get_builder(spec: CampaignSpec, fresh: bool = False) -> ProcessBuilder:
    """Return the builder of a campaign, ready to be run or submitted.

    :param fresh: compute everything anew: no job is taken from the cache and no phase from an earlier campaign.
    :raises CampaignError: with all that is wrong, when something the campaign needs is not there.
    """
    from aiida_crystalgen.workflows.campaign import CampaignWorkChain

    numbers = protocol_inputs(spec.protocol, spec.overrides())
    maker = _Maker(numbers['resources'], fresh)
    builder = CampaignWorkChain.get_builder()
    builder.metadata.label = spec.name
    builder.spec = orm.Dict(spec.normalised())
    for generator in spec.generators:
        builder.generators[generator.name] = maker.generator(spec, generator)
    for key, value in maker.screen(spec, numbers).items():
        builder.screen[key] = value
    builder.ranking = orm.Dict({'shortlist': numbers['shortlist']})
    return builder


class _Maker:
    """Makes input namespaces; nodes that several of them share are made once."""

    def __init__(self, resources: Inputs, fresh: bool) -> None:
        self.resources = resources
        self.fresh = fresh
        self.bundles: dict[tuple[str, ...], orm.SinglefileData] = {}
        self.shared = {
            'chunk_size': orm.Int(resources['chunk_size']),
            'max_iterations': orm.Int(_MOST_JOBS),
            'clean_workdir': orm.Bool(True),
        }
        self.n_lanes = orm.Int(resources['lanes'])

    def generator(self, spec: CampaignSpec, generator: t.Any) -> Inputs:
        """Return the inputs of one GenerateWorkChain."""
        description = about('generator', generator.type)
        assets = {}
        if generator.files is not None:
            assets[description.get('asset', 'files')] = node_of_path(spec.resolve(generator.files))
        parameters = {**generator.parameters, 'seed': spec.seed, **trusted(generator)}
        job = self.job('generator', generator.type, generator.code, parameters)
        job.update(self.model(spec, generator, job))
        n_crystals = generator.n
        if n_crystals is None:
            n_crystals = count_entries(spec.resolve(generator.files))
        return {**self.shared, 'job': {**job, 'assets': assets}, 'n_lanes': self.n_lanes,
                'n_crystals': orm.Int(n_crystals), 'generator': orm.Str(generator.name)}

    def screen(self, spec: CampaignSpec, numbers: Inputs) -> Inputs:
        """Return the inputs of the ScreenWorkChain, its batch excepted."""
        potential = spec.potential
        known_parameters = about('potential', potential.type)['parameters']
        from_protocol = {key: value for key, value in numbers['relax'].items() if key in known_parameters}
        relax = self.job('potential', potential.type, potential.code,
                         {**from_protocol, **potential.parameters, **trusted(potential)})
        relax.update(self.model(spec, potential, relax))
        inputs: Inputs = {'relax': {**self.shared, 'job': relax}, 'n_lanes': self.n_lanes,
                          'filters': orm.Dict(numbers['filters'])}
        if spec.references is not None:
            inputs.update(self.references(spec, relax))
        for stage in ('prescreen', 'postscreen'):
            steps = with_facts(numbers[stage]['steps'], spec)
            inputs[stage] = {**self.shared, 'job': self.analysis(stage, steps, potential.code)}
        return inputs

    def references(self, spec: CampaignSpec, relax: Inputs) -> Inputs:
        """Return the competing phases, the known crystals, and what an earlier campaign left."""
        references = spec.references
        assert references is not None
        phases = StructureBatch(read_phases(spec.resolve(references.phases)))
        facts = {'source': references.source or Path(references.phases).name, 'licence': references.licence,
                 'partial': references.partial}
        recipe = {name: relax[name] for name in ('bundle', 'parameters', 'environment', 'model') if name in relax}
        inputs: Inputs = {'phases': phases, 'phases_about': orm.Dict(facts)}
        inputs['known'] = phases if references.known is None else StructureBatch(
            known_crystals(spec.resolve(references.known)))
        hull = None if self.fresh else find_known_hull(digest_of(recipe), phases)
        return {**inputs, 'known_hull': hull} if hull is not None else inputs

    def analysis(self, stage: str, steps: list[Inputs], code_label: str) -> Inputs:
        """Return the inputs of an analysis job, which runs on the same Python as the potential."""
        bundle = self.bundle('science', *sorted({step['criterion'] for step in steps}))
        return self._job(bundle, code_label, {'stage': stage, 'steps': steps}, device='cpu')

    def job(self, kind: str, name: str, code_label: str, parameters: Inputs) -> Inputs:
        """Return the inputs of the job of an adapter."""
        return self._job(self.bundle(kind, name), code_label, parameters, device=self.resources['device'])

    def _job(self, bundle: orm.SinglefileData, code_label: str, parameters: Inputs, device: str) -> Inputs:
        code = load_code(code_label)
        options = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, **self.resources['options']}
        metadata: Inputs = {'options': options, **({'disable_cache': True} if self.fresh else {})}
        try:
            versions = tool_versions(code, bundle.get_content(mode='rb'))
        except EnvironmentProblem as error:
            raise CampaignError([Problem(None, code_label, str(error), 'then run this again')]) from error
        return {'code': code, 'bundle': bundle, 'parameters': orm.Dict(parameters), 'environment': orm.Dict(versions),
                'runtime': {'processes': self.resources['processes'], 'device': device}, 'metadata': metadata}

    def bundle(self, kind: str, *names: str) -> orm.SinglefileData:
        """Return the node of a bundle."""
        key = (kind, *names)
        if key not in self.bundles:
            content = science_bundle(names) if kind == 'science' else adapter_bundle(kind, *names)
            node = orm.SinglefileData(io.BytesIO(content), filename='bundle.zip')
            node.label = '/'.join(key)
            self.bundles[key] = node
        return self.bundles[key]

    @staticmethod
    def model(spec: CampaignSpec, part: t.Any, job: Inputs) -> Inputs:
        """Return the model file as an input, or the name of a model as a parameter."""
        if part.model is None:
            return {}
        path = spec.resolve(part.model)
        if path.is_file():
            return {'model': orm.SinglefileData(path)}
        return {'parameters': orm.Dict({**job['parameters'].get_dict(), 'model': part.model})}


def load_code(label: str) -> orm.AbstractCode:
    """Return a Code by `label@computer`.

    :raises CampaignError: when there is none.
    """
    try:
        return orm.load_code(label)
    except NotExistent as error:
        remedy = 'make it with `aiida-crystalgen init`, or name another one (`verdi code list`)'
        raise CampaignError([Problem(None, label, f'there is no Code `{label}` in this profile', remedy)]) from error


def trusted(part: t.Any) -> Inputs:
    """Return the sha256 that the user vouches for, as a parameter of the adapter."""
    return {} if part.trust is None else {'trust': part.trust}


def with_facts(steps: list[Inputs], spec: CampaignSpec) -> list[Inputs]:
    """Return the steps with what novelty has to know of the references."""
    if spec.references is None:
        return steps
    facts = {'partial': spec.references.partial}
    return [
        {**step, 'parameters': {**facts, **step.get('parameters', {})}} if step['criterion'] == 'novelty' else step
        for step in steps
    ]


def node_of_path(path: Path) -> orm.SinglefileData | orm.FolderData:
    """Return a file or a folder as a node."""
    return orm.FolderData(tree=path) if path.is_dir() else orm.SinglefileData(path)


def count_entries(path: Path) -> int:
    """Return the number of crystals in files of the user's own."""
    from aiida_crystalgen.remote.adapters.files import count

    return int(count(str(path)))


__all__ = ['get_builder', 'load_code', 'sha256_of']
