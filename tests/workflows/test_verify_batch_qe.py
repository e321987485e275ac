"""The reduced form of the campaign `quickstart-dft`: a hull of Mg-Si by pw.x, with crystals that fail for real."""

import warnings
from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import run_get_node
from dft import HAS_GPAW, OPTIONS, PYTHON_OF_GPAW, QUIET, needs_pw, needs_soft_pseudos, script
from pymatgen.core import Lattice, Structure

from aiida_crystalgen.calculations.verified import judge_verified, tell_outcome
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.convert import from_pymatgen
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.invariant import check_stage
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.data.structures import to_structure_data
from aiida_crystalgen.tools.pseudos import LABEL, make_family
from aiida_crystalgen.workflows.engines.planning import phonon_inputs, verify_inputs
from aiida_crystalgen.workflows.verify import VerifyWorkChain
from aiida_crystalgen.workflows.verify_batch import VerifyBatchWorkChain

pytest.importorskip('aiida_quantumespresso', reason='aiida-quantumespresso is not installed (extra `qe`)')
pytestmark = [pytest.mark.dft, needs_pw, needs_soft_pseudos, *QUIET]
REFERENCES = Path(__file__).parents[2] / 'workchains' / 'quickstart-dft' / 'references'
NAMES = ('Mg_hcp', 'Si_diamond', 'Mg2Si_antifluorite')
# eV/atom, PBE with the same pseudopotentials at 45 Ry and k points every 0.15 1/A: benchmarks/mg2si.py.
CONVERGED = -0.153
NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
KILLER = """
pw.x "$@" &
pid=$!
if grep -qs '^Ge ' aiida.in; then sleep 0.3; kill -9 $pid; fi
wait $pid
"""


