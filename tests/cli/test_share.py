"""Tests of `report` and `cite`."""

import pytest


def test_report_is_written(campaign, call, tmp_path):
    """The page is one file."""
    path = tmp_path / 'page.html'
    assert call('report', campaign.pk, '-o', path).output == f'Wrote {path}\n'
    assert path.read_text().startswith('<!doctype html>')


@pytest.mark.parametrize('text', ['A. Author', 'licence  MIT', 'textbook', 'AiiDA 1.0', 'pyxtal 1.1.5'])
def test_cite_names_every_source(campaign, call, text):
    """Tools, data and engine are named with licence, reference and version."""
    assert text in call('cite', campaign.pk).output
