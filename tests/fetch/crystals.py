"""A small database in the form of OPTIMADE: crystals of Li-Mg-O, two alloys, and entries that are no crystals."""

FIELDS = [
    {'name': 'delta_e', 'type': 'float', 'unit': 'eV/atom', 'description': 'Formation energy.'},
    {'name': 'stability', 'type': 'float', 'unit': 'eV/atom', 'description': 'Distance to the hull.'},
]
CUBE = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]


def species_of(content, name=None):
    """Return a species from element -> concentration."""
    symbols = list(content)
    return {'name': name or ''.join(symbols), 'chemical_symbols': symbols, 'concentration': list(content.values())}


def attributes_of(sites, length=4.0, places=None, **changes):
    """Return the attributes of a cubic crystal from what is on its sites: an element, or element -> concentration."""
    contents = [site if isinstance(site, dict) else {site: 1.0} for site in sites]
    listed = {species['name']: species for species in map(species_of, contents)}
    elements = sorted({symbol for content in contents for symbol in content} - {'vacancy', 'X'})
    mixed = any(len(content) > 1 or min(content.values()) < 1 for content in contents)
    places = CUBE[: len(sites)] if places is None else places
    return {
        'elements': elements, 'nelements': len(elements), 'nsites': len(sites), 'nperiodic_dimensions': 3,
        'dimension_types': [1, 1, 1], 'lattice_vectors': [[length, 0, 0], [0, length, 0], [0, 0, length]],
        'cartesian_site_positions': [[length * x for x in place] for place in places],
        'species': list(listed.values()), 'species_at_sites': [''.join(content) for content in contents],
        'structure_features': ['disorder'] if mixed else [], 'last_modified': '2024-01-01T00:00:00Z',
        'chemical_formula_reduced': 'X', 'chemical_formula_anonymous': 'A', 'chemical_formula_descriptive': 'X',
        'elements_ratios': [1 / len(elements)] * len(elements) if elements else [], **changes,
    }  # fmt: skip


def _entry(name, sites, formation=None, hull=None, **changes):
    energies = {'delta_e': formation, 'stability': hull}
    return {'id': name, 'attributes': {**attributes_of(sites, **changes), **energies}}


DATABASE = [
    *[_entry(f'Li-{n}', ['Li'], 0.001 * n, 0.001 * n, length=3.0 + 0.1 * n) for n in range(4)],
    *[_entry(f'O-{n}', ['O', 'O'], 0.002 * n, 0.002 * n, length=3.5 + 0.1 * n) for n in range(3)],
    *[_entry(f'LiO-{n}', ['Li', 'O'], -1.0 + 0.01 * n, 0.01 * n, length=4.0 + 0.05 * n) for n in range(12)],
    *[_entry(f'MgO-{n}', ['Mg', 'O'], -3.0 + 0.1 * n, -0.2, length=4.2 + 0.05 * n) for n in range(3)],
    _entry('LiO-mixed', [{'Li': 0.5, 'vacancy': 0.5}, 'O'], -0.5),
    _entry('LiO-molecule', ['Li', 'O'], nperiodic_dimensions=0, dimension_types=[0, 0, 0], lattice_vectors=None),
    _entry('LiO-flat', ['Li', 'O'], lattice_vectors=[[4.0, 0, 0], [0, 4.0, 0], [4.0, 4.0, 0]]),
    _entry('LiO-assembled', ['Li', 'O'], structure_features=['assemblies']),
    _entry('alloy', [{'Cu': 0.75, 'Au': 0.25}]),
]
LI_O = {e['id'] for e in DATABASE if set(e['attributes']['elements']) <= {'Li', 'O'}}
NO_CRYSTALS = {'LiO-molecule', 'LiO-flat', 'LiO-assembled'}
