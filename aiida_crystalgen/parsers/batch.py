"""The parser of every batch job: finished rows are kept whatever happened, the report becomes an exit code."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from pathlib import Path

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_crystalgen.bundles import read_about
from aiida_crystalgen.calculations.base import DOOMS, SHORTFALLS
from aiida_crystalgen.calculations.base import BatchCalculation as Job
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.parsers.rows import kept_crystals, rejected_crystals

# How many rows in flight are named in a report: enough for one row a process on a large node.
_MOST_IN_FLIGHT: t.Final = 64
_LAST_WORDS: t.Final = 400
_EXIT_CODES: t.Final = {
    'environment_mismatch': 'ERROR_ENVIRONMENT_MISMATCH',
    'adapter_failed': 'ERROR_ADAPTER_FAILED',
    'deadline': 'ERROR_OUT_OF_TIME',
    'out_of_memory': 'ERROR_OUT_OF_MEMORY',
    'terminated': 'ERROR_TERMINATED',
    'died': 'ERROR_DIED',
    'finished': 'ERROR_INCOMPLETE',
    **{status: label for status, (_, label, _) in DOOMS.items()},
}


class BatchParser(Parser):
    """Turn finished rows into `batch` and `rejected`, and the report into `report` and an exit code."""

    def parse(self, **kwargs: t.Any) -> ExitCode | None:
        """Parse the retrieved files."""
        temporary = Path(kwargs['retrieved_temporary_folder'])
        asked = self.node.inputs.batch.crystals
        try:
            results = {row['id']: row for row in read_lines(temporary / Job.FILENAME_ROWS)}
            started = [row['id'] for row in read_lines(temporary / Job.FILENAME_STARTED)]
            hello = self._read_json(Job.FILENAME_HELLO) or {}
            kept, rejected = self._crystals(asked, results, hello)
        except (KeyError, ValueError) as error:
            return self.exit_codes.ERROR_UNREADABLE_OUTPUT.format(reason=str(error))

        report = self._report(hello, [name for name in started if name not in results])
        self.out('report', orm.Dict(report))
        if kept is not None:
            self.out('batch', kept)
        if rejected is not None:
            self.out('rejected', rejected)
        if len(results) == len(asked):
            return self._shortfall(results)
        return self._exit_code(report, n_finished=len(results))

    def _crystals(self, asked: t.Any, results: dict[str, t.Any], hello: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
        """Return the kept and the rejected rows as batches, None where there is none."""
        columns = hello.get('columns')
        if columns is None:
            with self.node.inputs.bundle.open(mode='rb') as handle:
                columns = read_about(handle).get('columns', {})
        columns = {name: _with_level(meta, str(hello.get('level') or '')) for name, meta in columns.items()}
        rejected_ids = {name for name, row in results.items() if row.get('rejected')}
        kept = kept_crystals(asked, {k: v for k, v in results.items() if k not in rejected_ids}, columns)
        rejected = rejected_crystals(asked, {k: results[k] for k in rejected_ids}, columns, self._stage())
        # An empty `batch` is an answer too: every row was judged and none was kept.
        complete = len(results) == len(asked)
        return (
            StructureBatch(kept) if len(kept) or complete else None,
            StructureBatch(rejected) if len(rejected) else None,
        )

    def _stage(self) -> str:
        return str(self.node.inputs.parameters.get_dict().get('stage', self.node.process_class._STAGE))

    def _report(self, hello: dict[str, t.Any], in_flight: list[str]) -> dict[str, t.Any]:
        """Return the report of the harness, or what can be said when it did not live to write one."""
        report = self._read_json(Job.FILENAME_REPORT) or {
            'status': 'died',
            'error': self._last_words(),
            'versions': hello.get('versions', {}),
            'level': hello.get('level', ''),
        }
        return {**report, 'stage': self._stage(), 'n_jobs': 1, 'in_flight': in_flight[:_MOST_IN_FLIGHT]}

    def _shortfall(self, results: dict[str, t.Any]) -> ExitCode | None:
        """Return the exit code of outputs that are not what the tool should have written, None where they are."""
        reasons = Counter(row['rejected']['reason'] for row in results.values() if row.get('rejected'))
        for reason, (_, label, _) in SHORTFALLS.items():
            if reasons[reason]:
                return t.cast(ExitCode, getattr(self.exit_codes, label).format(count=reasons[reason]))
        return None

    def _exit_code(self, report: dict[str, t.Any], n_finished: int) -> ExitCode:
        """Return the exit code of a job that did not finish every row."""
        status = str(report['status'])
        code: ExitCode = getattr(self.exit_codes, _EXIT_CODES.get(status, 'ERROR_ADAPTER_FAILED'))
        reason = str(report.get('error') or f'status `{status}`')
        if n_finished == 0 and code.status >= 400:
            return self.exit_codes.ERROR_NOTHING_FINISHED.format(reason=reason)
        return code if code.status >= 400 else code.format(reason=reason)

    def _read_json(self, filename: str) -> dict[str, t.Any] | None:
        try:
            return dict(json.loads(self.retrieved.base.repository.get_object_content(filename, mode='r')))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def _last_words(self) -> str:
        """Return the end of what the job wrote to standard error."""
        try:
            text = self.retrieved.base.repository.get_object_content(Job.FILENAME_STDERR, mode='r').strip()
        except FileNotFoundError:
            text = ''
        return text[-_LAST_WORDS:] or 'the job left no report; it was killed, or its computer stopped'


def _with_level(meta: dict[str, t.Any], level: str) -> dict[str, t.Any]:
    """Return the description of a column; an energy is at the level of the job unless it names its own."""
    return {**meta, 'level': meta.get('level') or (level if meta.get('unit') == 'eV/atom' else '')}


def read_lines(filepath: Path) -> list[dict[str, t.Any]]:
    """Read JSON lines; a last line that was torn by a kill is dropped.

    :raises ValueError: when a line that is not the last one cannot be read.
    """
    if not filepath.exists():
        return []
    lines = filepath.read_text(encoding='utf-8', errors='replace').split('\n')
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f'line {number} of `{filepath.name}` is not JSON: {error}') from error
    return rows
