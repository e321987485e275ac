"""Priority: an explicit sum of what a user finds desirable, and nothing else.

Each term turns one column into a desirability between 0 and 1 that never falls where the column gets better: linear
between `worst` and `best` and flat beyond (Derringer, Suich, J. Qual. Technol. 12, 214 (1980)), or a table of the
values of a text. The priority is their mean with the weights of the user. It is a choice that somebody made, not
the chance that a crystal can be made: heuristics like these do not tell made crystals from others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Term = Mapping[str, Any]

DEFAULTS: dict[str, dict[str, Any]] = {
    'e_hull': {'best': 0.0, 'worst': 0.1, 'unit': 'eV/atom'},
    'dft_e_hull': {'best': 0.0, 'worst': 0.1, 'unit': 'eV/atom'},
    'e_hull_with_candidates': {'best': 0.0, 'worst': 0.1, 'unit': 'eV/atom'},
    'e_hull_spread': {'best': 0.0, 'worst': 0.1, 'unit': 'eV/atom'},
    'stable_agreement': {'best': 1.0, 'worst': 0.5, 'unit': ''},
    'phonon_lowest_frequency': {'best': 0.0, 'worst': -1.0, 'unit': 'THz'},
    'phonon_verdict': {'values': {'stable': 1.0, 'inconclusive': 0.5, 'unstable': 0.0}},
    'n_elements': {'best': 1.0, 'worst': 6.0, 'unit': ''},
    'information_per_cell': {'best': 20.0, 'worst': 500.0, 'unit': 'bits'},
}
"""What is best and worst of a column, where the user does not say: the limits of the default screen for energies."""

FLAG = {'best': 1.0, 'worst': 0.0}
"""What is best and worst of a column of truth values."""

KEYS = ('weight', 'best', 'worst', 'values', 'unknown')


def terms(weights: Mapping[str, Any], flags: frozenset[str] = frozenset()) -> dict[str, dict[str, Any]]:
    """Return the terms of a priority in full: `weight`, `unknown`, and `best` and `worst` or `values`.

    Args:
        weights: by column a number, where the column has a default, or a term.
        flags: columns of truth values, whose best is true.

    Raises:
        ValueError: with a sentence, for a term that means nothing.
    """
    found = {}
    for name, given in sorted(weights.items()):
        own = dict(given) if isinstance(given, Mapping) else {'weight': given}
        if strange := sorted(set(own) - set(KEYS)):
            raise ValueError(f'the weight of `{name}` has no key `{strange[0]}`; it has: {", ".join(KEYS)}')
        default = FLAG if name in flags else DEFAULTS.get(name, {})
        scale = own if {'best', 'worst', 'values'} & set(own) else default
        found[name] = {
            'weight': own.get('weight', 1.0),
            **{key: scale[key] for key in ('best', 'worst', 'values') if key in scale},
            'unknown': own.get('unknown', 0.0),
        }
        if sentence := problem(name, found[name]):
            raise ValueError(sentence)
    return found


def problem(name: str, term: Term) -> str | None:
    """Return what is wrong with a term in full as a sentence, None if nothing is."""
    if not _is_number(term.get('weight')) or term['weight'] < 0:
        return f'the weight of `{name}` is no number from 0 on'
    if term['unknown'] is not None and not _is_share(term['unknown']):
        return f'`unknown` of `{name}` is a desirability between 0 and 1, or null for a priority that is unknown too'
    if 'values' in term:
        values = term['values']
        if 'best' in term or 'worst' in term:
            return f'the weight of `{name}` has `values` or `best` and `worst`, not both'
        if not isinstance(values, Mapping) or not values or not all(map(_is_share, values.values())):
            return f'`values` of `{name}` gives a desirability between 0 and 1 for each text'
        return None
    if not (_is_number(term.get('best')) and _is_number(term.get('worst'))):
        return f'the weight of `{name}` needs its `best` and `worst` value, there is no default'
    if term['best'] == term['worst']:
        return f'`best` and `worst` of `{name}` are the same'
    return None


def desirability(value: Any, term: Term) -> float | None:
    """Return how desirable a value is, from 0 to 1; `unknown` of the term where it is unknown or not in its table."""
    unknown: float | None = term['unknown']
    if 'values' in term:
        found: float | None = term['values'].get(value, unknown)
        return found
    if value is None or isinstance(value, str):
        return unknown
    share = (float(value) - float(term['worst'])) / (float(term['best']) - float(term['worst']))
    return min(max(share, 0.0), 1.0)


def priority(row: Mapping[str, Any], terms: Mapping[str, Term]) -> float | None:
    """Return the weighted mean of the desirabilities of a row, from 0 to 1; None where a term leaves it unknown.

    Args:
        row: columns by name.
        terms: in full, as `terms` returns them.
    """
    total = math.fsum(term['weight'] for term in terms.values())
    found = [(term['weight'], desirability(row.get(name), term)) for name, term in terms.items() if term['weight']]
    if total <= 0 or any(value is None for _, value in found):
        return None
    return math.fsum(weight * value for weight, value in found if value is not None) / total


def share_known(row: Mapping[str, Any], weights: Mapping[str, Any]) -> float | None:
    """Return which share of the weight, as the user gave it, rests on values that are known."""
    shares = {
        name: given.get('weight', 1.0) if isinstance(given, Mapping) else given for name, given in weights.items()
    }
    total = math.fsum(shares.values())
    return math.fsum(w for name, w in shares.items() if row.get(name) is not None) / total if total > 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1
