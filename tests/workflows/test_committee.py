"""A campaign by EMT whose short list two further potentials judge: a small MACE model, and EMT with tighter forces."""

import hashlib
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

MODEL = Path(__file__).parents[1] / 'assets' / 'mace' / 'al_cu.model'


def crystals(folder, **atoms):
    """Write crystals as CIFs into a folder."""
    folder.mkdir()
    for name, one in atoms.items():
        write(folder / f'{name}.cif', one)
    return str(folder)


@pytest.fixture
def campaign(python_code, tmp_path):
    """Run a campaign over two alloys, of which one is on the short list."""
    from aiida import engine

    from aiida_crystalgen.workflows.campaign import CampaignWorkChain

    candidates = crystals(
        tmp_path / 'candidates',
        a=Atoms('AlCu', cell=[3.0] * 3, scaled_positions=[[0] * 3, [0.5] * 3], pbc=True),
        b=bulk('AlCu', 'rocksalt', a=5.4),
    )
    phases = crystals(tmp_path / 'phases', al=bulk('Al', a=4.0), cu=bulk('Cu', a=3.6))
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    code = python_code.full_label
    builder = CampaignWorkChain.get_builder_from_protocol(
        python_code,
        [{'type': 'files', 'files': candidates}],
        'emt',
        protocol='fast',
        overrides={
            'references': {'phases': phases, 'partial': False},
            'filters': {'e_hull': None},
            'screen': {'shortlist': 1},
            'committee': [
                {'type': 'mace', 'code': code, 'model': str(MODEL), 'trust': digest},
                {'type': 'emt', 'label': 'tight', 'code': code, 'parameters': {'fmax': 0.01}},
            ],
            'resources': {'processes': 1},
        },
    )
    return engine.run_get_node(builder).node


def test_every_member_has_a_hull_of_its_own(campaign):
    """Energies of three levels of theory never meet; spread and agreement follow from them, and no row is lost."""
    from aiida_crystalgen.data.invariant import check_stage

    assert campaign.is_finished_ok, campaign.exit_message
    table = campaign.outputs.table.crystals
    (chain,) = [node for node in campaign.called if node.process_label == 'CommitteeWorkChain']
    links = chain.base.links.get_outgoing(link_label_filter='build_hull%').all()
    hulls = {link.link_label: link.node.outputs.result for link in links}
    levels = [hulls[f'build_hull_{label}'].level for label in ('mace', 'tight')]
    assert levels == [table.columns[f'e_hull_{label}'].level for label in ('mace', 'tight')]
    assert len({*levels, table.columns['e_hull'].level}) >= 2
    own, mace, tight = (table.values(name)[0] for name in ('e_hull', 'e_hull_mace', 'e_hull_tight'))
    assert tight == pytest.approx(own, abs=0.005)
    assert table.values('e_hull_spread')[0] == pytest.approx(max(own, mace, tight) - min(own, mace, tight))
    agreeing = [value <= 0.1 for value in (own, mace, tight)]
    assert table.values('stable_agreement')[0] == pytest.approx(agreeing.count(agreeing[0]) / 3)
    assert table.values('committee_size') == [3, 1]
    assert [table.values(name)[1] for name in ('e_hull_mace', 'e_hull_spread', 'stable_agreement')] == [None] * 3
    assert check_stage(chain.inputs.batch.crystals, table, table.select([])) is None
