"""Put what a run of the quickstart printed into README and tutorial.

`aiida-crystalgen run quickstart/campaign.yaml | tee run.txt; python docs/_ext/transcript.py run.txt`
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ('README.md', 'docs/tutorials/first-campaign.md')
RESULT = re.compile(r'^stage  .*?(?=^Campaign \d+\. Next:$)', re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r'(?<=^<!-- transcript: quickstart -->\n```text\n).*?(?=^```$)', re.MULTILINE | re.DOTALL)


def main(filepath: str) -> None:
    """Replace the transcript on every page by the funnel and the table of a recorded run."""
    found = RESULT.search(Path(filepath).read_text(encoding='utf-8'))
    if found is None:
        raise SystemExit(f'`{filepath}` holds no finished run')
    result = '\n'.join(line.rstrip() for line in found[0].strip().splitlines()) + '\n'
    for name in PAGES:
        page = ROOT / name
        page.write_text(BLOCK.sub(lambda _: result, page.read_text(encoding='utf-8')), encoding='utf-8')


if __name__ == '__main__':
    main(sys.argv[1])
