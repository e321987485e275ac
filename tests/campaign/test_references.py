"""Known crystals in real campaigns: reused hulls and indexes, formation energies, levels that differ."""

import csv
import io
import json
import textwrap
from pathlib import Path

import pytest

from .conftest import write_references

CAMPAIGN = """
version: 1
name: {name}
seed: 3
protocol: fast
generators:
  - type: random
    n: 10
    parameters: {{chemical_system: {system}, max_atoms: 4, rattle: 0.1}}
potential:
  type: emt
  parameters: {{fmax: {fmax}}}
references:
  phases: references
  known: known
filters:
  e_hull: null
resources:
  index_from: 2
"""
TABLE = """
version: 1
name: table
seed: 1
generators:
  - type: files
    files: crystals.csv
    parameters: {{level: {of_crystals}}}
references:
  phases: phases.csv
  known: phases.csv
  mode: formation
  level: {of_phases}
filters:
  e_hull: null
"""
# What the latest campaign was given of earlier ones, and how many competing phases it relaxed.
REUSE = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
screen = root.base.links.get_outgoing(link_label_filter='screen').first().node
called = {link.link_label: link.node for link in screen.base.links.get_outgoing().all()}
relaxed = called['references'].inputs.batch.base.attributes.get('n_crystals') if 'references' in called else 0
given = {label for label in ('known_hull', 'known_index') if label in screen.inputs}
print(json.dumps([relaxed, sorted(given), 'index_known' in called, root.outputs.hull.crystals.values('source')]))
"""


def write(folder, system, *, fmax=0.05, name='campaign.yaml'):
    """Write a campaign on a chemical system, with references for copper, gold and silver beside it."""
    from pymatgen.core import Lattice, Structure

    if not (folder / 'references').exists():
        write_references(folder / 'references')
        sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        Structure(Lattice.cubic(4.09), ['Ag'] * 4, sites).to(str(folder / 'references' / 'Ag.cif'))
        write_references(folder / 'known')
    path = folder / name
    path.write_text(textwrap.dedent(CAMPAIGN).lstrip().format(name=path.stem, system=system, fmax=fmax))
    return path


def rows_of(text):
    """Return the rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope='module')
def machine(new_machine):
    """Return a machine on which a campaign on copper and gold has run."""
    machine = new_machine()
    machine.crystalgen('run', write(machine.folder, 'Au-Cu', name='first.yaml'))
    return machine


@pytest.mark.campaign
def test_overlapping_system_relaxes_only_the_new_phases(machine):
    """Only silver is new; the hull holds phases of its own system only; the table is the same as without reuse."""
    assert machine.python(REUSE)[:3] == [4, [], True]
    path = write(machine.folder, 'Ag-Cu', name='second.yaml')
    machine.crystalgen('run', path)
    relaxed, given, indexed, sources = machine.python(REUSE)
    assert (relaxed, given, indexed) == (1, ['known_hull', 'known_index'], False)
    assert [source.split('.')[0] for source in sources] == ['Ag', 'Cu']
    with_it = machine.crystalgen('table', '--csv')
    machine.crystalgen('run', path, '--fresh')
    assert machine.python(REUSE)[:3] == [2, [], True]
    assert machine.crystalgen('table', '--csv') == with_it


@pytest.mark.campaign
def test_changed_protocol_reuses_no_phase(machine):
    """Phases relaxed to another force are not those of this campaign; the index does not depend on it."""
    machine.crystalgen('run', write(machine.folder, 'Ag-Cu', fmax=0.06, name='tighter.yaml'))
    assert machine.python(REUSE)[:3] == [2, ['known_index'], False]


