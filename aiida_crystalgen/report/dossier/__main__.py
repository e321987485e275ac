"""Print the JSON schema of `dossier.json`, as `docs/reference/dossier.schema.json` holds it."""

from __future__ import annotations

import json

from aiida_crystalgen.report.dossier.model import json_schema

if __name__ == '__main__':
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
