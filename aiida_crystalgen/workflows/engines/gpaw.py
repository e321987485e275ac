"""GPAW as an engine: plane waves and PAW, on the Python of a Code, by our own batch job."""

from __future__ import annotations

import io
import typing as t
from collections.abc import Mapping
from pathlib import Path

from aiida import orm
from pydantic import Field

from aiida_crystalgen import bundles
from aiida_crystalgen.calculations.fingerprints import digest_of
from aiida_crystalgen.calculations.verify import read_batch
from aiida_crystalgen.workflows.engines.base import (
    STARTING_MOMENTS,
    Codes,
    CodeUnavailableError,
    EngineSettings,
    Level,
    Nodes,
    Verdict,
    code_of,
    validated,
)
from aiida_crystalgen.workflows.engines.batches import batch_builder, batch_verdict, check_elements, nodes_of_tasks
from aiida_crystalgen.workflows.engines.planning import numbers

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

ABOUT = {
    'name': 'gpaw',
    'kind': 'engine',
    'version': 1,
    'summary': 'GPAW in plane waves with its PAW datasets: PBE, most elements, nothing but its Python needed.',
    'requires': [],
    'install': "apt install gpaw gpaw-data, or pip install 'aiida-crystalgen[gpaw]', where the Code is",
    'codes': {'python': 'the Python that has gpaw'},
    'programs': ['gpaw'],
    'tasks': ['static', 'relax', 'vc-relax', 'forces'],
    'elements': 'those with a PAW dataset of PBE where the Code is',
    'licence': 'GPL-3.0-or-later',
    'citation': ['J. J. Mortensen et al., J. Chem. Phys. 160, 092503 (2024), doi:10.1063/5.0182685'],
}
_RELAXATIONS: t.Final = ('relax', 'vc-relax')


class Settings(EngineSettings):
    """Settings of the engine `gpaw`; what is left out comes from the protocol."""

    cutoff_eV: float | None = Field(default=None, gt=0, description='cut-off of the plane waves [eV]')
    k_distance: float | None = Field(default=None, gt=0, description='distance of k points of the energy [1/A]')
    k_distance_relax: float | None = Field(default=None, gt=0, description='distance of k points of a relaxation [1/A]')
    kpoints: tuple[int, int, int] | None = Field(default=None, description='a mesh instead, the same for every crystal')
    width_eV: float | None = Field(default=None, gt=0, description='width of the Fermi-Dirac smearing [eV]')
    energy_eV: float | None = Field(default=None, gt=0, description='convergence of the energy [eV/electron]')
    fmax: float | None = Field(default=None, gt=0, description='largest force after a relaxation [eV/A]')
    max_steps: int | None = Field(default=None, ge=1, description='most steps of a relaxation')
    max_scf: int = Field(default=200, ge=1, description='most steps of the electrons')
    moments: dict[str, float] = Field(default_factory=dict, description='starting moments by element [Bohr magneton]')


def _bundle() -> bytes:
    return bundles.remote_bundle('gpaw_crystal')


def _parameters(wanted: Settings, protocol: str, spin: str) -> dict[str, t.Any]:
    known = numbers('gpaw', protocol)
    chosen = {key: value for key in known if (value := getattr(wanted, key)) is not None}
    mesh = None if wanted.kpoints is None else list(wanted.kpoints)
    own = {'functional': 'PBE', 'kpoints': mesh, 'max_scf': wanted.max_scf, 'spin': spin}
    return {**known, **chosen, **own, 'moments': {**STARTING_MOMENTS, **wanted.moments}}


def answer(code: t.Any) -> str:
    """Return the versions of gpaw and what it needs."""
    told = _versions(code, _bundle())
    short = {name: text for name, text in told.items() if name not in ('elements', 'datasets')}
    listed = ', '.join(f'{name} {text}' for name, text in sorted(short.items()))
    return f'{listed}; PAW datasets of {len(told["elements"].split())} elements'


def _versions(code: t.Any, content: bytes) -> dict[str, str]:
    from aiida_crystalgen.workflows.environment import ToolError, tool_versions

    try:
        return tool_versions(code, content)
    except ToolError as error:
        raise CodeUnavailableError(str(error)) from error


def prepare(
    *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, tasks: list[str], folder: Path
) -> dict[str, orm.Data]:
    """Return bundle, versions and the parameters of every task."""
    del folder
    wanted, code, content = validated(Settings, settings), code_of(codes, 'python', 'gpaw'), _bundle()
    environment = _versions(code, content)
    parameters = _parameters(wanted, protocol, spin)
    spacings = {'relax': parameters.pop('k_distance_relax'), 'energy': parameters.pop('k_distance')}
    found: dict[str, orm.Data] = {}
    for task in tasks:
        spacing = spacings['relax' if task in _RELAXATIONS else 'energy']
        found |= nodes_of_tasks({**parameters, 'k_spacing': spacing}, [task])
    bundle = orm.SinglefileData(io.BytesIO(content), filename='bundle.zip', label='gpaw')
    return {'bundle': bundle, 'environment': orm.Dict(environment), **found}


def level_of_theory(*, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, nodes: Nodes) -> Level:
    """Return functional, datasets, cut-off, k points, smearing, spin and versions."""
    del codes
    environment = nodes['environment'].get_dict()
    return {
        **_parameters(validated(Settings, settings), protocol, spin),
        'code': 'gpaw',
        'versions': {key: value for key, value in environment.items() if key not in ('elements', 'datasets')},
        'datasets': environment['datasets'],
        'smearing': 'fermi-dirac',
        'recipe': digest_of({'bundle': nodes['bundle']}),
    }


def check(structure: orm.StructureData, *, settings: Mapping[str, t.Any], nodes: Nodes) -> None:
    """Refuse elements without a PAW dataset."""
    validated(Settings, settings)
    known = nodes['environment']['elements'].split()
    check_elements(structure, known, 'GPAW on this Code has no PAW dataset for all elements: it')


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
    """Return the builder of the job."""
    del protocol, spin, settings
    return batch_builder(code_of(codes, 'python', 'gpaw'), structure, task, options, nodes)


def extract(node: orm.ProcessNode, level: orm.Dict) -> dict[str, orm.Data]:
    """Return results, structure, forces and stress."""
    return dict(read_batch(node.outputs.batch, node.outputs.report, level))


def classify(node: orm.ProcessNode) -> Verdict:
    """Say what became of the job."""
    return batch_verdict(node)
