"""Run an adapter over a batch of crystals: a parent that only hands out rows, and worker processes that may die.

`python harness.py` in the job folder runs `job.json`. `python harness.py --versions MODULE --bundle FILE` prints the
versions of the adapter's tool. It travels to the compute node alone: Python 3.8, standard library, numpy in workers.

Rows are handed out in draw units, one at a time, when the adapter asks for its next row. A unit is finished whole or
not at all. Whatever is lost with others (by a death or an exception) is sent again alone; what is lost alone is
rejected: at once after an exception or a time limit, after the second death otherwise.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import faulthandler
import gc
import hashlib
import importlib
import json
import math
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import types
import typing as t

Row = t.Dict[str, t.Any]

FILENAME_LOG = 'workers.log'
THREAD_VARIABLES = ('OMP', 'OPENBLAS', 'MKL', 'NUMEXPR', 'BLIS', 'VECLIB_MAXIMUM', 'RAYON')
OUT_OF_MEMORY = ('out of memory', 'failed to allocate', "can't allocate", 'cannot allocate', 'neighboroverflow')
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
TICK_SECONDS = 0.1
MOST_LETTERS = 500


def locate(crystal_id: str) -> tuple[str, int]:
    """Split `<draw>-<index>`; any other id is a draw of its own."""
    draw, _, index = crystal_id.rpartition('-')
    return (draw, int(index)) if draw and index.isascii() and index.isdigit() else (crystal_id, 0)


def seed_of(draw: str, first: int) -> int:
    """Return the seed (32 bits) of the draw unit whose first index is given."""
    return int.from_bytes(hashlib.sha256(f'{draw}-{first}'.encode()).digest()[:4], 'big')


def sentence(error: BaseException) -> str:
    """Return an exception as one line."""
    return ' '.join(f'{type(error).__name__}: {error}'.split())[:MOST_LETTERS]


def load(module: str, bundle: str) -> t.Any:
    """Import the adapter from its bundle; nothing is imported from the job folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.abspath(bundle), *(path for path in sys.path if os.path.abspath(path) != here)]
    return importlib.import_module(module)


# The worker: the only side that imports numpy, the adapter and its tool.


class Batch(t.Sequence[Row]):
    """The crystals of an `.npz` file; rows are built when they are asked for."""

    def __init__(self, filepath: str, columns: t.Mapping[str, t.Any]) -> None:
        import numpy as np

        with np.load(filepath, allow_pickle=False) as archive:
            self.arrays = {name: archive[name] for name in archive.files}
        self.kinds = {name: meta['kind'] for name, meta in columns.items() if name != 'id'}
        self.ids: list[str] = [self.value('id', 'text', row) for row in range(len(self))]

    def __len__(self) -> int:
        return len(self.arrays['offsets']) - 1

    def __getitem__(self, item: t.Any) -> t.Any:
        place = range(len(self))[item]
        if isinstance(place, range):
            return [self[row] for row in place]
        arrays = self.arrays
        sites = slice(arrays['offsets'][place], arrays['offsets'][place + 1])
        return {
            'id': self.ids[place],
            'index': locate(self.ids[place])[1],
            'numbers': arrays['numbers'][sites].astype(int),
            'positions': arrays['positions'][sites].copy(),
            'cell': arrays['cells'][place].copy(),
            'pbc': arrays['pbc'][place].copy(),
            'columns': {name: self.value(name, kind, place) for name, kind in self.kinds.items()},
        }

    def value(self, name: str, kind: str, row: int) -> t.Any:
        """Return one entry of a column as a plain Python value, None where it is unknown."""
        if f'm_{name}' in self.arrays and self.arrays[f'm_{name}'][row]:
            return None
        values = self.arrays[f'c_{name}']
        if kind == 'row':
            return values[row].tolist()
        offsets = self.arrays['offsets' if kind == 'site' else f'o_{name}']
        part = values[offsets[row] : offsets[row + 1]]
        return part.tobytes().decode() if kind == 'text' else part.tolist()


def plain(value: t.Any) -> t.Any:
    """Return a value as strict JSON can hold it; None when anything in it is not finite."""
    if isinstance(value, str):
        return value.encode('utf-8', 'replace').decode()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=lambda array: array.tolist()))
    except ValueError:
        return None


