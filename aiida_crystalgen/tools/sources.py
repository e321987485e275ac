"""References and licences of every model and data set that a campaign used."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from aiida import orm

from aiida_crystalgen.tools.queries import calls_of

SOFTWARE: t.Final = (
    'S. P. Huber et al., AiiDA 1.0, a scalable computational infrastructure for automated reproducible workflows and '
    'data provenance, Scientific Data 7, 300 (2020), doi:10.1038/s41597-020-00638-4',
    'M. Uhrin et al., Workflows in AiiDA: engineering a high-throughput, event-based engine for robust and modular '
    'computational workflows, Computational Materials Science 187, 110086 (2021), doi:10.1016/j.commatsci.2020.110086',
)


@dataclass(frozen=True)
class Source:
    """A tool, a model or a data set with what its authors ask for.

    :param kind: `generator`, `potential`, `criterion` or `data`.
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
    for bundle, environment in _bundles(campaign):
        for source in _sources_in(bundle, environment):
            found.setdefault((source.kind, source.name), source)
    for source in _data_sources(campaign):
        found.setdefault((source.kind, source.name), source)
    order = ('generator', 'potential', 'criterion', 'data')
    return sorted(found.values(), key=lambda source: (order.index(source.kind), source.name))


def _bundles(campaign: orm.ProcessNode) -> list[tuple[orm.SinglefileData, dict[str, str]]]:
    """Return each bundle that a job of the campaign was given, with the versions beside it."""
    jobs = [call.pk for call in calls_of(campaign) if call.process_type.startswith('aiida.calculations:')]
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'id': {'in': jobs}}, tag='job', project='id')
    query.append(orm.SinglefileData, with_outgoing='job', edge_filters={'label': 'bundle'}, project='*')
    query.append(orm.Dict, with_outgoing='job', edge_filters={'label': 'environment'}, project='attributes')
    found = {bundle.pk: (bundle, dict(environment)) for _, bundle, environment in query.iterall()}
    return [found[pk] for pk in sorted(found)]


def _sources_in(bundle: orm.SinglefileData, environment: dict[str, str]) -> list[Source]:
    from aiida_crystalgen.bundles import read_about

    with bundle.open(mode='rb') as handle:
        about = read_about(handle)
    parts = about.get('steps') or [about]
    return [_source(part, environment) for part in parts]


def _source(about: dict[str, t.Any], versions: dict[str, str]) -> Source:
    kind = about.get('kind') if about.get('kind') in {'generator', 'potential', 'criterion'} else 'criterion'
    name, training = str(about.get('name', '')), about.get('training') or {}
    licence = str(about.get('licence') or 'not stated')
    if training.get('licence'):
        licence = f'{licence}; trained on {training.get("name", "data")} ({training["licence"]})'
    return Source(str(kind), name, licence, tuple(about.get('citation', [])), versions)


def _data_sources(campaign: orm.ProcessNode) -> list[Source]:
    """Return the sets of competing phases."""
    from aiida_crystalgen.data.hull import HullReference

    hulls = campaign.base.links.get_outgoing(node_class=HullReference).all_nodes()
    return [
        Source('data', hull.phases_source or 'competing phases', hull.licence or 'not stated', (), {})
        for hull in (t.cast(HullReference, node) for node in hulls)
    ]
