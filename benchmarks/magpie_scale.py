"""Scale of the Magpie features of compositions, as `aiida_crystalgen/science/magpie_scale.py` holds it.

    python benchmarks/magpie_scale.py ../shared/data/mp_reference.csv.gz

Needs matminer. Printed are mean and standard deviation of each feature over the rows whose source is `mp_20`.
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
import warnings
from pathlib import Path


def formulas(path: Path) -> list[str]:
    """Return the formulas of the crystals that are in MP-20."""
    csv.field_size_limit(10**8)
    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        texts = [row['cif'] for row in csv.DictReader(handle) if row['source'] == 'mp_20']
    return [re.findall(r"_chemical_formula_sum\s+'?([^'\n]+)", text)[0].strip() for text in texts]


def literal(name: str, values: list[float]) -> str:
    """Return numbers as a tuple in lines of at most 120 characters."""
    lines = [f'{name} = (', '   ']
    for value in values:
        text = f' {value:.5g},'
        if len(lines[-1]) + len(text) > 120:
            lines.append('   ')
        lines[-1] += text
    return '\n'.join([*lines, ')  # fmt: skip'])


def main() -> None:
    """Print both tuples."""
    import numpy as np
    from matminer.featurizers.composition.composite import ElementProperty
    from pymatgen.core import Composition

    featurizer = ElementProperty.from_preset('magpie')
    with warnings.catch_warnings(action='ignore'):
        rows = [featurizer.featurize(Composition(formula)) for formula in formulas(Path(sys.argv[1]))]
    features = np.array(rows, dtype=float)
    print(literal('MEANS', features.mean(axis=0).tolist()))
    print(literal('DEVIATIONS', features.std(axis=0).tolist()))


if __name__ == '__main__':
    main()
