"""What `dossier.json` holds: keys with their units. A change of meaning raises `schema_version`."""

from __future__ import annotations

import typing as t

from pydantic import BaseModel, ConfigDict, Field

Numbers = tuple[float, ...]
# What other parts of a campaign wrote, whose form is theirs.
Foreign = dict[str, t.Any]


class Part(BaseModel):
    """A part of a dossier. What is unknown is null, never zero."""

    model_config = ConfigDict(frozen=True, extra='forbid')


class Lattice(Part):
    """A cell by its edges and angles."""

    a_A: float = Field(description='edge a [Å]')  # noqa: N815 - the unit is written as it is
    b_A: float = Field(description='edge b [Å]')  # noqa: N815
    c_A: float = Field(description='edge c [Å]')  # noqa: N815
    alpha_deg: float = Field(description='angle between b and c [°]')
    beta_deg: float = Field(description='angle between a and c [°]')
    gamma_deg: float = Field(description='angle between a and b [°]')


class Site(Part):
    """An atom of the conventional cell, one of a set of equivalent ones."""

    symbol: str = Field(description='element')
    wyckoff: str = Field(description='multiplicity in the conventional cell and Wyckoff letter')
    fractional: Numbers = Field(description='coordinates in the conventional cell')


class Structure(Part):
    """The geometry at the level of theory of the campaign."""

    formula: str = Field(description='reduced formula')
    n_sites: int = Field(description='atoms in the cell of the table')
    volume_A3: float = Field(description='volume of that cell [Å³]')  # noqa: N815
    density_g_cm3: float = Field(description='density [g/cm³]')
    space_group: int | None = Field(description='number of the space group')
    space_group_symbol: str | None = Field(description='Hermann-Mauguin symbol')
    symprec_A: float = Field(description='tolerance with which the symmetry was found [Å]')  # noqa: N815
    lattice: Lattice = Field(description='conventional cell')
    sites: tuple[Site, ...] = Field(description='inequivalent atoms')
    cif: str = Field(description='the crystal as CIF, as in `crystal.cif`')


class Phase(Part):
    """A competing phase."""

    formula: str = Field(description='reduced formula')
    source: str = Field(description='where it is from')
    formation_energy_eV_per_atom: float = Field(description='formation energy [eV/atom]')  # noqa: N815
    above_hull_eV_per_atom: float = Field(description='energy above the hull of all of them [eV/atom]')  # noqa: N815


class Product(Part):
    """A phase into which the crystal would decompose."""

    formula: str = Field(description='reduced formula')
    fraction: float = Field(description='amount, as fraction of the atoms')


class Stability(Part):
    """Energy against that of competing phases."""

    level: str = Field(description='level of theory of all energies here')
    e_hull_eV_per_atom: float | None = Field(  # noqa: N815
        description='energy above the hull of the competing phases [eV/atom]; negative below it'
    )
    reason: str | None = Field(description='why that is unknown')
    e_hull_with_candidates_eV_per_atom: float | None = Field(  # noqa: N815
        description='energy above the hull of the competing phases and all crystals of the campaign [eV/atom]'
    )
    formation_energy_eV_per_atom: float | None = Field(description='formation energy [eV/atom]')  # noqa: N815
    decomposes_into: tuple[Product, ...] = Field(description='the mixture of competing phases of lowest energy')
    partial: bool | None = Field(description='whether competing phases may be missing')
    phases: tuple[Phase, ...] = Field(description='competing phases of its elements, the nearest to the hull first')
    n_phases: int = Field(description='number of competing phases, of which `phases` holds the first')


class Phonons(Part):
    """Dynamic stability with the potential, harmonic, at 0 K."""

    verdict: str = Field(description='stable, unstable or inconclusive')
    reason: str | None = Field(description='why, in a sentence')
    lowest_frequency_THz: float | None = Field(description='lowest frequency [THz], imaginary ones negative')  # noqa: N815
    supercell: str | None = Field(description='supercell')
    has_bands: bool = Field(description='whether force constants were kept, so that the bands are drawn')


class Verified(Part):
    """What the DFT engine found."""

    status: str = Field(description='finished, failed or another state')
    reason: str | None = Field(description='why it failed, or why something is unknown')
    level: str = Field(description='level of theory')
    e_hull_eV_per_atom: float | None = Field(description='energy above the DFT hull [eV/atom]')  # noqa: N815
    formation_energy_eV_per_atom: float | None = Field(description='formation energy in DFT [eV/atom]')  # noqa: N815


