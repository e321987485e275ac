"""Gather the dossier of a crystal from the nodes of its campaign."""

from __future__ import annotations

import json
import typing as t
import warnings

import numpy as np

from aiida_crystalgen import __version__
from aiida_crystalgen.data.base import SYMBOLS
from aiida_crystalgen.data.convert import CrystalLossWarning, to_cif, to_pymatgen
from aiida_crystalgen.report.content import Content
from aiida_crystalgen.report.dossier import model
from aiida_crystalgen.report.dossier.cautions import cautions
from aiida_crystalgen.report.dossier.lineage import conditions_of, provenance_of
from aiida_crystalgen.report.dossier.powder import SYMPREC, powder_of
from aiida_crystalgen.report.phonon_figure import force_constants_of
from aiida_crystalgen.report.systems import System, system_of
from aiida_crystalgen.report.words import chemists_formula
from aiida_crystalgen.tools.evidence import as_records, card_of
from aiida_crystalgen.tools.table import column_values, table_columns

MOST_PHASES: t.Final = 30
PLAN: t.Final = 'synthesis_plan'


def collect(content: Content, crystal_id: str) -> model.Dossier:
    """Return the dossier of a crystal of the table.

    :raises ValueError: for a crystal that is not in it, or that has no atoms.
    """
    if crystal_id not in content.table.ids:
        raise ValueError(f'the table of campaign {content.node.pk} has no crystal `{crystal_id}`')
    chosen = content.table.select([content.table.ids.index(crystal_id)])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', CrystalLossWarning)
        structures, texts = to_pymatgen(chosen.drop_columns([n for n in chosen.columns if n != 'id'])), to_cif(chosen)
    if not structures:
        raise ValueError(f'crystal `{crystal_id}` has no atoms or no volume')
    values = {name: column_values(chosen, name)[0] for name in table_columns(chosen)}
    symbols = {SYMBOLS[number - 1] for number in chosen.numbers.tolist()}
    provenance = provenance_of(content, crystal_id)
    stability = stability_of(content, values, symbols)
    phonons, dft = phonons_of(content, values, crystal_id), dft_of(content, values)
    conditions, met = conditions_of(content, provenance, {**values, 'symbols': symbols})
    return model.Dossier(
        schema_version=1,
        written_by=f'aiida-crystalgen {__version__}',
        id=crystal_id,
        rank=values.get('rank'),
        n_ranked=len(content.table),
        warnings=cautions(values, symbols, stability, phonons, dft, met),
        structure=structure_of(structures[0], texts[crystal_id]),
        stability=stability,
        phonons=phonons,
        dft=dft,
        powder=powder_of(structures[0]),
        evidence={'lines': as_records(card_of(chosen, crystal_id))},
        synthesis=plan_of(values),
        conditions=conditions,
        conditions_met=met,
        provenance=provenance,
        columns={name: _value(chosen, name, values[name]) for name in table_columns(chosen) if name != PLAN},
    )


def _value(crystals: t.Any, name: str, value: t.Any) -> model.Value:
    column = crystals.columns.get(name)
    return model.Value(value=value, unit=column.unit if column else '', level=column.level if column else '')


