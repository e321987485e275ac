"""A campaign of atoms put into a host: copper with three vacancies takes up aluminium and gold."""

import pytest

CAMPAIGN = """
version: 1
name: vacancies
seed: 1
protocol: fast
conditions:
  host: host.cif
  insert: {Al: 1, Au: 1}
generators:
  - {type: insertion, n: 8, parameters: {min_distance_factor: 0.8, tries: 200}}
potential:
  type: emt
screen:
  postscreen:
    framework: {}
filters:
  e_hull: null
  framework_max_displacement: {max: 1.0}
"""
ROWS = """
import numpy as np
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain).first(flat=True)
names = ('framework_max_displacement', 'framework_mean_displacement', 'framework_volume_change', 'volume_change',
         'n_inserted', 'host_site', 'host_position', 'rejected_reason')
rows = []
for output in ('table', 'rejected'):
    for row in root.outputs[output].crystals.rows():
        found = {name: row['columns'].get(name) for name in names}
        rows.append({**found, 'output': output, 'numbers': row['numbers'].tolist(), 'cell': row['cell'].tolist(),
                     'positions': row['positions'].tolist()})
print(json.dumps(rows))
"""


def write_host(path):
    """Write copper of 32 sites without three of them."""
    from pymatgen.core import Lattice, Structure

    host = Structure.from_spacegroup('Fm-3m', Lattice.cubic(3.61), ['Cu'], [[0, 0, 0]])
    host.make_supercell(2)
    host.remove_sites([0, 9, 20])
    host.to(str(path))


@pytest.fixture(scope='module')
def rows(new_machine):
    """Run the campaign and return its rows."""
    machine = new_machine()
    write_host(machine.folder / 'host.cif')
    path = machine.folder / 'campaign.yaml'
    path.write_text(CAMPAIGN)
    machine.crystalgen('check', path)
    machine.crystalgen('run', path)
    return machine.python(ROWS)


@pytest.mark.campaign
def test_every_request_is_a_row_with_its_host(rows):
    """All eight crystals hold the host and what was put in; every site tells which of the two it is."""
    assert len(rows) == 8
    for row in rows:
        assert sorted(row['numbers']) == [13, *[29] * 29, 79]
        assert row['host_site'] == [*range(29), -1, -1]
        assert row['n_inserted'] == 2


@pytest.mark.campaign
def test_displacement_of_the_framework_is_a_column(rows):
    """Each crystal of the table was relaxed, which moved its framework a little and made room for gold."""
    table = [row for row in rows if row['output'] == 'table']
    assert table
    for row in table:
        assert 0.01 < row['framework_mean_displacement'] < row['framework_max_displacement'] < 1.0
        assert row['framework_volume_change'] == pytest.approx(row['volume_change'] - 1, abs=1e-9)


@pytest.mark.campaign
def test_displacement_is_that_of_pymatgen(rows):
    """The largest displacement agrees with the nearest images that pymatgen finds, the mean vector taken out."""
    import numpy as np
    from pymatgen.core import Lattice
    from pymatgen.util.coord import pbc_shortest_vectors

    for row in [row for row in rows if row['framework_max_displacement'] is not None]:
        lattice, before = Lattice(row['cell']), np.array(row['host_position'])[:29]
        after = lattice.get_fractional_coords(np.array(row['positions'])[:29])
        moves = np.array([pbc_shortest_vectors(lattice, [a], [b])[0, 0] for a, b in zip(before, after, strict=True)])
        expected = np.linalg.norm(moves - moves.mean(axis=0), axis=1).max()
        assert row['framework_max_displacement'] == pytest.approx(expected, abs=1e-6)
