"""Tests of the modes of the hull: which energies meet, which are corrected, and which are refused."""

import numpy as np
import pytest

from aiida_crystalgen.science import stability
from aiida_crystalgen.science.crystal import Crystal
from tests.science.examples import crystal
from tests.science.test_stability import evaluate, phase, textbook


def formation(**columns: object) -> dict[str, object]:
    """Return the parameters of a hull of formation energies at one level."""
    return {'mode': 'formation', 'level_candidates': 'dft:a', 'level_hull': 'dft:a', **columns}


def test_formation_energies_have_their_elements_at_zero() -> None:
    """A table of formation energies needs no elements, and compares what was given with what is listed."""
    table = [phase(f, 0.0, f'mp-{f}', formation_energy=e) for f, e in (('BaO', -2.84), ('TiO2', -3.26), ('Ba', 0.1))]
    titanate = phase('BaTiO3', -99.0, 'x', given_formation_energy=-3.5, pressure=3.0)
    found = evaluate(titanate, table, **formation())
    assert found['e_hull'] == pytest.approx(-3.5 + 0.4 * 2.84 + 0.6 * 3.26)
    assert found['formation_energy'] == pytest.approx(-3.5)
    assert (found['hull_phases'], found['decomposition']) == (6, '0.6 TiO2 + 0.4 BaO')
    assert found['correction'] is None
    alone = evaluate(phase('XeF2', 0, 'y', given_formation_energy=-0.4), table, **formation())
    assert (alone['e_hull'], alone['hull_phases']) == (-0.4, 2)
    unknown = evaluate(phase('BaO', -3.0, 'z', given_formation_energy=None), table, **formation())
    assert unknown['e_hull_reason'] == 'given_formation_energy is unknown'


def test_a_partial_table_without_a_compound_of_the_system_says_nothing() -> None:
    """Against the elements alone every salt is stable; a table that may lack the competitors does not claim it."""
    table = [phase('BaO', 0.0, 'mp-1', formation_energy=-2.84)]
    fluoride = phase('XeF2', 0, 'y', given_formation_energy=-0.4)
    found = evaluate(fluoride, table, **formation(hull_partial=True))
    assert (found['e_hull'], found['formation_energy']) == (None, -0.4)
    assert found['e_hull_reason'] == 'the competing phases are partial and hold no compound of F-Xe'
    peroxide = phase('BaO2', 0, 'z', given_formation_energy=-2.2)
    assert evaluate(peroxide, table, **formation(hull_partial=True))['e_hull'] is not None


@pytest.mark.parametrize('mode', ['formation', 'custom'])
def test_given_energies_of_two_levels_never_mix(mode: str) -> None:
    """Tables of two levels are refused, and a level that is not stated is not taken for the other."""
    for theirs in ('dft:b', ''):
        with pytest.raises(
            ValueError, match=f'level `dft:a` and the competing phases of level `{theirs}`: a hull needs'
        ):
            evaluate(phase('BaO', -1.0), textbook(), mode=mode, level_candidates='dft:a', level_hull=theirs)


@pytest.mark.parametrize(('mode', 'column'), [('formation', 'formation_energy'), ('custom', 'energy')])
def test_phases_without_the_energies_of_the_mode_are_refused(mode: str, column: str) -> None:
    """Phases of a set without the energies asked for are no empty hull but a mistake."""
    energies = {'given_formation_energy': -1.0, 'given_energy': -1.0}
    for table in ([], textbook()):
        with pytest.raises(ValueError, match=f'mode `{mode}` needs `{column}` of the competing phases'):
            evaluate(phase('BaO', -1.0, 'x', **energies), table, mode=mode)


def test_custom_energies_are_relaxed_or_given_but_not_both() -> None:
    """A batch with enthalpies uses these on every row; one without uses the energies that came with it."""
    table = [phase(f, 0.0, energy=e) for f, e in (('Ba', -2.0), ('O2', -5.0), ('BaO', -6.0))]
    relaxed = [phase('BaO', -6.5, 'x', given_energy=-9.0), phase('BaO', None, 'y', given_energy=-9.0)]  # type: ignore[arg-type]
    found = stability.evaluate(relaxed, {'mode': 'custom'}, {'hull': table})
    assert found['e_hull'] == [-0.5, None]
    given_only = crystal(relaxed[0].numbers, np.zeros((2, 3)), [5, 5, 5], 'x', given_energy=-9.0)
    assert evaluate(given_only, table, mode='custom')['e_hull'] == -3.0
    conventions = {'convention_candidates': 'raw_mp_pbe_u', 'convention_hull': 'mp2020'}
    with pytest.raises(ValueError, match='raw and corrected energies do not meet in one hull: the crystals follow'):
        evaluate(relaxed[0], table, mode='custom', **conventions)


