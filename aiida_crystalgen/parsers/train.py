"""The parser of a training: whatever was learned is kept, and what the next job needs to go on."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from aiida import orm
from aiida.engine import ExitCode

from aiida_crystalgen.calculations.train import TrainCalculation as Job
from aiida_crystalgen.parsers.batch import BatchParser, read_lines

_FILES: t.Final = {'checkpoint': Job.FILENAME_CHECKPOINT, 'encoded': Job.FILENAME_ENCODED}
# A training that ends so can be taken up by another job.
_UNFINISHED: t.Final = {
    'deadline': 'ERROR_OUT_OF_TIME',
    'out_of_memory': 'ERROR_OUT_OF_MEMORY',
    'terminated': 'ERROR_TERMINATED',
    'died': 'ERROR_DIED',
}


@t.final
class TrainParser(BatchParser):
    """Turn the files of a training into `model`, `history`, `report`, and `checkpoint` where it is not finished."""

    def parse(self, **kwargs: t.Any) -> ExitCode | None:
        """Parse the retrieved files."""
        folder = Path(kwargs['retrieved_temporary_folder'])
        asked = self.node.inputs.batch.crystals
        try:
            results = {row['id']: row for row in read_lines(folder / Job.FILENAME_ROWS)}
            hello = self._read_json(Job.FILENAME_HELLO) or {}
            _, rejected = self._crystals(asked, results, hello)
        except (KeyError, ValueError) as error:
            return self.exit_codes.ERROR_UNREADABLE_OUTPUT.format(reason=str(error))
        history = self._history()
        report = {**self._report(hello, []), 'training': self._read_json(Job.FILENAME_SUMMARY) or {}}
        self.out('report', orm.Dict(report))
        if rejected is not None:
            self.out('rejected', rejected)
        if history.get('epoch'):
            self.out('history', orm.Dict(history))
        weights = folder / Job.FILENAME_WEIGHTS
        if weights.exists():
            self.out('model', orm.SinglefileData(weights))
        code = self._verdict(report, is_complete=len(results) == len(asked) and weights.exists())
        if code is not None and code.status >= self.exit_codes.ERROR_OUT_OF_TIME.status:
            for name, filename in _FILES.items():
                if (folder / filename).exists():
                    self.out(name, orm.SinglefileData(folder / filename))
        return code

    def _history(self) -> dict[str, list[t.Any]]:
        """Return the curves of the log: a list for each quantity; a torn last line is left out."""
        try:
            lines = self.retrieved.base.repository.get_object_content(Job.FILENAME_LOG, mode='r').splitlines()
        except FileNotFoundError:
            lines = []
        entries: list[dict[str, t.Any]] = []
        for line in lines:
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:
                break
        names = dict.fromkeys(name for entry in entries for name in entry)
        return {name: [entry.get(name) for entry in entries] for name in names}

    def _verdict(self, report: dict[str, t.Any], *, is_complete: bool) -> ExitCode | None:
        """Return the exit code of a training."""
        status, reason = str(report['status']), str(report.get('error') or f'status `{report["status"]}`')
        if is_complete:
            return None
        if status == 'environment_mismatch':
            return self.exit_codes.ERROR_ENVIRONMENT_MISMATCH.format(reason=reason)
        if status in _UNFINISHED:
            return t.cast('ExitCode', getattr(self.exit_codes, _UNFINISHED[status]))
        if status == 'cannot_train':
            return self.exit_codes.ERROR_CANNOT_TRAIN.format(reason=reason.partition(': ')[2] or reason)
        return self.exit_codes.ERROR_ADAPTER_FAILED.format(reason=reason)
