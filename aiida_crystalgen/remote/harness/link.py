"""A worker process as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import typing as t

from .rows import Row

THREAD_VARIABLES = ('OMP', 'OPENBLAS', 'MKL', 'NUMEXPR', 'BLIS', 'VECLIB_MAXIMUM', 'RAYON')


class Link:
    """A worker process as the parent sees it, with the draw units in flight and when they were handed out."""

    def __init__(self, number: int, threads: int, log: t.IO[bytes]) -> None:
        command_fd, command_end = os.pipe()
        self.reports, report_fd = os.pipe()
        variables = {f'{name}_NUM_THREADS': str(threads) for name in THREAD_VARIABLES}
        arguments = [str(value) for value in (number, command_fd, report_fd, os.getpid())]
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(sys.argv[0]), '--worker', *arguments],
            pass_fds=(command_fd, report_fd),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **variables, 'OMP_PROC_BIND': 'false', 'PYTHONHASHSEED': '0'},
        )
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
