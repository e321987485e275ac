"""Make the quantiles against which an evidence card sets a crystal.

    python -m benchmarks.populations ../shared/data aiida_crystalgen/tools/populations.json [--count 2000] [--seed 7]

Crystals are drawn from the 27,248 of `mp_reference.csv.gz` (Materials Project, CC-BY-4.0: entries of the tables MP-20
and MPTS-52). For each bonding class, and each column of the criteria of evidence that is known of at least 30 of its
crystals, 41 quantiles are written. Distances to the hull are not among them: one of the two tables was cut at
0.08 eV/atom, so that its distances are no population of anything.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from aiida_crystalgen.science.pipeline import versions
from benchmarks.evidence import judged
from benchmarks.real_crystals import read

COLUMNS = (
    'n_elements', 'instability_index', 'pauling2_deviation', 'goldschmidt_factor', 'octahedral_factor', 'bartel_factor',
    'n_site_kinds', 'information_per_atom', 'information_per_cell', 'valence_electrons', 'hhi_production',
    'hhi_reserves',
)  # fmt: skip
SHARES = ('valences_found', 'charge_balanced', 'smact_valid', 'smact_valid_no_alloys', 'radioactive')
LEAST = 30
N_QUANTILES = 41
DIGITS = 4


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the quantiles of the columns of numbers, and the shares of the truth values, of one class."""
    found: dict[str, Any] = {'crystals': len(rows), 'quantiles': {}, 'shares': {}}
    for name in (*COLUMNS, *SHARES):
        values = [row[name] for row in rows if row.get(name) is not None]
        if len(values) < LEAST:
            continue
        if name in SHARES:
            found['shares'][name] = {'n': len(values), 'share': round(sum(values) / len(values), DIGITS)}
        else:
            levels = np.quantile(values, np.linspace(0, 1, N_QUANTILES))
            numbers = [float(f'{value:.{DIGITS}g}') for value in levels]
            found['quantiles'][name] = {'n': len(values), 'values': numbers}
    return found


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('output', type=Path)
    parser.add_argument('--count', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter('ignore')
    crystals = read(options.data / 'mp_reference.csv.gz', options.count, options.seed)
    rows = [row for row, _ in judged(crystals)]
    classes = sorted({row['bonding_class'] for row in rows})
    table = {
        'name': f'{len(rows):,} crystals of the Materials Project',
        'source': 'Materials Project (materialsproject.org), entries of the tables MP-20 and MPTS-52, drawn at random',
        'citation': 'Jain et al., The Materials Project, APL Mater. 1, 011002 (2013), doi:10.1063/1.4812323',
        'licence': 'CC-BY-4.0',
        'made_by': f'python -m benchmarks.populations --count {options.count} --seed {options.seed}',
        'versions': versions(),
        'classes': {name: summary([row for row in rows if row['bonding_class'] == name]) for name in classes},
    }
    options.output.write_text(json.dumps(table, indent=1, sort_keys=True) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
