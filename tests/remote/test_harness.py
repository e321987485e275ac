"""The harness, run for real on toy adapters: what it hands out and what it writes. No AiiDA."""

from __future__ import annotations

import hashlib
import json
from textwrap import dedent

import numpy as np
import pytest
from harness_job import BATCHED, DRAW, ECHO, MANY, Job, per_row, text_column, without_time


def test_report_and_files(make_job):
    """A plain job finishes every row and reports what the engine needs."""
    level = "\ndef level(job):\n    return 'toy/' + job.stage\n\ndef columns(job):\n    return {'n': {'kind': 'row'}}\n"
    job = make_job(per_row("columns['n_evaluations'] = 3") + level, environment={'toy': '1.0'}).run()
    assert json.loads((job.folder / 'hello.json').read_text()) == {
        'columns': {'n': {'kind': 'row'}},
        'level': 'toy/relax',
        'versions': {'toy': '1.0'},
    }
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
        'c_energy': np.array([0.0, -1.5]),
        'm_energy': np.array([True, False]),
        'c_forces': np.arange(12.0).reshape(4, 3),
        'c_path': np.array([1, 2, 3]),
        'o_path': np.array([0, 1, 3]),
        'c_note': text,
        'o_note': text_offsets,
    }
    meta = {
        'id': {'kind': 'text'},
        'energy': {'kind': 'row'},
        'forces': {'kind': 'site'},
        'path': {'kind': 'ragged'},
        'note': {'kind': 'text'},
    }
    job = make_job(
        """
def run(rows, job):
    assert os.path.isdir(job.scratch) and job.model is None and job.deadline is None
    assert open(job.assets['a']).read() == 'asset' and job.parameters == {'p': 1}
    assert [r['id'] for r in job.tables['known']] == ['k-0', 'k-1'] and job.tables['known'][-1]['numbers'].sum() == 20
    for row in rows:
        row['positions'] += 1
        yield {'id': row['id'], 'structure': row, 'columns': {**row['columns'], 'name': row['id']}}
""",
        MANY[:2],
        extra=extra,
        columns=meta,
        parameters={'p': 1},
        assets={'a': 'assets/a/x.txt'},
        tables={'known': 'tables/known.npz'},
        table_columns={'known': {'id': {'kind': 'text'}}},
    )
    known = Job(job.folder / 'elsewhere', ECHO, ['k-0', 'k-1'])
    (job.folder / 'tables').mkdir()
    (known.folder / 'batch.npz').rename(job.folder / 'tables' / 'known.npz')
    (job.folder / 'assets' / 'a').mkdir(parents=True)
    (job.folder / 'assets' / 'a' / 'x.txt').write_text('asset')
    job.run()
    assert job.report['status'] == 'finished', job.report
    first, second = job.rows.values()
    assert first['columns'] == {
        'energy': None,
        'forces': [[0, 1, 2], [3, 4, 5]],
        'path': [1],
        'note': '',
        'name': MANY[0],
    }
    assert second['columns']['energy'] == -1.5
    assert (second['columns']['path'], second['columns']['note']) == ([2, 3], 'zwei é')
    assert second['structure'] == {
        'numbers': [12, 8],
        'positions': [[1, 1, 1], [3.1, 3.1, 3.1]],
        'cell': (np.eye(3) * 4.2).tolist(),
        'pbc': [True] * 3,
    }


def test_any_order(make_job):
    """An adapter may finish its rows in any order."""
    job = make_job('def work(batch, job):\n    pass\n' + BATCHED, batch_size=5).run()
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
    jobs = [
        make_job(per_row(dedent(wait_for_the_others)), name=str(k), processes=k, parameters={'processes': k}).run()
        for k in (1, 2, 5)
    ]
    assert [len(list(job.folder.glob('seen-*'))) for job in jobs] == [1, 2, 5]
    assert without_time(jobs[0]) == without_time(jobs[1]) == without_time(jobs[2])


def test_whole_batch_in_one_worker(make_job):
    """A whole-batch adapter sees every row in one process, whatever was asked for."""
    job = make_job(
        """
def run(rows, job):
    rows = list(rows)
    for row in rows:
        yield {'id': row['id'], 'columns': {'n': len(rows), 'pid': os.getpid()}}
""",
        whole_batch=True,
        processes=4,
    ).run()
    assert len({(row['columns']['n'], row['columns']['pid']) for row in job.rows.values()}) == 1
    assert next(iter(job.rows.values()))['columns']['n'] == 12
    assert job.report['processes'] == 1