class Peak(Part):
    """A line of the powder pattern."""

    two_theta_deg: float = Field(description='scattering angle 2θ [°]')
    d_A: float = Field(description='spacing of the planes [Å]')  # noqa: N815
    intensity: float = Field(description='intensity relative to the strongest line, which is 100')
    hkl: tuple[tuple[int, ...], ...] = Field(description='indices of the families of planes')
    multiplicity: tuple[int, ...] = Field(description='planes in each family')


class Powder(Part):
    """A simulated powder pattern: kinematic, without texture, strain or thermal motion."""

    radiation: str = Field(description='radiation')
    wavelength_A: float = Field(description='wavelength [Å]')  # noqa: N815
    two_theta_range_deg: Numbers = Field(description='range of 2θ [°]')
    resolution_deg: float = Field(description='lines nearer than this are summed [° of 2θ]')
    cell: str = Field(description='cell of the indices: conventional, or as reported')
    peaks: tuple[Peak, ...] = Field(description='lines in ascending order of 2θ')


class Condition(Part):
    """Something that was asked for."""

    name: str = Field(description='what was asked')
    asked: t.Any = Field(description='the value that was asked for')
    found: t.Any = Field(description='what came')
    met: bool | None = Field(description='whether it was met; null where that was not tested')


class Job(Part):
    """A process that had the crystal in its hands."""

    process: str = Field(description='name of the process')
    link: str = Field(description='labels of the calls that led to it')
    uuid: str = Field(description='UUID of its node')
    verdict: str = Field(description='what it said of the crystal')
    reused: bool = Field(description="whether its results were taken from AiiDA's cache")
    found: dict[str, t.Any] = Field(description='values that were new at this step; units are in `columns`')


class Tool(Part):
    """A tool that made or relaxed the crystal, with what fixes its results."""

    name: str = Field(description='name of the adapter')
    process_uuid: str = Field(description='UUID of the job')
    bundle_sha256: str = Field(description='sha256 of the code that ran')
    model_sha256: str | None = Field(description='sha256 of the weights; null where they travel in no node')
    checkpoint: Foreign | None = Field(description='name and sha256 of a model that lies on the computer')
    parameters: Foreign = Field(description='parameters, units as in the reference of adapters')
    versions: dict[str, str] = Field(description='versions of the software that ran')


class Provenance(Part):
    """From the seed to the rank."""

    campaign: str = Field(description='name of the campaign')
    campaign_uuid: str = Field(description='UUID of the campaign')
    campaign_seed: int | None = Field(description='seed of the campaign')
    draw: str = Field(description='16 hex digits over code, model, parameters, conditions and seed of the draw')
    index: int = Field(description='place within the draw')
    seed: int | None = Field(description='seed of the crystal')
    generator: Tool | None = Field(description='what drew it')
    potential: Tool | None = Field(description='what relaxed it')
    steps: tuple[Job, ...] = Field(description='every process that changed or judged it, in order')


class Caution(Part):
    """Something to know before an experiment."""

    code: str = Field(description='a word that stays the same')
    text: str = Field(description='a sentence')


class Value(Part):
    """A column of the table."""

    value: t.Any = Field(description='the value; null where unknown')
    unit: str = Field(description='unit, empty where it has none')
    level: str = Field(description='level of theory, empty where it has none')


class Dossier(Part):
    """A crystal of the short list: everything that the campaign knows of it."""

    schema_version: t.Literal[1] = Field(description='version of this form')
    written_by: str = Field(description='package and version')
    id: str = Field(description='id of the crystal, the same on every machine')
    rank: int | None = Field(description='place in the ranked table, 1 is the best')
    n_ranked: int = Field(description='crystals in the table')
    warnings: tuple[Caution, ...] = Field(description='what to know before an experiment')
    structure: Structure = Field(description='the crystal')
    stability: Stability = Field(description='energy against competing phases')
    phonons: Phonons | None = Field(description='null where not assessed')
    dft: Verified | None = Field(description='null where not assessed')
    powder: Powder | None = Field(description='null where not assessed: the cell is too large')
    evidence: Foreign | None = Field(description='evidence card; null where not assessed')
    synthesis: Foreign | None = Field(description='synthesis plan; null where not assessed')
    conditions: tuple[Condition, ...] = Field(description='what was asked for, and whether it came')
    conditions_met: bool | None = Field(description='whether all of it came; null where nothing was asked or tested')
    provenance: Provenance = Field(description='from the seed to the rank')
    columns: dict[str, Value] = Field(description='every column of the table with one value')


def json_schema() -> dict[str, t.Any]:
    """Return the published JSON schema."""
    return {'$schema': 'https://json-schema.org/draft/2020-12/schema', **Dossier.model_json_schema()}
