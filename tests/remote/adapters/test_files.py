"""Bring your own crystals: every format, real outputs of generators, and hostile files."""

from __future__ import annotations

import gzip
import json
import time
import zipfile
from collections import Counter

import numpy as np
import pytest
from generator_job import ABOUT_KEYS, data, job, literal_about, load, readers, requests, structure
from pymatgen.core import DummySpecies, Lattice, Structure
from pymatgen.io.cif import CifParser, CifWriter
from pymatgen.io.vasp import Poscar

adapter = load('files')

MGO = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.212), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
TRICLINIC = Structure(
    Lattice.from_parameters(4.1, 5.2, 6.3, 75, 95, 105), ['Ti', 'O', 'O'], [[0, 0, 0], [0.31, 0.32, 0.33], [0.69, 0.7, 0.71]]
)
EXTXYZ = (
    '2\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:forces:R:3 pbc="T T T"\n'
    'Cs 0 0 0 0 0 0\nCl 1.5 1.5 1.5 0 0 0\n'
)
POSCAR = str(Poscar(MGO))
SYMMETRIC = """data_periclase
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 4.212(1)
_cell_length_b 4.212(1)
_cell_length_c 4.212(1)
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg1 0 0 0
O1 0.5 0.5 0.5
"""


def read(path) -> list[dict]:
    """Return finished rows, as many as the files hold."""
    return list(adapter.run(requests(adapter.count(str(path))), job(files=path)))


def reasons(path) -> list[str]:
    """Return the reason of every row, `ok` where a crystal was read."""
    return [row['rejected']['reason'] if 'rejected' in row else 'ok' for row in read(path)]


def cif(crystal: Structure, **options) -> str:
    """Return CIF text."""
    return str(CifWriter(crystal, **options))


def test_about_is_complete():
    """`ABOUT` is a literal with every key, and a help for every column."""
    about = literal_about('files')
    assert set(about) == ABOUT_KEYS
    assert all('doi:10.' in citation for citation in about['citation'])
    assert all(column['help'] for column in about['columns'].values())
    assert set(adapter.versions()) == set(about['requires'])


@pytest.mark.parametrize(
    ('name', 'text', 'atoms'),
    [
        ('mgo.cif', cif(MGO), [8]),
        ('mgo_symmetric.cif', SYMMETRIC, [8]),
        ('two.cif', cif(MGO) + cif(TRICLINIC), [8, 3]),
        ('POSCAR', POSCAR, [8]),
        ('CONTCAR_2', POSCAR, [8]),
        ('mgo.vasp', POSCAR, [8]),
        ('frames.extxyz', EXTXYZ * 3, [2, 2, 2]),
        ('one.json', json.dumps(MGO.as_dict()), [8]),
        ('list.json', json.dumps([MGO.as_dict(), TRICLINIC.as_dict()]), [8, 3]),
        ('named.json', json.dumps({'b': MGO.as_dict(), 'a': TRICLINIC.as_dict()}), [8, 3]),
        ('entries.json', json.dumps([{'structure': MGO.as_dict(), 'energy': -1.0, 'entry_id': 'mp-1'}]), [8]),
        ('table.csv', f'material_id,cif\nmp-1,"{cif(MGO)}"\nmp-2,"{cif(TRICLINIC)}"\n', [8, 3]),
        ('python.csv', f'cif\n"{MGO.as_dict()}"\n', [8]),
    ],
)
def test_every_format(tmp_path, name, text, atoms):
    """Each format is read plain, as .gz and inside a zip, with the same counts and columns."""
    (tmp_path / name).write_text(text)
    plain = read(tmp_path / name)
    assert [len(structure(row)) for row in plain] == atoms
    assert all(row['columns']['source_file'] == name for row in plain)
    assert [row['columns']['source_entry'].split()[0] for row in plain] == [str(i) for i in range(len(atoms))]
    packed, zipped = tmp_path / f'{name}.gz', tmp_path / 'all.zip'
    packed.write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(zipped, 'w') as archive:
        archive.writestr(f'sub/{name}', text)
    for path in (packed, zipped):
        assert [row['structure'] for row in read(path)] == [row['structure'] for row in plain]
    assert read(zipped)[0]['columns']['source_file'] == f'all.zip/sub/{name}'


def test_geometry_is_kept(tmp_path):
    """JSON and POSCAR keep positions, CIF lengths, angles, order and fractional coordinates, to what they print."""
    (tmp_path / 'a.json').write_text(json.dumps(TRICLINIC.as_dict()))
    (tmp_path / 'b.vasp').write_text(Poscar(TRICLINIC).get_str(significant_figures=14))
    (tmp_path / 'c.cif').write_text(cif(TRICLINIC, significant_figures=12))
    from_json, from_poscar, from_cif = (structure(row) for row in read(tmp_path))
    assert np.allclose(from_json.cart_coords, TRICLINIC.cart_coords, atol=1e-12)
    assert np.allclose(from_poscar.cart_coords, TRICLINIC.cart_coords, atol=1e-10)
    assert np.allclose(from_cif.lattice.parameters, TRICLINIC.lattice.parameters, atol=1e-9)
    assert np.allclose(from_cif.frac_coords, TRICLINIC.frac_coords, atol=1e-10)
    assert np.allclose(from_cif.distance_matrix, TRICLINIC.distance_matrix, atol=1e-9)


