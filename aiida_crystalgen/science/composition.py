"""Chemical evidence from the composition alone: description, never a hard gate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from .crystal import CompositionKey, Crystal, as_columns, composition_of, formula_of, with_defaults

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
            'help': 'SMACT validity: charge neutrality and electronegativity order, or all metals (alloy rule); '
            'oxidation states ICSD24, consensus 3, of the SMACT version of the job. Unknown where the search takes '
            'too long.',
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
            'help': 'Whether such oxidation states exist; unknown outside the ionic bonding class, where the question '
            'does not apply.',
        },
        'bonding_class': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'intermetallic (metals only, or SMACT metallicity at least `metallicity`), ionic (a metal or '
            'metalloid with an element of groups 15 to 17 or hydrogen) or other.',
        },
        'anion_class': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Class of the most electronegative anion former: oxide, fluoride, chloride, nitride and so on; '
            'none for elements, intermetallics and the rest.',
        },
    },
}  # fmt: skip

# Anion formers in falling order of Pauling electronegativity.
_ANION_CLASSES = {
    'F': 'fluoride', 'O': 'oxide', 'Cl': 'chloride', 'N': 'nitride', 'Br': 'bromide', 'I': 'iodide', 'S': 'sulfide',
    'Se': 'selenide', 'C': 'carbide', 'H': 'hydride', 'P': 'phosphide', 'As': 'arsenide', 'Te': 'telluride',
    'Sb': 'antimonide', 'B': 'boride', 'Ge': 'germanide', 'Si': 'silicide',
}  # fmt: skip
_NONMETALS = {'H', 'He', 'C', 'N', 'O', 'F', 'Ne', 'P', 'S', 'Cl', 'Ar', 'Se', 'Br', 'Kr', 'I', 'Xe', 'Rn'}
_IONIC_ANIONS = {'F', 'O', 'Cl', 'N', 'Br', 'I', 'S', 'Se', 'H', 'P', 'As', 'Te', 'Sb'}

METALLICITY = 0.7
"""The default of `metallicity` in `ABOUT`, which has to be a literal, for criteria that ask for the bonding class."""

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
        else _describe(crystal.composition_key, settings['metallicity'])
        for crystal in crystals
    ]
    return as_columns(ABOUT, rows)


@lru_cache(maxsize=16384)
def _describe(key: CompositionKey, metallicity: float) -> dict[str, Any]:
    """Return all columns of one reduced composition."""
    composition = composition_of(key)
    symbols = {element.symbol for element in composition}
    # pymatgen and SMACT warn of elements without an electronegativity, such as helium.
    with warnings.catch_warnings(action='ignore'):
        bonding = bonding_class(key, metallicity)
        states = None if bonding == 'intermetallic' or len(key) == 1 else mean_states(key)
    return {
        'formula': formula_of(key),
        'chemical_system': str(composition.chemical_system),
        'n_elements': len(key),
        'smact_valid': smact_verdict(key, alloys=True),
        'smact_valid_no_alloys': smact_verdict(key, alloys=False),
        'oxidation_states': ' '.join(f'{symbol}{mean:+.3g}' for symbol, mean in states.items()) if states else None,
        'charge_balanced': bool(states) if states is not None and bonding == 'ionic' else None,
        'bonding_class': bonding,
        'anion_class': _anion_class(symbols, bonding),
    }


@lru_cache(maxsize=16384)
def bonding_class(key: CompositionKey, metallicity: float = METALLICITY) -> str:
    """Return `intermetallic`, `ionic` or `other`, which decides what rules apply to a composition.

    :param metallicity: SMACT's score from which a compound counts as intermetallic.
    """
    import smact
    from smact.metallicity import metallicity_score

    symbols = {element.symbol for element in composition_of(key)}
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


def mean_states(key: CompositionKey) -> dict[str, float]:
    """Return the most probable neutral set of mean oxidation states by symbol, highest first; none: empty.

    The score of an atom in a state is how often the ICSD has it (pymatgen's `oxi_state_guesses`, which tries all
    combinations; here the best score of each charge is carried from atom to atom, which gives the same optimum).
    """
    # Charge so far to (score, charge of each element so far).
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for number, count in key:
        extended: dict[int, tuple[float, tuple[int, ...]]] = {}
        for charge, score in _charges(number, count).items():
            for total, (total_score, charges) in best.items():
                candidate = (total_score + score, (*charges, charge))
                extended[total + charge] = max(extended.get(total + charge, candidate), candidate)
        best = extended
    if 0 not in best:
        return {}
    symbols = [element.symbol for element in composition_of(key)]
    means = [(charge / count, symbol) for charge, (_, count), symbol in zip(best[0][1], key, symbols, strict=True)]
    return {symbol: mean for mean, symbol in sorted(means, key=lambda item: (-item[0], item[1]))}


@lru_cache(maxsize=4096)
def _charges(number: int, count: int) -> dict[int, float]:
    """Return the possible charges of `count` atoms of an element with the best score of each."""
    states = _states(number)
    charges = {0: 0.0}
    for _ in range(count):
        extended: dict[int, float] = {}
        for charge, score in charges.items():
            for state, frequency in states.items():
                extended[charge + state] = max(extended.get(charge + state, -math.inf), score + frequency)
        charges = extended
    return charges


@cache
def _states(number: int) -> dict[int, float]:
    """Return the oxidation states of an element that the ICSD holds, with the number of their occurrences."""
    from pymatgen.core import Composition, Element, Species

    Composition('MgO').oxi_state_guesses()  # pymatgen reads the occurrences on first use
    occurrences = Composition.oxi_prob
    element = Element.from_Z(number)
    states = element.icsd_oxidation_states or element.common_oxidation_states
    return {int(state): float(occurrences.get(Species(element.symbol, state), 0)) for state in states}


def smact_verdict(key: CompositionKey, *, alloys: bool, oxidation_states: str | None = None) -> bool | None:
    """Return SMACT's verdict on a reduced composition, None where it has no data or the search would be too long.

    Oxidation states are those of ICSD24 unless another set of SMACT is named; with `alloys`, metals alone are valid.
    """
    from smact import metals

    if len(key) == 1 or (alloys and all(element.symbol in metals for element in composition_of(key))):
        return True
    return _smact_verdict(key, oxidation_states)


@lru_cache(maxsize=16384)
def _smact_verdict(key: CompositionKey, oxidation_states: str | None) -> bool | None:
    """Return SMACT's verdict without the alloy rule."""
    from smact.screening import smact_validity

    try:
        if math.prod(_n_states(number, oxidation_states or 'icsd24') for number, _ in key) > MAX_COMBINATIONS:
            return None
        with warnings.catch_warnings(action='ignore'):
            verdict = smact_validity(composition_of(key), include_alloys=False, oxidation_states_set=oxidation_states)
            return bool(verdict)
    except Exception:
        return None


@cache
def _n_states(number: int, oxidation_states: str) -> int:
    """Return the number of oxidation states of an element in a set of SMACT."""
    from pymatgen.core import Element
    from smact import Element as SmactElement

    return len(getattr(SmactElement(Element.from_Z(number).symbol), f'oxidation_states_{oxidation_states}') or ())
