"""The engine VASP: what its builder says; VASP itself has a licence and is not run."""

import pytest

from aiida_crystalgen.workflows.engines import base, load
from aiida_crystalgen.workflows.engines.planning import verify_inputs

pytest.importorskip('aiida_vasp', reason='aiida-vasp is not installed (extra `vasp`)')
# Of aiida-vasp and of pymatgen's sets, which look for POTCARs that nobody needs here.
pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture
def vasp_code(aiida_profile_clean, aiida_code_installed):
    """Return a Code of VASP that is never run, and an empty family of POTCARs."""
    from aiida_vasp.data.potcar import PotcarGroup

    PotcarGroup(label='PBE').store()
    return aiida_code_installed(filepath_executable='/bin/true', default_calc_job_plugin='vasp.vasp', label='vasp')


def rocksalt(first='Mg', second='O', edge=4.2):
    """Return a crystal of two atoms."""
    from aiida import orm

    half = edge / 2
    structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
    structure.append_atom(position=(0, 0, 0), symbols=first)
    structure.append_atom(position=(half, half, half), symbols=second)
    return structure


def builder_of(code, structure, task, spin='auto', **settings):
    """Return the builder of one task."""
    settings = {'potential_family': 'PBE', **settings}
    shared = verify_inputs('vasp', {'vasp': code}, settings=settings, spin=spin)
    given = {name: shared[name] for name in ('codes', 'nodes', 'options')}
    return load('vasp').get_builder(
        structure=structure, task=task, protocol='balanced', spin=spin, settings=settings, **given
    )


def test_relaxation_and_energy_are_the_sets_of_the_materials_project(vasp_code):
    """Cut-off, k points, POTCARs and the relaxation are those of MPRelaxSet, the energy that of MPStaticSet."""
    from pymatgen.io.vasp.sets import MPRelaxSet

    relax = builder_of(vasp_code, rocksalt(), 'vc-relax')
    incar = relax.parameters['incar']
    assert (incar['encut'], incar['isif'], incar['ibrion'], incar['ispin']) == (520, 3, 2, 2)
    assert relax.potential_mapping.get_dict() == {'Mg': 'Mg_pv', 'O': 'O'}
    assert tuple(relax.kpoints.get_kpoints_mesh()[0]) == MPRelaxSet(rocksalt().get_pymatgen()).kpoints.kpts[0]
    assert builder_of(vasp_code, rocksalt(), 'relax').parameters['incar']['isif'] == 2
    static = builder_of(vasp_code, rocksalt(), 'static').parameters['incar']
    assert static['nsw'] == 0


def test_hubbard_and_moments_of_an_oxide_of_iron(vasp_code):
    """Oxides of iron have the U of the Materials Project and start with moments; `none` takes the spin away."""
    incar = builder_of(vasp_code, rocksalt('Fe'), 'vc-relax').parameters['incar']
    assert incar['ldau'] is True
    assert incar['ldauu'] == [5.3, 0]
    assert incar['magmom'] == [5.0, 0.6]
    without = builder_of(vasp_code, rocksalt('Fe'), 'vc-relax', spin='none').parameters['incar']
    assert without['ispin'] == 1
    assert 'magmom' not in without


def test_what_is_wrong_is_told_before_anything_runs(vasp_code):
    """A POTCAR that was not uploaded, a family that is not there, a key that is not known."""
    shared = verify_inputs('vasp', {'vasp': vasp_code}, settings={'potential_family': 'PBE'})
    with pytest.raises(base.UnsupportedCrystalError, match='has no POTCAR Mg_pv, O'):
        load('vasp').check(rocksalt(), settings={'potential_family': 'PBE'}, nodes=shared['nodes'])
    with pytest.raises(base.InvalidSettingsError, match='no family of POTCARs `PBE_64`'):
        verify_inputs('vasp', {'vasp': vasp_code}, settings={'potential_family': 'PBE_64'})
    with pytest.raises(base.InvalidSettingsError, match='`encut`: Extra inputs are not permitted'):
        verify_inputs('vasp', {'vasp': vasp_code}, settings={'potential_family': 'PBE', 'encut': 520})


def test_results_are_read_in_the_words_of_all_engines(vasp_code):
    """The energy is E0; what VASP does not tell stays unknown."""
    from aiida import orm

    from aiida_crystalgen.calculations.verify_vasp import read_vasp

    misc = {'total_energies': {'energy_extrapolated': -12.0}, 'magnetization': [4.0], 'version': '6.4.2'}
    level = orm.Dict({'fingerprint': '0' * 16})
    results = read_vasp(level, rocksalt(), orm.Dict(misc))['results']
    assert results['energy_per_atom'] == -6.0
    assert results['magnetization_density'] == pytest.approx(4.0 / rocksalt().get_cell_volume())
    assert results['energy_free_eV'] is None
    assert results['converged'] is None
