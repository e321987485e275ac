"""A campaign with phonons: the short list is judged, every row stays."""

import pytest
from ase.build import bulk
from ase.io import write

PHONONS = {'phonons': {'parameters': {'min_length': 5.0, 'mesh_length': 20.0}}}


def run(code, generator, **overrides):
    """Return a finished campaign with EMT."""
    from aiida import engine

    from aiida_crystalgen.workflows.campaign import CampaignWorkChain

    overrides = {'resources': {'processes': 1}, **overrides}
    builder = CampaignWorkChain.get_builder_from_protocol(
        code, [generator], 'emt', protocol='fast', overrides=overrides
    )
    return engine.run_get_node(builder).node


@pytest.fixture
def campaign(python_code, tmp_path):
    """Run a campaign over three metals of which two are on the short list."""
    folder = tmp_path / 'crystals'
    folder.mkdir()
    for symbol, edge in {'Cu': 3.6, 'Ag': 4.1, 'Au': 4.1}.items():
        write(folder / f'{symbol}.cif', bulk(symbol, a=edge))
    return run(
        python_code,
        {'type': 'files', 'files': str(folder)},
        screen={'shortlist': 2},
        ranking={
            'objectives': {'energy': 'min', 'phonon_lowest_frequency': 'max'},
            'weights': {'phonon_verdict': 2, 'volume_per_atom_relaxed': {'best': 20.0, 'worst': 10.0}},
            'diversity': {'max_per_prototype': 2},
        },
        **PHONONS,
    )


def check_ranks(campaign, table):
    """Check that rules decide on the short list without phonons, and on the rank with them; nothing else changes."""
    from aiida_crystalgen.data.invariant import check_stage

    assert sorted(table.values('rank_screened')) == [1, 2, 3]
    assert table.values('rank') == [1, 2, 3]
    assert table.values('shortlisted') == [place <= 2 for place in table.values('rank_screened')]
    assert len(set(table.values('prototype'))) == 1
    assert table.values('pareto_front')[2] is None
    assert table.values('priority') == sorted(table.values('priority'), reverse=True)
    assert table.values('priority_known') == [1.0, 1.0, pytest.approx(1 / 3)]
    (before,) = [node.outputs.result.crystals for node in campaign.called if node.process_label == 'widen']
    assert check_stage(before, table, table.select([])) is None


def check_figures(campaign, table):
    """Check that the dossier of a crystal on the short list shows its bands, and that of any other does not."""
    from aiida_crystalgen.report.content import read_content
    from aiida_crystalgen.report.dossier import collect
    from aiida_crystalgen.report.dossier.page import render_dossier

    content = read_content(campaign)
    pages = [render_dossier(content, collect(content, name)) for name in table.ids]
    assert ['Phonon bands and density of states' in page for page in pages] == [True, True, False]
    assert all(f'>{point}<' in pages[0] for point in ('Γ', 'X', 'U|K', 'L', 'W'))


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
    check_ranks(campaign, table)
    check_figures(campaign, table)
    labels = [node.process_label for node in sorted(campaign.called, key=lambda node: node.pk)]
    assert labels[-5:] == ['choose_shortlisted', 'PhononWorkChain', 'widen', 'rerank', 'funnel']


def test_a_second_campaign_follows_the_soft_mode(python_code, tmp_path):
    """Body-centred copper is unstable; moved along its mode and relaxed, it ends lower, and says where it comes from.

    The force constants are an input of the draw, so that the graph leads from one campaign to the other.
    """
    write(tmp_path / 'Cu.cif', bulk('Cu', 'bcc', a=2.87))
    first = run(python_code, {'type': 'files', 'files': str(tmp_path / 'Cu.cif')}, **PHONONS)
    parent = first.outputs.table.crystals
    assert parent.values('phonon_verdict') == ['unstable']
    constants = first.outputs.force_constants
    second = run(python_code, {'type': 'soft_modes', 'files': f'node:{constants.pk}', 'n': 1})
    assert second.is_finished_ok, second.exit_message
    table = second.outputs.table.crystals
    assert set(table.values('born_from')) == set(parent.ids)
    assert min(table.values('energy')) < parent.values('energy')[0] - 5e-3
    jobs = [node for node in second.called_descendants if node.process_label == 'GenerateCalculation']
    assert {node.pk for job in jobs for node in job.inputs.assets.values()} == {constants.pk}


def test_distances_to_the_hull_at_a_temperature(python_code, tmp_path):
    """Candidate and competing phases vibrate by the same potential; what compares with an unstable one is unknown."""
    phases, candidates = tmp_path / 'phases', tmp_path / 'candidates'
    for folder, names in ((phases, ('Cu', 'Au')), (candidates, ('Cu', 'Au'))):
        folder.mkdir()
        for name in names:
            write(folder / f'{name}.cif', bulk(name, a={'Cu': 3.59, 'Au': 4.06}[name]))
    write(candidates / 'CuAu.cif', bulk('CuAu', 'cesiumchloride', a=3.0))
    references = {'phases': str(phases), 'source': 'made here', 'licence': 'CC0-1.0'}
    node = run(
        python_code, {'type': 'files', 'files': str(candidates)}, references=references,
        filters={'e_hull': None}, phonons={**PHONONS['phonons'], 'hull': True},
    )  # fmt: skip
    assert node.is_finished_ok, node.exit_message
    table = node.outputs.table.crystals
    rows = {row['columns']['formula']: row['columns'] for row in table.rows()}
    for name in ('Cu', 'Au'):
        assert rows[name]['e_hull_300K'] == pytest.approx(0.0, abs=1e-5)
    assert table.columns['e_hull_300K'].level.endswith(' + harmonic vibrations')
    assert rows['CuAu']['phonon_verdict'] != 'stable'
    assert rows['CuAu']['e_hull_300K'] is None
    assert 'it has no free energy' in rows['CuAu']['e_hull_300K_reason']
