"""The reference file and the partial file beside it."""

import gzip
import json
import os

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from aiida_crystalgen.fetch.file import (
    About,
    FetchError,
    PartFile,
    check_target,
    make_entry,
    part_file,
    part_path,
    write_reference,
)  # fmt: skip

ABOUT = About('known', 'A database', 'everything', '2025-01-31')
QUERY = {'database': 'https://example.org/v1', 'filter': 'nsites=1'}


def entry(name, energy=None):
    """Return an entry of one atom of iron."""
    structure = Structure(Lattice.cubic(2.8), ['Fe'], [[0, 0, 0]])
    parameters = {'run_type': 'GGA+U', 'hubbards': {'Fe': 5.3}}
    return make_entry(name, structure, energy, parameters, {'e_above_hull': None})


def test_equal_content_gives_equal_bytes(tmp_path):
    """Neither the order of the entries, nor the time, nor the name of the file is in a file."""
    entries = [entry('b'), entry('a', -8.3)]
    paths = [tmp_path / name for name in ('one.json.gz', 'two.json.gz')]
    assert write_reference(paths[0], ABOUT, entries) == 2
    os.utime(paths[0], (0, 0))
    write_reference(paths[1], ABOUT, reversed(entries))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    write_reference(tmp_path / 'plain.json', ABOUT, entries)
    assert gzip.decompress(paths[0].read_bytes()) == (tmp_path / 'plain.json').read_bytes()


def test_what_is_written_can_be_read(tmp_path):
    """The format says itself what it is; entries with an energy are entries of pymatgen."""
    write_reference(tmp_path / 'known.json', ABOUT, [entry('a', -8.3)])
    document = json.loads((tmp_path / 'known.json').read_text())
    assert (document['about']['format'], document['about']['format_version']) == ('crystalgen.reference', 1)
    assert document['about']['citation'] == []
    read = ComputedStructureEntry.from_dict(document['entries'][0])
    assert (read.energy, read.entry_id, read.parameters['run_type']) == (-8.3, 'a', 'GGA+U')
    assert read.structure == Structure(Lattice.cubic(2.8), ['Fe'], [[0, 0, 0]])


def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(tmp_path):
    """Nothing half-written is ever under the name of the file."""
    write_reference(tmp_path / 'known.json', ABOUT, [entry('a')])
    before = (tmp_path / 'known.json').read_bytes()
    with pytest.raises(FetchError, match='not finite'):
        write_reference(tmp_path / 'known.json', ABOUT, [entry('a', float('nan'))])
    assert (tmp_path / 'known.json').read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ['known.json']


@pytest.mark.parametrize(
    ('name', 'message'), [('a.csv', 'must end with'), ('no/a.json', 'does not exist'), ('old.json', 'exists already')]
)
def test_a_target_is_looked_at_first(tmp_path, name, message):
    """What cannot be written is told before a server is asked."""
    (tmp_path / 'old.json').touch()
    with pytest.raises(FetchError, match=message):
        check_target(tmp_path / name)
    check_target(tmp_path / 'old.json', force=True)


def test_pages_are_found_again(tmp_path):
    """Entries, skips, the way on and the first date are read back."""
    part = PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    part.add_page([entry('a'), entry('b')], {'c': 'it is flat'}, 'https://example.org/2', 9)
    again = PartFile.open(tmp_path / 'known.json', QUERY, '2025-02-20')
    assert list(again.entries) == ['a', 'b']
    assert again.counts == {'it is flat': 1}
    assert (again.pages, again.next, again.announced, again.date) == (1, 'https://example.org/2', 9, '2025-01-31')
    assert 'c' in again


@pytest.mark.parametrize('tail', ['{"entry":{"entry_id":"torn', '{"entry":{"entry_id":"d"}}\n', '{"page":2,"next"'])
def test_an_unfinished_page_is_cut_off(tmp_path, tail):
    """A torn line, and entries that no mark follows, are not taken for a page."""
    part = PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    part.add_page([entry('a')], {}, 'https://example.org/2')
    whole = part.path.read_bytes()
    part.path.write_bytes(whole + tail.encode())
    again = PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    assert (list(again.entries), again.pages) == (['a'], 1)
    assert part.path.read_bytes() == whole


def test_a_torn_first_line_begins_again(tmp_path):
    """A fetch that was killed before it asked anything leaves nothing behind that matters."""
    part_path(tmp_path / 'known.json').write_text('{"query":{"dat')
    part = PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    assert (part.pages, part.entries) == (0, {})
    part.add_page([entry('a')], {}, None)
    assert list(PartFile.open(tmp_path / 'known.json', QUERY, '').entries) == ['a']


def test_another_query_is_refused(tmp_path):
    """The sentence names what differs, and both values."""
    PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    with pytest.raises(FetchError, match=r'"nsites=1".*"nsites=2"') as caught:
        PartFile.open(tmp_path / 'known.json', {**QUERY, 'filter': 'nsites=2'}, '2025-01-31')
    assert 'example.org' not in str(caught.value)


def test_two_fetches_never_share_a_file(tmp_path):
    """The pages of two programs would be mixed up; afterwards the file is free again, and nothing empty stays."""
    target = tmp_path / 'known.json'
    with part_file(target, QUERY, '2025-01-31') as part:
        part.add_page([entry('a')], {}, None)
        with pytest.raises(FetchError, match='another fetch is writing'), part_file(target, QUERY, '2025-01-31'):
            pass
    with part_file(target, QUERY, '2025-01-31') as part:
        assert list(part.entries) == ['a']
        part.close()
    with part_file(target, QUERY, '2025-01-31'):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused(tmp_path):
    """A broken line before the last one is no interruption: it is told with its number."""
    part = PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
    part.add_page([entry('a')], {}, None)
    lines = part.path.read_text().splitlines(keepends=True)
    part.path.write_text(''.join([lines[0], 'garbage\n', *lines[1:]]))
    with pytest.raises(FetchError, match='damaged in line 2: delete it'):
        PartFile.open(tmp_path / 'known.json', QUERY, '2025-01-31')
