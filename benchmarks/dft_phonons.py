"""Phonons of silicon with pw.x: EnginePhononWorkChain against aiida-vibroscopy, at one mesh, cut-off and supercell.

    python benchmarks/dft_phonons.py [--repeats 2] [--mesh 2] [--edge 5.475]

Needs a profile with `aiida-crystalgen init-qe` done, and aiida-vibroscopy, whose displacements and force constants are
those of aiida-phonopy. Both get the primitive cell, pw.x, the soft pseudopotentials, fixed occupations, an amplitude of
0.01 A, 1e-12 Ry/atom and the same mesh of k points in the supercell. Printed are JSON lines: frequencies [THz] of both
at the q-points that the supercell holds, their largest difference, and wall seconds of pw.x.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from aiida import load_profile, orm
from aiida.engine import run_get_node

from aiida_crystalgen.science.phonons import commensurate_points, phonon_from_record
from aiida_crystalgen.tools.pseudos import LABEL
from aiida_crystalgen.workflows.engine_phonons import EnginePhononWorkChain

OPTIONS = {'max_wallclock_seconds': 3600, 'withmpi': False, 'resources': {'num_machines': 1}}
CUTOFF = 25.0  # Ry


def main(arguments: list[str]) -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=2, help='primitive cells along each axis, 1 or an even number')
    parser.add_argument('--mesh', type=int, default=2, help='k points along each axis of the supercell')
    parser.add_argument('--edge', type=float, default=5.475, help='edge of the conventional cell [A]')
    parser.add_argument('--code', default='pw@localhost')
    options = parser.parse_args(arguments)
    load_profile()
    half = options.edge / 2
    structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
    for place in (0.0, options.edge / 4):
        structure.append_atom(position=(place,) * 3, symbols='Si')
    ours, seconds_ours = by_engine(structure, options)
    theirs, seconds_theirs = by_vibroscopy(structure, options)
    points = commensurate_points(ours)
    found = [frequencies(phonon, points) for phonon in (ours, theirs)]
    for place, first, second in zip(points, *found, strict=True):
        print(json.dumps({'q': place.tolist(), 'engine': first.round(3).tolist(), 'other': second.round(3).tolist()}))
    names = ('aiida-vibroscopy', 'aiida-phonopy', 'aiida-quantumespresso', 'phonopy')
    print(
        json.dumps(
            {
                'largest_difference_THz': float(np.abs(found[0] - found[1]).max()),
                'optical_at_gamma_THz': [float(one[0].max()) for one in found],
                'wall_seconds_of_pw': [seconds_ours, seconds_theirs],
                **{name: version(name) for name in names},
            }
        )
    )


def by_engine(structure: orm.StructureData, options: Any) -> tuple[Any, float]:
    """Return the phonons of this package, and wall seconds of pw.x."""
    length = options.repeats * options.edge / 2**0.5 - 0.01
    builder = EnginePhononWorkChain.get_builder_from_protocol(
        structure,
        'qe',
        {'pw': options.code},
        relax=(),
        phonons={'min_length': length, 'max_supercell_atoms': 2 * options.repeats**3},
        settings={'pseudo_family': LABEL, 'elements': ['Si'], 'kpoints': [options.mesh] * 3, 'occupations': 'fixed'},
        options=OPTIONS,
        max_concurrent=1,
    )
    outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        sys.exit(str(node.exit_message))
    print(json.dumps(outputs['results'].get_dict()))
    with np.load(io.BytesIO(outputs['force_constants'].get_content(mode='rb'))) as record:
        return phonon_from_record(record), wall_seconds(node)


def by_vibroscopy(structure: orm.StructureData, options: Any) -> tuple[Any, float]:
    """Return the phonons of aiida-vibroscopy, and wall seconds of pw.x."""
    from aiida_quantumespresso.common.types import ElectronicType
    from aiida_vibroscopy.workflows.phonons.base import PhononWorkChain

    system = {'ecutwfc': CUTOFF, 'ecutrho': 4 * CUTOFF, 'input_dft': 'PBE'}
    overrides = {
        'supercell_matrix': [options.repeats] * 3,
        'primitive_matrix': np.eye(3).tolist(),
        'scf': {'pseudo_family': LABEL, 'pw': {'parameters': {'SYSTEM': system}}},
    }
    builder = PhononWorkChain.get_builder_from_protocol(
        orm.load_code(options.code), structure, overrides=overrides, options=OPTIONS,
        electronic_type=ElectronicType.INSULATOR,
    )  # fmt: skip
    builder.scf.pop('kpoints_distance')
    builder.scf.kpoints = orm.KpointsData()
    builder.scf.kpoints.set_kpoints_mesh([options.mesh] * 3)
    outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        sys.exit(str(node.exit_message))
    phonon = outputs['phonopy_data'].get_phonopy_instance()
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    return phonon, wall_seconds(node)


def frequencies(phonon: Any, points: Any) -> Any:
    """Return the frequencies (q, bands) [THz]."""
    phonon.run_qpoints(points)
    return np.array(phonon.qpoints.frequencies)


def wall_seconds(node: orm.ProcessNode) -> float:
    """Return the wall time that pw.x tells of itself."""
    jobs = [job for job in node.called_descendants if job.process_label == 'PwCalculation']
    return round(sum(job.outputs.output_parameters['wall_time_seconds'] for job in jobs), 1)


if __name__ == '__main__':
    main(sys.argv[1:])
