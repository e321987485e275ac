"""Check that the energies of a campaign can meet in one hull."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from .parameters import About
from .problem import Finding
from .spec import SAME_MODEL

# Energies that are or become those of the Materials Project with the corrections of 2020.
MP_CONVENTIONS: t.Final = ('raw_mp_pbe_u', 'mp2020')


def hull_findings(raw: Mapping[str, t.Any], potential: About) -> Iterator[Finding]:
    """Yield a mode of the hull that the potential, or the lack of one, does not suit.

    :param potential: the `ABOUT` of the potential, empty where there is none.
    """
    references = raw.get('references')
    if not isinstance(references, Mapping):
        return
    mode, phases = references.get('mode', SAME_MODEL), references.get('phases')
    here = ('references', 'mode')
    if phases is None:
        if mode != SAME_MODEL:
            yield Finding(here, f'the mode `{mode}` needs competing phases', 'add `phases`')
    elif raw.get('potential') is None:
        yield from _without_potential(mode, raw)
    elif mode == 'formation':
        message = 'formation energies come from files, and a potential would relax the crystals away from them'
        yield Finding(here, message, 'take `potential` out, or choose `same-model` or `mp2020`')
    elif mode == 'mp2020' and potential:
        yield from _mp2020(raw, potential)


def _without_potential(mode: t.Any, raw: Mapping[str, t.Any]) -> Iterator[Finding]:
    """Yield what has no energies: without a potential they must lie in files."""
    if mode == SAME_MODEL:
        message = 'a same-model hull needs a potential that relaxes crystals and phases alike'
        yield Finding(('references', 'mode'), message, 'add `potential`, or choose `formation`, `custom` or `mp2020`')
    generators = raw.get('generators')
    for index, entry in enumerate(generators if isinstance(generators, list) else []):
        if isinstance(entry, Mapping) and entry.get('type') != 'files':
            message = f'crystals from `{entry.get("type")}` have no energies, and no potential gives them any'
            yield Finding(('generators', index, 'type'), message, 'add `potential`')


def _mp2020(raw: Mapping[str, t.Any], potential: About) -> Iterator[Finding]:
    """Yield a potential whose energies are not those of the Materials Project, and a pressure."""
    convention = potential.get('energy_convention')
    if convention not in MP_CONVENTIONS:
        message = (
            f'the energies of `{potential["name"]}` are of the convention `{convention}`, those of the phases are '
            'PBE(+U) energies of the Materials Project (`raw_mp_pbe_u`)'
        )
        yield Finding(('references', 'mode'), message, 'choose `same-model`, or a potential trained on them')
    asked = raw['potential'].get('parameters') if isinstance(raw['potential'], Mapping) else None
    pressure = asked.get('pressure') if isinstance(asked, Mapping) else None
    if pressure:
        message = 'the energies of the Materials Project are those at no pressure'
        yield Finding(('potential', 'parameters', 'pressure'), message, 'take it out, or choose `same-model`')
