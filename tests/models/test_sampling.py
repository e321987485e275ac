"""What is wished of a crystal holds for every crystal drawn, whatever the network says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from small_model import small_model

from aiida_crystalgen.models.wyckoff import WishError
from aiida_crystalgen.models.wyckoff.elements import SYMBOLS, rank
from aiida_crystalgen.models.wyckoff.grammar import Sites, Wishes
from aiida_crystalgen.models.wyckoff.model import make_wishes
from aiida_crystalgen.models.wyckoff.network import label_bins
from aiida_crystalgen.models.wyckoff.sampler import Sampler, Settings
from aiida_crystalgen.models.wyckoff.table import group


def draw(n: int = 24, **wishes):
    """Return what a model without training draws, without the rows that ended nowhere."""
    return [sample for sample in small_model().sample(n, **wishes) if len(sample.numbers)]


def symbols(sample) -> set[str]:
    """Return the elements of a sample."""
    return {SYMBOLS[number] for number in sample.numbers}


def shortest(sample) -> float:
    """Return the shortest distance over the sum of the radii as the criterion `validity` has it."""
    from aiida_crystalgen.science.geometry import shortest_distances
    from aiida_crystalgen.science.validity import radii

    return shortest_distances(sample.cell, sample.positions, radii()[sample.numbers]).ratio


def test_one_seed_gives_one_draw():
    """The same seed gives the same crystals to the last digit, another seed others."""
    first, second, other = draw(8, seed=4), draw(8, seed=4), draw(8, seed=5)
    assert [s.positions.tolist() for s in first] == [s.positions.tolist() for s in second]
    assert [s.columns for s in first] == [s.columns for s in second]
    assert [s.columns for s in first] != [s.columns for s in other]


def test_sites_follow_the_grammar():
    """Sites come in order of element and letter, and a position without free coordinates holds one."""
    for sample in draw(48):
        space_group = group(sample.columns['space_group'])
        labels = [p.label for p in space_group.positions]
        sites = [part.split(':') for part in sample.columns['wyckoff'].split()]
        keys = [(rank(SYMBOLS.index(symbol)), labels.index(label)) for symbol, label in sites]
        assert keys == sorted(keys)
        fixed = [label for _, label in sites if not space_group.positions[labels.index(label)].axes]
        assert len(fixed) == len(set(fixed))
        assert len(sample.numbers) * space_group.centring == sum(int(label[:-1]) for _, label in sites)


def test_space_groups():
    """Only the space groups asked for are drawn, and spglib finds them where the sample is not rejected."""
    from aiida_crystalgen.science.crystal import Crystal
    from aiida_crystalgen.science.validity import space_group

    samples = draw(48, space_groups=[12, 62, 225])
    assert {sample.columns['space_group'] for sample in samples} <= {12, 62, 225}
    kept = [sample for sample in samples if not sample.reason and shortest(sample) > 0.4]
    assert len(kept) > 5
    for sample in kept:
        crystal = Crystal('a', sample.numbers, sample.positions, sample.cell, np.ones(3, bool))
        assert space_group(crystal, 0.01) == sample.columns['space_group']


def test_elements():
    """A chemical system is exact, or a bound; required and excluded elements are, and neon was not trained on."""
    assert all(symbols(s) == {'Li', 'Co', 'O'} for s in draw(chemical_system='Li-Co-O'))
    assert all(symbols(s) <= {'Li', 'Co', 'O'} for s in draw(chemical_system='Li-Co-O', subsystems=True))
    for sample in draw(required=['O', 'Ti'], excluded=['F']):
        assert symbols(sample) >= {'O', 'Ti'}
        assert 'F' not in symbols(sample)
    assert not any('Ne' in symbols(sample) for sample in draw(48))
    with pytest.raises(WishError, match='not trained on Ne'):
        draw(required=['Ne'])


def test_formula():
    """Every crystal has whole formula units, in any space group that can hold them."""
    samples = draw(formula='SrTiO3', max_atoms=20)
    assert len(samples) > 10
    for sample in samples:
        units = int((sample.numbers == 22).sum())
        assert (sample.numbers == 38).sum() == units
        assert (sample.numbers == 8).sum() == 3 * units
        assert 5 <= len(sample.numbers) <= 20


def test_number_of_atoms():
    """The primitive cell holds as many atoms as asked for."""
    assert {len(sample.numbers) for sample in draw(min_atoms=7, max_atoms=7)} == {7}
    assert all(3 <= len(sample.numbers) <= 9 for sample in draw(min_atoms=3, max_atoms=9))


def test_wyckoff_template():
    """All letters of a template are taken, no other ones."""
    for sample in draw(space_groups=[225], template='abc', chemical_system='Li-Cu-Mn'):
        letters = sorted(part[-1] for part in sample.columns['wyckoff'].split())
        assert letters == ['a', 'b', 'c']
        assert symbols(sample) == {'Li', 'Cu', 'Mn'}


def test_wishes_that_cannot_be_kept_are_refused():
    """A sentence says which wish is wrong."""
    for match, wishes in {
        'exactly one space group': {'template': 'ab'},
        'has the letters': {'template': 'az', 'space_groups': [225]},
        'no space group of those allowed': {'formula': 'NaCl', 'space_groups': [230], 'max_atoms': 8},
        'both required and excluded': {'required': ['O'], 'excluded': ['O']},
        'required that is not allowed': {'required': ['O'], 'chemical_system': 'Na-Cl', 'subsystems': True},
        'no element': {'chemical_system': 'Na-Xx'},
        'no formula': {'formula': 'Na2(SO4)'},
        'elements occur': {'formula': 'NaCl', 'required': ['O']},
        'no number of atoms': {'min_atoms': 5, 'max_atoms': 4},
    }.items():
        with pytest.raises(WishError, match=match):
            draw(1, **wishes)


def test_clearance_keeps_atoms_apart():
    """With the mask more crystals keep their distances, and none loses its symmetry by it."""
    shares = [np.mean([shortest(s) > 0.6 for s in draw(64, max_atoms=12, clearance=c)]) for c in (0.0, 0.6)]
    assert shares[1] > shares[0] + 0.1


def test_temperature_moves_what_it_is_said_to_move():
    """Cold letters, cells and coordinates are the likeliest; space groups and elements obey `variety` alone."""

    def different(name: str, **settings) -> int:
        return len({str(sample.columns[name]) for sample in draw(48, max_atoms=12, **settings)})

    assert different('space_group', temperature=0.05) > 2 * different('space_group', variety=0.01)
    # With space group and elements given, cold letters and numbers leave one crystal.
    wishes = {'formula': 'NaCl', 'space_groups': [225], 'max_atoms': 4, 'variety': 0.01}
    assert len({sample.columns['logp'] for sample in draw(16, temperature=0.01, **wishes)}) == 1
    assert len({sample.columns['logp'] for sample in draw(16, temperature=1.0, **wishes)}) > 1


def test_log_probability_is_that_of_the_whole_crystal():
    """Step by step, with caches and masks, the log-probability is what the network says of the finished crystal."""
    model = small_model()
    sampler = Sampler(model.network, model.volumes, Settings())
    drawn = sampler.draw(16, Wishes(max_atoms=12), [0, 0], np.zeros(119), np.random.default_rng(2))
    crystals = [row for row in drawn if row.crystal is not None]
    known = model.log_probability([row.crystal for row in crystals])
    assert len(crystals) > 8
    assert known == pytest.approx([row.logp for row in crystals], abs=1e-2)


def test_guidance_and_labels_change_what_is_drawn():
    """Labels are binned, unknown ones are 0, and guidance draws other crystals."""
    assert label_bins(np.array([[0.0, np.nan], [10.0, -9.0]])).tolist() == [[1, 0], [7, 1]]
    plain, guided = (draw(e_above_hull=0.0, guidance=g) for g in (0.0, 2.0))
    assert [s.columns for s in plain] != [s.columns for s in guided]


def test_lists_of_sites_never_end_in_nothing():
    """With a formula every choice that is offered can be completed: a random walk never gets stuck."""
    rng = np.random.default_rng(0)
    wishes = make_wishes(formula='Mg2SiO4', max_atoms=28)
    for number in wishes.groups()[::12]:
        for _ in range(5):
            sites = Sites(group(number), wishes)
            while (element := int(rng.choice(sites.elements()))) or not sites.chosen:
                sites.add(element, int(rng.choice(sites.letters(element))))
            assert sites.atoms % 7 == 0


def test_sampling_imports_no_other_tool():
    """Torch and numpy are enough: neither pymatgen nor spglib is imported."""
    source = (
        'import sys; sys.path.insert(0, sys.argv[1]); from small_model import small_model; small_model().sample(2); '
        'print([name for name in ("pymatgen", "spglib", "scipy", "aiida", "pyxtal") if name in sys.modules])'
    )
    command = [sys.executable, '-c', source, str(__file__).rsplit('/', 1)[0]]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == '[]'
