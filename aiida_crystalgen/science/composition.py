"""Chemical evidence from the composition alone: description, never a hard gate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from .crystal import CompositionKey, Crystal, composition_of, formula_of, with_defaults

ABOUT = {
    'name': 'composition',
    'kind': 'criterion',
    'summary': 'Formula, bonding and anion class, SMACT validity and charge balance. Evidence: 10 to 40 % of made '
    'crystals fail such checks, so they should not reject.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Davies et al., SMACT: Semiconducting Materials by Analogy and Chemical Theory, J. Open Source Softw. 4, 1361 '
        '(2019), doi:10.21105/joss.01361',
        'Ong et al., Python Materials Genomics, Comput. Mater. Sci. 68, 314 (2013), '
        'doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'pymatgen smact',
    'requires': ['numpy', 'pymatgen', 'smact'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'max_sites': {
            'type': 'int', 'default': 30, 'unit': '', 'minimum': 2,
            'help': 'Largest number of atoms in the reduced formula for which oxidation states are guessed.',
        },
        'metallicity': {
            'type': 'float', 'default': 0.7, 'unit': '', 'minimum': 0.0, 'maximum': 1.0,
            'help': 'SMACT metallicity score from which a compound counts as intermetallic.',
        },
    },
    'conditions': {},
    'columns': {
        'formula': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Reduced formula.'},
        'chemical_system': {'kind': 'text', 'unit': '', 'level': '', 'help': 'Elements in alphabetic order, as Mg-O.'},
        'n_elements': {
            'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '', 'help': 'Number of elements.',
        },
        'smact_valid': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'SMACT validity: charge neutrality and electronegativity order, or all metals (alloy rule); oxidation '
            'states ICSD24, consensus 3, of the SMACT version of the job. Unknown where the search would be too long.',
        },
        'smact_valid_no_alloys': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'SMACT validity without the alloy rule, otherwise as smact_valid.',
        },
        'oxidation_states': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Most probable charge-balanced mean oxidation states (pymatgen, ICSD statistics), as `Mg+2 O-2`.',
        },
        'charge_balanced': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether such oxidation states exist; unknown outside the ionic bonding class, where the question does '
            'not apply, and for formulas above max_sites.',
        },
        'bonding_class': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'intermetallic (metals only, or SMACT metallicity at least `metallicity`), ionic (a metal or metalloid '
            'with an element of groups 15 to 17 or hydrogen) or other.',
        },
        'anion_class': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Class of the most electronegative anion former: oxide, fluoride, chloride, nitride and so on; none '
            'for elements, intermetallics and the rest.',
        },
    },
}

# Anion formers in falling order of Pauling electronegativity.
_ANION_CLASSES = {
    'F': 'fluoride', 'O': 'oxide', 'Cl': 'chloride', 'N': 'nitride', 'Br': 'bromide', 'I': 'iodide', 'S': 'sulfide',
    'Se': 'selenide', 'C': 'carbide', 'H': 'hydride', 'P': 'phosphide', 'As': 'arsenide', 'Te': 'telluride',
    'Sb': 'antimonide', 'B': 'boride', 'Ge': 'germanide', 'Si': 'silicide',
}  # fmt: skip
_NONMETALS = {'H', 'He', 'C', 'N', 'O', 'F', 'Ne', 'P', 'S', 'Cl', 'Ar', 'Se', 'Br', 'Kr', 'I', 'Xe', 'Rn'}
_IONIC_ANIONS = {'F', 'O', 'Cl', 'N', 'Br', 'I', 'S', 'Se', 'H', 'P', 'As', 'Te', 'Sb'}

MAX_COMBINATIONS = 20_000
"""Most combinations of oxidation states that are tried for one formula: about 0.2 s."""


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Describe the composition of each crystal; nothing is known of rows without atoms or with unknown elements."""
    settings = with_defaults(ABOUT, parameters)
    nothing: dict[str, Any] = {}
    rows = [
        nothing
        if crystal.fault in ('no_atoms', 'unknown_element')
        else _describe(crystal.composition_key, settings['max_sites'], settings['metallicity'])
        for crystal in crystals
    ]
    return {name: [row.get(name) for row in rows] for name in ABOUT['columns']}


@lru_cache(maxsize=16384)
def _describe(key: CompositionKey, max_sites: int, metallicity: float) -> dict[str, Any]:
    """Return all columns of one reduced composition."""
    composition = composition_of(key)
    symbols = {element.symbol for element in composition}
    # pymatgen and SMACT warn of elements without an electronegativity, such as helium.
    with warnings.catch_warnings(action='ignore'):
        bonding = _bonding_class(key, symbols, metallicity)
        states = None if bonding == 'intermetallic' or len(key) == 1 else _oxidation_states(key, max_sites)
    return {
        'formula': formula_of(key),
        'chemical_system': str(composition.chemical_system),
        'n_elements': len(key),
        'smact_valid': smact_verdict(key, alloys=True),
        'smact_valid_no_alloys': smact_verdict(key, alloys=False),
        'oxidation_states': states or None,
        'charge_balanced': bool(states) if states is not None and bonding == 'ionic' else None,
        'bonding_class': bonding,
        'anion_class': _anion_class(symbols, bonding),
    }


def _bonding_class(key: CompositionKey, symbols: set[str], metallicity: float) -> str:
    """Return `intermetallic`, `ionic` or `other`."""
    import smact
    from smact.metallicity import metallicity_score

    if symbols <= set(smact.metals):
        return 'intermetallic'
    try:
        score = float(metallicity_score(composition_of(key)))
    except Exception:
        # SMACT has no data for some of the heaviest elements.
        score = 0.0
    if len(symbols) > 1 and score >= metallicity:
        return 'intermetallic'
    anions = symbols & _IONIC_ANIONS
    cations = symbols - _NONMETALS
    return 'ionic' if any(symbols - {anion} & cations for anion in anions) else 'other'


def _anion_class(symbols: set[str], bonding: str) -> str:
    """Return the class of the most electronegative anion former beside another element."""
    if len(symbols) == 1 or bonding == 'intermetallic':
        return 'none'
    return next((name for symbol, name in _ANION_CLASSES.items() if symbol in symbols), 'none')


def _oxidation_states(key: CompositionKey, max_sites: int) -> str | None:
    """Return the most probable balanced oxidation states, '' if there are none, None if the formula is too long."""
    try:
        guesses = composition_of(key).oxi_state_guesses(max_sites=-max_sites)
    except Exception:
        return None
    states = sorted(guesses[0].items(), key=lambda item: (-item[1], item[0])) if guesses else []
    return ' '.join(f'{symbol}{state:+.3g}' for symbol, state in states)


@lru_cache(maxsize=16384)
def smact_verdict(key: CompositionKey, *, alloys: bool, oxidation_states: str | None = None) -> bool | None:
    """Return SMACT's verdict on a reduced composition, None where it has no data or the search would be too long.

    Oxidation states are those of ICSD24 unless another set of SMACT is named.
    """
    from smact import Element, metals
    from smact.screening import smact_validity

    composition = composition_of(key)
    symbols = [element.symbol for element in composition]
    try:
        shortcut = len(symbols) == 1 or (alloys and set(symbols) <= set(metals))
        attribute = f'oxidation_states_{oxidation_states or "icsd24"}'
        if not shortcut and math.prod(len(getattr(Element(s), attribute) or ()) for s in symbols) > MAX_COMBINATIONS:
            return None
        with warnings.catch_warnings(action='ignore'):
            return bool(smact_validity(composition, include_alloys=alloys, oxidation_states_set=oxidation_states))
    except Exception:
        return None
