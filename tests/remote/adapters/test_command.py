"""Any tool by its command line: scripts of these tests and a published tool, run as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from generator_job import ABOUT_KEYS, job, literal_about, load, requests, structure

adapter = load('command')
UNIT = 4
# Writes cubes of two atoms, their cells drawn from the seed; the last arguments ask for trouble.
TOOL = """
import json, os, random, sys
n, seed, output, *rest = sys.argv[1:]
seed = None if seed == 'none' else int(seed)
chance = random.Random(seed) if seed is not None else random
if rest == ['fails']:
    print('reading'); print('ValueError: the checkpoint is another one', file=sys.stderr); sys.exit(3)
if rest == ['memory']:
    print('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', file=sys.stderr); sys.exit(1)
if rest == ['quiet memory']:
    print('batch skipped: CUDA out of memory'); sys.exit(0)
if rest[:1] == ['memory above'] and int(n) > int(rest[1]):
    print('CUDA out of memory'); sys.exit(1)
if rest == ['slow']:
    import time; time.sleep(60)
if rest == ['killed']:
    import signal; os.kill(os.getpid(), signal.SIGKILL)
if rest == ['reads']:
    print(open('prompt.txt').read())
written = int(n) - 2 if rest == ['few'] else int(n) + 3 if rest == ['many'] else int(n)
for k in range(written):
    a = 4 + chance.random()
    with open(os.path.join(output, f'sample_{k}.cif'), 'a') as handle:
        handle.write(f'''data_k{k}
_cell_length_a {a:.9f}
_cell_length_b {a:.9f}
_cell_length_c {a:.9f}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
loop_
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg 0 0 0
{'Xx' if rest == ['strange'] and k == 1 else 'Cl'} 0.5 0.5 0.5
''')
if rest == ['other']:
    os.rename(os.path.join(output, 'sample_0.cif'), os.path.join(output, 'crystals.txt'))
    for k in range(1, written):
        os.remove(os.path.join(output, f'sample_{k}.cif'))
