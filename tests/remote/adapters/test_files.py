"""Bring your own crystals: every format, real outputs of generators, and hostile files."""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pytest
from generator_job import ABOUT_KEYS, data, job, literal_about, load, readers, requests, structure
from generator_job import cif_text as cif
from generator_job import read_files as read
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser
from pymatgen.io.vasp import Poscar

adapter = load('files')

MGO = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.212), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
SKEWED = Lattice.from_parameters(4.1, 5.2, 6.3, 75, 95, 105)
TRICLINIC = Structure(SKEWED, ['Ti', 'O', 'O'], [[0, 0, 0], [0.31, 0.32, 0.33], [0.69, 0.7, 0.71]])
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


def test_about_is_complete():
    """`ABOUT` is a literal with every key, and a help for every column."""
    about = literal_about('files')
    assert set(about) >= ABOUT_KEYS
    assert all('doi:10.' in citation for citation in about['citation'])
    assert all(column['help'] for column in about['columns'].values())
    assert set(adapter.versions()) - {'pyxtal'} == set(about['requires'])  # it decodes genes, where it is there


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


@pytest.mark.parametrize(
    ('path', 'reason', 'words'),
    [
        ('tmpclash', 'partial_output', 'could not write all of its CIFs'),
        ('_fail_untrained_condition.txt', 'untrained_condition', 'was not trained on'),
        ('_fail_wrong_N.txt', 'wrong_steps', 'another number of steps'),
        ('cond_ignored_guidance0', 'guidance_ignored', 'chemical_system, energy_above_hull'),
    ],
)
def test_what_mattergen_printed_of_a_failure_is_told(path, reason, words):
    """A run that failed, or that lost crystals with return code 0, says so in what it printed."""
    rows = read(data(f'generators/mattergen/{path}'))
    told = [row['rejected'] for row in rows if row.get('rejected', {}).get('reason') == reason]
    assert len(told) == 1
    assert words in told[0]['detail']


@pytest.mark.parametrize('path', ['base', 'cond', 'sg', 'csp'])
def test_what_mattergen_printed_of_a_good_run_is_no_failure(path):
    """A model without conditions, and one that was guided to them, are not taken for one that ignored them."""
    faults = [row['rejected']['reason'] for row in read(data(f'generators/mattergen/{path}')) if 'rejected' in row]
    assert set(faults) <= {'said_elsewhere', 'unreadable'}


def test_mattergen_frames_agree_with_ase():
    """MatterGen's extended XYZ is read as ASE reads it."""
    import ase.io

    source = data('generators/mattergen/base/generated_crystals.extxyz')
    for row, atoms in zip(read(source), ase.io.read(source, ':'), strict=True):
        assert row['structure']['numbers'] == atoms.numbers.tolist()
        assert np.allclose(row['structure']['positions'], atoms.positions, atol=1e-12)
        assert np.allclose(row['structure']['cell'], atoms.cell[:], atol=1e-12)