def test_names_travel_and_files_come_in_order(tmp_path):
    """Rows follow the relative paths; an entry is named by number and by its own name; hidden files are left out."""
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'a.csv').write_text(f'id,CIF\nfirst,"{cif(MGO)}"\nsecond,"{cif(MGO)}"\n')
    (tmp_path / 'a.json').write_text(json.dumps({'mine': MGO.as_dict()}))
    (tmp_path / '.DS_Store').write_text('x')
    columns = [row['columns'] for row in read(tmp_path)]
    assert [(c['source_file'], c['source_entry']) for c in columns] == [
        ('a.json', '0 mine'), ('b/a.csv', '0 first'), ('b/a.csv', '1 second'),
    ]  # fmt: skip


def test_rows_are_read_by_index(tmp_path):
    """A worker that is given one row reads that entry, and a row beyond the last is rejected."""
    (tmp_path / 'two.cif').write_text(cif(MGO) + cif(TRICLINIC))
    second, third = adapter.run(requests(2, first=1), job(files=tmp_path))
    assert len(structure(second)) == 3
    assert third['rejected']['reason'] == 'no_more_entries'


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
    'vasp4.vasp': (POSCAR.replace('Mg O\n', '', 1).encode(), 'unknown_element'),
    'short.vasp': (POSCAR[:80].encode(), 'unreadable'),
    'short.extxyz': (EXTXYZ[:-30].encode(), 'unreadable'),
    'huge_count.extxyz': (b'999999999\nx\n', 'unreadable'),
    'no_lattice.xyz': (b'1\ncomment\nH 0 0 0\n', 'unreadable'),
    'slab.extxyz': (EXTXYZ.replace('T T T', 'T T F').encode(), 'not_periodic'),
    'nan.extxyz': (EXTXYZ.replace('1.5 1.5', 'nan 1.5').encode(), 'non_finite'),
    'no_column.csv': (b'a,b\n1,2\n', 'unreadable'),
    'only_header.csv': (b'cif\n', 'unreadable'),
    'empty_cell.csv': (b'cif,x\n"",1\n', 'unreadable'),
    'code.csv': (b'cif\n"{\'a\': __import__(\'os\').getcwd()}"\n', 'unreadable'),
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
    """Overlapping atoms, 10^4 A cells, left-handed cells and deuterium are read as they stand: screening judges them."""
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
    """Absolute paths, `..`, drives, links, encrypted and nested archives are rows; nothing is written anywhere."""
    path = tmp_path / 'evil.zip'
    link = zipfile.ZipInfo('link.cif')
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, 'w') as archive:
        for name in ('../up.cif', '/absolute.cif', 'C:/drive.cif', 'a/../../b.cif', '..\\back.cif', 'good.cif', 'in.zip'):
            archive.writestr(name, cif(MGO))
        archive.writestr(link, '/etc/passwd')
    rows = {row['columns']['source_file']: row for row in read(path)}
    assert len(rows) == 8
    assert Counter(row.get('rejected', {}).get('reason', 'ok') for row in rows.values()) == {
        'unsafe_path': 6, 'unreadable': 1, 'ok': 1,
    }  # fmt: skip
    assert [item.name for item in tmp_path.iterdir()] == ['evil.zip']
    assert not (tmp_path.parent / 'up.cif').exists()


def test_zip_with_a_damaged_member(tmp_path):
    """A member whose bytes were changed fails its checksum: one row with a reason; the other is read."""
    path = tmp_path / 'damaged.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.cif', cif(TRICLINIC))
        archive.writestr('b.cif', cif(MGO))
    path.write_bytes(path.read_bytes().replace(b'data_TiO2', b'data_TiO3', 1))
    assert reasons(path) == ['unreadable', 'ok']


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


@pytest.mark.parametrize(
    ('path', 'expected'),
    [
        ('carbon_24_val.csv.gz', 2032),
        ('perov_5_val.csv.gz', 3787),
        ('generators/mattergen/base/generated_crystals.extxyz', 4),
        ('generators/mattergen/base/generated_crystals_cif.zip', 4),
        ('generators/diffcsp/tiny_sample/Na4Cl4', 3),
        ('generators/crystalformer/published/CrystalFormer_mp_20.csv.gz', 999),
        ('generators/crystalformer/tiny_run/output_221_struct.csv', 8),
    ],
)
def test_real_outputs_are_read_whole(path, expected):
    """Published data sets and outputs of generators give their number of rows, all of them crystals (100 tried)."""
    source = data(path)
    assert readers.count(source) == expected
    rows = list(adapter.run(requests(min(expected, 100)), job(files=source)))
    assert all('structure' in row for row in rows)


def test_real_cifs_agree_with_pymatgen():
    """Cell and fractional coordinates of 50 Materials Project CIFs are those that pymatgen reads."""
    source = data('mp_reference.csv.gz')
    for entry in readers.entries(source)[:20000:400]:
        ours = structure({'structure': readers.read(entry)})
        theirs = CifParser.from_str(entry.content, frac_tolerance=0).parse_structures(primitive=False)[0]
        assert np.allclose(ours.lattice.parameters, theirs.lattice.parameters, atol=1e-8)
        assert ours.composition == theirs.composition
        assert np.allclose(ours.get_sorted_structure().distance_matrix, theirs.distance_matrix, atol=1e-6)


def test_mattergen_frames_agree_with_ase():
    """MatterGen's extended XYZ is read as ASE reads it."""
    import ase.io

    source = data('generators/mattergen/base/generated_crystals.extxyz')
    for row, atoms in zip(read(source), ase.io.read(source, ':'), strict=True):
        assert row['structure']['numbers'] == atoms.numbers.tolist()
        assert np.allclose(row['structure']['positions'], atoms.positions, atol=1e-12)
        assert np.allclose(row['structure']['cell'], atoms.cell[:], atol=1e-12)
