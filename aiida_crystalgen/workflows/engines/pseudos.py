"""Families of pseudopotentials: elements, functional, cut-offs, and a digest that tells them apart."""

from __future__ import annotations

import hashlib
import re
import typing as t

from aiida_crystalgen.calculations.fingerprints import canonical_json
from aiida_crystalgen.workflows.engines.base import InvalidSettingsError, UnsupportedCrystalError

# How the functionals are written in UPF files, short or by their four parts.
_PARTS: t.Final = {
    'SLA PW PBX PBC': 'PBE',
    'SLA PW PBE PBE': 'PBE',
    'SLA PW PSX PSC': 'PBESOL',
    'SLA PZ NOGX NOGC': 'PZ',
}
_VERSION_2: t.Final = re.compile(r'functional\s*=\s*"([^"]*)"')
_VERSION_1: t.Final = re.compile(r'^(.*?)Exchange-Correlation functional', re.MULTILINE)


def find_family(label: str) -> t.Any:
    """Return a family of pseudopotentials of the profile.

    :raises InvalidSettingsError: when there is none of that label.
    """
    from aiida import orm
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    found = orm.QueryBuilder().append(PseudoPotentialFamily, filters={'label': label}).all(flat=True)
    if len(found) == 1:
        return found[0]
    there = orm.QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True)
    known = f'there are {", ".join(sorted(there))}' if there else 'there is none at all'
    raise InvalidSettingsError(
        f'there is no one family of pseudopotentials `{label}` in this profile, {known}; install one with '
        '`aiida-pseudo install`'
    )


def family_digest(family: t.Any) -> str:
    """Return a digest of the md5 of every pseudopotential of a family, by element."""
    return digest_of_texts({element: pseudo.md5 for element, pseudo in family.pseudos.items()})


def digest_of_texts(table: dict[str, str]) -> str:
    """Return 16 hexadecimal digits that stand for a table of texts."""
    return hashlib.sha256(canonical_json(table)).hexdigest()[:16]


def cutoffs_of(family: t.Any, elements: list[str] | None) -> tuple[float, float]:
    """Return the highest recommended cut-offs [Ry] of elements, or of the whole family.

    :raises InvalidSettingsError: when the family recommends none.
    """
    if elements and (missing := sorted(set(elements) - set(family.elements))):
        raise UnsupportedCrystalError(f'the family `{family.label}` has no pseudopotential of {", ".join(missing)}')
    try:
        wfc, rho = family.get_recommended_cutoffs(elements=tuple(elements or family.elements), unit='Ry')
    except (AttributeError, ValueError) as error:
        remedy = 'give `cutoff_wfc_Ry` and `cutoff_rho_Ry`, or `aiida-pseudo family cutoffs set`'
        raise InvalidSettingsError(f'the family `{family.label}` recommends no cut-offs; {remedy}') from error
    return float(wfc), float(rho)


def check_functional(family: t.Any, elements: list[str], functional: str) -> None:
    """Refuse pseudopotentials of another functional: cut-offs and energies would be of neither.

    :raises InvalidSettingsError: with the element and both functionals.
    """
    for element in elements:
        if element not in family.elements:
            raise UnsupportedCrystalError(f'the family `{family.label}` has no pseudopotential of {element}')
        found = functional_of(family.get_pseudo(element).get_content())
        if found != functional.upper():
            known = found or 'no functional that it names'
            raise InvalidSettingsError(
                f'the pseudopotential of {element} in the family `{family.label}` is for {known}, '
                f'`functional` is {functional}; take a family of {functional}'
            )


def functional_of(upf: str) -> str:
    """Return the functional of a UPF file in capitals, empty where it does not say it."""
    found = _VERSION_2.search(upf) or _VERSION_1.search(upf)
    words = re.split(r'[\s+-]+', found.group(1).strip().upper()) if found else []
    return _PARTS.get(' '.join(words[:4]), words[-1] if words else '')
