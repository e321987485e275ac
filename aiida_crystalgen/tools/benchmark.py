"""The benchmark table of the field for what generators made, against a set of known crystals."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiida_crystalgen.science import benchmark, coverage, metrics, validity
from aiida_crystalgen.science.benchmark import Distance, Samples, Share, both
from aiida_crystalgen.science.composition import smact_verdict
from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.tools.generated import Generated, Row

ENOUGH: t.Final = 10_000  # crystals of a generator from which on generators can be compared
SEED: t.Final = 0  # of the choice of crystals whose fingerprints are computed

# Metrics in reading order: what they are called, and in what unit a distance is.
SHARES: t.Final = {
    'structure_cdvae': 'structure valid (CDVAE)',
    'composition_cdvae': 'composition valid (CDVAE)',
    'valid_cdvae': 'valid (CDVAE)',
    'valid': 'valid (ours)',
    'smact_valid': 'SMACT valid (ICSD24)',
    'unique': 'unique',
    'unique_of_compared': 'unique, of those compared',
    'unique_novel': 'unique and novel',
    'unique_novel_or_untested': 'the same, untested ones novel',
    'novel_of_unique': 'the same, of the unique ones',
    'coverage_precision': 'coverage precision',
    'coverage_recall': 'coverage recall',
}
DISTANCES: t.Final = {'density': 'density, distance [g/cm^3]', 'n_elements': 'elements, distance'}

Progress = Callable[[str, int, int], t.Any]  # label, done, of how many


@dataclass(frozen=True)
class Known:
    """Known crystals to compare with.

    :param crystals: those that can be compared.
    :param numbers: their properties.
    """

    crystals: Sequence[Crystal]
    numbers: Mapping[str, Sequence[float]]

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> Known:
        """Take rows of known crystals; those that are no crystals are left out."""
        crystals = [crystal for row in rows if (crystal := Crystal.from_row(row)).fault is None]
        return cls(crystals, benchmark.known_numbers(crystals))


@dataclass(frozen=True)
class Result:
    """The table of one generator.

    :param sun: S.U.N. rates at each limit as `metrics.sun` gives them; empty without a hull.
    """

    generated: Generated
    shares: dict[str, Share]
    distances: dict[str, Distance]
    sun: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Number of crystals requested."""
        return len(self.generated.rows)


def evaluate(generated: Generated, known: Known | None = None, progress: Progress | None = None) -> Result:
    """Return the table of one generator without coverage."""
    crystals = _crystals(generated, progress)
    samples = _samples(generated, crystals)
    return Result(
        generated,
        benchmark.shares(samples),
        benchmark.distances(samples, known.numbers if known is not None else {}),
        _sun(generated),
    )


def _crystals(generated: Generated, progress: Progress | None) -> list[Crystal]:
    """Return the crystals as generated, with the columns of the screen before relaxation under their plain names."""
    crystals = []
    for number, row in enumerate(generated.rows, start=1):
        crystal = Crystal.from_row(row)
        shortest = crystal.columns.get('min_distance_generated')
        crystals.append(crystal.with_columns({'min_distance': shortest}))
        if progress is not None:
            progress(f'reading {generated.label}', number, len(generated.rows))
    return crystals


def _samples(generated: Generated, crystals: Sequence[Crystal]) -> Samples:
    structure = [benchmark.structure_valid(crystal) for crystal in crystals]
    composition = [benchmark.composition_valid(crystal) for crystal in crystals]
    representatives = generated.representatives()
    novel = {name: _columns(generated, name).get('novel_known') for name in set(representatives) if name is not None}
    return Samples(
        len(crystals),
        {
            'structure_cdvae': structure,
            'composition_cdvae': composition,
            'valid_cdvae': [both(*pair) for pair in zip(structure, composition, strict=True)],
            'valid': _valid(crystals),
            'smact_valid': [_smact_valid(crystal) for crystal in crystals],
        },
        representatives,
        novel,
        {
            'density': [benchmark.density(crystal) for crystal in crystals],
            'n_elements': [benchmark.n_elements(crystal) for crystal in crystals],
        },
    )


