"""Tests of the dossiers."""

import dataclasses
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from aiida_crystalgen.data.crystals import make_column
from aiida_crystalgen.report.content import read_content
from aiida_crystalgen.report.dossier import Dossier, collect, shortlist, write_dossiers
from aiida_crystalgen.report.dossier.cautions import cautions
from aiida_crystalgen.report.dossier.model import Phonons, Stability, Verified
from aiida_crystalgen.report.dossier.page import render_dossier
from aiida_crystalgen.report.dossier.powder import FAINT, RANGE, RESOLUTION, as_csv, powder_of
from aiida_crystalgen.tools.evidence_lines import LINES
from aiida_crystalgen.tools.trace import trace
from tests.handmade import DRAW, LEVEL, TEXT, make_campaign
from tests.handmade_dft import make_verified
from tests.report.browser import complaints_of, open_page, requests_of
from tests.report.test_browser import INK

ROOT = Path(__file__).parents[2]
BEST = f'{DRAW}-1'
FILES = {'index.html', 'dossier.json', 'crystal.cif', 'structure.svg', 'powder.csv'}


@pytest.fixture(scope='module')
def campaign(aiida_profile):
    """Return a campaign of a binary system."""
    return make_campaign()


@pytest.fixture(scope='module')
def folder(campaign, tmp_path_factory):
    """Return the folder of its dossiers."""
    folder = tmp_path_factory.mktemp('pages') / 'dossiers'
    write_dossiers(campaign, folder, folder.parent / 'report.html')
    return folder


@pytest.fixture(scope='module')
def best(folder):
    """Return the JSON of the best crystal."""
    return json.loads((folder / f'0001_AlCu_{BEST}' / 'dossier.json').read_text(encoding='utf-8'))


def test_every_crystal_of_the_short_list_has_its_files(campaign, folder):
    """Without a short list the first crystals have a folder each, with all files."""
    assert len(list(folder.iterdir())) == len(shortlist(read_content(campaign))) == 4
    assert all({path.name for path in one.iterdir()} == FILES for one in folder.iterdir())


def test_links_lead_from_the_report_to_the_pages(campaign, tmp_path):
    """Links are relative to where the report lies."""
    (tmp_path / 'elsewhere').mkdir()
    links = write_dossiers(campaign, tmp_path / 'dossiers', tmp_path / 'elsewhere' / 'report.html')
    assert links
    assert all((tmp_path / 'elsewhere' / link).is_file() for link in links.values())


@pytest.fixture(scope='module')
def verified(aiida_profile):
    """Return the content of a campaign with a short list of two, of which DFT finished one."""
    return read_content(make_verified())


def test_only_the_short_list_has_dossiers(verified):
    """Where a campaign has a short list, it decides."""
    told = zip(verified.table.ids, verified.table.values('shortlisted'), strict=True)
    assert shortlist(verified) == [name for name, is_listed in told if is_listed]


def test_json_is_what_the_model_says(best):
    """It can be read back by the model, which refuses unknown keys, and loses nothing on the way."""
    assert Dossier.model_validate_json(json.dumps(best)).model_dump(mode='json') == best


def test_the_evidence_card_is_in_the_page(folder, best):
    """Every line of the card stands there, those that nobody assessed as well."""
    page = (folder / f'0001_AlCu_{BEST}' / 'index.html').read_text(encoding='utf-8')
    lines = best['evidence']['lines']
    assert [line['name'] for line in lines] == [rule.name for rule in LINES]
    assert all(f'>{html.escape(line["label"], quote=False)}</td>' in page.replace('&#39;', "'") for line in lines)
    assert page.count('<span class="none">not assessed</span></td>') == sum(
        line['applicable'] == 'not assessed' for line in lines
    )


def test_published_schema_is_current():
    """`docs/reference/dossier.schema.json` was made from the model as it is now."""
    command = [sys.executable, '-m', 'aiida_crystalgen.report.dossier']
    generated = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (ROOT / 'docs' / 'reference' / 'dossier.schema.json').read_text(encoding='utf-8') == generated


