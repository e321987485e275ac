"""A machine-learned potential as an engine: for tests, and for a cheap second look by another potential."""

from __future__ import annotations

import io
import typing as t
from collections.abc import Mapping
from pathlib import Path

from aiida import orm
from pydantic import Field

from aiida_crystalgen import bundles
from aiida_crystalgen.calculations.fingerprints import digest_of, node_digest
from aiida_crystalgen.calculations.verify import read_batch
from aiida_crystalgen.schema.problem import CampaignError
from aiida_crystalgen.schema.spec import PotentialSpec
from aiida_crystalgen.workflows.engines.base import (
    Codes,
    CodeUnavailableError,
    EngineSettings,
    InvalidSettingsError,
    Level,
    Nodes,
    Verdict,
    code_of,
    validated,
)
from aiida_crystalgen.workflows.engines.batches import (
    batch_builder,
    batch_verdict,
    check_elements,
    nodes_of_tasks,
)
from aiida_crystalgen.workflows.engines.planning import numbers

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

ABOUT = {
    'name': 'potential',
    'kind': 'engine',
    'version': 1,
    'summary': 'A machine-learned potential: not DFT, for tests and for a second look by another potential.',
    'requires': [],
    'install': 'nothing; the potential has to be installed where the Code is',
    'codes': {'python': 'the Python that has the potential'},
    'tasks': ['static', 'relax', 'vc-relax'],
    'elements': 'those of the potential',
    'licence': 'that of the potential',
    'citation': [],
}


class Settings(EngineSettings):
    """Settings of the engine `potential`."""

    potential: str = Field(min_length=1, description='the name of a registered potential')
    parameters: dict[str, t.Any] = Field(default_factory=dict, description='parameters of the potential')
    model: str | None = Field(default=None, description='its model, as in a campaign file')
    trust: str | None = Field(default=None, description='sha256 of a model that can run code')


class _Place:
    """Where paths are relative to, as a campaign knows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resolve(self, path: str) -> Path:
        """Return a path that can be opened from anywhere."""
        return (self.folder / Path(path).expanduser()).resolve()


def answer(code: t.Any) -> str:
    """Return where the answer is: it depends on the potential."""
    return f'every potential that {code.full_label} runs: aiida-crystalgen list potentials --code {code.full_label}'


def prepare(
    *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, tasks: list[str], folder: Path
) -> dict[str, orm.Data]:
    """Return bundle, versions, model and the parameters of every task."""
    from aiida_crystalgen.workflows.environment import ToolError, tool_versions
    from aiida_crystalgen.workflows.models import model_inputs

    del spin
    wanted, code = validated(Settings, settings), code_of(codes, 'python', 'potential')
    try:
        content = bundles.adapter_bundle('potential', wanted.potential)
        part = PotentialSpec(
            type=wanted.potential, parameters=wanted.parameters, model=wanted.model, trust=wanted.trust
        )
        more, added, path = model_inputs(_Place(folder), 'potential', part, code, content)  # type: ignore[arg-type]
        versions = tool_versions(code, content)
    except (bundles.AdapterError, CampaignError) as error:
        raise InvalidSettingsError(str(error)) from error
    except ToolError as error:
        raise CodeUnavailableError(str(error)) from error
    if path is not None:
        raise InvalidSettingsError('a model that lies on the computer cannot be used by an engine; name a file here')
    own = numbers('potential', protocol)
    about = bundles.about('potential', wanted.potential)['parameters']
    if unknown := sorted(set(wanted.parameters) - set(about)):
        raise InvalidSettingsError(f'the potential `{wanted.potential}` has no parameter `{unknown[0]}`')
    parameters = {**own, **wanted.parameters, **added}
    bundle = orm.SinglefileData(io.BytesIO(content), filename='bundle.zip', label=f'potential/{wanted.potential}')
    return {'bundle': bundle, 'environment': orm.Dict(versions), **more, **nodes_of_tasks(parameters, tasks)}


def level_of_theory(*, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, nodes: Nodes) -> Level:
    """Return the potential, its model, its versions and its parameters."""
    del codes, protocol, spin
    digests = {name: nodes[name] for name in ('bundle', 'environment', 'model', 'checkpoint') if name in nodes}
    tasks = {name: node.get_dict() for name, node in nodes.items() if name.startswith('parameters_')}
    return {
        'functional': f'potential {validated(Settings, settings).potential}',
        'versions': nodes['environment'].get_dict(),
        'model': node_digest(nodes['model']).hex() if 'model' in nodes else None,
        'recipe': digest_of(digests),
        'parameters': tasks,
    }


def check(structure: orm.StructureData, *, settings: Mapping[str, t.Any], nodes: Nodes) -> None:
    """Refuse elements that the potential does not know."""
    del nodes
    name = validated(Settings, settings).potential
    check_elements(structure, bundles.about('potential', name).get('elements', 'any'), f'the potential `{name}`')


def get_builder(
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
    """Return the builder of the job of the potential."""
    del protocol, spin, settings
    return batch_builder(code_of(codes, 'python', 'potential'), structure, task, options, nodes)


def extract(node: orm.ProcessNode, level: orm.Dict) -> dict[str, orm.Data]:
    """Return results and structure."""
    return dict(read_batch(node.outputs.batch, node.outputs.report, level))


def classify(node: orm.ProcessNode) -> Verdict:
    """Say what became of the job."""
    return batch_verdict(node)
