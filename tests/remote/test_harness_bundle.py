"""The bundle as a program: what its processes import, what their environment is and what they print. No AiiDA."""

from __future__ import annotations

import json
import subprocess

from harness_job import ECHO, MANY, NODE_PYTHON, per_row


def test_printing_does_not_disturb(make_job):
    """Whatever a tool prints, from Python or from C, lands in the log."""
    noise = r"""
print('{"type": "ask"}', flush=True)
os.write(1, b'+noise\n')
os.write(2, b'more\n')
os.system('echo loud')
"""
    job = make_job(per_row(noise), MANY[:3]).run()
    assert job.report['counts']['finished'] == 3
    assert 'loud' in (job.folder / 'workers.log').read_text()


def test_threads_are_pinned_before_numpy(make_job):
    """The number of threads is set in the environment that the worker's Python starts with."""
    body = "columns['set'] = open('/proc/self/environ').read().split('\\0')"
    job = make_job(per_row(body), MANY[:1], threads=3).run()
    expected = {f'{name}_NUM_THREADS=3' for name in ('OMP', 'OPENBLAS', 'MKL', 'NUMEXPR')}
    assert expected <= set(job.rows[MANY[0]]['columns']['set'])


def test_job_folder_is_not_imported_from(make_job):
    """A folder or file of the job does not become a module of the tool, whatever `PYTHONPATH` says."""
    job = make_job('try:\n    import tables\nexcept ImportError:\n    pass\nelse:\n    assert tables.__file__\n' + ECHO)
    (job.folder / 'tables').mkdir()
    (job.folder / 'json.py').write_text('raise RuntimeError')
    assert job.run(PYTHONPATH='.').report['status'] == 'finished'


def test_bundle_comes_first(make_job):
    """What travels is found before what is installed, from whatever folder the tool works in."""
    head = "os.chdir('/')\nassert os.path.isabs(sys.path[0]) and sys.path[0].endswith('bundle.zip'), sys.path\n"
    assert make_job(head + ECHO).run().report['status'] == 'finished'


def test_parent_loads_no_numpy(make_job):
    """The parent, which has to outlive every tool, loads neither numpy nor the adapter."""
    body = (
        "columns.update({who: 'numpy' in open(f'/proc/{pid}/maps').read() for who, pid in\n"
        "                [('parent', os.getppid()), ('worker', os.getpid())]})"
    )
    columns = make_job(per_row(body), MANY[:1]).run().rows[MANY[0]]['columns']
    assert (columns['parent'], columns['worker']) == (False, True)


def test_versions(make_job):
    """The versions of a tool are one line of JSON, whatever its module prints on import."""
    job = make_job("print('hello')\n" + ECHO)
    command = [NODE_PYTHON, 'bundle.zip', '--versions', 'toy']
    done = subprocess.run(command, cwd=job.folder, capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == {'toy': '1.0'}
    assert done.stdout.count(b'\n') == 1
