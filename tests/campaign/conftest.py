"""A machine with an AiiDA of its own, and a small real campaign: random copper-gold alloys with EMT."""

import itertools
import textwrap
from pathlib import Path

import pytest

from .machine import Machine

CAMPAIGN = """
version: 1
name: copper-gold
seed: {seed}
protocol: fast
generators:
  - type: random
    n: {n}
    parameters: {{chemical_system: Au-Cu, max_atoms: 4, rattle: 0.1}}
potential:
  type: emt
  parameters: {{fmax: 0.05}}
{references}
filters:
  e_hull: {{max: {e_hull}}}
resources:
  chunk_size: {chunk_size}
"""
REFERENCES = """references:
  phases: references
  source: textbook prototypes
  licence: CC0-1.0
"""


def write_references(folder: Path) -> None:
    """Write the four phases of copper and gold that every textbook shows, as CIFs."""
    from pymatgen.core import Lattice, Structure

    cubic = Lattice.cubic
    sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    phases = {
        'Cu': Structure(cubic(3.61), ['Cu'] * 4, sites),
        'Au': Structure(cubic(4.08), ['Au'] * 4, sites),
        'Cu3Au': Structure(cubic(3.75), ['Au', 'Cu', 'Cu', 'Cu'], sites),
        'CuAu': Structure(Lattice.tetragonal(2.8, 3.67), ['Cu', 'Au'], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    }
    folder.mkdir()
    for name, structure in phases.items():
        structure.to(str(folder / f'{name}.cif'))


def write_campaign(
    folder: Path, seed=1, n=24, e_hull=0.2, chunk_size=2000, references=True, name='campaign.yaml'
) -> Path:
    """Write a campaign file, and the references beside it."""
    if references and not (folder / 'references').exists():
        write_references(folder / 'references')
    text = CAMPAIGN.format(
        seed=seed, n=n, e_hull=e_hull, chunk_size=chunk_size, references=REFERENCES if references else ''
    )
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip())
    return path


_numbers = itertools.count()


@pytest.fixture(scope='session')
def new_machine(tmp_path_factory):
    """Return a factory of machines; `init` has run on them with the options given."""
    machines = []

    def factory(*options):
        machine = Machine(tmp_path_factory.mktemp(f'machine{next(_numbers)}'))
        machine.crystalgen('init', *options)
        machines.append(machine)
        return machine

    yield factory
    for machine in machines:
        machine.run('verdi', 'daemon', 'stop', check=False)
        # A database on a server would outlive the folder of the machine.
        machine.run('verdi', 'profile', 'delete', '--force', '--delete-data', 'crystalgen', check=False)


@pytest.fixture(scope='session')
def machine(new_machine):
    """Return one machine with SQLite that the tests of a session share."""
    return new_machine()
