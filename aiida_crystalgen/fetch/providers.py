"""Well-known OPTIMADE databases: where they are, under which licence, and what their own fields mean."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .file import FetchError

Path: t.TypeAlias = tuple[str, ...]

# Base URLs as in the list of providers of the OPTIMADE consortium (providers.optimade.org, state of 2026-02-27) where
# `listed` is true; the others were found in public programs that use them. None of them was asked while this was
# written: a fetch asks the server which of the fields it has, and leaves out what it does not know.
LISTED_ON: t.Final = '2026-02-27'
OPTIMADE_CITATION: t.Final = (
    'C. W. Andersen et al., Scientific Data 8, 217 (2021), doi:10.1038/s41597-021-00974-z',
    'M. L. Evans et al., Digital Discovery 3, 1509 (2024), doi:10.1039/D4DD00039K',
)


@dataclass(frozen=True)
class Fields:
    """Where an entry carries energies; each a choice of paths of which the first that is served is taken."""

    formation_energy: tuple[Path, ...] = ()
    """[eV/atom]"""
    e_above_hull: tuple[Path, ...] = ()
    """[eV/atom], relative to the hull of that database."""
    energy: tuple[Path, ...] = ()
    """[eV] of the cell, as computed; only where the field is documented so."""

    def all_paths(self) -> tuple[Path, ...]:
        """Return every path that may be asked for."""
        return (*self.formation_energy, *self.e_above_hull, *self.energy)


@dataclass(frozen=True)
class Provider:
    """A database that speaks OPTIMADE."""

    name: str
    title: str
    url: str
    prefix: str
    licence: str
    """'' where it could not be made sure of; what the server itself states goes first."""
    citation: tuple[str, ...] = ()
    fields: Fields = Fields()
    level: str = ''
    """Level of theory of the energies; '' where there are none."""
    listed: bool = True
    warning: str = ''


MP_CITATIONS: t.Final = (
    'A. Jain et al., APL Materials 1, 011002 (2013), doi:10.1063/1.4812323',
    'M. K. Horton et al., Nature Materials (2025), doi:10.1038/s41563-025-02272-0',
)
NON_COMMERCIAL: t.Final = 'NON-COMMERCIAL: the data of GNoME are under CC-BY-NC-4.0, so commercial use is not allowed'

# Thermo type of the Materials Project -> (its key in `_mp_stability`, level of theory of its formation energies).
THERMO_TYPES: t.Final = {
    'GGA_GGA+U': ('gga_gga+u', 'Materials Project PBE(+U)'),
    'GGA_GGA+U_R2SCAN': ('gga_gga+u_r2scan', 'Materials Project PBE(+U)/r2SCAN'),
    'R2SCAN': ('r2scan', 'Materials Project r2SCAN'),
}


def _single(*names: str) -> tuple[Path, ...]:
    return tuple((name,) for name in names)


PROVIDERS: t.Final = (
    Provider(
        'mp', 'Materials Project', 'https://optimade.materialsproject.org', 'mp', 'CC-BY-4.0', MP_CITATIONS,
        Fields((('_mp_stability', '*', 'formation_energy_per_atom'),), (('_mp_stability', '*', 'energy_above_hull'),)),
    ),
    Provider(
        'alexandria-pbe', 'Alexandria, PBE', 'https://alexandria.icams.rub.de/pbe', 'alexandria', 'CC-BY-4.0',
        ('J. Schmidt et al., Materials Today Physics 48, 101560 (2024), doi:10.1016/j.mtphys.2024.101560',),
        Fields(
            _single('_alexandria_formation_energy_per_atom'), _single('_alexandria_hull_distance'),
            _single('_alexandria_energy'),
        ),
        level='Alexandria PBE(+U)',
    ),
    Provider(
        'alexandria-pbesol', 'Alexandria, PBEsol', 'https://alexandria.icams.rub.de/pbesol', 'alexandria', 'CC-BY-4.0',
        ('J. Schmidt et al., Scientific Data 9, 64 (2022), doi:10.1038/s41597-022-01177-w',),
        Fields(
            _single('_alexandria_formation_energy_per_atom'), _single('_alexandria_hull_distance'),
            _single('_alexandria_energy'),
        ),
        level='Alexandria PBEsol',
    ),
    Provider(
        'oqmd', 'Open Quantum Materials Database', 'https://oqmd.org/optimade', 'oqmd', 'CC-BY-4.0',
        (
            'J. E. Saal et al., JOM 65, 1501 (2013), doi:10.1007/s11837-013-0755-4',
            'S. Kirklin et al., npj Computational Materials 1, 15010 (2015), doi:10.1038/npjcompumats.2015.10',
        ),
        Fields(_single('_oqmd_delta_e'), _single('_oqmd_stability')),
        level='OQMD PBE(+U), fitted elemental references',
        warning='`_oqmd_stability` is negative for phases on the hull of OQMD; it is kept as it is listed',
    ),
    Provider(
        'jarvis', 'JARVIS-DFT', 'https://jarvis.nist.gov/optimade/jarvisdft', 'jarvis', '',
        ('K. Choudhary et al., npj Computational Materials 6, 173 (2020), doi:10.1038/s41524-020-00440-1',),
        Fields(_single('_jarvis_formation_energy_peratom'), _single('_jarvis_ehull')),
        level='JARVIS OptB88vdW',
    ),
    Provider(
        'odbx', 'open database of xtals', 'https://optimade.odbx.science', 'odbx', '',
        (),
        Fields(
            (('_odbx_thermodynamics', 'formation_energy'),),
            (('_odbx_thermodynamics', 'hull_distance'), ('_odbx_hull_distance',)),
        ),
        level='odbx',
        listed=False,
    ),
    Provider(
        'gnome', 'GNoME, through odbx', 'https://optimade-gnome.odbx.science', 'gnome', 'CC-BY-NC-4.0',
        ('A. Merchant et al., Nature 624, 80 (2023), doi:10.1038/s41586-023-06735-9',),
        Fields(_single('_gnome_formation_energy_per_atom', '_gnome_formation_energy'), _single('_gnome_hull_distance')),
        level='GNoME PBE(+U)',
        listed=False,
        warning=NON_COMMERCIAL,
    ),
    Provider(
        'mc3d-pbe', 'Materials Cloud 3D, PBE', 'https://optimade.materialscloud.org/main/mc3d-pbe-v1', 'mcloud',
        'CC-BY-4.0', ('S. P. Huber et al., Materials Cloud Archive, doi:10.24435/materialscloud:rw-t0',), listed=False,
    ),
    Provider(
        'mc3d-pbesol', 'Materials Cloud 3D, PBEsol', 'https://optimade.materialscloud.org/main/mc3d-pbesol-v2',
        'mcloud', 'CC-BY-4.0', ('S. P. Huber et al., Materials Cloud Archive, doi:10.24435/materialscloud:rw-t0',),
        listed=False,
    ),
    Provider(
        'nomad', 'NOMAD', 'https://nomad-lab.eu/prod/v1/optimade', 'nmd', 'CC-BY-4.0',
        ('M. Scheidgen et al., Journal of Open Source Software 8, 5388 (2023), doi:10.21105/joss.05388',),
        warning='NOMAD keeps every calculation that was uploaded: one crystal can come many times, at many levels',
    ),
    Provider(
        'cod', 'Crystallography Open Database', 'https://www.crystallography.net/cod/optimade', 'cod', 'CC0-1.0',
        ('S. Gražulis et al., Nucleic Acids Research 40, D420 (2012), doi:10.1093/nar/gkr900',),
    ),
    Provider(
        'tcod', 'Theoretical Crystallography Open Database', 'https://www.crystallography.net/tcod/optimade', 'tcod',
        '', ('A. Merkys et al., Journal of Cheminformatics 9, 56 (2017), doi:10.1186/s13321-017-0242-y',),
    ),
    Provider(
        'aflow', 'AFLOW', 'https://aflow.org/API/optimade', 'aflow', '',
        ('S. Curtarolo et al., Computational Materials Science 58, 218 (2012), doi:10.1016/j.commatsci.2012.02.005',),
        # AFLOW lists no distance to a hull.
        Fields(_single('_aflow_enthalpy_formation_atom')),
        level='AFLOW PBE(+U)',
    ),
)  # fmt: skip


def provider_named(text: str) -> Provider | None:
    """Return a database by its name here, or None for an address.

    Raises:
        FetchError: if the text is neither.
    """
    for provider in PROVIDERS:
        if text == provider.name:
            return provider
    if '://' in text:
        return None
    names = ', '.join(provider.name for provider in PROVIDERS)
    raise FetchError(f'`{text}` is no database known here: choose one of {names}, or give the address of its API.')


def provider_at(url: str, prefix: str) -> Provider | None:
    """Return the database at an address, so that its fields are known although it was given by its address."""
    known = {provider.url.partition('://')[2]: provider for provider in PROVIDERS}
    place = url.rpartition('://')[2].rstrip('/')
    if place in known:
        return known[place]
    same = [provider for provider in PROVIDERS if prefix and provider.prefix == prefix]
    return same[0] if len(same) == 1 else None
