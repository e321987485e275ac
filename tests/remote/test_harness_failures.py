"""The harness when things go wrong: exceptions, crashes, kills, limits of time and memory. No AiiDA."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from harness_job import BATCHED, ECHO, MANY, alive, per_row


def test_exception_costs_only_its_row(make_job):
    """A row at which the adapter raises is rejected with the exception, the others are finished."""
    job = make_job(per_row("if n in (2, 3):\n    raise KeyError('gone\\nwrong')"), processes=2).run()
    assert job.reasons == {2: 'adapter_error', 3: 'adapter_error'}
    assert job.rows[MANY[2]]['rejected']['detail'] == "KeyError: 'gone\\nwrong'"
    assert job.report['counts'] == {'given': 12, 'finished': 12, 'rejected': 2}


def test_exception_in_a_batch_sends_rows_again_alone(make_job):
    """Rows that were in flight with a bad one are sent again one by one; later ones go in batches again."""
    work = "def work(batch, job):\n    if any(row['index'] == 1 for row in batch):\n        raise ValueError('bad')\n"
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


@pytest.mark.parametrize(
    ('adapter', 'error'),
    [
        ('import no_such_tool', "ModuleNotFoundError: No module named 'no_such_tool'"),
        ('def run(rows, job):\n    raise RuntimeError("no weights")\n    yield', 'RuntimeError: no weights'),
        ('def run(rows, job):\n    return iter(())', 'ContractError: the adapter ended without asking for a row'),
        ('os.kill(os.getpid(), 9)', 'the worker process died before it took a row (SIGKILL)'),
        (
            'def run(rows, job):\n    ctypes.string_at(0)\n    yield',
            'the worker process died before it took a row (SIGSEGV)',
        ),
        ('sys.exit(1)', 'SystemExit: 1'),
    ],
)
def test_adapter_that_cannot_start(make_job, adapter, error):
    """An adapter that fails before it takes a row ends the job with its sentence; no row is touched."""
    job = make_job(adapter, processes=2).run()
    assert (job.report['status'], job.report['error']) == ('adapter_failed', error)
    assert job.lines('out.jsonl') == job.lines('started.jsonl') == []


def test_models_that_do_not_fit_side_by_side(make_job):
    """When workers die before they take a row while others live, the job goes on with fewer processes."""
    adapter = """
def run(rows, job):
    try:
        os.mkdir('taken')
    except FileExistsError:
        os.mkdir(f'dead-{os.getpid()}')
        os.kill(os.getpid(), 9)
    while sum(name.startswith('dead-') for name in os.listdir('.')) < 2:
        time.sleep(0.01)
    for row in rows:
        yield {'id': row['id']}
"""
    job = make_job(adapter, processes=3).run()
    assert job.report['counts'] == {'given': 12, 'finished': 12, 'rejected': 0}
    assert job.report['processes'] == 1


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


def test_time_limit_per_row(make_job):
    """A row that takes too long is rejected and its worker killed, even in C code that never returns to Python."""
    hang = 'if n == 3:\n    ctypes.PyDLL(None).sleep(60)'
    started = time.monotonic()
    job = make_job(per_row(hang), row_seconds_limit=1, processes=2).run()
    assert time.monotonic() - started < 20
    assert job.reasons == {3: 'timeout'}
    assert job.rows[MANY[3]]['rejected'] == {
        'reason': 'timeout',
        'detail': 'It took longer than 1 s.',
        'value': None,
        'threshold': 1,
    }
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


@pytest.mark.parametrize(
    'words', ['MemoryError()', "RuntimeError('CUDA out of memory. Tried')", "RuntimeError('Failed to allocate 3 GB')"]
)
def test_out_of_memory_halves_the_batch(make_job, words):
    """Rows in flight are sent again alone, the others go in batches of half the size."""
    work = f'def work(batch, job):\n    if len(batch) > 3:\n        raise {words}\n'
    job = make_job(work + BATCHED, batch_size=6).run()
    assert not job.reasons
    assert [job.rows[name]['columns']['batch'] for name in MANY] == [1] * 6 + [3] * 6


def test_out_of_memory_alone(make_job):
    """A row that does not fit alone is rejected and does not shrink the batches of the others."""
    body = "columns['limit'] = job.batch_size\nif n == 1:\n    raise MemoryError('big')"
    job = make_job(per_row(body), batch_size=8).run()
    assert job.reasons == {1: 'out_of_memory'}
    assert {row['columns'].get('limit') for row in job.rows.values()} == {8, None}


def test_out_of_memory_of_a_draw_unit(make_job):
    """A draw unit of several rows is repeated with halved batches, at last one by one."""
    body = "if n == 8 or (n == 0 and job.batch_size > 1):\n    raise MemoryError\ncolumns['limit'] = job.batch_size"
    job = make_job(per_row(body), units=4, batch_size=4).run()
    assert job.reasons == dict.fromkeys([8, 9, 10, 11], 'out_of_memory')
    assert job.rows[MANY[0]]['columns']['limit'] == 1


def test_unknown_id(make_job):
    """An id that was not given is the error of the row in flight."""
    job = make_job(per_row("if n == 1:\n    row['id'] = 'nobody'")).run()
    assert job.reasons == {1: 'adapter_error'}
    assert job.rows[MANY[1]]['rejected']['detail'] == (
        'ContractError: the adapter yielded the row `nobody`, which it was not given or had yielded before'
    )


def test_id_twice(make_job):
    """A row that is yielded twice ends the job when it can be blamed on no row in flight."""
    job = make_job(per_row("if n == 1:\n    yield {'id': row['id']}")).run()
    assert job.report['status'] == 'adapter_failed'
    assert job.report['error'].startswith(f'ContractError: the adapter yielded the row `{MANY[1]}`, which')
    assert list(job.rows) == MANY[:2]


def test_forgotten_rows(make_job):
    """A row that the adapter does not answer is rejected."""
    job = make_job(per_row('if n in (1, 11):\n    continue'), processes=2).run()
    assert job.reasons == {1: 'no_result', 11: 'no_result'}
    assert job.report['counts']['finished'] == 12


def test_adapter_that_returns_early(make_job):
    """An adapter that ends before its rows do is called again."""
    adapter = "def run(rows, job):\n    for row in itertools.islice(rows, 2):\n        yield {'id': row['id']}\n"
    job = make_job(adapter).run()
    assert len(job.rows) == 12
    assert not job.reasons