@pytest.mark.campaign
def test_crystals_with_formation_energies_need_no_potential(machine):
    """A table is judged as it is, against another table and the elements, which neither of them holds."""
    write_tables(machine.folder)
    path = machine.folder / 'table.yaml'
    path.write_text(textwrap.dedent(TABLE).lstrip().format(of_crystals='textbook', of_phases='textbook'))
    machine.crystalgen('run', path)
    rows = {row['formula']: row for row in rows_of(machine.crystalgen('table', '--csv'))}
    assert float(rows['Cu3Au']['e_hull']) == pytest.approx(0.02)
    assert float(rows['CuAu']['e_hull']) == pytest.approx(0.05)
    assert rows['CuAu']['matches_known'] == 'phase-1'


@pytest.mark.campaign
def test_levels_that_differ_are_named(machine):
    """Formation energies of two levels end the campaign with both named."""
    write_tables(machine.folder)
    path = machine.folder / 'mixed.yaml'
    path.write_text(textwrap.dedent(TABLE).lstrip().format(of_crystals='theirs', of_phases='ours'))
    result = machine.run('aiida-crystalgen', 'run', path, check=False)
    assert result.returncode != 0
    assert '`theirs`' in result.stdout + result.stderr
    assert '`ours`' in result.stdout + result.stderr


def write_tables(folder):
    """Write two tables of CIFs with formation energies [eV/atom]; the elements are not in them."""
    from pymatgen.core import Lattice, Structure

    sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    cu3au = Structure(Lattice.cubic(3.75), ['Au', 'Cu', 'Cu', 'Cu'], sites)
    cuau = Structure(Lattice.tetragonal(2.8, 3.67), ['Cu', 'Au'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    tables = {
        'phases.csv': [('phase-0', cu3au, -0.07), ('phase-1', cuau, -0.08)],
        'crystals.csv': [('a', cu3au, -0.05), ('b', cuau, -0.03)],
    }
    for name, entries in tables.items():
        with (folder / name).open('w', newline='') as handle:
            writer = csv.writer(handle)
            writer.writerow(['material_id', 'formation_energy_per_atom', 'cif'])
            writer.writerows((label, energy, structure.to(fmt='cif')) for label, structure, energy in entries)


MP2020 = """
version: 1
name: oxide
seed: 1
protocol: fast
generators:
  - type: files
    files: oxide.cif
potential:
  type: chgnet
references:
  phases: set:li-o
  mode: mp2020
filters:
  e_hull: null
"""


@pytest.mark.campaign
def test_corrected_potential_meets_the_hull_of_the_materials_project(machine):
    """CHGNet's Li2O lies near the corrected hull of Materials Project entries, and is not corrected a second time."""
    documents = json.loads((Path(__file__).parents[1] / 'fetch' / 'mp_thermo.json').read_text())['documents']
    entries = [entry for document in documents for entry in document['entries'].values()]
    (machine.folder / 'entries.json').write_text(json.dumps(entries))
    facts = ('--name', 'li-o', '--convention', 'raw_mp_pbe_u', '--level', 'Materials Project PBE(+U)')
    machine.crystalgen('reference', 'add', machine.folder / 'entries.json', *facts)
    oxide = next(entry for entry in entries if entry['data']['material_id'] == 'mp-1960')
    from pymatgen.core import Structure

    Structure.from_dict(oxide['structure']).scale_lattice(25.5).to(str(machine.folder / 'oxide.cif'))
    path = machine.folder / 'mp2020.yaml'
    path.write_text(MP2020.lstrip())
    machine.crystalgen('run', path)
    (row,) = rows_of(machine.crystalgen('table', '--csv'))
    assert (row['formula'], float(row['correction']), row['novel_known'].lower()) == ('Li2O', 0.0, 'false')
    # CHGNet is 0.057 eV/atom above the corrected energy of Li2O; one correction too many or too few is 0.229.
    assert float(row['e_hull']) == pytest.approx(0.057, abs=0.01)
    header = machine.python("""
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
print(json.dumps(root.outputs.table.crystals.columns['e_hull'].level))
""")
    assert header.startswith('mlip:chgnet')
    assert header.endswith('+MP2020(require_exact)')
