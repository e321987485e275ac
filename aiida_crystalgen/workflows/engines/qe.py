"""Quantum ESPRESSO as an engine, through the WorkChains of aiida-quantumespresso and their restart handlers."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from pathlib import Path

from aiida import orm
from pydantic import Field, model_validator

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
from aiida_crystalgen.workflows.engines.planning import numbers
from aiida_crystalgen.workflows.engines.pseudos import check_functional, cutoffs_of, family_digest, find_family
from aiida_crystalgen.workflows.engines.pw_ends import jobs_of, pw_verdict

if t.TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

ABOUT = {
    'name': 'qe',
    'kind': 'engine',
    'version': 1,
    'summary': 'Quantum ESPRESSO (pw.x) through aiida-quantumespresso: plane waves, PBE unless told otherwise.',
    'requires': ['aiida-quantumespresso', 'aiida-pseudo'],
    'install': "pip install 'aiida-crystalgen[qe]'",
    'codes': {'pw': 'pw.x, of the plugin quantumespresso.pw'},
    'plugin': 'quantumespresso.pw',
    'programs': ['pw.x'],
    'tasks': ['static', 'relax', 'vc-relax', 'forces'],
    'elements': 'those of the family of pseudopotentials',
    'licence': 'GPL-2.0-or-later',
    'citation': ['P. Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017), doi:10.1088/1361-648X/aa8f79'],
}
_CONTROLS: t.Final = {'static': 'scf', 'forces': 'scf'}
_RELAX_TYPES: t.Final = {'relax': 'POSITIONS', 'vc-relax': 'POSITIONS_CELL'}


class Settings(EngineSettings):
    """Settings of the engine `qe`; what is left out comes from the protocol."""

    pseudo_family: str = Field(min_length=1, description='label of the family of pseudopotentials')
    functional: t.Literal['PBE', 'PBEsol'] = Field(default='PBE', description='has to be that of the family')
    elements: list[str] | None = Field(default=None, description='elements of the hull, for which cut-offs are chosen')
    cutoff_wfc_Ry: float | None = Field(default=None, gt=0, description='cut-off of the wave functions [Ry]')
    cutoff_rho_Ry: float | None = Field(default=None, gt=0, description='cut-off of the density [Ry]')
    k_distance: float | None = Field(default=None, gt=0, description='distance of k points of the energy [1/A]')
    k_distance_relax: float | None = Field(default=None, gt=0, description='distance of k points of a relaxation [1/A]')
    kpoints: tuple[int, int, int] | None = Field(default=None, description='a mesh instead, the same for every crystal')
    occupations: t.Literal['smearing', 'fixed'] = Field(default='smearing', description='fixed: for insulators alone')
    smearing: t.Literal['cold', 'gaussian', 'fermi-dirac', 'methfessel-paxton'] | None = None
    width_Ry: float | None = Field(default=None, gt=0, description='width of the smearing [Ry]')
    conv_thr_per_atom: float | None = Field(default=None, gt=0, description='convergence of the electrons [Ry/atom]')
    conv_thr_per_atom_forces: float | None = Field(default=None, gt=0, description='the same of the task `forces`')
    electron_maxstep: int = Field(default=80, ge=1, description='most steps of the electrons')
    mixing_beta: float = Field(default=0.4, gt=0, le=1, description='share of the new density in the mixing')
    moments: dict[str, float] = Field(default_factory=dict, description='starting moments by element [Bohr magneton]')

    @model_validator(mode='after')
    def _has_both_cutoffs(self) -> t.Self:
        if (self.cutoff_wfc_Ry is None) != (self.cutoff_rho_Ry is None):
            raise ValueError('give both `cutoff_wfc_Ry` and `cutoff_rho_Ry`, or none of them')
        return self

    def numbers(self, protocol: str) -> dict[str, t.Any]:
        """Return the numbers of a protocol with those of the settings in their place."""
        known = numbers('qe', protocol)
        return {**known, **{key: value for key in known if (value := getattr(self, key, None)) is not None}}


def answer(code: t.Any) -> str:
    """Return the version of pw.x."""
    return f'pw.x {versions(code)}'


def prepare(
    *, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, tasks: list[str], folder: Path
) -> dict[str, orm.Data]:
    """Return version, family and cut-offs as one node.

    :raises EngineError: when pw.x does not answer, or the family is not there, has no cut-offs or another functional.
    """
    del protocol, spin, tasks, folder
    wanted, code = validated(Settings, settings), code_of(codes, 'pw', 'qe')
    if code.default_calc_job_plugin not in (None, 'quantumespresso.pw'):
        raise CodeUnavailableError(f'Code `{code.full_label}` is of the plugin `{code.default_calc_job_plugin}`')
    family = find_family(wanted.pseudo_family)
    check_functional(family, wanted.elements or [], wanted.functional)
    own = (wanted.cutoff_wfc_Ry, wanted.cutoff_rho_Ry)
    wfc, rho = cutoffs_of(family, wanted.elements) if None in own else own
    content = {
        'pw': versions(code),
        'family': family.label,
        'family_digest': family_digest(family),
        'elements': sorted(family.elements),
        'cutoff_wfc_Ry': wfc,
        'cutoff_rho_Ry': rho,
    }
    return {'environment': orm.Dict(content)}


def versions(code: orm.AbstractCode) -> str:
    """Return the version of pw.x, asked on its computer.

    :raises CodeUnavailableError: when it does not say one.
    """
    from aiida_crystalgen.workflows.environment import ToolError, run_there

    try:
        _, output, errors = run_there(code, '-in nothing.in', {})
    except ToolError as error:
        raise CodeUnavailableError(str(error)) from error
    found = re.search(r'Program PWSCF v\.(\S+)', output)
    if found is None:
        last = (errors.strip() or output.strip() or 'no answer').splitlines()[-1]
        raise CodeUnavailableError(f'Code `{code.full_label}` is no pw.x that runs ({last[:200]}); correct its path')
    return found.group(1)


def level_of_theory(*, codes: Codes, settings: Mapping[str, t.Any], protocol: str, spin: str, nodes: Nodes) -> Level:
    """Return functional, pseudopotentials, cut-offs, k points, smearing, spin and version."""
    del codes
    wanted, environment = validated(Settings, settings), nodes['environment'].get_dict()
    mesh = {'kpoints': list(wanted.kpoints)} if wanted.kpoints is not None else {}
    return {
        'functional': wanted.functional,
        'code': 'pw.x',
        'code_version': environment['pw'],
        'pseudopotentials': environment['family_digest'],
        'cutoff_wfc_Ry': environment['cutoff_wfc_Ry'],
        'cutoff_rho_Ry': environment['cutoff_rho_Ry'],
        'occupations': wanted.occupations,
        'spin': spin,
        'moments': dict(wanted.moments),
        **wanted.numbers(protocol),
        **mesh,
    }


def check(structure: orm.StructureData, *, settings: Mapping[str, t.Any], nodes: Nodes) -> None:
    """Refuse elements without a pseudopotential, another functional, and a family that changed since the plan."""
    wanted, environment = validated(Settings, settings), nodes['environment'].get_dict()
    family = find_family(environment['family'])
    symbols = structure.get_symbols_set()
    if missing := sorted(symbols - set(family.elements)):
        raise UnsupportedCrystalError(f'the family `{family.label}` has no pseudopotential of {", ".join(missing)}')
    if not all(structure.pbc):
        raise UnsupportedCrystalError('only crystals that are periodic in three directions are computed')
    if family_digest(family) != environment['family_digest']:
        raise InvalidSettingsError(f'the family `{family.label}` has changed since this was planned; plan it anew')
    check_functional(family, sorted(symbols), wanted.functional)


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
    """Return the builder of a PwBaseWorkChain, or of a PwRelaxWorkChain without its first rough relaxation.

    What comes here was relaxed by a potential: the rough relaxation would double the cost.
    """
    from aiida_quantumespresso.common.types import ElectronicType, RelaxType, SpinType
    from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain
    from aiida_quantumespresso.workflows.pw.relax import PwRelaxWorkChain

    wanted = validated(Settings, settings)
    moments = starting_moments(structure, spin, wanted.moments)
    overrides = _overrides(wanted, wanted.numbers(protocol), nodes['environment'].get_dict(), task)
    fixed = wanted.occupations == 'fixed'
    choices = {
        'electronic_type': ElectronicType.INSULATOR if fixed else ElectronicType.METAL,
        'spin_type': SpinType.NONE if moments is None else SpinType.COLLINEAR,
        'initial_magnetic_moments': moments,
        'options': dict(options),
    }
    arguments = (code_of(codes, 'pw', 'qe'), structure, protocol)
    try:
        if task in _CONTROLS:
            builder = PwBaseWorkChain.get_builder_from_protocol(*arguments, overrides=overrides, **choices)
            base = builder
        else:
            relaxation = RelaxType[_RELAX_TYPES[task]]
            both = {'base_relax': overrides, 'base_init_relax': overrides}
            builder = PwRelaxWorkChain.get_builder_from_protocol(
                *arguments, overrides=both, relax_type=relaxation, **choices
            )
            builder.pop('base_init_relax')
            base = builder.base_relax
    except (NotImplementedError, ValueError) as error:
        raise InvalidSettingsError(str(error)) from error
    if wanted.kpoints is not None:
        base.pop('kpoints_distance')
        base.kpoints = orm.KpointsData()
        base.kpoints.set_kpoints_mesh(list(wanted.kpoints))
    return builder


def _overrides(wanted: Settings, known: dict[str, t.Any], environment: dict[str, t.Any], task: str) -> dict[str, t.Any]:
    """Return all that energies depend on, so that no default of the plugin decides."""
    system = {
        'ecutwfc': environment['cutoff_wfc_Ry'],
        'ecutrho': environment['cutoff_rho_Ry'],
        'input_dft': wanted.functional,
    }
    if wanted.occupations == 'smearing':
        system |= {'occupations': 'smearing', 'smearing': known['smearing'], 'degauss': known['width_Ry']}
    parameters = {
        'CONTROL': {'calculation': 'scf', 'forc_conv_thr': known['forc_conv_thr'], 'tprnfor': True, 'tstress': True},
        'SYSTEM': system,
        'ELECTRONS': {'electron_maxstep': wanted.electron_maxstep, 'mixing_beta': wanted.mixing_beta},
    }
    if task == 'vc-relax':
        parameters['CELL'] = {'press_conv_thr': known['press_conv_thr']}
    threshold = known['conv_thr_per_atom_forces' if task == 'forces' else 'conv_thr_per_atom']
    energy = known['etot_conv_thr_per_atom']
    return {
        'pseudo_family': environment['family'],
        'kpoints_distance': known['k_distance' if task in _CONTROLS else 'k_distance_relax'],
        'meta_parameters': {'conv_thr_per_atom': threshold, 'etot_conv_thr_per_atom': energy},
        'pw': {'parameters': parameters},
    }


def starting_moments(structure: orm.StructureData, spin: str, own: Mapping[str, float]) -> dict[str, float] | None:
    """Return the starting moment [Bohr magneton] of every kind, None without spin.

    `auto` is collinear where an element has a moment in the table of aiida-quantumespresso (d and f shells), and then
    starts ferromagnetic from it; `collinear` gives all other elements its default as well.
    """
    from aiida_quantumespresso.workflows.protocols.utils import get_magnetization_parameters

    table = get_magnetization_parameters()
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    known = {symbol: own.get(symbol, table.get(symbol, {}).get('magmom', 0.0)) for symbol in symbols.values()}
    if spin == 'none' or (spin == 'auto' and not any(known.values())):
        return None
    default = float(table['default_magnetization']) if spin == 'collinear' else 0.0
    return {name: float(known[symbol] or default) for name, symbol in symbols.items()}


def extract(node: orm.ProcessNode, level: orm.Dict) -> dict[str, orm.Data]:
    """Return results of the last job, with the costs of all."""
    from aiida_crystalgen.calculations.verify_pw import read_pw

    jobs = jobs_of(node)
    last = jobs[-1]
    optional = {'trajectory': 'output_trajectory', 'band': 'output_band', 'relaxed': 'output_structure'}
    found = {name: last.outputs[label] for name, label in optional.items() if label in last.outputs}
    costs = {
        f'job_{i:02d}': job.outputs.output_parameters
        for i, job in enumerate(jobs)
        if 'output_parameters' in job.outputs
    }
    inputs = {name: last.inputs[name] for name in ('structure', 'parameters', 'kpoints')}
    return dict(read_pw(level=level, **inputs, **found, **costs))


def classify(node: orm.ProcessNode) -> Verdict:
    """Say what became of a WorkChain by the exit code of its last job."""
    return pw_verdict(node)
