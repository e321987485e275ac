"""A campaign with phonons: the short list is judged, every row stays."""

import pytest
from ase.build import bulk
from ase.io import write


@pytest.fixture
def campaign(python_code, tmp_path):
    """Run a campaign over three metals of which two are on the short list."""
    from aiida import engine

    from aiida_crystalgen.workflows.campaign import CampaignWorkChain

    folder = tmp_path / 'crystals'
    folder.mkdir()
    for symbol, edge in {'Cu': 3.6, 'Ag': 4.1, 'Au': 4.1}.items():
        write(folder / f'{symbol}.cif', bulk(symbol, a=edge))
    builder = CampaignWorkChain.get_builder_from_protocol(
        python_code,
        [{'type': 'files', 'files': str(folder)}],
        'emt',
        protocol='fast',
        overrides={
            'screen': {'shortlist': 2},
            'phonons': {'parameters': {'min_length': 5.0, 'mesh_length': 20.0}},
            'resources': {'processes': 1},
        },
    )
    return engine.run_get_node(builder).node


def test_the_short_list_is_judged_and_every_row_stays(campaign):
    """Two rows get a verdict, the third an unknown one; trace, progress and sources know of it."""
    from aiida_crystalgen.tools.progress import progress_of
    from aiida_crystalgen.tools.sources import sources_of
    from aiida_crystalgen.tools.trace import trace

    assert campaign.is_finished_ok, campaign.exit_message
    table = campaign.outputs.table.crystals
    assert table.values('shortlisted') == [True, True, False]
    assert table.values('phonon_verdict') == ['stable', 'stable', None]
    assert table.columns['phonon_lowest_frequency'].mask.tolist() == [False, False, True]
    assert len(campaign.outputs.force_constants.base.repository.list_object_names()) == 2
    steps = trace(table.ids[0], campaign)
    assert 'phonon_reason' in {name for step in steps for name in step.columns}
    assert [stage.n_done for stage in progress_of(campaign) if stage.stage == 'phonons'] == [2]
    assert [source.name for source in sources_of(campaign) if source.kind == 'phonons'] == ['phonopy']
    assert campaign.outputs.funnel.get_dict()['cost']['stages']['phonons']['crystals'] == 2
    labels = [node.process_label for node in sorted(campaign.called, key=lambda node: node.pk)]
    assert labels[-4:] == ['choose_shortlisted', 'PhononWorkChain', 'widen', 'funnel']
