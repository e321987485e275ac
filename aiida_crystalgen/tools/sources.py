"""References and licences of every model and data set that a campaign used."""

from __future__ import annotations

import ast
import typing as t
from dataclasses import dataclass

from aiida import orm

from aiida_crystalgen.tools.queries import calls_of

if t.TYPE_CHECKING:
    from aiida_crystalgen.data.reference import ReferenceSet

SOFTWARE: t.Final = (
    'S. P. Huber et al., AiiDA 1.0, a scalable computational infrastructure for automated reproducible workflows and '
    'data provenance, Scientific Data 7, 300 (2020), doi:10.1038/s41597-020-00638-4',
    'M. Uhrin et al., Workflows in AiiDA: engineering a high-throughput, event-based engine for robust and modular '
    'computational workflows, Computational Materials Science 187, 110086 (2021), doi:10.1016/j.commatsci.2020.110086',
)


@dataclass(frozen=True)
class Source:
    """A tool, a model or a data set with what its authors ask for.

    :param kind: `generator`, `potential`, `criterion`, `phonons` or `data`.
    :param versions: of the software that ran, by distribution.
    """

    kind: str
    name: str
    licence: str
    citation: tuple[str, ...]
    versions: dict[str, str]


def sources_of(campaign: orm.ProcessNode) -> list[Source]:
    """Return every source once, read from what the jobs were given: generators, potentials, criteria, data."""
    found: dict[tuple[str, str], Source] = {}
    for job in _bundles(campaign):
        for source in _sources_in(job):
            found.setdefault((source.kind, source.name), source)
    for source in _data_sources(campaign):
        found.setdefault((source.kind, source.name), source)
    order = ('generator', 'potential', 'criterion', 'phonons', 'data')
    return sorted(found.values(), key=lambda source: (order.index(source.kind), source.name))


def _bundles(campaign: orm.ProcessNode) -> list[_Job]:
    """Return each bundle that a job of the campaign was given, with the versions and parameters beside it."""
    jobs = [call.pk for call in calls_of(campaign) if call.process_type.startswith('aiida.calculations:')]
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'id': {'in': jobs}}, tag='job')
    query.append(orm.SinglefileData, with_outgoing='job', edge_filters={'label': 'bundle'}, project='*')
    query.append(orm.Dict, with_outgoing='job', edge_filters={'label': 'environment'}, project='*')
    query.append(orm.Dict, with_outgoing='job', edge_filters={'label': 'parameters'}, project='*')
    found = {(job[0].pk, job[2].pk): job for job in query.iterall()}
    return [_Job(*found[key]) for key in sorted(found)]


@dataclass(frozen=True)
class _Job:
    bundle: orm.SinglefileData
    environment: orm.Dict
    parameters: orm.Dict


def _sources_in(job: _Job) -> list[Source]:
    """Return the adapter of a bundle, or the criteria that an analysis used."""
    from aiida_crystalgen.bundles import read_about

    with job.bundle.open(mode='rb') as handle:
        about = read_about(handle)
        criteria = [step['criterion'] for step in job.parameters.get_dict().get('steps', [])]
        abouts = [_criterion(handle, name) for name in criteria] if about['kind'] == 'analysis' else [about]
    return [_source(entry, job.environment.get_dict()) for entry in abouts]


def _criterion(bundle: t.IO[bytes], name: str) -> dict[str, t.Any]:
    """Return the `ABOUT` of a criterion as it travelled."""
    from aiida_crystalgen.bundles import read_member

    try:
        code = read_member(bundle, f'science/{name}.py')
    except KeyError:
        code = read_member(bundle, f'{name}.py')
    values = (node.value for node in ast.parse(code).body if isinstance(node, ast.Assign) and _names(node) == {'ABOUT'})
    return {'name': name, 'kind': 'criterion', **dict(ast.literal_eval(next(values)))}


def _names(node: ast.Assign) -> set[str]:
    return {target.id for target in node.targets if isinstance(target, ast.Name)}


def _source(about: dict[str, t.Any], versions: dict[str, str]) -> Source:
    name, training = str(about.get('name', '')), about.get('training') or {}
    licence = str(about.get('licence') or 'not stated')
    if training.get('licence'):
        licence = f'{licence}; trained on {training.get("name", "data")} ({training["licence"]})'
    return Source(str(about['kind']), name, licence, tuple(about.get('citation', [])), versions)


def _data_sources(campaign: orm.ProcessNode) -> list[Source]:
    """Return the reference sets: competing phases, known crystals, training sets."""
    from aiida_crystalgen.data.reference import ReferenceSet

    sets = campaign.base.links.get_incoming(node_class=ReferenceSet).all_nodes()
    return [
        Source('data', _name_of(reference), reference.licence or 'not stated', tuple(reference.citation), {})
        for reference in (t.cast(ReferenceSet, node) for node in sets)
    ]


def _name_of(reference: ReferenceSet) -> str:
    return ' '.join(filter(None, (reference.set_name, reference.facts['database_version'])))