def iron_oxides() -> list[Crystal]:
    """Return phases of iron and oxygen with round energies as computed, and how they were computed."""
    runs: dict[str, tuple[float, str | None, str | None]] = {
        'Fe': (-8.0, 'GGA', None), 'O2': (-5.0, 'GGA', '{}'), 'FeO': (-6.0, 'GGA+U', '{"Fe": 5.3}'),
    }  # fmt: skip
    return [phase(f, 0.0, energy=e, run_type=run, hubbards=u) for f, (e, run, u) in runs.items()]


def hematite(energy: float | None = -6.5, **columns: object) -> Crystal:
    """Return a crystal of the composition of hematite, its oxygens apart, with an energy as computed [eV/atom]."""
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    return crystal([26, 26, 8, 8, 8], places, [5, 5, 5], 'x', energy=energy, **columns)


CORRECTED = {'mode': 'mp2020', 'level_candidates': 'mlip:a', 'level_hull': 'dft:mp'}
RAW_ON_BOTH_SIDES = {**CORRECTED, 'convention_candidates': 'raw_mp_pbe_u', 'convention_hull': 'raw_mp_pbe_u'}


def test_raw_energies_are_corrected_on_both_sides() -> None:
    """Energies of a potential trained on the Materials Project and of its entries meet after their corrections."""
    oxides = [*iron_oxides(), phase('Fe3O4', 0.0, energy=-99.0, run_type='GGA', hubbards='{}')]
    expected_feo = -6.0 - 2.256 / 2 - 0.687 / 2
    found = evaluate(hematite(), oxides, **RAW_ON_BOTH_SIDES)
    assert found['correction'] == pytest.approx(-1.3146)
    assert found['e_hull'] == pytest.approx(-6.5 - 1.3146 - (0.8 * expected_feo + 0.2 * -5.0))
    assert found['hull_phases'] == 3  # without Fe3O4, whose energy lacks its U
    given_alone = crystal([26, 8], [[0, 0, 0], [0.5, 0.5, 0.5]], [3, 3, 3], 'y', given_energy=-6.0)
    assert evaluate(given_alone, oxides, **RAW_ON_BOTH_SIDES)['e_hull'] == pytest.approx(0.0)


def test_corrected_energies_are_taken_as_they_are() -> None:
    """Energies of CHGNet hold the corrections; nothing is added to them."""
    corrected = {**RAW_ON_BOTH_SIDES, 'convention_candidates': 'mp2020'}
    raw, done = (evaluate(hematite(), iron_oxides(), **options) for options in (RAW_ON_BOTH_SIDES, corrected))
    assert done['correction'] == 0.0
    assert done['e_hull'] - raw['e_hull'] == pytest.approx(1.3146)


def test_energies_of_other_conventions_are_refused() -> None:
    """No correction fits energies of another functional; the sentence names both sides."""
    sentence = (
        'the crystals follow the convention `other` at level `mlip:a` and the competing phases follow the convention '
        '`raw_mp_pbe_u` at level `dft:mp`'
    )
    with pytest.raises(ValueError, match=sentence):
        evaluate(hematite(), iron_oxides(), **{**RAW_ON_BOTH_SIDES, 'convention_candidates': 'other'})
    with pytest.raises(
        ValueError, match='there is no hull mode `pbe`; there are: same-model, mp2020, formation, custom'
    ):
        evaluate(hematite(), iron_oxides(), mode='pbe')


def test_what_mode_mp2020_cannot_compare_is_unknown_with_a_reason() -> None:
    """Pressure, missing energies and missing elements are reasons of a row; phases without run types a mistake."""
    squeezed = evaluate(hematite(pressure=2.0), iron_oxides(), **RAW_ON_BOTH_SIDES)
    assert squeezed['e_hull_reason'] == 'MP2020 has no corrections at 2 GPa'
    assert evaluate(hematite(None), iron_oxides(), **RAW_ON_BOTH_SIDES)['e_hull_reason'] == 'energy is unknown'
    iron_free = evaluate(hematite(), iron_oxides()[1:], **RAW_ON_BOTH_SIDES)
    assert (iron_free['e_hull_reason'], iron_free['correction']) == (
        'no reference for element Fe', pytest.approx(-1.3146)
    )  # fmt: skip
    bare = [phase('Fe', 0.0, energy=-8.0)]
    with pytest.raises(ValueError, match='mode `mp2020` needs `run_type` of the competing phases'):
        evaluate(hematite(), bare, **RAW_ON_BOTH_SIDES)
    assert evaluate(hematite(), bare, **{**RAW_ON_BOTH_SIDES, 'convention_hull': 'mp2020'})['hull_phases'] == 1
