"""Tests of novelty."""

from aiida_crystalgen.science import novelty
from aiida_crystalgen.science.crystal import Crystal
from benchmarks.real_crystals import read
from tests.science.examples import MP, caesium_chloride, crystal, needs_data, rocksalt, simple_cubic


def evaluate(one: Crystal, tables: dict[str, list[Crystal]], **parameters: object) -> dict[str, object]:
    """Return the columns of one crystal."""
    return {name: values[0] for name, values in novelty.evaluate([one], parameters, tables).items()}


def test_known_crystal_is_named() -> None:
    """A match is not novel, and the source of the known crystal is given; without one, its id."""
    known = [rocksalt('z', edge=4.3, source='MgO.cif'), caesium_chloride('y')]
    assert evaluate(rocksalt(), {'known': known}) == {
        'novel_known': False,
        'novel_known_reason': None,
        'nearest_known': 'MgO.cif',
        'novel_training': None,
    }
    assert evaluate(caesium_chloride('q'), {'known': known})['nearest_known'] == 'y'


def test_other_polymorph_is_novel() -> None:
    """Another structure of a known formula is novel."""
    found = evaluate(caesium_chloride(), {'known': [rocksalt('z')]})
    assert (found['novel_known'], found['nearest_known']) == (True, None)


def test_lacking_chemical_system_is_not_tested_where_the_reference_is_partial() -> None:
    """A partial reference without the chemical system says nothing; a complete one says novel."""
    known = {'known': [simple_cubic(12, 'z'), simple_cubic(8, 'y')]}
    partial = evaluate(rocksalt(), known)
    assert partial['novel_known'] is None
    assert partial['novel_known_reason'] == 'the known crystals are partial and have none of Mg-O'
    assert evaluate(rocksalt(), known, known_partial=False)['novel_known'] is True


def test_training_set_is_another_question() -> None:
    """Novelty against the training set needs the training set alone."""
    found = evaluate(rocksalt(), {'training': [rocksalt('z')]})
    assert found['novel_training'] is False
    assert (found['novel_known'], found['novel_known_reason']) == (None, 'no known crystals were given')


def test_what_cannot_be_compared_is_unknown() -> None:
    """A broken crystal, or one too large to be compared with its formula, is neither known nor novel."""
    broken = evaluate(crystal([], [], [1, 1, 1]), {'known': [rocksalt('z')]})
    assert broken['novel_known_reason'] == 'the crystal is invalid: no_atoms'
    large = evaluate(rocksalt(), {'known': [rocksalt('z')]}, max_sites=1)
    assert (large['novel_known'], large['novel_known_reason']) == (None, 'the crystal is too large to be compared')


@needs_data
def test_known_crystals_are_found_among_thousands() -> None:
    """Of real crystals that lie in the reference none is novel."""
    known = read(MP, 400)
    found = novelty.evaluate(known[::8], {}, {'known': known, 'training': known[::16]})
    assert found['novel_known'] == [False] * 50
    assert found['novel_training'][::2] == [False] * 25
