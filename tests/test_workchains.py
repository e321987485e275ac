"""The campaigns that ship with the package: their files are accepted, and their crystals are what they say."""

from __future__ import annotations

import ast
import json
import re
import warnings
from pathlib import Path

import jsonschema
import pytest
import spglib
import yaml
from pymatgen.core import Composition, Element, Structure

from aiida_crystalgen import bundles
from aiida_crystalgen.schema import load_campaign

ROOT = Path(__file__).parents[1]
WORKCHAINS = ROOT / 'workchains'
CAMPAIGNS = sorted(WORKCHAINS.glob('*/campaign.yaml'))
BROKEN = ('cut_off', 'NaCl_overlapping')
CRYSTALS = [path for path in sorted(WORKCHAINS.glob('*/*/*.cif')) if path.stem not in BROKEN]
REFERENCES = sorted(WORKCHAINS.glob('*/references/*.cif'))


def name(path: Path) -> str:
    """Return a path as it is named in the test report."""
    return path.relative_to(WORKCHAINS).as_posix()


def read(path: Path) -> Structure:
    """Return the crystal in a CIF file; pymatgen announces that it takes 0.3333333333333333 for a third."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Issues encountered while parsing CIF: .* rounded to ideal values')
        return Structure.from_file(path)


def test_the_campaigns_ship():
    """The folders that the documentation names exist."""
    names = {'quickstart', 'quickstart-dft', 'random-search', 'screen-my-structures', 'predict-structures'}
    assert {path.parent.name for path in CAMPAIGNS} == names


@pytest.mark.parametrize('filepath', CAMPAIGNS, ids=name)
def test_a_campaign_passes_the_check(filepath):
    """Every shipped campaign is accepted by the checker with the adapters of this package."""
    spec = load_campaign(filepath, bundles.registry())
    assert spec.name == filepath.parent.name
    assert json.loads(json.dumps(spec.normalised())) == spec.normalised()


@pytest.mark.parametrize('filepath', CAMPAIGNS, ids=name)
def test_a_campaign_follows_the_published_json_schema(filepath):
    """An editor with the published schema finds nothing wrong."""
    schema = json.loads((ROOT / 'docs' / 'reference' / 'campaign.schema.json').read_text(encoding='utf-8'))
    jsonschema.validate(yaml.safe_load(filepath.read_text(encoding='utf-8')), schema)


@pytest.mark.parametrize('filepath', CAMPAIGNS, ids=name)
def test_the_script_is_short_and_public(filepath):
    """`launch.py` has at most 40 lines and uses public names alone."""
    text = (filepath.parent / 'launch.py').read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 40
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    assert 'aiida_crystalgen' in [node.module for node in imports]
    assert not [node.module for node in imports if node.module and node.module.startswith('aiida_crystalgen.')]


@pytest.mark.parametrize('filepath', CAMPAIGNS, ids=name)
def test_the_readme_names_the_command(filepath):
    """Each README shows how its campaign is run."""
    assert 'aiida-crystalgen run campaign.yaml' in (filepath.parent / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('filepath', CRYSTALS, ids=name)
def test_a_crystal_has_the_space_group_of_its_header(filepath):
    """Spglib finds the space group that the comment of the file states."""
    (number,) = re.findall(r'^# Space group: .* \((\d+)\)', filepath.read_text(encoding='utf-8'), re.MULTILINE)
    crystal = read(filepath)
    cell = (crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Set OLD_ERROR_HANDLING', category=DeprecationWarning)
        assert spglib.get_symmetry_dataset(cell, symprec=1e-3).number == int(number)


@pytest.mark.parametrize('filepath', CRYSTALS, ids=name)
def test_a_crystal_has_plausible_distances_and_its_formula(filepath):
    """Nearest atoms lie at 0.75 to 1.25 of the sum of two atomic radii, molecules and peroxide ions at their bond."""
    crystal = read(filepath)
    assert crystal.composition.reduced_formula == Composition(filepath.stem.split('_')[0]).reduced_formula
    first, second, distance = min(
        (
            (site, neighbour, neighbour.nn_distance)
            for site in crystal
            for neighbour in crystal.get_neighbors(site, 5.0)
        ),
        key=lambda pair: pair[2],
    )
    bonds = {'O2': (1.2, 1.3), 'Cl2': (1.95, 2.02), 'ZnO2': (1.45, 1.52)}
    radii = sum(Element(site.specie.symbol).atomic_radius for site in (first, second))
    low, high = bonds.get(crystal.composition.reduced_formula, (0.75 * radii, 1.25 * radii))
    assert low <= distance <= high


@pytest.mark.parametrize('filepath', sorted(WORKCHAINS.glob('*/*/*.cif')), ids=name)
def test_a_crystal_states_source_and_licence(filepath):
    """Each file says where its numbers come from, and that it is free."""
    header = filepath.read_text(encoding='utf-8').partition('data_')[0]
    assert 'CC0 1.0' in header
    assert 'Source:' in header or filepath.stem == 'cut_off'


@pytest.mark.parametrize('filepath', CAMPAIGNS, ids=name)
def test_the_references_hold_every_element_of_the_campaign(filepath):
    """Without a phase for every element there is no hull."""
    phases = [read(path).composition for path in REFERENCES if path.parent.parent == filepath.parent]
    pure = {next(iter(phase)).symbol for phase in phases if len(phase) == 1}
    assert pure == {element.symbol for phase in phases for element in phase}


def test_the_references_of_the_quickstart_are_the_textbook_ones():
    """The cells of fcc Ni, rocksalt NiO and alpha-O2 are the published ones."""
    crystals = {path.stem: read(path) for path in REFERENCES if path.parent.parent.name == 'quickstart'}
    cells = {key: tuple(round(float(x), 3) for x in crystal.lattice.parameters) for key, crystal in crystals.items()}
    assert cells == {
        'Ni_fcc': (3.524, 3.524, 3.524, 90.0, 90.0, 90.0),
        'NiO_rocksalt': (4.177, 4.177, 4.177, 90.0, 90.0, 90.0),
        'O2_alpha': (5.403, 3.429, 5.086, 90.0, 132.53, 90.0),
    }