def test_json_has_the_numbers_of_the_table(campaign, best):
    """Every column is there with value, unit and level; the stability is that of the table."""
    table = campaign.outputs.table.crystals
    assert best['columns']['e_hull'] == {'value': 0.0, 'unit': 'eV/atom', 'level': LEVEL}
    assert best['stability']['e_hull_eV_per_atom'] == table.values('e_hull')[0]
    assert best['stability']['level'] == LEVEL
    assert {*table.columns, 'formula', 'n_sites'} == set(best['columns'])


def test_competing_phases_are_those_of_the_hull(best):
    """Al, Cu and the compound, each on the hull, formation energies against the elements."""
    phases = {phase['formula']: phase for phase in best['stability']['phases']}
    assert set(phases) == {'Al', 'Cu', 'AlCu'}
    assert phases['AlCu']['formation_energy_eV_per_atom'] == pytest.approx(-3.33 + 3.25)
    assert [phase['above_hull_eV_per_atom'] for phase in phases.values()] == [0.0, 0.0, 0.0]


def test_provenance_goes_down_to_the_seed(campaign, best):
    """Draw, index and seed, the hash of the code, its versions, and every step that changed or judged the crystal."""
    found = best['provenance']
    assert (found['draw'], found['index'], found['seed'], found['campaign_seed']) == (DRAW, 1, 101, 7)
    assert re.fullmatch('[0-9a-f]{64}', found['generator']['bundle_sha256'])
    assert found['generator']['versions'] == {'pyxtal': '1.1.5'}
    steps = [step for step in trace(BEST, campaign) if not step.is_bookkeeping]
    assert [step['process'] for step in found['steps']] == [step.process_label for step in steps]


def test_cif_holds_the_crystal(campaign, folder):
    """The file can be read, and holds the geometry of the table."""
    structure = Structure.from_file(folder / f'0001_AlCu_{BEST}' / 'crystal.cif')
    crystals = campaign.outputs.table.crystals
    assert structure.composition.formula == 'Al2 Cu2'
    assert structure.volume == pytest.approx(np.linalg.det(crystals.cells[0]), rel=1e-4)


def test_same_crystal_gives_the_same_files(campaign, folder, tmp_path):
    """Writing again gives equal bytes."""
    write_dossiers(campaign, tmp_path / 'dossiers', tmp_path / 'report.html')
    files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    assert files
    assert all(path.read_bytes() == (tmp_path / 'dossiers' / path.relative_to(folder)).read_bytes() for path in files)


def test_crystal_that_is_not_there_is_refused(campaign):
    """A sentence says so."""
    with pytest.raises(ValueError, match='has no crystal `nobody-1`'):
        collect(read_content(campaign), 'nobody-1')


def test_dossier_says_what_dft_found(verified):
    """A computed crystal has what DFT found, a failed one the reason; each has its warning."""
    first, second = (collect(verified, name) for name in verified.table.ids[:2])
    assert first.dft is not None
    assert (first.dft.status, first.dft.reason) == ('finished', 'no reference for element Cu')
    codes = [{warning.code for warning in dossier.warnings} for dossier in (first, second)]
    assert 'no_dft_hull' in codes[0] - codes[1]
    assert {'dft_failed', 'no_dft'} <= codes[1] - codes[0]


STRUCTURES = {
    'rock salt, primitive': Structure(
        Lattice([[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]]), ['Na', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ),
    'tetragonal perovskite': Structure(
        Lattice.tetragonal(3.99, 4.04),
        ['Ba', 'Ti', 'O', 'O', 'O'],
        [[0, 0, 0.01], [0.5, 0.5, 0.52], [0.5, 0.5, 0], [0.5, 0, 0.49], [0, 0.5, 0.49]],
    ),
    'no symmetry': Structure(
        Lattice.from_parameters(4.1, 5.3, 6.2, 81, 95, 103),
        ['Ni', 'O', 'O'],
        [[0, 0, 0], [0.31, 0.4, 0.2], [0.7, 0.66, 0.81]],
    ),
    'hexagonal': Structure(
        Lattice.hexagonal(3.25, 5.2),
        ['Zn', 'Zn', 'O', 'O'],
        [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.38], [2 / 3, 1 / 3, 0.88]],
    ),
}


