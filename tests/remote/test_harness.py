"""The harness, run for real: subprocesses, bundles of toy adapters, kills and crashes. No AiiDA."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

HARNESS = Path(__file__).resolve().parents[2] / 'aiida_crystalgen' / 'remote' / 'harness.py'
DRAW = '0123456789abcdef'
MANY = [f'{DRAW}-{index}' for index in range(12)]

HEAD = """
import ctypes, itertools, os, signal, sys, time

ABOUT = {'name': 'toy'}


def versions():
    return {'toy': '1.0'}

"""
ECHO = """
def run(rows, job):
    for row in rows:
        yield {'id': row['id'], 'columns': {'seed': row['seed'], 'index': row['index'], 'pid': os.getpid()}}
"""
BATCHED = """
def run(rows, job):
    while True:
        batch = list(itertools.islice(rows, job.batch_size))
        if not batch:
            return
        work(batch, job)
        for row in reversed(batch):
            yield {'id': row['id'], 'columns': {'batch': len(batch), 'limit': job.batch_size}}
"""


def per_row(body: str) -> str:
    """Return an adapter that runs `body` for the row `row` with the number `n`, and then yields it."""
    lines = '\n'.join('        ' + line for line in body.strip().splitlines())
    return f"""
def run(rows, job):
    for row in rows:
        n, columns = row['index'], {{}}
{lines}
        yield {{'id': row['id'], 'columns': {{'n': n, **columns}}}}
"""


def text_column(values: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes and the offsets of a text column."""
    data = [value.encode() for value in values]
    return np.frombuffer(b''.join(data), np.uint8), np.cumsum([0, *map(len, data)])


