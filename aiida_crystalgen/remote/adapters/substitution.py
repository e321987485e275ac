"""Ionic substitution into known prototypes, ranked by the data-mined probabilities of Hautier et al. in pymatgen."""

from __future__ import annotations

import collections
import sys
import typing as t
import warnings

import numpy as np

ABOUT = {
    'name': 'substitution',
    'kind': 'generator',
    'summary': 'Ionic substitution into known prototypes with the data-mined probabilities of pymatgen.',
    'elements': 'any',
    'licence': 'MIT (pymatgen and its table of probabilities)',
    'citation': [
        'G. Hautier, C. Fischer, V. Ehrlacher, A. Jain, G. Ceder, Data mined ionic substitutions for the discovery of '
        'new compounds, Inorg. Chem. 50, 656 (2011), doi:10.1021/ic102031h',
        'I.-H. Chu, S. Roychowdhury, D. Han, A. Jain, K. A. Persson, Predicting the volumes of crystals, '
        'Comput. Mater. Sci. 146, 184 (2018), doi:10.1016/j.commatsci.2018.01.040',
        'S. P. Ong et al., Python Materials Genomics (pymatgen): a robust, open-source python library for materials '
        'analysis, Comput. Mater. Sci. 68, 314 (2013), doi:10.1016/j.commatsci.2012.10.028',
    ],
    'install': 'pip install pymatgen',
    'requires': ['pymatgen', 'spglib', 'numpy'],
    'needs': ['readers'],
    'training': None,
    'energy_convention': None,
    'asset': 'prototypes',
    'whole_batch': False,
    'units': 1,
    'parameters': {
        'threshold': {
            'type': 'float', 'default': 0.001, 'unit': '', 'minimum': 0.0, 'maximum': 1.0,
            'help': 'least probability of the substitution; it ranks candidates and is not that of a synthesis',
        },
        'subsystems': {
            'type': 'bool', 'default': True, 'unit': '',
            'help': 'also take candidates with two or more, but not all, of the elements or species asked for',
        },
        'max_sites': {
            'type': 'int', 'default': 200, 'unit': '', 'minimum': 1,
            'help': 'prototypes with more atoms are left out: guessing oxidation states becomes slow',
        },
    },
    'honours': {'chemical_system': 'chemical_system'},
    'conditions': {
        'chemical_system': {
            'type': 'text', 'default': None, 'unit': '',
            'help': 'elements such as Mg-O, in every oxidation state that the model knows; exclusive with `species`',
        },
        'species': {
            'type': 'list', 'default': None, 'unit': '', 'help': 'ions such as [Mg2+, O2-]',
        },
    },
    'columns': {
        'prototype': {
            'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '',
            'help': 'file, and crystal in it if it holds several, whose ions were replaced',
        },
        'substitution': {
            'kind': 'text', 'dtype': 'int', 'shape': [], 'unit': '', 'level': '', 'help': 'ions replaced: Zn2+ -> Mg2+',
        },
        'substitution_probability': {
            'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': '', 'level': '',
            'help': 'conditional probability of the new ions, given the prototype, in the model of Hautier et al. '
                    '2011; it ranks candidates and is not that of a synthesis. Ions that the model does not know (the '
                    'oxygen of peroxides) have to stay and count as 1',
        },
    },
}  # fmt: skip


class Candidate(t.NamedTuple):
    """A substitution into a prototype; sorting puts the most probable first, ties by name."""

    minus_probability: float
    prototype: str
    substitution: str
    sites: list[tuple[t.Any, t.Any]]
    crystal: dict[str, t.Any]


def versions() -> dict[str, str]:
    """Return the versions of the tools, without importing them."""
    from importlib.metadata import version

    requires: t.Any = ABOUT['requires']
    return {name: version(name) for name in requires}


