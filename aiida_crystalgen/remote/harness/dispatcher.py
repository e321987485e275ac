"""The parent: knows ids and processes, and imports neither numpy nor the adapter."""

from __future__ import annotations

import collections
import json
import math
import os
import resource
import selectors
import shutil
import signal
import sys
import time
import traceback
import typing as t

from .link import Link
from .models import difference
from .rows import STOP_SIGNALS, Row, add, locate, read_job, rejection, sentence, write_json, write_row

FILENAME_LOG = 'workers.log'
TICK_SECONDS = 0.1
# After any other, the last words of the workers say more than the report.
NORMAL_ENDS = ('finished', 'deadline', 'terminated', 'environment_mismatch', 'out_of_memory')


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
        self.gpu: Row = {}
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
        with open(FILENAME_LOG, 'wb') as self.log, open('started.jsonl', 'w') as self.started, open(
            'out.jsonl', 'w'
        ) as self.out, selectors.DefaultSelector() as self.selector:
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
        wrong = [
            f'{name} is {found.get(name, "missing")} here but was {version} when the job was planned'
            for name, version in sorted(planned.items())
            if found.get(name) != version
        ]
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
        gpu = message.get('gpu') or {}
        if gpu.get('peak_memory_mb', 0.0) >= self.gpu.get('peak_memory_mb', 0.0):
            self.gpu = gpu

    def on_left(self, link: Link, _: Row) -> None:
        """Leave rows that were given back at the deadline to another job."""
        link.units = {}

    def on_failed(self, link: Link, message: Row) -> None:
        """Decide what becomes of the rows that were in flight at an exception."""
        link.ended = False
        if message['fatal']:
            status = 'out_of_memory' if message['memory'] else 'adapter_failed'
            self.stop(message.get('status') or status, message['error'])
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
            'status': self.status,
            'error': self.error,
            'versions': self.hello['versions'],
            'level': self.hello['level'],
            'device': self.job.get('device', 'cpu'),
            'gpu': self.gpu or None,
            'model': self.job.get('model'),
            'processes': self.processes,
            'counts': {'given': len(self.ids), 'finished': self.finished, 'rejected': self.totals['rejected']},
            'seconds': {
                'wall': round(time.monotonic() - self.begun, 3),
                'rows': round(self.totals['seconds'], 3),
                'cpu': round(cpu, 3),
            },
            'evaluations': self.totals['evaluations'],
            'peak_memory_mb': round(children.ru_maxrss / (1 << (20 if sys.platform == 'darwin' else 10)), 1),
        }


def dispatch() -> None:
    """Run the job of the current folder; whatever happens, a report ends it."""
    dispatcher = Dispatcher(read_job())
    try:
        changed = difference(dispatcher.job.get('model'), dispatcher.job.get('model_files') or {})
        if changed:
            dispatcher.stop('environment_mismatch', changed)
        dispatcher.run()
    except Exception as error:
        traceback.print_exc()
        dispatcher.stop('adapter_failed', sentence(error))
        for link in dispatcher.links:
            link.bury()
    write_json('report.json', dispatcher.report())
    shutil.rmtree('scratch', ignore_errors=True)
    if dispatcher.status not in NORMAL_ENDS:
        with open(FILENAME_LOG, encoding='utf-8', errors='replace') as log:
            sys.stderr.write(''.join(collections.deque(log, 40)))
