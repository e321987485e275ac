"""Tests of the hulls by chemical system: against pymatgen, against the linear programme, and at speed."""

import math
import random
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from aiida_crystalgen.science import diagram
from aiida_crystalgen.science.crystal import composition_of
from aiida_crystalgen.science.hull import Hull, Phase
from benchmarks import hull as figures
from tests.science.examples import MP, needs_data

ELEMENTS = (3, 8, 12, 15, 26, 30)


def phase(formula: str, enthalpy: float, name: str = '', source: str = '') -> Phase:
    """Return a phase of a formula and an enthalpy [eV/atom]."""
    counts = {element.Z: round(n) for element, n in Composition(formula).items()}
    divisor = math.gcd(*counts.values())
    return Phase(name or formula, tuple(sorted((z, n // divisor) for z, n in counts.items())), enthalpy, source)


def by_pymatgen(phases: list[Phase], one: Phase) -> float:
    """Return the energy of the hull of some phases at the composition of another [eV/atom]."""
    inside = [p for p in phases if set(p.system) <= set(one.system)]
    entries = [PDEntry(composition_of(p.key), p.enthalpy * sum(n for _, n in p.key)) for p in inside]
    return float(PhaseDiagram(entries).get_hull_energy_per_atom(composition_of(one.key)))


def by_linear_programme(phases: list[Phase], one: Phase) -> float:
    """Return the energy of the hull without facets [eV/atom]."""
    inside = [p for p in phases if set(p.system) <= set(one.system)]
    points = np.array([[dict(p.key).get(z, 0) / sum(n for _, n in p.key) for z in one.system] for p in inside])
    energies = np.array([p.enthalpy for p in inside])
    chosen, amounts = diagram._optimum(points, energies, one.fractions)
    return float(amounts @ energies[chosen])


@st.composite
def systems(draw: st.DrawFn) -> list[Phase]:
    """Draw the phases of two to six elements; coarse energies make many of them lie on one plane."""
    elements = ELEMENTS[: draw(st.integers(2, 6))]
    digits = draw(st.sampled_from([0, 1, 6]))
    energy = st.floats(-2, 0.3).map(lambda value: round(value, digits))
    counts = st.tuples(*[st.integers(0, 4)] * len(elements)).filter(lambda c: sum(map(bool, c)) > 1)
    phases = [Phase(f'element {z}', ((z, 1),), draw(energy), '') for z in elements]
    for i, (amounts, value) in enumerate(draw(st.lists(st.tuples(counts, energy), max_size=14))):
        divisor = math.gcd(*amounts)
        key = tuple((z, n // divisor) for z, n in zip(elements, amounts, strict=True) if n)
        phases.append(Phase(str(i), key, value, ''))
    return phases


@settings(deadline=None, max_examples=60)
@given(phases=systems(), order=st.randoms())
def test_each_phase_against_the_hull_of_the_others(phases: list[Phase], order: random.Random) -> None:
    """Facets, the facets cut anew around a phase left out, and the linear programme agree, in any order of phases."""
    hull = Hull(phases)
    shuffled = list(phases)
    order.shuffle(shuffled)
    other = Hull(shuffled)
    for one in phases:
        assert hull.energy(one.key) == pytest.approx(by_linear_programme(phases, one), abs=1e-9)
        assert other.energy(one.key) == hull.energy(one.key)
        assert [p.id for _, p in other.mixture(one.key)] == [p.id for _, p in hull.mixture(one.key)]
        others = [p for p in phases if p is not one]
        if len(one.key) > 1:
            alone = hull.without(one.id)
            assert alone.energy(one.key) == pytest.approx(by_linear_programme(others, one), abs=1e-9)
            assert other.without(one.id).energy(one.key) == alone.energy(one.key)


@settings(deadline=None, max_examples=25)
@given(phases=systems())
def test_competing_phases_are_those_near_the_hull(phases: list[Phase]) -> None:
    """With a phase left out the others compete by their own distance to their hull, in systems that hold it too."""
    hull, system = Hull(phases), tuple(p.key[0][0] for p in phases if len(p.key) == 1)
    for one in phases[len(system) :][:2]:
        others = [p for p in phases if p is not one]
        found = {p.id: above for above, p in hull.without(one.id).competing(system, 0.5)}
        wanted = {p.id: max(0.0, p.enthalpy - by_linear_programme(others, p)) for p in others}
        assert found == pytest.approx({name: above for name, above in wanted.items() if above <= 0.5 + 1e-9}, abs=1e-9)


def test_hull_without_facets_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where qhull fails the linear programme answers."""
    phases = [phase('Ba', 0), phase('O2', 0), phase('Ti', 0), phase('BaO', -2.8), phase('TiO2', -3.2)]
    phases.append(phase('BaTiO3', -3.4))
    asked = phase('Ba2TiO4', -3.0)
    expected = Hull(phases).energy(asked.key), Hull(phases).without('BaTiO3').energy(phases[-1].key)
    monkeypatch.setattr(diagram, '_lower_facets', lambda points, energies: np.empty((0, points.shape[1]), dtype=int))
    found = Hull(phases).energy(asked.key), Hull(phases).without('BaTiO3').energy(phases[-1].key)
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_phase_left_out_leaves_its_polymorph() -> None:
    """The next polymorph takes the place of the one left out, and twins take the place of each other."""
    elements = [phase('Mg', 0), phase('O2', 0)]
    hull = Hull([*elements, phase('MgO', -3.0, 'a'), phase('MgO', -2.9, 'b'), phase('MgO', -3.0, 'c')])
    key = phase('MgO', 0).key
    assert hull.without('a').energy(key) == -3.0
    assert Hull([*elements, phase('MgO', -3.0, 'a'), phase('MgO', -2.9, 'b')]).without('a').energy(key) == -2.9
    assert Hull([*elements, phase('MgO', -3.0, 'a')]).without('a').energy(key) == 0.0
    assert hull.without('nobody') is hull
    assert Hull([phase('Mg', 0)]).without('Mg').missing((12,)) == [12]


def test_competing_phases_name_compounds_before_elements() -> None:
    """Of phases on the hull those of more elements come first; the window takes those above it."""
    hull = Hull([phase('Mg', 0), phase('Mg', 0.04, 'hot'), phase('O2', 0), phase('MgO', -3), phase('MgO2', -1.9)])
    assert [p.id for _, p in hull.competing((8, 12), 0.05)] == ['MgO', 'Mg', 'O2', 'hot']
    near = hull.competing((8, 12), 0.0)
    assert [(above, p.id) for above, p in near] == [(0.0, 'MgO'), (0.0, 'Mg'), (0.0, 'O2')]
    assert [p.id for _, p in hull.without('MgO').competing((8, 12), 0.0)] == ['MgO2', 'Mg', 'O2']


def test_system_of_many_elements() -> None:
    """A crystal of more elements than subsystems can be listed for is compared all the same."""
    elements = [phase(symbol, 0.0) for symbol in ('H', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Na', 'Mg', 'Al', 'Si')]
    hull = Hull([*elements, phase('LiF', -3.0)])
    one = phase('HLiBeBCNOFNaMgAlSi', -0.1)
    assert hull.energy(one.key) == pytest.approx(-0.5)
    assert len(hull.phases(one.system)) == 13
    assert hull.competing(one.system, 0.0)[0][1].id == 'LiF'


@needs_data
def test_hulls_of_the_materials_project() -> None:
    """A random thousand of real crystals, hulls of all rows: equal to pymatgen, with and without the crystal itself."""
    rows = figures.read(MP)
    asked = random.Random(1).sample(rows, 1000)
    start = time.process_time()
    hull = figures.our_hull(rows)
    above = [row.energy - hull.energy(row.key) for row in asked]
    alone = [row.energy - hull.without(row.id).energy(row.key) for row in asked]
    seconds = time.process_time() - start
    with warnings.catch_warnings(action='ignore'):  # of elements without electronegativity
        plain = figures.Plain(rows)
        expected = [plain.above(row) for row in asked]
        expected_alone = [plain.above_others(row) for row in asked[:150]]
    assert above == pytest.approx(expected, abs=1e-9)
    assert np.maximum(alone, 0.0) == pytest.approx(np.maximum(above, 0.0), abs=1e-9)
    assert alone[:150] == pytest.approx(expected_alone, abs=1e-9)
    assert 1e3 * seconds / len(asked) < 5.0  # 1.0 on a quiet machine, the reading of all phases included


def test_agrees_with_pymatgen_on_a_textbook_system() -> None:
    """Oxides of barium and titanium, by formula."""
    phases = [phase('Ba', 0), phase('O2', 0), phase('Ti', 0), phase('BaO', -2.84), phase('TiO2', -3.26)]
    for formula in ('BaTiO3', 'Ba2TiO4', 'BaTi', 'TiO', 'Ba'):
        one = phase(formula, 0.0)
        assert Hull(phases).energy(one.key) == pytest.approx(by_pymatgen(phases, one), abs=1e-12)
