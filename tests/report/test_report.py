"""Tests of the HTML page."""

import re
from html.parser import HTMLParser

import pytest

from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.report import render_report, write_report
from aiida_crystalgen.report.figures import spread_figure
from aiida_crystalgen.report.hulls import hull_figure, lower_hull
from aiida_crystalgen.report.svg import round_ticks
from aiida_crystalgen.report.systems import Phase
from aiida_crystalgen.report.verification import UPPER_BOUND, rows_of
from tests.handmade import DRAW, make_campaign
from tests.handmade_dft import make_verified

VOID = {'meta', 'br', 'link', 'img', 'hr', 'input'}


class Balanced(HTMLParser):
    """Checks that every element is closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        """Remember an element."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Forget it."""
        assert self.open.pop() == tag


@pytest.fixture(scope='module')
def page(aiida_profile):
    """Return the page of a campaign of a binary system."""
    return render_report(make_campaign())


def test_page_needs_nothing_from_elsewhere(page):
    """No script, style, image or font is loaded, and no link leaves the folder."""
    assert not re.search(r'<[^>]*\s(src|href|action)\s*=|@import|url\(|https?:|fetch\(|XMLHttp', page)


def test_page_is_well_formed(page):
    """Every element is closed."""
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


def test_page_shows_the_funnel(page):
    """Stages are there with their reasons in words."""
    for text in ('prescreen', 'atoms too close', '240 evaluations', 'too far above the hull'):
        assert text in page


def test_page_shows_the_hull(page):
    """A binary system gets its convex hull with the level of theory."""
    assert 'Convex hull of Al–Cu' in page
    assert 'EMT of the tests' in page


def test_page_counts_novelty_both_ways(page):
    """S.U.N. stands there with both ways of counting and its interval."""
    assert 'novelty untested: not novel' in page
    assert '13.7 to 69.4 %' in page


def test_page_says_how_to_trace(page):
    """Ids are whole, and the command that follows them is there."""
    assert f'{DRAW}-1' in page
    assert 'aiida-crystalgen trace ID' in page


def test_same_campaign_gives_the_same_page(aiida_profile, tmp_path):
    """Writing twice gives equal bytes."""
    node = make_campaign()
    first, second = (write_report(node, tmp_path / 'in' / name).read_bytes() for name in ('a.html', 'b.html'))
    assert first == second


def test_hull_is_convex():
    """Points above the hull are not on it."""
    assert lower_hull([(0, 0), (0.5, -0.1), (0.75, 0.1), (1, 0), (0.25, -0.01)]) == [(0, 0), (0.5, -0.1), (1, 0)]


def test_text_in_figures_is_escaped():
    """Names from files cannot become markup."""
    ends = [Phase((1.0, 0.0), 0.0, 'A', 'reference'), Phase((0.0, 1.0), 0.0, 'B', 'reference')]
    assert '<x>' not in hull_figure([*ends, Phase((0.5, 0.5), -0.1, '<x>', 'candidate')], ('A', 'B'))


@pytest.mark.parametrize(('kept', 'rejected'), [([0.0], []), ([], [0.4, 3.0]), ([-0.02, 0.1], [0.1])])
def test_histogram_holds_every_crystal(kept, rejected):
    """No crystal falls out of the histogram, below the hull or far above it."""
    tips = re.findall(r'(\d+) (?:kept|rejected),', spread_figure(kept, rejected, 0.1))
    assert sum(map(int, tips)) == len(kept) + len(rejected)


def test_ticks_are_round():
    """Axes carry round numbers from within the range."""
    assert round_ticks(-0.11, 0.32) == [-0.1, 0.0, 0.1, 0.2, 0.3]


def test_page_says_what_dft_found(aiida_profile):
    """The section has the level, both distances, the reason of what failed, and the potential against DFT."""
    page = render_report(make_verified())
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    for text in (
        'Checked by DFT',
        'The engine finished 1 of 2 crystals',
        'against 3 competing phases',
        'qe, PBE, pw.x, cut-off 25 Ry; fingerprint 1111111111111111',
        'The electrons did not converge',
        'potential minus DFT',
        'No margin for the next screen: fewer than 5 crystals were compared',
        'band gap<small>eV, upper bound</small></th><th class="n">asked for<small>eV</small>',
        '<td class="n">0.875</td><td class="n">1.250</td>',
    ):
        assert text in page, text


def test_oxides_that_may_be_antiferromagnets_are_upper_bounds():
    """NiO says so where DFT has a distance; nickel itself, MgO and an oxide that failed do not."""
    text = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
    number = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': 'toy'}
    told = [([28, 8], 'finished', 0.1), ([28], 'finished', 0.0), ([12, 8], 'finished', 0.0), ([28, 8], 'failed', None)]
    rows = [
        {
            'id': f'{"a" * 16}-{i}',
            'numbers': numbers,
            'positions': [[2.0 * j, 0, 0] for j in range(len(numbers))],
            'cell': [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
            'pbc': [True] * 3,
            'columns': {'dft_status': status, 'dft_e_hull': distance},
        }
        for i, (numbers, status, distance) in enumerate(told)
    ]
    found = rows_of(Crystals.from_rows(rows, {'dft_status': text, 'dft_e_hull': number}))
    assert [UPPER_BOUND in row['note'] for row in found] == [True, False, False, False]


def test_page_without_an_engine_says_nothing_of_dft(page):
    """No section is there where no engine was asked for."""
    assert 'Checked by DFT' not in page
