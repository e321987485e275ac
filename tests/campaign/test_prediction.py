"""Crystal structure prediction: real campaigns that look for known crystals, some of them planted."""

import csv
import io
import json
import textwrap

import numpy as np
import pytest

RANDOM = """
version: 1
name: metals
seed: 1
protocol: fast
targets:
  structures: targets
  candidates: 6
generators:
  - type: random
    parameters: {rattle: 0.05}
  - type: files
    files: planted
potential:
  type: emt
  parameters: {fmax: 0.03}
"""
PLANTED = """
version: 1
name: planted
seed: 1
targets: {structures: targets, candidates: 3}
generators:
  - {type: files, files: planted}
"""


def write_targets(folder):
    """Write fcc copper and gold, and two polymorphs of CuAu: L1_0 and rocksalt."""
    from pymatgen.core import Lattice, Structure

    sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    crystals = {
        'Cu_fcc': Structure(Lattice.cubic(3.61), ['Cu'] * 4, sites),
        'Au_fcc': Structure(Lattice.cubic(4.08), ['Au'] * 4, sites),
        'CuAu_L10': Structure(Lattice.tetragonal(2.8, 3.67), ['Cu', 'Au'], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        # Not caesium chloride: along the path of Bain the matcher takes it for L1_0 at two of three tolerances.
        'CuAu_B1': Structure.from_spacegroup('Fm-3m', Lattice.cubic(5.3), ['Cu', 'Au'], [[0, 0, 0], [0.5] * 3]),
    }
    folder.mkdir()
    for name, structure in crystals.items():
        structure.to(str(folder / f'{name}.cif'))
    return crystals


def write_planted(folder, crystals):
    """Write candidates in the order in which they are read: for each composition what it says."""
    from pymatgen.core import Lattice, Structure

    folder.mkdir()
    copper = crystals['Cu_fcc']
    # Displaced along one axis against each other, the two copper atoms of a body-centred cell are far from fcc.
    wrong = Structure(Lattice.orthorhombic(2.3, 3.4, 6.2), ['Cu'] * 4, np.random.default_rng(0).random((4, 3)))
    wrong.to(str(folder / 'a_Cu_wrong.cif'))
    supercell = copper.copy()
    supercell.make_supercell([2, 1, 1])
    supercell.scale_lattice(supercell.volume * 1.1)
    supercell.to(str(folder / 'b_Cu_copy.cif'))
    crystals['CuAu_L10'].to(str(folder / 'c_CuAu_copy.cif'))
    (folder / 'd_broken.cif').write_text('data_broken\n_cell_length_a 3\n')


def write(folder, text, name='campaign.yaml'):
    """Write a campaign with its targets and planted crystals."""
    if not (folder / 'targets').exists():
        write_planted(folder / 'planted', write_targets(folder / 'targets'))
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip())
    return path


PREDICTION = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
called = sorted(link.link_label for link in root.base.links.get_outgoing().all())
print(json.dumps([root.outputs.prediction.get_dict(), called]))
"""


def rows_of(text):
    """Return the rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.campaign
def test_planted_crystals_give_the_rates_that_they_must(machine):
    """Without a potential: copper at the second try, gold never, one of two polymorphs of CuAu at once."""
    machine.crystalgen('run', write(machine.folder, PLANTED, 'planted.yaml'))
    found, _ = machine.python(PREDICTION)
    files = found['generators']['files']
    assert (files['draws'], files['targets'], files['requested'], files['relaxed']) == (3, 4, 9, None)
    for tolerance in found['tolerances']:
        first, last = (files['as_drawn'][tolerance][k] for k in ('1', '3'))
        assert (first['match_rate']['count'], last['match_rate']['count']) == (1, 2)
        assert (last['match_rate']['rate'], last['metre']['rate']) == (pytest.approx(2 / 3), 0.5)
        assert last['rmse'] == pytest.approx(0.0, abs=1e-4)
        assert last['crmse'] == pytest.approx(found['tolerances'][tolerance]['sites'] / 2, abs=1e-4)
    nearest = {target['name'].split('.')[0]: target['as_drawn']['files'] for target in found['targets']}
    assert {name for name, value in nearest.items() if value is None} == {'Au_fcc', 'CuAu_B1'}


@pytest.mark.campaign
def test_generator_is_told_every_composition(machine):
    """Each composition is a draw of its own, the targets are relaxed alike, and energies stand against them."""
    machine.crystalgen('run', write(machine.folder, RANDOM))
    found, called = machine.python(PREDICTION)
    draws = [label for label in called if label.startswith('draw_')]
    assert draws == ['draw_files', 'draw_random_Au', 'draw_random_Cu', 'draw_random_CuAu']
    random = found['generators']['random']
    assert (random['draws'], random['targets'], random['requested']) == (3, 4, 18)
    # One atom of a metal in a primitive cell is fcc or near it once it is relaxed.
    assert random['relaxed']['loose']['6']['match_rate']['count'] >= 2
    assert random['energies']['candidates'] > 0
    assert found['level'].startswith('emt') or 'emt' in found['level']
    assert all(target['enthalpy'] is not None for target in found['targets'])
    rows = rows_of(machine.crystalgen('table', '--csv'))
    copper = [row for row in rows if row['formula'] == 'Cu' and row['target'].startswith('Cu_fcc')]
    assert copper
    assert float(copper[0]['energy_over_target']) == pytest.approx(0.0, abs=2e-3)
    assert {row['generator'] for row in rows} <= {'files', 'random_Au', 'random_Cu', 'random_CuAu'}


@pytest.mark.campaign
def test_check_refuses_what_cannot_be_found(machine):
    """A generator that cannot be told a composition and a number beside that of the targets are named."""
    text = PLANTED.replace('{type: files, files: planted}', '{type: substitution, n: 3, files: planted}')
    path = write(machine.folder, text, 'deaf.yaml')
    result = machine.run('aiida-crystalgen', 'check', path, check=False)
    assert result.returncode != 0
    assert '`substitution` cannot be told a composition' in result.stdout + result.stderr
    potential = 'potential: {type: emt}\n'
    text = PLANTED.replace('{type: files, files: planted}', 'type: random').replace('targets,', 'oxide,') + potential
    (machine.folder / 'oxide').mkdir()
    write_oxide(machine.folder / 'oxide')
    result = machine.run('aiida-crystalgen', 'run', write(machine.folder, text, 'oxide.yaml'), check=False)
    assert result.returncode != 0
    assert 'the potential `emt` does not know Mg' in result.stdout + result.stderr


def write_oxide(folder):
    """Write rocksalt MgO."""
    from pymatgen.core import Lattice, Structure

    sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
    Structure.from_spacegroup('Fm-3m', Lattice.cubic(4.21), ['Mg', 'O'], sites).to(str(folder / 'MgO.cif'))


@pytest.mark.campaign
def test_same_seed_finds_the_same(machine):
    """The campaign run again, with nothing taken from the cache, says the same of every target."""
    path = write(machine.folder, RANDOM)
    machine.crystalgen('run', path)
    first = machine.python(PREDICTION)[0]
    machine.crystalgen('run', path, '--fresh')
    assert json.dumps(machine.python(PREDICTION)[0], sort_keys=True) == json.dumps(first, sort_keys=True)
