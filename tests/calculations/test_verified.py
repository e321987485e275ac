"""Results of an engine back in the batch, and the hull of its level of theory."""

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_crystalgen.calculations.dft_hull import build_dft_hull, choose_competitors, level_label
from aiida_crystalgen.calculations.verified import (
    COLUMNS,
    calibrate_potential,
    judge_verified,
    promote_rows,
    tell_outcome,
)
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.invariant import check_stage
from aiida_crystalgen.data.reference import ReferenceSet

TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
FLAG = {'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'help': '', 'level': ''}
NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
MG, SI, NA = 12, 14, 11
QE = {'engine': 'qe', 'functional': 'PBE', 'fingerprint': '1' * 16}
GPAW = {'engine': 'gpaw', 'functional': 'PBE', 'fingerprint': '2' * 16}


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean):
    """Give every test a profile."""


def row(draw, place, *numbers, **columns):
    """Return a crystal of some atoms on a line."""
    positions = [[2.5 * i, 0, 0] for i in range(len(numbers))]
    cell = np.diag([2.5 * len(numbers), 3.0 + place, 3.0])
    return {'id': f'{draw * 16}-{place}', 'numbers': list(numbers), 'positions': positions, 'cell': cell,
            'pbc': [True] * 3, 'columns': columns}  # fmt: skip


def table():
    """Return two crystals of Mg-Si on the short list and one beside it."""
    known = {'valid_relaxed': True, 'unique': True, 'novel_known': True}
    rows = [
        row('a', 4, MG, SI, shortlisted=True, e_hull=0.01, **known),
        row('a', 2, MG, MG, SI, shortlisted=True, e_hull=0.0, **known),
        row('a', 7, NA, SI, shortlisted=False, e_hull=0.02, **known),
    ]
    flags = dict.fromkeys(('shortlisted', 'valid_relaxed', 'unique', 'novel_known'), FLAG)
    return StructureBatch(Crystals.from_rows(rows, {**flags, 'e_hull': NUMBER}))


def phases(partial=False):
    """Return known crystals: those of Mg-Si, one of them twice, and one with sodium."""
    rows = [
        row('b', 0, MG, source='magnesium'),
        row('b', 1, SI, source='silicon'),
        row('b', 2, MG, MG, SI, source='antifluorite'),
        {**row('b', 1, SI, source='silicon again'), 'id': f'{"b" * 16}-9'},
        row('b', 4, NA, source='sodium'),
    ]
    return ReferenceSet(Crystals.from_rows(rows, {'source': TEXT}), name='textbook', partial=partial)


def outcome(crystal, energy=None, level=QE, status='finished'):
    """Return what became of a crystal at a level of theory."""
    crystal_id, numbers, place = crystal['id'], list(crystal['numbers']), crystal['cell']
    results = {'energy_per_atom': energy, 'n_atoms': len(numbers), 'volume_A3': 20.0 * len(numbers),
               'pressure_GPa': 0.1, 'max_force': 0.001, 'band_gap_eV': None, 'magnetization_density': 0.0}  # fmt: skip
    relaxed = {'numbers': [int(z) for z in numbers], 'positions': np.asarray(crystal['positions']).tolist(),
               'cell': np.asarray(place).tolist(), 'pbc': [True] * 3}  # fmt: skip
    content = {'id': crystal_id, 'status': status, 'exit_status': 0, 'level': level_label(orm.Dict(level)),
               'reason': None if status == 'finished' else 'it did not converge', 'results': results}  # fmt: skip
    if status == 'failed':
        content['results'] = None
    return orm.Dict({**content, 'relaxed': relaxed})


def hull_of(energies, chosen=None, **inputs):
    """Return the hull of the phases with the energies [eV/atom] given; None is a phase that failed."""
    chosen = chosen or choose_competitors(phases(), table())['phases']
    outcomes = {
        f'phase_{i}': outcome(crystal, energy, status='failed' if energy is None else 'finished')
        for i, (crystal, energy) in enumerate(zip(chosen.crystals.rows(), energies, strict=True))
    }
    return chosen, build_dft_hull(chosen, phases(), orm.Dict(QE), **inputs, **outcomes)


