"""Published outputs of generators through real campaigns: what they cost to import, and their rates.

    python benchmarks/published.py ../shared/data [--sets diffcsp crystalformer wyformer] [--genes 10000] [--limit 1000]

Each set is imported by the generator `files` and judged as it is, without a potential: validity, uniqueness, novelty
against the 27,248 crystals of `mp_reference.csv.gz`. WyFormer's genes have no coordinates: all are counted by their
compositions, and the first `--genes` of them are decoded by PyXtal (0.2 s each). The last table is that of
`aiida-crystalgen metrics`, in which matminer is needed for coverage (`--limit 0` leaves it out). With `--folder` the
AiiDA folder is kept, and a second run goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

SETS = {
    'diffcsp': 'generators/diffcsp/published/DiffCSP_mp_20.pt',
    'crystalformer': 'generators/crystalformer/published/CrystalFormer_mp_20.csv.gz',
    'wyformer': 'generators/wyformer/published/WyckoffTransformer_mp_20.json.gz',
}
CAMPAIGN = """
version: 1
name: {name}
seed: 1
generators:
  - {{type: files, label: {name}, files: {path}{more}}}
references: {{known: 'set:known'}}
filters: {{e_hull: null}}
# Nothing is relaxed: a second look at the same geometry would say nothing new.
screen: {{postscreen: {{validity: null}}}}
"""


def call(*arguments: Any) -> None:
    """Run a command of the package in this process, and show what it prints."""
    from click.testing import CliRunner

    from aiida_crystalgen.cli import crystalgen

    outcome = CliRunner().invoke(crystalgen, [str(argument) for argument in arguments])
    print(outcome.output)
    if outcome.exit_code:
        raise SystemExit(outcome.exit_code)


def campaign_of(name: str, data: Path, folder: Path, n_genes: int) -> Any:
    """Run the campaign of one set and return its node."""
    from aiida_crystalgen.tools.queries import campaigns

    more = f', n: {n_genes}, parameters: {{decode: true}}' if name == 'wyformer' else ''
    file = folder / f'{name}.yaml'
    file.write_text(CAMPAIGN.format(name=name, path=(data / SETS[name]).resolve(), more=more), encoding='utf-8')
    call('run', file)
    return campaigns(limit=1)[0]


def seconds_of(campaign: Any) -> dict[str, float]:
    """Return wall seconds of the draw and of the screen, and CPU seconds of the jobs of each stage."""
    times: dict[str, float] = {}
    for node in campaign.called:
        if node.process_label in {'GenerateWorkChain', 'ScreenWorkChain'}:
            times[f'{node.process_label} wall'] = (node.mtime - node.ctime).total_seconds()
    for node in campaign.called_descendants:
        report = node.outputs.report.get_dict() if 'report' in getattr(node, 'outputs', ()) else {}
        if node.process_label.endswith('Calculation') and 'seconds' in report:
            stage = node.caller.base.links.get_incoming(link_label_filter='%').first()
            label = f'{node.process_label} of {stage.link_label if stage else "?"} CPU'
            times[label] = times.get(label, 0.0) + float(report['seconds']['cpu'])
    return times


def genes_of(path: Path) -> dict[str, Any]:
    """Return the rates of Wyckoff genes that need no coordinates."""
    from aiida_crystalgen.science.composition import smact_verdict
    from aiida_crystalgen.science.metrics import wilson

    with gzip.open(path, 'rt', encoding='utf-8') as handle:
        genes = json.load(handle)
    verdicts = Counter(smact_verdict(_key(gene), alloys=True, oxidation_states='smact14') for gene in genes)
    distinct = {json.dumps([gene['group'], sorted(zip(gene['species'], map(sorted, gene['sites']), strict=True))])
                for gene in genes}  # fmt: skip
    groups = Counter(gene['group'] for gene in genes)
    return {
        'genes': len(genes),
        'composition_cdvae': verdicts[True] / len(genes),
        'interval': wilson(verdicts[True], len(genes)),
        'composition_unknown': verdicts[None],
        'distinct_genes': len(distinct),
        'space_groups': len(groups),
        'in_group_1': groups[1] / len(genes),
    }


def _key(gene: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return the reduced composition of a gene as ordered pairs of atomic number and count."""
    import numpy as np
    from pymatgen.core import Element

    from aiida_crystalgen.science.crystal import reduced

    return reduced(np.repeat([Element(symbol).Z for symbol in gene['species']], gene['numIons']))


def main() -> None:
    """Run the campaigns, and print rates and costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS))
    parser.add_argument('--genes', type=int, default=10_000)
    parser.add_argument('--limit', type=int, default=1000)
    parser.add_argument('--folder', type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ['AIIDA_PATH'] = str(folder)
        call('init')
        call('reference', 'add', options.data / 'mp_reference.csv.gz', '--name', 'known', '--partial')
        pks = []
        for name in options.sets:
            begun = time.perf_counter()
            node = campaign_of(name, options.data, folder, options.genes)
            costs = {'wall': time.perf_counter() - begun, **seconds_of(node)}
            print(name, json.dumps({key: round(value, 1) for key, value in costs.items()}, indent=1))
            pks.append(node.pk)
        if 'wyformer' in options.sets:
            print(json.dumps(genes_of(options.data / SETS['wyformer']), indent=1))
        call('metrics', *pks, '--reference', 'set:known', '--limit', options.limit)
    print(json.dumps({'python': platform.python_version(), 'cores': os.cpu_count(), 'system': platform.platform()}))


if __name__ == '__main__':
    main()