def plain_structure(structure: Row) -> Row | None:
    """Return a geometry as plain lists, None when it is not finite.

    :raises ValueError: when it is no geometry.
    """
    import numpy as np

    numbers, positions, cell = (np.asarray(structure[name], float) for name in ('numbers', 'positions', 'cell'))
    pbc = [bool(periodic) for periodic in structure['pbc']]
    if not all(np.isfinite(array).all() for array in (numbers, positions, cell)):
        return None
    if positions.reshape(-1, 3).shape != (len(numbers), 3) or cell.shape != (3, 3) or len(pbc) != 3:
        raise ValueError(f'the shapes {positions.shape} and {cell.shape} are no crystal of {len(numbers)} sites')
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= 118:
        raise ValueError('there is an atomic number outside 1 to 118')
    return {'numbers': numbers.astype(int).tolist(), 'positions': positions.tolist(), 'cell': cell.tolist(), 'pbc': pbc}


def rejection(reason: str, detail: str, value: t.Any = None, threshold: t.Any = None) -> Row:
    """Return why a row ends here."""
    return {'reason': reason, 'detail': plain(detail), 'value': plain(value), 'threshold': plain(threshold)}


def write_row(result: Row, seconds: float) -> tuple[str, Row]:
    """Return what an adapter yielded as a line of strict JSON and what it adds to the totals.

    What cannot be written is an `adapter_error`.
    """
    row: Row = {'id': result['id'], 'columns': {}}
    try:
        rejected, structure = result.get('rejected'), result.get('structure')
        if structure is not None:
            row['structure'] = plain_structure(structure)
            if row['structure'] is None:
                del row['structure']
                rejected = rejected or {'reason': 'non_finite', 'detail': 'The geometry holds a NaN or an infinity.'}
        row['columns'] = {name: plain(value) for name, value in (result.get('columns') or {}).items()}
        if rejected:
            row['rejected'] = rejection(**{'detail': '', **rejected})
        row['seconds'] = round(seconds, 6)
        line = json.dumps(row, allow_nan=False)
        evaluations = int(row['columns'].get('n_evaluations') or 0)
    except Exception as error:
        return write_row({'id': row['id'], 'rejected': rejection('adapter_error', sentence(error))}, seconds)
    return line, {'rejected': int('rejected' in row), 'evaluations': evaluations, 'seconds': seconds}


def add(*totals: Row) -> Row:
    """Return the sums of what several rows add to the totals."""
    return {name: sum(total[name] for total in totals) for name in totals[0]}


class ContractError(Exception):
    """An adapter that does not do what adapters promise."""