def columns(batch, *names):
    """Return some columns."""
    return [batch.crystals.values(name) for name in names]


def test_competitors_lie_within_the_system_of_a_candidate_each_once():
    """Phases of equal geometry are one; those with other elements, or of crystals beside the short list, are none."""
    chosen = choose_competitors(phases(), table())
    assert chosen['phases'].crystals.values('source') == ['magnesium', 'silicon', 'antifluorite']
    assert chosen['missing'].ids == chosen['phases'].ids


def test_only_the_short_list_is_promoted():
    """One structure for each crystal on the short list, labelled with its id; a number takes the best of them."""
    found = promote_rows(table())
    assert {node.label for node in found.values()} == {f'{"a" * 16}-4', f'{"a" * 16}-2'}
    assert [node.label for node in promote_rows(table(), orm.Int(1)).values()] == [f'{"a" * 16}-4']


def test_distances_are_those_of_the_textbook():
    """With a compound at -0.15 eV/atom, a copy of it lies on the hull and another composition above the tie line."""
    chosen, hull = hull_of([-1.0, -5.0, -1.0 * 2 / 3 - 5.0 / 3 - 0.15])
    assert hull.level == 'qe:PBE:1111111111111111'
    crystals = list(table().crystals.rows())
    batch = judge_verified(
        table(),
        orm.Dict(QE),
        hull=hull,
        phases=chosen,
        one=outcome(crystals[0], -3.0 + 0.1),
        two=outcome(crystals[1], -1.0 * 2 / 3 - 5.0 / 3 - 0.15),
    )
    assert check_stage(table().crystals, batch.crystals, batch.crystals.select([])) is None
    distances, formation, decomposition = columns(batch, 'dft_e_hull', 'dft_formation_energy', 'dft_decomposition')
    assert distances == [pytest.approx(0.1 + 0.15 * 0.75), pytest.approx(0, abs=1e-9), None]
    assert formation == [pytest.approx(0.1), pytest.approx(-0.15), None]
    assert decomposition[0] == '0.75 Mg2Si + 0.25 Si'
    assert columns(batch, 'dft_volume_per_atom', 'dft_status')[0] == [20.0, 20.0, None]
    assert set(COLUMNS) <= set(batch.crystals.columns)


@pytest.mark.parametrize(
    ('energies', 'lacking', 'formation'),
    [([-1.0, -5.0, None], 'Mg2Si (antifluorite)', True), ([-1.0, None, -2.5], 'Si (silicon)', False)],
)
def test_an_incomplete_reference_gives_no_distance(energies, lacking, formation):
    """The phase without an energy is named; the formation energy stays where the elements are all there."""
    chosen, hull = hull_of(energies)
    crystal = next(iter(table().crystals.rows()))
    batch = judge_verified(table(), orm.Dict(QE), hull=hull, phases=chosen, one=outcome(crystal, -2.9))
    (distance, *_), (reason, *_), (energy, *_) = columns(
        batch, 'dft_e_hull', 'dft_e_hull_reason', 'dft_formation_energy'
    )
    assert distance is None
    assert reason == f'the reference is incomplete: the engine has no energy of {lacking}'
    assert (energy is not None) == formation


@pytest.mark.parametrize('status', ['failed', 'unconverged'])
def test_a_crystal_that_did_not_finish_is_a_row_with_its_reason(status):
    """It has no distance; what is known of an unconverged one is told."""
    chosen, hull = hull_of([-1.0, -5.0, -2.5])
    crystal = next(iter(table().crystals.rows()))
    told = outcome(crystal, -2.9, status=status)
    batch = judge_verified(table(), orm.Dict(QE), hull=hull, phases=chosen, one=told)
    assert [values[0] for values in columns(batch, 'dft_status', 'dft_reason', 'dft_e_hull', 'dft_e_hull_reason')] == [
        status, 'it did not converge', None, f'the calculation is {status}',
    ]  # fmt: skip
    assert columns(batch, 'dft_energy_per_atom')[0][0] == (None if status == 'failed' else -2.9)