@pytest.mark.parametrize('name', STRUCTURES)
def test_powder_pattern_is_that_of_pymatgen(name):
    """Each line holds those of pymatgen's calculator for the very structure that lie near it, and none is lost."""
    powder = powder_of(STRUCTURES[name])
    expected = XRDCalculator('CuKa').get_pattern(STRUCTURES[name], two_theta_range=RANGE)
    groups = [[0]]
    for place, angle in enumerate(expected.x[1:], start=1):
        groups += [[]] if angle - expected.x[groups[-1][0]] >= RESOLUTION else []
        groups[-1].append(place)
    sums = np.array([expected.y[group].sum() for group in groups])
    seen = 100 * sums / sums.max() >= FAINT
    means = np.array([np.average(expected.x[group], weights=expected.y[group]) for group in groups])
    assert np.allclose([peak.intensity for peak in powder.peaks], (100 * sums / sums.max())[seen], atol=1e-3)
    assert np.allclose([peak.two_theta_deg for peak in powder.peaks], means[seen], atol=1e-5)


@pytest.mark.parametrize('name', ['rock salt, primitive', 'hexagonal'])
def test_powder_pattern_without_close_lines_is_that_of_pymatgen_as_it_is(name):
    """Where no two lines are near each other, angles, spacings and intensities are pymatgen's own."""
    powder = powder_of(STRUCTURES[name])
    expected = XRDCalculator('CuKa').get_pattern(STRUCTURES[name], two_theta_range=RANGE)
    assert len(powder.peaks) == len(expected.x) > 3
    assert np.allclose([peak.two_theta_deg for peak in powder.peaks], expected.x, atol=1e-6)
    assert np.allclose([peak.intensity for peak in powder.peaks], expected.y, atol=1e-4)
    assert np.allclose([peak.d_A for peak in powder.peaks], expected.d_hkls, atol=1e-6)


def test_noise_of_a_relaxation_splits_no_lines():
    """Rock salt whose atoms and cell are off by less than a thousandth shows the lines of rock salt."""
    noisy = STRUCTURES['rock salt, primitive'].copy()
    noisy.apply_strain([1e-4, -1e-4, 0.5e-4])
    noisy.translate_sites([0], [2e-4, 0, 0])
    found, ideal = powder_of(noisy), powder_of(STRUCTURES['rock salt, primitive'])
    assert [sorted(map(abs, p.hkl[0])) for p in found.peaks] == [sorted(map(abs, p.hkl[0])) for p in ideal.peaks]
    assert [sum(p.multiplicity) for p in found.peaks] == [sum(p.multiplicity) for p in ideal.peaks]
    assert np.allclose([p.intensity for p in found.peaks], [p.intensity for p in ideal.peaks], atol=0.5)


def test_indices_are_those_of_the_conventional_cell():
    """The strongest line of rock salt is 200 however small the given cell is; as CSV it says so too."""
    powder = powder_of(STRUCTURES['rock salt, primitive'])
    strongest = max(powder.peaks, key=lambda peak: peak.intensity)
    assert (sorted(map(abs, strongest.hkl[0])), strongest.multiplicity) == ([0, 0, 2], (6,))
    assert powder.cell == 'conventional'
    assert len(as_csv(powder).splitlines()) == len(powder.peaks) + 1


def test_powder_pattern_of_a_large_cell_is_not_assessed():
    """A cell of hundreds of atoms would take minutes."""
    assert powder_of(STRUCTURES['rock salt, primitive'] * (5, 5, 5)) is None


def stability(**changes):
    """Return the stability of a crystal on a complete hull of DFT energies."""
    known = {
        'level': 'dft:PBE', 'e_hull_eV_per_atom': 0.0, 'reason': None, 'e_hull_with_candidates_eV_per_atom': 0.0,
        'formation_energy_eV_per_atom': -1.0, 'decomposes_into': (), 'partial': False, 'phases': (), 'n_phases': 3,
    }  # fmt: skip
    return Stability(**{**known, **changes})


