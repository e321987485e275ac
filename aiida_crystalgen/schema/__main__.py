"""Print the JSON schema of a campaign file, as `docs/reference/campaign.schema.json` holds it."""

from __future__ import annotations

import json
import typing as t

from .spec import CampaignSpec


def json_schema() -> dict[str, t.Any]:
    """Return the published JSON schema."""
    return {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        **CampaignSpec.model_json_schema(),
    }


if __name__ == '__main__':
    print(json.dumps(json_schema(), indent=2))
