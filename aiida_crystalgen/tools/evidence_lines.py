"""What stands on an evidence card: the rules, their classes of bonding, their sources and how to read them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

IONIC: t.Final = ('ionic',)
METALS: t.Final = ('intermetallic',)

HULL = 'Ong et al., Chem. Mater. 20, 1798 (2008), doi:10.1021/cm702327g'
DISTANCE = 'Sun et al., Sci. Adv. 2, e1600225 (2016), doi:10.1126/sciadv.1600225'
PHONONS = 'Togo, J. Phys. Soc. Jpn. 92, 012001 (2023), doi:10.7566/JPSJ.92.012001'
SMACT = 'Davies et al., J. Open Source Softw. 4, 1361 (2019), doi:10.21105/joss.01361'
PYMATGEN = 'Ong et al., Comput. Mater. Sci. 68, 314 (2013), doi:10.1016/j.commatsci.2012.10.028'
VALENCES = "O'Keeffe, Brese, J. Am. Chem. Soc. 113, 3226 (1991), doi:10.1021/ja00009a002"
INSTABILITY = 'Salinas-Sanchez et al., J. Solid State Chem. 100, 201 (1992), doi:10.1016/0022-4596(92)90094-C'
PAULING = 'Pauling, J. Am. Chem. Soc. 51, 1010 (1929), doi:10.1021/ja01379a006'
COORDINATION = 'Pan et al., Inorg. Chem. 60, 1590 (2021), doi:10.1021/acs.inorgchem.0c02996'
GOLDSCHMIDT = 'Goldschmidt, Naturwissenschaften 14, 477 (1926), doi:10.1007/BF01507527'
BARTEL = 'Bartel et al., Sci. Adv. 5, eaav0693 (2019), doi:10.1126/sciadv.aav0693'
HUME_ROTHERY = 'Hume-Rothery, Powell, Z. Kristallogr. 91, 23 (1935), doi:10.1524/zkri.1935.91.1.23'
AMD = 'Widdowson et al., MATCH Commun. Math. Comput. Chem. 87, 529 (2022)'
DISORDER = 'Zeni et al., Nature 639, 624 (2025), doi:10.1038/s41586-025-08628-5'
COMPLEXITY = 'Krivovichev, Mineral. Mag. 77, 275 (2013), doi:10.1180/minmag.2013.077.3.05'
SUPPLY = 'Gaultois et al., Chem. Mater. 25, 2911 (2013), doi:10.1021/cm400893e'
CLP = 'Regulation (EC) 1272/2008, Annex VI'
SPGLIB = 'Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024)'

_NO_HULL = 'give `references` with competing phases'
_KNOWN = 'give `references` with known crystals'
_SCREEN = 'add the criterion `{}` to `postscreen`'
_NO_NET = 'the crystal has no net of corner-sharing octahedra, so it is no perovskite'
_NO_METHOD = 'no general method for this is at hand; that says nothing for or against the crystal'


@dataclass(frozen=True)
class Rule:
    """What is said on one line of every card."""

    name: str
    group: str
    label: str
    unit: str
    source: str
    note: str
    how: str
    """What would compute it."""
    classes: tuple[str, ...] = ()
    """Classes of bonding that it is for; none: all."""
    needs: str = ''
    """Column that has to be true for the rule to apply, and `without` if it is not."""
    without: str = ''
    reason: str = ''
    """Column that says why the value is unknown."""
    never: str = ''
    """Why nothing assesses it, for lines that are there so that they are not silently absent."""


def _by(criterion: str) -> str:
    return _SCREEN.format(criterion)


LINES: t.Final[tuple[Rule, ...]] = (
    Rule('bonding_class', 'chemistry', 'class of bonding', '', SMACT, 'decides which rules apply', _by('composition')),
    Rule(
        'e_hull', 'stability', 'energy above the hull', 'eV/atom', HULL,
        'of 2,618 ternary oxides made by solid-state synthesis one in six lies above 0.05', _NO_HULL,
        reason='e_hull_reason',
    ),
    Rule('formation_energy', 'stability', 'formation energy', 'eV/atom', HULL, 'elements at 0', _NO_HULL,
         reason='e_hull_reason'),
    Rule('decomposition', 'stability', 'would decompose into', '', HULL, 'amounts as fractions of atoms', _NO_HULL,
         reason='e_hull_reason'),
    Rule('competing_phases', 'stability', 'phases near the hull of its system', '', HULL,
         'within the `window` of the criterion, by default 0.05 eV/atom', _NO_HULL, reason='e_hull_reason'),
    Rule('dft_e_hull', 'stability', 'energy above the hull by DFT', 'eV/atom', HULL, 'at the level of the engine',
         'add `verify`', reason='dft_e_hull_reason'),
    Rule('phonon_verdict', 'stability', 'dynamic stability', '', PHONONS,
         'harmonic at 0 K; phases of high temperature can be unstable here', 'add `phonons`', reason='phonon_reason'),
    Rule('phonon_lowest_frequency', 'stability', 'lowest frequency', 'THz', PHONONS, 'imaginary ones are negative',
         'add `phonons`', reason='phonon_reason'),
    Rule('oxidation_states', 'chemistry', 'probable oxidation states', '', PYMATGEN, 'from the composition alone',
         _by('composition'), (*IONIC, 'other')),
    Rule('charge_balanced', 'chemistry', 'charge balance', '', PYMATGEN, 'some made crystals fail it too',
         _by('composition'), IONIC),
    Rule('smact_valid_no_alloys', 'chemistry', 'SMACT validity, no alloy rule', '', SMACT,
         'some made crystals fail it too', _by('composition'), IONIC),
    Rule('valences_found', 'chemistry', 'bond lengths fit neutral valences', '', VALENCES,
         'some made crystals fail it too', _by('bonds'), IONIC),
    Rule('valences', 'chemistry', 'valences by bond lengths', '', VALENCES, '', _by('bonds'), IONIC),
    Rule('instability_index', 'chemistry', 'global instability index', 'valence units', INSTABILITY,
         'larger for strained crystals; one in five of the known is below 0.3', _by('bonds'), IONIC),
    Rule('pauling2_deviation', 'chemistry', "deviation from Pauling's second rule", '', PAULING,
         '0 if the rule holds; within 0.1 it holds for some six in ten known crystals', _by('bonds'), IONIC),
    Rule('coordination', 'structure', 'coordination of the cations', '', COORDINATION, 'by CrystalNN', _by('bonds'),
         IONIC),
    Rule('perovskite_net', 'structure', 'net of a perovskite', '', GOLDSCHMIDT, '', _by('perovskite'),
         needs='perovskite_net', without='the composition is no ABX3'),
    Rule('goldschmidt_factor', 'structure', 'tolerance factor of Goldschmidt', '', GOLDSCHMIDT,
         'perovskites are known from about 0.8 to 1.1', _by('perovskite'), needs='perovskite_net', without=_NO_NET),
    Rule('octahedral_factor', 'structure', 'octahedral factor', '', GOLDSCHMIDT,
         'octahedra hold from about 0.41 to 0.9', _by('perovskite'), needs='perovskite_net', without=_NO_NET),
    Rule('bartel_factor', 'structure', 'tolerance factor of Bartel', '', BARTEL, 'below 4.18 for perovskites',
         _by('perovskite'), needs='perovskite_net', without=_NO_NET),
    Rule('valence_electrons', 'chemistry', 'valence electrons', '1/atom', HUME_ROTHERY,
         'group number, less ten from group 13 on', _by('complexity'), METALS),
    Rule('prototype', 'structure', 'prototype', '', SPGLIB, '', _by('prototype')),
    Rule('n_site_kinds', 'structure', 'kinds of sites', '', COMPLEXITY, '', _by('complexity')),
    Rule('information_per_cell', 'structure', 'information of the structure', 'bits', COMPLEXITY,
         'below 20 very simple, above 1,000 very complex', _by('complexity')),
    Rule('novel_known', 'known crystals', 'matches no known crystal', '', PYMATGEN, '', _KNOWN,
         reason='novel_known_reason'),
    Rule('nearest_known', 'known crystals', 'nearest known crystal', '', AMD, 'of the same formula', _KNOWN,
         reason='novel_known_reason'),
    Rule('nearest_known_distance', 'known crystals', 'distance to it', '(V/N)^(1/3)', AMD,
         'largest difference of average minimum distances', _KNOWN, reason='novel_known_reason'),
    Rule('known_disorder', 'known crystals', 'could be a known disordered crystal', '', DISORDER, '',
         'give `novelty` the profile `disordered`'),
    Rule('radioactive', 'elements', 'radioactive element', '', PYMATGEN, 'bismuth counts as stable', _by('supply')),
    Rule('toxic_elements', 'elements', 'toxic elements', '', CLP, 'says nothing of the compound itself',
         _by('supply')),
    Rule('hhi_production', 'elements', 'concentration of production', '', SUPPLY,
         'Herfindahl-Hirschman index, above 2,500 for highly concentrated', _by('supply')),
    Rule('hhi_reserves', 'elements', 'concentration of reserves', '', SUPPLY, 'the same of known reserves',
         _by('supply')),
    Rule('solubility', 'synthesis', 'solubility', '', '', '', '', never=_NO_METHOD),
    Rule('crystal_growth', 'synthesis', 'descriptors of crystal growth', '', '', '', '', never=_NO_METHOD),
)  # fmt: skip
"""The lines of a card, in the order in which they are shown."""
