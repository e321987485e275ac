"""Tests of the report in a real browser."""

import dataclasses

import numpy as np
import pytest

from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.report import write_report
from aiida_crystalgen.report.content import read_content
from aiida_crystalgen.report.page import render_content
from tests.handmade import DRAW, METAS, WHOLE, al_cu, make_campaign
from tests.report.browser import complaints_of, open_page, requests_of

MANY = 10_000
SORT = """
const head = [...document.querySelectorAll('#ranked th button')].find(one => one.title === arguments[0]);
const start = performance.now();
head.click();
document.getElementById('ranked').getBoundingClientRect();
return performance.now() - start;
"""
FIRST = """
return [...document.querySelectorAll('#ranked tbody tr:not(.sizer):not(.space)')].slice(0, arguments[0]).map(
    row => [...row.cells].map(cell => cell.textContent));
"""
INK = """
const canvas = document.querySelectorAll('canvas')[arguments[0]];
const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
let sum = 0;
for (let i = 3; i < pixels.length; i += 4) if (pixels[i]) sum += (i * 31 + pixels[i - 1] + pixels[i - 2] * 7) % 9973;
return sum;
"""


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a campaign of a binary system."""
    return make_campaign()


@pytest.fixture(scope='module')
def report(campaign, tmp_path_factory):
    """Return the page of the campaign."""
    return write_report(campaign, tmp_path_factory.mktemp('small') / 'report.html', {f'{DRAW}-1': 'dossiers/one.html'})


@pytest.fixture(scope='module')
def large(campaign, tmp_path_factory):
    """Return the page of the same campaign with 10,000 crystals in its table."""
    random = np.random.default_rng(1)
    rows = []
    for index in range(MANY):
        row = al_cu(index, int(random.integers(0, 5)))
        e_hull = None if index == 7 else float(random.uniform(-0.05, 0.5))
        row['columns'] |= {'e_hull': e_hull, 'energy': -3.0, 'space_group_relaxed': 1 + index % 230}
        rows.append(row)
    metas = {name: METAS[name] for name in ('generator', 'seed', 'e_hull', 'energy', 'space_group_relaxed')}
    table = Crystals.from_rows(rows, metas).with_columns({'rank': make_column(list(range(1, MANY + 1)), WHOLE)})
    path = tmp_path_factory.mktemp('large') / 'report.html'
    path.write_text(render_content(dataclasses.replace(read_content(campaign), table=table), {}), encoding='utf-8')
    return path, [row['columns']['e_hull'] for row in rows]


@pytest.mark.parametrize('width', [1280, 400])
def test_page_asks_for_nothing_and_complains_of_nothing(browser, report, width):
    """The page itself is the only request, the console stays empty, and nothing sticks out to the right."""
    open_page(browser, report, width)
    assert requests_of(browser) == [report.as_uri()]
    assert complaints_of(browser) == []
    assert browser.execute_script('return document.documentElement.scrollWidth') == width


def test_structures_are_drawn_and_turn(browser, report):
    """A canvas has a picture, and another one after a key that turns it."""
    open_page(browser, report)
    before = browser.execute_script(INK, 0)
    browser.execute_script(
        "document.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))"
    )
    assert 0 < before != browser.execute_script(INK, 0)


def test_click_on_a_formula_shows_the_structure(browser, report):
    """A dialogue opens with the formula, the elements and a drawn canvas."""
    open_page(browser, report)
    browser.execute_script("document.querySelector('#ranked button.look').click()")
    assert browser.execute_script("return document.querySelector('dialog').open")
    assert browser.execute_script("return document.querySelector('.kinds').textContent") == 'AlCu'
    assert browser.execute_script(INK, 4) > 0


def test_id_leads_to_the_dossier(browser, report):
    """Only a crystal that has a dossier gets a link."""
    open_page(browser, report)
    links = "return [...document.querySelectorAll('#ranked a')].map(a => [a.getAttribute('href'), a.textContent])"
    assert browser.execute_script(links) == [['dossiers/one.html', f'{DRAW}-1']]


def test_ten_thousand_rows_are_sorted_in_half_a_second(browser, large):
    """Numbers are in order, unknown ones last both ways; texts in natural order; each within 0.5 s."""
    path, e_hull = large
    open_page(browser, path)
    known = sorted(value for value in e_hull if value is not None)
    seconds = [browser.execute_script(SORT, 'e_hull') / 1000]
    shown = [row[5] for row in browser.execute_script(FIRST, 5)]
    assert shown == [f'{value:.3f}'.replace('-', '−') for value in known[:5]]
    seconds.append(browser.execute_script(SORT, 'e_hull') / 1000)
    assert browser.execute_script(FIRST, 1)[0][5] == f'{known[-1]:.3f}'
    browser.execute_script("document.getElementById('ranked').scrollTop = 1e9")
    last = "return new Promise(done => setTimeout(() => done([...document.querySelectorAll('#ranked tbody tr')].at(-1)"
    assert browser.execute_script(last + '.cells[5].textContent), 200))') == '–'
    seconds.append(browser.execute_script(SORT, 'id') / 1000)
    assert [row[1] for row in browser.execute_script(FIRST, 3)] == [f'{DRAW}-{index}' for index in range(3)]
    assert max(seconds) < 0.5


def test_ten_thousand_rows_are_searched(browser, large):
    """Words and comparisons narrow the table together, and only rows in sight are in the page."""
    path, e_hull = large
    open_page(browser, path)
    assert len(browser.execute_script(FIRST, MANY)) < 100
    browser.execute_script(
        "const box = document.getElementById('search'); box.value = 'Al3Cu e_hull<0.1 space_group_relaxed=225';"
        "box.dispatchEvent(new Event('input'))"
    )
    rows = browser.execute_script(FIRST, MANY)
    assert rows
    assert {row[2] for row in rows} == {'Al3Cu'}
    assert {row[4] for row in rows} == {'225'}
    places = [int(row[0]) - 1 for row in rows]
    assert all(e_hull[place] < 0.1 for place in places)
    assert (
        browser.execute_script("return document.getElementById('found').textContent")
        == f'{len(rows)} of 10000 crystals'
    )
