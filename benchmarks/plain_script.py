"""The quickstart beside the plain script that a scientist would write for the same science.

    python benchmarks/plain_script.py [--campaign workchains/quickstart/campaign.yaml]

First the campaign runs through AiiDA on all cores, in a profile of its own. Then the plain script does the same for the
same crystals on one core: PyXtal, CHGNet with ASE's FIRE and FrechetCellFilter one by one, pymatgen's matcher and
phase diagram. Printed are both wall times and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

SCRIPTS = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]


def run_campaign(path: Path) -> float:
    """Run the campaign from the command line and return its wall time [s]."""
    begun = time.perf_counter()
    subprocess.run([str(SCRIPTS / 'aiida-crystalgen'), 'run', str(path)], check=True, stdout=sys.stderr)
    return time.perf_counter() - begun


def generated() -> list[Any]:
    """Return the crystals that the campaign drew, as pymatgen structures."""
    from aiida import load_profile, orm

    from aiida_crystalgen.data.convert import to_pymatgen

    load_profile()
    chains = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={'process_type': 'aiida.workflows:crystalgen.generate'}
    )
    return [structure for chain in chains.all(flat=True) for structure in to_pymatgen(chain.outputs.batch.crystals)]


def draw(n: int) -> None:
    """Draw as many random crystals as the campaign, with the same search: what the script would spend on PyXtal."""
    import importlib
    import types

    adapter = importlib.import_module('aiida_crystalgen.remote.adapters.random')
    parameters = {'chemical_system': 'Ni-O', 'max_atoms': 8, 'rattle': 0.1}
    rows = ({'id': str(seed), 'index': seed, 'seed': seed} for seed in range(n))
    list(adapter.run(rows, types.SimpleNamespace(parameters=parameters)))


def relax(structures: list[Any], fmax: float, steps: int) -> list[tuple[Any, float]]:
    """Relax one by one as the documentation of CHGNet and ASE shows it; return structures and energies [eV/atom]."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE
    from chgnet.model.dynamics import CHGNetCalculator
    from pymatgen.io.ase import AseAtomsAdaptor

    calculator = CHGNetCalculator(use_device='cpu')
    relaxed = []
    for structure in structures:
        atoms = AseAtomsAdaptor.get_atoms(structure)
        atoms.calc = calculator
        try:
            FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=fmax, steps=steps)
            energy = float(atoms.get_potential_energy()) / len(atoms)
        except Exception as error:  # a plain script would stop here; this one goes on, to be compared
            print(f'{structure.formula}: {error}', file=sys.stderr)
            continue
        relaxed.append((AseAtomsAdaptor.get_structure(atoms), energy))
    return relaxed


def rank(candidates: list[tuple[Any, float]], references: list[tuple[Any, float]]) -> list[tuple[float, str]]:
    """Return the unique crystals with their energies above the hull [eV/atom], best first."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.analysis.structure_matcher import StructureMatcher

    energies = {id(structure): energy for structure, energy in candidates}
    hull = PhaseDiagram([PDEntry(s.composition, e * len(s)) for s, e in references])
    ranked = []
    for group in StructureMatcher().group_structures([structure for structure, _ in candidates]):
        best = min(group, key=lambda structure: energies[id(structure)])
        entry = PDEntry(best.composition, energies[id(best)] * len(best))
        ranked.append((hull.get_e_above_hull(entry, allow_negative=True), best.composition.reduced_formula))
    return sorted(ranked)


def main() -> None:
    """Time both and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--campaign', type=Path, default=ROOT / 'workchains' / 'quickstart' / 'campaign.yaml')
    options = parser.parse_args()
    warnings.simplefilter('ignore')
    # Before numpy and torch are imported: both sides compute with one thread a process.
    os.environ.update(dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1'))
    from pymatgen.core import Structure

    from aiida_crystalgen.schema import load_campaign

    numbers = load_campaign(options.campaign).normalised()['potential']['parameters']
    with tempfile.TemporaryDirectory() as folder:
        os.environ['AIIDA_PATH'] = folder
        subprocess.run([str(SCRIPTS / 'aiida-crystalgen'), 'init'], check=True, stdout=sys.stderr)
        campaign = run_campaign(options.campaign)
        structures = generated()
    begun = time.perf_counter()
    draw(len(structures))
    references = [Structure.from_file(path) for path in sorted((options.campaign.parent / 'references').glob('*.cif'))]
    limits = {'fmax': numbers['fmax'], 'steps': numbers['max_steps']}
    ranked = rank(relax(structures, **limits), relax(references, **limits))
    plain = time.perf_counter() - begun
    figures = {'crystals': len(structures), 'cores': os.cpu_count(), 'campaign_s': campaign, 'plain_script_s': plain}
    print(json.dumps({**figures, 'ratio': campaign / plain, 'best_of_plain_script': ranked[:5]}, indent=1))


if __name__ == '__main__':
    main()