def reference(name):
    """Return one of the phases of the campaign."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Structure.from_file(REFERENCES / f'{name}.cif')


def candidates():
    """Return the compound, one that is not stable, and three that fail: overlapping, without a potential, killed."""
    cubic = Lattice.cubic
    return {
        'Mg2Si': reference('Mg2Si_antifluorite'),
        'Si': Structure(cubic(2.53), ['Si'], [[0] * 3]),
        'overlapping': Structure(cubic(4.0), ['Mg', 'Si'], [[0] * 3, [0.075, 0, 0]]),
        'NaSi': Structure(cubic(3.6), ['Na', 'Si'], [[0] * 3, [0.5] * 3]),
        'Ge': Structure(cubic(2.7), ['Ge'], [[0] * 3]),
    }


@pytest.fixture(scope='module')
def table():
    """Return the ranked table."""
    found = candidates()
    crystals = from_pymatgen(list(found.values()), [f'{"a" * 16}-{i}' for i in range(len(found))])
    distances = {'e_hull': make_column([0.0, 0.2, 0.3, 0.3, 0.4], NUMBER)}
    return StructureBatch(crystals.with_columns(distances))


@pytest.fixture(scope='module')
def campaign(local_code, tmp_path_factory, table):
    """Compute the table and its competing phases with pw.x, statically, at the mesh of the campaign."""
    make_family()
    code = local_code(script(tmp_path_factory.mktemp('pw') / 'pw.sh', KILLER), 'pw', 'quantumespresso.pw')
    settings = {'pseudo_family': LABEL, 'elements': ['Mg', 'Si'], 'k_distance': 0.20}
    phases = from_pymatgen([reference(name) for name in NAMES], [f'{"b" * 16}-{i}' for i in range(len(NAMES))])
    phases = phases.with_columns({'source': make_column(list(NAMES), TEXT)})
    builder = VerifyBatchWorkChain.get_builder()
    builder.batch = table
    builder.verify = verify_inputs('qe', {'pw': code}, settings=settings, tasks=('static',), options=OPTIONS)
    builder.phases = ReferenceSet(phases, name='textbook', licence='CC0-1.0', partial=False)
    builder.max_concurrent = orm.Int(2)
    builder.seed = orm.Int(1)
    cheap = {'settings': {**settings, 'k_distance': 0.6}, 'options': OPTIONS}
    small = {'min_length': 4.0, 'max_supercell_atoms': 3}
    phonons = phonon_inputs('qe', {'pw': code}, relax=(), phonons=small, **cheap)
    builder.phonons = {**phonons, 'max_concurrent': orm.Int(2)}
    builder.n_phonons = orm.Int(1)
    return run_get_node(builder)


def test_the_known_compound_is_stable_and_another_one_is_not(campaign, table):
    """Mg2Si lies on the hull, with its formation energy within 15 meV/atom of the converged one; cubic Si is not."""
    outputs, node = campaign
    assert node.is_finished_ok, node.exit_message
    found = outputs['batch'].crystals
    distances, formation = found.values('dft_e_hull'), found.values('dft_formation_energy')
    assert distances[0] == pytest.approx(0, abs=1e-3)
    assert formation[0] == pytest.approx(CONVERGED, abs=0.015)
    assert 0.1 < distances[1] < 0.6
    confusion = outputs['calibration']['confusion']['0.1']
    assert [confusion[name] for name in ('both', 'potential_only', 'dft_only', 'neither')] == [1, 0, 0, 1]


def test_phonons_stand_beside_the_first_crystal(campaign):
    """The primitive cell of Mg2Si vibrates at Gamma; those that were not asked for or failed are unknown."""
    found = campaign[0]['batch'].crystals
    verdicts, lowest = found.values('dft_phonon_verdict'), found.values('dft_phonon_lowest_frequency')
    assert verdicts[0] in ('stable', 'inconclusive'), found.values('dft_phonon_reason')
    assert 5.0 < lowest[0] < 11.0
    assert verdicts[1:] == lowest[1:] == [None] * 4
    assert found.columns['dft_phonon_lowest_frequency'].unit == 'THz'
    assert found.columns['dft_phonon_lowest_frequency'].level != found.columns['dft_e_hull'].level


def test_every_failure_is_a_row_with_its_sentence(campaign, table):
    """Atoms that overlap, an element without a pseudopotential, and pw.x killed at every attempt: no row is lost."""
    outputs, node = campaign
    found = outputs['batch'].crystals
    assert check_stage(table.crystals, found, found.select([])) is None
    assert found.values('dft_status') == ['finished', 'finished', 'failed', 'failed', 'failed']
    _, _, overlapping, unknown, killed = found.values('dft_reason')
    assert 'two atoms are 0.3 A apart' in overlapping
    assert 'no pseudopotential of Na' in unknown
    assert 'The machine broke every attempt' in killed
    assert found.values('dft_e_hull')[2:] == [None] * 3
    chains = {link.link_label: link.node for link in node.base.links.get_outgoing(node_class=orm.WorkChainNode)}
    statuses = [chains[f'verify_crystal_{"a" * 16}_{i}'].exit_status for i in range(5)]
    assert statuses == [0, 0, 300, 301, 407]


@pytest.mark.skipif(not HAS_GPAW, reason='gpaw is not installed (gpaw, gpaw-data)')
def test_energies_of_gpaw_are_refused_on_the_hull(campaign, table, local_code):
    """GPAW computes the same Mg2Si in PBE too; its energy meets neither the hull nor the phases, and both are named."""
    outputs, _ = campaign
    code = local_code(PYTHON_OF_GPAW, 'gpaw')
    settings = {'cutoff_eV': 200.0, 'kpoints': (2, 2, 2)}
    inputs = verify_inputs('gpaw', {'python': code}, settings=settings, tasks=('static',), options=OPTIONS)
    (crystal,) = to_structure_data(table.crystals.select([0]).drop_columns(['e_hull']))
    builder = VerifyWorkChain.get_builder()
    for name, value in inputs.items():
        builder[name] = value
    builder.structure = crystal
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results['results']['functional'] == outputs['level_of_theory']['functional'] == 'PBE'
    told = tell_outcome(crystal, results['level_of_theory'], results['results'], results['structure'])
    hull = outputs['hull']
    with pytest.raises(ValueError, match='one hull needs one level of theory') as error:
        judge_verified(table, outputs['level_of_theory'], hull=hull, one=told)
    assert f'`{hull.level}`' in str(error.value)
    assert f'`{told["level"]}`' in str(error.value)
    builder = VerifyBatchWorkChain.get_builder()
    builder.batch, builder.verify, builder.known_hull = table, inputs, hull
    builder.max_concurrent, builder.seed = orm.Int(1), orm.Int(1)
    with pytest.raises(ValueError, match='do not meet in one hull') as error:
        run_get_node(builder)
    assert hull.level in str(error.value)
    assert told['level'] in str(error.value)