STABLE = Phonons(verdict='stable', reason=None, lowest_frequency_THz=0.0, supercell=None, has_bands=False)
SOFT = Phonons(verdict='unstable', reason='a soft mode', lowest_frequency_THz=-2.0, supercell=None, has_bands=False)
DONE = Verified(
    status='finished', reason=None, level='dft:PBE', e_hull_eV_per_atom=0.0, formation_energy_eV_per_atom=-1
)
NEW = {'novel_known': True, 'n_duplicates': 1, 'converged': True, 'space_group_relaxed': 225}


@pytest.mark.parametrize(
    ('changes', 'code'),
    [
        ({}, None),
        ({'stability': stability(partial=True)}, 'partial_hull'),
        ({'stability': stability(level='mlip:chgnet'), 'dft': None}, 'no_dft'),
        ({'stability': stability(e_hull_eV_per_atom=None, reason='no reference for element Tc')}, 'no_hull'),
        ({'stability': stability(e_hull_eV_per_atom=0.04)}, 'metastable'),
        ({'phonons': None}, 'no_phonons'),
        ({'phonons': SOFT}, 'phonons_unstable'),
        ({'symbols': {'Ni', 'O'}}, 'magnetic_oxide'),
        ({'values': {**NEW, 'converged': False}}, 'not_converged'),
        ({'values': {**NEW, 'n_duplicates': 3}}, 'copies'),
        ({'values': {**NEW, 'novel_known': False, 'matches_known': 'mp-1'}}, 'known'),
        ({'values': {**NEW, 'novel_known': None}}, 'novelty_untested'),
        ({'values': {**NEW, 'known_disorder': 'an alloy'}}, 'disorder'),
        ({'values': {**NEW, 'space_group_relaxed': 1}}, 'low_symmetry'),
        ({'values': {**NEW, 'pressure': 10.0}}, 'pressure'),
        ({'met': False}, 'conditions_not_met'),
    ],
)
def test_warnings_are_those_that_apply(changes, code):
    """A crystal of which all is known and well has no warning; each fault gives its own and no other."""
    calm = {
        'values': NEW,
        'symbols': {'Na', 'Cl'},
        'stability': stability(),
        'phonons': STABLE,
        'dft': DONE,
        'met': True,
    }
    assert [warning.code for warning in cautions(**{**calm, **changes})] == ([] if code is None else [code])


def test_plan_of_a_synthesis_is_shown_in_its_own_form(campaign):
    """The column `synthesis_plan` is read as JSON; lists become tables, and nothing of it is markup."""
    content = read_content(campaign)
    plan = {'routes': [{'route': 'solid <state>', 'temperature_K': 1200.0}], 'solubility': None}
    texts = make_column([json.dumps(plan), None, None, None], TEXT)
    planned = dataclasses.replace(content, table=content.table.with_columns({'synthesis_plan': texts}))
    first, second = (collect(planned, name) for name in planned.table.ids[:2])
    assert (first.synthesis, second.synthesis) == (plan, None)
    page = render_dossier(planned, first)
    assert '<th scope="col">temperature K</th>' in page
    assert 'solid &lt;state&gt;' in page


@pytest.mark.parametrize('width', [1280, 400])
def test_page_of_a_dossier_in_a_browser(browser, folder, width):
    """It is the only request, the console is empty, nothing sticks out, a structure is drawn, and a link leads back."""
    page = folder / f'0001_AlCu_{BEST}' / 'index.html'
    open_page(browser, page, width)
    assert requests_of(browser) == [page.as_uri()]
    assert complaints_of(browser) == []
    assert browser.execute_script('return document.documentElement.scrollWidth') == width
    assert browser.execute_script(INK, 0) > 0
    assert browser.execute_script("return document.querySelector('nav a').getAttribute('href')") == '../../report.html'
