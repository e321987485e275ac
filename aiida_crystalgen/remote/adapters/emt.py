"""EMT: the fast toy potential of ASE, for tests and benchmarks."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from relaxation import Row

ABOUT = {  # type: ignore[var-annotated]
    'name': 'emt',
    'kind': 'potential',
    'summary': 'Effective medium theory of ASE: fast and approximate, for tests, not for results.',
    'elements': ['H', 'C', 'N', 'O', 'Al', 'Ni', 'Cu', 'Pd', 'Ag', 'Pt', 'Au'],
    'licence': 'LGPL-2.1-or-later',
    'citation': ['K. W. Jacobsen, P. Stoltze and J. K. Norskov, Surface Science 366, 394 (1996), '
                 'doi:10.1016/0039-6028(96)00816-3'],
    'install': 'pip install ase',
    'requires': ['ase', 'numpy'],
    'needs': ['relaxation', 'descent'],
    'training': None,
    'energy_convention': 'other',
    'whole_batch': False,
    'units': 1,
    'parameters': {},
    'conditions': {},
    'columns': {},
}  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def level(job: t.Any) -> str:
    """Return the level of theory of the energies."""
    from relaxation import level_of_theory

    return str(level_of_theory(f'emt-ase-{versions()["ase"]}', fingerprint(), 'float64', job))


def run(rows: t.Iterable[Row], job: t.Any) -> t.Iterator[Row]:
    """Yield every row relaxed, or rejected with a reason."""
    from ase.calculators.emt import EMT
    from ase.data import atomic_numbers
    from relaxation import FromCalculator, relax

    symbols: t.Any = ABOUT['elements']
    numbers = {atomic_numbers[symbol] for symbol in symbols}
    yield from relax(rows, job, FromCalculator(EMT(), 'emt', fingerprint(), numbers=numbers))


def fingerprint() -> str:
    """Return a sha256 that stands for the parameters, which are part of ASE's code."""
    import hashlib

    return hashlib.sha256(f'ase.calculators.emt {versions()["ase"]}'.encode()).hexdigest()
