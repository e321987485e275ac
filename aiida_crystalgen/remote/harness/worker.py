"""The worker: the only side that imports numpy, the adapter and its tool."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
import types
import typing as t

from .rows import STOP_SIGNALS, Row, add, locate, read_job, rejection, seed_of, sentence, write_row

OUT_OF_MEMORY = ('out of memory', 'failed to allocate', "can't allocate", 'cannot allocate', 'neighboroverflow')


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
            parameters=job['parameters'],
            model=job.get('model') and os.path.abspath(job['model']),
            assets=assets,
            tables=tables,
            seed=job.get('seed', 0),
            draw=job.get('draw', ''),
            device=job.get('device', 'cpu'),
            batch_size=job.get('batch_size', 1),
            deadline=None,
            scratch=scratch,
            blobs=os.path.abspath('blobs'),
            stage=job['stage'],
            columns=job['columns'],
            table_columns=job.get('table_columns') or {},
        )
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
        self.adapter = importlib.import_module(self.config['module'])
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
            totals = add(*(totals for _, totals in rows))
            self.send({'type': 'done', 'unit': unit, 'totals': totals, 'gpu': gpu_use()})
            del self.sizes[unit], self.rows_of[unit]

    def close(self) -> None:
        """Reject the rows that the adapter forgot, or leave them to another job when the time ran out."""
        if self.late():
            self.send({'type': 'left'})
            self.forget()
        for name in list(self.in_flight):
            rejected = rejection('no_result', 'The adapter ended without a result for this row.')
            self.take({'id': name, 'rejected': rejected})

    def late(self) -> bool:
        """Say whether the time of the job has run out."""
        return self.job.deadline is not None and time.monotonic() >= self.job.deadline

    def fail(self, error: BaseException) -> None:
        """Report an exception: the parent decides what becomes of the rows in flight."""
        traceback.print_exc()
        text = sentence(error)
        memory = isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY)
        if isinstance(error, TimeoutError) and self.late():
            self.ended = True
            self.send({'type': 'left'})
            self.forget()
            return
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
        status = str(getattr(error, 'crystalgen_status', ''))
        failed = {'type': 'failed', 'error': text, 'memory': memory, 'fatal': fatal or bool(status)}
        self.send({**failed, 'smaller': smaller, 'status': status})

    def forget(self) -> None:
        """Drop the rows in flight."""
        self.sizes, self.rows_of, self.in_flight = {}, {}, {}


def gpu_use() -> Row:
    """Return the GPU of this process and the most memory [MB] that torch held there; empty without one."""
    torch = sys.modules.get('torch')
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    megabytes = torch.cuda.max_memory_allocated() / (1 << 20)
    return {'name': torch.cuda.get_device_name(), 'peak_memory_mb': round(megabytes, 1)}


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
