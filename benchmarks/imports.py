"""What the package adds to the start of Python and of `verdi`.

    python benchmarks/imports.py [--runs 7]

`import aiida` with and without `import aiida_crystalgen` in turn, and the time that modules of this package take in
`verdi --help` and `verdi data --help`, as Python's own `-X importtime` tells it. Medians.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERDI = Path(sys.executable).parent / 'verdi'
OURS = re.compile(r'import time:\s+(\d+) \|\s+\d+ \|\s+aiida_crystalgen')


def seconds(source: str) -> float:
    """Return the wall time of a Python that runs one line [s]."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, '-c', source], check=True)
    return time.perf_counter() - begun


def share(*arguments: str) -> float:
    """Return the time that our modules take within a `verdi` command [ms]."""
    command = [sys.executable, '-X', 'importtime', str(VERDI), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return sum(int(microseconds) for microseconds in OURS.findall(result.stderr)) / 1000


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=7)
    runs = range(parser.parse_args().runs)
    with tempfile.TemporaryDirectory() as folder:
        os.environ['AIIDA_PATH'] = folder
        pairs = [(seconds('import aiida'), seconds('import aiida; import aiida_crystalgen')) for _ in runs]
        figures = {
            'import_aiida_s': statistics.median(without for without, _ in pairs),
            'import_aiida_crystalgen_more_s': statistics.median(more - without for without, more in pairs),
            'verdi_help_ms': statistics.median(share('--help') for _ in runs),
            'verdi_data_help_ms': statistics.median(share('data', '--help') for _ in runs),
        }
    print(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