def _valid(crystals: Sequence[Crystal]) -> list[bool | None]:
    """Return the verdicts of the screen before relaxation, or where there was none those of its default gates."""
    found: list[bool | None] = [crystal.columns.get('valid_generated') for crystal in crystals]
    if all(value is None for value in found):
        return list(validity.evaluate(crystals, {}, {})['valid'])
    # A row that never came to the screen has no atoms.
    return [value if crystal.n_sites else False for crystal, value in zip(crystals, found, strict=True)]


def _smact_valid(crystal: Crystal) -> bool | None:
    """Return the column of the screen; of what it never saw, the verdict of the SMACT that is installed here."""
    found = crystal.columns.get('smact_valid')
    if found is not None:
        return bool(found)
    return (
        False
        if crystal.fault in ('no_atoms', 'unknown_element')
        else smact_verdict(crystal.composition_key, alloys=True)
    )


def _columns(generated: Generated, crystal_id: str) -> Mapping[str, t.Any]:
    row = generated.row_of(crystal_id)
    return row['columns'] if row is not None else {}


def _sun(generated: Generated) -> list[dict[str, t.Any]]:
    """Return the S.U.N. rates, counted by the groups that the crystals of this generator are in."""
    names = sorted({name for name in generated.representatives() if name is not None})
    rows = [{'id': name, **_columns(generated, name)} for name in names]
    if not any(row.get('e_hull') is not None for row in rows):
        return []
    return metrics.sun(rows, len(generated.rows), generated.level)


def chosen(n: int, limit: int) -> list[int]:
    """Return which of n rows are looked at when only `limit` of them can be: at random, the same ones every time."""
    if limit >= n:
        return list(range(n))
    return sorted(np.random.default_rng(SEED).permutation(n)[:limit].tolist())


def covered(
    results: Sequence[Result], known: Known, limit: int, progress: Progress | None = None
) -> list[dict[str, Share]]:
    """Return coverage precision and recall of each generator, over at most `limit` crystals of each side.

    :raises MissingLibraryError: of `coverage`, where matminer is not installed.
    """

    def fingerprints(label: str, crystals: Sequence[Crystal]) -> list[coverage.Fingerprint | None]:
        def told(done: int) -> None:
            if progress is not None:
                progress(f'fingerprints of {label}', done, len(crystals))

        return coverage.fingerprints(crystals, told)

    there = fingerprints('known crystals', [known.crystals[i] for i in chosen(len(known.crystals), limit)])
    found = []
    for result in results:
        rows = [result.generated.rows[i] for i in chosen(result.n, limit)]
        here = fingerprints(result.generated.label, [Crystal.from_row(row) for row in rows])
        near = coverage.coverage(here, there)
        precision = benchmark.shares(Samples(len(here), {'coverage_precision': near.precision.tolist()}))
        recall = Share(int(near.recall.sum()), len(there))
        found.append({'coverage_precision': precision['coverage_precision'], 'coverage_recall': recall})
    return found


def warnings_of(results: Sequence[Result]) -> list[str]:
    """Return what a reader must not overlook when generators are compared."""
    found = list(dict.fromkeys(note for result in results for note in result.generated.notes))
    small = [f'{result.generated.label} {result.n:,}' for result in results if result.n < ENOUGH]
    if len(results) > 1 and small:
        found.append(
            f'fewer than {ENOUGH:,} crystals ({", ".join(small)}): do not rank generators by these numbers unless '
            'their intervals are apart'
        )
    levels = {result.generated.level for result in results if result.sun}
    if len(levels) > 1:
        found.append(f'energies of different levels of theory cannot be compared: {", ".join(sorted(levels))}')
    return found
