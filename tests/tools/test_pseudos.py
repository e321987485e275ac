"""A family of pseudopotentials made of the file of CP2K."""

import pytest

from aiida_crystalgen.tools.pseudos import PseudosError, make_family
from tests.science.test_gth import TEXT

pytest.importorskip('aiida_pseudo')


def test_a_family_is_made_once(aiida_profile_clean, tmp_path):
    """It has the elements asked for, with cut-offs, as PBE; the second time it is the same one."""
    from aiida_crystalgen.workflows.engines.pseudos import check_functional, cutoffs_of

    filepath = tmp_path / 'GTH_POTENTIALS'
    filepath.write_text(TEXT)
    family, is_new = make_family(filepath, 'soft', ['Si', 'H'])
    assert (sorted(family.elements), is_new) == (['H', 'Si'], True)
    assert cutoffs_of(family, ['Si']) == (25.0, 100.0)
    check_functional(family, ['Si', 'H'], 'PBE')
    again, is_new = make_family(tmp_path / 'nowhere', 'soft')
    assert (again.uuid, is_new) == (family.uuid, False)


@pytest.mark.parametrize(('name', 'elements', 'said'), [('GTH', ['Si', 'Pu'], 'Pu'), ('nowhere', ['Si'], 'cp2k-data')])
def test_what_is_missing_is_named(aiida_profile_clean, tmp_path, name, elements, said):
    """A file that is not there says which package has it, an element that is not in it is named."""
    (tmp_path / 'GTH').write_text(TEXT)
    with pytest.raises(PseudosError, match=said):
        make_family(tmp_path / name, 'soft', elements)
