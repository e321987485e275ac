"""Fixtures of the tests of what travels."""

from __future__ import annotations

import pytest
from harness_job import MANY, Job


@pytest.fixture
def make_job(tmp_path):
    """Return a function that makes a job folder."""
    return lambda adapter, ids=MANY, name='job', **options: Job(tmp_path / name, adapter, ids, **options)