print('done')
"""


@pytest.fixture
def tool(tmp_path) -> Path:
    """Return a script that writes crystals."""
    path = tmp_path / 'tool.py'
    path.write_text(TOOL)
    return path


@pytest.fixture
def draw(tool, tmp_path):
    """Return a function that runs the adapter on rows of the given indices."""

    def finish(rest='', indices=range(UNIT), template='{{python}} {tool} {{n}} {{seed}} {{output}} {rest}', **options):
        parameters = {'command': template.format(tool=tool, rest=rest), 'batch_size': UNIT, **options}
        unit = parameters['batch_size']
        rows = [{**requests(1, index)[0], 'seed': 7919 * (index // unit) + 1} for index in indices]
        given = job(parameters)
        given.scratch, given.batch_size = str(tmp_path / 'scratch'), unit
        Path(given.scratch).mkdir(exist_ok=True)
        adapter.columns(given)
        found = list(adapter.run(rows, given))
        assert not list(Path(given.scratch).iterdir())
        return found

    return finish


def edge(row: dict) -> float:
    """Return the edge of a cube."""
    crystal = structure(row)
    assert crystal.composition.formula == 'Mg1 Cl1'
    return crystal.lattice.a


def reason(row: dict) -> str:
    """Return why a row ends."""
    return row['rejected']['reason']


def test_about_is_complete():
    """`ABOUT` is a literal with every key; what the environment is made of is in the versions."""
    about = literal_about('command')
    assert set(about) >= ABOUT_KEYS
    assert about['units'] == 'batch_size'
    found = adapter.versions()
    assert set(found) >= {*about['requires'], 'python', 'installed'}
    assert found == adapter.versions()


def test_another_package_is_another_environment(tmp_path, monkeypatch):
    """A package that comes, goes or changes its version changes the versions, so that nothing old is served."""
    before = adapter.versions()
    (tmp_path / 'chemeleon_dng-0.1.5.dist-info').mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    one = adapter.versions()
    (tmp_path / 'chemeleon_dng-0.1.5.dist-info').rename(tmp_path / 'chemeleon_dng-0.1.6.dist-info')
    assert len({found['installed'] for found in (before, one, adapter.versions())}) == 3


def test_a_clone_is_part_of_the_versions(tmp_path, monkeypatch):
    """The sources in COMMAND_HOME are told by a digest, and a variable that leads nowhere by a sentence."""
    (tmp_path / 'a.py').write_text('x = 1')
    monkeypatch.setenv('COMMAND_HOME', str(tmp_path))
    before = adapter.versions()['home']
    (tmp_path / 'a.py').write_text('x = 2')
    assert adapter.versions()['home'] != before
    monkeypatch.setenv('COMMAND_HOME', str(tmp_path / 'nothing'))
    with pytest.raises(RuntimeError, match='no folder on this computer'):
        adapter.versions()


def test_crystals_of_a_tool(draw):
    """Every row is a crystal, with where it was read from and how it was made."""
    rows = draw()
    assert [row['id'] for row in rows] == [request['id'] for request in requests(UNIT)]
    assert len({edge(row) for row in rows}) == UNIT
    for number, row in enumerate(rows):
        columns = row['columns']
        assert columns['source_file'] == f'sample_{number}.cif'
        assert (columns['seeded'], columns['drawn_with']) == (True, UNIT)
        assert columns['command_line'].startswith('{python} ')
        assert columns['command_line'].endswith('tool.py 4 1 {output}')


def test_seed_and_index_alone_decide(draw):
    """A row is the same crystal alone, among others and in another order; another unit is another run."""
    together = {row['id']: row for row in draw(indices=range(2 * UNIT))}
    assert draw(indices=[6, 1]) == [together[f'0123456789abcdef-{index}'] for index in (6, 1)]
    assert len({edge(row) for row in together.values()}) == 2 * UNIT


def test_the_tenth_file_follows_the_ninth(draw):
    """Files come in the order of their numbers."""
    rows = draw(batch_size=12, indices=range(12))
    assert [row['columns']['source_file'] for row in rows] == [f'sample_{k}.cif' for k in range(12)]


def test_too_few_crystals_are_rejected_rows(draw):
    """What is missing is as many rejected rows, with both numbers."""
    rows = draw('few')
    assert [row.get('rejected') for row in rows[:2]] == [None, None]
    assert [reason(row) for row in rows[2:]] == ['too_few', 'too_few']
    assert (rows[2]['rejected']['value'], rows[2]['rejected']['threshold']) == (2, 4)


def test_more_crystals_than_asked_for(draw):
    """The first ones are taken."""
    assert draw('many')[0]['structure'] == draw()[0]['structure']


def test_strange_crystals_are_rows_with_a_reason(draw):
    """A crystal that cannot be read takes its own row and no other."""
    rows = draw('strange')
    assert reason(rows[1]) == 'unknown_element'
    assert [len(structure(rows[k])) for k in (0, 2, 3)] == [2, 2, 2]


def test_files_that_fit_no_pattern_are_named(draw):
    """Where nothing is read, the row says what the tool wrote."""
    (row, *_) = draw('other', output='*.xyz')
    assert reason(row) == 'too_few'
    assert 'no file fits `output: *.xyz`, and it wrote crystals.txt' in row['rejected']['detail']


def test_format_is_what_is_said(draw):
    """A file with a name that says nothing is read in the format that is given."""
    assert edge(draw('other', output='crystals.txt', format='cif')[0]) > 4


def test_failure_is_one_sentence(draw):
    """A tool that fails gives its exit code and its last line."""
    with pytest.raises(RuntimeError, match='exit code 3: ValueError: the checkpoint is another one'):
        draw('fails')


@pytest.mark.parametrize('rest', ['memory', '"quiet memory"', 'killed'])
def test_memory_that_ran_out_is_told(draw, rest):
    """Out of memory is recognised at any exit code, and when the machine killed the tool."""
    with pytest.raises(RuntimeError, match='out of memory'):
        draw(rest)


def test_time_of_one_run(draw):
    """A run that takes too long is stopped, and its rows say so."""
    start = time.monotonic()
    rows = draw('slow', timeout=2.0)
    assert time.monotonic() - start < 30
    assert [reason(row) for row in rows] == ['timeout'] * UNIT


def test_a_tool_without_a_seed(draw, tool):
    """A column tells crystals that came without a seed; a Python tool can be seeded all the same."""
    unseeded = f'{{python}} {tool} {{n}} none {{output}}'.replace('{', '{{').replace('}', '}}')
    rows = draw(template=unseeded)
    assert not rows[0]['columns']['seeded']
    once, twice = (draw(template=unseeded, seed_python=True) for _ in range(2))
    assert once == twice
    assert once[0]['columns']['seeded']
    assert once[0]['structure'] != rows[0]['structure']


def test_a_program_beside_the_python(tmp_path, draw, monkeypatch):
    """A program of the environment of the Code is found, and seeded where it is a Python script."""
    beside = tmp_path / 'bin'
    beside.mkdir()
    (beside / 'python').symlink_to(sys.executable)
    (beside / 'make-crystals').write_text(f'#!{sys.executable}\n{TOOL}')
    (beside / 'make-crystals').chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(beside / 'python'))
    template = 'make-crystals {{n}} none {{output}}'
    once, twice = (draw(template=template, seed_python=True) for _ in range(2))
    assert once == twice
    with pytest.raises(RuntimeError, match=r'`make-crystal` was not found.*whole path'):
        draw(template='make-crystal {{n}}')
    with pytest.raises(RuntimeError, match='`seed_python` needs a Python script'):
        draw(template='env {{n}}', seed_python=True)


def test_values_and_inputs(draw):
    """Texts of the campaign reach the command as one word each, one after the other, and as files."""
    columns = [row['columns'] for row in draw('{prompt}', indices=[0, 4, 8], values={'prompt': ['a b', 'c']})]
    assert [line['command_line'][-3:] for line in columns] == ['a b', '} c', 'a b']
    assert edge(draw('reads', inputs={'prompt.txt': 'data_Na2Cl2'})[0]) > 4


def test_variables_of_the_environment(draw, tmp_path):
    """Variables are set for the command alone."""
    script = tmp_path / 'says.py'
    script.write_text("import os; open('a.txt', 'w').write(os.environ['HF_HUB_OFFLINE'])")
    rows = draw(template=f'{{{{python}}}} {script}', environment={'HF_HUB_OFFLINE': 1}, output='*.txt')
    assert 'wrote' not in rows[0].get('rejected', {}).get('detail', '')
    assert 'HF_HUB_OFFLINE' not in os.environ


def test_conditions_are_told_and_requested(draw):
    """Conditions stand in the command, and beside what was found; of several values units take one each."""
    asked = '{chemical_system} {energy_above_hull}'
    options = {'chemical_system': 'Mg-O', 'energy_above_hull': [0.0, 0.1]}
    first, second = draw(asked, indices=[0, 4], **options)
    assert first['columns']['command_line'].endswith('Mg-O 0.0')
    assert second['columns']['command_line'].endswith('Mg-O 0.1')
    assert first['columns']['chemical_system_requested'] == 'Mg-O'
    assert second['columns']['energy_above_hull_requested'] == 0.1
    given = job({'command': f'tool {asked}', **options})
    assert adapter.columns(given)['energy_above_hull_requested']['unit'] == 'eV/atom'


def test_runs_in_the_clone(draw, tool, monkeypatch):
    """A tool that has to run in its own folder writes to the fresh one."""
    monkeypatch.setenv('COMMAND_HOME', str(tool.parent))
    assert edge(draw(template='{{python}} tool.py {{n}} {{seed}} {{output}}', folder='home')[0]) > 4
    assert edge(draw(template='{{python}} {{home}}/tool.py {{n}} {{seed}} .')[0]) > 4


def test_a_program_that_writes_beside_its_model(tmp_path, tool):
    """Each run finds the files of the model in a folder of its own, and the model itself stays as it is."""
    model = tmp_path / 'checkpoint'
    (model / 'sub').mkdir(parents=True)
    (model / 'sub' / 'known.cif').write_text('no crystal')
    command = f'{{python}} {tool} {{n}} {{seed}} {{model}}'
    given = job({'command': command, 'link_model': True, 'batch_size': UNIT})
    given.model, given.scratch, given.batch_size = str(model), str(tmp_path), UNIT
    adapter.columns(given)
    rows = list(adapter.run(requests(UNIT)[:1], given))
    assert rows[0]['columns']['source_file'] == 'model/sample_0.cif'
    assert edge(rows[0]) > 4
    assert [path.name for path in model.iterdir()] == ['sub']


REFUSED = {
    'python {seeds}': 'stands for nothing: write {seed}',
    'python {model}': 'there is none: add `model:`',
    'python {files}': 'there is none: add `files:`',
    'python {composition}': 'there is none: give it',
    'python | grep x': 'no shell runs it',
    '': 'the command is empty',
}


@pytest.mark.parametrize('template', REFUSED)
def test_commands_that_cannot_run_are_refused(template):
    """A template that is wrong is refused with one sentence before anything runs."""
    with pytest.raises(RuntimeError) as caught:
        adapter.columns(job({'command': template}))
    assert REFUSED[template] in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'chemical_system': 'Li-O'}, '`chemical_system` is asked for, and the command does not use it'),
        ({'values': {'seed': 3}}, '`seed` of `values` has a meaning of its own'),
        ({'inputs': {'../x': ''}}, 'no plain file name'),
        ({'output': '../*.cif'}, 'leads out of the folder'),
        ({'folder': 'home'}, r'has no \{output\}'),
    ],
)
def test_settings_that_do_not_fit_are_refused(parameters, words):
    """A condition that would be ignored, and files outside the folder, are refused before anything runs."""
    with pytest.raises(RuntimeError, match=words):
        adapter.columns(job({'command': 'tool', **parameters}))


# As a job of the harness.


def harness_job(folder: Path, parameters: dict, count: int, python: str = sys.executable, **options) -> tuple:
    """Run the bundle of the adapter in a job folder and return its rows by index, and the report."""
    import numpy as np

    from aiida_crystalgen import bundles

    folder.mkdir()
    (folder / 'bundle.zip').write_bytes(bundles.adapter_bundle('generator', 'command'))
    ids = [f'0123456789abcdef-{index}' for index in range(count)]
    text = ''.join(ids).encode()
    np.savez(
        folder / 'batch.npz', offsets=np.zeros(count + 1, int), numbers=np.zeros(0, np.int16),
        positions=np.zeros((0, 3)), cells=np.zeros((count, 3, 3)), pbc=np.ones((count, 3), bool),
        c_id=np.frombuffer(text, np.uint8), o_id=np.cumsum([0, *map(len, ids)]),
    )  # fmt: skip
    description = {
        'module': 'adapter', 'stage': 'generate', 'parameters': parameters, 'draw': '0123456789abcdef', 'seed': 1,
        'units': UNIT, 'whole_batch': False, 'device': 'cpu', 'processes': 1, 'threads': 1, 'batch_size': UNIT,
        'seconds_limit': None, 'row_seconds_limit': None, 'environment': {}, 'model': None, 'assets': {}, 'tables': {},
        'columns': {'id': {'kind': 'text'}}, 'table_columns': {}, **options,
    }  # fmt: skip
    (folder / 'job.json').write_text(json.dumps(description))
    subprocess.run([python, 'bundle.zip'], cwd=folder, check=True, capture_output=True, timeout=300)
    rows = [json.loads(line) for line in (folder / 'out.jsonl').read_text().splitlines()]
    return {int(row['id'].split('-')[1]): row for row in rows}, json.loads((folder / 'report.json').read_text())


def test_memory_that_ran_out_halves_the_unit(tool, tmp_path):
    """A run that does not fit is repeated in halves, each crystal says how many were drawn with it."""
    command = f'{{python}} {tool} {{n}} {{seed}} {{output}} "memory above" 2'
    rows, report = harness_job(tmp_path / 'job', {'command': command, 'batch_size': UNIT}, 2 * UNIT)
    assert report['status'] == 'finished'
    assert [row['columns']['drawn_with'] for row in rows.values()] == [2] * 8
    assert len({json.dumps(row['structure']) for row in rows.values()}) == 8


def test_a_command_that_fails_ends_in_sentences(tool, tmp_path):
    """A unit whose command fails twice is rejected with the last line of its output; the job finishes."""
    command = f'{{python}} {tool} {{n}} {{seed}} {{output}} fails'
    rows, report = harness_job(tmp_path / 'job', {'command': command, 'batch_size': UNIT}, UNIT)
    assert report['status'] == 'finished'
    assert all('the checkpoint is another one' in row['rejected']['detail'] for row in rows.values())


def test_a_wrong_template_ends_the_job(tmp_path):
    """Nothing runs, and the report has the sentence."""
    rows, report = harness_job(tmp_path / 'job', {'command': 'tool {sed}'}, UNIT)
    assert (rows, report['status']) == ({}, 'adapter_failed')
    assert 'stands for nothing' in report['error']


# A published tool, where its environment is.

CHEMELEON = os.environ.get('CRYSTALGEN_CHEMELEON_PYTHON', '')
MAKE_CHECKPOINT = """
import sys
import pytorch_lightning, torch
from chemeleon_dng.script_util import create_diffusion_module
torch.manual_seed(0)
module = create_diffusion_module(
    task=sys.argv[1], num_timesteps=20,
    model_configs=dict(hidden_dim=16, time_dim=16, num_layers=1, max_atoms=100, act_fn='silu', dis_emb='sin',
                       num_freqs=4, ln=True, ip=True, smooth=False, cond_dim=0),
    optimizer_configs=dict(optimizer='adam', lr=1e-3, weight_decay=0.0, scheduler='constant', patience=1,
                           early_stopping=1, warmup_steps=0),
    beta_schedule_ddpm='cosine', beta_schedule_d3pm='cosine', max_atoms=100, d3pm_hybrid_coeff=0.01,
    sigma_begin=0.005, sigma_end=0.5,
)
trainer = pytorch_lightning.Trainer(logger=False, enable_checkpointing=False, accelerator='cpu')
trainer.strategy.connect(module)
trainer.save_checkpoint(sys.argv[2])
"""


@pytest.mark.skipif(not CHEMELEON, reason='CRYSTALGEN_CHEMELEON_PYTHON is not set (see tests/generators/README.md)')
def test_chemeleon_runs(tmp_path):
    """The command line of chemeleon-dng, with an untrained model of its own making, is seeded and read whole."""
    model = tmp_path / 'csp.ckpt'
    subprocess.run([CHEMELEON, '-c', MAKE_CHECKPOINT, 'csp', model], check=True, capture_output=True, timeout=300)
    command = (
        'chemeleon-dng --task=csp --formulas={composition} --num_samples={n} --batch_size={n} '
        '--model_path={model} --output_dir={output} --device={device}'
    )
    parameters = {'command': command, 'seed_python': True, 'batch_size': UNIT, 'composition': 'NaCl'}
    found = []
    for name in ('once', 'again'):
        rows, report = harness_job(tmp_path / name, parameters, UNIT, CHEMELEON, model=str(model))
        assert report['status'] == 'finished', report['error']
        found.append([(row['structure'], row['columns']) for row in rows.values()])
    assert found[0] == found[1]
    for number, (crystal, columns) in enumerate(found[0]):
        assert sorted(crystal['numbers']) == [11, 17]
        assert columns['source_file'] == f'sample_{number}_ClNa.cif'
        assert columns['seeded']
