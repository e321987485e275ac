"""Show the stages of a running campaign: bars on a terminal, one line per change elsewhere."""

from __future__ import annotations

import sys
import time
import typing as t

import click

if t.TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from aiida_crystalgen.tools.progress import Progress

QUIET: t.Final = 20.0  # s between two plain lines of one stage


class Display(t.Protocol):
    """Something that shows progress."""

    def update(self, stages: list[Progress]) -> None:
        """Show the stages as they are now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display() -> Display:
    """Return bars for a terminal, lines for anything else."""
    return Bars() if sys.stdout.isatty() else Lines()


@t.final
class Bars:
    """One live bar a stage."""

    def __init__(self) -> None:
        from rich import progress

        self._bars = progress.Progress(
            progress.TextColumn('{task.description:<11}'),
            progress.BarColumn(bar_width=36, complete_style='cyan', finished_style='green'),
            progress.TextColumn('{task.completed:>6.0f} / {task.total:<6.0f}'),
            progress.TimeElapsedColumn(),
            progress.TextColumn('[dim]{task.fields[note]}'),
            console=self.console(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._bars.start()

    @staticmethod
    def console() -> Console:
        """Return the console to draw on."""
        from rich.console import Console

        return Console(highlight=False)

    def update(self, stages: list[Progress]) -> None:
        """Move the bars."""
        for stage in stages:
            if stage.stage not in self._tasks:
                self._tasks[stage.stage] = self._bars.add_task(stage.stage, total=max(stage.n_all, 1), note='')
            task = self._tasks[stage.stage]
            if self._bars.tasks[task].finished:
                continue
            total = max(stage.n_all, 1)
            n_done = total if stage.state == 'done' else min(stage.n_done, total - 1)
            self._bars.update(task, total=total, completed=n_done, note=note_of(stage))

    def close(self) -> None:
        """Stop drawing."""
        self._bars.stop()


@t.final
class Lines:
    """One line when a stage begins or ends, and now and then between."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}
        self._began: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def update(self, stages: list[Progress]) -> None:
        """Print what changed."""
        now = time.monotonic()
        for stage in stages:
            before = self._seen.get(stage.stage)
            state = (stage.state, stage.n_done)
            self._began.setdefault(stage.stage, now)
            news = before is None or before[0] != stage.state
            if not news and (before == state or now - self._last[stage.stage] < QUIET):
                continue
            self._seen[stage.stage], self._last[stage.stage] = state, now
            self._print(stage, now - self._began[stage.stage])

    def close(self) -> None:
        """Nothing to leave."""

    @staticmethod
    def _print(stage: Progress, seconds: float) -> None:
        count = f'{stage.n_done} of {stage.n_all} crystals' if stage.n_all else ''
        time_taken = f'{seconds:.0f} s' if stage.state != 'running' else ''
        parts = [part for part in (count, time_taken, note_of(stage)) if part]
        click.echo(f'{stage.stage:<11} {stage.state:<8} {", ".join(parts)}'.rstrip())


def note_of(stage: Progress) -> str:
    """Return what is worth saying besides the numbers."""
    if stage.n_cached and stage.n_cached == stage.n_jobs:
        return 'reused from an earlier run'
    if stage.n_cached:
        return f'{stage.n_cached} of {stage.n_jobs} jobs reused'
    return f'{stage.n_jobs} jobs' if stage.n_jobs > 1 else ''
