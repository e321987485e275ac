"""Element symbols, formulas and chemical systems as they are written in a campaign."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

_SYMBOLS: t.Final = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb
    Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg
    Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts
    Og"""
ELEMENTS: t.Final = frozenset(_SYMBOLS.split())
_ION: t.Final = re.compile(r'([A-Z][a-z]?)(?:\d+(?:\.\d+)?)?[+-]')
_GROUP: t.Final = re.compile(r'\(([A-Z][A-Za-z0-9.]*)\)(?:\d+(?:\.\d+)?)?')
_FORMULA: t.Final = re.compile(r'(?:[A-Z][a-z]?(?:\d+(?:\.\d+)?)?)+')


def elements_of_system(value: object) -> list[str] | None:
    """Return the sorted elements of a chemical system, `Mg-O` or a list of symbols; None if it is not one."""
    symbols = value.replace(' ', '').split('-') if isinstance(value, str) else value
    if not isinstance(symbols, (list, tuple)) or not symbols:
        return None
    if not all(isinstance(symbol, str) and symbol in ELEMENTS for symbol in symbols):
        return None
    return sorted(set(symbols))


def elements_of_species(value: object) -> list[str] | None:
    """Return the sorted elements of a list of ions such as `[Mg2+, O2-]`; None if it is not one."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    ions = [_ION.fullmatch(ion) if isinstance(ion, str) else None for ion in value]
    symbols = {ion.group(1) for ion in ions if ion is not None}
    return sorted(symbols) if None not in ions and symbols <= ELEMENTS else None


def elements_of_formula(value: object) -> list[str] | None:
    """Return the sorted elements of a formula such as `Mg2SiO4` or `Ca(OH)2`; None if it is not one."""
    if isinstance(value, Mapping):
        value = ''.join(f'{symbol}{amount}' for symbol, amount in value.items())
    if not isinstance(value, str):
        return None
    text, groups = value.replace(' ', ''), 1
    while groups:
        text, groups = _GROUP.subn(r'\1', text)
    symbols = set(re.findall(r'[A-Z][a-z]?', text))
    return sorted(symbols) if _FORMULA.fullmatch(text) and symbols <= ELEMENTS else None