def test_whole_batch_is_never_taken_apart(make_job):
    """A whole batch that raises or kills its process is a failed job: verdicts on parts of it would be wrong."""
    late = "def run(rows, job):\n    rows = list(rows)\n    yield {'id': rows[0]['id']}\n    "
    raising = make_job(late + "raise ValueError('no')", name='raise', whole_batch=True).run()
    dying = make_job(late + 'os.kill(os.getpid(), 9)', name='die', whole_batch=True).run()
    hungry = make_job(late + 'raise MemoryError(job.batch_size)', name='oom', whole_batch=True, batch_size=4).run()
    assert (raising.report['status'], raising.report['error']) == ('adapter_failed', 'ValueError: no')
    assert (dying.report['status'], dying.report['error']) == (
        'adapter_failed',
        'Its worker process died twice (SIGKILL).',
    )
    assert (hungry.report['status'], hungry.report['error']) == ('out_of_memory', 'MemoryError: 1')
    assert not raising.rows
    assert not dying.rows
    assert not hungry.rows


def test_units_are_handed_out_whole(make_job):
    """Rows of a draw unit go together and share the seed of its first index."""
    job = make_job(
        """
def run(rows, job):
    for row in rows:
        time.sleep(0.02)
        yield {'id': row['id'], 'columns': {'seed': row['seed'], 'pid': os.getpid()}}
""",
        units=4,
        processes=3,
        draw=DRAW,
    ).run()
    for first in (0, 4, 8):
        unit = [job.rows[name]['columns'] for name in MANY[first : first + 4]]
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


def test_non_finite_numbers(make_job):
    """A non-finite geometry is a rejected row, a non-finite column value unknown; the file is strict JSON."""
    job = make_job(
        """
def run(rows, job):
    import numpy as np
    for row in rows:
        n, columns = row['index'], {'ok': np.float32(1.5), 'n': np.int64(3), 'b': np.bool_(1)}
        result = {'id': row['id'], 'columns': columns}
        if n == 0:
            columns.update(a=float('nan'), b=[1.0, [float('inf')]], c=np.array([np.nan]), d=np.float32('inf'))
        elif n < 3:
            row[('positions', 'cell')[n - 1]][0, 0] = (np.nan, np.inf)[n - 1]
            result['structure'] = row
        elif n == 3:
            result['rejected'] = {'reason': 'too_far', 'detail': '\\ud800', 'value': np.nan, 'threshold': np.float64(2)}
        yield result
""",
        MANY[:5],
    ).run()
    rows = list(job.rows.values())
    assert rows[0]['columns'] == {'ok': 1.5, 'n': 3, 'a': None, 'b': None, 'c': None, 'd': None}
    assert job.reasons == {1: 'non_finite', 2: 'non_finite', 3: 'too_far'}
    assert 'structure' not in rows[1]
    assert rows[3]['rejected'] == {'reason': 'too_far', 'detail': '?', 'value': None, 'threshold': 2.0}
    assert rows[4]['columns'] == {'ok': 1.5, 'n': 3, 'b': True}


@pytest.mark.parametrize(
    'result',
    [
        "'columns': {'x': object()}",
        "'columns': {'x': {1j: 2}}",
        "'rejected': {'detail': 'no reason'}",
        "'columns': 3",
        "'structure': {'numbers': [1], 'positions': [[0, 0]], 'cell': [[1, 0, 0]] * 3, 'pbc': [True] * 3}",
        "'structure': {'numbers': [0], 'positions': [[0, 0, 0]], 'cell': [[1, 0, 0]] * 3, 'pbc': [True] * 3}",
        "'structure': {'numbers': [1]}",
    ],
)
def test_results_that_cannot_be_written(make_job, result):
    """A row whose result is malformed is an adapter error; the next one is not."""
    job = make_job(
        f"""
def run(rows, job):
    for row in rows:
        yield {{'id': row['id'], **({{{result}}} if row['index'] == 0 else {{}})}}
""",
        MANY[:2],
    ).run()
    assert job.reasons == {0: 'adapter_error'}


def test_empty_batch(make_job):
    """No rows are a finished job, and the adapter is not run."""
    job = make_job('def run(rows, job):\n    raise RuntimeError\n    yield', []).run()
    assert job.report['status'] == 'finished'
    assert job.report['counts'] == {'given': 0, 'finished': 0, 'rejected': 0}


def test_seconds_add_up(make_job):
    """The time of a batch is shared by its rows."""
    job = make_job('def work(batch, job):\n    time.sleep(0.2)\n' + BATCHED, batch_size=4).run()
    seconds = [row['seconds'] for row in job.rows.values()]
    assert 0.6 <= sum(seconds) < 2
    assert min(seconds) > 0.04


def test_overhead_per_row(make_job):
    """The harness costs far less than a millisecond a row."""
    ids = [f'{DRAW}-{index}' for index in range(4000)]
    cpu = {}
    for n in (1000, 4000):
        cpu[n] = make_job(per_row('pass'), ids[:n], name=str(n)).run().report['seconds']['cpu']
    assert (cpu[4000] - cpu[1000]) / 3000 < 1e-3