def structure_of(structure: t.Any, cif: str) -> model.Structure:
    """Return what a crystallographer asks of a structure."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    number, symbol, cell = None, None, structure
    sites: tuple[model.Site, ...] = ()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        try:
            analyzer = SpacegroupAnalyzer(structure, symprec=SYMPREC)
            number, symbol = analyzer.get_space_group_number(), analyzer.get_space_group_symbol()
            cell = analyzer.get_conventional_standard_structure()
            sites = _sites(SpacegroupAnalyzer(cell, symprec=SYMPREC).get_symmetrized_structure())
        except (SymmetryUndeterminedError, TypeError):
            pass
    names = ('a_A', 'b_A', 'c_A', 'alpha_deg', 'beta_deg', 'gamma_deg')
    numbers = (*cell.lattice.abc, *cell.lattice.angles)
    return model.Structure(
        formula=structure.composition.reduced_formula,
        n_sites=len(structure),
        volume_A3=float(structure.volume),
        density_g_cm3=float(structure.density),
        space_group=number,
        space_group_symbol=symbol,
        symprec_A=SYMPREC,
        lattice=model.Lattice(**{name: float(value) for name, value in zip(names, numbers, strict=True)}),
        sites=sites,
        cif=cif,
    )


def _sites(symmetrized: t.Any) -> tuple[model.Site, ...]:
    pairs = zip(symmetrized.equivalent_sites, symmetrized.wyckoff_symbols, strict=True)
    return tuple(
        model.Site(
            symbol=group[0].specie.symbol,
            wyckoff=wyckoff,
            fractional=tuple(float(x) for x in np.round(np.mod(group[0].frac_coords + 1e-9, 1.0) - 1e-9, 6) + 0.0),
        )
        for group, wyckoff in pairs
    )


def stability_of(content: Content, values: dict[str, t.Any], symbols: set[str]) -> model.Stability:
    """Return the energy of a crystal against competing phases."""
    system = system_of(content, sorted(symbols))
    phases = competing(system) if system else ()
    column = content.table.columns.get('e_hull')
    level = (column.level if column else '') or content.funnel.level
    has_hull = content.hull is not None or 'entries' in content.references
    return model.Stability(
        level=level,
        e_hull_eV_per_atom=values.get('e_hull'),
        reason=values.get('e_hull_reason'),
        e_hull_with_candidates_eV_per_atom=values.get('e_hull_with_candidates'),
        formation_energy_eV_per_atom=values.get('formation_energy'),
        decomposes_into=products(values.get('decomposition')),
        partial=content.hull_is_partial if has_hull else None,
        phases=phases[:MOST_PHASES],
        n_phases=len(phases),
    )


def products(text: str | None) -> tuple[model.Product, ...]:
    """Read the mixture that the criterion of stability wrote: `0.5 NiO + 0.5 O2`."""
    parts = [part.split() for part in (text or '').split(' + ') if part]
    return tuple(model.Product(formula=chemists_formula(name), fraction=float(amount)) for amount, name in parts)


def competing(system: System) -> tuple[model.Phase, ...]:
    """Return the competing phases of a system with their distances to the hull, the nearest first."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    references = system.of_kind('reference')
    entries = [
        PDEntry(Composition(dict(zip(system.elements, phase.shares, strict=True))), phase.energy)
        for phase in references
    ]
    diagram = PhaseDiagram(entries)
    found = [
        model.Phase(
            formula=chemists_formula(phase.name),
            source=phase.note,
            formation_energy_eV_per_atom=phase.energy,
            above_hull_eV_per_atom=max(float(diagram.get_e_above_hull(entry)), 0.0),
        )
        for phase, entry in zip(references, entries, strict=True)
    ]
    return tuple(sorted(found, key=lambda phase: (round(phase.above_hull_eV_per_atom, 6), phase.formula, phase.source)))


def phonons_of(content: Content, values: dict[str, t.Any], crystal_id: str) -> model.Phonons | None:
    """Return the dynamic stability; None where it was not assessed."""
    if values.get('phonon_verdict') is None:
        return None
    return model.Phonons(
        verdict=values['phonon_verdict'],
        reason=values.get('phonon_reason'),
        lowest_frequency_THz=values.get('phonon_lowest_frequency'),
        supercell=values.get('phonon_supercell'),
        has_bands=force_constants_of(content.node, crystal_id) is not None,
    )


def dft_of(content: Content, values: dict[str, t.Any]) -> model.Verified | None:
    """Return what the DFT engine found; None where it was not sent there."""
    if values.get('dft_status') is None:
        return None
    column = content.table.columns.get('dft_e_hull')
    return model.Verified(
        status=values['dft_status'],
        reason=values.get('dft_reason') or values.get('dft_e_hull_reason'),
        level=column.level if column else '',
        e_hull_eV_per_atom=values.get('dft_e_hull'),
        formation_energy_eV_per_atom=values.get('dft_formation_energy'),
    )


def plan_of(values: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the synthesis plan; None where none was made."""
    text = values.get(PLAN)
    return None if text is None else dict(json.loads(text))
