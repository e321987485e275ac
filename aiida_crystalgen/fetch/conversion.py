"""From the attributes of an OPTIMADE structure to a pymatgen Structure, or to the reason why there is none."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Collection, Mapping, Sequence

if t.TYPE_CHECKING:
    from pymatgen.core import Structure

# What the standard says of a structure, and what we need of it; see the OPTIMADE specification, "Structures entries".
FIELDS: t.Final = (
    'elements',
    'nperiodic_dimensions',
    'dimension_types',
    'lattice_vectors',
    'cartesian_site_positions',
    'species',
    'species_at_sites',
    'structure_features',
)
FEATURES: t.Final = {
    'assemblies': 'its disorder is correlated (assemblies)',
    'implicit_atoms': 'some of its atoms have no position (implicit_atoms)',
    'site_attachments': 'atoms without a position are attached to its sites (site_attachments)',
    'unknown_positions': 'some of its positions are unknown',
}
VACANCY: t.Final = 'vacancy'
NO_ELEMENT: t.Final = 'X'
SMALLEST_VOLUME: t.Final = 1e-3  # A^3 of a cell
SAME_PLACE: t.Final = 0.01  # A between the parts of one mixed site that a database lists one by one
TOLERANCE: t.Final = 1e-3  # by which occupancies may exceed one
SENTINEL: t.Final = -9000.0  # JARVIS writes -99999 for a property that was not computed


class UnusableError(Exception):
    """An entry that is no crystal with known atoms; its text is the reason, the same for all entries of its kind."""


def structure_of(attributes: Mapping[str, t.Any], elements: Collection[str] = ()) -> Structure:
    """Return the crystal of an entry; sites with several elements or vacancies make it a disordered one.

    :param elements: if any, an entry with another element is refused, since some servers do not obey a filter.
    :raises UnusableError: with the reason.
    """
    from pymatgen.core import Lattice, Structure

    _require_crystal(attributes)
    lattice = Lattice(_lattice(attributes.get('lattice_vectors')))
    if lattice.volume < SMALLEST_VOLUME:
        raise UnusableError('its lattice vectors span no volume')
    contents = _species(attributes.get('species'))
    names, positions = attributes.get('species_at_sites'), attributes.get('cartesian_site_positions')
    if not _is_list(names) or not _is_list(positions) or not names or len(names) != len(positions):
        raise UnusableError('it has no positions, or not one for each site')
    sites, places = [], []
    for name, position in zip(names, positions, strict=True):
        if name not in contents:
            raise UnusableError('a site holds a species that is not described')
        if contents[name]:
            sites.append(contents[name])
            places.append(_vector(position, 'a position is not three numbers'))
    if not sites:
        raise UnusableError('all its sites are vacant')
    if elements and not set().union(*sites) <= set(elements):
        raise UnusableError('it holds other elements than those asked for')
    structure = Structure(lattice, sites, places, coords_are_cartesian=True)
    return structure if structure.is_ordered else _join_mixed_sites(structure)


def number_at(attributes: Mapping[str, t.Any], path: Sequence[str]) -> float | None:
    """Return a property of an entry, None where it is missing, not finite, or a mark for a missing value."""
    value: t.Any = attributes
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and value > SENTINEL else None


def _require_crystal(attributes: Mapping[str, t.Any]) -> None:
    n_periodic, kinds = attributes.get('nperiodic_dimensions'), attributes.get('dimension_types')
    if n_periodic is None and _is_list(kinds):
        n_periodic = sum(1 for kind in kinds if kind == 1)
    if n_periodic is not None and n_periodic != 3:
        raise UnusableError('it is not periodic in three dimensions')
    features = attributes.get('structure_features')
    for feature, reason in FEATURES.items():
        if _is_list(features) and feature in features:
            raise UnusableError(reason)


def _lattice(vectors: t.Any) -> list[list[float]]:
    if not _is_list(vectors) or len(vectors) != 3:
        raise UnusableError('it has no three lattice vectors')
    return [_vector(vector, 'it has no three lattice vectors') for vector in vectors]


def _vector(values: t.Any, reason: str) -> list[float]:
    if not _is_list(values) or len(values) != 3 or not all(_is_number(value) for value in values):
        raise UnusableError(reason)
    return [float(value) for value in values]


def _species(listed: t.Any) -> dict[str, dict[str, float]]:
    """Return name -> element -> occupancy; what is missing to one is vacant."""
    if not _is_list(listed) or not all(isinstance(species, Mapping) for species in listed):
        raise UnusableError('its species are not described')
    return {str(species.get('name')): _content(species) for species in listed}


def _content(species: Mapping[str, t.Any]) -> dict[str, float]:
    from pymatgen.core import Element

    symbols, shares = species.get('chemical_symbols'), species.get('concentration')
    if not _is_list(symbols) or not _is_list(shares) or len(symbols) != len(shares) or not symbols:
        raise UnusableError('a species is described without elements and their concentrations')
    content: dict[str, float] = {}
    for symbol, share in zip(symbols, shares, strict=True):
        if not _is_number(share) or share < 0:
            raise UnusableError('a concentration is not a number')
        if symbol == NO_ELEMENT:
            raise UnusableError('a site holds something that is no chemical element (X)')
        if symbol != VACANCY and not Element.is_valid_symbol(symbol):
            raise UnusableError('a site holds an unknown element')
        if symbol != VACANCY and share > 0:
            content[symbol] = content.get(symbol, 0.0) + float(share)
    total = sum(content.values())
    if total > 1 + TOLERANCE:
        raise UnusableError('the occupancies of a site exceed one')
    if total > 1:
        content = {symbol: share / total for symbol, share in content.items()}
    return content


def _join_mixed_sites(structure: Structure) -> Structure:
    """Make one site of the parts of a mixed site that are listed one by one at the same place."""
    if len(structure) > 1:
        try:
            structure.merge_sites(tol=SAME_PLACE, mode='sum')
        except ValueError as exception:
            raise UnusableError('the occupancies of a site exceed one') from exception
    return structure


def _is_list(value: t.Any) -> t.TypeGuard[Sequence[t.Any]]:
    return isinstance(value, (list, tuple))


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
