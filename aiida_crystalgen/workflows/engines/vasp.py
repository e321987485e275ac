"""VASP as an engine, through aiida-vasp and the input sets of the Materials Project.

Its builders are tested; no run was, since VASP needs a licence. With `MPRelaxSet` and `MPStaticSet` and the POTCARs of
the Materials Project it is the one engine whose energies may meet the hull of the Materials Project.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from aiida import orm
from pydantic import Field

from aiida_crystalgen.calculations.verify_vasp import read_vasp
from aiida_crystalgen.workflows.engines.base import (
    Codes,
    CodeUnavailableError,
    EngineSettings,
    InvalidSettingsError,
    Level,
    Nodes,
    UnsupportedCrystalError,
    Verdict,
    code_of,
    validated,
)
from aiida_crystalgen.workflows.engines.pseudos import digest_of_texts
from aiida_crystalgen.workflows.engines.pw_ends import jobs_of

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

ABOUT = {
    'name': 'vasp',
    'kind': 'engine',
    'version': 1,
    'summary': 'VASP through aiida-vasp with the sets of the Materials Project; builders tested, no run.',
    'requires': ['aiida-vasp'],
    'install': "pip install 'aiida-crystalgen[vasp]'",
    'codes': {'vasp': 'vasp_std, of the plugin vasp.vasp'},
    'plugin': 'vasp.vasp',
    'programs': ['vasp_std'],
    'tasks': ['static', 'relax', 'vc-relax', 'forces'],
    'elements': 'those of the uploaded POTCARs',
    'licence': 'proprietary',
    'citation': ['G. Kresse and J. Furthmüller, Phys. Rev. B 54, 11169 (1996), doi:10.1103/PhysRevB.54.11169'],
}
_ISIF: t.Final = {'relax': 2, 'vc-relax': 3}
# Exit codes of VaspWorkChain and VaspCalculation by what they mean here.
_MACHINE: t.Final = {100, 120, 131, 140, 333, 350, 351, 352, 700}
_LABELS: t.Final = {
    110: 'ERROR_OUT_OF_MEMORY', 120: 'ERROR_OUT_OF_WALLTIME', 701: 'ERROR_SCF_NOT_CONVERGED',
    704: 'ERROR_OUTPUT_MISSING', 1002: 'ERROR_OUTPUT_MISSING', 1004: 'ERROR_OUTPUT_MISSING',
}  # fmt: skip


class Settings(EngineSettings):
    """Settings of the engine `vasp`."""

    potential_family: str = Field(min_length=1, description='label of the uploaded family of POTCARs')
    relax_set: t.Literal['MPRelaxSet', 'MPScanRelaxSet', 'MP24RelaxSet'] = 'MPRelaxSet'
    static_set: t.Literal['MPStaticSet', 'MPScanStaticSet', 'MP24StaticSet', 'MatPESStaticSet'] = 'MPStaticSet'
    incar: dict[str, t.Any] = Field(default_factory=dict, description='keys of INCAR in lower case; null takes one out')


def answer(code: t.Any) -> str:
    """Return that VASP cannot be asked: it tells its version in a run alone."""
    return f'{code.full_label} cannot be asked; VASP tells its version in a run alone'


def prepare(
    *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, tasks: list[str], folder: Path
) -> dict[str, orm.Data]:
    """Return the digest of the POTCARs of the family.

    :raises EngineError: when the Code is of another plugin, or the family was not uploaded.
    """
    del protocol, spin, tasks, folder
    wanted, code = validated(Settings, settings), code_of(codes, 'vasp', 'vasp')
    if code.default_calc_job_plugin not in (None, 'vasp.vasp'):
        raise CodeUnavailableError(f'Code `{code.full_label}` is of the plugin `{code.default_calc_job_plugin}`')
    return {'environment': orm.Dict({'potcars': digest_of_texts(_potcars(wanted.potential_family))})}


def _potcars(label: str) -> dict[str, str]:
    """Return the sha512 of the POTCARs of a family by name."""
    from aiida_vasp.data.potcar import PotcarData

    group = PotcarData.get_potcar_group(label)
    if group is None:
        raise InvalidSettingsError(f'there is no family of POTCARs `{label}`; `aiida-vasp potcar uploadfamily`')
    return {node.full_name: node.sha512 for node in group.nodes}


def level_of_theory(*, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, nodes: Nodes) -> Level:
    """Return sets, POTCARs, changes to INCAR and the version of pymatgen, which holds the sets."""
    del codes, protocol
    wanted = validated(Settings, settings)
    return {
        'code': 'vasp',
        'sets': [wanted.relax_set, wanted.static_set],
        'pymatgen': version('pymatgen'),
        'pseudopotentials': nodes['environment']['potcars'],
        'incar': dict(wanted.incar),
        'spin': spin,
    }


def _sets(wanted: Settings, task: str, spin: str) -> tuple[t.Any, dict[str, t.Any]]:
    from aiida_vasp.protocols.pmg import PymatgenInputAdaptor

    changes: dict[str, t.Any] = {'isif': _ISIF[task]} if task in _ISIF else {}
    if spin == 'none':
        changes |= {'ispin': 1, 'magmom': None}
    name = wanted.relax_set if task in _ISIF else wanted.static_set
    return PymatgenInputAdaptor(name, incar_overrides={**changes, **wanted.incar}), changes


def _mapping(adaptor: t.Any, structure: orm.StructureData) -> dict[str, str]:
    """Return the POTCAR of every element; unlike that of the adaptor it needs no POTCARs in pymatgen's folder."""
    chosen = adaptor._pmg_class(structure.get_pymatgen())
    return dict(zip(chosen.poscar.site_symbols, chosen.potcar_symbols, strict=True))


