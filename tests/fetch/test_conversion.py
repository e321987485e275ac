"""From OPTIMADE attributes to crystals: disorder, vacancies, and entries that are no crystals."""

import math

import pytest

from aiida_crystalgen.fetch.conversion import UnusableError, number_at, structure_of
from aiida_crystalgen.fetch.elements import optimade_filter, read_elements
from aiida_crystalgen.fetch.file import FetchError
from aiida_crystalgen.fetch.optimade import entry_of, fields_of
from aiida_crystalgen.fetch.providers import PROVIDERS, provider_named
from aiida_crystalgen.fetch.server import Server, following, versioned
from aiida_crystalgen.fetch.web import retry_after
from tests.fetch.crystals import attributes_of, species_of


def test_an_ordered_crystal():
    """Lattice, elements and Cartesian positions arrive unchanged."""
    structure = structure_of(attributes_of(['Na', 'Cl'], 4.0))
    assert structure.is_ordered
    assert structure.formula == 'Na1 Cl1'
    assert structure.volume == pytest.approx(64.0)
    assert structure.cart_coords[1] == pytest.approx([2.0, 2.0, 2.0])


def test_species_names_mean_nothing():
    """A species may be called as its database likes; only its elements count."""
    changes = {'species': [species_of({'Ti': 1.0}, 'Ti1 (A)')], 'species_at_sites': ['Ti1 (A)', 'Ti1 (A)']}
    assert structure_of(attributes_of(['Ti', 'Ti'], **changes)).formula == 'Ti2'


def test_a_mixed_site_is_one_site_with_shares():
    """Several elements and their concentrations make a disordered site."""
    structure = structure_of(attributes_of([{'Cu': 0.75, 'Au': 0.25}]))
    assert structure[0].species.as_dict() == {'Cu': 0.75, 'Au': 0.25}


def test_a_vacancy_is_an_occupancy_below_one():
    """Vacancies are no elements; a site that is wholly vacant is no site."""
    structure = structure_of(attributes_of([{'Li': 0.5, 'vacancy': 0.5}, 'O']))
    assert structure[0].species.as_dict() == {'Li': 0.5}
    assert len(structure_of(attributes_of(['O', {'vacancy': 1.0}]))) == 1


def test_parts_of_one_site_that_are_listed_one_by_one_are_joined():
    """Crystallographic databases list each element of a mixed site at the same place."""
    sites = [{'Cu': 0.6, 'vacancy': 0.4}, {'Au': 0.4, 'vacancy': 0.6}]
    structure = structure_of(attributes_of(sites, places=[[0, 0, 0], [1e-4, 0, 0]]))
    assert len(structure) == 1
    assert structure[0].species.as_dict() == pytest.approx({'Cu': 0.6, 'Au': 0.4})


def test_an_element_twice_in_a_species_is_added_up():
    """Some databases list an element once for each oxidation state."""
    species = [{'name': 'Fe', 'chemical_symbols': ['Fe', 'Fe'], 'concentration': [0.5, 0.5]}]
    assert structure_of(attributes_of(['Fe'], species=species)).is_ordered


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'nperiodic_dimensions': 2}, 'not periodic in three'),
        ({'nperiodic_dimensions': None, 'dimension_types': [1, 1, 0]}, 'not periodic in three'),
        ({'lattice_vectors': None}, 'no three lattice vectors'),
        ({'lattice_vectors': [[4.0, 0, 0], [0, 4.0, 0], [None, None, None]]}, 'no three lattice vectors'),
        ({'lattice_vectors': [[4.0, 0, 0], [0, 4.0, 0], [4.0, 4.0, 0]]}, 'span no volume'),
        ({'cartesian_site_positions': None}, 'no positions'),
        ({'cartesian_site_positions': [[0, 0, 0]]}, 'no positions'),
        ({'cartesian_site_positions': [[0, 0, 0], [0, 0, None]]}, 'a position is not three numbers'),
        ({'cartesian_site_positions': [[0, 0, 0], [0, 0, math.nan]]}, 'a position is not three numbers'),
        ({'species': None}, 'species are not described'),
        ({'species': []}, 'a species that is not described'),
        ({'species_at_sites': []}, 'no positions'),
        ({'structure_features': ['assemblies']}, 'correlated'),
        ({'structure_features': ['implicit_atoms']}, 'have no position'),
        ({'structure_features': ['site_attachments']}, 'attached'),
        ({'species': [{'name': 'Na', 'chemical_symbols': ['Na'], 'concentration': [1.5]}]}, 'exceed one'),
        ({'species': [{'name': 'Na', 'chemical_symbols': ['Na'], 'concentration': ['1']}]}, 'is not a number'),
        ({'species': [{'name': 'Na', 'chemical_symbols': ['Na']}]}, 'without elements and their concentrations'),
        ({'species': [species_of({'Zz': 1.0}, 'Na')]}, 'unknown element'),
        ({'species': [species_of({'X': 1.0}, 'Na')]}, 'no chemical element'),
    ],
)
def test_what_is_no_crystal_has_a_reason(changes, reason):
    """Molecules, layers, correlated disorder and broken entries are skipped with a reason, never a crash."""
    attributes = {**attributes_of(['Na', 'Na']), **changes}
    with pytest.raises(UnusableError, match=reason):
        structure_of(attributes)


