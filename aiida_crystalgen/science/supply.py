"""What the elements of a crystal mean for those who make it: radioactive, toxic, scarce."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from .crystal import CompositionKey, Crystal, as_columns, composition_of, with_defaults

ABOUT = {
    'name': 'supply',
    'kind': 'criterion',
    'summary': 'Radioactive and toxic elements, concentration of production and reserves.',
    'elements': 'any',
    'licence': 'MIT',
    'citation': [
        'Gaultois, Sparks, Borg, Seshadri, Bonificio, Clarke, Data-Driven Review of Thermoelectric Materials: '
        'Performance and Resource Considerations, Chem. Mater. 25, 2911 (2013), doi:10.1021/cm400893e',
        'Ong et al., Python Materials Genomics, Comput. Mater. Sci. 68, 314 (2013), '
        'doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'pymatgen',
    'requires': ['pymatgen'],
    'needs': [],
    'training': None,
    'energy_convention': None,
    'whole_batch': False,
    'units': 1,
    'parameters': {},
    'conditions': {},
    'columns': {
        'radioactive': {
            'kind': 'row', 'dtype': 'bool', 'shape': [], 'unit': '', 'level': '',
            'help': 'Whether an element has no stable isotope; bismuth counts as stable.',
        },
        'toxic_elements': {
            'kind': 'text', 'unit': '', 'level': '',
            'help': 'Elements among Be, As, Cd, Hg, Tl and Pb, whose common compounds are classified in the European '
            'Union (Regulation 1272/2008, Annex VI) as fatal or as proven carcinogens or toxic to reproduction; `none` '
            'says nothing of the compound itself.',
        },
        'hhi_production': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'Herfindahl-Hirschman index of the countries that produce the elements, weighted by mass: 0 to '
            '10,000, above 2,500 for highly concentrated.',
        },
        'hhi_reserves': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'The same of the known reserves.',
        },
    },
}  # fmt: skip

TOXIC = ('As', 'Be', 'Cd', 'Hg', 'Pb', 'Tl')
_STABLE = {'Bi'}  # 2e19 years


def evaluate(
    crystals: Sequence[Crystal], parameters: Mapping[str, Any], tables: Mapping[str, Sequence[Crystal]]
) -> dict[str, list[Any]]:
    """Return what is known of the elements of each crystal; None where a table has no value for one of them."""
    with_defaults(ABOUT, parameters)
    nothing: dict[str, Any] = {}
    rows = [
        nothing if crystal.fault in ('no_atoms', 'unknown_element') else describe(crystal.composition_key)
        for crystal in crystals
    ]
    return as_columns(ABOUT, rows)


@lru_cache(maxsize=16384)
def describe(key: CompositionKey) -> dict[str, Any]:
    """Return all columns of one reduced composition."""
    from pymatgen.analysis.hhi import HHIModel

    composition = composition_of(key)
    with warnings.catch_warnings(action='ignore'):
        production, reserves = HHIModel().get_hhi(composition)
    toxic = [symbol for symbol in TOXIC if symbol in composition]
    return {
        'radioactive': any(one.is_radioactive and one.symbol not in _STABLE for one in composition),
        'toxic_elements': ' '.join(toxic) or 'none',
        'hhi_production': None if production is None else float(production),
        'hhi_reserves': None if reserves is None else float(reserves),
    }
