"""Chemical systems: reading `Li-O`, and naming every system within one."""

from __future__ import annotations

import itertools
import typing as t

from .file import FetchError

MOST_ELEMENTS: t.Final = 6  # 63 systems: a filter of some 3,000 characters, which servers still take


def read_elements(text: str) -> tuple[str, ...]:
    """Return the elements of `Li-O`, in alphabetical order.

    Raises:
        FetchError: for a word that is no element, or for more elements than fit into one query.
    """
    from pymatgen.core import Element

    words = {word.strip() for word in text.replace(',', '-').split('-')}
    wrong = sorted(word for word in words if not Element.is_valid_symbol(word))
    if wrong:
        raise FetchError(f'`{text}` is no chemical system, because of `{wrong[0]}`: write elements as in `Li-Fe-O`.')
    if len(words) > MOST_ELEMENTS:
        raise FetchError(f'{len(words)} elements are too many for one query: fetch at most {MOST_ELEMENTS} at a time.')
    return tuple(sorted(words))


def systems_within(elements: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return every chemical system of some of the elements, the elements themselves first."""
    sizes = range(1, len(elements) + 1)
    return [system for size in sizes for system in itertools.combinations(elements, size)]


def optimade_filter(elements: tuple[str, ...]) -> str:
    """Return the filter for all crystals made of some of the elements, in words that every OPTIMADE server knows.

    `HAS ONLY` says the same more briefly, but servers need not know it.
    """
    return ' OR '.join(f'({_exactly(system)})' for system in systems_within(elements))


def _exactly(system: tuple[str, ...]) -> str:
    quoted = ','.join(f'"{element}"' for element in system)
    has = 'HAS ALL' if len(system) > 1 else 'HAS'
    return f'elements {has} {quoted} AND nelements={len(system)}'
