"""A family of soft PBE pseudopotentials in the profile, made of the analytic ones that come with CP2K."""

from __future__ import annotations

import tempfile
import typing as t
from collections.abc import Sequence
from pathlib import Path

from aiida_crystalgen.science.gth import SOFT, SOFT_CUTOFF, read_gth, to_upf

DEBIAN: t.Final = Path('/usr/share/cp2k/GTH_POTENTIALS')
"""Where Debian's package cp2k-data has them."""

LABEL: t.Final = 'gth-pbe-soft'
STRINGENCY: t.Final = 'standard'


class PseudosError(Exception):
    """Pseudopotentials that cannot be made; one sentence."""


def make_family(filepath: Path = DEBIAN, label: str = LABEL, elements: Sequence[str] = SOFT) -> tuple[t.Any, bool]:
    """Return the family of a label, and whether it was made now; one that is there already is left alone.

    Each element has the potential of fewest electrons, and recommended cut-offs of 25 Ry for wave functions and four
    times that for the density, as norm-conserving potentials need.

    :param filepath: a file of CP2K's, `GTH_POTENTIALS`.
    :raises PseudosError: when the file, an element in it, or aiida-pseudo is missing.
    """
    try:
        from aiida_pseudo.data.pseudo import UpfData
        from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily
    except ImportError:
        raise PseudosError("aiida-pseudo is not installed; pip install 'aiida-crystalgen[qe]'") from None
    from aiida import orm

    there = orm.QueryBuilder().append(orm.Group, filters={'label': label}, project='*')
    for family in there.all(flat=True):
        if isinstance(family, CutoffsPseudoPotentialFamily):
            return family, False
    if not filepath.is_file():
        remedy = 'apt-get install cp2k-data, or name the file'
        raise PseudosError(f'there is no file `{filepath}` of pseudopotentials; {remedy}')
    potentials = read_gth(filepath.read_text(encoding='utf-8'))
    if missing := [element for element in elements if element not in potentials]:
        raise PseudosError(f'`{filepath}` has no PBE pseudopotential of {", ".join(missing)}; leave it out')
    with tempfile.TemporaryDirectory() as folder:
        for element in elements:
            (Path(folder) / f'{element}.upf').write_text(to_upf(potentials[element][0]), encoding='utf-8')
        family = CutoffsPseudoPotentialFamily.create_from_folder(Path(folder), label, pseudo_type=UpfData)
    cutoffs = {element: {'cutoff_wfc': SOFT_CUTOFF, 'cutoff_rho': 4 * SOFT_CUTOFF} for element in elements}
    family.set_cutoffs(cutoffs, STRINGENCY, unit='Ry')
    return family, True
