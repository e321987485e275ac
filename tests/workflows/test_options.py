"""Options of jobs from profiles, down to the script that the scheduler gets."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def slurm_code(aiida_profile_clean, aiida_computer, tmp_path):
    """Return a Code on a computer with SLURM; nothing is ever submitted there."""
    from aiida import orm

    computer = aiida_computer(label='cluster', scheduler_type='core.slurm', transport_type='core.local')
    code = orm.InstalledCode(label='python', computer=computer, filepath_executable='/usr/bin/python3')
    return code.store()


def script_of(code, profile, tmp_path, monkeypatch):
    """Return the script of a job whose options are those of a profile, as AiiDA renders it without submitting."""
    import io

    from aiida import engine, orm

    from aiida_crystalgen.bundles import adapter_bundle
    from aiida_crystalgen.calculations.batching import plan
    from aiida_crystalgen.calculations.generate import GenerateCalculation
    from aiida_crystalgen.schema.profiles import ProfileSpec
    from aiida_crystalgen.workflows.options import job_options, job_runtime

    monkeypatch.chdir(tmp_path)
    resources = {'options': {}, 'processes': 0, 'device': 'cpu'}
    profile = ProfileSpec.model_validate(profile)
    bundle = orm.SinglefileData(io.BytesIO(adapter_bundle('generator', 'random')), filename='bundle.zip')
    parameters = orm.Dict({'seed': 1, 'composition': 'MgO'})
    builder = GenerateCalculation.get_builder()
    builder.code, builder.bundle, builder.parameters = code, bundle, parameters
    builder.environment = orm.Dict({})
    builder.batch = plan(orm.Int(2), orm.Str('random'), bundle=bundle, parameters=parameters)
    builder.runtime = job_runtime(resources, profile)
    builder.metadata.options = job_options(resources, profile, code)
    builder.metadata.dry_run = True
    _, node = engine.run_get_node(builder)
    folder = Path(node.dry_run_info['folder'])
    return (folder / node.dry_run_info['script_filename']).read_text(), json.loads((folder / 'job.json').read_text())


def test_a_profile_is_rendered_in_the_submit_script(slurm_code, tmp_path, monkeypatch):
    """GPUs, queue, wall time and variables stand where SLURM and the tool read them; the job knows its device."""
    profile = {
        'device': 'cuda',
        'gpus': 1,
        'options': {'queue_name': 'gpu', 'max_wallclock_seconds': 7200},
        'environment': {'HF_HUB_OFFLINE': '1', 'CUDA_VISIBLE_DEVICES': '0'},
    }
    script, job = script_of(slurm_code, profile, tmp_path, monkeypatch)
    assert '#SBATCH --gres=gpu:1' in script
    assert '#SBATCH --partition=gpu' in script
    assert '#SBATCH --time=02:00:00' in script
    assert "export HF_HUB_OFFLINE='1'" in script
    assert "export CUDA_VISIBLE_DEVICES='0'" in script
    assert job['device'] == 'cuda'
    assert job['seconds_limit'] == pytest.approx(7200 * 0.95)


def test_lines_of_the_user_stay_beside_those_of_gpus(slurm_code, tmp_path, monkeypatch):
    """What the options say of the scheduler is kept."""
    profile = {'gpus': 2, 'gpu_request': 'gpus', 'options': {'custom_scheduler_commands': '#SBATCH --qos=low'}}
    script, _ = script_of(slurm_code, profile, tmp_path, monkeypatch)
    assert '#SBATCH --qos=low\n#SBATCH --gpus=2' in script


def test_a_scheduler_without_a_translation_is_refused(aiida_profile_clean, aiida_computer):
    """The sentence says what to write instead."""
    from aiida import orm

    from aiida_crystalgen.schema import CampaignError
    from aiida_crystalgen.schema.profiles import ProfileSpec
    from aiida_crystalgen.workflows.options import job_options

    computer = aiida_computer(label='lsf', scheduler_type='core.lsf', transport_type='core.local')
    code = orm.InstalledCode(label='python', computer=computer, filepath_executable='/usr/bin/python3')
    with pytest.raises(CampaignError, match='custom_scheduler_commands'):
        job_options({'options': {}}, ProfileSpec(gpus=1), code)
