"""The formation energy of Mg2Si in PBE, converged in cut-off and k points, by plain runs of pw.x without AiiDA.

    python benchmarks/mg2si.py [--relax 25:0.20] [--static 25:0.20 45:0.15]
        [--potentials /usr/share/cp2k/GTH_POTENTIALS]

The pseudopotentials are those of `aiida-crystalgen init-qe`. Mg, Si and Mg2Si are relaxed from their cells in
experiments at one setting, a cut-off [Ry] and a distance of k points [1/A], and their energies computed at others.
Printed are JSON lines: lengths of the relaxed vectors [A], energies [eV/atom], formation energy of Mg2Si [eV/atom] and
CPU seconds of pw.x. What the campaign `quickstart-dft` finds is compared with the last line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from aiida_crystalgen.science.gth import read_gth, to_upf

RYDBERG = 13.605693122994
WIDTH = 0.015  # Ry, cold smearing, as in the protocol of the engine
MASSES = {'Mg': 24.305, 'Si': 28.0855}
_FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
_HEXAGONAL = np.array([[1, 0, 0], [-0.5, math.sqrt(0.75), 0], [0, 0, 1]])
# Lattice vectors [A], symbols and fractional positions.
CRYSTALS: dict[str, tuple[Any, list[str], list[list[float]]]] = {
    'Mg': (_HEXAGONAL * [[3.2094], [3.2094], [5.2105]], ['Mg', 'Mg'], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    'Si': (_FCC * 5.431, ['Si', 'Si'], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    'Mg2Si': (_FCC * 6.338, ['Si', 'Mg', 'Mg'], [[0, 0, 0], [0.25] * 3, [0.75] * 3]),
}


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--relax', default='25:0.20', help='cut-off:k distance of the relaxation')
    parser.add_argument('--static', nargs='+', default=['25:0.20', '45:0.15'], help='those of the energies')
    parser.add_argument('--potentials', type=Path, default=Path('/usr/share/cp2k/GTH_POTENTIALS'))
    options = parser.parse_args(arguments)
    potentials = read_gth(options.potentials.read_text(encoding='utf-8'))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for symbol in MASSES:
            (folder / f'{symbol}.upf').write_text(to_upf(potentials[symbol][0]), encoding='utf-8')
        cells = {name: relaxed(name, options.relax, folder) for name in CRYSTALS}
        for setting in options.static:
            found = {name: computed(name, *cells[name], setting, folder) for name in CRYSTALS}
            energies = {name: one['energy'] for name, one in found.items()}
            formation = energies['Mg2Si'] - (2 * energies['Mg'] + energies['Si']) / 3
            print(json.dumps({'setting': setting, 'formation_energy': round(formation, 5), **found}), flush=True)


def relaxed(name: str, setting: str, folder: Path) -> tuple[Any, Any]:
    """Return cell [A] and fractional positions after a relaxation, and print the lengths of the vectors."""
    cell, symbols, fractions = CRYSTALS[name]
    output = run_pw('vc-relax', cell, symbols, fractions, setting, folder)
    cell, fractions = geometry_of(output, len(symbols))
    lengths = [round(float(one), 4) for one in np.linalg.norm(cell, axis=1)]
    print(json.dumps({'relaxed': name, 'lengths': lengths, 'cpu_seconds': cpu_seconds(output)}), flush=True)
    return cell, fractions


def computed(name: str, cell: Any, fractions: Any, setting: str, folder: Path) -> dict[str, Any]:
    """Return the energy [eV/atom], and CPU seconds."""
    symbols = CRYSTALS[name][1]
    output = run_pw('scf', cell, symbols, fractions, setting, folder)
    energy = float(re.findall(r'^!\s+total energy\s+=\s+(\S+) Ry', output, re.MULTILINE)[-1]) * RYDBERG
    return {'energy': energy / len(symbols), 'cpu_seconds': cpu_seconds(output)}


def run_pw(task: str, cell: Any, symbols: list[str], fractions: Any, setting: str, folder: Path) -> str:
    """Return the output of pw.x."""
    cutoff, distance = (float(part) for part in setting.split(':'))
    reciprocal = 2 * math.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    mesh = [max(1, math.ceil(one / distance - 1e-9)) for one in reciprocal]
    blocks = {
        'ATOMIC_SPECIES': [f'{symbol} {MASSES[symbol]} {symbol}.upf' for symbol in dict.fromkeys(symbols)],
        'CELL_PARAMETERS angstrom': [' '.join(f'{part:.10f}' for part in vector) for vector in cell],
        'ATOMIC_POSITIONS crystal': [
            f'{symbol} ' + ' '.join(f'{part:.10f}' for part in place)
            for symbol, place in zip(symbols, fractions, strict=True)
        ],
        'K_POINTS automatic': [' '.join(map(str, mesh)) + ' 0 0 0'],
    }
    cards = '\n'.join('\n'.join([heading, *lines]) for heading, lines in blocks.items())
    text = f"""&CONTROL
 calculation = '{task}', pseudo_dir = './', outdir = './out', forc_conv_thr = 1e-4, etot_conv_thr = 1e-5
/
&SYSTEM
 ibrav = 0, nat = {len(symbols)}, ntyp = {len(set(symbols))}, ecutwfc = {cutoff}, ecutrho = {4 * cutoff}
 input_dft = 'PBE', occupations = 'smearing', smearing = 'cold', degauss = {WIDTH}
/
&ELECTRONS
 conv_thr = 1e-9
/
&IONS
/
&CELL
 press_conv_thr = 0.5
/
{cards}
"""
    done = subprocess.run(
        ['pw.x'], input=text, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip
    if 'JOB DONE' not in done.stdout:
        sys.exit(f'pw.x ended early:\n{done.stdout[-2000:]}{done.stderr}')
    return done.stdout


def geometry_of(output: str, n_atoms: int) -> tuple[Any, list[list[float]]]:
    """Return the last cell [A] and fractional positions of a relaxation."""
    lines = output.splitlines()
    place = max(i for i, line in enumerate(lines) if line.startswith('CELL_PARAMETERS'))
    cell = np.array([[float(part) for part in line.split()] for line in lines[place + 1 : place + 4]])
    place = max(i for i, line in enumerate(lines) if line.startswith('ATOMIC_POSITIONS'))
    return cell, [[float(part) for part in line.split()[1:4]] for line in lines[place + 1 : place + 1 + n_atoms]]


def cpu_seconds(output: str) -> float:
    """Return the CPU time that pw.x tells of itself."""
    (told,) = re.findall(r'PWSCF\s*:\s*(.*?)CPU', output)
    parts = {unit: float(number) for number, unit in re.findall(r'([\d.]+)([dhms])', told)}
    return parts.get('h', 0) * 3600 + parts.get('m', 0) * 60 + parts.get('s', 0)


if __name__ == '__main__':
    main(sys.argv[1:])
