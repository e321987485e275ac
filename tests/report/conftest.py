"""Fixtures of the pages."""

import pytest

from tests.report.browser import make_browser


@pytest.fixture(scope='package')
def browser(tmp_path_factory):
    """Return one Chromium for all pages."""
    made = make_browser(tmp_path_factory.mktemp('chromium'))
    yield made
    made.quit()
