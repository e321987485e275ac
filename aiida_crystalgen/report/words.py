"""Values, reasons and headings as a reader of the page would say them."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

HALF_A_DIGIT: t.Final = 5e-4  # eV/atom; what is printed as zero lies neither above nor below
HEADINGS: t.Final = {
    'rank': 'rank', 'id': 'id', 'formula': 'formula', 'n_sites': 'sites', 'space_group_relaxed': 'space group',
    'e_hull': 'E above hull', 'e_hull_with_candidates': 'with candidates', 'formation_energy': 'formation energy',
    'energy': 'energy', 'novel_known': 'novel', 'n_duplicates': 'copies', 'generator': 'generator',
    'valid_generated': 'valid as drawn', 'valid_relaxed': 'valid once relaxed', 'phonon_verdict': 'phonons',
    'phonon_lowest_frequency': 'lowest mode', 'pareto_front': 'Pareto front',
}  # fmt: skip
REASONS: t.Final = {
    'e_hull_above_limit': 'too far above the hull',
    'duplicate': 'copies of others',
}


def cell_text(value: t.Any) -> str:
    """Return a value as the table shows it."""
    if value is None:
        return '–'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    return f'{round(value, 3) + 0.0:.3f}'.replace('-', '−') if isinstance(value, float) else str(value)


def from_hull(distance: float) -> str:
    """Return a distance to the hull [eV/atom] as a sentence says it."""
    side = 'below' if distance < -HALF_A_DIGIT else 'above'
    return f'{abs(distance):.3f} eV/atom {side}'


def in_words(reason: str) -> str:
    """Return a reason of rejection as a reader would say it."""
    if reason in REASONS:
        return REASONS[reason]
    for ending, words in (('_false', 'not {}'), ('_above_limit', '{} above limit'), ('_below_limit', '{} below limit')):
        if reason.endswith(ending):
            column = reason.removesuffix(ending)
            return words.format(HEADINGS.get(column, column.replace('_', ' ')))
    return reason.replace('_', ' ')


def formula_html(text: str | None) -> str:
    """Return a formula as HTML with its numbers as subscripts; nothing but letters and numbers is let through."""
    return re.sub(r'(\d+)', r'<sub>\1</sub>', re.sub(r'[^A-Za-z0-9.]', '', text or '–'))


@lru_cache(maxsize=4096)
def chemists_formula(text: str) -> str:
    """Return a reduced formula in the order of electronegativity: NiO for Ni1 O1 however it was written."""
    from pymatgen.core import Composition

    try:
        return str(Composition(text).get_reduced_formula_and_factor()[0])
    except ValueError:
        return text
