"""Looking for reference sets and hulls that are in the profile."""

import pytest

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.references.find import find_by_content, find_known_hull, find_set, holds_content, list_sets
from tests.data.examples import TEXT, crystals_of, phases_of

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


def stored(name, **facts):
    """Return a stored set of two crystals."""
    crystals = crystals_of().with_columns({'source': make_column(['a', 'b'], TEXT)})
    return ReferenceSet(crystals, **{'name': name, 'level': 'EMT', **facts}).store()


def test_the_newest_set_of_a_name():
    """A set is found by its name or by the label of its node; of several the newest counts."""
    first, second = stored('a'), stored('a', licence='CC0')
    other = stored('b')
    other.label = 'mine'
    assert find_set('a').pk == second.pk != first.pk
    assert find_set('mine').pk == other.pk
    assert find_set('c') is None
    assert find_set('') is None


def test_parts_of_sets_are_not_listed():
    """A set without a name is a part of another one."""
    named = stored('a')
    stored('')
    assert [node.pk for node in list_sets()] == [named.pk]


def test_content_and_facts_must_agree():
    """The same file read with another level is another set."""
    first = stored('a', sha256='ab')
    assert holds_content('ab')
    assert not holds_content('cd')
    assert find_by_content('ab', {'level': 'EMT', 'partial': True}).pk == first.pk
    assert find_by_content('ab', {'level': 'PBE'}) is None
    assert find_by_content('cd', {}) is None
    stored('made by a process')
    assert find_by_content('', {}) is None


def test_the_earlier_hull_that_holds_most():
    """Only hulls made in exactly the same way count, and only those that hold one of the phases."""
    from aiida_crystalgen.calculations.fingerprints import geometry_digests

    phases = StructureBatch(crystals_of())
    digests = geometry_digests(phases.crystals)

    def hull(prints, protocol='abc'):
        changes = {'fingerprint': make_column(prints, TEXT)}
        return HullReference(phases_of(**changes), level='EMT', source='x', protocol=protocol).store()

    both = hull(digests)
    hull([digests[0], 'other'])
    hull(digests, protocol='def')
    assert find_known_hull('abc', phases).pk == both.pk
    assert find_known_hull('xyz', phases) is None
    assert find_known_hull('abc', StructureBatch(crystals_of().select([]))) is None
