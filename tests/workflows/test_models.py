"""Models of campaigns as inputs of jobs."""

import io

import pytest

from aiida_crystalgen.schema import CampaignError, CampaignSpec


def inputs_of(code, model, **more):
    """Return what a model of the generator `wyckoff` becomes."""
    from aiida_crystalgen.bundles import adapter_bundle
    from aiida_crystalgen.workflows.models import model_inputs

    generator = {'type': more.pop('type', 'wyckoff'), 'n': 2, 'model': model, **more}
    spec = CampaignSpec.model_validate({'version': 1, 'name': 'x', 'seed': 1, 'generators': [generator]})
    bundle = adapter_bundle('generator', generator['type'])
    return model_inputs(spec, 'generator', spec.generators[0], code, bundle)


def test_a_model_of_the_profile_is_used_as_the_node_that_it_is(python_code):
    """So that provenance leads through it."""
    from aiida import orm

    node = orm.SinglefileData(io.BytesIO(b'weights'), filename='model.safetensors').store()
    inputs, parameters, path = inputs_of(python_code, f'node:{node.pk}')
    assert inputs['model'].pk == node.pk
    assert (parameters, path) == ({}, None)


def test_a_node_that_could_run_code_is_refused(python_code):
    """Nodes have no `trust`; the sentence says what to name instead."""
    from aiida import orm

    node = orm.SinglefileData(io.BytesIO(b'pickle'), filename='model.pt').store()
    with pytest.raises(CampaignError, match='runs no code'):
        inputs_of(python_code, f'node:{node.pk}')


def test_a_node_that_is_not_there_is_refused(python_code):
    """The sentence says where to look."""
    with pytest.raises(CampaignError, match='no such node'):
        inputs_of(python_code, 'node:424242')


def test_a_model_on_the_computer_is_known_by_its_files(python_code, tmp_path):
    """Its path stays outside the graph, the sha256 of its files inside; without trust it is refused."""
    import hashlib

    folder = tmp_path / 'checkpoint'
    folder.mkdir()
    (folder / 'hparams.yaml').write_text('a: 1')
    (folder / 'epoch=1-step=2.ckpt').write_bytes(b'weights')
    with pytest.raises(CampaignError) as refused:
        inputs_of(python_code, f'remote:{folder}', type='diffcsp')
    (problem,) = refused.value.problems
    trust = problem.remedy.partition('trust: ')[2][:64]
    inputs, _, path = inputs_of(python_code, f'remote:{folder}', type='diffcsp', trust=trust)
    assert path == str(folder)
    files = inputs['checkpoint'].get_dict()['files']
    assert files['epoch=1-step=2.ckpt'] == hashlib.sha256(b'weights').hexdigest()


def test_a_model_that_is_not_on_the_computer_is_told(python_code, tmp_path):
    """One sentence with the path."""
    with pytest.raises(CampaignError, match='was not found'):
        inputs_of(python_code, f'remote:{tmp_path}/nothing', type='diffcsp')


def test_a_generator_reads_a_node_of_the_profile(python_code):
    """A file or folder node is the input itself; any other node is refused with its kind."""
    from aiida import orm

    from aiida_crystalgen.workflows.models import asset_of

    generator = {'type': 'files', 'n': 1, 'files': 'node:1'}
    spec = CampaignSpec.model_validate({'version': 1, 'name': 'x', 'seed': 1, 'generators': [generator]})
    folder, number = orm.FolderData().store(), orm.Int(1).store()
    assert asset_of(spec, f'node:{folder.pk}').pk == folder.pk
    with pytest.raises(CampaignError, match='this node is a Int, no file or folder'):
        asset_of(spec, f'node:{number.pk}')