class Job:
    """A job folder."""

    def __init__(self, folder: Path, adapter: str, ids: list[str], extra: dict | None = None, **options: object) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / 'bundle.zip', 'w') as archive:
            archive.writestr('toy.py', HEAD + adapter)
        n = len(ids)
        values, offsets = text_column(ids)
        arrays = {
            'offsets': np.arange(n + 1) * 2, 'numbers': np.tile(np.array([12, 8], np.int16), n),
            'positions': np.tile([[0.0, 0, 0], [2.1, 2.1, 2.1]], (n, 1)), 'cells': np.tile(np.eye(3) * 4.2, (n, 1, 1)),
            'pbc': np.ones((n, 3), bool), 'c_id': values, 'o_id': offsets, **(extra or {})}
        np.savez(folder / 'batch.npz', **arrays)
        job = {
            'module': 'toy', 'bundle': 'bundle.zip', 'stage': 'relax', 'parameters': {}, 'draw': '', 'seed': 1,
            'units': 1, 'whole_batch': False, 'device': 'cpu', 'processes': 1, 'threads': 1, 'batch_size': 1,
            'seconds_limit': None, 'row_seconds_limit': None, 'environment': {}, 'model': None, 'assets': {},
            'tables': {}, 'columns': {'id': {'kind': 'text'}}, 'table_columns': {}, **options}
        (folder / 'job.json').write_text(json.dumps(job))

    def start(self) -> subprocess.Popen:
        """Start the harness."""
        return subprocess.Popen([sys.executable, str(HARNESS)], cwd=self.folder, stderr=subprocess.DEVNULL)

    def run(self) -> Job:
        """Run the harness to its end."""
        done = subprocess.run([sys.executable, str(HARNESS)], cwd=self.folder, timeout=60, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == b''
        self.stderr = done.stderr.decode()
        return self

    def wait_for(self, n: int) -> None:
        """Wait until so many rows are finished."""
        for _ in range(300):
            if (self.folder / 'out.jsonl').exists() and len(self.lines('out.jsonl')) >= n:
                return
            time.sleep(0.05)
        raise AssertionError('the rows did not come')

    def lines(self, name: str) -> list[str]:
        """Return the whole lines of a file."""
        return (self.folder / name).read_text().split('\n')[:-1]

    @property
    def rows(self) -> dict[str, dict]:
        """The finished rows by id; no id may come twice, no constant may be beyond JSON."""
        rows = [json.loads(line, parse_constant=pytest.fail) for line in self.lines('out.jsonl')]
        assert len({row['id'] for row in rows}) == len(rows)
        return {row['id']: row for row in rows}

    @property
    def reasons(self) -> dict[int, str]:
        """The reasons of the rejected rows by index."""
        return {int(k.split('-')[-1]): row['rejected']['reason'] for k, row in self.rows.items() if 'rejected' in row}

    @property
    def report(self) -> dict:
        """The report."""
        return json.loads((self.folder / 'report.json').read_text())


@pytest.fixture
def make_job(tmp_path):
    """Return a function that makes a job folder."""
    return lambda adapter, ids=MANY, name='job', **options: Job(tmp_path / name, adapter, ids, **options)


def alive(pid: int) -> bool:
    """Say whether a process lives (a zombie does not)."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def without_time(job: Job) -> list[str]:
    """Return the rows, sorted, without what the clock put into them."""
    return [json.dumps({**row, 'seconds': 0}) for _, row in sorted(job.rows.items())]


def test_report_and_files(make_job):
    """A plain job finishes every row and reports what the engine needs."""
    level = "\ndef level(job):\n    return 'toy/' + job.stage\n\ndef columns(job):\n    return {'n': {'kind': 'row'}}\n"
    job = make_job(per_row("columns['n_evaluations'] = 3") + level, environment={'toy': '1.0'}).run()
    assert json.loads((job.folder / 'hello.json').read_text()) == {
        'columns': {'n': {'kind': 'row'}}, 'level': 'toy/relax', 'versions': {'toy': '1.0'}}
    assert [json.loads(line)['id'] for line in job.lines('started.jsonl')] == MANY
    report = job.report
    assert report['status'] == 'finished'
    assert report['counts'] == {'given': 12, 'finished': 12, 'rejected': 0}
    assert (report['evaluations'], report['level'], report['processes']) == (36, 'toy/relax', 1)
    assert report['seconds']['rows'] == pytest.approx(sum(row['seconds'] for row in job.rows.values()), abs=2e-3)
    assert report['seconds']['wall'] > 0
    assert report['seconds']['cpu'] > 0
    assert 5 < report['peak_memory_mb'] < 500
    assert not (job.folder / 'scratch').exists()


def test_rows_as_the_contract_says(make_job):
    """Rows carry geometry and columns of every kind, None where unknown; tables, assets and scratch are there."""
    text, text_offsets = text_column(['', 'zwei é'])
    extra = {
        'c_energy': np.array([0.0, -1.5]), 'm_energy': np.array([True, False]), 'c_forces': np.arange(12.0).reshape(4, 3),
        'c_path': np.array([1, 2, 3]), 'o_path': np.array([0, 1, 3]), 'c_note': text, 'o_note': text_offsets}
    meta = {'id': {'kind': 'text'}, 'energy': {'kind': 'row'}, 'forces': {'kind': 'site'}, 'path': {'kind': 'ragged'},
            'note': {'kind': 'text'}}
    job = make_job("""
def run(rows, job):
    assert os.path.isdir(job.scratch) and job.model is None and job.deadline is None
    assert open(job.assets['a']).read() == 'asset' and job.parameters == {'p': 1}
    assert [r['id'] for r in job.tables['known']] == ['k-0', 'k-1'] and job.tables['known'][-1]['numbers'].sum() == 20
    for row in rows:
        row['positions'] += 1
        yield {'id': row['id'], 'structure': row, 'columns': {**row['columns'], 'name': row['id']}}
""", MANY[:2], extra=extra, columns=meta, parameters={'p': 1}, assets={'a': 'assets/a/x.txt'},
                   tables={'known': 'tables/known.npz'}, table_columns={'known': {'id': {'kind': 'text'}}})
    known = Job(job.folder / 'elsewhere', ECHO, ['k-0', 'k-1'])
    (job.folder / 'tables').mkdir()
    (known.folder / 'batch.npz').rename(job.folder / 'tables' / 'known.npz')
    (job.folder / 'assets' / 'a').mkdir(parents=True)
    (job.folder / 'assets' / 'a' / 'x.txt').write_text('asset')
    job.run()
    assert job.report['status'] == 'finished', job.report
    first, second = job.rows.values()
    assert first['columns'] == {'energy': None, 'forces': [[0, 1, 2], [3, 4, 5]], 'path': [1], 'note': '', 'name': MANY[0]}
    assert second['columns']['energy'] == -1.5
    assert (second['columns']['path'], second['columns']['note']) == ([2, 3], 'zwei é')
    assert second['structure'] == {'numbers': [12, 8], 'positions': [[1, 1, 1], [3.1, 3.1, 3.1]],
                                   'cell': (np.eye(3) * 4.2).tolist(), 'pbc': [True] * 3}


def test_any_order(make_job):
    """An adapter may finish its rows in any order."""
    job = make_job("def work(batch, job):\n    pass\n" + BATCHED, batch_size=5).run()
    assert set(job.rows) == set(MANY)
    assert list(job.rows)[:2] == [MANY[4], MANY[3]]


def test_process_count_changes_nothing(make_job):
    """One, two and five processes give the same bytes."""
    wait_for_the_others = """
        open('seen-{}'.format(os.getpid()), 'w').close()
        while sum(name.startswith('seen-') for name in os.listdir('.')) < job.parameters['processes']:
            time.sleep(0.01)
        if n == 5:
            raise ValueError('five')
        columns['seed'] = row['seed']
    """
    jobs = [make_job(per_row(dedent(wait_for_the_others)), name=str(k), processes=k, parameters={'processes': k}).run()
            for k in (1, 2, 5)]
    assert [len(list(job.folder.glob('seen-*'))) for job in jobs] == [1, 2, 5]
    assert without_time(jobs[0]) == without_time(jobs[1]) == without_time(jobs[2])


def test_whole_batch_in_one_worker(make_job):
    """A whole-batch adapter sees every row in one process, whatever was asked for."""
    job = make_job("""
def run(rows, job):
    rows = list(rows)
    for row in rows:
        yield {'id': row['id'], 'columns': {'n': len(rows), 'pid': os.getpid()}}
""", whole_batch=True, processes=4).run()
    assert len({(row['columns']['n'], row['columns']['pid']) for row in job.rows.values()}) == 1
    assert next(iter(job.rows.values()))['columns']['n'] == 12
    assert job.report['processes'] == 1


def test_whole_batch_is_never_taken_apart(make_job):
    """A whole batch that raises or kills its process is a failed job: verdicts on parts of it would be wrong."""
    late = "def run(rows, job):\n    rows = list(rows)\n    yield {'id': rows[0]['id']}\n    "
    raising = make_job(late + "raise ValueError('no')", name='raise', whole_batch=True).run()
    dying = make_job(late + "os.kill(os.getpid(), 9)", name='die', whole_batch=True).run()
    hungry = make_job(late + "raise MemoryError(job.batch_size)", name='oom', whole_batch=True, batch_size=4).run()
    assert (raising.report['status'], raising.report['error']) == ('adapter_failed', 'ValueError: no')
    assert (dying.report['status'], dying.report['error']) == (
        'adapter_failed', 'Its worker process died twice (SIGKILL).')
    assert (hungry.report['status'], hungry.report['error']) == ('out_of_memory', 'MemoryError: 1')
    assert not raising.rows
    assert not dying.rows
    assert not hungry.rows


def test_units_are_handed_out_whole(make_job):
    """Rows of a draw unit go together and share the seed of its first index."""
    job = make_job("""
def run(rows, job):
    for row in rows:
        time.sleep(0.02)
        yield {'id': row['id'], 'columns': {'seed': row['seed'], 'pid': os.getpid()}}
""", units=4, processes=3, draw=DRAW).run()
    for first in (0, 4, 8):
        unit = [job.rows[name]['columns'] for name in MANY[first:first + 4]]
        seed = int.from_bytes(hashlib.sha256(f'{DRAW}-{first}'.encode()).digest()[:4], 'big')
        assert {column['seed'] for column in unit} == {seed}
        assert len({column['pid'] for column in unit}) == 1


def test_units_are_finished_whole_or_not_at_all(make_job):
    """A unit that raises in its middle is rejected as a whole."""
    job = make_job(per_row("if n == 5:\n    raise ValueError('five')"), units=4).run()
    assert job.reasons == dict.fromkeys([4, 5, 6, 7], 'adapter_error')


def test_seeds_do_not_depend_on_missing_rows(make_job):
    """A row has the same seed when others are missing, and another one than its neighbour."""
    every = make_job(ECHO, name='all').run().rows
    some = make_job(ECHO, MANY[3::4], name='some', processes=2).run().rows
    assert all(every[name]['columns']['seed'] == row['columns']['seed'] for name, row in some.items())
    assert len({row['columns']['seed'] for row in every.values()}) == len(MANY)


def test_exception_costs_only_its_row(make_job):
    """A row at which the adapter raises is rejected with the exception, the others are finished."""
    job = make_job(per_row("if n in (2, 3):\n    raise KeyError('gone\\nwrong')"), processes=2).run()
    assert job.reasons == {2: 'adapter_error', 3: 'adapter_error'}
    assert job.rows[MANY[2]]['rejected']['detail'] == "KeyError: 'gone\\nwrong'"
    assert job.report['counts'] == {'given': 12, 'finished': 12, 'rejected': 2}


def test_exception_in_a_batch_sends_rows_again_alone(make_job):
    """Rows that were in flight with a bad one are sent again one by one; later ones go in batches again."""
    work = "def work(batch, job):\n    if any(row['index'] == 1 for row in batch):\n        raise ValueError('bad batch')\n"
    job = make_job(work + BATCHED, batch_size=4).run()
    assert job.reasons == {1: 'adapter_error'}
    sizes = [row['columns'].get('batch') for _, row in sorted(job.rows.items(), key=lambda item: MANY.index(item[0]))]
    assert sizes == [1, None, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4]
    started = [json.loads(line)['id'] for line in job.lines('started.jsonl')]
    assert [started.count(name) for name in MANY] == [2] * 4 + [1] * 8


@pytest.mark.parametrize('death', ['os.kill(os.getpid(), signal.SIGSEGV)', 'ctypes.string_at(0)', 'os._exit(3)'])
def test_row_that_kills_its_process(make_job, death):
    """A row at which the process dies is sent once more and then rejected; the others are finished."""
    job = make_job(per_row(f'if n == 4:\n    {death}'), processes=2).run()
    assert job.reasons == {4: 'killed_process'}
    assert job.rows[MANY[4]]['rejected']['detail'].startswith('Its worker process died twice (')
    assert [json.loads(line)['id'] for line in job.lines('started.jsonl')].count(MANY[4]) == 2
    assert job.report['counts'] == {'given': 12, 'finished': 12, 'rejected': 1}
    assert job.report['status'] == 'finished'


def test_death_in_a_batch(make_job):
    """Rows in flight beside one that kills the process are finished alone."""
    work = "def work(batch, job):\n    if any(row['index'] == 1 for row in batch):\n        ctypes.string_at(0)\n"
    job = make_job(work + BATCHED, batch_size=4).run()
    assert job.reasons == {1: 'killed_process'}
    assert len(job.rows) == 12


@pytest.mark.parametrize(('adapter', 'error'), [
    ('import no_such_tool', "ModuleNotFoundError: No module named 'no_such_tool'"),
    ('def run(rows, job):\n    raise RuntimeError("no weights")\n    yield', 'RuntimeError: no weights'),
    ('def run(rows, job):\n    return iter(())', 'ContractError: the adapter ended without asking for a row'),
    ('os.kill(os.getpid(), 9)', 'the worker process died before it took a row (SIGKILL)'),
    ('def run(rows, job):\n    ctypes.string_at(0)\n    yield', 'the worker process died before it took a row (SIGSEGV)'),
    ('sys.exit(1)', 'SystemExit: 1'),
])
def test_adapter_that_cannot_start(make_job, adapter, error):
    """An adapter that fails before it takes a row ends the job with its sentence; no row is touched."""
    job = make_job(adapter, processes=2).run()
    assert (job.report['status'], job.report['error']) == ('adapter_failed', error)
    assert job.lines('out.jsonl') == job.lines('started.jsonl') == []


def test_model_that_does_not_fit(make_job):
    """Running out of memory before the first row is told apart from other failures to start."""
    job = make_job('def run(rows, job):\n    raise RuntimeError("CUDA out of memory")\n    yield').run()
    assert job.report['status'] == 'out_of_memory'


def test_environment_mismatch(make_job):
    """Another version than planned with stops the job before any row; the sentence names both."""
    job = make_job(ECHO, environment={'toy': '0.9', 'other': '2'}).run()
    assert job.report['status'] == 'environment_mismatch'
    assert 'toy is 1.0 here but was 0.9' in job.report['error']
    assert 'other is missing here but was 2' in job.report['error']
    assert job.lines('out.jsonl') == job.lines('started.jsonl') == []


def test_non_finite_numbers(make_job):
    """A non-finite geometry is a rejected row, a non-finite column value unknown; the file is strict JSON."""
    job = make_job("""
def run(rows, job):
    import numpy as np
    for row in rows:
        n, result = row['index'], {'id': row['id'], 'columns': {'ok': np.float32(1.5), 'n': np.int64(3), 'b': np.bool_(1)}}
        if n == 0:
            result['columns'].update(a=float('nan'), b=[1.0, [float('inf')]], c=np.array([np.nan]), d=np.float32('inf'))
        elif n < 3:
            row[('positions', 'cell')[n - 1]][0, 0] = (np.nan, np.inf)[n - 1]
            result['structure'] = row
        elif n == 3:
            result['rejected'] = {'reason': 'too_far', 'detail': 'x \\ud800', 'value': np.nan, 'threshold': np.float64(2)}
        yield result
""", MANY[:5]).run()
    rows = list(job.rows.values())
    assert rows[0]['columns'] == {'ok': 1.5, 'n': 3, 'a': None, 'b': None, 'c': None, 'd': None}
    assert job.reasons == {1: 'non_finite', 2: 'non_finite', 3: 'too_far'}
    assert 'structure' not in rows[1]
    assert rows[3]['rejected'] == {'reason': 'too_far', 'detail': 'x ?', 'value': None, 'threshold': 2.0}
    assert rows[4]['columns'] == {'ok': 1.5, 'n': 3, 'b': True}


@pytest.mark.parametrize('result', [
    "'columns': {'x': object()}", "'columns': {'x': {1j: 2}}", "'rejected': {'detail': 'no reason'}", "'columns': 3",
    "'structure': {'numbers': [1], 'positions': [[0, 0]], 'cell': [[1, 0, 0]] * 3, 'pbc': [True] * 3}",
    "'structure': {'numbers': [0], 'positions': [[0, 0, 0]], 'cell': [[1, 0, 0]] * 3, 'pbc': [True] * 3}",
    "'structure': {'numbers': [1]}",
])
def test_results_that_cannot_be_written(make_job, result):
    """A row whose result is malformed is an adapter error; the next one is not."""
    job = make_job(f"""
def run(rows, job):
    for row in rows:
        yield {{'id': row['id'], **({{{result}}} if row['index'] == 0 else {{}})}}
""", MANY[:2]).run()
    assert job.reasons == {0: 'adapter_error'}


def test_time_limit_per_row(make_job):
    """A row that takes too long is rejected and its worker killed, even in C code that never returns to Python."""
    hang = 'if n == 3:\n    ctypes.PyDLL(None).sleep(60)'
    started = time.monotonic()
    job = make_job(per_row(hang), row_seconds_limit=1, processes=2).run()
    assert time.monotonic() - started < 20
    assert job.reasons == {3: 'timeout'}
    assert job.rows[MANY[3]]['rejected'] == {
        'reason': 'timeout', 'detail': 'It took longer than 1 s.', 'value': None, 'threshold': 1}
    assert len(job.rows) == 12


def test_time_limit_of_the_job(make_job):
    """After the time limit nothing is begun; what was begun is finished and the rest is left for another job."""
    job = make_job(per_row('assert job.deadline > 0\ntime.sleep(0.6)'), seconds_limit=4).run()
    assert job.report['status'] == 'deadline'
    assert 0 < len(job.rows) < 12
    assert not job.reasons
    assert len(job.lines('started.jsonl')) == len(job.rows)


def test_rows_given_back_at_the_deadline(make_job):
    """An adapter that stops at the deadline leaves its rows unfinished, not rejected."""
    stop = 'while n > 2 and time.monotonic() < job.deadline:\n    time.sleep(0.01)\nif n > 2:\n    return'
    job = make_job(per_row(stop), seconds_limit=3).run()
    assert job.report['status'] == 'deadline'
    assert list(job.rows) == MANY[:3]
    assert not job.reasons


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_termination(make_job, number):
    """A signal to the parent ends the job at once; finished rows are kept, workers are gone."""
    job = make_job(per_row("time.sleep(30 if n == 2 else 0)\ncolumns['pid'] = os.getpid()"))
    process = job.start()
    job.wait_for(2)
    started = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - started < 5
    assert job.report['status'] == 'terminated'
    assert list(job.rows) == MANY[:2]
    assert not any(alive(row['columns']['pid']) for row in job.rows.values())


def test_killed_parent(make_job):
    """A killed parent leaves readable rows and, within two seconds, no worker, busy in C code though it be."""
    hang = "columns['pid'] = os.getpid()\nif n >= 2:\n    ctypes.PyDLL(None).sleep(60)"
    job = make_job(per_row(hang), processes=2)
    process = job.start()
    job.wait_for(2)
    process.kill()
    process.wait()
    time.sleep(2)
    pids = {row['columns']['pid'] for row in job.rows.values()}
    assert pids
    assert not any(alive(pid) for pid in pids)
    assert not (job.folder / 'report.json').exists()


def test_killed_worker(make_job):
    """A worker killed from outside costs nothing: its row is computed again."""
    job = make_job(per_row("columns['pid'] = os.getpid()\ntime.sleep(1.0 if n == 3 else 0)"))
    process = job.start()
    job.wait_for(3)
    time.sleep(0.2)
    first = next(iter(job.rows.values()))['columns']['pid']
    os.kill(first, signal.SIGKILL)
    assert process.wait(timeout=30) == 0
    assert job.report['counts'] == {'given': 12, 'finished': 12, 'rejected': 0}
    assert job.rows[MANY[3]]['columns']['pid'] != first


def test_printing_does_not_disturb(make_job):
    """Whatever a tool prints, from Python or from C, lands in the log."""
    noise = "print('{\"type\": \"ask\"}', flush=True)\nos.write(1, b'noise\\n')\nos.write(2, b'more\\n')\nos.system('echo loud')"
    job = make_job(per_row(noise), MANY[:3]).run()
    assert job.report['counts']['finished'] == 3
    assert 'loud' in (job.folder / 'workers.log').read_text()


def test_threads_are_pinned_before_numpy(make_job):
    """The worker's environment holds the number of threads before anything is imported."""
    job = make_job("assert 'scipy' not in sys.modules\nSEEN = {k: os.environ.get(k + '_NUM_THREADS')"
                   " for k in ('OMP', 'OPENBLAS', 'MKL', 'NUMEXPR')}\n" + per_row("columns.update(SEEN)"), MANY[:1], threads=1)
    assert job.run().rows[MANY[0]]['columns'] == {'n': 0, 'OMP': '1', 'OPENBLAS': '1', 'MKL': '1', 'NUMEXPR': '1'}


def test_job_folder_is_not_imported_from(make_job):
    """A folder or file of the job does not become a module of the tool."""
    job = make_job("try:\n    import tables\nexcept ImportError:\n    pass\nelse:\n    assert tables.__file__\n" + ECHO)
    (job.folder / 'tables').mkdir()
    assert job.run().report['status'] == 'finished'


@pytest.mark.parametrize('words', ['MemoryError()', "RuntimeError('CUDA out of memory. Tried')",
                                   "RuntimeError('Failed to allocate 3 GB')"])
def test_out_of_memory_halves_the_batch(make_job, words):
    """Rows in flight are sent again alone, the others go in batches of half the size."""
    job = make_job(f"def work(batch, job):\n    if len(batch) > 3:\n        raise {words}\n" + BATCHED, batch_size=6).run()
    assert not job.reasons
    assert [job.rows[name]['columns']['batch'] for name in MANY] == [1] * 6 + [3] * 6


def test_out_of_memory_alone(make_job):
    """A row that does not fit alone is rejected and does not shrink the batches of the others."""
    job = make_job(per_row("columns['limit'] = job.batch_size\nif n == 1:\n    raise MemoryError('big')"), batch_size=8).run()
    assert job.reasons == {1: 'out_of_memory'}
    assert {row['columns'].get('limit') for row in job.rows.values()} == {8, None}


def test_out_of_memory_of_a_draw_unit(make_job):
    """A draw unit of several rows is repeated with halved batches, at last one by one."""
    body = "if n == 0 and job.batch_size > 1:\n    raise MemoryError\nif n == 8:\n    raise MemoryError\ncolumns['limit'] = job.batch_size"
    job = make_job(per_row(body), units=4, batch_size=4).run()
    assert job.reasons == dict.fromkeys([8, 9, 10, 11], 'out_of_memory')
    assert job.rows[MANY[0]]['columns']['limit'] == 1


def test_unknown_id(make_job):
    """An id that was not given is the error of the row in flight."""
    job = make_job(per_row("if n == 1:\n    row['id'] = 'nobody'")).run()
    assert job.reasons == {1: 'adapter_error'}
    assert job.rows[MANY[1]]['rejected']['detail'] == (
        'ContractError: the adapter yielded the row `nobody` which it was not given')


def test_id_twice(make_job):
    """A row that is yielded twice ends the job when it can be blamed on no row in flight."""
    job = make_job(per_row("if n == 1:\n    yield {'id': row['id']}")).run()
    assert job.report['status'] == 'adapter_failed'
    assert job.report['error'] == f'ContractError: the adapter yielded the row `{MANY[1]}` twice'
    assert list(job.rows) == MANY[:2]


def test_forgotten_rows(make_job):
    """A row that the adapter does not answer is rejected."""
    job = make_job(per_row('if n in (1, 11):\n    continue'), processes=2).run()
    assert job.reasons == {1: 'no_result', 11: 'no_result'}
    assert job.report['counts']['finished'] == 12


def test_adapter_that_returns_early(make_job):
    """An adapter that ends before its rows do is called again."""
    job = make_job("def run(rows, job):\n    for row in itertools.islice(rows, 2):\n        yield {'id': row['id']}\n").run()
    assert len(job.rows) == 12
    assert not job.reasons


def test_empty_batch(make_job):
    """No rows are a finished job, and the adapter is not run."""
    job = make_job("def run(rows, job):\n    raise RuntimeError\n    yield", []).run()
    assert job.report['status'] == 'finished'
    assert job.report['counts'] == {'given': 0, 'finished': 0, 'rejected': 0}


def test_seconds_add_up(make_job):
    """The time of a batch is shared by its rows."""
    job = make_job("def work(batch, job):\n    time.sleep(0.2)\n" + BATCHED, batch_size=4).run()
    seconds = [row['seconds'] for row in job.rows.values()]
    assert 0.6 <= sum(seconds) < 2
    assert min(seconds) > 0.04


def test_versions(make_job):
    """The versions of a tool are one line of JSON, whatever its module prints on import."""
    job = make_job("print('hello')\n" + ECHO)
    command = [sys.executable, str(HARNESS), '--versions', 'toy', '--bundle', 'bundle.zip']
    done = subprocess.run(command, cwd=job.folder, capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == {'toy': '1.0'}
    assert done.stdout.count(b'\n') == 1


def test_overhead_per_row(make_job):
    """The harness costs far less than a millisecond a row."""
    ids = [f'{DRAW}-{index}' for index in range(4000)]
    cpu = {}
    for n in (1000, 4000):
        cpu[n] = make_job(per_row('pass'), ids[:n], name=str(n)).run().report['seconds']['cpu']
    assert (cpu[4000] - cpu[1000]) / 3000 < 1e-3
