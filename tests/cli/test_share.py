"""Tests of `report`, `dossier` and `cite`."""

import json
import re

import pytest

from tests.handmade import DRAW


def test_report_is_written(campaign, call, tmp_path):
    """The page is one file."""
    path = tmp_path / 'page.html'
    assert call('report', campaign.pk, '-o', path).output == f'Wrote {path}\n'
    assert path.read_text().startswith('<!doctype html>')


def test_report_links_to_the_dossiers(campaign, call, tmp_path):
    """With `--dossiers` the page links to a page of each crystal of the short list."""
    path, folder = tmp_path / 'page.html', tmp_path / 'all' / 'dossiers'
    assert call('report', campaign.pk, '-o', path, '--dossiers', folder).output.endswith(f'4 dossiers to {folder}\n')
    links = re.findall(r'<a href="([^"]+)">dossier</a>', path.read_text())
    assert len(links) == 4
    assert all((tmp_path / link).read_text().startswith('<!doctype html>') for link in links)


def test_dossier_of_one_crystal_is_written(campaign, call, tmp_path):
    """The end of an id is enough."""
    folder = tmp_path / f'0001_AlCu_{DRAW}-1'
    assert call('dossier', '-1', '--campaign', campaign.pk, '-o', tmp_path).output == f'Wrote {folder}\n'
    assert json.loads((folder / 'dossier.json').read_text())['id'] == f'{DRAW}-1'


def test_dossier_of_a_rejected_crystal_is_refused(campaign, call, tmp_path):
    """The sentence says what there is instead."""
    result = call('dossier', f'{DRAW}-6', '--campaign', campaign.pk, '-o', tmp_path, code=1)
    assert 'no crystal with an id that ends with' in result.output
    assert 'a rejected crystal has a `trace`' in result.output


@pytest.mark.parametrize('text', ['A. Author', 'licence  MIT', 'textbook', 'AiiDA 1.0', 'pyxtal 1.1.5'])
def test_cite_names_every_source(campaign, call, text):
    """Tools, data and engine are named with licence, reference and version."""
    assert text in call('cite', campaign.pk).output