def check(structure: orm.StructureData, *, settings: Mapping[str, t.Any], nodes: Nodes) -> None:
    """Refuse elements without a POTCAR, and a family that changed since the plan."""
    wanted = validated(Settings, settings)
    known = _potcars(wanted.potential_family)
    if digest_of_texts(known) != nodes['environment']['potcars']:
        raise InvalidSettingsError(f'the family `{wanted.potential_family}` has changed; plan this anew')
    mapping = _mapping(_sets(wanted, 'static', 'auto')[0], structure)
    if missing := sorted(set(mapping.values()) - set(known)):
        raise UnsupportedCrystalError(f'the family `{wanted.potential_family}` has no POTCAR {", ".join(missing)}')


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
    """Return the builder of a VaspWorkChain with the inputs of a set."""
    from aiida_vasp.workchains.v2.vasp import VaspWorkChain

    del protocol, nodes
    wanted = validated(Settings, settings)
    adaptor, _ = _sets(wanted, task, spin)
    builder = VaspWorkChain.get_builder()
    builder.code = code_of(codes, 'vasp', 'vasp')
    builder.structure = structure
    builder.parameters = orm.Dict({'incar': adaptor.get_incar_dict(structure)})
    kpoints = adaptor.get_kpoints(structure)
    if kpoints is None:
        builder.kpoints_spacing = orm.Float(adaptor.get_kpoints_spacing(structure))
    else:
        builder.kpoints = kpoints
    builder.potential_family = orm.Str(wanted.potential_family)
    builder.potential_mapping = orm.Dict(_mapping(adaptor, structure))
    builder.clean_workdir = orm.Bool(False)
    builder.calc.metadata.options = dict(options)
    return builder


def extract(node: orm.ProcessNode, level: orm.Dict) -> dict[str, orm.Data]:
    """Return results and structure."""
    found = {name: node.outputs[name] for name in ('structure', 'arrays') if name in node.outputs}
    inputs = {'level': level, 'sent': node.inputs.structure, 'misc': node.outputs.misc}
    return dict(read_vasp(**inputs, **found))


def classify(node: orm.ProcessNode) -> Verdict:
    """Say what became of a WorkChain by the exit code of its last job."""
    if node.is_finished_ok:
        return Verdict('done')
    last = (jobs_of(node) or [node])[-1]
    reason = f'{node.exit_message or ""} ({last.process_label}<{last.pk}>: {last.exit_status}, {last.exit_message})'
    if last.exit_status == 702 and {'structure', 'misc'} <= set(node.outputs):
        return Verdict('unconverged', 'ERROR_GEOMETRY_NOT_CONVERGED', reason)
    if last.exit_status is None or last.exit_status in _MACHINE:
        return Verdict('again', _LABELS.get(last.exit_status, 'ERROR_MACHINE_FAILED'), reason)
    return Verdict('failed', _LABELS.get(last.exit_status, 'ERROR_ENGINE_FAILED'), reason)