def run(rows: t.Iterable[dict[str, t.Any]], job: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Fill row number i with the i-th most probable substitution into the prototypes of asset `prototypes`."""
    about: t.Any = ABOUT
    specifications = {**about['parameters'], **about['conditions']}
    settings = {name: job.parameters.get(name, specifications[name]['default']) for name in specifications}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        candidates, skipped = find_candidates(job.assets['prototypes'], settings)
    for reason in skipped:
        print(f'prototype left out: {reason}', file=sys.stderr)
    for row in rows:
        if row['index'] < len(candidates):
            yield {'id': row['id'], **_answer(candidates[row['index']])}
            continue
        detail = f'{len(candidates)} substitutions reach the threshold {settings["threshold"]:g}'
        detail += f'; prototypes left out: {", ".join(skipped)}' if skipped else ''
        rejected = {'reason': 'no_more_candidates', 'detail': detail[:400], 'value': None, 'threshold': None}
        yield {'id': row['id'], 'columns': {}, 'rejected': rejected}


def find_candidates(path: str, settings: dict[str, t.Any]) -> tuple[list[Candidate], list[str]]:
    """Return all substitutions above the threshold, most probable first, and why prototypes were left out."""
    import readers
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    model = SubstitutionProbability()
    targets, wanted = _targets(settings, model)
    best: dict[tuple[str, tuple[str, ...]], Candidate] = {}
    skipped = []
    entries = readers.entries(path)
    files = collections.Counter(entry.source_file for entry in entries)
    for entry in entries:
        name = entry.source_file + (f' {entry.source_entry}' if files[entry.source_file] > 1 else '')
        try:
            crystal = _primitive(readers.read(entry))
            decorations = _decorations(crystal, len(targets) + 1, settings)
        except (readers.RefusedError, ValueError) as error:
            skipped.append(f'{name} ({error})')
            continue
        for sites in decorations:
            for mapping, probability in _mappings(sites, targets, wanted, model, settings):
                # The last digits depend on the order of a set inside pymatgen, which differs between processes.
                minus = -float(f'{probability:.9g}')
                words = ', '.join(f'{a} -> {b}' for a, b in sorted(mapping.items(), key=str) if a != b)
                found = Candidate(minus, name, words, [(site, mapping[site]) for site in sites], crystal)
                key = (name, tuple(_element(mapping[site]) for site in sites))
                best[key] = min(best.get(key, found), found, key=lambda candidate: candidate[:3])
    return sorted(best.values(), key=lambda candidate: candidate[:3]), skipped


def _targets(settings: dict[str, t.Any], model: t.Any) -> tuple[list[t.Any], list[str]]:
    """Return the species to put in, sorted, and what a candidate has to be made of: elements or species, as text."""
    from pymatgen.core import Element, Species

    system, species = settings['chemical_system'], settings['species']
    if bool(system) == bool(species):
        raise ValueError('give either `chemical_system` (such as Mg-O) or `species` (such as [Mg2+, O2-])')
    if species:
        targets = [Species.from_str(text) for text in species]
        wanted = sorted(str(target) for target in targets)
    else:
        wanted = sorted({Element(symbol).symbol for symbol in system.split('-')})
        targets = [ion for ion in model.species if ion.symbol in wanted]
    if len(wanted) < 2:
        raise ValueError('ionic substitution needs at least two elements or species')
    return sorted(targets, key=str), wanted


def _decorations(crystal: dict[str, t.Any], most: int, settings: dict[str, t.Any]) -> list[list[t.Any]]:
    """Return assignments of an ion to every site: by bond valence, else by composition, else for the cation alone."""
    from pymatgen.core import Species, Structure
    from pymatgen.core.periodic_table import Element

    symbols = [Element.from_Z(number).symbol for number in crystal['numbers']]
    elements = sorted(set(symbols))
    if not 2 <= len(elements) <= most:
        raise ValueError('a pure element has no ions' if len(elements) < 2 else 'too many elements')
    if len(symbols) > settings['max_sites']:
        raise ValueError(f'more than {settings["max_sites"]} atoms')
    structure = Structure(crystal['cell'], symbols, crystal['positions'], coords_are_cartesian=True)
    valences = _bond_valences(structure)
    if valences:
        return [[Species(symbol, valence) for symbol, valence in zip(symbols, valences)]]
    for guess in structure.composition.oxi_state_guesses(max_sites=-1)[:1]:
        if all(state == int(state) for state in guess.values()):
            return [[Species(symbol, int(guess[symbol])) for symbol in symbols]]
    # Charges that stay need no name: an exchange of like charges keeps the balance, whatever the anion is.
    cation = min((Element(symbol) for symbol in elements), key=lambda element: element.X)
    found = [
        [Species(symbol, state) if symbol == cation.symbol else Element(symbol) for symbol in symbols]
        for state in cation.common_oxidation_states
    ]
    if not found:
        raise ValueError('no oxidation states can be guessed')
    return found


def _primitive(crystal: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the primitive cell, which is cheaper to relax; a cell in which none is found stays as it is."""
    import spglib

    fractional = np.linalg.solve(np.transpose(crystal['cell']), np.transpose(crystal['positions'])).T
    found = spglib.find_primitive((crystal['cell'], fractional, crystal['numbers']), symprec=1e-3)
    if found is None:
        return crystal
    return {'numbers': [int(number) for number in found[2]], 'positions': found[1] @ found[0], 'cell': found[0]}


def _bond_valences(structure: t.Any) -> list[int]:
    """Return the charge of every site by bond valence analysis, nothing where that fails."""
    from pymatgen.analysis.bond_valence import BVAnalyzer

    try:
        valences = [int(valence) for valence in BVAnalyzer().get_valences(structure)]
    except (ValueError, KeyError, TypeError, IndexError, ArithmeticError, AttributeError):
        return []
    return valences if all(valences) else []


def _mappings(
    sites: list[t.Any], targets: list[t.Any], wanted: list[str], model: t.Any, settings: dict[str, t.Any]
) -> t.Iterator[tuple[dict[t.Any, t.Any], float]]:
    """Yield the neutral one-to-one exchanges of ions above the threshold, with their probability."""
    ions = sorted(set(sites), key=str)
    as_named = str if settings['species'] else _element

    def choices(ion: t.Any) -> list[tuple[t.Any, float]]:
        if ion in model.species:
            return [(target, model.cond_prob(target, ion)) for target in targets if target in model.species]
        return [(ion, 1.0)] if as_named(ion) in wanted else []

    def extend(chosen: list[t.Any], probability: float) -> t.Iterator[tuple[dict[t.Any, t.Any], float]]:
        if probability < settings['threshold']:
            return
        if len(chosen) < len(ions):
            for ion, factor in choices(ions[len(chosen)]):
                if ion not in chosen:
                    yield from extend([*chosen, ion], probability * factor)
            return
        mapping = dict(zip(ions, chosen))
        names = {as_named(ion) for ion in chosen}
        complete = len(names) == len(wanted) or (settings['subsystems'] and len(names) > 1)
        if complete and chosen != ions and _gain(sites, mapping) == 0:
            yield mapping, probability

    yield from extend([], 1.0)


def _gain(sites: list[t.Any], mapping: dict[t.Any, t.Any]) -> float:
    """Return the charge that a crystal gains; ions that stay gain none."""
    return float(sum(mapping[ion].oxi_state - ion.oxi_state for ion in sites if mapping[ion] != ion))


def _element(ion: t.Any) -> str:
    return str(ion.symbol)


def _answer(candidate: Candidate) -> dict[str, t.Any]:
    """Build the crystal of a candidate: new elements on the old sites, the cell scaled as a whole."""
    scale = _length_scale(candidate.sites)
    structure = {
        'numbers': [after.Z for _, after in candidate.sites],
        'positions': (np.asarray(candidate.crystal['positions']) * scale).tolist(),
        'cell': (np.asarray(candidate.crystal['cell']) * scale).tolist(),
        'pbc': [True] * 3,
    }
    columns = {
        'prototype': candidate.prototype,
        'substitution': candidate.substitution,
        'substitution_probability': -candidate.minus_probability,
    }
    return {'structure': structure, 'columns': columns}


def _length_scale(sites: list[tuple[t.Any, t.Any]]) -> float:
    """Return the ratio of the sums of r n^(1/3) over the ions (reference lattice scaling, Chu et al. 2018)."""
    new = old = 0.0
    for before, after in sorted(set(sites), key=str):
        share = sites.count((before, after)) ** (1 / 3)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            kinds = ('ionic_radius', 'atomic_radius')
            pairs = [(getattr(before, kind, None), getattr(after, kind, None)) for kind in kinds]
        radii = next(((a, b) for a, b in pairs if a and b), (1.0, 1.0))
        old, new = old + float(radii[0]) * share, new + float(radii[1]) * share
    return new / old
