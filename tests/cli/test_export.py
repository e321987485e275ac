"""Tests of `export`: what it writes opens in other tools."""

import csv
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.handmade import DRAW


@pytest.fixture(scope='module')
def finished(campaign):
    """Return a campaign all of whose processes are sealed, so that it can leave the database."""
    for process in [campaign, *campaign.called_descendants]:
        if not process.is_sealed:
            process.seal()
    return campaign


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


def test_existing_file_is_not_overwritten(campaign, call, tmp_path):
    """A file that exists is kept, unless it is forced."""
    path = tmp_path / 'x.json'
    path.write_text('mine')
    assert 'exists already' in call('export', campaign.pk, '-f', 'json', '-o', path, code=1).output
    assert path.read_text() == 'mine'
    call('export', campaign.pk, '-f', 'json', '-o', path, '--force')


def test_extxyz_opens_in_ase(campaign, call, tmp_path):
    """ASE finds geometry and columns."""
    from ase.io import read

    path = tmp_path / 'crystals.extxyz'
    call('export', campaign.pk, '-f', 'extxyz', '-o', path)
    images = read(path, index=':')
    crystals = campaign.outputs.table.crystals
    assert [atoms.info['id'] for atoms in images] == crystals.ids
    assert np.concatenate([atoms.positions for atoms in images]) == pytest.approx(crystals.positions)


def test_csv_has_its_units_beside_it(campaign, call, tmp_path):
    """Every column of the CSV is described in the file where readers of CSV on the Web look for it."""
    path = tmp_path / 'crystals.csv'
    call('export', campaign.pk, '-f', 'csv', '-o', path)
    with path.open(newline='') as handle:
        rows = list(csv.DictReader(handle))
    described = json.loads((tmp_path / 'crystals.csv-metadata.json').read_text())
    columns = {column['name']: column for column in described['tableSchema']['columns']}
    assert list(columns) == list(rows[0])
    assert columns['e_hull']['schema:unitText'] == 'eV/atom'
    assert (described['url'], columns['novel_known']['datatype']) == ('crystals.csv', 'boolean')
    assert [row['id'] for row in rows] == campaign.outputs.table.ids


def test_optimade_lines_are_valid(campaign, call, tmp_path):
    """Every line is an entry of the standard, and gives the geometry back."""
    from optimade.models import StructureResource

    from aiida_crystalgen.fetch.conversion import structure_of

    path = tmp_path / 'crystals.jsonl'
    call('export', campaign.pk, '-f', 'optimade', '-o', path)
    header, info, *entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert header['x-optimade']['meta']['api_version'] == '1.2.0'
    crystals = campaign.outputs.table.crystals
    for entry, row in zip(entries, crystals.rows(), strict=True):
        resource = StructureResource(**entry)
        assert resource.id == row['id']
        assert {name for name in entry['attributes'] if name.startswith('_')} == set(info['properties'])
        assert structure_of(entry['attributes']).cart_coords == pytest.approx(row['positions'])
    assert entries[0]['attributes']['_crystalgen_e_hull'] == 0.0
    assert 'eV/atom' in info['properties']['_crystalgen_e_hull']['description']


def test_optimade_lines_hold_crystals_alone(campaign, call, tmp_path):
    """A row without atoms is no structure of the standard, which is said."""
    path = tmp_path / 'lost.jsonl'
    output = call('export', campaign.pk, '-f', 'optimade', '-o', path, '--from', 'rejected').output
    assert 'Wrote 3 crystals' in output
    assert '1 have no atoms' in output


ELSEWHERE = """
import sys
from pathlib import Path
from aiida import load_profile, orm
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import import_archive

load_profile(SqliteTempBackend.create_profile('empty'))
import_archive(sys.argv[1])
from aiida_crystalgen.report import write_report
from aiida_crystalgen.tools.queries import campaigns
from aiida_crystalgen.tools.trace import trace

(campaign,) = campaigns()
print([step.verdict for step in trace(sys.argv[2])])
print([node.process_label for node in orm.QueryBuilder().append(orm.CalcFunctionNode).all(flat=True)].count('rerank'))
print(write_report(campaign, Path(sys.argv[3])))
"""


def test_an_archive_is_enough_elsewhere(finished, call, tmp_path):
    """In an empty profile a crystal is traced and the report written; other orders of the table came along."""
    call('rank', finished.pk, '-o', 'e_hull=max', '--json')
    archive, page = tmp_path / 'all.aiida', tmp_path / 'page.html'
    call('export', finished.pk, '-f', 'archive', '-o', archive)
    command = [sys.executable, '-c', ELSEWHERE, str(archive), f'{DRAW}-1', str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    verdicts, orders, _ = done.stdout.splitlines()[-3:]
    assert verdicts == str(['requested', 'kept', 'kept', 'kept', 'kept', 'kept'])
    assert int(orders) >= 1
    assert f'{DRAW}-1' in page.read_text()


def test_a_crate_is_read_back(finished, call, tmp_path):
    """All that RO-Crate requires is there, and rocrate finds every file with what it is."""
    from rocrate.rocrate import ROCrate

    path = tmp_path / 'campaign.crate.zip'
    call('export', finished.pk, '-f', 'ro-crate', '-o', path, '--licence', 'CC-BY-4.0')
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        graph = {entity['@id']: entity for entity in json.loads(archive.read('ro-crate-metadata.json'))['@graph']}
    root, descriptor = graph['./'], graph['ro-crate-metadata.json']
    assert descriptor['about'] == {'@id': './'}
    assert descriptor['conformsTo']['@id'].startswith('https://w3id.org/ro/crate/1.')
    assert all(root[key] for key in ('name', 'description', 'datePublished'))
    assert graph[root['license']['@id']]['name'] == 'CC-BY-4.0'
    parts = {part['@id'] for part in root['hasPart']}
    assert parts == names - {'ro-crate-metadata.json'}
    assert {'provenance.aiida', 'report.html', 'crystals.csv', 'crystals.jsonl', 'campaign.json'} <= parts
    assert all({'name', 'description', 'encodingFormat'} <= set(graph[part]) for part in parts)
    (action,) = [entity for entity in graph.values() if entity['@type'] == 'CreateAction']
    assert {graph[tool['@id']]['name'] for tool in action['instrument']} == {'aiida-crystalgen', 'aiida-core'}
    assert len(ROCrate(path).data_entities) == len(parts)


def test_a_crate_needs_a_licence(campaign, call, tmp_path):
    """What may be done with the data is said by who gives it away."""
    output = call('export', campaign.pk, '-f', 'ro-crate', '-o', tmp_path / 'x.crate.zip', code=1).output
    assert '--licence CC-BY-4.0' in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('form', 'package'), [('optimade', 'optimade'), ('ro-crate', 'rocrate')])
def test_a_package_that_is_not_there_is_named(campaign, call, tmp_path, monkeypatch, form, package):
    """One sentence says what to install."""
    monkeypatch.setattr('aiida_crystalgen.cli.export.find_spec', lambda name: None)
    output = call('export', campaign.pk, '-f', form, '-o', tmp_path / 'x', '--licence', 'MIT', code=1).output
    assert f'needs the package `{package}`' in output
    assert 'aiida-crystalgen[export]' in output