@pytest.mark.parametrize('attributes', [{}, {'lattice_vectors': 'x', 'species': {}}, {'structure_features': 3}])
def test_nonsense_is_skipped_too(attributes):
    """Whatever a database sends, an entry is a crystal or has a reason."""
    with pytest.raises(UnusableError):
        entry_of('x', attributes, PROVIDERS[0].fields)


def test_other_elements_are_refused():
    """A server that does not obey the filter cannot put other systems into the file."""
    with pytest.raises(UnusableError, match='other elements'):
        structure_of(attributes_of(['Na', 'Cl']), ('Na', 'O'))


@pytest.mark.parametrize('value', [None, 'na', math.nan, math.inf, -99999, True, [1.0]])
def test_a_missing_number_is_unknown(value):
    """Words, marks such as -99999, and numbers that are none are no energies."""
    assert number_at({'_jarvis_ehull': value}, ('_jarvis_ehull',)) is None


def test_the_thermo_type_decides_between_the_hulls_of_the_materials_project():
    """`_mp_stability` lists several; one is taken, and the others are never mixed in."""
    stability = {name: {'formation_energy_per_atom': -n, 'energy_above_hull': n} for n, name in
                 enumerate(['gga_gga+u', 'gga_gga+u_r2scan', 'r2scan'])}  # fmt: skip
    attributes = {**attributes_of(['Na', 'Cl']), '_mp_stability': stability}
    server = Server('https://example.org/v1', 'mp', '', '', '', frozenset({'_mp_stability'}))
    for n, thermo_type in enumerate(['GGA_GGA+U', 'GGA_GGA+U_R2SCAN', 'R2SCAN']):
        fields = fields_of(provider_named('mp'), server, thermo_type)
        data = entry_of('mp-1', attributes, fields)['data']
        assert data == {'formation_energy_per_atom': -n, 'e_above_hull': n}
    with pytest.raises(FetchError, match='no thermo type'):
        fields_of(provider_named('mp'), server, 'PBE')


def test_only_fields_that_a_server_has_are_asked_for():
    """A field that is not served is left out; of two names the one that is served is taken."""
    server = Server('https://example.org/v1', 'odbx', '', '', '', frozenset({'_odbx_hull_distance', 'elements'}))
    fields = fields_of(provider_named('odbx'), server, 'GGA_GGA+U')
    assert (fields.formation_energy, fields.e_above_hull) == ((), (('_odbx_hull_distance',),))


def test_total_energies_are_kept_where_their_meaning_is_documented():
    """Alexandria documents its energy as the total one of the cell [eV]."""
    attributes = {
        **attributes_of(['Na', 'Cl']),
        '_alexandria_energy': -6.5,
        '_alexandria_formation_energy_per_atom': -2.0,
    }
    assert entry_of('agm1', attributes, provider_named('alexandria-pbe').fields)['energy'] == -6.5
    assert [provider.name for provider in PROVIDERS if provider.fields.energy] == [
        'alexandria-pbe',
        'alexandria-pbesol',
    ]


def test_providers_are_described():
    """Names are unique, addresses are secure, energies have a level, and what is not for commerce says so."""
    assert len({provider.name for provider in PROVIDERS}) == len(PROVIDERS)
    for provider in PROVIDERS:
        assert provider.url.startswith('https://')
        assert not provider.url.endswith('/')
        assert bool(provider.fields.formation_energy) == bool(provider.level) or provider.name == 'mp'
        assert ('NC' in provider.licence) == provider.warning.startswith('NON-COMMERCIAL')


def test_chemical_systems_become_filters():
    """Every system within is named in words that all servers know."""
    assert read_elements('O, Li') == ('Li', 'O')
    assert optimade_filter(('Li', 'O')) == (
        '(elements HAS "Li" AND nelements=1) OR (elements HAS "O" AND nelements=1) OR '
        '(elements HAS ALL "Li","O" AND nelements=2)'
    )
    for text in ('Li-Zz', 'Li--O', 'H-Li-Na-K-Rb-Cs-Fr'):
        with pytest.raises(FetchError):
            read_elements(text)


@pytest.mark.parametrize(
    ('link', 'address'),
    [
        (None, None), ('', None), ({'href': None}, None),
        ('https://example.org/v1/structures?page=2', 'https://example.org/v1/structures?page=2'),
        ({'href': 'https://example.org/2'}, 'https://example.org/2'),
        ('/v1/structures?page=2', 'https://example.org/v1/structures?page=2'),
        ('?page=2', 'https://example.org/v1/structures?page=2'),
    ],
)  # fmt: skip
def test_the_next_page_is_found(link, address):
    """As text, as an object, relative, or not at all."""
    assert following({'links': {'next': link}}, 'https://example.org/v1') == address


def test_a_next_page_that_is_no_address_ends_the_fetch():
    """A server cannot send us to a file."""
    with pytest.raises(FetchError, match='next page'):
        following({'links': {'next': 'file:///etc/hostname'}}, 'https://example.org/v1')


def test_addresses_get_a_version():
    """The version of the API is added unless it is there."""
    assert versioned('https://example.org/optimade/') == 'https://example.org/optimade/v1'
    assert versioned('https://example.org/v1/structures') == 'https://example.org/v1'
    assert versioned('https://example.org/v1.2') == 'https://example.org/v1.2'


def test_retry_after_is_seconds_or_a_date():
    """Both forms of the header; nonsense is no wait."""
    assert retry_after('17') == 17.0
    assert retry_after('Thu, 01 Jan 1970 00:01:40 GMT', now=lambda: 40.0) == 60.0
    assert retry_after('soon') is None
    assert retry_after(None) is None
