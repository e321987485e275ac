"""Hostile files: each is a row with a reason, and none stops its neighbours."""

from __future__ import annotations

import gzip
import json
import time
import zipfile
from collections import Counter

import numpy as np
import pytest
from generator_job import cif_text as cif
from generator_job import read_files as read
from generator_job import readers, structure
from pymatgen.core import DummySpecies, Lattice, Structure
from pymatgen.io.vasp import Poscar

MGO = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.212), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
SKEWED = Lattice.from_parameters(4.1, 5.2, 6.3, 75, 95, 105)
TRICLINIC = Structure(SKEWED, ['Ti', 'O', 'O'], [[0, 0, 0], [0.31, 0.32, 0.33], [0.69, 0.7, 0.71]])
EXTXYZ = (
    '2\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:forces:R:3 pbc="T T T"\n'
    'Cs 0 0 0 0 0 0\nCl 1.5 1.5 1.5 0 0 0\n'
)
POSCAR = str(Poscar(MGO))

PARTIAL = Structure(Lattice.cubic(3), [{'Mg': 0.5, 'Ca': 0.5}, 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
VACANCY = Structure(Lattice.cubic(3), [{'Mg': 0.9}, 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
DUMMY = Structure(Lattice.cubic(3), [DummySpecies('X'), 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
P1 = cif(TRICLINIC)
HOSTILE = {
    'empty.cif': (b'', 'unreadable'),
    'blank.json': (b' \n', 'unreadable'),
    'binary.cif': (bytes(range(256)) * 50, 'unreadable'),
    'unknown.txt': (b'hello', 'unreadable'),
    'journal.cif': (b'data_global\n_publ_author_name x\n', 'unreadable'),
    'no_coordinates.cif': (P1.replace('_atom_site_fract_x', '_atom_site_u').encode(), 'unreadable'),
    'question.cif': (P1.replace('0.31000000', '?').encode(), 'unreadable'),
    'nan.cif': (P1.replace('0.31000000', 'nan').encode(), 'non_finite'),
    'nan_cell.cif': (P1.replace('6.30000000', 'NaN').encode(), 'non_finite'),
    'no_volume.cif': (P1.replace('6.30000000', '0.0').encode(), 'zero_volume'),
    'flat.cif': (P1.replace('105.00000000', '180.0').encode(), 'zero_volume'),
    'partial.cif': (cif(PARTIAL).encode(), 'partial_occupancy'),
    'vacancy.cif': (cif(VACANCY).encode(), 'partial_occupancy'),
    'partial.json': (json.dumps(PARTIAL.as_dict()).encode(), 'partial_occupancy'),
    'dummy.json': (json.dumps(DUMMY.as_dict()).encode(), 'unknown_element'),
    'dummy.cif': (P1.replace('Ti', 'X').encode(), 'unknown_element'),
    'element.cif': (P1.replace('Ti', 'Qq').encode(), 'unknown_element'),
    'broken.json': (b'{"lattice": [', 'unreadable'),
    'deep.json': (b'[' * 100_000, 'unreadable'),
    'nan.json': (json.dumps(MGO.as_dict()).replace('4.212', 'NaN').encode(), 'non_finite'),
    'other.json': (b'{"a": 1}', 'unreadable'),
    'number.json': (b'3', 'unreadable'),
    'gun.json': (b'{"@module": "os", "@class": "system", "sites": [], "lattice": {"matrix": 1}}', 'unreadable'),
    'vasp4.vasp': (b'VASP 4\n1.0\n3 0 0\n0 3 0\n0 0 3\n1 1\ndirect\n0 0 0\n0.5 0.5 0.5\n', 'unknown_element'),
    'short.vasp': (POSCAR[:80].encode(), 'unreadable'),
    'short.extxyz': (EXTXYZ[:-30].encode(), 'unreadable'),
    'huge_count.extxyz': (b'999999999\nx\n', 'unreadable'),
    'no_lattice.xyz': (b'1\ncomment\nH 0 0 0\n', 'unreadable'),
    'slab.extxyz': (EXTXYZ.replace('T T T', 'T T F').encode(), 'not_periodic'),
    'nan.extxyz': (EXTXYZ.replace('1.5 1.5', 'nan 1.5').encode(), 'non_finite'),
    'no_column.csv': (b'a,b\n1,2\n', 'unreadable'),
    'only_header.csv': (b'cif\n', 'unreadable'),
    'empty_cell.csv': (b'cif,x\n"",1\n', 'unreadable'),
    'code.csv': (b"cif\n\"{'a': __import__('os').getcwd()}\"\n", 'unreadable'),
    'broken.zip': (b'PK\x03\x04 not a zip', 'unreadable'),
    'empty.zip': (b'PK\x05\x06' + bytes(18), 'unreadable'),
    'broken.cif.gz': (b'\x1f\x8b broken', 'unreadable'),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_files_are_rows_with_a_reason(tmp_path, name):
    """Each hostile file is exactly one row with the right word and one printable sentence, beside a good neighbour."""
    content, reason = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    (tmp_path / 'zz_good.cif').write_text(cif(MGO))
    bad, good = read(tmp_path)
    assert bad['rejected']['reason'] == reason, bad['rejected']
    assert 0 < len(bad['rejected']['detail']) <= 200
    assert '\n' not in bad['rejected']['detail']
    assert bad['columns']['source_file'] == name
    assert 'structure' not in bad
    assert len(structure(good)) == 8
    json.dumps([bad, good], allow_nan=False)


def test_strange_but_readable_crystals_are_rows(tmp_path):
    """Overlapping atoms, 10^4 A cells, left-handed cells and deuterium are read as they stand."""
    overlap = Structure(Lattice.cubic(4), ['Mg', 'Mg', 'O'], [[0, 0, 0], [0, 0, 0], [0.5, 0.5, 0.5]])
    left = Structure(Lattice([[0, 3, 0], [3, 0, 0], [0, 0, 3]]), ['Mg'], [[0.1, 0.2, 0.3]])
    (tmp_path / 'a.cif').write_text(cif(overlap))
    (tmp_path / 'b.cif').write_text(cif(Structure(Lattice.cubic(1e4), ['Mg', 'O'], [[0, 0, 0], [0, 0, 1e-5]])))
    (tmp_path / 'c.json').write_text(json.dumps(left.as_dict()))
    (tmp_path / 'd.cif').write_text(P1.replace('Ti', 'D'))
    rows = read(tmp_path)
    assert [len(row['structure']['numbers']) for row in rows] == [3, 2, 1, 3]
    assert np.linalg.det(rows[2]['structure']['cell']) == pytest.approx(-27)
    assert 1 in rows[3]['structure']['numbers']


def test_large_cells_are_quick(tmp_path):
    """A cell of 2,000 atoms is one row, read in a few seconds."""
    crystal = Structure(Lattice.cubic(30), ['Mg'] * 2000, np.random.default_rng(1).random((2000, 3)))
    (tmp_path / 'large.cif').write_text(cif(crystal))
    start = time.process_time()
    (row,) = read(tmp_path)
    assert len(row['structure']['numbers']) == 2000
    assert time.process_time() - start < 5


def test_zip_members_that_point_outside_are_refused(tmp_path):
    """Absolute paths, `..`, drives, links and nested archives are rows; nothing is written anywhere."""
    path = tmp_path / 'evil.zip'
    link = zipfile.ZipInfo('link.cif')
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, 'w') as archive:
        for name in ('../a.cif', '/a.cif', 'C:/a.cif', 'a/../../b.cif', '..\\back.cif', 'good.cif', 'in.zip'):
            archive.writestr(name, cif(MGO))
        archive.writestr(link, '/etc/passwd')
    rows = {row['columns']['source_file']: row for row in read(path)}
    assert len(rows) == 8
    assert Counter(row.get('rejected', {}).get('reason', 'ok') for row in rows.values()) == {
        'unsafe_path': 6, 'unreadable': 1, 'ok': 1,
    }  # fmt: skip
    assert [item.name for item in tmp_path.iterdir()] == ['evil.zip']
    assert not (tmp_path.parent / 'a.cif').exists()


def test_zip_with_a_damaged_member(tmp_path):
    """A member whose bytes were changed fails its checksum: one row with a reason; the other is read."""
    path = tmp_path / 'damaged.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.cif', cif(TRICLINIC))
        archive.writestr('b.cif', cif(MGO))
    path.write_bytes(path.read_bytes().replace(b'data_TiO2', b'data_TiO3', 1))
    assert [row.get('rejected', {}).get('reason', 'ok') for row in read(path)] == ['unreadable', 'ok']


def test_bombs_are_bounded(tmp_path):
    """What unpacks to more than the limit is refused by size, in a zip over all members together."""
    with zipfile.ZipFile(tmp_path / 'bomb.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.cif', bytes(600_000))
        archive.writestr('b.cif', bytes(600_000))
    (tmp_path / 'bomb.cif.gz').write_bytes(gzip.compress(bytes(2_000_000)))
    (tmp_path / 'plain.cif').write_bytes(bytes(1_500_000))
    listed = readers.entries(tmp_path, limit=1_000_000)
    assert [(entry.source_file, entry.content.reason) for entry in listed] == [
        ('bomb.cif.gz', 'too_large'), ('bomb.zip/a.cif', 'unreadable'), ('bomb.zip/b.cif', 'too_large'),
        ('plain.cif', 'too_large'),
    ]  # fmt: skip


def test_missing_path_is_one_sentence(tmp_path):
    """A path that is not there is an error before any row."""
    with pytest.raises(FileNotFoundError, match='there is no file or folder'):
        readers.count(tmp_path / 'nothing')