class Worker:
    """Runs the adapter on the rows that the parent hands out.

    The seconds of a row are its share of the time during which it was in flight, so that they add up.
    """

    def __init__(self, job: Row, number: int, commands: t.IO[str], reports: t.IO[str]) -> None:
        self.commands, self.reports = commands, reports
        self.config = job
        self.sizes: dict[int, int] = {}
        self.rows_of: dict[int, list[tuple[str, Row]]] = {}
        self.in_flight: dict[str, tuple[int, float]] = {}
        self.clock = self.last = 0.0
        self.asked = self.ended = False
        scratch = os.path.abspath(os.path.join('scratch', str(number)))
        os.makedirs(scratch, exist_ok=True)
        tables = {name: Batch(path, job['table_columns'][name]) for name, path in (job.get('tables') or {}).items()}
        assets = {name: os.path.abspath(path) for name, path in (job.get('assets') or {}).items()}
        self.job = types.SimpleNamespace(
            parameters=job['parameters'], model=job.get('model') and os.path.abspath(job['model']), assets=assets,
            tables=tables, seed=job.get('seed', 0), draw=job.get('draw', ''), device=job.get('device', 'cpu'),
            batch_size=job.get('batch_size', 1), deadline=None, scratch=scratch, stage=job['stage'],
            columns=job['columns'], table_columns=job.get('table_columns') or {})
        self.batch = Batch('batch.npz', job['columns'])

    def send(self, message: Row) -> None:
        """Tell the parent something."""
        self.reports.write(json.dumps(message) + '\n')
        self.reports.flush()

    def receive(self) -> Row:
        """Wait for the parent's answer; without a parent, or with nothing to do, the process ends."""
        line = self.commands.readline()
        if not line:
            os._exit(0)
        return dict(json.loads(line))

    def main(self) -> None:
        """Introduce the adapter, wait for the parent's leave and run until there are no more rows."""
        self.adapter = load(self.config['module'], self.config['bundle'])
        versions = self.adapter.versions()
        level, columns = (getattr(self.adapter, name, lambda _: None)(self.job) for name in ('level', 'columns'))
        hello = {'versions': versions, 'level': level or '', 'columns': columns}
        self.send({'type': 'hello', 'ids': self.batch.ids, **hello})
        remaining = self.receive()['remaining']
        self.job.deadline = None if remaining is None else time.monotonic() + remaining
        while not self.ended:
            self.asked = False
            try:
                for result in self.adapter.run(self.rows(), self.job):
                    self.take(result)
                if not self.asked:
                    raise ContractError('the adapter ended without asking for a row')
                self.close()
            except BaseException as error:
                self.fail(error)

    def rows(self) -> t.Iterator[Row]:
        """Yield rows as the parent hands them out."""
        while True:
            self.send({'type': 'ask'})
            answer = self.receive()
            self.asked = True
            if 'unit' not in answer:
                self.ended = answer['ended']
                return
            unit, places = answer['unit'], answer['places']
            self.tick()
            self.sizes[unit], self.rows_of[unit] = len(places), []
            self.in_flight.update({self.batch.ids[place]: (unit, self.clock) for place in places})
            for row in map(self.batch.__getitem__, places):
                draw, index = locate(row['id'])
                size = self.config.get('units', 1)
                yield {**row, 'seed': seed_of(self.job.draw or draw, index // size * size)}

    def tick(self) -> None:
        """Share the time since the last call among the rows in flight."""
        now = time.perf_counter()
        self.clock += (now - self.last) / len(self.in_flight) if self.in_flight else 0.0
        self.last = now

    def take(self, result: Row) -> None:
        """Accept one finished row; the last one of a unit sends the unit to the parent."""
        name = result.get('id')
        if name not in self.in_flight:
            raise ContractError(f'the adapter yielded the row `{name}`, which it was not given or had yielded before')
        self.tick()
        unit, begun = self.in_flight.pop(name)
        rows = self.rows_of[unit]
        rows.append(write_row(result, self.clock - begun))
        if len(rows) == self.sizes[unit]:
            self.reports.writelines(f'+{line}\n' for line, _ in rows)
            self.send({'type': 'done', 'unit': unit, 'totals': add(*(totals for _, totals in rows))})
            del self.sizes[unit], self.rows_of[unit]

    def close(self) -> None:
        """Reject the rows that the adapter forgot, or leave them to another job when the time ran out."""
        if self.job.deadline is not None and time.monotonic() >= self.job.deadline:
            self.send({'type': 'left'})
            self.forget()
        for name in list(self.in_flight):
            rejected = rejection('no_result', 'The adapter ended without a result for this row.')
            self.take({'id': name, 'rejected': rejected})

    def fail(self, error: BaseException) -> None:
        """Report an exception: the parent decides what becomes of the rows in flight."""
        traceback.print_exc()
        text = sentence(error)
        memory = isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY)
        fatal = not self.asked or (isinstance(error, ContractError) and not self.sizes)
        smaller = memory and self.job.batch_size > 1 and sum(self.sizes.values()) > 1
        if smaller:
            self.job.batch_size //= 2
        self.forget()
        self.ended = fatal
        error.__traceback__ = None
        gc.collect()
        torch = sys.modules.get('torch')
        if memory and torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.send({'type': 'failed', 'error': text, 'memory': memory, 'fatal': fatal, 'smaller': smaller})

    def forget(self) -> None:
        """Drop the rows in flight."""
        self.sizes, self.rows_of, self.in_flight = {}, {}, {}


def follow(parent: int) -> None:
    """Die with the parent: at once where the kernel sees to it, within a second elsewhere."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def work(number: int, command_fd: int, report_fd: int, parent: int) -> None:
    """Be a worker process; file descriptors 1 and 2 are the log, the parent is spoken to through two others."""
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    follow(parent)
    faulthandler.enable()
    for descriptor in (command_fd, report_fd):
        os.set_inheritable(descriptor, False)
    with open(command_fd) as commands, open(report_fd, 'w') as reports:
        try:
            Worker(read_job(), number, commands, reports).main()
        except BaseException as error:
            traceback.print_exc()
            failed = {'type': 'failed', 'error': sentence(error), 'memory': isinstance(error, MemoryError)}
            reports.write(json.dumps({**failed, 'fatal': True, 'smaller': False}) + '\n')
        reports.flush()
        os._exit(0)


# The parent: knows ids and processes, and imports neither numpy nor the adapter.


class Link:
    """A worker process as the parent sees it, with the draw units in flight and when they were handed out."""

    def __init__(self, number: int, threads: int, log: t.IO[bytes]) -> None:
        command_fd, command_end = os.pipe()
        self.reports, report_fd = os.pipe()
        variables = {f'{name}_NUM_THREADS': str(threads) for name in THREAD_VARIABLES}
        arguments = [str(value) for value in (number, command_fd, report_fd, os.getpid())]
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), '--worker', *arguments],
            pass_fds=(command_fd, report_fd), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **variables, 'OMP_PROC_BIND': 'false', 'PYTHONHASHSEED': '0'})
        os.close(command_fd)
        os.close(report_fd)
        os.set_blocking(self.reports, False)
        self.commands = open(command_end, 'w')  # noqa: SIM115
        self.parts: list[bytes] = []
        self.rows: list[str] = []
        self.units: dict[int, float] = {}
        self.open, self.ended, self.timed_out = True, False, False

    def send(self, message: Row) -> None:
        """Answer the worker; its death is noticed elsewhere."""
        with contextlib.suppress(BrokenPipeError):
            self.commands.write(json.dumps(message) + '\n')
            self.commands.flush()

    def receive(self) -> t.Iterator[Row]:
        """Yield the messages that have arrived, without waiting; finished rows gather until their unit is done."""
        while self.open:
            try:
                chunk = os.read(self.reports, 1 << 16)
            except BlockingIOError:
                return
            self.open = bool(chunk)
            self.parts.append(chunk)
            if b'\n' in chunk:
                *lines, rest = b''.join(self.parts).split(b'\n')
                self.parts = [rest]
                for line in lines:
                    if line.startswith(b'+'):
                        self.rows.append(line[1:].decode())
                    else:
                        yield json.loads(line)

    def kill(self) -> None:
        """Kill the worker and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self) -> str:
        """Close what belonged to the worker and return how it ended."""
        self.kill()
        code = self.process.wait()
        os.close(self.reports)
        with contextlib.suppress(BrokenPipeError):
            self.commands.close()
        return signal.Signals(-code).name if code < 0 else f'exit status {code}'


