"""The parser of phonons: that of every batch job, and the force constants of the finished rows."""

from __future__ import annotations

import typing as t
from pathlib import Path
from urllib.parse import unquote

from aiida import orm

from aiida_crystalgen.calculations.phonons import PhononCalculation as Job
from aiida_crystalgen.parsers.batch import BatchParser, read_lines

if t.TYPE_CHECKING:
    from aiida.engine import ExitCode


@t.final
class PhononParser(BatchParser):
    """Keep the force constants beside rows, report and exit code."""

    def parse(self, **kwargs: t.Any) -> ExitCode | None:
        """Parse the retrieved files."""
        exit_code = super().parse(**kwargs)
        temporary = Path(kwargs['retrieved_temporary_folder'])
        if 'batch' not in self.outputs:
            return exit_code
        finished = {row['id'] for row in read_lines(temporary / Job.FILENAME_ROWS)}
        files = sorted((temporary / Job.FOLDER_BLOBS).glob('*.npz'))
        whole = [path for path in files if unquote(path.stem) in finished]
        if whole:
            folder = orm.FolderData()
            for path in whole:
                folder.base.repository.put_object_from_file(path, path.name)
            self.out('force_constants', folder)
        return exit_code
