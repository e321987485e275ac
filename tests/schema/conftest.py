"""Fixtures of the schema tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_crystalgen.schema import CampaignError, Problem, load_campaign

from .example import REGISTRY


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a campaign file and returns its path."""

    def factory(content: str | bytes) -> Path:
        filepath = tmp_path / 'campaign.yaml'
        filepath.write_bytes(content.encode() if isinstance(content, str) else content)
        return filepath

    return factory


@pytest.fixture
def problems_of(write):
    """Return a function that loads a campaign file and returns what is wrong with it."""

    def factory(content: str | bytes) -> tuple[Problem, ...]:
        with pytest.raises(CampaignError) as error:
            load_campaign(write(content), REGISTRY)
        return error.value.problems

    return factory