def test_the_outcome_is_that_of_the_whole_chain():
    """The relaxation inside it takes the same crystal, ended later and well, and does not speak for the chain."""
    (crystal,) = promote_rows(table(), orm.Int(1)).values()
    for label, status, message in (
        ('VerifyWorkChain', 403, 'The electrons of <12> are lost'),
        ('PwRelaxWorkChain', 0, None),
    ):
        chain = orm.WorkChainNode()
        chain.base.links.add_incoming(crystal, LinkType.INPUT_WORK, 'structure')
        chain.set_process_label(label)
        chain.set_process_state('finished')
        chain.set_exit_status(status)
        chain.set_exit_message(message)
        chain.store()
    told = tell_outcome(crystal, orm.Dict(QE)).get_dict()
    assert (told['status'], told['exit_status'], told['reason']) == ('failed', 403, 'The electrons of  are lost')


def test_an_earlier_hull_gives_the_same_hull():
    """Phases that were computed before are not missing, and the node is the same to its hash."""
    chosen, without = hull_of([-1.0, -5.0, -2.5])
    _, part = hull_of([-1.0, -5.0], chosen=StructureBatch(chosen.crystals.select([0, 1])))
    again = choose_competitors(phases(), table(), known_hull=part)
    assert again['missing'].crystals.values('source') == ['antifluorite']
    crystal = chosen.crystals.row(2)
    with_it = build_dft_hull(again['phases'], phases(), orm.Dict(QE), known_hull=part, phase_2=outcome(crystal, -2.5))
    assert with_it.base.caching.get_hash() == without.base.caching.get_hash()


def test_energies_of_two_engines_never_meet():
    """A crystal, a phase or a hull of GPAW is refused at QE's level, and the other way round; both are named."""
    chosen, hull = hull_of([-1.0, -5.0, -2.5])
    crystal = next(iter(table().crystals.rows()))
    theirs = outcome(crystal, -2.9, level=GPAW)
    calls = (
        lambda: judge_verified(table(), orm.Dict(QE), hull=hull, phases=chosen, one=theirs),
        lambda: judge_verified(table(), orm.Dict(GPAW), hull=hull, phases=chosen, one=theirs),
        lambda: build_dft_hull(chosen, phases(), orm.Dict(QE), phase_0=theirs),
        lambda: build_dft_hull(chosen, phases(), orm.Dict(GPAW), known_hull=hull),
    )
    for call in calls:
        with pytest.raises(ValueError, match='one hull needs one level of theory') as error:
            call()
        assert 'qe:PBE:1111111111111111' in str(error.value)
        assert 'gpaw:PBE:2222222222222222' in str(error.value)


def test_the_potential_is_calibrated_on_what_both_judged():
    """Counts, errors and levels of both sides; rows without DFT count as requested alone."""
    chosen, hull = hull_of([-1.0, -5.0, -2.4])
    first, second, _ = table().crystals.rows()
    batch = judge_verified(
        table(), orm.Dict(QE), hull=hull, phases=chosen, one=outcome(first, -2.9), two=outcome(second, -2.4)
    )
    found = calibrate_potential(batch, orm.Dict(QE), orm.Int(1)).get_dict()
    assert (found['tried'], found['finished'], found['compared']) == (2, 2, 2)
    assert (found['level_potential'], found['level_dft']) == ('toy', 'qe:PBE:1111111111111111')
    assert found['confusion']['0.05']['potential_only'] == 1
    assert found['sun']['0.05']['potential'] == 3
    assert found['margin']['value'] is None
