"""What stands beside the crystals in tables and entries, public tables, and partly occupied sites."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from generator_job import cif_text as cif
from generator_job import data, job, load, read_files, readers
from harness_job import MANY, Job
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry, ManualEnergyAdjustment

from aiida_crystalgen.bundles import adapter_bundle

# They lie beside `readers`, in a folder that `generator_job` adds to the path.
import crystal_tables  # isort: skip
import crystal_text  # isort: skip

adapter = load('files')

MGO = Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.212), ['Mg', 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
ALLOY = Structure(Lattice.cubic(3), [{'Mg': 0.25, 'Ca': 0.75}, 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
VACANT = Structure(Lattice.cubic(3), [{'Mg': 0.9}, 'O'], [[0, 0, 0], [0.5, 0.5, 0.5]])
NEVER = re.compile('(?!)')
OPERATIONS = "loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n  1  'x, y, z'\n"
HEADERS = {
    'MP-20': 'material_id,formation_energy_per_atom,band_gap,pretty_formula,e_above_hull,elements,cif,'
             'spacegroup.number',
    'MPTS-52': 'material_id,cif,formation_energy_per_atom,energy_above_hull,theoretical,year',
    'Perov-5': ',material_id,cif,formula,heat_all,heat_ref,dir_gap,ind_gap',
    'Alex-MP-20': 'material_id,cif,chemical_system,dft_band_gap,dft_bulk_modulus,dft_mag_density,energy_above_hull,'
                  'hhi_score,ml_bulk_modulus,space_group',
}  # fmt: skip


def first_row(header: str) -> str:
    """Return a table of one row, in which every number is -1 and every other cell a word."""
    cells = {'cif': f'"{cif(MGO)}"', 'material_id': 'mp-1', 'formula': 'MgO', '': '0'}
    return f'{header}\n' + ','.join(cells.get(name, '-1') for name in header.split(',')) + '\n'


def entry_of(structure: Structure = MGO, **changes) -> dict:
    """Return a computed entry as pymatgen writes it."""
    entry = ComputedStructureEntry(
        structure, -40.0, energy_adjustments=[ManualEnergyAdjustment(-2.0)], entry_id='mp-1265',
        parameters={'run_type': 'GGA+U', 'hubbards': {'Fe': 5.3}}, data={'e_above_hull': 0.01},
    )  # fmt: skip
    return {**json.loads(json.dumps(entry.as_dict())), **changes}


def test_other_cells_of_a_table_are_kept(tmp_path):
    """An entry carries the other cells of its row, empty ones left out."""
    (tmp_path / 'a.csv').write_text(f'Material_ID,cif,e_above_hull,gap\nmp-7,"{cif(MGO)}",0.5,\n')
    (entry,) = readers.entries(tmp_path)
    assert entry.beside == {'material_id': 'mp-7', 'e_above_hull': '0.5'}
    assert crystal_tables.identity(entry.beside) == 'mp-7'


def test_energies_of_a_computed_entry(tmp_path):
    """The energy of an entry is uncorrected and of its cell; what its calculation was is kept for corrections."""
    (tmp_path / 'a.json').write_text(json.dumps([entry_of()]))
    (entry,) = readers.entries(tmp_path)
    found = crystal_tables.energies(entry.beside, 8)
    assert found == {'energy': pytest.approx(-5.0), 'formation_energy': None, 'listed_e_hull': 0.01}
    assert crystal_tables.parameters(entry.beside) == {'run_type': 'GGA+U', 'hubbards': '{"Fe":5.3}'}
    assert crystal_tables.identity(entry.beside) == 'mp-1265'


@pytest.mark.parametrize(
    ('beside', 'energy'),
    [
        ({'energy_per_atom': '-3.5'}, -3.5),
        ({'energy_per_atom': -3.5, 'uncorrected_energy_per_atom': -3.0}, -3.0),
        ({'energy': '-3.5'}, None),
        ({'energy_per_atom': 'nan'}, None),
        ({'energy_per_atom': True}, None),
        ({}, None),
    ],
)
def test_only_energies_that_are_clear_are_taken(beside, energy):
    """Uncorrected energies come first; a number that may be of the cell or of the atom is not guessed at."""
    assert crystal_tables.energies(beside, 2)['energy'] == energy


@pytest.mark.parametrize('name', HEADERS)
def test_public_tables_are_recognised(tmp_path, name):
    """A public table is known by its columns: its name, and that it is partial; more columns do not matter."""
    (tmp_path / 'train.csv').write_text(first_row(HEADERS[name]))
    (tmp_path / 'wider.csv').write_text(first_row(HEADERS[name] + ',mine'))
    (tmp_path / 'narrower.csv').write_text(first_row(HEADERS[name].replace('material_id', 'mine')))
    narrower, known, wider = readers.entries(tmp_path)
    assert (known.about['name'], known.about['partial']) == (name, True)
    assert wider.about == known.about
    assert not narrower.about


@pytest.mark.parametrize(
    ('path', 'name', 'convention'),
    [
        ('mp_reference.csv.gz', 'MP-20 and MPTS-52', 'formation'),
        ('carbon_24_val.csv.gz', 'Carbon-24', 'other'),
        ('perov_5_val.csv.gz', 'Perov-5', None),
        ('wbm_val.csv.gz', 'WBM', 'formation'),
        ('mp_made_or_virtual.csv.gz', None, None),
    ],
)
def test_real_tables_are_recognised(path, name, convention):
    """Published files are known by their columns; a table that is not known claims nothing."""
    about = readers.entries(data(path))[0].about
    assert (about.get('name'), about.get('convention')) == (name, convention)


def test_anybodys_table_is_not_taken_for_wbm(tmp_path):
    """Columns that anybody may have need the name of the file as well."""
    table = first_row(',cif,formation_energy_per_atom,band_gap')
    (tmp_path / 'mine.csv').write_text(table)
    (tmp_path / 'wbm_test.csv').write_text(table)
    assert [entry.about.get('name') for entry in readers.entries(tmp_path)] == [None, 'WBM']


def test_heats_of_perovskites_are_no_formation_energies():
    """`heat_all` is measured from competing phases: it lies near 0 for oxides that form with some -3 eV/atom."""
    heats = {entry.beside['formula']: entry.beside for entry in readers.entries(data('perov_5_test.csv.gz'))}
    heats.update((entry.beside['formula'], entry.beside) for entry in readers.entries(data('perov_5_val.csv.gz')))
    found = crystal_tables.energies(heats['LaAlO3'], 5)
    assert found['formation_energy'] is None
    assert abs(found['listed_e_hull']) < 0.2


def test_file_of_a_fetcher(tmp_path):
    """The file says of itself what it is; an entry may lack an energy."""
    about = {'format': 'crystalgen.reference', 'format_version': 1, 'name': 'oxides', 'level': 'PBE', 'url': 'x'}
    content = {'about': about, 'entries': [entry_of(), entry_of(energy=None)]}
    (tmp_path / 'a.json.gz').write_bytes(gzip.compress(json.dumps(content).encode()))
    first, second = readers.entries(tmp_path)
    assert first.about == {'name': 'oxides', 'level': 'PBE'}
    assert crystal_tables.energies(second.beside, 8)['energy'] is None


def test_file_of_a_newer_fetcher_is_refused(tmp_path):
    """A version that is not known is not guessed at."""
    about = {'format': 'crystalgen.reference', 'format_version': 2}
    (tmp_path / 'a.json').write_text(json.dumps({'about': about, 'entries': [entry_of()]}))
    (entry,) = readers.entries(tmp_path)
    assert 'version 2' in entry.content.detail


def test_given_energies_become_columns(tmp_path):
    """The generator writes the energies that the files give, at the level that it is told; no others are declared."""
    (tmp_path / 'a.json').write_text(json.dumps([entry_of(), entry_of(ALLOY)]))
    (tmp_path / 'b.cif').write_text(cif(MGO))
    given = job({'level': 'PBE'}, files=tmp_path)
    columns = adapter.columns(given)
    assert set(columns) == {'source_file', 'source_entry', 'given_energy', 'given_e_hull'}
    assert (columns['given_energy']['level'], columns['given_e_hull']['level']) == ('PBE', '')
    first, second, third = read_files(tmp_path)
    assert (first['columns']['given_energy'], first['columns']['given_e_hull']) == (-5.0, 0.01)
    assert second['rejected']['reason'] == 'partial_occupancy'
    assert 'given_energy' not in third['columns']


def test_the_bundle_declares_what_it_writes(tmp_path):
    """As a job on a compute node: the columns that the worker announces are those of the rows."""
    (tmp_path / 'a.csv').write_text(f'material_id,cif,formation_energy_per_atom\nmp-7,"{cif(MGO)}",-3.0\n')
    assets = {'files': str(tmp_path / 'a.csv')}
    job = Job(tmp_path / 'job', '', MANY[:1], module='adapter', parameters={'level': 'PBE'}, assets=assets)
    (job.folder / 'bundle.zip').write_bytes(adapter_bundle('generator', 'files'))
    rows = job.run().rows
    assert rows[MANY[0]]['columns']['given_formation_energy'] == -3.0
    declared = json.loads((job.folder / 'hello.json').read_text())['columns']
    assert declared['given_formation_energy']['level'] == 'PBE'
    assert set(declared) == set(rows[MANY[0]]['columns'])


def test_no_energies_no_columns(tmp_path):
    """Plain files have the columns of the source alone."""
    (tmp_path / 'b.cif').write_text(cif(MGO))
    assert set(adapter.columns(job(files=tmp_path))) == {'source_file', 'source_entry'}


@pytest.mark.parametrize('form', ['json', 'cif', 'symmetric', 'long way'])
def test_partly_occupied_sites_are_kept_when_asked_for(form, monkeypatch):
    """Every route gives the same occupancies, and the element with the largest share as the number of the site."""
    monkeypatch.setattr(crystal_text, 'WRITTEN_CIF', NEVER if form == 'long way' else crystal_text.WRITTEN_CIF)
    text = cif(ALLOY)
    if form == 'symmetric':
        text = text.replace(OPERATIONS, '').replace("'P 1'", "'P m -3 m'").replace('number   1\n', 'number   221\n')
    kind, content = ('dict', ALLOY.as_dict()) if form == 'json' else ('cif', text)
    entry = readers.Entry('a', '', kind, content)
    found = readers.read(entry, partial=True)
    assert found['numbers'] == [20, 8]
    assert found['occupancies'] == [{'Mg': 0.25, 'Ca': 0.75}, {'O': 1.0}]
    with pytest.raises(readers.RefusedError, match='only ordered crystals can be used'):
        readers.read(entry)


def test_ordered_crystals_have_no_occupancies():
    """Asking for partly occupied sites changes nothing where there are none."""
    assert crystal_text.parse('cif', cif(MGO), partial=True) == crystal_text.parse('cif', cif(MGO))


def test_vacancies_are_what_is_left():
    """A site that is not full keeps its share."""
    assert crystal_text.parse('cif', cif(VACANT), partial=True)['occupancies'] == [{'Mg': 0.9}, {'O': 1.0}]


@pytest.mark.parametrize(
    ('shares', 'expected'),
    [
        ({'Cu': 0.33, 'Au': 0.33, 'Ag': 0.33}, {'Cu': 1 / 3, 'Au': 1 / 3, 'Ag': 1 / 3}),
        ({'D': 0.5, 'H': 0.5}, None),
        ({'Fe': 0.99}, {'Fe': 0.99}),
    ],
)
def test_rounded_shares_fill_a_site(shares, expected):
    """Thirds with two digits fill a site, deuterium is hydrogen, and one element alone is never filled up."""
    species = [{'element': name, 'occu': share} for name, share in shares.items()]
    crystal = {
        'lattice': {'matrix': [[3, 0, 0], [0, 3, 0], [0, 0, 3]]},
        'sites': [{'species': species, 'abc': [0] * 3}],
    }
    found = crystal_text.parse('dict', crystal, partial=True).get('occupancies')
    assert found == (None if expected is None else [pytest.approx(expected)])


@pytest.mark.parametrize(('share', 'words'), [('0.9', 'add up to'), ('-0.5', 'an occupancy of -0.5')])
def test_impossible_shares_are_refused(share, words):
    """More than one atom a site, or less than none, is an error of the file."""
    text = cif(ALLOY).replace('0.25\n', f'{share}\n')
    with pytest.raises(crystal_text.UnusableError, match=words):
        crystal_text.parse('cif', text, partial=True)


def test_whole_atoms_at_one_place_stay_two_sites():
    """Only partly occupied sites share a position; whole atoms on top of each other are an error for others to see."""
    overlap = Structure(Lattice.cubic(4), ['Mg', 'Mg', 'O'], [[0, 0, 0], [0, 0, 0], [0.5, 0.5, 0.5]])
    found = crystal_text.parse('cif', cif(overlap), partial=True)
    assert found['numbers'] == [12, 12, 8]
    assert 'occupancies' not in found


def test_the_quick_way_reads_what_the_long_way_reads(monkeypatch):
    """CIFs as pymatgen writes them are read bit for bit as by its own reader."""
    entries = readers.entries(data('mp_reference.csv.gz'))[:20000:400]
    assert all(crystal_text.WRITTEN_CIF.fullmatch(entry.content) for entry in entries)
    quick = [readers.read(entry) for entry in entries]
    monkeypatch.setattr(crystal_text, 'WRITTEN_CIF', NEVER)
    assert quick == [readers.read(entry) for entry in entries]


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ("'P 1'", "'P -1'"),
        ("  1  'x, y, z'\n", "  1  'x, y, z'\n  2  '-x, -y, -z'\n"),
        ("'x, y, z'", "'-x, y, z'"),
        ('0.50000000', '0.5(1)'),
        ('0.50000000', '?'),
        ('_atom_site_occupancy', '_atom_site_u'),
    ],
)
def test_any_other_cif_takes_the_long_way(old, new):
    """The quick way is for one form only."""
    assert crystal_text.WRITTEN_CIF.fullmatch(cif(MGO))
    assert crystal_text.WRITTEN_CIF.fullmatch(cif(MGO).replace(old, new)) is None
