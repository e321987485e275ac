"""Files of generators as `files` reads them: what CrystaLLM, OMatG, Chemeleon, ADiT, CDVAE, SymmCD and FlowMM write."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import tarfile

import numpy as np
import pytest
from generator_job import cif_text, read_files, readers, structure
from pymatgen.core import Lattice, Structure

SALT = Structure.from_spacegroup('Fm-3m', Lattice.cubic(5.64), ['Na', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]])
RUTILE = Structure.from_spacegroup(
    'P4_2/mnm', Lattice.tetragonal(4.594, 2.959), ['Ti', 'O'], [[0, 0, 0], [0.3051, 0.3051, 0]]
)
LOW = Structure(
    Lattice.from_parameters(4.1234567, 5.2345678, 6.3456789, 81, 95, 105), ['Ti', 'O', 'O'],
    [[0.0123, 0.0456, 0.0789], [0.3112, 0.3223, 0.3334], [0.6987, 0.7076, 0.7165]],
)  # fmt: skip
# As the model of CrystaLLM writes: properties of the elements, a space group, its sites, and no operation but one.
CRYSTALLM = """data_Ti2O4
loop_
_atom_type_symbol
_atom_type_electronegativity
_atom_type_radius
_atom_type_ionic_radius
Ti 1.5400 1.4000 0.8517
O 3.4400 0.6000 1.2600
_symmetry_space_group_name_H-M P4_2/mnm
_cell_length_a 4.5940
_cell_length_b 4.5940
_cell_length_c 2.9590
_cell_angle_alpha 90.0000
_cell_angle_beta 90.0000
_cell_angle_gamma 90.0000
_symmetry_Int_Tables_number 136
_chemical_formula_structural TiO2
_chemical_formula_sum 'Ti2 O4'
_cell_volume 62.4490
_cell_formula_units_Z 2
loop_
_symmetry_equiv_pos_site_id
_symmetry_equiv_pos_as_xyz
1 'x, y, z'
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_symmetry_multiplicity
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Ti Ti0 2 0.0000 0.0000 0.0000 1.0
O O1 4 0.3051 0.3051 0.0000 1.0
"""


def reasons(rows: list[dict]) -> list[str]:
    """Return why rows end, `ok` where they do not."""
    return [row.get('rejected', {}).get('reason', 'ok') for row in rows]


def tar(path, members: dict[str, str], mode: str = 'w:gz') -> None:
    """Write a tar of texts."""
    with tarfile.open(path, mode) as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def same(row: dict, expected: Structure) -> bool:
    """Tell whether a row is a crystal, whatever the cell it was written in."""
    return structure(row).matches(expected)


# CrystaLLM.


def test_raw_cif_of_crystallm_gets_its_symmetry(tmp_path):
    """The sites of a raw CIF are not taken for the whole cell."""
    (tmp_path / 'sample_1.cif').write_text(CRYSTALLM)
    (row,) = read_files(tmp_path)
    assert structure(row).composition.formula == 'Ti2 O4'
    assert same(row, RUTILE)


def test_raw_cif_that_was_cut_short_is_refused(tmp_path):
    """A text that the limit of tokens ended lists fewer atoms than its formula says, or none."""
    for name, text in {
        'a.cif': CRYSTALLM[: CRYSTALLM.index('O O1')],
        'b.cif': CRYSTALLM[: CRYSTALLM.index('_atom_site_type')],
        'c.cif': CRYSTALLM.replace('P4_2/mnm', 'P4_9/mnm'),
        'd.cif': CRYSTALLM.replace('3051 0.3051', '3051 0.4051'),
    }.items():
        (tmp_path / name).write_text(text)
    rows = read_files(tmp_path)
    assert reasons(rows) == ['formula_mismatch', 'unreadable', 'unreadable', 'formula_mismatch']
    assert 'announces Ti2 O4 and its sites are Ti2' in rows[0]['rejected']['detail']
    assert 'no space group' in rows[2]['rejected']['detail']


def test_archive_of_crystallm(tmp_path):
    """The `.tar.gz` of `generate_cifs.py` is read member by member, as .tgz and .tar too."""
    members = {f'prompt__{k}.cif': CRYSTALLM for k in (1, 2)} | {'prompt__3.cif': 'data_Ti2O4\nloop_\n'}
    tar(tmp_path / 'out.tar.gz', members)
    tar(tmp_path / 'out.tgz', members)
    tar(tmp_path / 'out.tar', members, 'w')
    rows = read_files(tmp_path)
    assert reasons(rows) == ['ok', 'ok', 'unreadable'] * 3
    assert [row['columns']['source_file'] for row in rows[3:6]] == [f'out.tar.gz/prompt__{k}.cif' for k in (1, 2, 3)]
    assert same(rows[0], RUTILE)


# Archives that are up to something.


def test_tar_members_that_point_outside_are_refused(tmp_path):
    """Absolute paths, `..`, links, devices and nested archives are rows; nothing is written anywhere."""
    path = tmp_path / 'evil.tar.gz'
    text = cif_text(SALT)
    tar(path, dict.fromkeys(('../a.cif', '/a.cif', 'a/../../b.cif', 'good.cif', 'in.tgz', '.hidden.cif'), text))
    with gzip.open(path) as stream:
        plain = stream.read()
    (tmp_path / 'plain.tar').write_bytes(plain)
    with tarfile.open(tmp_path / 'plain.tar', 'a') as archive:
        for name, kind in (
            ('link.cif', tarfile.SYMTYPE),
            ('hard.cif', tarfile.LNKTYPE),
            ('pipe.cif', tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, '/etc/passwd'
            archive.addfile(info)
    path.write_bytes(gzip.compress((tmp_path / 'plain.tar').read_bytes()))
    (tmp_path / 'plain.tar').unlink()
    rows = {row['columns']['source_file'].partition('/')[2]: row for row in read_files(path)}
    found = {name: row.get('rejected', {}).get('reason', 'ok') for name, row in rows.items()}
    outside = dict.fromkeys(('../a.cif', '/a.cif', 'a/../../b.cif', 'link.cif', 'hard.cif', 'pipe.cif'), 'unsafe_path')
    assert found == {**outside, 'good.cif': 'ok', 'in.tgz': 'unreadable'}
    assert [item.name for item in tmp_path.iterdir()] == ['evil.tar.gz']


def test_tar_bombs_are_bounded(tmp_path):
    """What unpacks to more than the limit is refused, members and the whole."""
    tar(tmp_path / 'bomb.tar.gz', {'a.cif': ' ' * 2_000_000})
    tar(tmp_path / 'two.tar', {'a.cif': ' ' * 600_000, 'b.cif': ' ' * 600_000}, 'w')
    (tmp_path / 'two.tar.gz').write_bytes(gzip.compress((tmp_path / 'two.tar').read_bytes()))
    (tmp_path / 'two.tar').unlink()
    listed = readers.entries(tmp_path, limit=1_000_000)
    assert [entry.content.reason for entry in listed] == ['too_large', 'too_large']
    listed = readers.entries(tmp_path / 'two.tar.gz', limit=1_210_000)
    assert [entry.content.reason for entry in listed] == ['unreadable', 'unreadable']


@pytest.mark.parametrize('cut', [-1400, 700, 20])
def test_tar_that_is_cut_short_keeps_what_is_whole(tmp_path, cut):
    """A truncated archive gives its whole members and one row that says so."""
    tar(tmp_path / 'whole.tar', {'a.cif': cif_text(SALT), 'b.cif': cif_text(RUTILE)}, 'w')
    data = (tmp_path / 'whole.tar').read_bytes().rstrip(b'\0')
    (tmp_path / 'whole.tar').write_bytes(data[:cut])
    rows = read_files(tmp_path)
    assert reasons(rows)[-1] == 'unreadable' or reasons(rows)[0] == 'unreadable'
    assert reasons(rows).count('unreadable') == 1
    assert reasons(rows).count('ok') == (1 if cut < 0 else 0)


def test_tar_with_a_damaged_header(tmp_path):
    """Members after a damaged header are not lost without a word."""
    tar(tmp_path / 'x.tar', {'a.cif': cif_text(SALT), 'b.cif': cif_text(RUTILE)}, 'w')
    data = bytearray((tmp_path / 'x.tar').read_bytes())
    data[data.index(b'b.cif') + 1] = 7
    (tmp_path / 'x.tar').write_bytes(data)
    assert sorted(reasons(read_files(tmp_path))) == ['ok', 'unreadable']


# OMatG, which appends with ASE.


def append(path, crystals: list[Structure]) -> None:
    """Append crystals as OMatG does."""
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    ase.io.write(path, [AseAtomsAdaptor.get_atoms(crystal, msonable=False) for crystal in crystals], append=True)


def test_extxyz_of_omatg(tmp_path):
    """Frames are read as they were written; those of a second run with the same seed are told from the first."""
    moved = LOW.copy().perturb(0.1)
    append(tmp_path / 'out.xyz', [LOW, moved])
    first = read_files(tmp_path)
    assert [len(structure(row)) for row in first] == [3, 3]
    assert np.allclose(structure(first[0]).cart_coords, LOW.cart_coords, atol=1e-7)
    append(tmp_path / 'out.xyz', [LOW, moved])
    rows = read_files(tmp_path)
    assert reasons(rows) == ['ok', 'ok', 'appended_again', 'appended_again']
    assert 'repeats frame 1' in rows[3]['rejected']['detail']


def test_round_frames_may_come_twice(tmp_path):
    """Crystals with all atoms at special places can be equal on purpose."""
    append(tmp_path / 'out.xyz', [SALT, SALT])
    assert reasons(read_files(tmp_path)) == ['ok', 'ok']


def test_start_of_omatg_is_no_crystal(tmp_path):
    """The random start that OMatG writes beside its crystals is not imported."""
    append(tmp_path / 'out.xyz', [LOW])
    append(tmp_path / 'out_init.xyz', [LOW.copy().perturb(0.5)])
    rows = read_files(tmp_path)
    assert reasons(rows) == ['ok', 'said_elsewhere']
    assert 'random start of out.xyz' in rows[1]['rejected']['detail']
    assert reasons(read_files(tmp_path / 'out_init.xyz')) == ['ok']


# Chemeleon, ADiT.


def test_output_of_chemeleon(tmp_path):
    """CIFs of ASE are read; the JSON beside them holds the same crystals and is read only alone."""
    import ase.io
    from monty.serialization import dumpfn
    from pymatgen.io.ase import AseAtomsAdaptor

    for number, crystal in enumerate([SALT, LOW]):
        formula = crystal.formula.replace(' ', '')
        ase.io.write(tmp_path / f'sample_{number}_{formula}.cif', AseAtomsAdaptor.get_atoms(crystal, msonable=False))
    dumpfn([SALT, LOW], tmp_path / 'generated_structures.json.gz')
    rows = read_files(tmp_path)
    assert reasons(rows) == ['said_elsewhere', 'ok', 'ok']
    assert same(rows[1], SALT)
    assert same(rows[2], LOW)
    alone = read_files(tmp_path / 'generated_structures.json.gz')
    assert [same(row, crystal) for row, crystal in zip(alone, (SALT, LOW), strict=True)] == [True, True]


def test_output_of_adit(tmp_path):
    """CIFs as pymatgen writes them, numbered by the sample."""
    for number, crystal in enumerate([SALT, LOW]):
        crystal.to(str(tmp_path / f'crystal_{number}.cif'))
    assert [same(row, crystal) for row, crystal in zip(read_files(tmp_path), (SALT, LOW), strict=True)] == [True, True]


# The `.pt` family.


def tables(crystals: list[Structure]) -> dict:
    """Return the tables of the `.pt` family."""
    torch = pytest.importorskip('torch')
    return {
        'frac_coords': torch.tensor(np.concatenate([crystal.frac_coords for crystal in crystals])),
        'atom_types': torch.tensor([number for crystal in crystals for number in crystal.atomic_numbers]),
        'num_atoms': torch.tensor([len(crystal) for crystal in crystals]),
        'lengths': torch.tensor([crystal.lattice.abc for crystal in crystals]),
        'angles': torch.tensor([crystal.lattice.angles for crystal in crystals]),
    }


@pytest.mark.parametrize('name', ['eval_gen.pt', 'eval_opt.pt'])
def test_output_of_cdvae(tmp_path, name):
    """Generated and optimised crystals have a leading axis, of evaluations and of one."""
    import torch

    content = {key: value.unsqueeze(0) for key, value in tables([SALT, LOW]).items()}
    extra = {'eval_setting': argparse.Namespace(num_evals=1), 'time': 3.2}
    stacks = {'all_frac_coords_stack': [], 'all_atom_types_stack': []} if name == 'eval_gen.pt' else {}
    torch.save({**extra, **content, **stacks}, tmp_path / name)
    assert [same(row, crystal) for row, crystal in zip(read_files(tmp_path), (SALT, LOW), strict=True)] == [True, True]


def test_output_of_symmcd(tmp_path):
    """Keys of its own do no harm, and its CSV (the last crystal of each run, appended) is read only alone."""
    import torch

    extra = {
        'eval_setting': argparse.Namespace(label='x'), 'spacegroups': torch.tensor([225, 1]),
        'site_symmetries': torch.zeros(len(SALT) + len(LOW), 15, 13),
    }  # fmt: skip
    torch.save({**tables([SALT, LOW]), **extra}, tmp_path / 'eval_gen_x.pt')
    for _ in range(2):
        with open(tmp_path / 'crystal_x.csv', 'a', newline='') as handle:
            csv.writer(handle, delimiter=' ').writerow([LOW.to(fmt='cif')])
    rows = read_files(tmp_path)
    assert reasons(rows) == ['said_elsewhere', 'ok', 'ok']
    assert [same(row, crystal) for row, crystal in zip(rows[1:], (SALT, LOW), strict=True)] == [True, True]
    alone = read_files(tmp_path / 'crystal_x.csv')
    assert reasons(alone) == ['ok', 'appended_again']
    assert same(alone[0], LOW)


def test_output_of_flowmm(tmp_path):
    """Consolidated tables hold a list of evaluations; predictions before that are refused with the remedy."""
    import torch

    content = {key: [value] for key, value in tables([SALT, LOW]).items()}
    lattices = [torch.tensor(np.array([crystal.lattice.matrix for crystal in (SALT, LOW)]))]
    torch.save({**content, 'lattices': lattices, 'batch_indices': [torch.arange(2)]}, tmp_path / 'consolidated.pt')
    torch.save([[{'frac_coords': torch.zeros(1, 3)}]], tmp_path / 'predictions_00.pt')
    torch.save({**tables([SALT, LOW]), 'eval_setting': None}, tmp_path / 'eval.pt')
    rows = read_files(tmp_path)
    assert reasons(rows) == ['ok', 'ok', 'ok', 'ok', 'unreadable']
    assert same(rows[1], LOW)
    assert same(rows[3], LOW)
    assert '`evaluate.py consolidate` first' in rows[4]['rejected']['detail']


def test_table_with_a_column_of_cifs(tmp_path):
    """The published tables of FlowMM have an unnamed index and a column `cif`."""
    with open(tmp_path / 'flowmm.csv', 'w', newline='') as handle:
        rows = csv.writer(handle)
        rows.writerow(['', 'cif', 'e_above_hull'])
        rows.writerows([number, crystal.to(fmt='cif'), 0.1] for number, crystal in enumerate([SALT, LOW]))
    found = read_files(tmp_path)
    assert [same(row, crystal) for row, crystal in zip(found, (SALT, LOW), strict=True)] == [True, True]
    assert found[0]['columns']['given_e_hull'] == 0.1


# What has no coordinates, or cannot be opened safely.


def test_samples_of_crystal_gfn_say_what_they_lack(tmp_path):
    """Each row of Crystal-GFN is a row with a reason."""
    text = ',readable,energies\n0,"SpaceGroup 225; Na1Cl1; (5.6, 5.6)",-1.2\n1,"SpaceGroup 1; C2; (3, 3)",-0.2\n'
    (tmp_path / 'gfn_samples.csv').write_text(text)
    rows = read_files(tmp_path)
    assert reasons(rows) == ['no_coordinates', 'no_coordinates']
    assert 'Crystal-GFN samples no coordinates' in rows[0]['rejected']['detail']


def test_pickles_are_not_opened(tmp_path):
    """A pickle is refused by its name, whatever it holds."""
    (tmp_path / 'gfn_samples.pkl').write_bytes(b'\x80\x04N.')
    (row,) = read_files(tmp_path)
    assert row['rejected']['reason'] == 'unsafe'
    assert 'opening a pickle can run any code' in row['rejected']['detail']


def test_other_forms_of_one_output_are_read_once(tmp_path):
    """In a folder of MatterGen or CrystalFormer each crystal is imported once."""
    append(tmp_path / 'generated_crystals.extxyz', [LOW])
    (tmp_path / 'generated_crystals_cif.zip').write_bytes(b'')
    (tmp_path / 'generated_trajectories.zip').write_bytes(b'')
    (tmp_path / 'output_221.csv').write_text('L,X,A,W,M\n"[]","[]","[]","[]","[]"\n')
    (tmp_path / 'output_221_struct.csv').write_text('cif\n"{}"\n')
    rows = {row['columns']['source_file']: row for row in read_files(tmp_path)}
    twins = ['generated_crystals_cif.zip', 'generated_trajectories.zip', 'output_221_struct.csv']
    assert [name for name, row in rows.items() if reasons([row]) == ['said_elsewhere']] == twins
    assert 'read from output_221.csv beside it' in rows['output_221_struct.csv']['rejected']['detail']