class Dispatcher:
    """Hands out the rows of a job to workers and writes down what comes back."""

    def __init__(self, job: Row) -> None:
        self.job = job
        self.whole = bool(job.get('whole_batch'))
        self.threads = max(int(job.get('threads') or 1), 1)
        self.processes = int(job.get('processes') or 0) or self.cores() // self.threads or 1
        if self.whole or (not job.get('processes') and job.get('device', 'cpu') != 'cpu'):
            self.processes = 1
        self.begun = time.monotonic()
        limit = job.get('seconds_limit')
        self.deadline = math.inf if limit is None else self.begun + limit
        self.ids: list[str] = []
        self.met = False
        self.units: list[list[int]] = []
        self.pending: collections.deque[int] = collections.deque()
        self.alone: set[int] = set()
        self.deaths: collections.Counter[int] = collections.Counter()
        self.links: list[Link] = []
        self.hired = self.idle_deaths = 0
        self.status = self.error = ''
        self.hello: Row = {'columns': None, 'level': '', 'versions': {}}
        self.finished = 0
        self.totals: Row = {'rejected': 0, 'evaluations': 0, 'seconds': 0.0}

    def cores(self) -> int:
        """Return the number of cores that this process may use."""
        if self.job.get('device', 'cpu') != 'cpu':
            return 1
        return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1

    def run(self) -> None:
        """Work until every row is finished, the time is up or something forbids to go on."""
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, lambda number, _: self.stop('terminated', f'{signal.Signals(number).name} came'))
        with open(FILENAME_LOG, 'wb') as self.log, open('started.jsonl', 'w') as self.started, \
                open('out.jsonl', 'w') as self.out, selectors.DefaultSelector() as self.selector:
            self.hire()
            while self.links:
                for key, _ in self.selector.select(TICK_SECONDS):
                    self.listen(key.data)
                for link in list(self.links):
                    self.check(link)
                self.hire()
        if not self.status:
            self.status = 'finished' if self.finished == len(self.ids) else 'deadline'

    def stop(self, status: str, error: str) -> None:
        """End the job; finished rows stay, the others are not touched."""
        if not self.status:
            self.status, self.error = status, error

    def late(self) -> bool:
        """Say whether no more rows may be handed out."""
        return time.monotonic() >= self.deadline

    def hire(self) -> None:
        """Start as many workers as there is work for."""
        if self.status or (self.met and (not self.pending or self.late())):
            return
        wanted = len(self.pending) + sum(bool(link.units) for link in self.links) if self.met else 1
        for _ in range(min(wanted, self.processes) - len(self.links)):
            link = Link(self.hired, self.threads, self.log)
            self.hired += 1
            self.links.append(link)
            self.selector.register(link.reports, selectors.EVENT_READ, link)

    def listen(self, link: Link) -> None:
        """React to what a worker says; once the job has been stopped only finished rows count."""
        for message in link.receive():
            if message['type'] == 'done' or not self.status:
                getattr(self, 'on_' + message['type'])(link, message)

    def check(self, link: Link) -> None:
        """Kill a worker that must not go on, and deal with the rows of one that is gone."""
        limit = self.job.get('row_seconds_limit')
        if limit is not None and link.units:
            in_flight = sum(len(self.units[unit]) for unit in link.units)
            link.timed_out = time.monotonic() - min(link.units.values()) > limit * in_flight
        if self.status or link.timed_out:
            link.kill()
        elif link.open and link.process.poll() is None:
            return
        self.selector.unregister(link.reports)
        self.listen(link)
        how = link.bury()
        self.links.remove(link)
        if self.status or (link.ended and not link.units):
            return
        if link.timed_out:
            self.lose(link, len(link.units) == 1, 'timeout', f'It took longer than {limit:g} s.', limit)
        elif link.units:
            self.deaths.update(link.units.keys())
            again = any(self.deaths[unit] == 1 for unit in link.units)
            self.lose(link, not again, 'killed_process', f'Its worker process died twice ({how}).')
        else:
            self.idle_deaths += 1
            self.processes = max(self.processes - 1, 1)  # so many models may not fit into the memory
            if self.idle_deaths > 1 and not self.links:
                self.stop('adapter_failed', f'the worker process died before it took a row ({how})')

    def on_hello(self, link: Link, message: Row) -> None:
        """Learn the ids from the first worker; compare the environment of each."""
        if not self.met:
            self.met = True
            self.hello = {name: message[name] for name in self.hello}
            write_json('hello.json', self.hello)
            self.ids = message['ids']
            groups: dict[t.Any, list[int]] = {}
            for place, crystal_id in enumerate(self.ids):
                draw, index = locate(crystal_id)
                key = None if self.whole else (draw, index // self.job.get('units', 1))
                groups.setdefault(key, []).append(place)
            self.units = list(groups.values())
            self.pending.extend(range(len(self.units)))
        planned, found = self.job.get('environment') or {}, message['versions']
        wrong = [f'{name} is {found.get(name, "missing")} here but was {version} when the job was planned'
                 for name, version in sorted(planned.items()) if found.get(name) != version]
        if wrong:
            self.stop('environment_mismatch', '; '.join(wrong) + '; run `aiida-crystalgen check-code` on the Code')
        elif self.pending and not self.late():
            link.send({'remaining': None if self.deadline == math.inf else self.deadline - time.monotonic()})
        else:
            link.ended = True
            link.commands.close()

    def on_ask(self, link: Link, _: Row) -> None:
        """Hand out the next draw unit; one that has to be alone waits until nothing else is in flight."""
        if not self.pending or self.late():
            link.ended = True
            link.send({'ended': True})
        elif link.units and not self.alone.isdisjoint([self.pending[0], *link.units]):
            link.send({'ended': False})
        else:
            unit = self.pending.popleft()
            self.write(self.started, [json.dumps({'id': self.ids[place]}) for place in self.units[unit]])
            link.units[unit] = time.monotonic()
            link.send({'unit': unit, 'places': self.units[unit]})

    def on_done(self, link: Link, message: Row) -> None:
        """Keep the finished rows of a draw unit."""
        del link.units[message['unit']]
        self.idle_deaths = 0
        self.keep(link.rows, message['totals'])
        link.rows = []

    def on_left(self, link: Link, _: Row) -> None:
        """Leave rows that were given back at the deadline to another job."""
        link.units = {}

    def on_failed(self, link: Link, message: Row) -> None:
        """Decide what becomes of the rows that were in flight at an exception."""
        link.ended = False
        if message['fatal']:
            self.stop('out_of_memory' if message['memory'] else 'adapter_failed', message['error'])
        else:
            final = len(link.units) == 1 and not message['smaller']
            self.lose(link, final, 'out_of_memory' if message['memory'] else 'adapter_error', message['error'])

    def lose(self, link: Link, final: bool, reason: str, detail: str, threshold: float | None = None) -> None:
        """Reject what was in flight, or send it again, each draw unit alone; a whole batch is never taken apart."""
        units, link.units = link.units, {}
        for unit, begun in units.items():
            if not final:
                self.pending.append(unit)
                self.alone.add(unit)
            elif self.whole:
                self.stop('out_of_memory' if reason == 'out_of_memory' else 'adapter_failed', detail)
            else:
                places = self.units[unit]
                rejected = rejection(reason, detail, threshold=threshold)
                seconds = (time.monotonic() - begun) / len(places)
                rows = [write_row({'id': self.ids[place], 'rejected': rejected}, seconds) for place in places]
                self.keep([line for line, _ in rows], add(*(totals for _, totals in rows)))

    def keep(self, lines: list[str], totals: Row) -> None:
        """Write finished rows and count them."""
        self.write(self.out, lines)
        self.finished += len(lines)
        self.totals = add(self.totals, totals)

    @staticmethod
    def write(handle: t.IO[str], lines: list[str]) -> None:
        """Append lines and flush."""
        handle.write(''.join(line + '\n' for line in lines))
        handle.flush()

    def report(self) -> Row:
        """Return what the engine wants to know; memory is that of the largest worker."""
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        return {
            'status': self.status, 'error': self.error, 'versions': self.hello['versions'],
            'level': self.hello['level'], 'device': self.job.get('device', 'cpu'), 'processes': self.processes,
            'counts': {'given': len(self.ids), 'finished': self.finished, 'rejected': self.totals['rejected']},
            'seconds': {'wall': round(time.monotonic() - self.begun, 3), 'rows': round(self.totals['seconds'], 3),
                        'cpu': round(cpu, 3)},
            'evaluations': self.totals['evaluations'],
            'peak_memory_mb': round(children.ru_maxrss / (1 << (20 if sys.platform == 'darwin' else 10)), 1),
        }


def read_job() -> Row:
    """Return the content of `job.json`."""
    with open('job.json', encoding='utf-8') as handle:
        return dict(json.load(handle))


def write_json(filename: str, content: Row) -> None:
    """Write a JSON file that is there whole or not at all."""
    with open(filename + '.part', 'w', encoding='utf-8') as handle:
        json.dump(content, handle, allow_nan=False, sort_keys=True)
    os.replace(filename + '.part', filename)


def dispatch() -> None:
    """Run the job of the current folder; whatever happens, a report ends it."""
    dispatcher = Dispatcher(read_job())
    try:
        dispatcher.run()
    except Exception as error:
        traceback.print_exc()
        dispatcher.stop('adapter_failed', sentence(error))
        for link in dispatcher.links:
            link.bury()
    write_json('report.json', dispatcher.report())
    shutil.rmtree('scratch', ignore_errors=True)
    if dispatcher.status == 'adapter_failed':
        with open(FILENAME_LOG, encoding='utf-8', errors='replace') as log:
            sys.stderr.write(''.join(collections.deque(log, 40)))


def tell_versions(module: str, bundle: str) -> None:
    """Print the versions of the adapter's tool as one JSON line."""
    with contextlib.redirect_stdout(sys.stderr):
        versions = load(module, bundle).versions()
    print(json.dumps(versions, sort_keys=True))


def main(arguments: list[str]) -> None:
    """Run a job, be one of its workers or tell versions."""
    if arguments[:1] == ['--worker']:
        work(*map(int, arguments[1:]))
    elif arguments:
        parser = argparse.ArgumentParser(description='Run the job of the current folder, or tell versions.')
        parser.add_argument('--versions', metavar='MODULE', required=True)
        parser.add_argument('--bundle', metavar='FILE', required=True)
        chosen = parser.parse_args(arguments)
        tell_versions(chosen.versions, chosen.bundle)
    else:
        dispatch()


if __name__ == '__main__':
    main(sys.argv[1:])
