"""Tests of `report`, `dossier`, `export` and `cite`."""

import json
import re
import zipfile

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


def test_cif_files_are_named_by_rank(campaign, call, tmp_path):
    """One CIF a crystal, in the order of the table."""
    call('export', campaign.pk, '-f', 'cif', '-o', tmp_path / 'cifs')
    names = sorted(path.name for path in (tmp_path / 'cifs').iterdir())
    assert names[0] == f'0001_AlCu_{DRAW}-1.cif'
    assert len(names) == 4


def test_extxyz_keeps_columns(campaign, call, tmp_path):
    """Every column survives in extended XYZ."""
    from aiida_crystalgen.data.convert import from_extxyz

    path = tmp_path / 'crystals.extxyz'
    call('export', campaign.pk, '-f', 'extxyz', '-o', path)
    assert from_extxyz(path.read_text()).values('rank') == [1, 2, 3, 4]


def test_json_is_read_by_pymatgen(campaign, call, tmp_path):
    """JSON holds pymatgen's structures."""
    from pymatgen.core import Structure

    path = tmp_path / 'crystals.json'
    call('export', campaign.pk, '-f', 'json', '-o', path, '-n', 1)
    (content,) = json.loads(path.read_text())
    assert Structure.from_dict(content).composition.reduced_formula == 'AlCu'


def test_rejected_crystals_without_atoms_are_counted(campaign, call, tmp_path):
    """What a format cannot hold is said."""
    output = call('export', campaign.pk, '-f', 'cif', '-o', tmp_path / 'lost', '--from', 'rejected').output
    assert 'Wrote 3 crystals' in output
    assert '1 have no atoms' in output


def test_archive_holds_the_campaign(campaign, call, tmp_path):
    """The archive can be read back with every process."""
    path = tmp_path / 'all.aiida'
    campaign.seal()
    for process in campaign.called_descendants:
        if not process.is_sealed:
            process.seal()
    call('export', campaign.pk, '-f', 'archive', '-o', path)
    assert zipfile.is_zipfile(path)


def test_existing_file_is_not_overwritten(campaign, call, tmp_path):
    """A file that exists is kept, unless it is forced."""
    path = tmp_path / 'x.json'
    path.write_text('mine')
    assert 'exists already' in call('export', campaign.pk, '-f', 'json', '-o', path, code=1).output
    assert path.read_text() == 'mine'
    call('export', campaign.pk, '-f', 'json', '-o', path, '--force')


@pytest.mark.parametrize('text', ['A. Author', 'licence  MIT', 'textbook', 'AiiDA 1.0', 'pyxtal 1.1.5'])
def test_cite_names_every_source(campaign, call, text):
    """Tools, data and engine are named with licence, reference and version."""
    assert text in call('cite', campaign.pk).output
